package dwarf2btf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// A module's types that its kernel has are the kernel's. The kernel's BTF is taken
// in like a unit in front of all others; what a unit has in common with it is then
// of a class that has an id already.
//
// The base cannot be changed. Where it only declares what the module defines, its
// structs stand nevertheless for the module's, but pointers, typedefs and the like
// that lead to the definition are written anew, as the reference does.

// baseUnit is the number of the base among the units.
const baseUnit = -1

// checkBase fails for a base that the output could not go on.
func (in *input) checkBase() error {
	b := in.options.Base
	switch {
	case b == nil:
	case b.Base() != nil:
		return errors.New("the base BTF is itself split, expected a kernel's own")
	case b.ByteOrder() != in.file.order:
		return fmt.Errorf("the base BTF is %v, the file %v", b.ByteOrder(), in.file.order)
	}
	return nil
}

// readBase makes a worker that holds the base's types, in order of their ids, which
// are their places.
func (in *input) readBase(t *table) (*worker, error) {
	b := in.options.Base
	own := *in
	w := &worker{table: t, decoder: decoder{input: &own, unit: &unit{file: in.file, section: "base BTF"}}}
	w.index.reset(0, int(b.End()))
	w.types = append(w.types, typ{first: -1})
	for id := btf.ID(1); id < b.End(); id++ {
		w.addBase(id)
	}
	if err := w.digestAll(&w.hasher); err != nil {
		return nil, fmt.Errorf("base BTF: %w", err)
	}
	if err := w.enter(baseUnit); err != nil {
		return nil, fmt.Errorf("base BTF: %w", err)
	}
	return w, nil
}

// addBase adds a type of the base.
func (w *worker) addBase(id btf.ID) {
	b := w.options.Base
	name := func(off uint32) uint32 {
		if off == 0 {
			return 0
		}
		return w.baseAt + off
	}
	t := typ{at: place(id), kind: b.Kind(id), name: name(b.NameOff(id)), ref: place(b.Ref(id)), size: b.Size(id), first: -1}
	n := b.Vlen(id)
	add := func(it item) {
		it.next = -1
		next := int32(len(w.items))
		if t.first < 0 {
			t.first = next
		} else {
			w.items[t.last].next = next
		}
		t.last = next
		t.n++
		w.items = append(w.items, it)
	}
	switch t.kind {
	case btf.KindInt:
		switch e := b.Int(id).Encoding; {
		case e&btf.Signed != 0:
			t.flags = flagSigned
		case e&btf.Bool != 0:
			t.flags = flagBool
		}
	case btf.KindStruct, btf.KindUnion:
		for i := range n {
			m := b.Member(id, i)
			add(item{name: name(m.NameOff), ref: place(m.Type), value: uint64(m.BitOffset), bits: uint8(m.BitSize)})
		}
	case btf.KindFwd:
		t.kind, t.flags = btf.KindStruct, flagDeclared
		if b.KindFlag(id) {
			t.kind = btf.KindUnion
		}
	case btf.KindEnum, btf.KindEnum64:
		if b.KindFlag(id) {
			t.flags = flagSigned
		}
		if n == 0 {
			t.flags |= flagDeclared
		}
		t.kind = btf.KindEnum // its digest settles which
		for i := range n {
			e := b.Enumerator(id, i)
			add(item{name: name(e.NameOff), value: e.Value})
		}
	case btf.KindFuncProto:
		for i := range n {
			p := b.Param(id, i)
			if i == n-1 && p.NameOff == 0 && p.Type == 0 {
				t.flags = flagVarargs
				break
			}
			add(item{name: name(p.NameOff), ref: place(p.Type)})
		}
	case btf.KindArray:
		a := b.Array(id)
		t.ref, t.size = place(a.Elem), a.Nelems
	case btf.KindDeclTag:
		t.size = uint32(b.ComponentIndex(id))
	case btf.KindVar, btf.KindDatasec:
		t.kind = kindVoid // a module's are its own
	}
	if t.name != 0 {
		t.hash = hashName(w.name(t.name))
	}
	w.types = append(w.types, t)
	w.index.add(t.at, int32(id))
}

// baseIDs are the ids that classes have in the base.
func (w *worker) baseIDs(n int) []uint32 {
	ids := make([]uint32, n)
	for id, c := range w.classes {
		if c != 0 && ids[c] == 0 {
			ids[c] = uint32(id)
		}
	}
	return ids
}

// dropChanged takes from base the classes that lead to what the module defines, and
// the base does not.
func (t *table) dropChanged(base []uint32, to []class) {
	const open, same, changed = 1, 2, 3
	was := slices.Clone(base)
	state := make([]uint8, len(to))
	var look func(c class, depth int) bool
	look = func(c class, depth int) bool {
		switch {
		case c == 0 || state[c] == same || state[c] == open:
			return false
		case state[c] == changed || was[c] == 0:
			return true
		}
		r := t.record(c)
		switch r.kind() {
		case btf.KindPtr, btf.KindTypedef, btf.KindVolatile, btf.KindConst, btf.KindRestrict, btf.KindArray,
			btf.KindFuncProto, btf.KindFunc, btf.KindTypeTag, btf.KindDeclTag:
		default:
			state[c] = same
			return false
		}
		state[c] = open
		is := false
		if depth < 2*maxChain {
			r.references(func(i int) { is = look(to[r[i]], depth+1) || is })
		}
		state[c] = same
		if is {
			state[c] = changed
		}
		return is
	}
	for c := range base {
		if base[c] != 0 && to[c] == class(c) && look(class(c), 0) {
			base[c] = 0
		}
	}
}
