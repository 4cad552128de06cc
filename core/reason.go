package core

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// Reason says in words why the i-th relocation came to out in the kernel that
// was loaded last: "struct task_struct has no member state; it has __state".
// It is "" for a relocation that resolved.
func (r *Resolver) Reason(i int, out Outcome) string {
	l := r.plan.locals[i]
	switch {
	case out.Status == Resolved && !out.FailMemSize:
		return ""
	case out.err != nil:
		return out.err.Error()
	case out.Status == Resolved:
		return fmt.Sprintf("%s has %d bytes here and %d in the program: only pointers and unsigned integers may differ",
			l.fieldName(), out.NewSize, out.OrigSize)
	case out.Status == Ambiguous:
		return r.ambiguity(i, out)
	case out.Status == Failed:
		return fmt.Sprintf("%v of %s: %s", l.Kind, l.fieldName(), flawTexts[out.flaw])
	}
	return r.missing(i)
}

// fieldName is the local path in C's words: "struct S.a[3]".
func (l *Local) fieldName() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", kindWord(l.rootKind), l.rootName)
	if l.Kind.isField() && l.err == nil {
		l.types.fieldPath(&b, &l.spec)
	}
	if l.Kind.isEnumval() && l.err == nil {
		fmt.Fprintf(&b, "::%s", l.names[0])
	}
	return b.String()
}

func (r *Resolver) ambiguity(i int, out Outcome) string {
	l := r.plan.locals[i]
	list := r.matchesOf(i)
	say := func(id btf.ID) string {
		for _, m := range list {
			c := &r.cands[m.cand]
			if c.id != id {
				continue
			}
			what := fmt.Sprintf("%s %s", kindWord(c.kind), r.blobs[c.blob].Name(id))
			if l.Kind == FieldExists { // also where both have the field
				return fmt.Sprintf("%s has it at bit %d", what, m.bitOffset)
			}
			if l.Kind.isField() {
				return fmt.Sprintf("%s has it at bit %d (value %d)", what, m.bitOffset, m.value.val)
			}
			if l.Kind == TypeIDTarget { // an id, and so another in every copy of the types
				return what
			}
			return fmt.Sprintf("%s gives %d", what, int64(m.value.val))
		}
		return "a type"
	}
	return fmt.Sprintf("%s is ambiguous: one %s, another %s", l.fieldName(), say(out.Target), say(out.rival))
}

// missing explains why no candidate matches.
func (r *Resolver) missing(i int) string {
	l := r.plan.locals[i]
	name := EssentialName(l.rootName)
	lo, hi := r.byName(r.plan.roots[i].lib)
	var other *candidate
	text := ""
	r.eachLib(r.plan.roots[i].lib, l.rootKind, func(c int32) {
		if text == "" {
			text = r.mismatch(l, &r.cands[c])
		}
	})
	if text != "" {
		return text
	}
	for c := lo; c < hi && other == nil; c++ {
		if r.cands[c].lib {
			other = &r.cands[c]
		}
	}
	if other != nil {
		return fmt.Sprintf("no %s %s; there is a %s of that name", kindWord(l.rootKind), name, kindWord(other.kind))
	}
	return fmt.Sprintf("no %s %s", kindWord(l.rootKind), name)
}

// mismatch says where a candidate's path ends.
func (r *Resolver) mismatch(l *Local, c *candidate) string {
	t := &r.blobs[c.blob]
	t.tracing = false
	t.begin()
	s := &r.spec
	what := fmt.Sprintf("%s %s", kindWord(c.kind), t.Name(c.id))
	switch {
	case l.Kind == TypeMatches:
		return what + " does not match the program's definition"
	case l.Kind.isType():
		return what + " is of another sort than the program's"
	case l.Kind.isEnumval():
		return fmt.Sprintf("%s has no enumerator %s%s", what, l.names[0], r.nearEnumerator(t, c.id, l.names[0]))
	}
	if v, _ := t.matchField(l, c.id, s); v == matches {
		return "" // matches after all
	}
	done := len(s.acc)
	if done >= len(l.spec.acc) {
		return what + " does not match"
	}
	at := c.id
	path := ""
	if done > 0 {
		last := s.acc[done-1]
		at = last.typ
		var b strings.Builder
		t.fieldPath(&b, &spec{acc: s.acc[:done]})
		path = b.String()
		if last.named {
			at = t.Member(last.typ, int(last.idx)).Type
		}
	}
	id, k, _ := t.skip(at)
	where := what + path
	step := l.spec.acc[done]
	if !step.named {
		if k != btf.KindArray {
			return fmt.Sprintf("%s is no array", where)
		}
		return fmt.Sprintf("%s has %d elements, not one of index %d", where, t.Array(id).Nelems, step.idx)
	}
	if !k.IsComposite() {
		return fmt.Sprintf("%s is no struct or union", where)
	}
	name := l.names[done]
	if m, ok := t.findMember(id, name, 0); ok {
		return fmt.Sprintf("member %s of %s is of another type than in the program (%s, there %s)",
			name, where, t.typeWord(m.Type), l.types.typeWord(l.types.Member(step.typ, int(step.idx)).Type))
	}
	return fmt.Sprintf("%s has no member %s%s", where, name, r.nearMember(t, id, name))
}

// typeWord is a type in a few words.
func (t *types) typeWord(id btf.ID) string {
	id, k, _ := t.skip(id)
	switch {
	case k == btf.KindArray:
		return "an array"
	case t.Name(id) != "":
		return kindWord(k) + " " + t.Name(id)
	case k == btf.KindPtr:
		return "a pointer"
	}
	return "an anonymous " + kindWord(k)
}

// findMember looks for a member by name, through anonymous ones.
func (t *types) findMember(id btf.ID, name string, depth int) (btf.Member, bool) {
	id, k, ok := t.skip(id)
	if !ok || !k.IsComposite() || depth > maxSpecLen {
		return btf.Member{}, false
	}
	for i := range t.Vlen(id) {
		m := t.Member(id, i)
		if m.NameOff != 0 && t.isNamed(m.NameOff, name) {
			return m, true
		}
		if m.NameOff == 0 {
			if m, ok := t.findMember(m.Type, name, depth+1); ok {
				return m, true
			}
		}
	}
	return btf.Member{}, false
}

func (r *Resolver) nearMember(t *types, id btf.ID, name string) string {
	var names []string
	t.memberNames(id, 0, &names)
	return near(name, names)
}

func (t *types) memberNames(id btf.ID, depth int, names *[]string) {
	id, k, ok := t.skip(id)
	if !ok || !k.IsComposite() || depth > maxSpecLen {
		return
	}
	for i := range t.Vlen(id) {
		if m := t.Member(id, i); m.NameOff != 0 {
			*names = append(*names, t.String(m.NameOff))
		} else {
			t.memberNames(m.Type, depth+1, names)
		}
	}
}

func (r *Resolver) nearEnumerator(t *types, id btf.ID, name string) string {
	id, _, _ = t.skip(id)
	var names []string
	for i := range t.Vlen(id) {
		names = append(names, t.String(t.Enumerator(id, i).NameOff))
	}
	return near(name, names)
}

// near is "; it has …" with the names that are likely what a wanted one has
// become: the same but for underscores around it or, if there is none, one
// inside the other.
func near(want string, names []string) string {
	var same, similar []string
	for _, n := range names {
		switch {
		case strings.Trim(n, "_") == strings.Trim(want, "_"):
			same = append(same, n)
		case alike(want, n):
			similar = append(similar, n)
		}
	}
	found := same
	if len(found) == 0 {
		found = similar
	}
	if len(found) == 0 {
		return ""
	}
	slices.SortStableFunc(found, func(a, b string) int { return abs(len(a)-len(want)) - abs(len(b)-len(want)) })
	return "; it has " + strings.Join(found[:min(len(found), 3)], ", ")
}

// alike tells names that one can have become the other.
func alike(a, b string) bool {
	a, b = strings.Trim(a, "_"), strings.Trim(b, "_")
	return a == b || len(a) >= 4 && len(b) >= 4 && (strings.Contains(b, a) || strings.Contains(a, b))
}

func abs(n int) int { return max(n, -n) }
