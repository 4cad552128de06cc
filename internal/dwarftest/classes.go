package dwarftest

import (
	"encoding/binary"
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// A Judge sorts the types of several BTFs into classes. Types of one class are the same: their texts, by which they are sorted,
// are kept whole, so there are no hashes that could collide.
//
// A struct, union or enum that has a name counts by kind and name only where it is referred to behind a pointer: every cycle of
// C types passes through such a place. Where it is a member, an element or what a typedef names it counts with all that is in it,
// so structs of one shape that embed different structs of one name are different.
type Judge struct {
	classes map[string]int32
}

// NewJudge returns a judge that has seen no types.
func NewJudge() *Judge { return &Judge{classes: map[string]int32{}} }

// A sorting is what a judge finds of one BTF's types.
type sorting struct {
	*Judge
	b *btf.BTF
	// By type id: the class whole, and that of the type behind a pointer; 0 if it is not known yet.
	whole, behind []int32
	err           error
}

const (
	void = 1 // the class of void
	// open marks a type whose class is being found out.
	open = -1
)

// sort finds the classes of all types of b, its base's included. b has to be valid.
func (j *Judge) sort(b *btf.BTF) (*sorting, error) {
	s := &sorting{Judge: j, b: b, whole: make([]int32, b.End()), behind: make([]int32, b.End())}
	j.intern(nil) // void, the first
	for id := range b.End() {
		s.class(id, false)
	}
	return s, s.err
}

func (j *Judge) intern(text []byte) int32 {
	c, ok := j.classes[string(text)]
	if !ok {
		c = int32(len(j.classes)) + void
		j.classes[string(text)] = c
	}
	return c
}

// class is the class of a type, whole or as it counts behind a pointer.
func (s *sorting) class(id btf.ID, behind bool) int32 {
	if id == 0 {
		return void
	}
	if id >= s.b.End() {
		s.fail("type id %d is out of range", id)
		return void
	}
	kind := s.b.Kind(id)
	named := s.b.NameOff(id) != 0
	if kind.IsComposite() && !named {
		behind = false
	}
	memo := &s.whole[id]
	if behind {
		memo = &s.behind[id]
	}
	switch *memo {
	case 0:
	case open:
		s.fail("type [%d] %v %q contains itself with no named struct behind a pointer between", id, kind, s.b.Name(id))
		return void
	default:
		return *memo
	}
	*memo = open
	var text []byte
	if behind && named && (kind.IsComposite() || kind.IsEnum()) {
		text = append([]byte{byte(kind), 'c'}, s.b.NameBytes(id)...)
	} else {
		text = s.text(id, kind, behind)
	}
	*memo = s.intern(text)
	return *memo
}

// text is all that a type's record says, with classes for references.
func (s *sorting) text(id btf.ID, kind btf.Kind, behind bool) []byte {
	b := s.b
	t := append([]byte{byte(kind), 'w'}, b.NameBytes(id)...)
	t = append(t, 0)
	word := func(n uint32) { t = binary.LittleEndian.AppendUint32(t, n) }
	name := func(off uint32) { t = append(append(t, b.StringBytes(off)...), 0) }
	class := func(to btf.ID, behind bool) { word(uint32(s.class(to, behind))) }
	flag := func(set bool) {
		if set {
			word(1)
		} else {
			word(0)
		}
	}
	switch kind {
	case btf.KindInt:
		n := b.Int(id)
		t = append(t, byte(n.Encoding), n.BitOffset, n.Bits)
		word(b.Size(id))
	case btf.KindFloat:
		word(b.Size(id))
	case btf.KindPtr:
		class(b.Ref(id), true)
	case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
		class(b.Ref(id), behind)
	case btf.KindArray:
		// The type of the index says nothing: C has none. Which one it is differs between programs.
		a := b.Array(id)
		class(a.Elem, behind)
		word(a.Nelems)
	case btf.KindStruct, btf.KindUnion:
		word(b.Size(id))
		for i := range b.Vlen(id) {
			m := b.Member(id, i)
			name(m.NameOff)
			word(m.BitOffset)
			word(m.BitSize)
			class(m.Type, false)
		}
	case btf.KindEnum, btf.KindEnum64:
		word(b.Size(id))
		flag(b.KindFlag(id))
		for i := range b.Vlen(id) {
			e := b.Enumerator(id, i)
			name(e.NameOff)
			t = binary.LittleEndian.AppendUint64(t, e.Value)
		}
	case btf.KindFwd:
		flag(b.KindFlag(id))
	case btf.KindFuncProto:
		class(b.Ref(id), behind)
		for i := range b.Vlen(id) {
			p := b.Param(id, i)
			name(p.NameOff)
			class(p.Type, behind)
		}
	case btf.KindFunc, btf.KindVar:
		word(b.Linkage(id))
		class(b.Ref(id), behind)
	case btf.KindDatasec:
		word(b.Size(id))
		for i := range b.Vlen(id) {
			v := b.Secinfo(id, i)
			class(v.Type, false)
			word(v.Offset)
			word(v.Size)
		}
	case btf.KindDeclTag:
		word(uint32(b.ComponentIndex(id)))
		class(b.Ref(id), false)
	default:
		s.fail("type [%d] is of kind %v", id, kind)
	}
	return t
}

func (s *sorting) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}
