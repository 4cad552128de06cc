package btf

import (
	"bytes"
	"strconv"
	"strings"
)

// cNames says what types are called in C: tags (struct, union, enum) and
// ordinary identifiers (typedefs, enumerators) have name spaces of their own.
type cNames struct {
	suffix []uint32  // per id: n for name___n, 0 and 1 for the name as it is
	same   map[ID]ID // a FWD to the type that it declares

	tags, idents map[string]uint32 // how often a name was given
	flavored     map[string]bool   // names with ___ of their own, not to be made up again
}

// tagKey finds the type that a forward declaration is of.
type tagKey struct {
	name  string
	union bool
}

// assign names every type of b and its base, in the order of their ids.
func (n *cNames) assign(d *cDumper) {
	b := d.b
	n.suffix = make([]uint32, b.End())
	n.same = make(map[ID]ID)
	n.tags, n.idents = make(map[string]uint32), make(map[string]uint32)
	n.flavored = make(map[string]bool)
	for _, word := range strings.Fields(cKeywords) {
		n.tags[word], n.idents[word] = 1, 1
	}
	for _, word := range strings.Fields(cPredefined) {
		n.idents[word] = 1
	}
	for id := ID(1); id < b.End(); id++ {
		n.flavor(b.NameBytes(id))
		if b.Kind(id).IsEnum() {
			for i := range b.Vlen(id) {
				n.flavor(b.StringBytes(b.Enumerator(id, i).NameOff))
			}
		}
	}
	defined := make(map[tagKey]ID)
	for id := ID(1); id < b.End(); id++ {
		if b.NameOff(id) == 0 {
			continue
		}
		switch kind := b.Kind(id); {
		case kind.IsComposite():
			name := identifier(b.NameBytes(id))
			n.suffix[id] = n.take(n.tags, name)
			if key := (tagKey{string(name), kind == KindUnion}); defined[key] == 0 {
				defined[key] = id
			}
		case kind.IsEnum():
			n.suffix[id] = n.take(n.tags, identifier(b.NameBytes(id)))
		case kind == KindTypedef, n.isAlias(d, id):
			n.suffix[id] = n.take(n.idents, identifier(b.NameBytes(id)))
		}
	}
	for id := ID(1); id < b.End(); id++ {
		if b.Kind(id) != KindFwd {
			continue
		}
		name := identifier(b.NameBytes(id))
		key := tagKey{string(name), b.KindFlag(id)}
		if defined[key] == 0 {
			defined[key] = id
			n.suffix[id] = n.take(n.tags, name)
		}
		n.same[id] = defined[key]
	}
}

func (n *cNames) flavor(name []byte) {
	if bytes.Contains(name, []byte("___")) {
		n.flavored[string(identifier(name))] = true
	}
}

// take gives a name out, and says with which suffix.
func (n *cNames) take(space map[string]uint32, name []byte) uint32 {
	count := space[string(name)] + 1
	for count > 1 && n.flavored[string(suffixed(nil, name, count))] {
		count++
	}
	space[string(name)] = count
	return count
}

// suffixed appends a name with its suffix.
func suffixed(out, name []byte, suffix uint32) []byte {
	out = append(out, name...)
	if suffix > 1 {
		out = append(out, "___"...)
		out = strconv.AppendUint(out, uint64(suffix), 10)
	}
	return out
}

// definition is the type that a forward declaration is of: the first struct or
// union of the name, else the first forward declaration.
func (n *cNames) definition(id ID) ID {
	if def := n.same[id]; def != 0 {
		return def
	}
	return id
}

// isAlias tells an integer or float whose name is not the one of a C type of
// its size: it is written as a typedef. One without a name is not.
func (n *cNames) isAlias(d *cDumper, id ID) bool {
	kind := d.b.Kind(id)
	if kind != KindInt && kind != KindFloat || d.b.NameOff(id) == 0 {
		return false
	}
	_, isC := cTypeSize(d.b.NameBytes(id), d.pointer)
	return !isC
}

// ordinary appends the name of a typedef or alias.
func (d *cDumper) ordinary(out []byte, id ID) []byte {
	return suffixed(out, identifier(d.b.NameBytes(id)), d.names.suffix[id])
}

// tag appends the name of a struct, union, enum or forward declaration with
// its keyword.
func (d *cDumper) tag(out []byte, id ID) []byte {
	out = append(out, d.keyword(id)...)
	if d.b.Kind(id) == KindFwd {
		id = d.names.definition(id)
	}
	if d.b.NameOff(id) == 0 && d.b.Kind(id) != KindFwd {
		return out
	}
	out = append(out, ' ')
	return suffixed(out, identifier(d.b.NameBytes(id)), d.names.suffix[id])
}

func (d *cDumper) keyword(id ID) string {
	switch kind := d.b.Kind(id); {
	case kind == KindUnion, kind == KindFwd && d.b.KindFlag(id):
		return "union"
	case kind.IsEnum():
		return "enum"
	}
	return "struct"
}

// member appends the name of a member.
func (d *cDumper) member(off uint32) []byte {
	name := identifier(d.b.StringBytes(off))
	if isKeyword(name) {
		return append(bytes.Clone(name), '_')
	}
	return name
}

// identifier is a name with what C allows in one. It aliases the blob where
// nothing is to be replaced.
func identifier(name []byte) []byte {
	ok := len(name) > 0 && (name[0] < '0' || name[0] > '9')
	for _, c := range name {
		ok = ok && identifierByte(c)
	}
	if ok {
		return name
	}
	out := make([]byte, 0, len(name)+1)
	if len(name) == 0 || name[0] >= '0' && name[0] <= '9' {
		out = append(out, '_')
	}
	for _, c := range name {
		if !identifierByte(c) {
			c = '_'
		}
		out = append(out, c)
	}
	return out
}

func identifierByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// cKeywords are GNU C's keywords, those that a kernel's own C cannot have used
// but another language's may.
const cKeywords = `auto break case char const continue default do double else enum extern float for goto if inline int
	long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
	asm typeof _Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local
	__alignof __alignof__ __asm __asm__ __attribute __attribute__ __auto_type __builtin_offsetof
	__builtin_types_compatible_p __builtin_va_arg __builtin_choose_expr __complex__ __const __const__ __extension__
	__func__ __FUNCTION__ __PRETTY_FUNCTION__ __imag__ __inline __inline__ __int128 __label__ __real__ __restrict
	__restrict__ __signed __signed__ __thread __typeof __typeof__ __volatile __volatile__ _Float16 _Float32 _Float32x
	_Float64 _Float64x _Float128 __float128 __fp16 __bf16`

// cPredefined are type names that compilers have from the start, with a
// meaning that depends on the machine.
const cPredefined = `__builtin_va_list __builtin_ms_va_list __builtin_sysv_va_list`

var keywordSet = func() map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(cKeywords) {
		set[word] = true
	}
	return set
}()

func isKeyword(name []byte) bool { return keywordSet[string(name)] }

// cTypeSize is the size in bytes that C gives a type name made of keywords, in
// any order; long is as long as a pointer. isC is false for other names.
// "long double" has no size that can be relied on: 0.
func cTypeSize(name []byte, pointer uint32) (size uint32, isC bool) {
	var long, sign, base int
	for word := range bytes.FieldsSeq(name) {
		switch string(word) {
		case "long":
			long++
		case "signed", "unsigned":
			sign++
		case "int":
			base |= 1
		case "short":
			base |= 2
		case "char":
			base |= 4
		case "_Bool":
			base |= 8
		case "float":
			base |= 16
		case "double":
			base |= 32
		case "__int128":
			base |= 64
		default:
			return 0, false
		}
	}
	if long > 2 || sign > 1 || sign > 0 && base&(8|16|32) != 0 || long > 0 && base&^(1|32) != 0 {
		return 0, false
	}
	switch base {
	case 0, 1:
		switch {
		case long == 1:
			return pointer, true
		case long == 2:
			return 8, true
		}
		return 4, base == 1 || sign > 0
	case 2, 3:
		return 2, true
	case 4, 8:
		return 1, true
	case 16:
		return 4, true
	case 32:
		if long > 0 {
			return 0, long == 1
		}
		return 8, true
	case 64:
		return 16, true
	}
	return 0, false
}
