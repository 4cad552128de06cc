package core

import (
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// Local is an object's side of a relocation, compiled: what can be computed
// without a target.
type Local struct {
	Kind   Kind
	Type   btf.ID // the root, an id of the object's BTF
	Access string // the access string

	types    *types // the object's BTF; shared by the object's relocations
	rootKind btf.Kind
	rootName string // with its flavor
	spec     spec
	names    []string // per accessor: the member's name, or the enumerator's
	value    value    // what a loader expects to find in the instruction
	err      error    // the record itself is bad: an error of libbpf on every kernel

	cilium ciliumLocal
}

// Compile reads a relocation record of an object. A record that no loader
// accepts compiles too: its outcome is the error, on every kernel.
func Compile(b *btf.BTF, kind Kind, typ btf.ID, access string) *Local {
	return compile(localTypes(b), kind, typ, access)
}

// localTypes is an object's BTF as the rules walk it. A pointer has 8 bytes
// there, whatever it says.
// Its walks are shared by resolvers, and so must note nothing down.
func localTypes(b *btf.BTF) *types { return &types{BTF: b, pointerSize: 8, end: ^btf.ID(0)} }

func compile(t *types, kind Kind, typ btf.ID, access string) *Local {
	l := &Local{Kind: kind, Type: typ, Access: access, types: t}
	l.rootKind, l.rootName = t.Kind(typ), t.Name(typ)
	if l.err = l.parse(); l.err == nil {
		l.value = l.types.value(kind, &l.spec, t.ByteOrder())
	}
	l.cilium = l.compileCilium()
	return l
}

// parse is bpf_core_parse_spec.
func (l *Local) parse() error {
	if l.rootKind == btf.KindInvalid {
		return fmt.Errorf("type %d is not in the object's BTF", l.Type)
	}
	raw, err := parseAccess(l.Access)
	if err != nil {
		return err
	}
	l.spec.root, l.spec.raw = l.Type, raw
	switch {
	case l.Kind.isType():
		if l.Access != "0" {
			return fmt.Errorf("access string %q, expected 0 for %v", l.Access, l.Kind)
		}
		l.spec.raw = nil
	case l.Kind.isEnumval():
		err = l.parseEnumval()
	case l.Kind.isField():
		err = l.parseField()
	default:
		err = fmt.Errorf("relocation kind %d is not known", uint32(l.Kind))
	}
	if err == nil && l.rootName == "" && l.Kind != TypeIDLocal {
		err = fmt.Errorf("%v of an anonymous type is not supported", l.Kind)
	}
	return err
}

func (l *Local) parseEnumval() error {
	id, k, ok := l.types.skip(l.Type)
	switch {
	case !ok || !k.IsEnum():
		return fmt.Errorf("%v of %v %s, which is no enum", l.Kind, l.rootKind, l.rootName)
	case len(l.spec.raw) > 1:
		return fmt.Errorf("access string %q, expected one index for %v", l.Access, l.Kind)
	case int(l.spec.raw[0]) >= l.types.Vlen(id):
		return fmt.Errorf("enumerator %d of %s, which has %d", l.spec.raw[0], l.rootName, l.types.Vlen(id))
	}
	l.spec.acc = append(l.spec.acc, accessor{typ: id, idx: l.spec.raw[0], named: true})
	l.names = append(l.names, l.types.String(l.types.Enumerator(id, int(l.spec.raw[0])).NameOff))
	return nil
}

func (l *Local) parseField() error {
	t, s := l.types, &l.spec
	id, _, ok := t.skip(l.Type)
	if !ok {
		return fmt.Errorf("type %d: modifiers without end", l.Type)
	}
	add := func(a accessor, name string) {
		s.acc = append(s.acc, a)
		l.names = append(l.names, name)
	}
	index := func(id btf.ID, idx int32) error {
		size, ok := t.size(id)
		if !ok {
			return fmt.Errorf("type %d, %v, has no size", id, t.Kind(id))
		}
		add(accessor{typ: id, idx: idx}, "")
		s.bitOffset += uint32(idx) * size * 8
		return nil
	}
	if err := index(id, s.raw[0]); err != nil {
		return err
	}
	for i, idx := range s.raw[1:] {
		var k btf.Kind
		if id, k, ok = t.skip(id); !ok {
			return fmt.Errorf("access string %q: step %d leads to a type that is not there", l.Access, i+1)
		}
		switch {
		case k.IsComposite():
			if int(idx) >= t.Vlen(id) {
				return fmt.Errorf("access string %q: step %d is member %d of %v %s, which has %d",
					l.Access, i+1, idx, k, t.Name(id), t.Vlen(id))
			}
			m := t.Member(id, int(idx))
			s.bitOffset += m.BitOffset
			if m.NameOff != 0 {
				add(accessor{typ: id, idx: idx, named: true}, t.String(m.NameOff))
			}
			id = m.Type
		case k == btf.KindArray:
			a := t.Array(id)
			flex := t.isFlex(s.acc, a)
			if !flex && uint32(idx) >= a.Nelems {
				return fmt.Errorf("access string %q: step %d is element %d of an array of %d", l.Access, i+1, idx, a.Nelems)
			}
			if id, _, ok = t.skip(a.Elem); !ok {
				return fmt.Errorf("access string %q: step %d leads to a type that is not there", l.Access, i+1)
			}
			if err := index(id, idx); err != nil {
				return err
			}
		default:
			return fmt.Errorf("access string %q: step %d goes into %v, which has no fields", l.Access, i+1, k)
		}
	}
	return nil
}

// isFlex tells a flexible array: one without elements that is, itself and not
// as an element, the last member of its struct.
func (t *types) isFlex(path []accessor, a btf.Array) bool {
	last := path[len(path)-1]
	if !last.named || a.Nelems > 0 {
		return false
	}
	n := t.Vlen(last.typ)
	t.touch(last.typ, int32(n-1))
	return int(last.idx) == n-1
}
