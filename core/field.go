package core

import (
	"github.com/btfgen/btfgen/btf"
)

// verdict is what comes of holding a relocation against one candidate.
type verdict uint8

const (
	noMatch verdict = iota
	matches
	failed
)

// matchField finds on a target the field that l's path names, depth first and
// by name, as bpf_core_spec_match does.
func (t *types) matchField(l *Local, root btf.ID, s *spec) (verdict, flaw) {
	s.reset(root)
	id := root
	for i, acc := range l.spec.acc {
		var k btf.Kind
		var ok bool
		if id, k, ok = t.skip(id); !ok {
			return failed, flawBadType
		}
		if acc.named {
			v, f, next := t.matchMember(l, i, id, s)
			if v != matches {
				return v, f
			}
			id = next
			continue
		}
		if i > 0 {
			if k != btf.KindArray {
				return noMatch, flawNone
			}
			a := t.Array(id)
			flex := t.isFlex(s.acc, a)
			if !flex && uint32(acc.idx) >= a.Nelems {
				return noMatch, flawNone
			}
			t.touch(a.Index, ItemSelf)
			if id, _, ok = t.skip(a.Elem); !ok {
				return failed, flawBadType
			}
		}
		if len(s.raw) == maxSpecLen {
			return failed, flawTooDeep
		}
		s.acc = append(s.acc, accessor{typ: id, idx: acc.idx})
		s.raw = append(s.raw, acc.idx)
		size, ok := t.size(id)
		if !ok {
			return failed, flawNoSize
		}
		s.bitOffset += uint32(acc.idx) * size * 8
	}
	return matches, flawNone
}

// matchMember looks in a struct or union for the member that l's i-th accessor
// names, and in anonymous members as they come. The first member of that name
// decides; next is its type. It is bpf_core_match_member.
func (t *types) matchMember(l *Local, i int, id btf.ID, s *spec) (_ verdict, _ flaw, next btf.ID) {
	id, k, ok := t.skip(id)
	if !ok {
		return failed, flawBadType, 0
	}
	if !k.IsComposite() {
		return noMatch, flawNone, 0
	}
	if len(s.raw) == maxSpecLen && t.Vlen(id) > 0 {
		return failed, flawTooDeep, 0
	}
	name := l.names[i]
	for n := t.FindMember(id, 0, name); n >= 0; n = t.FindMember(id, n+1, name) {
		m := t.Member(id, n)
		mark := len(t.touched)
		t.touch(id, int32(n))
		s.bitOffset += m.BitOffset
		s.raw = append(s.raw, int32(n))
		if !t.isNamed(m.NameOff, "") {
			local := l.types.Member(l.spec.acc[i].typ, int(l.spec.acc[i].idx))
			v, f := fieldsCompatible(l.types, local.Type, t, m.Type)
			if v == matches {
				s.acc = append(s.acc, accessor{typ: id, idx: int32(n), named: true})
			}
			return v, f, m.Type
		}
		if v, f, next := t.matchMember(l, i, m.Type, s); v != noMatch {
			return v, f, next
		}
		s.bitOffset -= m.BitOffset
		s.raw = s.raw[:len(s.raw)-1]
		if !t.exhaustive {
			t.touched = t.touched[:mark]
		}
	}
	return noMatch, flawNone, 0
}

// fieldsCompatible tells whether a target's field can stand for a local one:
// bpf_core_fields_are_compat.
func fieldsCompatible(lt *types, local btf.ID, tt *types, target btf.ID) (verdict, flaw) {
	for range 1 << 16 {
		l, lk, ok := lt.skip(local)
		if !ok {
			return failed, flawBadType
		}
		t, tk, ok := tt.skip(target)
		if !ok {
			return failed, flawBadType
		}
		if lk.IsComposite() && tk.IsComposite() {
			return matches, flawNone
		}
		if !sameKind(lk, tk) {
			return noMatch, flawNone
		}
		switch lk {
		case btf.KindPtr, btf.KindFloat:
			return matches, flawNone
		case btf.KindFwd, btf.KindEnum, btf.KindEnum64:
			return yes(sameEssentialOrAnonymous(lt.NameBytes(l), tt.NameBytes(t))), flawNone
		case btf.KindInt:
			return yes(lt.Int(l).BitOffset == 0 && tt.Int(t).BitOffset == 0), flawNone
		case btf.KindArray:
			local = lt.Array(l).Elem
			a := tt.Array(t)
			tt.touch(a.Index, ItemSelf)
			target = a.Elem
		default:
			return noMatch, flawNone
		}
	}
	return failed, flawBadType
}

func yes(b bool) verdict {
	if b {
		return matches
	}
	return noMatch
}

// sameKind is btf_kind_core_compat: enums of both widths count as one kind.
func sameKind(a, b btf.Kind) bool { return a == b || a.IsEnum() && b.IsEnum() }

func sameEssentialOrAnonymous(a, b []byte) bool {
	a, b = a[:essentialLen(a)], b[:essentialLen(b)]
	return len(a) == 0 || len(b) == 0 || string(a) == string(b)
}

// matchEnumval looks for the enumerator that l names: the first of the same
// essential name.
func (t *types) matchEnumval(l *Local, root btf.ID, s *spec) (verdict, flaw) {
	s.reset(root)
	id, k, ok := t.skip(root)
	if !ok {
		return failed, flawBadType
	}
	if !k.IsEnum() {
		return noMatch, flawNone
	}
	t.touch(id, ItemAll)
	want := EssentialName(l.names[0])
	for i := range t.Vlen(id) {
		name := t.StringBytes(t.Enumerator(id, i).NameOff)
		if len(name) < len(want) || string(name[:len(want)]) != want {
			continue
		}
		if string(name[:essentialLen(name)]) == want {
			s.acc = append(s.acc, accessor{typ: id, idx: int32(i), named: true})
			s.raw = append(s.raw, int32(i))
			return matches, flawNone
		}
	}
	return noMatch, flawNone
}
