package core

import (
	"encoding/binary"

	"github.com/btfgen/btfgen/btf"
)

// key is all that the outcome of a relocation depends on, on the object's
// side: relocations of different objects with the same key are the same. It
// may tell apart what is the same, never the other way round.
func (l *Local) key(key []byte) []byte {
	key = binary.AppendUvarint(key, uint64(l.Kind))
	key = append(key, byte(l.rootKind))
	key = appendString(key, l.rootName)
	if l.err != nil {
		// cilium/ebpf may make something of it all the same.
		key = appendString(append(key, 0xff), l.err.Error())
		key = appendString(key, l.Access)
		g := graphKey{t: l.types, key: key, deep: true}
		g.add(l.Type)
		return g.key
	}
	v := &l.value
	key = binary.AppendUvarint(key, v.val)
	key = binary.AppendUvarint(key, uint64(v.size))
	key = append(key, byte(v.flaw), byte(bit(v.validate)))
	t := l.types
	switch {
	case l.Kind.isEnumval():
		e := t.Enumerator(l.spec.acc[0].typ, int(l.spec.acc[0].idx))
		key = binary.AppendUvarint(key, e.Value)
		return appendString(key, l.names[0])
	case l.Kind == TypeIDLocal || l.Kind == TypeIDTarget:
		key = binary.AppendUvarint(key, uint64(l.Type))
	}
	g := graphKey{t: t, key: key}
	if !l.Kind.isField() {
		g.deep = l.Kind == TypeMatches
		g.add(l.Type)
		return g.key
	}
	g.flat(l.Type)
	g.num(uint64(l.spec.raw[0]))
	id := l.Type
	for _, idx := range l.spec.raw[1:] {
		c, k, _ := t.skip(id)
		g.num(uint64(k))
		g.num(uint64(idx))
		if k.IsComposite() {
			m := t.Member(c, int(idx))
			g.key = appendString(g.key, t.String(m.NameOff))
			g.num(uint64(m.BitOffset))
			g.num(uint64(m.BitSize))
			g.num(bit(int(idx) == t.Vlen(c)-1))
			id = m.Type
		} else {
			a := t.Array(c)
			g.num(uint64(a.Nelems))
			id = a.Elem
		}
		g.flat(id)
	}
	return g.key
}

func appendString(key []byte, s string) []byte {
	key = binary.AppendUvarint(key, uint64(len(s)))
	return append(key, s...)
}

// graphKey writes types down so that equal text means equal types.
type graphKey struct {
	t    *types
	key  []byte
	deep bool // members and names, too
	seen map[btf.ID]uint64
}

func (g *graphKey) num(v uint64) { g.key = binary.AppendUvarint(g.key, v) }

// flat writes what a field's compatibility and value depend on: the type
// behind modifiers and arrays.
func (g *graphKey) flat(id btf.ID) {
	t := g.t
	for range 256 {
		var k btf.Kind
		id, k, _ = t.skip(id)
		g.num(uint64(k))
		switch k {
		case btf.KindArray:
			a := t.Array(id)
			g.num(uint64(a.Nelems))
			id = a.Elem
			continue
		case btf.KindInt:
			n := t.Int(id)
			g.key = append(g.key, byte(n.Encoding), n.BitOffset, n.Bits)
		case btf.KindFwd, btf.KindEnum, btf.KindEnum64:
			g.key = appendString(g.key, t.Name(id))
			g.num(bit(t.KindFlag(id)))
		}
		g.num(uint64(t.BTF.Size(id)))
		return
	}
}

// add writes a type and what it refers to, each type once.
func (g *graphKey) add(id btf.ID) {
	t := g.t
	if n, ok := g.seen[id]; ok {
		g.num(n)
		return
	}
	if g.seen == nil {
		g.seen = make(map[btf.ID]uint64)
	}
	g.seen[id] = uint64(len(g.seen)) + 256
	k := t.Kind(id)
	g.num(uint64(k))
	g.num(bit(t.KindFlag(id)))
	g.num(uint64(t.BTF.Size(id)))
	g.num(uint64(t.Vlen(id)))
	if g.deep || k == btf.KindFwd || k.IsEnum() {
		g.key = appendString(g.key, t.Name(id))
	}
	switch {
	case k == btf.KindInt:
		n := t.Int(id)
		g.key = append(g.key, byte(n.Encoding), n.BitOffset, n.Bits)
	case k == btf.KindArray:
		a := t.Array(id)
		g.num(uint64(a.Nelems))
		g.add(a.Index)
		g.add(a.Elem)
	case k == btf.KindFuncProto:
		g.add(t.Ref(id))
		for i := range t.Vlen(id) {
			g.add(t.Param(id, i).Type)
		}
	case k.IsComposite() && g.deep:
		for i := range t.Vlen(id) {
			m := t.Member(id, i)
			g.key = appendString(g.key, t.String(m.NameOff))
			g.num(uint64(m.BitOffset))
			g.num(uint64(m.BitSize))
			g.add(m.Type)
		}
	case k.IsEnum() && g.deep:
		for i := range t.Vlen(id) {
			g.key = appendString(g.key, t.String(t.Enumerator(id, i).NameOff))
		}
	case k.IsModifier(), k == btf.KindPtr, k == btf.KindFunc, k == btf.KindVar, k == btf.KindDeclTag:
		g.add(t.Ref(id))
	}
}
