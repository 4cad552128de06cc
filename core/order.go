package core

import (
	"slices"

	"github.com/btfgen/btfgen/internal/splitmix"
)

// Candidates of one name are gone through in the order of their ids. Mostly that
// does not matter: those that match must agree, or it is an error. But
//   - libbpf takes the access width of the first candidate that is left, and
//     which are left depends on the relocations before;
//   - cilium/ebpf gives up at two candidates that are as good as each other and
//     disagree, unless one that is better came before;
//   - of two that are as good, and that it takes for equal, the first counts;
//   - an error names the first candidate that it is about, and an ambiguity
//     what the first has, then what the other has.
// For the first two it takes three candidates that are not alike.

// Orders calls f for each name whose candidates' order in a BTF can matter to
// what relocations come to, with those candidates in that order. Those of one
// rank are alike to all relocations. The slice is the callee's until it returns.
func (r *Resolver) Orders(f func(candidates []Ranked)) {
	r.traits = slices.Grow(r.traits[:0], len(r.cands))[:len(r.cands)]
	clear(r.traits)
	for i := range r.plan.locals {
		list := r.matchesOf(i)
		for _, m := range list {
			v := m.value
			if m.bitOffset != list[0].bitOffset || v.val != list[0].value.val {
				r.traits[m.cand].rival = true
			}
			r.trait(m.cand, i, m.failed, v.val, uint64(m.bitOffset), uint64(v.size)<<32|uint64(v.flaw)<<16|uint64(m.kind)<<8|uint64(m.encoding))
		}
		fixups := r.fixupsOf(i)
		for _, c := range fixups {
			x := c.fix
			// Equal, to cilium/ebpf, are fixups of the same two values; so one of
			// zero and zero is to none at all.
			if x.local == 0 && x.target == 0 || x.unchecked != fixups[0].fix.unchecked {
				r.traits[c.cand].rival = true
			}
			r.trait(c.cand, i, x.flaw != flawNone, x.local, x.target, uint64(x.flaw)<<2|bit(x.poison)<<1|bit(x.unchecked)|1<<63)
		}
	}
	var seen []uint64
	var list []Ranked
	for name := range int32(len(r.first) - 1) {
		lo, hi := r.byName(name)
		if hi-lo < 2 {
			continue
		}
		seen, list = seen[:0], list[:0]
		failed := false
		for c := lo; c < hi; c++ {
			t := &r.traits[c]
			if t.hash == 0 {
				continue // no relocation matches
			}
			failed = failed || t.failed || t.rival
			rank := slices.Index(seen, t.hash)
			if rank < 0 {
				rank = len(seen)
				seen = append(seen, t.hash)
			}
			list = append(list, Ranked{int(r.cands[c].blob), r.cands[c].id, uint32(rank + 1)})
		}
		if len(seen) > 2 || failed && len(seen) > 1 {
			f(list)
		}
	}
}

// trait is all that relocations come to with one candidate.
type trait struct {
	hash   uint64
	failed bool
	rival  bool // it matters whether it is the first
}

func (r *Resolver) trait(cand int32, local int, failed bool, values ...uint64) {
	t := &r.traits[cand]
	h := splitmix.Mix(t.hash, uint64(local))
	for _, v := range values {
		h = splitmix.Mix(h, v)
	}
	if failed { // the error says which candidate it was
		t.failed = true
		c := &r.cands[cand]
		h = splitmix.Mix(splitmix.Mix(h, uint64(c.kind)), uint64(r.blobs[c.blob].NameOff(c.id)))
	}
	t.hash = h | 1
}
