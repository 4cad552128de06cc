package btfgen_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
	"github.com/btfgen/btfgen/kernels"
)

// storeAndTree writes kernels to a store and, as the store expands them, to an
// archive tree. Kernels that a store refuses are in neither.
func storeAndTree(t *testing.T, targets map[string][]byte) (stored, tree hub.Source, count int) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "kernels.store")
	w, err := store.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range slices.Sorted(maps.Keys(targets)) {
		raw := targets[name]
		types, err := store.Analyse(name, raw)
		if err == nil {
			err, count = w.Add(types), count+1
		}
		var refused *store.RefusedError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if i%2 == 0 { // layers
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Commit(), w.Close()); err != nil {
		t.Fatal(err)
	}
	writeDir(t, filepath.Join(dir, "tree"))
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, k := range s.Kernels() {
		raw, err := s.Get(k.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		writeKernel(t, filepath.Join(dir, "tree"), k.Path, raw)
	}
	return source(t, path), source(t, filepath.Join(dir, "tree")), count
}

func writeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
}

func writeKernel(t *testing.T, dir, name string, raw []byte) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name)+".btf")
	writeDir(t, filepath.Dir(file))
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is what Generate says of a source: all of each result and of the summary,
// but for paths of files and the time.
func said(t *testing.T, g *btfgen.Generator, s hub.Source, opt btfgen.Options) map[string]string {
	t.Helper()
	out := make(map[string]string)
	sum, err := g.Generate(context.Background(), s, opt, func(r *btfgen.Result) error {
		out[r.Kernel] = fmt.Sprintf("%d types, of %d bytes, %+v\n%s", r.Types, r.Input, r.Counts, describe(t, r.BTF))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range sum.Unresolved {
		out["unresolved "+u.Object+" "+u.Program+" "+u.Path] = fmt.Sprintf("%+v", u)
	}
	out["summary"] = fmt.Sprint(sum.Kernels, sum.Generated, sum.Distinct, sum.BytesIn, sum.BytesOut, sum.DistinctBytes, sum.NotApplicable, sum.Relocations)
	for _, f := range sum.Failures {
		text := f.Err.Error()
		for _, file := range []string{".btf: ", ".store: ", kernels.Name + ": "} {
			if _, after, ok := strings.Cut(text, file); ok {
				text = after
			}
		}
		out["failure of "+f.Kernel] = text
	}
	return out
}

// describe is a BTF as text, which has every byte of it and says where two differ.
func describe(t *testing.T, raw []byte) string {
	t.Helper()
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := b.DumpRaw(&text, nil); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s%x", text.String(), raw)
}

// differences are those of what was said, the first few in full.
func differences(a, b map[string]string) (list []string) {
	keys := make(map[string]bool)
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for k := range keys {
		if a[k] != b[k] {
			list = append(list, fmt.Sprintf("%s:\nfrom the store: %s\nexpanded: %s", k, a[k], b[k]))
		}
	}
	slices.Sort(list)
	return list
}

// seeds is a count that BTFGEN_SEEDS overrides.
func seeds(t *testing.T, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv("BTFGEN_SEEDS")
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("BTFGEN_SEEDS: %v", err)
	}
	return n
}

// Whatever the types and relocations are, what is made of a store's kernels
// without expanding them is what is made of them expanded.
func TestRandomStores(t *testing.T) {
	compared := 0
	for seed := range seeds(t, 150) {
		sample, err := randbtf.Make(seed, randbtf.Options{Tame: seed%3 > 0, More: 5, Relocs: 4 + int(seed%9)})
		if err != nil {
			t.Fatal(err)
		}
		targets := map[string][]byte{"d/1/x86_64/0": sample.Target}
		for i, raw := range sample.More {
			targets[fmt.Sprint("d/1/x86_64/", 1+i)] = raw
		}
		local, err := btf.Parse(bytes.Clone(sample.Local))
		if err != nil {
			t.Fatal(err)
		}
		o := &bpfelf.Object{Name: "object", ByteOrder: local.ByteOrder(), BTF: local}
		for _, r := range sample.Relocs {
			o.Relocs = append(o.Relocs, bpfelf.CORERelo{Section: "s", Program: "p", Kind: r.Kind, TypeID: r.Type, Access: r.Access})
		}
		g, err := btfgen.New(o)
		if err != nil {
			t.Fatal(err)
		}
		stored, tree, count := storeAndTree(t, targets)
		if count < 3 { // too few to be looked at without expanding them
			continue
		}
		a := said(t, g, stored, btfgen.Options{Jobs: 1})
		for _, d := range differences(a, said(t, g, tree, btfgen.Options{Jobs: 1})) {
			t.Errorf("seed %d: %s", seed, d)
		}
		compared += count
		if t.Failed() {
			for _, r := range sample.Relocs {
				t.Log(r)
			}
			return
		}
	}
	t.Logf("%d kernels", compared)
	if compared == 0 {
		t.Error("nothing was compared")
	}
}
