package btf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/internal/splitmix"
)

// canonicaliser holds the buffers of Canonicalise.
type canonicaliser struct {
	own, hash, next []uint64
	nameHash        []uint64
	sorted          []uint64
	class           []uint32 // per type: the type that stands for its class
	order           []uint32
	rank            []uint32 // per type: its new place, from 1
	stack           []uint32
	words           []uint32
	at, pins        []uint32
}

// Canonicalise merges types that are the same, and puts the rest into an order
// that depends on their content alone: pinned types by pin, then the named
// ones by name and kind, each followed by what it refers to. It returns the new id of every type, in
// the old order; the slice is the caller's.
//
// Two types are the same if no walk over names, kinds, sizes, items and
// references tells them apart; so recursive types merge too. A reference to a
// type of the base, or to one that was never added, stays what it is.
func (w *Builder) Canonicalise() []ID {
	c, n := &w.canon, len(w.at)
	c.refine(w)
	c.classes(n)

	c.order = c.order[:0]
	for i := range uint32(n) {
		if c.class[i] == i {
			c.order = append(c.order, i)
		}
	}
	name := func(i uint32) string { return w.strings.list[w.words[w.at[i]]] }
	slices.SortFunc(c.order, func(a, b uint32) int {
		na, nb := name(a), name(b)
		if (na == "") != (nb == "") {
			return cmp.Compare(len(nb), len(na)) // nameless ones last
		}
		return cmp.Or(
			strings.Compare(na, nb),
			cmp.Compare(w.words[w.at[a]+1]>>24&0x7f, w.words[w.at[b]+1]>>24&0x7f),
			cmp.Compare(w.pins[a], w.pins[b]),
			cmp.Compare(c.hash[a], c.hash[b]),
		)
	})
	c.number(w)
	return c.rewrite(w)
}

// own is the place of a reference's type among those added, from 0. ok is
// false for void, a type of the base, and one that was never added.
func (w *Builder) own(ref uint32) (place uint32, ok bool) {
	place = ref - uint32(w.start)
	return place, place < uint32(len(w.at))
}

// idAt is the id of the type at a place from 1.
func (w *Builder) idAt(rank uint32) uint32 { return uint32(w.start) + rank - 1 }

func hashString(s string) uint64 {
	h := uint64(len(s))
	for len(s) >= 8 {
		v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h, s = splitmix.Mix(h, v), s[8:]
	}
	v := uint64(0)
	for i := range len(s) {
		v |= uint64(s[i]) << (8 * i)
	}
	return splitmix.Mix(h, v)
}

// refine gives every type a hash that two types share if and only if they are
// the same: first of what a record says itself, then round by round of what
// it refers to, until a round tells no more types apart.
func (c *canonicaliser) refine(w *Builder) {
	n := len(w.at)
	c.own = slices.Grow(c.own[:0], n)[:n]
	c.hash = slices.Grow(c.hash[:0], n)[:n]
	c.next = slices.Grow(c.next[:0], n)[:n]
	for i := len(c.nameHash); i < len(w.strings.list); i++ {
		c.nameHash = append(c.nameHash, hashString(w.strings.list[i]))
	}
	for i, at := range w.at {
		c.own[i] = c.ownHash(w, int(at), w.pins[i])
	}
	copy(c.hash, c.own)
	for classes := c.count(); ; {
		for i, at := range w.at {
			h := c.own[i]
			w.eachRef(int(at), func(pos int) {
				v := uint64(w.words[pos])
				if own, ok := w.own(w.words[pos]); ok {
					v = c.hash[own]
				}
				h = splitmix.Mix(h, v)
			})
			c.next[i] = h
		}
		c.hash, c.next = c.next, c.hash
		more := c.count()
		if more <= classes {
			return
		}
		classes = more
	}
}

// ownHash hashes a record without what it refers to.
func (c *canonicaliser) ownHash(w *Builder, at int, pin uint32) uint64 {
	kind, _ := w.header(at)
	end := at + w.recordLen(at)
	h := splitmix.Mix(uint64(pin), uint64(w.words[at+1]))
	names, refs := layoutOf(kind)
	for i := at; i < end; i++ {
		field := i - at
		if item := int(itemSize[kind]) / 4; field >= 3 && item > 0 {
			field = 3 + (field-3)%item
		}
		switch {
		case names>>field&1 != 0:
			h = splitmix.Mix(h, c.nameHash[w.words[i]])
		case refs>>field&1 == 0:
			h = splitmix.Mix(h, uint64(w.words[i]))
		}
	}
	return h
}

// layoutOf says which words of a record are names and which are type ids, as
// bits: words 0 to 2 are the header's, from 3 on those of one item.
func layoutOf(kind Kind) (names, refs uint32) {
	names = 1
	if refKinds>>kind&1 != 0 {
		refs = 1 << 2
	}
	switch kind {
	case KindArray:
		refs |= 1<<3 | 1<<4
	case KindStruct, KindUnion, KindFuncProto:
		names |= 1 << 3
		refs |= 1 << 4
	case KindEnum, KindEnum64:
		names |= 1 << 3
	case KindDatasec:
		refs |= 1 << 3
	}
	return names, refs
}

// count is the number of distinct hashes.
func (c *canonicaliser) count() int {
	c.sorted = append(c.sorted[:0], c.hash...)
	slices.Sort(c.sorted)
	return len(slices.Compact(c.sorted))
}

// classes makes the first type of every hash stand for it.
func (c *canonicaliser) classes(n int) {
	c.order = slices.Grow(c.order[:0], n)[:n]
	for i := range c.order {
		c.order[i] = uint32(i)
	}
	slices.SortFunc(c.order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(c.hash[a], c.hash[b]), cmp.Compare(a, b))
	})
	c.class = slices.Grow(c.class[:0], n)[:n]
	for k, i := range c.order {
		c.class[i] = i
		if k > 0 && c.hash[c.order[k-1]] == c.hash[i] {
			c.class[i] = c.class[c.order[k-1]]
		}
	}
}

// number walks from each type of the order to what it refers to, and leaves in
// order the classes as they are first met, in rank their places.
func (c *canonicaliser) number(w *Builder) {
	c.rank = slices.Grow(c.rank[:0], len(w.at))[:len(w.at)]
	clear(c.rank)
	met := c.next[:0] // done with: reused as the new order
	for _, i := range c.order {
		if w.pins[i] != 0 {
			met = append(met, uint64(i))
		}
	}
	slices.SortStableFunc(met, func(a, b uint64) int { return cmp.Compare(w.pins[a], w.pins[b]) })
	pinned := len(met)
	for k, i := range met {
		c.rank[i] = uint32(k + 1)
	}
	c.stack = c.stack[:0]
	for k := pinned - 1; k >= 0; k-- {
		c.push(w, uint32(met[k]))
	}
	for next := 0; ; {
		for len(c.stack) > 0 {
			i := c.stack[len(c.stack)-1]
			c.stack = c.stack[:len(c.stack)-1]
			if c.rank[i] == 0 {
				met = append(met, uint64(i))
				c.rank[i] = uint32(len(met))
				c.push(w, i)
			}
		}
		if next == len(c.order) {
			break
		}
		c.stack = append(c.stack, c.order[next])
		next++
	}
	c.order = c.order[:0]
	for _, i := range met {
		c.order = append(c.order, uint32(i))
	}
}

// push puts what a type refers to on the stack, its first reference on top.
func (c *canonicaliser) push(w *Builder, i uint32) {
	mark := len(c.stack)
	w.eachRef(int(w.at[i]), func(pos int) {
		if own, ok := w.own(w.words[pos]); ok && c.rank[c.class[own]] == 0 {
			c.stack = append(c.stack, c.class[own])
		}
	})
	slices.Reverse(c.stack[mark:])
}

// rewrite puts the records into their new order with their new references.
func (c *canonicaliser) rewrite(w *Builder) []ID {
	c.words, c.at, c.pins = c.words[:0], c.at[:0], c.pins[:0]
	for _, i := range c.order {
		at := int(w.at[i])
		c.at = append(c.at, uint32(len(c.words)))
		c.pins = append(c.pins, w.pins[i])
		w.eachRef(at, func(pos int) {
			if own, ok := w.own(w.words[pos]); ok {
				w.words[pos] = w.idAt(c.rank[c.class[own]])
			}
		})
		c.words = append(c.words, w.words[at:at+w.recordLen(at)]...)
	}
	ids := make([]ID, len(w.at))
	for i := range ids {
		ids[i] = ID(w.idAt(c.rank[c.class[i]]))
	}
	w.words, c.words = c.words, w.words
	w.at, c.at = c.at, w.at
	w.pins, c.pins = c.pins, w.pins
	return ids
}
