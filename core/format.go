package core

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// kindWords are kinds as libbpf's logs name them.
var kindWords = [...]string{
	"void", "int", "ptr", "array", "struct", "union", "enum", "fwd", "typedef", "volatile", "const", "restrict",
	"func", "func_proto", "var", "datasec", "float", "decl_tag", "type_tag", "enum64",
}

func kindWord(k btf.Kind) string {
	if int(k) < len(kindWords) {
		return kindWords[k]
	}
	return "unknown"
}

// LocalPath is the object's side of a relocation as libbpf prints it, with the
// type id of its own object: "<byte_off> [4] struct S.a.b[3] (0:1:2:3 @ offset 12)".
func (l *Local) LocalPath() string {
	return fmt.Sprintf("<%v> %s", l.Kind, l.types.path(l.Kind, l.Type, &l.spec, l.err == nil))
}

// TargetPath is where the i-th relocation's first match leads in the kernel
// that was loaded last, in the same form; "" if nothing matches.
func (r *Resolver) TargetPath(i int, out Outcome) string {
	if out.Target == 0 {
		return ""
	}
	l, t := r.plan.locals[i], &r.blobs[out.Blob]
	t.tracing = false
	t.begin()
	v, _ := t.matchSpec(l, out.Target, &r.spec)
	return t.path(l.Kind, out.Target, &r.spec, v == matches)
}

// path is bpf_core_format_spec, without the relocation's kind.
func (t *types) path(kind Kind, root btf.ID, s *spec, found bool) string {
	var b strings.Builder
	name := t.Name(root)
	if name == "" {
		name = "<anon>"
	}
	fmt.Fprintf(&b, "[%d] %s %s", root, kindWord(t.Kind(root)), name)
	switch {
	case !found || kind.isType():
	case kind.isEnumval():
		acc := s.acc[0]
		e := t.Enumerator(acc.typ, int(acc.idx))
		fmt.Fprintf(&b, "::%s = ", t.String(e.NameOff))
		if t.KindFlag(acc.typ) {
			fmt.Fprintf(&b, "%d", int64(e.Value))
		} else {
			fmt.Fprintf(&b, "%d", e.Value)
		}
	default:
		t.fieldPath(&b, s)
		b.WriteString(" (")
		for i, n := range s.raw {
			if i > 0 {
				b.WriteByte(':')
			}
			fmt.Fprintf(&b, "%d", n)
		}
		fmt.Fprintf(&b, " @ offset %d", s.bitOffset/8)
		if rest := s.bitOffset % 8; rest != 0 {
			fmt.Fprintf(&b, ".%d", rest)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func (t *types) fieldPath(b *strings.Builder, s *spec) {
	for i, acc := range s.acc {
		switch {
		case acc.named:
			b.WriteByte('.')
			b.Write(t.StringBytes(t.Member(acc.typ, int(acc.idx)).NameOff))
		case i > 0 || acc.idx > 0:
			fmt.Fprintf(b, "[%d]", acc.idx)
		}
	}
}
