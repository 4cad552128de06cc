package btf

import (
	"bytes"
	"fmt"
	"strconv"
)

// qualifiers are those collected on the way to what they qualify.
type qualifiers struct {
	konst, volatile, restrict bool
	tags                      []uint32 // string offsets of type tags
}

// text appends the qualifiers, each with a space behind it. restrict is only
// for pointers.
func (d *cDumper) qualify(out []byte, q *qualifiers, pointer bool) []byte {
	if q.konst {
		out = append(out, "const "...)
	}
	if q.volatile {
		out = append(out, "volatile "...)
	}
	if q.restrict && pointer {
		out = append(out, "restrict "...)
	}
	for i := len(q.tags) - 1; i >= 0; i-- {
		out = append(out, "__btf_type_tag("...)
		out = cString(out, d.b.StringBytes(q.tags[i]))
		out = append(out, ") "...)
	}
	*q = qualifiers{}
	return out
}

// cString appends a string literal.
func cString(out, s []byte) []byte {
	out = append(out, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\' || c == '?': // ?, because of trigraphs
			out = append(out, '\\', c)
		case c < ' ' || c >= 0x7f:
			out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// declaration appends the declaration of name as a type: "int (*name)[4]". A
// definition within it is indented by indent tabs. An empty name declares
// nothing, as in a parameter.
//
// A declarator is read from the name outwards, while the type is walked from
// its outermost part inwards: so the declarator grows on both sides, and what
// it says something about comes last and is written first.
func (d *cDumper) declaration(out []byte, id ID, name []byte, indent int) []byte {
	if !d.enter(id) {
		return out
	}
	defer d.leave()
	b := d.b
	decl := bytes.Clone(name)
	prepend := func(s []byte) { decl = append(s, decl...) }
	var q qualifiers
	var unfolded []ID
	defer func() {
		for _, t := range unfolded {
			delete(d.writing, t)
		}
	}()
	finish := func(base []byte, indent int) []byte {
		out = append(out, base...)
		if len(decl) > 0 {
			out = append(out, ' ')
		}
		return append(out, decl...)
	}
	afterPointer := false
	group := func() {
		if afterPointer {
			prepend([]byte("("))
			decl = append(decl, ')')
		}
		afterPointer = false
	}
	for chain := 0; d.step(id); chain++ {
		if chain > maxModifiers {
			d.fail(id, fmt.Sprintf("a declaration of more than %d parts", maxModifiers))
			break
		}
		switch kind := b.Kind(id); kind {
		case KindConst:
			q.konst = true
			id = b.Ref(id)
		case KindVolatile:
			q.volatile = true
			id = b.Ref(id)
		case KindRestrict:
			q.restrict = true
			id = b.Ref(id)
		case KindTypeTag:
			q.tags = append(q.tags, b.NameOff(id))
			id = b.Ref(id)
		case KindPtr:
			s := d.qualify([]byte("*"), &q, d.restrictable(id))
			if len(decl) == 0 || decl[0] == '*' || decl[0] == '(' || decl[0] == '[' {
				s = bytes.TrimSuffix(s, []byte(" "))
			}
			prepend(s)
			afterPointer = true
			id = b.Ref(id)
		case KindArray:
			a := b.Array(id)
			group()
			decl = append(decl, '[')
			if !d.usable(a.Elem) {
				decl = append(decl, "0]"...)
				return finish([]byte("char"), indent)
			}
			decl = strconv.AppendUint(decl, uint64(a.Nelems), 10)
			decl = append(decl, ']')
			id = a.Elem
		case KindFuncProto:
			group()
			q = qualifiers{}
			decl = d.parameters(decl, id, indent)
			id = b.Ref(id)
			if !d.returnable(id) {
				return finish([]byte("void"), indent)
			}
		case KindTypedef:
			if d.unit[id] == unitDone {
				base := d.qualify(nil, &q, d.restrictable(id))
				return finish(d.ordinary(base, id), indent)
			}
			if d.writing[id] {
				return finish(append(d.qualify(nil, &q, false), d.standIn(id)...), indent)
			}
			d.writing[id] = true
			unfolded = append(unfolded, id)
			id = b.Ref(id)
		case KindStruct, KindUnion, KindEnum, KindEnum64:
			base := d.qualify(nil, &q, false)
			switch {
			case kind.IsEnum() && b.Vlen(id) == 0 && (b.NameOff(id) == 0 || !afterPointer):
				// An enum without values is never complete in C.
				base = append(base, plainInt(b.Size(id), b.KindFlag(id))...)
			case b.NameOff(id) != 0:
				base = d.tag(base, id)
			case d.writing[id]:
				base = append(base, "void"...)
			default:
				base = d.composite(base, id, indent)
			}
			return finish(base, indent)
		case KindFwd:
			return finish(d.tag(d.qualify(nil, &q, false), id), indent)
		case KindInt, KindFloat:
			base := d.qualify(nil, &q, false)
			text, array := d.number(id)
			base = append(base, text...)
			if array > 0 {
				group()
				decl = append(decl, '[')
				decl = strconv.AppendUint(decl, uint64(array), 10)
				decl = append(decl, ']')
			}
			return finish(base, indent)
		default: // void, and what is no type of a value
			return finish(append(d.qualify(nil, &q, false), "void"...), indent)
		}
	}
	return out
}

// parameters appends a prototype's parameters in their parentheses.
func (d *cDumper) parameters(out []byte, id ID, indent int) []byte {
	b, n := d.b, d.b.Vlen(id)
	out = append(out, '(')
	for i := range n {
		p := b.Param(id, i)
		if i > 0 {
			out = append(out, ", "...)
		}
		if p.Type == 0 && p.NameOff == 0 && i == n-1 {
			if n > 1 { // C has no "(...)", but "()"
				out = append(out, "..."...)
			}
			break
		}
		name := d.parameter(id, i)
		if d.isVoid(p.Type) {
			out = append(append(out, "void *"...), name...)
			continue
		}
		out = d.declaration(out, p.Type, name, indent)
		if d.err != nil {
			break
		}
	}
	if n == 0 {
		out = append(out, "void"...)
	}
	return append(out, ')')
}

// parameter is the name of a parameter, or nothing if it would hide a type
// that a later parameter may be of, or repeat an earlier name.
func (d *cDumper) parameter(proto ID, i int) []byte {
	off := d.b.Param(proto, i).NameOff
	name := d.b.StringBytes(off)
	if len(name) == 0 || d.names.idents[string(name)] > 0 || !bytes.Equal(name, identifier(name)) {
		return nil
	}
	for j := range min(i, 64) {
		if bytes.Equal(d.b.StringBytes(d.b.Param(proto, j).NameOff), name) {
			return nil
		}
	}
	if i >= 64 {
		return nil // no prototype of a real kernel has as many
	}
	return name
}

// isVoid tells types that no parameter can have: void, modified or not, and
// what is no type of a value.
func (d *cDumper) isVoid(id ID) bool {
	for range maxModifiers {
		switch kind := d.b.Kind(id); {
		case kind == KindTypedef && d.writing[id] && d.unit[id] != unitDone:
			return d.standIn(id) == "void"
		case kind.IsModifier():
			id = d.b.Ref(id)
		case kind.IsComposite():
			return d.b.NameOff(id) == 0 && d.writing[id]
		default:
			return !(kind == KindInt || kind == KindFloat || kind == KindPtr || kind == KindArray || kind == KindFuncProto ||
				kind == KindFwd || kind.IsEnum())
		}
	}
	return true
}

// standIn is what a typedef is written as within itself.
func (d *cDumper) standIn(id ID) string {
	if to, ok := d.b.SkipModifiers(id); ok && d.b.Kind(to) == KindPtr {
		return "void *"
	}
	return "void"
}

// restrictable tells a pointer to something other than a function.
func (d *cDumper) restrictable(id ID) bool {
	id, ok := d.b.SkipModifiers(id)
	if !ok || d.b.Kind(id) != KindPtr {
		return false
	}
	to, ok := d.b.SkipModifiers(d.b.Ref(id))
	return ok && d.b.Kind(to) != KindFuncProto
}

// returnable tells what a function of C can return.
func (d *cDumper) returnable(id ID) bool {
	id, ok := d.b.SkipModifiers(id)
	if !ok {
		return false
	}
	switch d.b.Kind(id) {
	case KindArray, KindFuncProto:
		return false
	}
	return true
}

// usable tells whether a value of a type can be declared: the type is complete
// and, if it is defined on its own, has been written.
func (d *cDumper) usable(id ID) bool {
	b := d.b
	for range maxModifiers {
		switch kind := b.Kind(id); {
		case kind == KindArray:
			id = b.Array(id).Elem
		case kind.IsModifier():
			if kind == KindTypedef && d.unit[id] != unitDone && d.writing[id] {
				return false
			}
			id = b.Ref(id)
		case kind.IsComposite():
			if b.NameOff(id) == 0 {
				return !d.writing[id]
			}
			return d.unit[id] == unitDone
		default:
			return kind == KindPtr || kind == KindInt || kind == KindFloat || kind.IsEnum()
		}
	}
	return false
}

// number is how an integer or float is called. Its size is array times that of
// the type named where array is not 0: C has no integer of, say, three bytes.
func (d *cDumper) number(id ID) (text []byte, array uint32) {
	b := d.b
	if d.unit[id] == unitDone {
		return d.ordinary(nil, id), 0
	}
	if size, isC := cTypeSize(b.NameBytes(id), d.pointer); isC && size == b.Size(id) {
		return b.NameBytes(id), 0
	}
	if size := b.Size(id); !powerOfTwo(size) || size > 16 {
		return []byte("unsigned char"), size
	}
	if b.Int(id).Encoding&Bool != 0 && b.Size(id) == 1 {
		return []byte("_Bool"), 0
	}
	return []byte(plainInt(b.Size(id), b.Int(id).Encoding&Signed != 0)), 0
}

// alias appends the typedef of an integer or float that C does not have.
func (d *cDumper) alias(out []byte, id ID) []byte {
	text, array := d.number(id)
	out = append(append(out, "typedef "...), text...)
	out = d.ordinary(append(out, ' '), id)
	if array > 0 {
		out = append(out, '[')
		out = strconv.AppendUint(out, uint64(array), 10)
		out = append(out, ']')
	}
	return out
}

func powerOfTwo(n uint32) bool { return n != 0 && n&(n-1) == 0 }

// plainInt is C's integer of a size in bytes: 1, 2, 4, 8 or 16.
func plainInt(size uint32, signed bool) string {
	var name string
	switch size {
	case 1:
		if signed {
			return "signed char"
		}
		name = "char"
	case 2:
		name = "short"
	case 4:
		name = "int"
	case 8:
		name = "long long"
	default:
		name = "__int128"
	}
	if signed {
		return name
	}
	return "unsigned " + name
}

// typedef appends a typedef.
func (d *cDumper) typedef(out []byte, id ID) []byte {
	out = append(out, "typedef "...)
	return d.declaration(out, d.b.Ref(id), d.ordinary(nil, id), 0)
}

// enum appends the definition of an enum, from its keyword to its attribute.
func (d *cDumper) enum(out []byte, id ID, indent int) []byte {
	b, n, size := d.b, d.b.Vlen(id), d.b.Size(id)
	if b.NameOff(id) == 0 {
		d.inlined[id] = true
	}
	out = append(d.tag(out, id), " {\n"...)
	signed, natural := d.enumType(id)
	for i := range n {
		if !d.step(id) {
			return out
		}
		e := b.Enumerator(id, i)
		name := identifier(b.StringBytes(e.NameOff))
		out = tabs(out, indent+1)
		out = suffixed(out, name, d.names.take(d.names.idents, name))
		out = append(out, " = "...)
		out = enumValue(out, e.Value, size, signed)
		out = append(out, ",\n"...)
	}
	out = append(tabs(out, indent), '}')
	if natural != size {
		mode := map[uint32]string{1: "QI", 2: "HI", 4: "SI", 8: "DI"}[size]
		out = append(out, " __attribute__((mode("+mode+")))"...)
	}
	return out
}

// enumType is the signedness that the values of an enum are written with, and
// the size in bytes that C gives it by itself.
//
// Before enums had a signedness all were encoded as unsigned. That shows where
// a value does not fit into a small one.
func (d *cDumper) enumType(id ID) (signed bool, natural uint32) {
	b, size := d.b, d.b.Size(id)
	signed = b.KindFlag(id)
	if !signed && size < 4 {
		for i := range b.Vlen(id) {
			signed = signed || b.Enumerator(id, i).Value>>(size*8) != 0
		}
	}
	natural = 4
	negative, wide := false, false
	for i := range b.Vlen(id) {
		v := truncated(b.Enumerator(id, i).Value, size, signed)
		switch {
		case signed && int64(v) < 0:
			negative = true
			if int64(v) < -1<<31 {
				natural = 8
			}
		case v>>32 != 0:
			natural = 8
		case v>>31 != 0:
			wide = true
		}
	}
	if negative && wide {
		natural = 8
	}
	return signed, natural
}

// truncated is what an enum of a size in bytes can hold of a value.
func truncated(v uint64, size uint32, signed bool) uint64 {
	shift := 64 - min(size, 8)*8
	if signed {
		return uint64(int64(v<<shift) >> shift)
	}
	return v << shift >> shift
}

func enumValue(out []byte, v uint64, size uint32, signed bool) []byte {
	v = truncated(v, size, signed)
	switch {
	case signed && int64(v) == -1<<63:
		return append(out, "-9223372036854775807LL - 1"...)
	case signed:
		out = strconv.AppendInt(out, int64(v), 10)
	default:
		out = strconv.AppendUint(out, v, 10)
	}
	if size == 8 {
		out = append(out, enum64Suffix(signed)...)
	}
	return out
}

func tabs(out []byte, n int) []byte {
	for range n {
		out = append(out, '\t')
	}
	return out
}
