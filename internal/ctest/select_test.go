package ctest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/kernel"
)

// A question is a host and the bundle that it is looked up in.
type question struct {
	name         string
	host         kernel.Host
	consensus    bool
	kernels      [][2]string // content and path
	want         string      // "found PATH", "notfound", "ambiguous"
	near, differ []string
}

// committed reads kernel/testdata/select.txt, whose head describes the format.
func committed(t testing.TB) []question {
	t.Helper()
	f, err := os.Open(need.Repository(t, "kernel", "testdata", "select.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []question
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		if key == "case" {
			all = append(all, question{name: value})
		}
		q := &all[len(all)-1]
		switch key {
		case "case":
		case "release":
			q.host.Release = value
		case "machine":
			q.host.Machine = value
		case "os-release":
			text, err := os.ReadFile(need.Repository(t, "kernel", "testdata", "os-release", value+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			q.host.OS = kernel.ParseOSRelease(text)
		case "id":
			q.host.OS.ID = value
		case "like":
			q.host.OS.Like = strings.Fields(value)
		case "version":
			q.host.OS.VersionID = value
		case "codename":
			q.host.OS.Codename = value
		case "consensus":
			q.consensus = true
		case "kernel":
			content, path, _ := strings.Cut(value, " ")
			q.kernels = append(q.kernels, [2]string{content, path})
		case "want":
			q.want = value
		case "near":
			q.near = append(q.near, value)
		case "differ":
			q.differ = append(q.differ, value)
		default:
			t.Fatalf("select.txt: %q is not of the format that its head describes", line)
		}
	}
	if len(all) == 0 {
		t.Fatal("select.txt has no cases")
	}
	return all
}

// pack makes the question's bundle: each content is a BTF of its own.
func (q *question) pack(t testing.TB) (file string, b *bundle.Bundle) {
	t.Helper()
	kernels := map[string][]byte{}
	for _, k := range q.kernels {
		kernels[k[1]] = sample(t, binary.LittleEndian, "content_"+k[0]+"_", true)
	}
	raw, b := pack(t, kernels)
	return save(t, raw), b
}

// askGo answers as want does in select.txt.
func (q *question) askGo(b *bundle.Bundle) (answer string, named []string) {
	match, err := b.Find(q.host, q.consensus)
	var none *kernel.NotFoundError
	var several *kernel.AmbiguousError
	switch {
	case err == nil:
		return "found " + match.Path, nil
	case errors.As(err, &none):
		return "notfound", none.Nearest
	case errors.As(err, &several):
		return "ambiguous", several.Paths
	}
	return "error " + err.Error(), nil
}

// askC answers likewise; message is the error's text.
func (q *question) askC(t testing.TB, r reader, file string) (answer, message string) {
	t.Helper()
	os := q.host.OS
	args := []string{"find", file, q.host.Release, q.host.Machine, os.ID, os.VersionID, os.Codename, strings.Join(os.Like, " ")}
	if q.consensus {
		args = append(args, "consensus")
	}
	out, message, code := r.run(t, nil, args...)
	switch code {
	case 0:
		lines := strings.Split(string(out), "\n")
		if len(lines) != 4 || lines[2] == "" {
			t.Errorf("find prints %q, expected a path, a content and a rule", out)
		}
		return "found " + lines[0], ""
	case exitNotFound:
		if !strings.HasPrefix(message, "no BTF found for kernel version "+q.host.Release+" (") {
			t.Errorf("not found: %q", message)
		}
		return "notfound", message
	case exitAmbiguous:
		return "ambiguous", message
	}
	return "error " + message, message
}

// expectNamed looks for the paths in an error's text, in this order, with nothing between them.
func expectNamed(t *testing.T, message string, paths []string) {
	t.Helper()
	if list := strings.Join(paths, ", "); !strings.Contains(message, ": "+list+";") {
		t.Errorf("the error does not name %s: %s", list, message)
	}
}

// The committed cases, which say what has to come out.
func TestSelect(t *testing.T) {
	asked(t)
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			r := b.reader(t)
			for i, q := range committed(t) {
				if b.valgrind && i%10 != 0 {
					continue // each takes a second; the other builds run all of them
				}
				t.Run(q.name, func(t *testing.T) {
					file, b := q.pack(t)
					answer, message := q.askC(t, r, file)
					if answer != q.want {
						t.Errorf("C: %s, expected %s (%s)", answer, q.want, message)
					}
					if inGo, named := q.askGo(b); inGo != answer {
						t.Errorf("Go: %s, C: %s (%s)", inGo, answer, message)
					} else if len(named) > 0 && len(named) <= 5 {
						expectNamed(t, message, named)
					}
					if len(q.near)+len(q.differ) > 0 {
						expectNamed(t, message, append(q.near, q.differ...))
					}
				})
			}
		})
	}
}

// Hosts and bundles at random, of words that come close to each other: both readers answer alike, with the same kernels named.
func TestSelectAlike(t *testing.T) {
	asked(t)
	seed := uint64(1)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := builds[2].reader(t)
	count := map[string]int{}
	for range 250 {
		w := words{rng}
		q := question{kernels: w.kernels()}
		file, b := q.pack(t)
		for range 6 {
			q.host, q.consensus = w.host(q.kernels), rng.IntN(2) == 0
			answer, message := q.askC(t, r, file)
			inGo, named := q.askGo(b)
			if answer != inGo {
				t.Errorf("C: %s (%s), Go: %s\n%+v", answer, message, inGo, q)
			} else if len(named) > 0 && len(named) <= 5 {
				expectNamed(t, message, named)
			}
			kind, _, _ := strings.Cut(answer, " ")
			if kind == "found" && q.consensus {
				if q.consensus = false; strings.HasPrefix(first(q.askGo(b)), "notfound") {
					kind = "consensus"
				}
			}
			count[kind]++
		}
	}
	t.Logf("seed %d: %v", seed, count)
	if count["found"] < 100 || count["notfound"] < 100 || count["ambiguous"] < 10 || count["consensus"] < 5 {
		t.Errorf("the questions are too alike: %v", count)
	}
}

func first(answer string, _ []string) string { return answer }

// words are names of hosts and kernels at random.
type words struct{ *rand.Rand }

func (w words) pick(from ...string) string { return from[w.IntN(len(from))] }

func (w words) distro() string {
	return w.pick("debian", "debian", "centos", "CentOS-Stream", "rhel", "redhat", "sles", "sle", "suse", "alma", `"ol"`, "oracle", "opensuse", "", "Rocky")
}

func (w words) version() string {
	return w.pick("8", "8", "8.1", "8-stream", "81", "10", "bookworm", "Bookworm", "12 (bookworm)", `"8"`, "", "8.")
}

func (w words) arch() string {
	return w.pick("x86_64", "x86_64", "x86_64", "amd64", "arm64", "aarch64", "i686", "armv7l", "armv8l", "ARM64", "sparc", "Sparc", "ppc64el", "386")
}

// release has words that consensus and build counters turn on.
func (w words) release() string {
	switch w.IntN(8) {
	case 0:
		return w.pick("6", "a", "6.1", "6..1", "x.y-default", "6.1.x86_64", "6.1.armv7hl", ".1-default", "-default", "6.1-", "6.1+", "18446744073709551616.1.2", "6.1.386")
	case 1, 2:
		return fmt.Sprintf("5.3.18-59.%d.%d-default", 1+w.IntN(3), 1+w.IntN(2))
	case 3:
		return fmt.Sprintf("5.3.18-59.%d-%s", 1+w.IntN(3), w.pick("default", "default", "Default", "1default", "default.x86_64"))
	case 4:
		return fmt.Sprintf("4.18.0-%d.el8%s", w.IntN(4), w.pick("", ".x86_64", ".aarch64", ".X86_64", "_1"))
	default:
		return fmt.Sprintf("6.1.0-%s%d%s", w.pick("", "0"), w.IntN(6), w.pick("-amd64", "-amd64", "-cloud-amd64", "", "+", "~rc1", ".1-amd64", "-4_amd64"))
	}
}

// kernels are a bundle's.
func (w words) kernels() [][2]string {
	var kernels [][2]string
	contents, seen := 1+w.IntN(2)*w.IntN(4), map[string]bool{} // one, or more
	for range 1 + w.IntN(100) {
		dir := w.distro() + "/" + w.version() + "/" + w.arch() + "/"
		switch w.IntN(12) {
		case 0:
			dir = ""
		case 1:
			dir = w.arch() + "/"
		case 2:
			dir = w.distro() + "/" + w.arch() + "/"
		case 3:
			dir = "archive/" + dir
		}
		path := strings.TrimPrefix(strings.ReplaceAll(dir+w.release(), "//", "/x/"), "/")
		if !seen[path] {
			seen[path] = true
			kernels = append(kernels, [2]string{fmt.Sprint(w.IntN(contents)), path})
		}
	}
	return kernels
}

// host is one that may be near the kernels of a bundle.
func (w words) host(kernels [][2]string) kernel.Host {
	h := kernel.Host{Release: w.release(), Machine: w.arch()}
	if w.IntN(3) > 0 {
		id := kernel.ParsePath(kernels[w.IntN(len(kernels))][1])
		h.Release = id.Release
		if id.Arch != "" {
			h.Machine = id.Arch
		}
	}
	h.OS = kernel.OSRelease{ID: w.distro(), VersionID: w.version(), Codename: w.version()}
	for range w.IntN(4) {
		if like := w.distro(); like != "" {
			h.OS.Like = append(h.OS.Like, like)
		}
	}
	return h
}

// What a look-up allocates in all, not only at a time, is less than 512 KB with 5,000 kernels, and so is what handing out the BTF does.
func TestMemory(t *testing.T) {
	asked(t)
	valgrind := need.Tool(t, "valgrind")
	program := builds[0].program(t, "reader.c")
	file, path := thousands(t)
	for name, args := range map[string][]string{
		"find": {"find", file, "5.4.0-1010-aws", "x86_64", "ubuntu", "20.04", "focal", "debian"},
		"get":  {"get", file, path, filepath.Join(t.TempDir(), "btf")},
	} {
		heap := heapUsage(t, valgrind, program, args)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		// The program reads the bundle into memory itself, and stdio has buffers; other programs have it built in.
		t.Logf("%s: %d bytes allocated in all, of which %d for the bundle and at most 16384 for stdio", name, heap, info.Size())
		if heap-info.Size() > 512_000 {
			t.Errorf("%s: %d bytes allocated, expected less than 512 KB", name, heap)
		}
	}
}
