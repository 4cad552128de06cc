package core

import (
	"bytes"
	"encoding/binary"

	"github.com/btfgen/btfgen/btf"
)

// This file is cilium/ebpf's side of the rules (btf/core.go, 0.22), as far as
// it decides what a minimal BTF has to keep. Where it differs from libbpf:
//   - any kind with the essential name is a candidate, not only the local one;
//   - candidates are scored over all relocations of a local type, and the one
//     with the fewest failures wins;
//   - members are looked for breadth first; the elements of an array that is
//     accessed as a whole are not compared;
//   - types that are compared are compared behind pointers, too;
//   - what libbpf answers with zero or a poisoned instruction can be an error.

// ciliumDepth bounds chains, sizes and anonymous nesting there.
const ciliumDepth = 32

// ciliumLocal is what a Local has for these rules. They do not depend on
// whether libbpf accepts the record.
type ciliumLocal struct {
	// raw has the indices; none: no kernel's types matter to the outcome, be it
	// that the record makes cilium/ebpf refuse the object.
	raw []int32
	// The enumerator of kinds that name one. flawed: the record's index is bad.
	enumerator btf.Enumerator
	flawed     bool
}

func (l *Local) compileCilium() (c ciliumLocal) {
	if l.Kind == TypeIDLocal || l.rootName == "" || l.rootKind == btf.KindInvalid {
		return c
	}
	var err error
	if c.raw, err = parseIndices(l.Access); err != nil {
		return ciliumLocal{}
	}
	switch {
	case l.Kind.isType():
		c.flawed = len(c.raw) > 1 || c.raw[0] != 0
	case l.Kind.isEnumval():
		id, k, ok := l.types.underlying(l.Type)
		c.flawed = !ok || !k.IsEnum() || len(c.raw) > 1 || int(c.raw[0]) >= l.types.Vlen(id)
		c.enumerator = l.types.Enumerator(id, int(c.raw[0]))
	case !l.Kind.isField():
		c.flawed = true
	}
	return c
}

// fixup is a COREFixup: what cilium/ebpf makes of one relocation and one
// candidate. The local value depends on the candidate where a bitfield has
// become an ordinary field or the other way round.
type fixup struct {
	local, target uint64
	poison        bool
	unchecked     bool
	flaw          flaw
}

func (f fixup) missing(k Kind) bool { return f.poison || k.asksExistence() && f.target == 0 }

func poisoned(k Kind) fixup {
	if k.asksExistence() {
		return fixup{local: 1}
	}
	return fixup{poison: true}
}

func flawed(f flaw) fixup { return fixup{flaw: f} }

// ciliumFixup is coreCalculateFixup.
func (t *types) ciliumFixup(l *Local, target btf.ID, order binary.ByteOrder) fixup {
	lt := l.types
	switch {
	case l.cilium.flawed:
		return flawed(flawUnknown)
	case l.Kind == TypeMatches:
		return t.ciliumTypeAnswer(l, func(c *ciliumCompare) (verdict, flaw) { return c.match(l.Type, target) })
	case l.Kind.isType():
		f := t.ciliumTypeAnswer(l, func(c *ciliumCompare) (verdict, flaw) { return c.compatible(l.Type, target) })
		if f.flaw != flawNone || f.missing(l.Kind) {
			return f
		}
		switch l.Kind {
		case TypeIDTarget:
			return fixup{local: uint64(l.Type), target: uint64(target)}
		case TypeSize:
			local, ok1 := ciliumSize(lt, l.Type)
			target, ok2 := ciliumSize(t, target)
			if !ok1 || !ok2 {
				return flawed(flawNoSize)
			}
			return fixup{local: local, target: target}
		}
		return f
	case l.Kind.isEnumval():
		return t.ciliumEnumval(l, target)
	}
	_, k, ok := t.underlying(target)
	if !ok {
		return flawed(flawBadType)
	}
	if k == btf.KindFwd {
		return poisoned(l.Kind)
	}
	lf, tf, v, f := t.ciliumField(l, target)
	switch v {
	case failed:
		return flawed(f)
	case noMatch:
		return poisoned(l.Kind)
	}
	return t.ciliumFieldFixup(l, lf, tf, order)
}

func (t *types) ciliumTypeAnswer(l *Local, ask func(*ciliumCompare) (verdict, flaw)) fixup {
	c := ciliumCompare{lt: l.types, tt: t}
	switch v, f := ask(&c); v {
	case failed:
		return flawed(f)
	case noMatch:
		return poisoned(l.Kind)
	}
	return fixup{local: 1, target: 1}
}

func (t *types) ciliumFieldFixup(l *Local, lf, tf ciliumField, order binary.ByteOrder) fixup {
	out := fixup{unchecked: lf.bitSize > 0}
	switch l.Kind {
	case FieldExists:
		return fixup{local: 1, target: 1}
	case FieldByteOffset:
		out.local, out.target = uint64(lf.offset), uint64(tf.offset)
		return out
	case FieldByteSize:
		var ok1, ok2 bool
		out.local, ok1 = ciliumSize(l.types, lf.typ)
		out.target, ok2 = ciliumSize(t, tf.typ)
		if !ok1 || !ok2 {
			return flawed(flawNoSize)
		}
		return out
	case FieldLShiftU64, FieldRShiftU64:
		bits, size := uint64(tf.bitSize), uint64(0)
		if bits == 0 || l.Kind == FieldLShiftU64 && order == binary.BigEndian {
			var ok bool
			if size, ok = ciliumSize(t, tf.typ); !ok {
				return flawed(flawNoSize)
			}
		}
		if bits == 0 {
			bits = size * 8
		}
		out = fixup{unchecked: true}
		switch {
		case l.Kind == FieldRShiftU64:
			out.target = 64 - bits
		case order == binary.LittleEndian:
			out.target = uint64(uint32(64 - uint64(tf.bitOffset) - bits))
		default:
			out.target = uint64(uint32(64 - size*8 + uint64(tf.bitOffset)))
		}
		return out
	case FieldSigned:
		id, k, _ := l.types.underlying(lf.typ)
		tid, tk, ok := t.underlying(tf.typ)
		switch {
		case !ok:
			return flawed(flawBadType)
		case k.IsEnum() && tk.IsEnum():
			return fixup{local: bit(l.types.KindFlag(id)), target: bit(t.KindFlag(tid))}
		case k == btf.KindInt && tk == btf.KindInt:
			return fixup{local: bit(l.types.Int(id).Encoding&btf.Signed != 0), target: bit(t.Int(tid).Encoding&btf.Signed != 0)}
		}
		return flawed(flawUnknown)
	}
	return flawed(flawUnknown)
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (t *types) ciliumEnumval(l *Local, target btf.ID) fixup {
	id, k, ok := t.underlying(target)
	if !ok {
		return flawed(flawBadType)
	}
	if !k.IsEnum() {
		return poisoned(l.Kind)
	}
	t.touch(id, ItemAll)
	local := l.cilium.enumerator
	name := l.types.StringBytes(local.NameOff)
	want := name[:ciliumEssentialLen(name)]
	for i := range t.Vlen(id) {
		e := t.Enumerator(id, i)
		n := t.StringBytes(e.NameOff)
		if !bytes.HasPrefix(n, want) || ciliumEssentialLen(n) != len(want) {
			continue
		}
		if l.Kind == EnumvalExists {
			return fixup{local: 1, target: 1}
		}
		return fixup{local: local.Value, target: e.Value}
	}
	return poisoned(l.Kind)
}

// underlying is UnderlyingType: it gives up earlier than libbpf.
func (t *types) underlying(id btf.ID) (_ btf.ID, _ btf.Kind, ok bool) {
	for range ciliumDepth + 1 {
		k := t.Kind(id)
		t.touch(id, ItemSelf)
		if !k.IsModifier() {
			return id, k, k != btf.KindInvalid
		}
		id = t.Ref(id)
	}
	return 0, btf.KindInvalid, false
}

// ciliumSize is Sizeof, in bytes: a pointer has 8 there, always.
func ciliumSize(t *types, id btf.ID) (uint64, bool) {
	n := uint64(1)
	for range ciliumDepth {
		k := t.Kind(id)
		t.touch(id, ItemSelf)
		var size uint64
		switch {
		case k == btf.KindArray:
			a := t.Array(id)
			t.touch(a.Index, ItemSelf)
			if n *= uint64(a.Nelems); n > 1<<40 {
				return 0, false
			}
			id = a.Elem
			continue
		case k.IsModifier():
			id = t.Ref(id)
			continue
		case k == btf.KindPtr:
			size = 8
		case k == btf.KindInt, k.IsComposite(), k.IsEnum(), k == btf.KindDatasec, k == btf.KindFloat:
			size = uint64(t.BTF.Size(id))
		default:
			return 0, false
		}
		return n * size, true
	}
	return 0, false
}

// ciliumField is a coreField: offset in bytes, the rest in bits.
type ciliumField struct {
	typ       btf.ID
	offset    uint32
	bitOffset uint32
	bitSize   uint32
}

func (f *ciliumField) index(t *types, n int32) bool {
	if n == 0 {
		return true
	}
	size, ok := ciliumSize(t, f.typ)
	f.offset += uint32(n) * uint32(size)
	return ok
}

// align moves the field to where its load starts, off bits further on.
func (f *ciliumField) align(t *types, off uint32) bool {
	id := f.typ
	for range ciliumDepth {
		var k btf.Kind
		var ok bool
		if id, k, ok = t.underlying(id); !ok {
			return false
		}
		switch {
		case k == btf.KindArray:
			id = t.Array(id).Elem
			continue
		case k == btf.KindInt, k.IsEnum():
		default:
			return false
		}
		n := t.BTF.Size(id)
		if n == 0 || n&(n-1) != 0 {
			return false
		}
		bytes := off / 8 / n * n
		f.bitOffset = off - bytes*8
		f.offset += bytes
		return true
	}
	return false
}

// ciliumMember is a member as cilium/ebpf decodes it: an INT that carries a
// legacy bitfield makes the member one.
func (t *types) ciliumMember(id btf.ID, i int) btf.Member {
	m := t.Member(id, i)
	if m.BitSize == 0 && t.Kind(m.Type) == btf.KindInt && !t.KindFlag(id) {
		if n := t.Int(m.Type); n.BitOffset > 0 || uint32(n.Bits)/8 != t.BTF.Size(m.Type) || n.Bits%8 != 0 {
			m.BitOffset += uint32(n.BitOffset)
			m.BitSize = uint32(n.Bits)
		}
	}
	return m
}

// ciliumField is coreFindField.
func (t *types) ciliumField(l *Local, root btf.ID) (local, target ciliumField, _ verdict, _ flaw) {
	lt := l.types
	local, target = ciliumField{typ: l.Type}, ciliumField{typ: root}
	no := func(v verdict, f flaw) (ciliumField, ciliumField, verdict, flaw) {
		return ciliumField{}, ciliumField{}, v, f
	}
	if v, f := ciliumMembersCompatible(lt, local.typ, t, target.typ); v != matches {
		return no(v, f)
	}
	raw := l.cilium.raw
	if !local.index(lt, raw[0]) || !target.index(t, raw[0]) {
		return no(failed, flawNoSize)
	}
	localFlex, targetFlex := false, false
	for i, idx := range raw[1:] {
		id, k, ok := lt.underlying(local.typ)
		if !ok {
			return no(failed, flawBadType)
		}
		switch {
		case k.IsComposite():
			if int(idx) >= lt.Vlen(id) {
				return no(failed, flawBadType)
			}
			lm := lt.ciliumMember(id, int(idx))
			if lm.NameOff == 0 {
				aid, ak, ok := lt.underlying(lm.Type)
				if !ok || !ak.IsComposite() {
					return no(failed, flawUnknown)
				}
				local = ciliumField{typ: aid, offset: local.offset + lm.BitOffset/8}
				localFlex = false
				continue
			}
			tid, tk, ok := t.underlying(target.typ)
			if !ok {
				return no(failed, flawBadType)
			}
			if !tk.IsComposite() {
				return no(noMatch, flawNone)
			}
			tm, last, v, f := t.ciliumFindMember(tid, lt.String(lm.NameOff))
			if v != matches {
				return no(v, f)
			}
			local = ciliumField{typ: lm.Type, offset: local.offset, bitSize: lm.BitSize}
			target = ciliumField{typ: tm.Type, offset: target.offset, bitSize: tm.BitSize}
			localFlex, targetFlex = int(idx) == lt.Vlen(id)-1, last
			if local.bitSize == 0 && target.bitSize == 0 {
				local.offset += lm.BitOffset / 8
				target.offset += tm.BitOffset / 8
				break
			}
			if i+1 < len(raw[1:]) {
				return no(failed, flawIntoBitfield)
			}
			if !local.align(lt, lm.BitOffset) || !target.align(t, tm.BitOffset) {
				return no(failed, flawNoSize)
			}
		case k == btf.KindArray:
			tid, tk, ok := t.underlying(target.typ)
			if !ok {
				return no(failed, flawBadType)
			}
			if tk != btf.KindArray {
				return no(noMatch, flawNone)
			}
			la, ta := lt.Array(id), t.Array(tid)
			t.touch(ta.Index, ItemSelf)
			switch {
			case la.Nelems == 0 && !localFlex:
				return no(failed, flawLocalFlexible)
			case ta.Nelems == 0 && !targetFlex:
				return no(failed, flawTargetFlexible)
			case la.Nelems > 0 && uint32(idx) >= la.Nelems:
				return no(failed, flawLocalIndex)
			}
			if ta.Nelems > 0 && uint32(idx) >= ta.Nelems {
				return no(noMatch, flawNone)
			}
			local = ciliumField{typ: la.Elem, offset: local.offset}
			target = ciliumField{typ: ta.Elem, offset: target.offset}
			localFlex, targetFlex = false, false
			if !local.index(lt, idx) || !target.index(t, idx) {
				return no(failed, flawNoSize)
			}
		default:
			return no(failed, flawUnknown)
		}
		if v, f := ciliumMembersCompatible(lt, local.typ, t, target.typ); v != matches {
			return no(v, f)
		}
	}
	return local, target, matches, flawNone
}

// ciliumMembersCompatible is coreAreMembersCompatible.
func ciliumMembersCompatible(lt *types, local btf.ID, tt *types, target btf.ID) (verdict, flaw) {
	l, lk, ok1 := lt.underlying(local)
	t, tk, ok2 := tt.underlying(target)
	switch {
	case !ok1 || !ok2:
		return failed, flawBadType
	case lk.IsComposite() && tk.IsComposite():
		return matches, flawNone
	case !sameKind(lk, tk):
		return noMatch, flawNone
	}
	switch lk {
	case btf.KindArray, btf.KindPtr, btf.KindFloat, btf.KindInt:
		return matches, flawNone
	case btf.KindEnum, btf.KindEnum64, btf.KindFwd:
		return yes(ciliumNamesMatch(lt.NameBytes(l), tt.NameBytes(t))), flawNone
	}
	return failed, flawUnknown
}

func ciliumNamesMatch(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return string(a[:ciliumEssentialLen(a)]) == string(b[:ciliumEssentialLen(b)])
}

// ciliumFindMember is coreFindMember: breadth first. The member's offset is
// from the struct that the search started in.
func (t *types) ciliumFindMember(id btf.ID, name string) (_ btf.Member, last bool, _ verdict, _ flaw) {
	type place struct {
		id     btf.ID
		offset uint32
		parent int // in queue, and which of its members this is
		item   int32
	}
	queue := append(make([]place, 0, 8), place{id: id, parent: -1})
	visited := 0
	for i := 0; i < len(queue); i++ {
		p := queue[i]
		seen := false
		for _, q := range queue[:i] {
			seen = seen || q.id == p.id && q.offset == p.offset
		}
		if seen {
			continue
		}
		// What is in the way of an error is needed for the error.
		touchAll := func() {
			for _, q := range queue {
				if q.parent >= 0 {
					up := queue[q.parent].id
					t.touch(up, q.item)
					t.underlying(t.Member(up, int(q.item)).Type)
				}
				t.touch(q.id, ItemSelf)
			}
		}
		if visited >= ciliumDepth {
			touchAll()
			return btf.Member{}, false, failed, flawTooDeep
		}
		visited++
		n := t.Vlen(p.id)
		for j := t.FindMember(p.id, 0, name); j >= 0; j = t.FindMember(p.id, j+1, name) {
			raw := t.Member(p.id, j)
			if !t.isNamed(raw.NameOff, "") {
				t.touch(p.id, int32(j))
				for q := p; q.parent >= 0; q = queue[q.parent] {
					up := queue[q.parent]
					t.touch(up.id, q.item)
					t.underlying(t.Member(up.id, int(q.item)).Type)
				}
				t.touch(raw.Type, ItemSelf)
				m := t.ciliumMember(p.id, j)
				m.BitOffset += p.offset
				t.touchIfFlexible(p.id, n, m.Type)
				return m, j == n-1, matches, flawNone
			}
			mark := len(t.touched)
			aid, k, ok := t.underlying(raw.Type)
			if !ok || !k.IsComposite() {
				touchAll()
				t.touch(p.id, int32(j))
				return btf.Member{}, false, failed, flawAnonymousMember
			}
			if !t.exhaustive {
				t.touched = t.touched[:mark]
			}
			queue = append(queue, place{id: aid, offset: p.offset + raw.BitOffset, parent: i, item: int32(j)})
		}
	}
	if t.exhaustive {
		for _, q := range queue {
			if q.parent >= 0 {
				t.touch(queue[q.parent].id, q.item)
			}
		}
	}
	return btf.Member{}, false, noMatch, flawNone
}

// touchIfFlexible looks at the last member of a struct where it matters that
// an array without elements is, or is not, that one.
func (t *types) touchIfFlexible(id btf.ID, n int, member btf.ID) {
	if !t.tracing {
		return
	}
	mark := len(t.touched)
	a, k, ok := t.underlying(member)
	t.touched = t.touched[:mark]
	if ok && k == btf.KindArray && t.Array(a).Nelems == 0 {
		t.touch(id, int32(n-1))
	}
}
