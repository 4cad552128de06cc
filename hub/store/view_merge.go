package store

import (
	"encoding/binary"
)

// merger lists the types with a name that a kernel shows, and finds those that
// look the same. In a kernel whose types were not deduplicated that is nearly
// all: it has thousands of the same struct, of which each leads to others far
// away, and a view shows what is near.
type merger struct {
	view         *View
	named        []namedType
	first, count []uint32 // per group: where in named its types are, and how many
	several      []int32  // the groups with more than one
	class        []uint32 // per type: its number among the different ones of its group, in the order of the first of each
	next, firsts []uint32
	byLook       map[string]uint32
	look         []byte
}

// namedType is a type with a name.
type namedType struct {
	rank      uint32     // of its definition
	index     uint32     // which of the definition's types
	variation *variation // nil: it refers to the first of each name
	same      uint32     // place in named of the first type that looks the same
	id        uint32     // for who writes them
}

// merge lists the types of a kernel in their order.
func (m *merger) merge(v *View, k *viewKernel) {
	m.view, m.named, m.several = v, m.named[:0], m.several[:0]
	m.first, m.count = zeroed(m.first, len(v.groups)), zeroed(m.count, len(v.groups))
	k.in.each(func(rank uint32) { m.count[v.defs[rank].group]++ })
	for g := range v.groups {
		m.first[g] = uint32(len(m.named))
		if m.count[g] == 0 {
			continue
		}
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
				m.named = append(m.named, namedType{rank: rank, same: uint32(len(m.named))})
				continue
			}
			for i := range w.types {
				m.named = append(m.named, namedType{rank: rank, index: i, variation: w, same: uint32(len(m.named))})
			}
		}
		if m.count[g] = uint32(len(m.named)) - m.first[g]; m.count[g] > 1 {
			m.several = append(m.several, int32(g))
		}
	}
	if len(m.several) > 0 {
		m.refine()
	}
}

// variation is that of a definition, nil if it has none.
func (k *viewKernel) variation(rank uint32) *variation {
	lo, hi := 0, len(k.vary)
	for lo < hi {
		if mid := (lo + hi) / 2; k.vary[mid].rank < rank {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(k.vary) && k.vary[lo].rank == rank {
		return k.vary[lo].variation
	}
	return nil
}

// refine takes the types of a group that show the same for the same, and then
// tells those apart that refer to such as are not, until that changes nothing.
func (m *merger) refine() {
	m.class, m.next = zeroed(m.class, len(m.named)), zeroed(m.next, len(m.named))
	if m.byLook == nil {
		m.byLook = make(map[string]uint32)
	}
	classes := 0
	for {
		before := classes
		classes = 0
		for _, g := range m.several {
			clear(m.byLook)
			first := m.first[g]
			for i := first; i < first+m.count[g]; i++ {
				m.look = m.look[:0]
				if m.view.groups[g].apart {
					m.look = binary.AppendUvarint(m.look, uint64(i))
				} else {
					m.look = m.appendLook(m.look, &m.named[i], before > 0)
				}
				class, ok := m.byLook[string(m.look)]
				if !ok {
					class = uint32(len(m.byLook))
					m.byLook[string(m.look)] = class
				}
				m.next[i] = class
			}
			classes += len(m.byLook)
		}
		m.class, m.next = m.next, m.class
		if classes == before {
			break
		}
	}
	for _, g := range m.several {
		m.firsts = m.firsts[:0]
		for i := m.first[g]; i < m.first[g]+m.count[g]; i++ {
			if m.class[i] == uint32(len(m.firsts)) {
				m.firsts = append(m.firsts, i)
			}
			m.named[i].same = m.firsts[m.class[i]]
		}
	}
}

// appendLook writes down how a type looks: what its definition shows and, if
// asked for, the classes of what it refers to.
func (m *merger) appendLook(out []byte, t *namedType, links bool) []byte {
	d := &m.view.defs[t.rank]
	out = binary.AppendUvarint(out, uint64(d.shown))
	if !links {
		return out
	}
	for _, l := range d.flat {
		if m.count[l.group] < 2 {
			continue
		}
		to := m.first[l.group]
		if n := t.ordinal(l.index); n < m.count[l.group] {
			to += n
		}
		out = binary.AppendUvarint(out, uint64(m.class[to]))
	}
	return out
}

// ordinal is the ordinal of a reference.
func (t *namedType) ordinal(index uint32) uint32 {
	if t.variation == nil {
		return 0
	}
	for i, n := range t.variation.refs {
		if n >= index {
			if n == index {
				return t.variation.of(t.index)[i]
			}
			break
		}
	}
	return 0
}

// forget lets go of what belongs to a view.
func (m *merger) forget() {
	clear(m.named)
	m.view, m.named = nil, m.named[:0]
}

// key is all that the kernel shows that was merged last.
func (m *merger) key(key []byte, k *viewKernel) []byte {
	if k.order == binary.ByteOrder(binary.BigEndian) {
		key = append(key, 1)
	} else {
		key = append(key, 0)
	}
	for g, n := range m.count {
		first := m.first[g]
		for i := first; i < first+n; i++ {
			if m.named[i].same == i {
				key = append(key, 1)
				key = m.appendLook(key, &m.named[i], len(m.several) > 0)
			}
		}
		key = append(key, 0)
	}
	for _, c := range k.copied {
		key = binary.AppendUvarint(key, uint64(c.rank)+1)
		key = binary.AppendUvarint(key, uint64(c.typ))
		key = binary.AppendUvarint(key, uint64(c.extra))
	}
	return key
}
