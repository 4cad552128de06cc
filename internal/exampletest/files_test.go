package exampletest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/kernels"
)

// TestSources keeps both examples' eBPF programs the same: each folder is to be copied on its own.
func TestSources(t *testing.T) {
	for _, name := range []string{"opensnoop.bpf.c", "opensnoop.h"} {
		var sources [2][]byte
		for i, folder := range []string{"opensnoop-go", "opensnoop-c"} {
			var err error
			if sources[i], err = os.ReadFile(need.Repository(t, "examples", folder, "bpf", name)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(sources[0], sources[1]) {
			t.Errorf("examples/opensnoop-go/bpf/%s and the one of examples/opensnoop-c differ: make them the same", name)
		}
	}
}

// TestCommittedBundle holds the bundle in examples/opensnoop-go against what its objects need of the built-in kernels. Contents are compared, not the
// file: how well DEFLATE packs may change with the version of Go.
func TestCommittedBundle(t *testing.T) {
	folder := need.Repository(t, "examples", "opensnoop-go")
	raw, err := os.ReadFile(filepath.Join(folder, "btf.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := contents(raw)
	if err != nil {
		t.Fatal(err)
	}
	gen, err := btfgen.Open(filepath.Join(folder, "bpf", "opensnoop.bpfel.o"), filepath.Join(folder, "bpf", "opensnoop.bpfeb.o"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := kernels.Source()
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	summary, err := gen.Generate(t.Context(), source, btfgen.Options{}, func(r *btfgen.Result) error {
		made = append(made, described(r.Kernel, r.BTF))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(summary.Failures) > 0 || len(made) == 0 {
		t.Fatalf("%d kernels, failed are %v", len(made), summary.Failures)
	}
	slices.Sort(made)
	if !slices.Equal(made, committed) {
		t.Errorf("btf.bundle has\n%q\nexpected, of its objects and the built-in kernels,\n%q\n(make -C examples/opensnoop-go btf.bundle)", committed, made)
	}
}

func described(kernel string, btf []byte) string {
	return fmt.Sprintf("%s: %d bytes, %x", kernel, len(btf), sha256.Sum256(btf))
}

// contents lists a bundle's kernels with their BTF.
func contents(raw []byte) (list []string, _ error) {
	b, err := bundle.Open(raw)
	if err != nil {
		return nil, err
	}
	kernels, err := b.Kernels()
	if err != nil {
		return nil, err
	}
	for _, k := range kernels {
		btf, err := b.Content(k.Content)
		if err != nil {
			return nil, err
		}
		list = append(list, described(k.Path, btf))
	}
	slices.Sort(list)
	return list, nil
}
