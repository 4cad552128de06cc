package btf

import (
	"fmt"
	"slices"
)

// stringTable holds distinct strings, each with an index; index 0 is the empty
// string. It outlives what it was filled for: the strings of one kernel are
// nearly those of the next.
type stringTable struct {
	byName map[string]uint32
	list   []string

	// Of one layout.
	used   []uint32 // indices in order of first use
	sorted []uint32
	seen   []uint32 // per index: the layout that it was last used in
	layout uint32
	offs   []uint32 // per index: its offset in the string section
	hosts  []uint32 // per index: the string that it ends, 0 if it has its own place
}

// maxKept is how many strings a table keeps across resets.
const maxKept = 1 << 16

// reset makes the table ready for use, and tells whether the indices given out
// so far have become void.
func (t *stringTable) reset() bool {
	if t.byName != nil && len(t.list) <= maxKept {
		return false
	}
	*t = stringTable{byName: map[string]uint32{"": 0}, list: []string{""}}
	return true
}

func (t *stringTable) index(s string) uint32 {
	if i, ok := t.byName[s]; ok {
		return i
	}
	i := uint32(len(t.list))
	t.list = append(t.list, s)
	t.byName[s] = i
	return i
}

func (t *stringTable) indexBytes(s []byte) uint32 {
	if i, ok := t.byName[string(s)]; ok {
		return i
	}
	return t.index(string(s))
}

// begin starts a layout, use names a string that is in it.
func (t *stringTable) begin() {
	t.layout++
	t.used = t.used[:0]
	t.seen = slices.Grow(t.seen[:0], len(t.list))[:len(t.list)]
	t.offs = slices.Grow(t.offs[:0], len(t.list))[:len(t.list)]
	t.hosts = slices.Grow(t.hosts[:0], len(t.list))[:len(t.list)]
}

func (t *stringTable) use(i uint32) {
	if i != 0 && t.seen[i] != t.layout {
		t.seen[i] = t.layout
		t.used = append(t.used, i)
	}
}

// place gives every used string its offset, from start on, and returns the
// size of the section. Strings stand in order of first use; one that ends
// another stands in that one, if share is set.
func (t *stringTable) place(start uint32, split, share bool) (size uint32, err error) {
	t.offs[0] = 0
	next := uint64(start)
	if !split {
		next++ // the empty string
	}
	if share {
		t.share()
	} else {
		for _, i := range t.used {
			t.hosts[i] = 0
		}
	}
	for _, i := range t.used {
		if t.hosts[i] == 0 {
			t.offs[i] = uint32(next)
			next += uint64(len(t.list[i])) + 1
		}
	}
	if next > 1<<31 {
		return 0, fmt.Errorf("%w: %d bytes of strings", ErrTooLarge, next)
	}
	for _, i := range t.used {
		if h := t.hosts[i]; h != 0 {
			t.offs[i] = t.offs[h] + uint32(len(t.list[h])-len(t.list[i]))
		}
	}
	return uint32(next) - start, nil
}

// share finds the strings that end others.
func (t *stringTable) share() {
	t.sorted = append(t.sorted[:0], t.used...)
	slices.SortFunc(t.sorted, func(a, b uint32) int { return compareReversed(t.list[a], t.list[b]) })
	// In this order a string that ends another stands right before the others
	// that end so too, the longest last: seen from the end, the last string
	// that stands for itself is the one to share with.
	host := uint32(0)
	shares := func(i uint32) bool {
		s, h := t.list[i], t.list[host]
		return len(h) >= len(s) && h[len(h)-len(s):] == s
	}
	for k := len(t.sorted) - 1; k >= 0; k-- {
		if i := t.sorted[k]; host != 0 && shares(i) {
			t.hosts[i] = host
		} else {
			host, t.hosts[i] = i, 0
		}
	}
}

// write puts the strings where place has said.
func (t *stringTable) write(dst []byte, start uint32) {
	for _, i := range t.used {
		copy(dst[t.offs[i]-start:], t.list[i])
	}
}

// compareReversed orders strings by their last byte, then the one before.
func compareReversed(a, b string) int {
	for i, j := len(a)-1, len(b)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if a[i] != b[j] {
			return int(a[i]) - int(b[j])
		}
	}
	return len(a) - len(b)
}
