package store

import (
	"encoding/binary"
	"slices"
)

// merger lists the types with a name that a kernel shows.
type merger struct {
	view         *View
	named        []namedType
	first, count []uint32 // per group: where in named its types are, and how many

	// For the key: the numbers of the nameless types that came up.
	numbers []uint32
	varied  map[string]uint32
	met     uint32
	differ  []byte
}

// namedType is a type with a name.
type namedType struct {
	rank      uint32     // of its definition
	index     uint32     // which of the definition's types
	variation *variation // nil: it refers to the first of each name
	id        uint32     // for who writes them
}

// merge lists the types of a kernel in their order.
func (m *merger) merge(v *View, k *viewKernel) {
	m.view, m.named = v, m.named[:0]
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
				m.named = append(m.named, namedType{rank: rank})
				continue
			}
			for i := range w.types {
				m.named = append(m.named, namedType{rank: rank, index: i, variation: w})
			}
		}
		m.count[g] = uint32(len(m.named)) - m.first[g]
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

// appendLook writes down how a type looks: what its definition shows, which of
// several types of a name it refers to, and which of its nameless types are the
// same as which before.
func (m *merger) appendLook(out []byte, t *namedType) []byte {
	d := &m.view.defs[t.rank]
	out = binary.AppendUvarint(out, uint64(d.shown))
	for _, l := range d.flat {
		if m.count[l.group] > 1 {
			out = binary.AppendUvarint(out, uint64(t.ordinal(l.index)))
		}
	}
	for i := range d.inner {
		out = binary.AppendUvarint(out, uint64(m.nameless(t, &d.inner[i])))
	}
	return out
}

// nameless numbers the nameless types of a kernel as they come up.
func (m *merger) nameless(t *namedType, in *flatInner) uint32 {
	m.differ = t.differ(m.differ[:0], in)
	if len(m.differ) == 0 {
		if m.numbers[in.nameless] == 0 {
			m.met++
			m.numbers[in.nameless] = m.met
		}
		return m.numbers[in.nameless]
	}
	m.differ = binary.AppendUvarint(m.differ, uint64(in.nameless))
	n, ok := m.varied[string(m.differ)]
	if !ok {
		m.met++
		n = m.met
		m.varied[string(m.differ)] = n
	}
	return n
}

// differ writes down what tells a nameless type, in the type, from others of the
// same number.
func (t *namedType) differ(out []byte, in *flatInner) []byte {
	if t.variation == nil {
		return out
	}
	ordinals := t.variation.of(t.index)
	for i, at := range t.variation.refs {
		if at >= in.index && at-in.index < in.n && ordinals[i] != 0 {
			out = binary.AppendUvarint(out, uint64(at-in.index))
			out = binary.AppendUvarint(out, uint64(ordinals[i]))
		}
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
	m.numbers, m.varied, m.met = zeroed(m.numbers, len(m.view.nameless)), make(map[string]uint32), 0
	for _, n := range m.count {
		key = binary.AppendUvarint(key, uint64(n))
	}
	for i := range m.named {
		key = m.appendLook(key, &m.named[i])
	}
	for _, c := range k.copied {
		at, _ := m.place(c)
		key = binary.AppendUvarint(key, uint64(at))
		key = binary.AppendUvarint(key, uint64(c.extra))
	}
	return key
}

// place is where in named the type is that a copy is of.
func (m *merger) place(c viewCopy) (at int, ok bool) {
	g := m.view.defs[c.rank].group
	first := int(m.first[g])
	at = slices.IndexFunc(m.named[first:][:m.count[g]], func(t namedType) bool { return t.rank == c.rank && t.index == c.typ })
	return first + at, at >= 0
}
