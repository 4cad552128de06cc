package core_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
	"github.com/btfgen/btfgen/internal/need"
)

// addSeeds gives f relocations of the conformance cases, with the types of both
// sides, and of random types.
func addSeeds(f *testing.F, add func(local, target []byte, kind uint32, typ uint32, access string)) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join(need.Repository(f, "testdata", "conformance"), "*.o"))
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
		base, order, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".o"), ".")
		targets, err := filepath.Glob(filepath.Join(filepath.Dir(path), base+".target*."+order+".btf"))
		if err != nil || len(targets) == 0 {
			f.Fatalf("%s: no targets: %v", path, err)
		}
		target, err := os.ReadFile(targets[0])
		if err != nil {
			f.Fatal(err)
		}
		for i := 0; i < len(objects[0].Relocs); i += 7 {
			r := &objects[0].Relocs[i]
			add(local, target, r.Kind, uint32(r.TypeID), r.Access)
		}
	}
	for seed := range uint64(40) {
		sample, err := randbtf.Make(seed, randbtf.Options{})
		if err != nil {
			f.Fatal(err)
		}
		for _, r := range sample.Relocs {
			add(sample.Local, sample.Target, r.Kind, uint32(r.Type), r.Access)
		}
	}
}

// Whatever the types and the record are: an outcome, a reason and an instruction
// or an error, and all of it soon.
func FuzzResolve(f *testing.F) {
	addSeeds(f, func(local, target []byte, kind, typ uint32, access string) {
		f.Add(local, target, kind, typ, access, uint64(0xb7))
		f.Add(local, target, kind, typ, access, uint64(0x61))
	})
	f.Fuzz(func(t *testing.T, local, target []byte, kind, typ uint32, access string, insn uint64) {
		b, err := btf.Parse(local)
		if err != nil {
			return
		}
		start := time.Now()
		o := object(b, bpfelf.CORERelo{Section: "s", Program: "p", Kind: kind, TypeID: btf.ID(typ), Access: access})
		for i := range 8 {
			o.Relocs[0].Insn[i] = byte(insn >> (8 * i))
		}
		p := core.NewPlan(b.ByteOrder())
		if err := p.Add(o); err != nil {
			t.Fatal(err)
		}
		r := core.NewResolver(p)
		if err := r.Load(target); err != nil {
			return
		}
		r.Resolve(func(int, []core.Touch) {})
		r.Retrace(0, func(int, []core.Touch) {})
		r.Orders(func([]core.Ranked) {})
		_ = p.Local(0).LocalPath()
		r.ObjectOutcomes(&p.Objects()[0], func(i int, out core.Outcome) {
			reason := r.Reason(0, out)
			if (out.Status == core.Failed || out.Status == core.Ambiguous) && reason == "" {
				t.Errorf("%v without a reason", out.Status)
			}
			_ = r.TargetPath(0, out)
			got, poisoned, err := core.Patch(o.Relocs[0].Insn, out, p.ByteOrder())
			if err != nil && got != o.Relocs[0].Insn {
				t.Errorf("an instruction was changed and refused: %v", err)
			}
			if poisoned && got[0] != 0x85 {
				t.Errorf("poisoned, but not a call: % x", got)
			}
		})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
