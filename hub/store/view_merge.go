package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/btfgen/btfgen/internal/splitmix"
)

// merger finds out what a kernel shows: types with a name, and nameless ones in
// them. A kernel that was not deduplicated has hundreds of a struct that differ
// in something far away; those that nothing in the view tells apart become one.
//
// It is not enough that two types look the same. What is kept of a type depends
// on what leads to it: of two that are the same struct, one may be reached
// through a member of this struct, the other of that, and each keeps what was
// asked of it there. So they are taken for one only if the same leads to both.
type merger struct {
	view *View

	named        []namedType
	first, count []uint32 // per group: where in named its types are, and how many
	copied       []copiedPlace

	// Nameless types of which it matters whether two are one, by number and
	// ordinals: their places behind named among the nodes.
	partial map[string]uint32
	nodes   nodes
	same    []uint32 // per node: the first node of its class
	dense   []uint32 // per first type of a class: which of its group's it is

	spelt []byte
	keyed []byte
	local map[string]uint32 // for the key: nameless types as they come up
	plain []uint32          // those that differ in nothing from the first of their number

	viewWriter
}

// namedType is a type with a name.
type namedType struct {
	rank      uint32     // of its definition
	index     uint32     // which of the definition's types
	variation *variation // nil: it refers to the first of each name
	copies    uint32     // see viewCopy.extra
	id        uint32
}

// copiedPlace is a type of which there are copies, by its place in named.
type copiedPlace struct{ at, extra uint32 }

func newMerger(v *View) *merger {
	return &merger{
		view: v, partial: make(map[string]uint32), local: make(map[string]uint32),
		plain: make([]uint32, len(v.nameless)), viewWriter: newViewWriter(v),
	}
}

// merge finds out what a kernel shows.
func (m *merger) merge(k *viewKernel) error {
	several, err := m.list(k)
	if err != nil {
		return err
	}
	m.same = slices.Grow(m.same[:0], len(m.named))[:len(m.named)]
	for i := range m.same {
		m.same[i] = uint32(i)
	}
	clear(m.partial)
	if several {
		m.refine()
	}
	return nil
}

// list lists the types with a name in their order, and tells whether there are
// several of a definition.
func (m *merger) list(k *viewKernel) (several bool, _ error) {
	v := m.view
	clear(m.named)
	m.named = m.named[:0]
	m.first, m.count = zeroed(m.first, len(v.groups)), zeroed(m.count, len(v.groups))
	k.in.each(func(rank uint32) { m.count[v.defs[rank].group]++ })
	for g := range v.groups {
		m.first[g] = uint32(len(m.named))
		left := m.count[g]
		for _, rank := range v.groups[g].ranks {
			if left == 0 {
				break
			}
			if !k.in.has(rank) {
				continue
			}
			left--
			w := k.variation(rank)
			if w == nil {
				m.named = append(m.named, namedType{rank: rank})
				continue
			}
			several = several || w.types > 1
			for i := range w.types {
				m.named = append(m.named, namedType{rank: rank, index: i, variation: w})
			}
		}
		m.count[g] = uint32(len(m.named)) - m.first[g]
	}
	m.copied = m.copied[:0]
	for _, c := range k.copied {
		g := v.defs[c.rank].group
		list := m.named[m.first[g]:][:m.count[g]]
		i := slices.IndexFunc(list, func(t namedType) bool { return t.rank == c.rank && t.index == c.typ })
		if i < 0 {
			return false, damaged("a copy of a type that it does not have")
		}
		list[i].copies = c.extra
		m.copied = append(m.copied, copiedPlace{m.first[g] + uint32(i), c.extra})
	}
	// Within a layer definitions are in the order of types, across layers not.
	slices.SortFunc(m.copied, func(a, b copiedPlace) int { return cmp.Compare(a.at, b.at) })
	for i := range m.named {
		t := &m.named[i]
		for _, l := range v.defs[t.rank].flat {
			if t.ordinal(l.index) >= m.count[l.group] {
				to := &v.groups[l.group]
				return false, damaged("a reference to %v %q, which it has %d of", to.kind, to.text, m.count[l.group])
			}
		}
	}
	return several, nil
}

// variation is that of a definition, nil if it has none.
func (k *viewKernel) variation(rank uint32) *variation {
	i, ok := slices.BinarySearchFunc(k.vary, rank, func(w viewVariation, rank uint32) int { return int(w.rank) - int(rank) })
	if !ok {
		return nil
	}
	return k.vary[i].variation
}

// ordinal is the ordinal of a reference.
func (t *namedType) ordinal(index uint32) uint32 {
	if t.variation == nil {
		return 0
	}
	i, ok := slices.BinarySearch(t.variation.refs, index)
	if !ok {
		return 0
	}
	return t.variation.of(t.index)[i]
}

// target is the place in named of what a type refers to.
func (m *merger) target(t *namedType, l *flatLink) uint32 {
	return m.first[l.group] + t.ordinal(l.index)
}

// spell writes down which nameless type it is that a type refers to: its number
// and the ordinals in it that are not 0. plain: there are none.
func (m *merger) spell(t *namedType, in *flatInner) (plain bool) {
	m.spelt = binary.AppendUvarint(m.spelt[:0], uint64(in.nameless))
	if t.variation == nil || in.n == 0 {
		return true
	}
	plain = true
	refs, ordinals := t.variation.refs, t.variation.of(t.index)
	lo, _ := slices.BinarySearch(refs, in.index)
	for i := lo; i < len(refs) && refs[i]-in.index < in.n; i++ {
		if ordinals[i] != 0 {
			m.spelt = binary.AppendUvarint(m.spelt, uint64(refs[i]-in.index))
			m.spelt = binary.AppendUvarint(m.spelt, uint64(ordinals[i]))
			plain = false
		}
	}
	return plain
}

// matters tells the nameless types that are nodes.
func (m *merger) matters(in *flatInner) bool {
	return in.n > 0 && !in.idle && m.view.nameless[in.nameless].partial
}

// nodes are the types with a name, then the nameless types that matter.
type nodes struct {
	color, next, came []uint64
	edges             []edge
	met               []metAt  // per nameless type: where it was met first
	outs              []uint32 // of nameless types, by out
	out               []uint32 // per nameless type, and one more: where its outs start
	set               colorSet
}

// metAt is a nameless type by a type with a name and its place in flatInners.
type metAt struct{ named, inner uint32 }

// edge leads from a type with a name to a node. place tells what of the
// definition refers to it.
type edge struct{ from, to, place uint32 }

// refine takes the types of a definition for one, and then tells those apart that
// refer to different ones, or to which different ones lead, until that changes
// nothing.
func (m *merger) refine() {
	n := &m.nodes
	n.edges, n.met, n.outs, n.out = n.edges[:0], n.met[:0], n.outs[:0], append(n.out[:0], 0)
	n.color = n.color[:0]
	for i := range m.named {
		t := &m.named[i]
		c := splitmix.Mix(1, uint64(t.rank)<<32|uint64(t.copies))
		if m.view.groups[m.view.defs[t.rank].group].apart {
			c = splitmix.Mix(c, uint64(i))
		}
		n.color = append(n.color, c)
	}
	most := 0 // sized at once: it may be large
	for i := range m.named {
		d := &m.view.defs[m.named[i].rank]
		for k := range d.flat {
			if !d.flat[k].idle {
				most++
			}
		}
		for k := range d.inner {
			if m.matters(&d.inner[k]) {
				most++
			}
		}
	}
	n.edges = slices.Grow(n.edges, most)
	for i := range m.named {
		m.edgesOf(uint32(i))
	}
	for _, at := range n.met {
		m.outsOf(at)
	}
	n.next = slices.Grow(n.next[:0], len(n.color))[:len(n.color)]
	n.came = slices.Grow(n.came[:0], len(n.color))[:len(n.color)]
	for colors := n.set.count(n.color); ; {
		n.round(len(m.named))
		more := n.set.count(n.color)
		if more == colors {
			break
		}
		colors = more
	}
	m.same = slices.Grow(m.same[:0], len(n.color))[:len(n.color)]
	n.set.begin(len(n.color))
	for i, c := range n.color {
		m.same[i] = n.set.first(c, uint32(i))
	}
}

// edgesOf notes what a type with a name leads to.
func (m *merger) edgesOf(from uint32) {
	n, t := &m.nodes, &m.named[from]
	d := &m.view.defs[t.rank]
	for k := range d.flat {
		if l := &d.flat[k]; !l.idle {
			n.edges = append(n.edges, edge{from, m.target(t, l), uint32(2 * k)})
		}
	}
	for k := range d.inner {
		in := &d.inner[k]
		if !m.matters(in) {
			continue
		}
		m.spell(t, in)
		to, ok := m.partial[string(m.spelt)]
		if !ok {
			to = uint32(len(n.color))
			m.partial[string(m.spelt)] = to
			n.color = append(n.color, splitmix.Mix(2, uint64(in.nameless)))
			n.met = append(n.met, metAt{from, uint32(k)})
		}
		n.edges = append(n.edges, edge{from, to, uint32(2*k + 1)})
	}
}

// outsOf notes what a nameless type leads to.
func (m *merger) outsOf(at metAt) {
	n, t := &m.nodes, &m.named[at.named]
	d := &m.view.defs[t.rank]
	in := &d.inner[at.inner]
	for f := in.flat; f < in.flatEnd; f++ { // what is idle here need not be so elsewhere
		n.outs = append(n.outs, m.target(t, &d.flat[f]))
	}
	for i := at.inner + 1; i < in.innerEnd; i++ {
		m.spell(t, &d.inner[i])
		if to, ok := m.partial[string(m.spelt)]; ok {
			n.outs = append(n.outs, to)
		}
	}
	n.out = append(n.out, uint32(len(n.outs)))
}

// round gives nodes new colors, of which so many are of types with a name.
func (n *nodes) round(named int) {
	clear(n.came)
	n.set.begin(len(n.edges))
	for _, e := range n.edges {
		// The same twice counts once.
		if h := splitmix.Mix(splitmix.Mix(n.color[e.from], uint64(e.place)), uint64(e.to)); n.set.add(h) {
			n.came[e.to] += splitmix.Mix(n.color[e.from], uint64(e.place))
		}
	}
	for i, c := range n.color {
		n.next[i] = splitmix.Mix(c, n.came[i])
	}
	for _, e := range n.edges { // in the order of places
		n.next[e.from] = splitmix.Mix(n.next[e.from], n.color[e.to])
	}
	for i := range len(n.out) - 1 {
		for _, to := range n.outs[n.out[i]:n.out[i+1]] {
			n.next[named+i] = splitmix.Mix(n.next[named+i], n.color[to])
		}
	}
	n.color, n.next = n.next, n.color
}

// colorSet is a set of 64-bit hashes, and for each a number.
type colorSet struct {
	hash   []uint64
	number []uint32
	stamp  []uint32
	now    uint32
	mask   uint64
	n      int
}

func (s *colorSet) begin(most int) {
	size := 1024
	for size < 2*most {
		size *= 2
	}
	if size > len(s.hash) {
		*s = colorSet{hash: make([]uint64, size), number: make([]uint32, size), stamp: make([]uint32, size)}
	}
	s.mask, s.n = uint64(len(s.hash)-1), 0
	if s.now++; s.now == 0 {
		clear(s.stamp)
		s.now = 1
	}
}

func (s *colorSet) place(h uint64) (at uint64, there bool) {
	for at = h & s.mask; s.stamp[at] == s.now; at = (at + 1) & s.mask {
		if s.hash[at] == h {
			return at, true
		}
	}
	return at, false
}

// add tells whether a hash is new.
func (s *colorSet) add(h uint64) bool {
	at, there := s.place(h)
	if !there {
		s.hash[at], s.stamp[at] = h, s.now
		s.n++
	}
	return !there
}

// first is the number that a hash was given first.
func (s *colorSet) first(h uint64, number uint32) uint32 {
	at, there := s.place(h)
	if !there {
		s.hash[at], s.stamp[at], s.number[at] = h, s.now, number
	}
	return s.number[at]
}

func (s *colorSet) count(list []uint64) int {
	s.begin(len(list))
	for _, h := range list {
		s.add(h)
	}
	return s.n
}

// nameless writes down which nameless type it is that a type refers to, those
// that were taken for one being the same; plain, if it is no other than the one
// that all first types would refer to.
func (m *merger) nameless(t *namedType, k int) (key []byte, plain bool) {
	d := &m.view.defs[t.rank]
	in := &d.inner[k]
	if m.spell(t, in) {
		return nil, true
	}
	if m.view.nameless[in.nameless].partial {
		node, ok := m.partial[string(m.spelt)]
		if !ok {
			return m.spelt, false
		}
		class := m.same[node]
		m.spelt = binary.AppendUvarint(m.spelt[:0], uint64(in.nameless))
		if first, ok := m.partial[string(m.spelt)]; ok && m.same[first] == class {
			return nil, true
		}
		m.spelt = binary.AppendUvarint(m.spelt, maxText) // no index is as high
		m.spelt = binary.AppendUvarint(m.spelt, uint64(class))
		return m.spelt, false
	}
	// What it refers to says all, and nameless types in it that matter.
	key = binary.AppendUvarint(m.spelt[:0], uint64(in.nameless))
	plain = true
	for f := in.flat; f < in.flatEnd; f++ {
		l := &d.flat[f]
		if to := m.same[m.target(t, l)]; to != m.same[m.first[l.group]] {
			plain = false
			key = binary.AppendUvarint(key, uint64(2*(f-in.flat)))
			key = binary.AppendUvarint(key, uint64(to))
		}
	}
	for i := uint32(k) + 1; i < in.innerEnd; i++ {
		if !m.view.nameless[d.inner[i].nameless].partial {
			continue
		}
		m.spelt = nil // the key may be in it
		if inner, same := m.nameless(t, int(i)); !same {
			plain = false
			key = binary.AppendUvarint(key, uint64(2*(i-uint32(k))+1))
			key = append(key, inner...)
		}
	}
	m.spelt = key
	return key, plain
}

// key is all that the kernel shows that was merged last. It is the merger's.
func (m *merger) key(order binary.ByteOrder) []byte {
	key := m.keyed[:0]
	if order == binary.ByteOrder(binary.BigEndian) {
		key = append(key, 1)
	} else {
		key = append(key, 0)
	}
	clear(m.local)
	clear(m.plain)
	met := uint32(0)
	m.dense = slices.Grow(m.dense[:0], len(m.named))[:len(m.named)]
	for g, n := range m.count {
		first, kept := m.first[g], uint32(0)
		for i := first; i < first+n; i++ {
			if m.same[i] == i {
				m.dense[i] = kept
				kept++
			}
		}
		key = binary.AppendUvarint(key, uint64(kept))
	}
	for i := range m.named {
		if m.same[i] != uint32(i) {
			continue
		}
		t := &m.named[i]
		d := &m.view.defs[t.rank]
		key = binary.AppendUvarint(key, uint64(d.shown))
		for f := range d.flat {
			if l := &d.flat[f]; m.count[l.group] > 1 {
				key = binary.AppendUvarint(key, uint64(m.dense[m.same[m.target(t, l)]]))
			}
		}
		for k := range d.inner {
			// Which of them are the same says more than which they are.
			n := d.inner[k].nameless
			spelt, plain := m.nameless(t, k)
			number := m.plain[n]
			if !plain {
				number = m.local[string(spelt)]
			}
			if number == 0 {
				met++
				number = met
				if plain {
					m.plain[n] = number
				} else {
					m.local[string(spelt)] = number
				}
			}
			key = binary.AppendUvarint(key, uint64(number))
		}
	}
	for _, c := range m.copied {
		key = binary.AppendUvarint(key, uint64(m.same[c.at]))
		key = binary.AppendUvarint(key, uint64(c.extra))
	}
	m.keyed = key
	return key
}
