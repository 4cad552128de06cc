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
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/kernelseries"
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

// Real kernels come back as the same types, by the hashes of store_test.go, one of
// them big-endian.
func TestRealKernels(t *testing.T) {
	need.Long(t)
	kernels := kernelsOf(t, kernelsample.Tree(t))
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

// stableUpdate is the kernel whose addition TestHubSizes measures, updated the
// one of the same series that must be there, and undeduplicated one that has
// many types of the same definition.
const (
	stableUpdate   = "debian/12/x86_64/6.12.90+deb12-amd64"
	updated        = "debian/12/x86_64/6.12.73+deb12-amd64"
	undeduplicated = "centos/8/arm64/4.18.0-147.5.1.el8_1.aarch64"
)

// What the store of the large set of kernels takes, beside the packed files,
// and what an update adds to it.
func TestHubSizes(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	kernels := kernelsOf(t, need.Hub(t))
	all := filepath.Join(t.TempDir(), "all")
	pack(t, all, kernels)
	var files int64
	var others, alone []*hub.Kernel
	var update, many *hub.Kernel
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
		switch k.Name {
		case updated:
			alone = append(alone, k)
		case undeduplicated:
			many = k
		}
	}
	if update == nil || len(alone) == 0 || many == nil {
		t.Fatalf("the large set has no %s, %s or %s", stableUpdate, updated, undeduplicated)
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
	r := hub.NewReader()
	for _, c := range []struct {
		before []*hub.Kernel
		what   string
		most   int64
	}{{others, "a store with", 20_000}, {alone, "a store of nothing but", 20_000}} {
		path := filepath.Join(t.TempDir(), "store")
		pack(t, path, c.before)
		added := addedBy(t, path, analyse(t, update, r))
		s, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		with, without, err := store.Dictionaries(s)
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("store: %s added to %s %s: %d bytes; blocks of definitions with dictionaries %d, without %d\n", stableUpdate, c.what, updated, added, with, without)
		if added > c.most {
			t.Errorf("a stable update adds %d bytes, expected %d at most", added, c.most)
		}
	}
	// The fifth of a made series of up to four flavours is an update of one of those before.
	base := kernelseries.Base{Path: many.Name, Load: func() ([]byte, error) {
		types, err := many.Load(r)
		return types.Vmlinux, err
	}}
	path := filepath.Join(t.TempDir(), "store")
	w, err := store.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	left := 5
	for k, err := range kernelseries.Make([]kernelseries.Base{base}, left, 1) {
		if err != nil {
			t.Fatal(err)
		}
		types, err := store.Analyse(k.Path, k.BTF)
		if err != nil {
			t.Fatal(err)
		}
		if left--; left > 0 {
			if err := w.Add(types); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := errors.Join(w.Commit(), w.Close()); err != nil {
			t.Fatal(err)
		}
		added := addedBy(t, path, types)
		fmt.Printf("store: an update made of %s added to a store of nothing but its series: %d bytes\n", undeduplicated, added)
		if added > 5_000 {
			t.Errorf("an update of a kernel without deduplication adds %d bytes, expected 5,000 at most", added)
		}
	}
}

// addedBy is how many bytes a store grows by.
func addedBy(t testing.TB, path string, types *store.Types) int64 {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Append(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add(types), w.Commit(), w.Close()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return after.Size() - before.Size()
}

// BenchmarkAnalyse, BenchmarkOpen and BenchmarkGet take the largest of the
// few real kernels.
func benchmarked(b *testing.B) (k *hub.Kernel, raw []byte) {
	b.Helper()
	r := hub.NewReader()
	for _, c := range kernelsOf(b, kernelsample.Tree(b)) {
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
