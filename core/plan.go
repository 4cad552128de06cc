package core

import (
	"encoding/binary"
	"fmt"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
)

// Plan is the distinct relocations of a set of objects of one byte order,
// compiled. It is filled once, then read by any number of resolvers at a time.
type Plan struct {
	order   binary.ByteOrder
	objects []Object
	locals  []*Local // the distinct ones
	firsts  []first  // per local: where it was first met
	byKey   map[string]int32
	uses    []Use // distinct pairs of relocation and instruction
	byUse   map[useKey]int32

	// What to look for in a kernel: the roots' names without their flavors.
	names  btf.Names
	byName map[string]int32
	roots  []root // per local
	tried  []candKinds
}

// Object is an object of a plan: for each of its relocation records, in the
// order of its .BTF.ext, which of the plan's uses it is.
type Object struct {
	Object *bpfelf.Object
	Uses   []int32
}

// Use is a relocation together with the instruction that it is for: what
// Patch takes. Count is how many records of the plan's objects are like it.
type Use struct {
	Local int // index for Plan.Local
	Insn  [16]byte
	Count int
}

type useKey struct {
	local int32
	insn  [16]byte
}

type first struct{ object, record int }

// root is under which names a local's candidates are found: libbpf's notion
// of an essential name and cilium/ebpf's. -1: no candidates are looked for.
type root struct{ lib, cil int32 }

// candKinds is the kinds of candidates that any local of a name asks for.
type candKinds uint32

// NewPlan makes an empty plan for objects, and so for kernels, of one order.
func NewPlan(order binary.ByteOrder) *Plan {
	return &Plan{
		order:  order,
		byKey:  make(map[string]int32),
		byUse:  make(map[useKey]int32),
		byName: make(map[string]int32),
	}
}

// ByteOrder is that of the plan's objects.
func (p *Plan) ByteOrder() binary.ByteOrder { return p.order }

// Len is the number of distinct relocations.
func (p *Plan) Len() int { return len(p.locals) }

// Local is the i-th distinct relocation. Its ids are those of the object that
// it was first met in.
func (p *Plan) Local(i int) *Local { return p.locals[i] }

// First is the object that the i-th distinct relocation was first met in, and
// the index of its record there.
func (p *Plan) First(i int) (o *bpfelf.Object, record int) {
	f := p.firsts[i]
	return p.objects[f.object].Object, f.record
}

// Objects are the objects added, in order. The slice is the plan's.
func (p *Plan) Objects() []Object { return p.objects }

// Uses are the distinct uses. The slice is the plan's.
func (p *Plan) Uses() []Use { return p.uses }

// Records is how many relocation records the objects have together.
func (p *Plan) Records() int {
	n := 0
	for _, u := range p.uses {
		n += u.Count
	}
	return n
}

// Asks tells whether a relocation is about types of this name.
func (p *Plan) Asks(name string) bool {
	_, ok := p.byName[name]
	return ok
}

// Add adds an object's relocations. It keeps the object.
func (p *Plan) Add(o *bpfelf.Object) error {
	if o.ByteOrder != p.order {
		return fmt.Errorf("%s: %v object in a plan of %v ones", o.Name, o.ByteOrder, p.order)
	}
	type record struct {
		kind   uint32
		typ    btf.ID
		access string
	}
	seen := make(map[record]int32)
	obj := Object{Object: o, Uses: make([]int32, len(o.Relocs))}
	var t *types
	var key []byte
	for i := range o.Relocs {
		r := &o.Relocs[i]
		rec := record{r.Kind, r.TypeID, r.Access}
		local, ok := seen[rec]
		if !ok {
			if t == nil {
				t = localTypes(o.BTF)
			}
			l := compile(t, Kind(r.Kind), r.TypeID, r.Access)
			key = l.key(key[:0])
			if local, ok = p.byKey[string(key)]; !ok {
				local = int32(len(p.locals))
				p.byKey[string(key)] = local
				p.addLocal(l)
				p.firsts = append(p.firsts, first{len(p.objects), i})
			}
			seen[rec] = local
		}
		use := useKey{local, r.Insn}
		u, ok := p.byUse[use]
		if !ok {
			u = int32(len(p.uses))
			p.byUse[use] = u
			p.uses = append(p.uses, Use{Local: int(local), Insn: r.Insn})
		}
		p.uses[u].Count++
		obj.Uses[i] = u
	}
	p.objects = append(p.objects, obj)
	return nil
}

func (p *Plan) addLocal(l *Local) {
	p.locals = append(p.locals, l)
	r, name := root{-1, -1}, []byte(l.rootName)
	if l.err == nil && l.Kind != TypeIDLocal {
		r.lib = p.addName(l.rootName[:essentialLen(name)], l.rootKind)
	}
	if len(l.cilium.raw) > 0 {
		r.cil = p.addName(l.rootName[:ciliumEssentialLen(name)], l.rootKind)
	}
	p.roots = append(p.roots, r)
}

// ciliumKinds are the kinds that can be more than a missing target under
// cilium/ebpf's rules; libbpf wants the root's own.
var ciliumKinds = []btf.Kind{
	btf.KindInt, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64, btf.KindTypedef, btf.KindFwd, btf.KindFloat,
}

func (p *Plan) addName(name string, kind btf.Kind) int32 {
	i, ok := p.byName[name]
	if !ok {
		i = int32(len(p.byName))
		p.byName[name] = i
		p.tried = append(p.tried, 0)
		p.names.Add(name, ciliumKinds...)
	}
	p.names.Add(name, kind)
	for _, k := range append(ciliumKinds, kind) {
		p.tried[i] |= 1 << k
	}
	return i
}
