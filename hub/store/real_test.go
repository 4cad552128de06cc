package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/need"
)

// kernelsOf lists the kernels of an archive tree.
func kernelsOf(t testing.TB, root string) []*hub.Kernel {
	t.Helper()
	source, err := hub.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	kernels, problems, err := source.Kernels()
	if err != nil || len(problems) > 0 || len(kernels) == 0 {
		t.Fatal(err, problems, len(kernels))
	}
	return kernels
}

// analyse loads a kernel and takes it apart.
func analyse(t testing.TB, k *hub.Kernel, r *hub.Reader) *store.Types {
	t.Helper()
	types, err := k.Load(r)
	if err != nil {
		t.Fatal(err)
	}
	a, err := store.Analyse(k.Name, types.Vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pack writes a compacted store.
func pack(t testing.TB, path string, kernels []*hub.Kernel) {
	t.Helper()
	w, err := store.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r := hub.NewReader()
	for _, k := range kernels {
		if err := w.Add(analyse(t, k, r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Commit(), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// The repository's kernels come back as the same types, by the hashes of
// store_test.go, one of them big-endian.
func TestRepositoryKernels(t *testing.T) {
	need.Long(t)
	kernels := kernelsOf(t, need.Repository(t, "kernels"))
	path := filepath.Join(t.TempDir(), "store")
	pack(t, path, kernels)
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	r := hub.NewReader()
	for _, k := range kernels {
		types, err := k.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(k.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		store.SameTypes(t, got, types.Vmlinux)
	}
}

// stableUpdate is the kernel whose addition TestHubSizes measures, and the one
// of the same series that must be there.
const (
	stableUpdate = "debian/12/x86_64/6.12.90+deb12-amd64"
	updated      = "debian/12/x86_64/6.12.73+deb12-amd64"
)

// What the store of the large set of kernels takes, beside the packed files,
// and what a stable update adds to it.
func TestHubSizes(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	kernels := kernelsOf(t, need.Hub(t))
	dir := t.TempDir()
	all, without := filepath.Join(dir, "all"), filepath.Join(dir, "without")
	pack(t, all, kernels)
	var files, found int64
	var others []*hub.Kernel
	var update *hub.Kernel
	for _, k := range kernels {
		info, err := os.Stat(k.Path)
		if err != nil {
			t.Fatal(err)
		}
		files += info.Size()
		switch {
		case k.Name == stableUpdate:
			update = k
		case strings.HasPrefix(k.Name, "debian/12/x86_64/6.12.90"): // its flavours would make it too easy
		default:
			others = append(others, k)
		}
		if k.Name == updated {
			found++
		}
	}
	if update == nil || found == 0 {
		t.Fatalf("the large set has no %s or no %s", stableUpdate, updated)
	}
	s, err := store.Open(all)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	st := s.Stats()
	share := 100 * float64(st.Bytes) / float64(files)
	fmt.Printf("store: %d kernels, %d bytes, %.2f %% of the %d of their files; strings %d, definitions %d, kernels %d, other %d bytes; %d strings, %d definitions\n",
		st.Kernels, st.Bytes, share, files, st.StringBytes, st.DefinitionBytes, st.KernelBytes, st.OtherBytes, st.Strings, st.Definitions)
	lines, err := store.Choices(s)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(strings.Join(lines, "\n"))
	if share > 12 {
		t.Errorf("the store takes %.2f %% of the files, expected 12 at most", share)
	}
	pack(t, without, others)
	before, err := os.Stat(without)
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Append(without)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add(analyse(t, update, hub.NewReader())), w.Commit(), w.Close()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(without)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("store: %s added to a store with %s: %d bytes\n", stableUpdate, updated, after.Size()-before.Size())
	if added := after.Size() - before.Size(); added > 20_000 {
		t.Errorf("a stable update adds %d bytes, expected 20,000 at most", added)
	}
}

// BenchmarkAnalyse, BenchmarkOpen and BenchmarkGet take the largest of the
// repository's kernels.
func benchmarked(b *testing.B) (k *hub.Kernel, raw []byte) {
	b.Helper()
	r := hub.NewReader()
	for _, c := range kernelsOf(b, need.Repository(b, "kernels")) {
		types, err := c.Load(r)
		if err != nil {
			b.Fatal(err)
		}
		if len(types.Vmlinux) > len(raw) {
			k, raw = c, append([]byte(nil), types.Vmlinux...)
		}
	}
	return k, raw
}

func BenchmarkAnalyse(b *testing.B) {
	k, raw := benchmarked(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Analyse(k.Name, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k, _ := benchmarked(b)
	path := filepath.Join(b.TempDir(), "store")
	pack(b, path, []*hub.Kernel{k})
	for b.Loop() {
		s, err := store.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}

func BenchmarkGet(b *testing.B) {
	k, raw := benchmarked(b)
	path := filepath.Join(b.TempDir(), "store")
	pack(b, path, []*hub.Kernel{k})
	b.Run("first", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			s, err := store.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Get(k.Name, nil); err != nil {
				b.Fatal(err)
			}
			_ = s.Close()
		}
	})
	b.Run("next", func(b *testing.B) {
		s, err := store.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			if buf, err = s.Get(k.Name, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
