package vmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/debkernel"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/vmtest/machine"
	"github.com/btfgen/btfgen/internal/vmtest/script"
)

const askedBy = "BTFGEN_VM"

// kernels are those that are booted.
var kernels = []wanted{
	{debkernel.Wanted{Suite: "bullseye", Version: "11", Series: "5.10", Flavour: "cloud-amd64", Arch: "amd64"}, cloud},
	{debkernel.Wanted{Suite: "bookworm", Version: "12", Series: "6.1", Flavour: "cloud-amd64", Arch: "amd64"}, cloud},
	{debkernel.Wanted{Suite: "bookworm-backports", Version: "12", Series: "6.12", Flavour: "cloud-amd64", Arch: "amd64"}, cloud},
	{debkernel.Wanted{Suite: "bookworm", Version: "12", Series: "6.1", Flavour: "686", Arch: "i386", Debug: true}, i686},
}

type wanted struct {
	debkernel.Wanted
	build
}

// A build is what kernels of a flavour have in common.
type build struct {
	hasBTF bool   // built with CONFIG_DEBUG_INFO_BTF
	goarch string // of programs that run on it
	arch   string // in the set of kernels
}

var (
	cloud = build{hasBTF: true, goarch: "amd64", arch: "x86_64"}
	i686  = build{hasBTF: false, goarch: "386", arch: "x86"}
)

// A booted is a kernel that is booted, and what the set of kernels has for it.
type booted struct {
	build
	*debkernel.Kernel
	path string // in the set of kernels
	btf  []byte // whole
}

// A lab is what all guests share.
type lab struct {
	t       *testing.T
	dir     string
	qemu    string
	btfgen  string
	hub     string // all kernels, with those booted
	guests  []*booted
	init    map[string][]byte // the guest's program, by GOARCH
	objects []*bpfelf.Object  // Debian's
	all     []byte            // one bundle: all kernels × all of objects
	// allBundle is the same, opened.
	allBundle *bundle.Bundle
	libbpf    []byte // the loader of objects that is made of libbpf

	// The examples: with a bundle of all kernels; with one that has none of those booted.
	tools, toolsOther map[string][]byte
	// toolBundle has all kernels for the examples' object.
	toolBundle *bundle.Bundle
}

func newLab(t *testing.T) *lab {
	need.Asked(t, askedBy, "vm")
	l := &lab{t: t, dir: t.TempDir(), qemu: need.Tool(t, "qemu-system-x86_64"), init: map[string][]byte{}}
	for _, tool := range []string{"apt-get", "dpkg-deb", "tar", "make", "cc", "clang-19", "llvm-strip-19"} {
		need.Tool(t, tool)
	}
	source := kernelsample.Hub(t)
	for _, goarch := range []string{"amd64", "386"} {
		l.init[goarch] = l.goBuild(goarch, "guest")
	}
	l.btfgen = filepath.Join(l.dir, "btfgen")
	l.run(need.Repository(t), []string{"CGO_ENABLED=0"}, "go", "build", "-o", l.btfgen, "./cmd/btfgen")
	l.fetchKernels(source)
	l.objects = relocatedObjects(t)
	l.all = l.bundleOf()
	var err error
	if l.allBundle, err = bundle.Open(l.all); err != nil {
		t.Fatal(err)
	}
	packed, err := l.allBundle.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the bundle of %d objects has %d bytes for %d kernels", len(l.objects), len(l.all), len(packed))
	l.libbpf = l.buildLoader()
	l.buildTools()
	return l
}

// run runs a program that has to succeed.
func (l *lab) run(dir string, env []string, name string, args ...string) string {
	l.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (l *lab) read(path string) []byte {
	l.t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	return raw
}

// goBuild builds a program of this package's folder, static.
func (l *lab) goBuild(goarch, name string) []byte {
	out := filepath.Join(l.dir, name+"-"+goarch)
	l.run("", []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + goarch}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./"+name)
	return l.read(out)
}

// fetchKernels gets the kernels to boot, and their BTF. Of a kernel that carries BTF it is that of the set of kernels, if that
// has it, else the kernel's own; of one that carries none it is what its debug information gives, even if the set has some:
// that is what is tried here.
func (l *lab) fetchKernels(source string) {
	cache := debkernel.Shared(l.t)
	known := listed(l.t, source)
	added := map[string][]byte{} // what is to be in the set and is not, by path
	for _, w := range kernels {
		folder := "debian/" + w.Version + "/" + w.arch + "/"
		var preferred []string
		for path := range known {
			if release, ok := strings.CutPrefix(path, folder); ok {
				preferred = append(preferred, release)
			}
		}
		k, err := cache.Get(context.Background(), w.Wanted, preferred)
		if err != nil {
			need.Missing(l.t, "the kernel %v of Debian %s, in %s or through apt: %v", w, w.Version, cache.Dir, err)
		}
		b := &booted{build: w.build, Kernel: k, path: folder + k.Release}
		at := known[b.path]
		switch {
		case !b.hasBTF:
			b.btf = l.convertedBTF(b)
			added[b.path] = b.btf
		case at != nil:
			types, err := at.Load(hub.NewReader())
			if err != nil {
				l.t.Fatal(err)
			}
			b.btf = bytes.Clone(types.Vmlinux)
		default:
			b.btf = l.ownBTF(b)
			added[b.path] = b.btf
		}
		l.guests = append(l.guests, b)
	}
	l.hub = filepath.Join(l.dir, "hub")
	replaced := map[string]bool{}
	for path := range added {
		if at := known[path]; at != nil {
			replaced[at.Path] = true
		}
	}
	mirror(l.t, source, l.hub, replaced)
	for path, raw := range added {
		l.write(filepath.Join(l.hub, path+".btf"), raw)
	}
}

func (l *lab) write(path string, content []byte) {
	l.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// listed are the kernels of an archive tree by their names.
func listed(t *testing.T, root string) map[string]*hub.Kernel {
	source, err := hub.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*hub.Kernel{}
	for _, k := range list {
		byPath[k.Name] = k
	}
	return byPath
}

// mirror makes a tree of links to the files of another, but for those left out.
func mirror(t *testing.T, from, to string, without map[string]bool) {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || without[path] {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(rel)), 0o755); err != nil {
			return err
		}
		return os.Symlink(path, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// bundleOf packs the BTF that all of Debian's objects need of all kernels, with the program that users have.
func (l *lab) bundleOf() []byte {
	args := []string{"bundle", "--quiet", "--hub", l.hub, "--out", filepath.Join(l.dir, "all.bundle")}
	for _, o := range l.objects {
		path := filepath.Join(l.dir, "objects", objectName(o)+".o")
		l.write(path, o.Raw)
		args = append(args, path)
	}
	l.run("", nil, l.btfgen, args...)
	return l.read(filepath.Join(l.dir, "all.bundle"))
}

// guestFiles are the files that every guest has.
func (l *lab) guestFiles(b *booted) machine.Files {
	return machine.Files{
		"/init":           l.init[b.goarch],
		"/etc/os-release": fmt.Appendf(nil, "PRETTY_NAME=\"Debian GNU/Linux %[1]s\"\nID=debian\nVERSION_ID=\"%[1]s\"\n", b.Version),
	}
}

// boot runs steps in a guest and returns its report. Whatever goes wrong with the guest itself fails the test, with the log.
func (l *lab) boot(t *testing.T, b *booted, files machine.Files, steps []script.Step, limit time.Duration) *script.Report {
	t.Helper()
	raw, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	files[script.StepsPath] = raw
	report, log, err := l.tryBoot(t, b, files, limit)
	if err != nil {
		t.Fatalf("%s: %v\n--- report\n%s\n--- console\n%s", b.Release, err, tail(log.Results), tail(log.Console))
	}
	var times []string
	for _, s := range steps {
		r := report.Steps[s.Name]
		if r == nil || !r.Ended {
			t.Fatalf("%s: step %s has not ended", b.Release, s.Name)
		}
		times = append(times, fmt.Sprintf("%s %.1f s", s.Name, r.Seconds))
	}
	t.Logf("%s (%s) booted, ran %d steps and switched off in %.1f s: %s", report.Release, report.Machine, len(steps), log.Took.Seconds(), strings.Join(times, "; "))
	return report
}

// tryBoot boots a guest. The error says what went wrong with the guest itself; the log is never nil.
func (l *lab) tryBoot(t *testing.T, b *booted, files machine.Files, limit time.Duration) (*script.Report, *machine.Log, error) {
	log, err := machine.Run(t.Context(), machine.Config{
		Qemu: l.qemu, Kernel: b.Image(), Files: files, Memory: 1024, Folder: t.TempDir(), Limit: limit,
	})
	if err != nil {
		return nil, log, err
	}
	report, err := script.Parse(log.Results)
	switch {
	case err != nil:
	case !report.Done:
		err = errors.New("the guest ended before it had run all steps")
	case len(report.Failed) > 0:
		err = fmt.Errorf("the guest could not do its part: %s", strings.Join(report.Failed, "; "))
	case report.Release != b.Release:
		err = fmt.Errorf("the guest runs %s, expected %s", report.Release, b.Release)
	}
	return report, log, err
}

// tail is the end of a log.
func tail(log []byte) []byte { return log[max(0, len(log)-16<<10):] }

// ownBTF boots a kernel to read its own BTF, and keeps it beside the kernel.
func (l *lab) ownBTF(b *booted) []byte {
	kept := filepath.Join(b.Folder, "btf")
	if raw, err := os.ReadFile(kept); err == nil {
		return raw
	}
	report := l.boot(l.t, b, l.guestFiles(b), []script.Step{{Name: "dump", Argv: []string{"/bin/vmdump", bundle.KernelBTF}, Limit: 2 * time.Minute, ShowKernelBTF: true}}, 4*time.Minute)
	dump := report.Steps["dump"]
	raw, err := script.Undump(dump.Stdout)
	if err != nil || dump.Code != 0 {
		l.t.Fatalf("%s: reading its BTF: %v: %s", b.Release, err, dump.Stderr)
	}
	l.write(kept, raw)
	return raw
}

// convertedBTF makes BTF of a kernel's debug information, with the program that users have; anew each time, so that it is
// this version that is tried.
func (l *lab) convertedBTF(b *booted) []byte {
	tree := filepath.Join(l.dir, "converted")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		l.t.Fatal(err)
	}
	said := l.run("", nil, l.btfgen, "extract", "--out", tree, b.Vmlinux())
	// Which kernel it is says its banner.
	raw := l.read(filepath.Join(tree, b.path+".btf"))
	if !strings.Contains(said, "DWARF") {
		l.t.Fatalf("%s should have no BTF of its own, but extract says: %s", b.Release, said)
	}
	l.t.Logf("%s: %s", b.Release, strings.TrimSpace(said))
	return raw
}
