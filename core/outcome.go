package core

import (
	"cmp"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// Status is what became of a relocation.
type Status uint8

// The statuses.
const (
	// Resolved: a target was found.
	Resolved Status = iota
	// Zero: none was found, and the kind answers that with 0.
	Zero
	// Poisoned: none was found, and the instruction is made invalid; or the
	// access cannot be made to fit the target's field.
	Poisoned
	// Ambiguous: several were found that disagree, which is an error.
	Ambiguous
	// Failed: an error of another sort; libbpf refuses the object.
	Failed
)

var statusNames = [...]string{"resolved", "zero", "poisoned", "ambiguous", "failed"}

func (s Status) String() string { return statusNames[s] }

// Outcome is what a loader computes for a relocation: libbpf's
// bpf_core_relo_res, and how it came to it.
type Outcome struct {
	Status Status

	Orig, New uint64 // the value that the instruction holds, and its new one
	// Of a byte_off: the field's size in bytes, locally and on the target, which
	// is the width of the instruction's access; and its type.
	OrigSize, NewSize uint32
	OrigType, NewType btf.ID
	// Validate: the instruction must hold Orig, or the object is refused.
	Validate bool
	Poison   bool
	// FailMemSize: an instruction that loads or stores is poisoned, since its
	// width cannot follow the field's.
	FailMemSize bool

	// Matched is how many types matched.
	Matched int
	// Blob and Target are the first that matched: a type of vmlinux (0) or of
	// the Blob-th module.
	Blob   int
	Target btf.ID

	flaw flaw
	err  error
	// Of an ambiguity: the two candidates.
	rival btf.ID
}

// Outcome is that of the i-th relocation by libbpf's rules, as if it were the
// only one of its object.
func (r *Resolver) Outcome(i int) Outcome { return r.outcome(i, nil) }

// matchesOf is the candidates of the i-th relocation that match or fail.
func (r *Resolver) matchesOf(i int) []match {
	return r.matches[r.matchStart[i]:r.matchStart[i+1]]
}

// outcome is bpf_core_calc_relo_insn's. alive, if not nil, tells which
// candidates earlier relocations have left.
func (r *Resolver) outcome(i int, alive map[int32]bool) Outcome {
	l := r.plan.locals[i]
	out := Outcome{
		Orig: l.value.val, OrigSize: l.value.size, OrigType: l.value.typ, Validate: l.value.validate,
	}
	switch {
	case l.err != nil:
		out.Status, out.err = Failed, l.err
		return out
	case l.value.flaw != flawNone:
		out.Status, out.flaw = Failed, l.value.flaw
		return out
	case l.Kind == TypeIDLocal:
		out.New = out.Orig
		return out
	}
	var first *match
	list := r.matchesOf(i)
	for k := range list {
		m := &list[k]
		if alive != nil && !alive[m.cand] {
			continue
		}
		cand := &r.cands[m.cand]
		switch {
		case m.failed:
			out.Status, out.flaw = Failed, m.value.flaw
			out.Blob, out.Target = int(cand.blob), cand.id
			return out
		case first == nil:
			first = m
			out.New, out.NewSize, out.NewType = m.value.val, m.value.size, m.value.typ
			out.Blob, out.Target = int(cand.blob), cand.id
		case m.bitOffset != first.bitOffset || m.value.val != first.value.val:
			out.Status, out.rival = Ambiguous, cand.id
			return out
		}
		out.Matched++
	}
	switch {
	case first != nil:
		out.FailMemSize = out.OrigSize != out.NewSize && !l.resizable(first)
	case l.Kind.asksExistence() || l.Kind.isType():
		out.Status = Zero
	default:
		out.Status, out.Poison = Poisoned, true
	}
	return out
}

// resizable tells whether a load or store may change its width with the field:
// of pointers, and of unsigned integers.
func (l *Local) resizable(m *match) bool {
	k := l.types.Kind(l.value.typ)
	switch {
	case k == btf.KindPtr && m.kind == btf.KindPtr:
		return true
	case k == btf.KindInt && m.kind == btf.KindInt:
		return l.types.Int(l.value.typ).Encoding != btf.Signed && m.encoding != btf.Signed
	}
	return false
}

// ObjectOutcomes computes the outcomes of all of an object's records in their
// order, as libbpf does when it loads all of its programs: a candidate that
// does not match one relocation is not considered for the later ones of the
// same local type. f is called for each record.
func (r *Resolver) ObjectOutcomes(o *Object, f func(record int, out Outcome)) {
	left := make(map[btf.ID]map[int32]bool)
	for rec, u := range o.Uses {
		i := r.plan.uses[u].Local
		if r.plan.roots[i].lib < 0 || r.single(i) {
			out := r.outcome(i, nil)
			f(rec, out)
			continue
		}
		root := o.Object.Relocs[rec].TypeID
		alive := left[root]
		out := r.outcome(i, alive)
		f(rec, out)
		if out.Matched == 0 || out.Status == Failed || out.Status == Ambiguous {
			continue
		}
		next := make(map[int32]bool)
		for _, m := range r.matchesOf(i) {
			if alive == nil || alive[m.cand] {
				next[m.cand] = true
			}
		}
		left[root] = next
	}
}

// single tells that the i-th relocation's type has no more than one candidate
// of its kind, so that there is nothing to narrow down.
func (r *Resolver) single(i int) bool {
	lo, hi := r.byName(r.plan.roots[i].lib)
	return hi-lo <= 1
}

// SameOutcomes tells whether the i-th relocation comes to the same in r and in
// min, a smaller BTF of the same kernel, by every loader's rules and whatever
// else an object asks: the same candidates match, with the same result, and are
// as many where that matters. id is where a type of r is in min, 0 if it was dropped.
func (r *Resolver) SameOutcomes(i int, min *Resolver, id func(blob int, id btf.ID) btf.ID) bool {
	l := r.plan.locals[i]
	full, small := r.outcome(i, nil), min.outcome(i, nil)
	if full.Status != small.Status || full.NewSize != small.NewSize || full.FailMemSize != small.FailMemSize ||
		full.flaw != small.flaw || full.Poison != small.Poison {
		return false
	}
	if l.Kind != TypeIDTarget && full.New != small.New {
		return false
	}
	return r.sameMatches(i, min, id) && r.sameFixups(i, min, id)
}

// sameMatches compares the sets of candidates that match, through id.
func (r *Resolver) sameMatches(i int, min *Resolver, id func(int, btf.ID) btf.ID) bool {
	l := r.plan.locals[i]
	a, b := r.matchesOf(i), min.matchesOf(i)
	met := min.newImages(len(b))
	for k := range a {
		c := &r.cands[a[k].cand]
		to := id(int(c.blob), c.id)
		j, ok := slices.BinarySearchFunc(b, to, func(m match, to btf.ID) int { return cmp.Compare(min.cands[m.cand].id, to) })
		if !ok || !a[k].same(&b[j], l.Kind, to) || met[j] && l.Kind == TypeIDTarget {
			return false
		}
		met[j] = true
	}
	return !slices.Contains(met, false)
}

// newImages is a list of n false.
func (r *Resolver) newImages(n int) []bool {
	r.images = slices.Grow(r.images[:0], n)[:n]
	clear(r.images)
	return r.images
}

func (m *match) same(o *match, kind Kind, to btf.ID) bool {
	if m.failed != o.failed || m.value.flaw != o.value.flaw || m.bitOffset != o.bitOffset && !m.failed ||
		m.value.size != o.value.size || m.kind != o.kind || m.encoding != o.encoding {
		return false
	}
	if kind == TypeIDTarget && !m.failed {
		return o.value.val == uint64(to)
	}
	return m.value.val == o.value.val
}

func (r *Resolver) fixupsOf(i int) []candFixup {
	return r.fixups[r.fixupStart[i]:r.fixupStart[i+1]]
}

// sameFixups is sameMatches by cilium/ebpf's rules.
func (r *Resolver) sameFixups(i int, min *Resolver, id func(int, btf.ID) btf.ID) bool {
	l := r.plan.locals[i]
	a, b := r.fixupsOf(i), min.fixupsOf(i)
	met := min.newImages(len(b))
	for k := range a {
		c := &r.cands[a[k].cand]
		to := id(int(c.blob), c.id)
		j, ok := slices.BinarySearchFunc(b, to, func(f candFixup, to btf.ID) int { return cmp.Compare(min.cands[f.cand].id, to) })
		if !ok {
			return false
		}
		x := a[k].fix
		if l.Kind == TypeIDTarget && x.flaw == flawNone {
			x.target = uint64(to)
		}
		if x != b[j].fix || met[j] && l.Kind == TypeIDTarget {
			return false
		}
		met[j] = true
	}
	return !slices.Contains(met, false)
}

// Unexpected is the types of r, a smaller BTF, that match the i-th relocation
// by either loader's rules without being the image of a type that matches on
// full.
func (r *Resolver) Unexpected(i int, full *Resolver, id func(int, btf.ID) btf.ID) []btf.ID {
	expected := make(map[btf.ID]bool)
	for _, m := range full.matchesOf(i) {
		c := &full.cands[m.cand]
		expected[id(int(c.blob), c.id)] = true
	}
	for _, f := range full.fixupsOf(i) {
		c := &full.cands[f.cand]
		expected[id(int(c.blob), c.id)] = true
	}
	var out []btf.ID
	for _, m := range r.matchesOf(i) {
		if to := r.cands[m.cand].id; !expected[to] {
			out = append(out, to)
		}
	}
	for _, f := range r.fixupsOf(i) {
		if to := r.cands[f.cand].id; !expected[to] {
			out = append(out, to)
		}
	}
	return out
}

// Ranked is a candidate and its rank: those of a list that are alike have the
// same, counted from 1 in the order in which the first of each comes.
type Ranked struct {
	Blob int
	Type btf.ID
	Rank uint32
}

// Ranks is the candidates of the i-th relocation that match, in the order that
// a smaller BTF has to keep for the outcome to stay: the first and those that are
// just like it, and the rest. With target type ids no two are alike, not even of
// types that are: whichever of them other relocations leave, two give two ids,
// which is ambiguous.
func (r *Resolver) Ranks(i int) []Ranked {
	var out []Ranked
	add := func(c int32, rank int) {
		out = append(out, Ranked{int(r.cands[c].blob), r.cands[c].id, uint32(rank)})
	}
	list := r.matchesOf(i)
	if r.plan.locals[i].Kind == TypeIDTarget {
		var all []int32
		for _, m := range list {
			all = append(all, m.cand)
		}
		for _, f := range r.fixupsOf(i) {
			all = append(all, f.cand)
		}
		slices.Sort(all)
		for k, c := range slices.Compact(all) {
			add(c, k+1)
		}
		return out
	}
	for k := range list {
		rank := 1
		if k > 0 && !list[k].same(&list[0], FieldExists, 0) {
			rank = 2
		}
		add(list[k].cand, rank)
	}
	return out
}
