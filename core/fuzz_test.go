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
)

// FuzzResolve carries out one relocation of any BTF on any other: without
// panics, in bounded time, and with the same outcome each time. The seeds are
// the conformance suite's relocations and types.
func FuzzResolve(f *testing.F) {
	objects, err := filepath.Glob(filepath.Join("..", "testdata", "conformance", "*.o"))
	if err != nil || len(objects) == 0 {
		f.Fatalf("no objects to start from: %v", err)
	}
	for _, path := range objects {
		found, err := bpfelf.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		local, err := btf.FindELF(raw)
		if err != nil {
			f.Fatal(err)
		}
		ext := strings.TrimPrefix(filepath.Ext(strings.TrimSuffix(path, ".o")), ".")
		targets, err := filepath.Glob(strings.TrimSuffix(path, "."+ext+".o") + ".target*." + ext + ".btf")
		if err != nil || len(targets) == 0 {
			f.Fatalf("%s: no target: %v", path, err)
		}
		target, err := os.ReadFile(targets[0])
		if err != nil {
			f.Fatal(err)
		}
		for i, r := range found[0].Relocs {
			if i%7 == 0 {
				f.Add(local, target, r.Kind, uint32(r.TypeID), r.Access, r.Insn[:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, local, target []byte, kind, typ uint32, access string, insn []byte) {
		b, err := btf.Parse(local)
		if err != nil {
			return
		}
		r := bpfelf.CORERelo{Section: "s", Program: "p", Kind: kind, TypeID: btf.ID(typ), Access: access}
		copy(r.Insn[:], insn)
		o := &bpfelf.Object{Name: "fuzz", ByteOrder: b.ByteOrder(), BTF: b, Relocs: []bpfelf.CORERelo{r, r}}
		start := time.Now()
		p := core.NewPlan(b.ByteOrder())
		if err := p.Add(o); err != nil {
			t.Fatal(err)
		}
		_ = p.Local(0).LocalPath()
		res := core.NewResolver(p)
		if res.Load(target) != nil {
			return
		}
		res.Resolve(func(int, []core.Touch) {})
		out := res.Outcome(0)
		_, _, patchErr := core.Patch(r.Insn, out, p.ByteOrder())
		if refused := out.Status == core.Ambiguous || out.Status == core.Failed; refused && patchErr == nil {
			t.Errorf("patched for an outcome that is %v", out.Status)
		}
		if reason := res.Reason(0, out); reason == "" && out.Status > core.Zero {
			t.Errorf("%v without a reason", out.Status)
		}
		_ = res.TargetPath(0, out)
		res.Retrace(0, func(int, []core.Touch) {})
		if again := res.Outcome(0); again.Status != out.Status || again.New != out.New || again.Target != out.Target {
			t.Errorf("%+v, then %+v", out, again)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
