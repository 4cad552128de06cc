package storetest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// Relocations holds the relocations of a plan against two BTFs that are the same graph.
type Relocations struct {
	plan *core.Plan
	a, b *core.Resolver
}

// NewRelocations makes a judge of a plan's relocations.
func NewRelocations(p *core.Plan) *Relocations {
	return &Relocations{plan: p, a: core.NewResolver(p), b: core.NewResolver(p)}
}

// Outcomes counts what was compared: distinct relocations, those of them that resolved, and records of objects.
type Outcomes struct{ Relocations, Resolved, Records int }

// Compare lists the relocations that do not come to the same on the second BTF as on the first. g is the verdict on the two,
// that they are the same; it tells which type is which.
//
// Each relocation is compared by itself, with its reason in words, then by both loaders' rules candidate by candidate
// (core.SameOutcomes), then all records of an object in the order in which libbpf goes through them.
func (r *Relocations) Compare(g *Graphs, a, b []byte) (n Outcomes, differences []string, err error) {
	if err := r.a.Load(a); err != nil {
		return n, nil, fmt.Errorf("BTF 1: %w", err)
	}
	if err := r.b.Load(b); err != nil {
		return n, nil, fmt.Errorf("BTF 2: %w", err)
	}
	r.a.Resolve(nil)
	r.b.Resolve(nil)
	pair := func(_ int, id btf.ID) btf.ID { return btf.ID(g.pair[id]) }
	for i := range r.plan.Len() {
		n.Relocations++
		l, x, y := r.plan.Local(i), r.a.Outcome(i), r.b.Outcome(i)
		if x.Status == core.Resolved {
			n.Resolved++
		}
		if s, t := g.say(0, r.a, i, l.Kind, x), g.say(1, r.b, i, l.Kind, y); s != t {
			differences = append(differences, fmt.Sprintf("%v %s: %s; in the second %s", l.Kind, l.LocalPath(), s, t))
		} else if !r.a.SameOutcomes(i, r.b, pair) {
			differences = append(differences, fmt.Sprintf("%v %s: the candidates do not come to the same", l.Kind, l.LocalPath()))
		}
	}
	for k := range r.plan.Objects() {
		o := &r.plan.Objects()[k]
		say := func(side int, from *core.Resolver, record int, out core.Outcome) string {
			i := r.plan.Uses()[o.Uses[record]].Local
			return g.say(side, from, i, r.plan.Local(i).Kind, out)
		}
		var texts []string
		r.a.ObjectOutcomes(o, func(record int, out core.Outcome) { texts = append(texts, say(0, r.a, record, out)) })
		r.b.ObjectOutcomes(o, func(record int, out core.Outcome) {
			n.Records++
			if t := say(1, r.b, record, out); t != texts[record] {
				differences = append(differences, fmt.Sprintf("%s: record %d: %s; in the second %s", o.Object.Name, record, texts[record], t))
			}
		})
	}
	return n, differences, nil
}

// say puts an outcome in words, with classes for the ids of the kernel's types.
func (g *Graphs) say(side int, r *core.Resolver, i int, kind core.Kind, out core.Outcome) string {
	value := strconv.FormatUint(out.New, 10)
	var of string
	// Of several that match any may be the first: which are there is for core.SameOutcomes.
	if out.Status == core.Resolved && out.Matched > 0 {
		if kind == core.TypeIDTarget {
			value = "the type's id"
		}
		if out.Matched == 1 {
			of = fmt.Sprintf(", of class %d, its field of class %d", g.class[side][out.Target], g.class[side][out.NewType])
		}
	}
	text := fmt.Sprintf("%v: %d of %d bytes, %s of %d bytes in the kernel, %d match, validate %v, poison %v, bad width %v",
		out.Status, out.Orig, out.OrigSize, value, out.NewSize, out.Matched, out.Validate, out.Poison, out.FailMemSize) + of
	return text + ": " + g.sayReason(side, r.Reason(i, out))
}

// typeID is how a reason names a type.
var typeID = regexp.MustCompile(`\[\d+\]( (?:struct|union|enum|typedef|int|type|func|var)\b)`)

// sayReason puts classes for ids. An ambiguity names two candidates in the order of their ids, which does not count.
func (g *Graphs) sayReason(side int, text string) string {
	text = typeID.ReplaceAllStringFunc(text, func(s string) string {
		id, rest, _ := strings.Cut(s[1:], "]")
		n, err := strconv.Atoi(id)
		if err != nil || n >= len(g.class[side]) {
			return s
		}
		return fmt.Sprintf("<%d>%s", g.class[side][n], rest)
	})
	if what, two, ok := strings.Cut(text, " is ambiguous: "); ok {
		both := strings.Split(two, ", ")
		slices.Sort(both)
		return what + " is ambiguous: " + strings.Join(both, ", ")
	}
	return text
}
