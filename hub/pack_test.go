package hub

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/btfsample"
)

// smallBTF is valid, and another one for each n.
func smallBTF(t testing.TB, n int) []byte {
	t.Helper()
	b := btf.NewBuilder(binary.LittleEndian)
	btfsample.EveryKind(b, "")
	b.Struct(fmt.Sprintf("only_%d", n), uint32(n))
	raw, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// treeOf writes an archive tree of n kernels, a/1/x86_64/00 and so on.
func treeOf(t *testing.T, n int) string {
	t.Helper()
	root := t.TempDir()
	for i := range n {
		write(t, root, fmt.Sprintf("a/1/x86_64/%02d.btf", i), smallBTF(t, i))
	}
	return root
}

func packed(t *testing.T, source Source, options StoreOptions) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.store")
	if _, err := Pack(context.Background(), out, source, options); err != nil {
		t.Fatal(err)
	}
	return content(t, out)
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// alone fails if there is anything beside a file.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

func outcomes(s *StoreSummary) string {
	var all []string
	for _, k := range s.Kernels {
		all = append(all, fmt.Sprintf("%s %v", strings.TrimPrefix(k.Kernel, "a/1/x86_64/"), k.Outcome))
	}
	return strings.Join(all, ", ")
}

// What became of each kernel, and what comes of it with and without KeepGoing.
func TestPackOutcomes(t *testing.T) {
	root := treeOf(t, 2)
	good := packed(t, open(t, root), StoreOptions{})
	write(t, root, "a/1/x86_64/01.btf.xz", packXZ(t, smallBTF(t, 1))) // a duplicate
	write(t, root, "a/1/x86_64/half.btf", smallBTF(t, 2)[:30])
	write(t, root, "a/1/x86_64/text.btf", []byte("no BTF"))
	write(t, root, "a/1/x86_64/with.btf", smallBTF(t, 3))
	write(t, root, "a/1/x86_64/with.modules/nf.btf", smallBTF(t, 4))
	source := open(t, root)
	out := filepath.Join(t.TempDir(), "out.store")

	var seen []string
	options := StoreOptions{Jobs: 2, Progress: func(done, total int, k KernelOutcome) {
		seen = append(seen, fmt.Sprintf("%d/%d %v", done, total, k.Outcome))
	}}
	summary, err := Pack(context.Background(), out, source, options)
	left := (*LeftOutError)(nil)
	if !errors.As(err, &left) || len(left.Kernels) != 4 || !strings.Contains(err.Error(), "duplicate kernel") || !strings.HasSuffix(err.Error(), ", and 3 more") {
		t.Fatalf("error %v", err)
	}
	const want = "01 failed, 00 added, 01 added, half refused, text failed, with refused"
	if got := outcomes(summary); got != want {
		t.Errorf("outcomes %s, want %s", got, want)
	}
	if got := strings.Join(seen, ", "); got != "1/5 added, 2/5 added, 3/5 refused, 4/5 failed, 5/5 refused" {
		t.Errorf("progress %s", got)
	}
	if summary.Partial != out+".partial" || summary.Done != 2 || summary.Total != 5 || summary.Count(Refused) != 2 {
		t.Errorf("summary %+v", summary)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a store: %v", err)
	}

	seen = nil
	options.KeepGoing = true
	options.Resume = func(r Resumed) {
		if r.Discarded != nil || r.Done != 2 || r.Total != 5 || r.Partial != out+".partial" {
			t.Errorf("resumed %+v", r)
		}
		seen = append(seen, "resumed")
	}
	summary, err = Pack(context.Background(), out, source, options)
	if err != nil {
		t.Fatal(err)
	}
	if got := outcomes(summary); got != "01 failed, 00 already there, 01 already there, half refused, text failed, with refused" {
		t.Errorf("outcomes %s", got)
	}
	if got := strings.Join(seen, ", "); got != "resumed, 3/5 refused, 4/5 failed, 5/5 refused" {
		t.Errorf("progress %s", got)
	}
	if len(summary.LeftOut()) != 4 || summary.Partial != "" || summary.Done != 2 {
		t.Errorf("summary %+v", summary)
	}
	if !bytes.Equal(content(t, out), good) {
		t.Error("not the store of the good kernels")
	}
	alone(t, out)
}

// An interruption costs at most the kernels since the last commit, and the bytes are the same afterwards.
func TestPackGoesOn(t *testing.T) {
	root := treeOf(t, 2*keptEvery+3)
	want := packed(t, open(t, root), StoreOptions{Jobs: 1})
	if got := packed(t, open(t, root), StoreOptions{Jobs: 3}); !bytes.Equal(got, want) {
		t.Error("the bytes depend on the number of jobs")
	}
	out := filepath.Join(t.TempDir(), "out.store")
	ctx, cancel := context.WithCancel(context.Background())
	before := runtime.NumGoroutine()
	summary, err := Pack(ctx, out, open(t, root), StoreOptions{Jobs: 3, Progress: func(done, _ int, _ KernelOutcome) {
		if done == keptEvery+2 {
			cancel()
		}
	}})
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) { // they end a little after their work
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	if !errors.Is(err, context.Canceled) || summary.Done != keptEvery+2 || summary.Partial != out+".partial" || len(summary.Kernels) != summary.Done {
		t.Fatalf("error %v, summary %+v", err, summary)
	}
	summary, err = Pack(context.Background(), out, open(t, root), StoreOptions{})
	if err != nil || summary.Count(AlreadyThere) != keptEvery+2 || summary.Count(Added) != keptEvery+1 {
		t.Fatalf("error %v, summary %+v", err, summary)
	}
	if !bytes.Equal(content(t, out), want) {
		t.Error("the bytes depend on an interruption")
	}
	alone(t, out)

	canceled := filepath.Join(t.TempDir(), "out.store")
	if summary, err := Pack(ctx, canceled, open(t, root), StoreOptions{}); !errors.Is(err, context.Canceled) || summary.Partial != "" {
		t.Errorf("error %v, partial %q", err, summary.Partial)
	}
	alone(t, canceled)
}

// What another run has left is of use to the same run only.
func TestPackStartsOver(t *testing.T) {
	for what, change := range map[string]func(root, partial string){
		"a/1/x86_64/00 has changed": func(root, _ string) { write(t, root, "a/1/x86_64/00.btf", smallBTF(t, 7)) },
		"a/1/x86_64/01 is not asked for": func(root, _ string) {
			if err := os.Remove(filepath.Join(root, "a/1/x86_64/01.btf")); err != nil {
				t.Fatal(err)
			}
		},
		store.ErrFormat.Error(): func(_, partial string) {
			if err := os.WriteFile(partial, bytes.Replace(content(t, partial), []byte("layr"), []byte("rayl"), 1), 0o666); err != nil {
				t.Fatal(err)
			}
		},
	} {
		root := treeOf(t, 3)
		write(t, root, "a/1/x86_64/text.btf", []byte("no BTF"))
		out := filepath.Join(t.TempDir(), "out.store")
		if _, err := Pack(context.Background(), out, open(t, root), StoreOptions{}); err == nil {
			t.Fatal("no error")
		}
		change(root, out+".partial")
		said := ""
		summary, err := Pack(context.Background(), out, open(t, root), StoreOptions{KeepGoing: true, Resume: func(r Resumed) {
			said += fmt.Sprint(r.Discarded)
		}})
		if err != nil || summary.Count(AlreadyThere) != 0 {
			t.Errorf("%s: error %v, summary %+v", what, err, summary)
		}
		if !strings.Contains(said, what) || !strings.Contains(said, out+".partial") {
			t.Errorf("%q, expected a mention of %q", said, what)
		}
		if want := packed(t, open(t, root), StoreOptions{KeepGoing: true}); !bytes.Equal(content(t, out), want) {
			t.Errorf("%s: other bytes than without", what)
		}
		alone(t, out)
	}
}

// Stores and packed trees are sources like any other, and a store may be packed from itself.
func TestPackSources(t *testing.T) {
	path := writeFile(t, packed(t, open(t, treeOf(t, 3)), StoreOptions{}))
	want := packed(t, open(t, path), StoreOptions{}) // whose originals are what the store gives
	if summary, err := Pack(context.Background(), path, open(t, path), StoreOptions{}); err != nil || summary.Done != 3 {
		t.Fatalf("error %v, summary %+v", err, summary)
	}
	if !bytes.Equal(content(t, path), want) {
		t.Error("packed from itself, it is another store than packed to elsewhere")
	}
	alone(t, path)

	raw := smallBTF(t, 0)
	archive := writeFile(t, packTarContent(t, tar.FormatUSTAR, raw,
		tar.Header{Name: "a/1/x86_64/00.btf", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(raw))}))
	source, err := OpenArchive(archive)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(packed(t, source, StoreOptions{}), packed(t, open(t, treeOf(t, 1)), StoreOptions{})) {
		t.Error("packed from a tar file, the store is another")
	}
}

func writeFile(t *testing.T, b []byte) string {
	t.Helper()
	return write(t, t.TempDir(), "file", b)
}

func TestPackErrors(t *testing.T) {
	source := open(t, treeOf(t, 1))
	if _, err := Pack(context.Background(), t.TempDir(), source, StoreOptions{}); err == nil || !strings.Contains(err.Error(), "expected a store's file") {
		t.Errorf("onto a folder: %v", err)
	}
	out := filepath.Join(t.TempDir(), "out.store")
	if _, err := Pack(context.Background(), out, open(t, t.TempDir()), StoreOptions{}); !errors.Is(err, ErrNoKernels) {
		t.Errorf("of nothing: %v", err)
	}
	other, err := store.Create(out + ".partial")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(context.Background(), out, source, StoreOptions{}); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), out+".partial") {
		t.Errorf("while another one does it: %v", err)
	}
	if err := other.Discard(); err != nil {
		t.Fatal(err)
	}
	alone(t, filepath.Join(filepath.Dir(out), "none"))
}

func TestAdd(t *testing.T) {
	root := treeOf(t, 4)
	few, err := NewFilter([]string{"*/00", "*/02"})
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, packed(t, Filtered(open(t, root), few), StoreOptions{}))
	before := content(t, path)
	write(t, root, "a/1/x86_64/text.btf", []byte("no BTF"))
	source := open(t, root)

	unchanged := func(what string) {
		t.Helper()
		if !bytes.Equal(content(t, path), before) {
			t.Errorf("%s: the store has changed", what)
		}
	}
	summary, err := Add(context.Background(), path, source, StoreOptions{})
	left := (*LeftOutError)(nil)
	if !errors.As(err, &left) || len(left.Kernels) != 1 || summary.Done != 0 || summary.Count(Failed) != 1 {
		t.Errorf("error %v, summary %+v", err, summary)
	}
	unchanged("with a failure")
	ctx, cancel := context.WithCancel(context.Background())
	options := StoreOptions{KeepGoing: true, Progress: func(int, int, KernelOutcome) { cancel() }}
	if summary, err = Add(ctx, path, source, options); !errors.Is(err, context.Canceled) || summary.Done != 0 {
		t.Errorf("error %v, summary %+v", err, summary)
	}
	unchanged("interrupted")
	last := 0
	options.Progress = func(done, total int, _ KernelOutcome) {
		if last++; done != last || total != 3 {
			t.Errorf("progress %d of %d", done, total)
		}
	}
	summary, err = Add(context.Background(), path, source, options)
	if err != nil || summary.Done != 2 || last != 3 {
		t.Fatalf("error %v, summary %+v", err, summary)
	}
	if got := outcomes(summary); got != "00 already there, 02 already there, 01 added, 03 added, text failed" {
		t.Errorf("outcomes %s", got)
	}
	if !bytes.HasPrefix(content(t, path), before) {
		t.Error("what was there was written anew")
	}
	if kernels, _, err := open(t, path).Kernels(); err != nil || len(kernels) != 4 {
		t.Errorf("%d kernels, error %v", len(kernels), err)
	}
	if _, err := Add(context.Background(), filepath.Join(t.TempDir(), "none"), source, options); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("to no store: %v", err)
	}
}
