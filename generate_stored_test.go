package btfgen

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

// callback is a BTF with a typedef T of a pointer to a struct, and other types,
// of which there are the more the larger n is.
func callback(t *testing.T, n int) []byte {
	t.Helper()
	w := btf.NewBuilder(binary.LittleEndian)
	i := w.Int("int", 4, btf.Signed)
	w.Typedef("T", w.Ptr(w.Struct("S", 8, btf.BuildMember{Name: "a", Type: i}, btf.BuildMember{Name: "b", Type: i, BitOffset: 32})))
	for k := range n {
		w.Struct(fmt.Sprint("other", k), 4, btf.BuildMember{Name: "a", Type: i})
	}
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// callbackStore is a store of kernels with callback's types, and what asks for T
// and for a field of S.
func callbackStore(t *testing.T) (raw []byte, g *Generator) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kernels.store")
	w, err := store.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		types, err := store.Analyse(fmt.Sprint("d/1/x86_64/", n), callback(t, 40*n))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Commit(), w.Close()); err != nil {
		t.Fatal(err)
	}
	local, err := btf.Parse(callback(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	o := &bpfelf.Object{Name: "object", ByteOrder: local.ByteOrder(), BTF: local}
	for id := btf.ID(1); id < local.End(); id++ {
		r := bpfelf.CORERelo{Section: "s", Program: "p", TypeID: id, Access: "0", Kind: uint32(core.TypeExists)}
		switch local.Name(id) {
		case "S":
			r.Access, r.Kind = "0:1", uint32(core.FieldByteOffset)
		case "T":
		default:
			continue
		}
		o.Relocs = append(o.Relocs, r)
	}
	if raw, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if g, err = New(o); err != nil {
		t.Fatal(err)
	}
	return raw, g
}

// callbackKernels opens what callbackStore makes.
func callbackKernels(t *testing.T) (*Generator, *store.Store, []*hub.Kernel) {
	t.Helper()
	raw, g := callbackStore(t)
	s, err := store.OpenBytes("store", raw)
	if err != nil {
		t.Fatal(err)
	}
	kernels, _, err := hub.Stored("store", s).Kernels()
	if err != nil {
		t.Fatal(err)
	}
	return g, s, kernels
}

// A relocation that looks at more than what is shown has the kernel taken as a
// whole.
func TestStrayedKernelIsTakenAsAWhole(t *testing.T) {
	g, s, kernels := callbackKernels(t)
	generate := func(scope *btf.Scope) (shown bool, out []byte) {
		tasks := make([]task, len(kernels))
		var members []int
		for i, k := range kernels {
			tasks[i].kernel = k
			members = append(members, i)
		}
		if scope != nil {
			group(tasks, s, members, [2]*btf.Scope{scope})
			if len(tasks[0].same) != len(tasks)-1 {
				t.Errorf("kernels that show the same as the first: %v", tasks[0].same)
			}
		}
		w := g.newWorker(Options{}, [2][]atomic.Int64{make([]atomic.Int64, g.plans[0].Len())})
		if scope != nil {
			shown = w.shown(0, &tasks[0], new(Result))
		}
		res := w.kernel(0, &tasks[0])
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		return shown, res.BTF
	}
	_, want := generate(nil)
	if shown, out := generate(g.plans[0].Scope()); !shown || !bytes.Equal(out, want) {
		t.Errorf("shown: %v, %d bytes, expected %d", shown, len(out), len(want))
	}
	small := g.plans[0].Scope()
	for i := range small.Nodes {
		small.Nodes[i].Behind = nil
	}
	for i, r := range small.Roots { // or what the pointer is to is there for itself
		if r.Name == "S" {
			small.Roots[i].Kinds = 0
		}
	}
	if shown, out := generate(small); shown || !bytes.Equal(out, want) {
		t.Errorf("with too small a scope: shown: %v, %d bytes, expected %d", shown, len(out), len(want))
	}
}

// Of a damaged store, each kernel that can be expanded has the result that it
// should have, whatever else is wrong.
func TestDamagedStore(t *testing.T) {
	raw, g := callbackStore(t)
	generate := func(raw []byte) map[string][]byte {
		s, err := store.OpenBytes("store", raw)
		if err != nil {
			return nil
		}
		good := 0
		for _, k := range s.Kernels() {
			if _, err := s.Get(k.Path, nil); err == nil {
				good++
			}
		}
		found := make(map[string][]byte)
		sum, err := g.Generate(context.Background(), hub.Stored("store", s), Options{Jobs: 1}, func(r *Result) error {
			found[r.Kernel] = r.BTF
			return nil
		})
		if err != nil || len(found)+len(sum.Failures) != len(s.Kernels()) || len(found) < good {
			t.Errorf("%d results, %d can be expanded: %v, %v", len(found), good, err, sum.Failures)
		}
		return found
	}
	want := generate(raw)
	opened, failed := 0, 0
	for i := range raw {
		raw[i] ^= 1 << (i % 8)
		found := generate(raw)
		raw[i] ^= 1 << (i % 8)
		if found == nil {
			continue
		}
		opened++
		if len(found) < len(want) {
			failed++
		}
		for name, b := range found {
			if !bytes.Equal(b, want[name]) {
				t.Fatalf("byte %d is damaged: %s has another result", i, name)
			}
		}
	}
	if len(want) != 4 || opened == 0 || failed == 0 {
		t.Errorf("%d kernels, %d damaged stores, %d of them with failures", len(want), opened, failed)
	}
}

// Kernels that are larger than allowed fail, also where they need not be
// expanded.
func TestStoredKernelsThatAreTooLarge(t *testing.T) {
	g, s, kernels := callbackKernels(t)
	sum, err := g.Generate(context.Background(), hub.Stored("store", s), Options{MaxBytes: kernels[2].Size()}, func(*Result) error { return nil })
	if err != nil || sum.Generated != 3 || len(sum.Failures) != 1 || sum.Failures[0].Kernel != kernels[3].Name {
		t.Errorf("%d generated, failures %v, %v", sum.Generated, sum.Failures, err)
	}
}
