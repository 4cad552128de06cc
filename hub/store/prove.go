package store

import (
	"fmt"
	"slices"
)

// prove checks that the BTF expanded has the same types as the original, of
// which f says for every id its id among the distinct ones. It does so on the
// finished bytes: each type's record, with f applied to its references, is that
// of f of the type, names compared as strings, so that no walk tells them
// apart; each distinct type has as many copies, itself included, as types of
// the original became it; and each copy has the same record.
func (a *analyser) prove(expanded []byte, f []uint32) error {
	const bug = "(a bug: please report it)"
	e, err := parseGraph(expanded)
	if err != nil {
		return fmt.Errorf("expanded: %w %s", err, bug)
	}
	if e.end() != a.end() {
		return fmt.Errorf("expanded: %d types of %d %s", e.end()-1, a.end()-1, bug)
	}
	for id := uint32(1); id < a.end(); id++ {
		if f[id] == 0 || int(f[id]) > a.types.distinct || !a.sameRecord(e, id, f) {
			return fmt.Errorf("type %d, %v: expanded, it is another type %s", id, a.kind(id), bug)
		}
	}
	count := make([]int, a.types.distinct+1)
	for _, id := range f[1:] {
		count[id]++
	}
	next := uint32(a.types.distinct) + 1
	for id, n := range count[1:] {
		for ; n > 1; n-- {
			if next >= e.end() || !slices.Equal(e.record(uint32(id)+1), e.record(next)) {
				return fmt.Errorf("type %d: expanded, it is no copy of %d %s", next, id+1, bug)
			}
			next++
		}
	}
	if next != e.end() {
		return fmt.Errorf("expanded: %d types of %d %s", next-1, e.end()-1, bug)
	}
	return nil
}

// sameRecord compares a type with what it became. The original's names are
// numbers of strings, see intern.
func (a *analyser) sameRecord(e *graph, id uint32, f []uint32) bool {
	x, y := a.record(id), e.record(f[id])
	same := len(x) == len(y) && x[1] == y[1] && a.sameName(e, x[0], y[0])
	if !same {
		return false
	}
	eachWord(x, func(i int, class wordClass) {
		switch class {
		case wordRef:
			if x[i] == 0 || y[i] == 0 {
				same = same && x[i] == y[i]
			} else {
				same = same && f[x[i]] == y[i]
			}
		case wordName:
			same = same && a.sameName(e, x[i], y[i])
		default:
			same = same && x[i] == y[i]
		}
	})
	return same
}

func (a *analyser) sameName(e *graph, number, off uint32) bool {
	return string(e.name(off)) == a.types.strings[number]
}
