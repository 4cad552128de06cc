package difftest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/packaged"
)

// What is promised of a store's size.
const (
	maxStorePercent = 12     // of the large set's own files
	maxStableUpdate = 20_000 // bytes that the next stable update of a kernel adds
)

// commands runs btfgen as a user does.
type commands struct {
	t       *testing.T
	program string
}

func newCommands(t *testing.T) *commands {
	t.Helper()
	c := &commands{t, filepath.Join(t.TempDir(), "btfgen")}
	build := exec.Command(need.Tool(t, "go"), "build", "-o", c.program, "./cmd/btfgen")
	build.Dir = need.Repository(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return c
}

// run gives what a command prints, and logs the CPU time that it took.
func (c *commands) run(args ...string) []byte {
	c.t.Helper()
	cmd := exec.Command(c.program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("btfgen %.100q: %v: %s", args, err, &stderr)
	}
	c.t.Logf("btfgen %s %s: %.1f s, %.1f s of CPU", args[0], args[1],
		time.Since(start).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	return stdout.Bytes()
}

// TestStoreIsTheArchiveTree packs the large set, and holds what is made from the store against what is made from the archive tree.
func TestStoreIsTheArchiveTree(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	hubDir := need.Hub(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	c := newCommands(t)
	kernels := c.pack(hubDir, at("store"))
	c.run("hub", "verify", at("store"))
	// Of the objects that are for the other byte order, there is one of ours.
	objects := append(objectFiles(t, dir), need.Repository(t, "testdata", "example", "execsnoop.bpfeb.o"))

	t.Run("generate", func(t *testing.T) {
		c := &commands{t, c.program}
		for hub, out := range map[string]string{hubDir: "a", at("store"): "b"} {
			c.run(append([]string{"generate", "--quiet", "--hub", hub, "--out", at(out)}, objects...)...)
		}
		a, b := filesBelow(t, at("a")), filesBelow(t, at("b"))
		var differences []string
		for _, name := range slices.Sorted(maps.Keys(a)) {
			if a[name] != b[name] {
				differences = append(differences, fmt.Sprintf("%s: from the store it is another: %d bytes, %d from the archive tree", name, len(b[name]), len(a[name])))
			}
		}
		report(t, differences)
		if len(a) != kernels || len(b) != kernels {
			t.Errorf("%d minimal BTFs from the archive tree and %d from the store, of %d kernels", len(a), len(b), kernels)
		}
	})
	// Each object by itself: what a scope shows is another for each.
	t.Run("each object", func(t *testing.T) {
		tree, stored := opened(t, hubDir), opened(t, at("store"))
		var differences []string
		some := packaged.Objects(t, packages...)
		for _, o := range some {
			g, err := btfgen.New(o)
			if err != nil {
				t.Fatal(err)
			}
			a, b := generated(t, g, tree), generated(t, g, stored)
			for name, want := range a {
				if !bytes.Equal(want, b[name]) {
					differences = append(differences, fmt.Sprintf("%s, %s: from the store it is another: %d bytes, %d from the archive tree", o.Name, name, len(b[name]), len(want)))
				}
			}
			if len(a) == 0 || len(a) != len(b) {
				t.Errorf("%s: %d minimal BTFs from the archive tree and %d from the store", o.Name, len(a), len(b))
			}
		}
		slices.Sort(differences)
		report(t, differences)
		t.Logf("%d objects", len(some))
	})
	t.Run("bundle", func(t *testing.T) {
		c := &commands{t, c.program}
		for hub, out := range map[string]string{hubDir: "a.bundle", at("store"): "b.bundle"} {
			c.run(append([]string{"bundle", "--quiet", "--hub", hub, "--out", at(out)}, objects...)...)
		}
		if a, b := mustRead(t, at("a.bundle")), mustRead(t, at("b.bundle")); !bytes.Equal(a, b) {
			t.Errorf("the bundle from the store is another: %d bytes, %d from the archive tree", len(b), len(a))
		}
	})
	// With the targets found, and the reasons of what does not resolve. A type's id is the store's own.
	t.Run("relocs", func(t *testing.T) {
		c := &commands{t, c.program}
		ids := regexp.MustCompile(`\[\d+\]`)
		compared := 0
		for some := range slices.Chunk(objects, 16) {
			outcomes := func(hub string) []string {
				out := c.run(append([]string{"relocs", "--json", "--hub", hub}, some...)...)
				return strings.Split(string(ids.ReplaceAll(out, []byte("[]"))), "{")
			}
			a, b := outcomes(hubDir), outcomes(at("store"))
			if len(a) != len(b) {
				t.Fatalf("%d objects of JSON from the store, %d from the archive tree", len(b), len(a))
			}
			var differences []string
			for i := range a {
				if a[i] != b[i] {
					differences = append(differences, fmt.Sprintf("from the store %s, from the archive tree %s", b[i], a[i]))
				}
				if strings.Contains(a[i], `"status"`) {
					compared++
				}
			}
			report(t, differences)
		}
		t.Logf("%d outcomes compared", compared)
		if compared < 500*kernels {
			t.Errorf("%d outcomes are few for %d kernels and %d objects", compared, kernels, len(objects))
		}
	})
}

// TestStableUpdateIsSmall adds the next stable updates of kernels to a store that has them and their neighbours, none of which is of the update's
// version. To a store with the one kernel before alone an update costs more, which is logged.
func TestStableUpdateIsSmall(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	hubDir := need.Hub(t)
	c := newCommands(t)
	store := filepath.Join(t.TempDir(), "store")
	add := func(release string) int {
		before := len(mustRead(t, store))
		c.run("hub", "add", "--kernel", "debian/12/x86_64/"+release, store, hubDir)
		return len(mustRead(t, store)) - before
	}
	updates := []string{"6.1.0-50-amd64", "6.12.90+deb12-amd64"}
	c.run("hub", "pack", "--out", store,
		"--kernel", "debian/11/x86_64/*", "--kernel", "debian/12/x86_64/6.1.0-47*", "--kernel", "debian/12/x86_64/6.12.[4-7]*", "--kernel", "debian/13/x86_64/*", hubDir)
	for _, release := range updates {
		added := add(release)
		t.Logf("%s: %d bytes", release, added)
		if added < 100 || added > maxStableUpdate {
			t.Errorf("%s adds %d bytes, expected at most %d", release, added, maxStableUpdate)
		}
	}
	for i, before := range []string{"6.1.0-47-amd64", "6.12.73+deb12-amd64"} {
		c.run("hub", "pack", "--out", store, "--kernel", "debian/12/x86_64/"+before, hubDir)
		t.Logf("%s where there is %s alone: %d bytes", updates[i], before, add(updates[i]))
	}
}

// pack packs the large set and gives the number of its kernels.
func (c *commands) pack(hubDir, store string) int {
	c.t.Helper()
	var report struct {
		Totals struct{ Kernels, Definitions, Strings, Bytes int }
	}
	// Names that are there twice are left out, as they are everywhere.
	if err := json.Unmarshal(c.run("hub", "pack", "--keep-going", "--json", "--out", store, hubDir), &report); err != nil {
		c.t.Fatal(err)
	}
	var packed int64
	for _, k := range largeSet(c.t) {
		info, err := os.Stat(k.Path)
		if err != nil {
			c.t.Fatal(err)
		}
		packed += info.Size()
	}
	n := report.Totals
	c.t.Logf("%+v: %.2f %% of the files' %d bytes", n, 100*float64(n.Bytes)/float64(packed), packed)
	if int64(n.Bytes)*100 > maxStorePercent*packed {
		c.t.Errorf("the store has %d bytes, expected at most %d %% of the files' %d", n.Bytes, maxStorePercent, packed)
	}
	if want := len(largeSet(c.t)); n.Kernels != want {
		c.t.Errorf("%d kernels in the store, expected %d", n.Kernels, want)
	}
	return n.Kernels
}

// objectFiles writes all programs of libbpf-tools to files.
func objectFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	for i, o := range packaged.Objects(t, "libbpf-tools") {
		file := filepath.Join(dir, fmt.Sprintf("%03d-%s.o", i, filepath.Base(o.Name)))
		if err := os.WriteFile(file, o.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// opened is a source of which each kernel is unpacked once only, unless it is in a
// store.
func opened(t *testing.T, path string) hub.Source {
	t.Helper()
	source, err := hub.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := kernels[0].Store(); ok {
		return source
	}
	dir, r := t.TempDir(), hub.NewReader()
	for _, k := range kernels {
		types, err := k.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, filepath.FromSlash(k.Name)+".btf")
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, types.Vmlinux, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if source, err = hub.Open(dir); err != nil {
		t.Fatal(err)
	}
	return source
}

// generated is the minimal BTF of each kernel.
func generated(t *testing.T, g *btfgen.Generator, source hub.Source) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	sum, err := g.Generate(context.Background(), source, btfgen.Options{}, func(r *btfgen.Result) error {
		found[r.Kernel] = r.BTF
		return nil
	})
	if err != nil || len(sum.Failures) > 0 {
		t.Fatal(err, sum.Failures)
	}
	return found
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// filesBelow is what is below a folder: files by content, links by target.
func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			found[name] = "link to " + target
			return err
		}
		found[name] = string(mustRead(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
