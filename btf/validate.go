package btf

import "slices"

// Validate checks all that Parse does not: that every reference is to a type
// that is there and every name to a string, that sizes are possible, and that
// no type contains itself by value or through modifiers without end.
func (b *BTF) Validate() error {
	v := validator{b: b, state: make([]uint8, len(b.offs))}
	for id := b.start; id < b.End(); id++ {
		if err := v.record(id); err != nil {
			return err
		}
	}
	for id := b.start; id < b.End(); id++ {
		if err := v.loops(id); err != nil {
			return err
		}
	}
	return nil
}

type validator struct {
	b     *BTF
	state []uint8 // per own type: 0 not seen, 1 on the path, 2 done
	path  []step
}

func (v *validator) record(id ID) error {
	b, kind := v.b, v.b.Kind(id)
	if refKinds>>kind&1 != 0 && !v.has(b.Ref(id)) {
		return malformed("type %d: %v of type %d, but there are %d", id, kind, b.Ref(id), b.End())
	}
	switch kind {
	case KindInt:
		n := b.Int(id)
		if size := b.Size(id); size == 0 || size > 16 || uint32(n.BitOffset)+uint32(n.Bits) > size*8 {
			return malformed("type %d: INT of %d bits at bit %d in %d bytes", id, n.Bits, n.BitOffset, size)
		}
	case KindEnum, KindEnum64:
		if size := b.Size(id); size == 0 || size > 8 || size&(size-1) != 0 {
			return malformed("type %d: %v of %d bytes", id, kind, size)
		}
	case KindFunc:
		if k := b.Kind(b.Ref(id)); k != KindFuncProto {
			return malformed("type %d: FUNC of a %v", id, k)
		}
	case KindArray:
		if a := b.Array(id); !v.has(a.Elem) {
			return v.noType(id, "element", 0, a.Elem)
		} else if !v.has(a.Index) {
			return v.noType(id, "index", 0, a.Index)
		}
	}
	for i := range b.Vlen(id) {
		if err := v.item(id, kind, i); err != nil {
			return err
		}
	}
	return nil
}

// item checks one member, enumerator, parameter or variable.
func (v *validator) item(id ID, kind Kind, i int) error {
	b, what := v.b, "member"
	var name uint32
	var ref ID
	switch kind {
	case KindStruct, KindUnion:
		m := b.Member(id, i)
		name, ref = m.NameOff, m.Type
		// The kernel refuses it too (btf_struct_check_meta), libbpf does not.
		if size := b.Size(id); uint64(m.BitOffset) > uint64(size)*8 {
			return malformed("type %d: %v's member %d at bit %d, past its %d bytes", id, kind, i, m.BitOffset, size)
		}
	case KindEnum, KindEnum64:
		what, name = "enumerator", b.Enumerator(id, i).NameOff
	case KindFuncProto:
		p := b.Param(id, i)
		what, name, ref = "parameter", p.NameOff, p.Type
	case KindDatasec:
		what, ref = "variable", b.Secinfo(id, i).Type
	}
	if !v.has(ref) {
		return v.noType(id, what, i, ref)
	}
	if !b.ValidString(name) {
		return malformed("type %d: %v's %s %d has its name at %d, past the strings", id, kind, what, i, name)
	}
	return nil
}

// has tells whether an id is void or that of a type.
func (v *validator) has(id ID) bool { return v.b.Kind(id) != KindInvalid }

func (v *validator) noType(id ID, what string, i int, to ID) error {
	return malformed("type %d: %v's %s %d is of type %d, but there are %d", id, v.b.Kind(id), what, i, to, v.b.End())
}

// step is a type on the path that loops walks, and the next edge to follow.
type step struct {
	id   ID
	next int
}

// loops follows what a type contains by value: a pointer or a prototype ends
// the walk. It keeps its own stack, so that absurd nesting costs memory in
// proportion to the input and no more.
func (v *validator) loops(id ID) error {
	if v.state[id-v.b.start] != 0 {
		return nil
	}
	v.path = append(v.path[:0], step{id: id})
	v.state[id-v.b.start] = 1
	for len(v.path) > 0 {
		top := &v.path[len(v.path)-1]
		to, more := v.contained(top.id, top.next)
		if !more {
			v.state[top.id-v.b.start] = 2
			v.path = v.path[:len(v.path)-1]
			continue
		}
		top.next++
		if to < v.b.start {
			continue // void, or the base's, which cannot refer back
		}
		switch v.state[to-v.b.start] {
		case 0:
			v.state[to-v.b.start] = 1
			v.path = append(v.path, step{id: to})
		case 1:
			return malformed("type %d: %v contains itself", to, v.b.Kind(to))
		}
	}
	return nil
}

// contained is the i-th type that a value of type id contains.
func (v *validator) contained(id ID, i int) (_ ID, more bool) {
	b := v.b
	switch k := b.Kind(id); {
	case k.IsComposite():
		if i < b.Vlen(id) {
			return b.Member(id, i).Type, true
		}
	case k == KindArray:
		if i == 0 {
			return b.Array(id).Elem, true
		}
	case k.IsModifier(), k == KindVar:
		if i == 0 {
			return b.Ref(id), true
		}
	}
	return 0, false
}

// Sizeof is the size of a value of a type in bytes, modifiers and arrays
// included. ok is false for what has none: void, functions, forward
// declarations, and ids out of range. pointer is the size of a pointer in
// bytes.
func (b *BTF) Sizeof(id ID, pointer uint32) (size uint64, ok bool) {
	n := uint64(1)
	for range maxModifiers {
		switch k := b.Kind(id); {
		case k.IsModifier(), k == KindVar:
			id = b.Ref(id)
		case k == KindArray:
			a := b.Array(id)
			if n *= uint64(a.Nelems); n > 1<<32 {
				return 0, false
			}
			id = a.Elem
		case k == KindPtr:
			return n * uint64(pointer), true
		case sizeKinds>>(k&31)&1 != 0 && k <= lastKind:
			return n * uint64(b.Size(id)), true
		default:
			return 0, false
		}
	}
	return 0, false
}

// LongType is the first type that IsLong: its size is that of a pointer, which
// is how loaders learn it. 0 if there is none. A split BTF's base is not looked
// at.
func (b *BTF) LongType() ID {
	for id := b.start; id < b.End(); id++ {
		if b.IsLong(id) {
			return id
		}
	}
	return 0
}

// IsLong tells an INT of 4 or 8 bytes that C calls long, signed or not
// (determine_ptr_size of libbpf).
func (b *BTF) IsLong(id ID) bool {
	if b.Kind(id) != KindInt || b.Size(id) != 4 && b.Size(id) != 8 {
		return false
	}
	name := b.NameBytes(id)
	for _, long := range longNames {
		if string(name) == long {
			return true
		}
	}
	return false
}

// LongNames are the names of the types that IsLong goes by. The slice is the caller's.
func LongNames() []string { return slices.Clone(longNames) }

var longNames = []string{
	"long", "long int", "int long", "unsigned long", "long unsigned",
	"unsigned long int", "unsigned int long", "long unsigned int", "long int unsigned",
	"int unsigned long", "int long unsigned",
}
