package btf

import (
	"io"
	"unicode/utf8"
)

// DumpJSON writes {"types":[…]} with an object for each type, with the fields
// that "bpftool -j btf dump file F" of bpftool 7.1 gives it. ids says which
// types, in which order; nil is all of b's own. The types need not be valid.
//
// The result is always valid JSON: a byte of a name that is not UTF-8 becomes
// U+FFFD, where bpftool passes it on.
func (b *BTF) DumpJSON(w io.Writer, ids []ID) error {
	if err := b.haveTypes(ids); err != nil {
		return err
	}
	p := newPrinter(w)
	p.str(`{"types":[`)
	first := true
	b.each(ids, func(id ID) bool {
		if !first {
			p.str(",")
		}
		first = false
		b.jsonType(p, id)
		return p.spill()
	})
	p.str("]}\n")
	return p.flush()
}

func (b *BTF) jsonType(p *printer, id ID) {
	kind := b.Kind(id)
	p.str(`{"id":`).num(uint64(id)).str(`,"kind":"`).str(kind.String()).str(`","name":`).quoted(b.display(b.NameOff(id)))
	switch kind {
	case KindInt:
		n := b.Int(id)
		p.field("size", b.Size(id)).field("bits_offset", uint32(n.BitOffset)).field("nr_bits", uint32(n.Bits))
		p.word("encoding", n.Encoding.display())
	case KindPtr, KindConst, KindVolatile, KindRestrict, KindTypedef, KindTypeTag:
		p.field("type_id", uint32(b.Ref(id)))
	case KindArray:
		a := b.Array(id)
		p.field("type_id", uint32(a.Elem)).field("index_type_id", uint32(a.Index)).field("nr_elems", a.Nelems)
	case KindStruct, KindUnion:
		n := b.Vlen(id)
		p.field("size", b.Size(id)).field("vlen", uint32(n))
		p.list("members", n, func(i int) {
			m := b.Member(id, i)
			p.str(`"name":`).quoted(b.display(m.NameOff)).field("type_id", uint32(m.Type)).field("bits_offset", m.BitOffset)
			if m.BitSize != 0 {
				p.field("bitfield_size", m.BitSize)
			}
		})
	case KindEnum, KindEnum64:
		n, signed := b.Vlen(id), b.KindFlag(id)
		p.word("encoding", signedness(signed)).field("size", b.Size(id)).field("vlen", uint32(n))
		p.list("values", n, func(i int) {
			e := b.Enumerator(id, i)
			p.str(`"name":`).quoted(b.display(e.NameOff)).str(`,"val":`).enumerator(e.Value, signed)
		})
	case KindFwd:
		p.word("fwd_kind", b.fwdKind(id))
	case KindFunc:
		p.field("type_id", uint32(b.Ref(id))).word("linkage", linkageName(b.Linkage(id)))
	case KindFuncProto:
		n := b.Vlen(id)
		p.field("ret_type_id", uint32(b.Ref(id))).field("vlen", uint32(n))
		p.list("params", n, func(i int) {
			a := b.Param(id, i)
			p.str(`"name":`).quoted(b.display(a.NameOff)).field("type_id", uint32(a.Type))
		})
	case KindVar:
		p.field("type_id", uint32(b.Ref(id))).word("linkage", linkageName(b.Linkage(id)))
	case KindDatasec:
		n := b.Vlen(id)
		p.field("size", b.Size(id)).field("vlen", uint32(n))
		p.list("vars", n, func(i int) {
			s := b.Secinfo(id, i)
			p.str(`"type_id":`).num(uint64(s.Type)).field("offset", s.Offset).field("size", s.Size)
		})
	case KindFloat:
		p.field("size", b.Size(id))
	case KindDeclTag:
		p.field("type_id", uint32(b.Ref(id))).str(`,"component_idx":`).signed(int64(b.ComponentIndex(id)))
	}
	p.str("}")
}

// field adds a number to an object that has a field already.
func (p *printer) field(name string, v uint32) *printer {
	return p.str(`,"`).str(name).str(`":`).num(uint64(v))
}

// word adds a string that needs no escaping.
func (p *printer) word(name, v string) *printer {
	return p.str(`,"`).str(name).str(`":"`).str(v).str(`"`)
}

// list adds an array of n objects, whose fields item prints.
func (p *printer) list(name string, n int, item func(i int)) {
	p.str(`,"`).str(name).str(`":[`)
	for i := range n {
		if i > 0 {
			p.str(",")
		}
		p.str("{")
		item(i)
		p.str("}")
		p.spill()
	}
	p.str("]")
}

// quoted adds a JSON string.
func (p *printer) quoted(s []byte) *printer {
	const hex = "0123456789abcdef"
	p.buf = append(p.buf, '"')
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			p.buf = append(p.buf, '\\', c)
		case c < ' ' || c == 0x7f:
			p.buf = append(p.buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			p.buf = append(p.buf, c)
		default:
			r, n := utf8.DecodeRune(s[i:]) // U+FFFD of length 1 for what is not UTF-8
			p.buf = utf8.AppendRune(p.buf, r)
			i += n
			continue
		}
		i++
	}
	return p.str(`"`)
}
