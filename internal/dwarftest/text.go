package dwarftest

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// Declare writes a declaration of name with a type as C has it: "int (*name)(const char *, ...)". Types without a name are
// written with what is in them, to a depth.
func Declare(b *btf.BTF, id btf.ID, name string) string { return declare(b, id, name, 0) }

const enoughDepth = 6 // of types without a name in one another, and of pointers to pointers twice that

func declare(b *btf.BTF, id btf.ID, name string, depth int) string {
	// before puts what stands to the left of a name.
	before := func(word string) string {
		if name == "" || strings.HasPrefix(name, "[") {
			return word + name
		}
		return word + " " + name
	}
	if depth > 4*enoughDepth {
		return before("…")
	}
	inner := func(to btf.ID, name string) string { return declare(b, to, name, depth+1) }
	switch kind := b.Kind(id); kind {
	case btf.KindVoid:
		return before("void")
	case btf.KindInt, btf.KindFloat, btf.KindTypedef:
		return before(b.Name(id))
	case btf.KindPtr:
		to := b.Ref(id)
		if k := b.Kind(to); k == btf.KindArray || k == btf.KindFuncProto {
			return inner(to, "(*"+name+")")
		}
		return inner(to, "*"+name)
	case btf.KindConst, btf.KindVolatile, btf.KindRestrict:
		// A qualifier of a pointer stands after its star, any other before the type.
		to := b.Ref(id)
		word := map[btf.Kind]string{btf.KindConst: "const", btf.KindVolatile: "volatile", btf.KindRestrict: "restrict"}[kind]
		at, _ := behindQualifiers(b, to)
		if b.Kind(at) == btf.KindPtr {
			return inner(to, before(word))
		}
		return word + " " + inner(to, name)
	case btf.KindTypeTag:
		return inner(b.Ref(id), before("tag("+b.Name(id)+")"))
	case btf.KindArray:
		a := b.Array(id)
		return inner(a.Elem, fmt.Sprintf("%s[%d]", name, a.Nelems))
	case btf.KindFuncProto:
		return inner(b.Ref(id), name+"("+params(b, id, depth)+")")
	case btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
		word := keyword(b, id)
		if b.NameOff(id) != 0 {
			return before(word + " " + b.Name(id))
		}
		if depth >= enoughDepth {
			return before(word + " {…}")
		}
		return before(word + " " + body(b, id, depth+1))
	case btf.KindFwd:
		return before(keyword(b, id) + " " + b.Name(id))
	default:
		return before(fmt.Sprintf("%v %q", kind, b.Name(id)))
	}
}

func behindQualifiers(b *btf.BTF, id btf.ID) (btf.ID, int) {
	n := 0
	for ; n < 4*enoughDepth; n++ {
		switch b.Kind(id) {
		case btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
			id = b.Ref(id)
		default:
			return id, n
		}
	}
	return id, n
}

func keyword(b *btf.BTF, id btf.ID) string {
	switch k := b.Kind(id); {
	case k == btf.KindUnion, k == btf.KindFwd && b.KindFlag(id):
		return "union"
	case k.IsEnum():
		return "enum"
	default:
		return "struct"
	}
}

func params(b *btf.BTF, id btf.ID, depth int) string {
	if b.Vlen(id) == 0 {
		return "void"
	}
	var list []string
	for i := range b.Vlen(id) {
		p := b.Param(id, i)
		if p.Type == 0 && p.NameOff == 0 {
			list = append(list, "...")
			continue
		}
		list = append(list, declare(b, p.Type, b.String(p.NameOff), depth+1))
	}
	return strings.Join(list, ", ")
}

// body is what stands between the braces of a struct, union or enum, with the braces: members with their offsets in bytes and
// bits, then the size in bytes.
func body(b *btf.BTF, id btf.ID, depth int) string {
	var w strings.Builder
	w.WriteString("{")
	for i := range b.Vlen(id) {
		if b.Kind(id).IsEnum() {
			e := b.Enumerator(id, i)
			if b.KindFlag(id) {
				fmt.Fprintf(&w, " %s = %d,", b.String(e.NameOff), int64(e.Value))
			} else {
				fmt.Fprintf(&w, " %s = %d,", b.String(e.NameOff), e.Value)
			}
			continue
		}
		m := b.Member(id, i)
		fmt.Fprintf(&w, " %s", declare(b, m.Type, b.String(m.NameOff), depth+1))
		if m.BitSize != 0 {
			fmt.Fprintf(&w, " : %d", m.BitSize)
		}
		fmt.Fprintf(&w, " @%d", m.BitOffset/8)
		if m.BitOffset%8 != 0 || m.BitSize != 0 {
			fmt.Fprintf(&w, ".%d", m.BitOffset%8)
		}
		w.WriteString(";")
	}
	sign := ""
	if b.Kind(id).IsEnum() && b.KindFlag(id) {
		sign = " signed"
	}
	fmt.Fprintf(&w, " } %d%s", b.Size(id), sign)
	return w.String()
}

// Text is a type in words of C, on one line, with all that its own record says.
func Text(b *btf.BTF, id btf.ID) string {
	switch kind := b.Kind(id); kind {
	case btf.KindInt:
		n := b.Int(id)
		text := fmt.Sprintf("int %s: %d bytes", b.Name(id), b.Size(id))
		if uint32(n.Bits) != 8*b.Size(id) || n.BitOffset != 0 {
			text += fmt.Sprintf(", %d bits from %d", n.Bits, n.BitOffset)
		}
		for _, e := range []struct {
			bit  btf.IntEncoding
			text string
		}{{btf.Signed, " signed"}, {btf.Char, " char"}, {btf.Bool, " bool"}} {
			if n.Encoding&e.bit != 0 {
				text += e.text
			}
		}
		return text
	case btf.KindFloat:
		return fmt.Sprintf("float %s: %d bytes", b.Name(id), b.Size(id))
	case btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
		text := keyword(b, id) + " " + b.Name(id)
		return strings.TrimSpace(text) + " " + body(b, id, 0)
	case btf.KindTypedef:
		return "typedef " + Declare(b, b.Ref(id), b.Name(id))
	case btf.KindFwd:
		return "forward " + keyword(b, id) + " " + b.Name(id)
	case btf.KindFunc:
		return linkage(b, id) + " " + Declare(b, b.Ref(id), b.Name(id))
	case btf.KindVar:
		return linkage(b, id) + " variable " + Declare(b, b.Ref(id), b.Name(id))
	case btf.KindDatasec:
		return fmt.Sprintf("section %s of %d bytes with %d variables", b.Name(id), b.Size(id), b.Vlen(id))
	case btf.KindDeclTag:
		return fmt.Sprintf("tag %q of component %d of %s", b.Name(id), b.ComponentIndex(id), Declare(b, b.Ref(id), ""))
	default:
		return Declare(b, id, "")
	}
}

func linkage(b *btf.BTF, id btf.ID) string {
	switch b.Linkage(id) {
	case btf.LinkageStatic:
		return "static"
	case btf.LinkageGlobal:
		return "global"
	case btf.LinkageExtern:
		return "extern"
	}
	return fmt.Sprintf("linkage %d", b.Linkage(id))
}
