package minimize_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/minimize"
)

// A minimal BTF is proven or it is an error, which takes no longer than it should;
// the outcome on it is the same.
func FuzzMinimize(f *testing.F) {
	dir := need.Repository(f, "testdata", "conformance")
	paths, err := filepath.Glob(filepath.Join(dir, "*.bpfel.o"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no conformance cases: %v", err)
	}
	for _, path := range paths {
		objects, err := bpfelf.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		local, err := btf.FindELF(objects[0].Raw)
		if err != nil {
			f.Fatal(err)
		}
		name := filepath.Base(path)
		targets, err := filepath.Glob(filepath.Join(dir, name[:len(name)-len(".bpfel.o")]+".target*.bpfel.btf"))
		if err != nil || len(targets) == 0 {
			f.Fatalf("%s: no targets: %v", path, err)
		}
		target, err := os.ReadFile(targets[0])
		if err != nil {
			f.Fatal(err)
		}
		for i := 0; i < len(objects[0].Relocs); i += 13 {
			r := &objects[0].Relocs[i]
			f.Add(local, target, uint8(r.Kind), uint16(r.TypeID), r.Access, uint8(core.TypeSize), uint16(1), "0")
		}
	}
	for seed := range uint64(60) {
		s, err := randbtf.Make(seed, randbtf.Options{})
		if err != nil {
			f.Fatal(err)
		}
		a, b := s.Relocs[0], s.Relocs[1]
		f.Add(s.Local, s.Target, uint8(a.Kind), uint16(a.Type), a.Access, uint8(b.Kind), uint16(b.Type), b.Access)
	}
	f.Fuzz(func(t *testing.T, local, target []byte, kind1 uint8, typ1 uint16, access1 string, kind2 uint8, typ2 uint16, access2 string) {
		b, err := btf.Parse(local)
		if err != nil {
			return
		}
		start := time.Now()
		p := planOf(t, &bpfelf.Object{Name: "object", ByteOrder: b.ByteOrder(), BTF: b, Relocs: []bpfelf.CORERelo{
			{Section: "s", Program: "p", Kind: uint32(kind1), TypeID: btf.ID(typ1), Access: access1},
			{Section: "s", Program: "p", Kind: uint32(kind2), TypeID: btf.ID(typ2), Access: access2},
		}})
		min, err := minimize.New(p).Minimize(target)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		full, small := resolved(t, p, target), resolved(t, p, min)
		for i := range p.Len() {
			if a, b := answer(p, full, i), answer(p, small, i); a != b {
				t.Errorf("%s: %+v on the minimal BTF, expected %+v", p.Local(i).LocalPath(), b, a)
			}
		}
	})
}
