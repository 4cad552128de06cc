package storetest

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelseries"
	"github.com/btfgen/btfgen/internal/need"
)

// Sizes that issue 4 sets: bytes of a store of so many made kernels.
const (
	madeKernels = 5000
	madeBytes   = 60 << 20
)

// kernelBases are the kernels of a folder, to make others of.
func kernelBases(t testing.TB, dir string) []kernelseries.Base {
	t.Helper()
	var bases []kernelseries.Base
	for _, k := range kernelsOf(t, dir) {
		bases = append(bases, kernelseries.Base{Path: k.Name, Load: func() ([]byte, error) { return load(hub.NewReader(), k) }})
	}
	return bases
}

// TestSeriesSize packs made kernels and tells what a store of 5,000 comes to. BTFGEN_STORE_KERNELS says how many are made, 200 if it
// is unset; the rest is reckoned from what the last half of them cost, the compacted store of half being taken from that of all.
// Every 50th is taken out and judged.
func TestSeriesSize(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE_SERIES", "store-series")
	n := 200
	if s := os.Getenv("BTFGEN_STORE_KERNELS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 2 {
			t.Fatalf("BTFGEN_STORE_KERNELS=%s is no number of kernels", s)
		}
	}
	file := filepath.Join(t.TempDir(), "made.store")
	w, err := store.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	half, raw, samples := int64(0), int64(0), map[string][]byte{}
	commit := func() int64 {
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := w.Compact(file + ".compact"); err != nil {
			t.Fatal(err)
		}
		return fileSize(t, file+".compact")
	}
	i := 0
	analysed(t, kernelseries.Make(kernelBases(t, need.Hub(t)), n, 1), func(k kernelseries.Kernel, types *store.Types) {
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
		raw += int64(len(k.BTF))
		if i%50 == 49 {
			samples[k.Path] = k.BTF
		}
		if i++; i == n/2 {
			half = commit()
		}
	})
	all := commit()
	each := (all - half) / int64(n-n/2)
	whole := all + each*int64(madeKernels-n)
	if n >= madeKernels {
		whole = all
	}
	t.Logf("%d made kernels: %d bytes of BTF, %d bytes in layers, %d compacted; half of them %d; %d bytes for each of the other half; %d kernels: about %d bytes",
		n, raw, fileSize(t, file), all, half, each, madeKernels, whole)
	if whole > madeBytes {
		t.Errorf("%d kernels come to %d bytes, at most %d may be", madeKernels, whole, madeBytes)
	}
	s := opened(t, file+".compact")
	for path, raw := range samples {
		got, err := s.Get(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		g, err := CompareGraphs(raw, got)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range g.Differences {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// analysed calls f for each kernel in order; they are analysed on all processors, a few at a time.
func analysed(t testing.TB, kernels func(func(kernelseries.Kernel, error) bool), f func(kernelseries.Kernel, *store.Types)) {
	t.Helper()
	var batch []kernelseries.Kernel
	flush := func() {
		types := make([]*store.Types, len(batch))
		errs := make([]error, len(batch))
		var wg sync.WaitGroup
		for i, k := range batch {
			wg.Go(func() { types[i], errs[i] = store.Analyse(k.Path, k.BTF) })
		}
		wg.Wait()
		for i, k := range batch {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			f(k, types[i])
		}
		batch = batch[:0]
	}
	for k, err := range kernels {
		if err != nil {
			t.Fatal(err)
		}
		if batch = append(batch, k); len(batch) == runtime.GOMAXPROCS(0) {
			flush()
		}
	}
	flush()
}

func fileSize(t testing.TB, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
