package minimize_test

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/elftest"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/btfgen/btfgen/minimize"
)

func member(name string, typ btf.ID, offset uint32) btf.BuildMember {
	return btf.BuildMember{Name: name, Type: typ, BitOffset: offset * 8}
}

func encoded(t testing.TB, w *btf.Builder) []byte {
	t.Helper()
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parsed(t testing.TB, raw []byte) *btf.BTF {
	t.Helper()
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// built is BTF in little-endian.
func built(t testing.TB, build func(w *btf.Builder)) []byte {
	t.Helper()
	w := btf.NewBuilder(binary.LittleEndian)
	w.WholeStrings() // or cilium/ebpf does not read it
	build(w)
	return encoded(t, w)
}

// relocation is one that a program has.
type relocation struct {
	kind   core.Kind
	typ    btf.ID
	access string
}

// object is an eBPF object with those types and relocations, one function.
// cilium/ebpf reads only those with function and line info, for which the types
// need a FUNC.
func object(t testing.TB, types []byte, relocs ...relocation) *bpfelf.Object {
	t.Helper()
	order := parsed(t, types).ByteOrder()
	var code [][]byte
	ext := &elftest.Ext{}
	for i, r := range relocs {
		code = append(code, elftest.Insn(order, 0xb7, 1, 0, 0, 0))
		ext.Relocs = append(ext.Relocs, elftest.CORERelo{
			Section: "kprobe", InsnOff: uint32(8 * i), TypeID: r.typ, Access: r.access, Kind: uint32(r.kind),
		})
	}
	code = append(code, elftest.Exit(order))
	for b, id := parsed(t, types), btf.ID(1); id < b.End(); id++ {
		if b.Kind(id) == btf.KindFunc {
			ext.Funcs = []elftest.FuncInfo{{Section: "kprobe", TypeID: id}}
			ext.Lines = []elftest.LineInfo{{Section: "kprobe", File: "p.c", Line: 1}}
		}
	}
	o, err := bpfelf.Parse("object", (&elftest.Object{
		Order: order, BTF: types, Ext: ext,
		Sections: []elftest.Section{elftest.Code("kprobe", code...)},
		Symbols:  []elftest.Symbol{elftest.Func("function", "kprobe", 0, uint64(8*len(code)))},
	}).MustBytes(t))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func planOf(t testing.TB, objects ...*bpfelf.Object) *core.Plan {
	t.Helper()
	p := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := p.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// resolved is a plan resolved on a kernel's types.
func resolved(t testing.TB, p *core.Plan, vmlinux []byte, modules ...core.Module) *core.Resolver {
	t.Helper()
	r := core.NewResolver(p)
	if err := r.Load(vmlinux, modules...); err != nil {
		t.Fatal(err)
	}
	r.Resolve(nil)
	return r
}

// minimal is the minimal BTF, valid and of equal outcomes.
func minimal(t testing.TB, p *core.Plan, vmlinux []byte, modules ...core.Module) []byte {
	t.Helper()
	out, err := minimize.New(p).Minimize(vmlinux, modules...)
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed(t, out).Validate(); err != nil {
		t.Errorf("the minimal BTF is not valid: %v", err)
	}
	full, small := resolved(t, p, vmlinux, modules...), resolved(t, p, out)
	for i := range p.Len() {
		if a, b := answer(p, full, i), answer(p, small, i); a != b {
			t.Errorf("%s: %+v on the minimal BTF, expected %+v", p.Local(i).LocalPath(), b, a)
		}
	}
	return out
}

// answered is what of an outcome does not depend on type ids.
type answered struct {
	status                  core.Status
	orig, new               uint64
	origSize, newSize       uint32
	validate, poison, width bool
	reason                  string // of an error
}

func answer(p *core.Plan, r *core.Resolver, i int) answered {
	return answerOf(p, r, i, r.Outcome(i))
}

func answerOf(p *core.Plan, r *core.Resolver, i int, out core.Outcome) answered {
	a := answered{out.Status, out.Orig, out.New, out.OrigSize, out.NewSize, out.Validate, out.Poison, out.FailMemSize, ""}
	if p.Local(i).Kind == core.TypeIDTarget {
		a.new = 0
	}
	if out.Status == core.Failed {
		a.reason = r.Reason(i, out)
	}
	return a
}

// ciliumDifferences counts what cilium/ebpf makes differently of two BTFs.
func ciliumDifferences(t testing.TB, full, min []byte, o *bpfelf.Object) int {
	t.Helper()
	differences, err := oracle.Cilium(full, min, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Logf("cilium/ebpf: %v", d)
	}
	return len(differences)
}

// differences counts the relocations whose outcome is another.
func differences(t testing.TB, p *core.Plan, full, min []byte) (n int) {
	t.Helper()
	a, b := resolved(t, p, full), resolved(t, p, min)
	for i := range p.Len() {
		if answer(p, a, i) != answer(p, b, i) {
			n++
		}
	}
	return n
}

// names are a BTF's types in short: kind and name, in order.
func names(t testing.TB, raw []byte) (list []string) {
	t.Helper()
	b := parsed(t, raw)
	for id := b.Start(); id < b.End(); id++ {
		list = append(list, b.Kind(id).String()+" "+b.Name(id))
	}
	return list
}

// find is the only type of a kind and name.
func find(t testing.TB, raw []byte, kind btf.Kind, name string) (*btf.BTF, btf.ID) {
	t.Helper()
	b := parsed(t, raw)
	found := btf.ID(0)
	for id := b.Start(); id < b.End(); id++ {
		if b.Kind(id) == kind && b.Name(id) == name {
			if found != 0 {
				t.Fatalf("%v %s twice in %v", kind, name, names(t, raw))
			}
			found = id
		}
	}
	if found == 0 {
		t.Fatalf("no %v %s in %v", kind, name, names(t, raw))
	}
	return b, found
}
