package store

import "encoding/binary"

// viewWriter is the part of a merger that writes BTF.
type viewWriter struct {
	words []uint32
	at    []uint32 // per id, from 0: where in words its record starts

	ids     []uint32          // per nameless type that is plain: its id, 0 if it has none yet
	met     []int32           // those that have
	differs map[string]uint32 // ids of the others
	queue   []metAt           // nameless types to be written, in the order of ids
}

func newViewWriter(v *View) viewWriter {
	return viewWriter{ids: make([]uint32, len(v.nameless)), differs: make(map[string]uint32)}
}

// write gives what the kernel shows that was merged last, as BTF: types with a
// name in the order of Get's, nameless ones as they are met, copies last.
func (m *merger) write(order binary.ByteOrder) ([]byte, error) {
	for _, n := range m.met {
		m.ids[n] = 0
	}
	clear(m.differs)
	m.words, m.at, m.met, m.queue = m.words[:0], m.at[:0], m.met[:0], m.queue[:0]
	kept := uint32(0)
	for i := range m.named {
		if m.same[i] == uint32(i) {
			kept++
			m.named[i].id = kept
		}
	}
	for i := range m.named {
		if m.same[i] != uint32(i) {
			continue
		}
		if err := m.record(m.view.defs[m.named[i].rank].template, uint32(i), 0, 0, kept); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(m.queue); i++ {
		at := m.queue[i]
		in := &m.view.defs[m.named[at.named].rank].inner[at.inner]
		if err := m.record(m.view.nameless[in.nameless].template, at.named, in.flat, at.inner+1, kept); err != nil {
			return nil, err
		}
	}
	m.at = append(m.at, uint32(len(m.words)))
	for _, c := range m.copied {
		if m.same[c.at] != c.at {
			continue // as many of the first are enough
		}
		id := m.named[c.at].id
		from, end := m.at[id-1], m.at[id]
		if int64(end-from)*int64(c.extra)+int64(len(m.words)) > maxExpanded/4 {
			return nil, errExpanded
		}
		for range c.extra {
			m.words = append(m.words, m.words[from:end]...)
		}
	}
	return m.bytes(order), nil
}

// record writes a template that is the named type's or within it, where its
// flatLinks and flatInners go on at flat and inner.
func (m *merger) record(t template, named, flat, inner, kept uint32) error {
	v := m.view
	from := &m.named[named]
	d := &v.defs[from.rank]
	at := uint32(len(m.words))
	m.at = append(m.at, at)
	m.words = append(m.words, v.words[t.words:t.wordsEnd]...)
	for i := t.refs; i < t.refsEnd; i++ {
		r := &v.refs[i]
		if r.to >= 0 {
			m.words[at+r.at] = m.named[m.same[m.target(from, &d.flat[flat])]].id
			flat++
			continue
		}
		m.words[at+r.at] = m.idOf(named, inner, kept)
		flat, inner = d.inner[inner].flatEnd, d.inner[inner].innerEnd
	}
	if len(m.words) > maxExpanded/4 {
		return errExpanded
	}
	return nil
}

// idOf is the id of a nameless type.
func (m *merger) idOf(named, inner, kept uint32) uint32 {
	t := &m.named[named]
	n := m.view.defs[t.rank].inner[inner].nameless
	key, plain := m.nameless(t, int(inner))
	id := m.ids[n]
	if !plain {
		id = m.differs[string(key)]
	}
	if id != 0 {
		return id
	}
	m.queue = append(m.queue, metAt{named, inner})
	id = kept + uint32(len(m.queue))
	if plain {
		m.ids[n] = id
		m.met = append(m.met, n)
	} else {
		m.differs[string(key)] = id
	}
	return id
}

// bytes puts the BTF together.
func (m *merger) bytes(order binary.ByteOrder) []byte {
	const header = 24
	types, strs := 4*len(m.words), m.view.strings
	buf := make([]byte, header+types+len(strs))
	order.PutUint16(buf, 0xeb9f)
	buf[2] = 1
	for i, n := range [...]int{header, 0, types, types, len(strs)} {
		order.PutUint32(buf[4+4*i:], uint32(n))
	}
	out := buf[header:]
	if order == binary.ByteOrder(binary.LittleEndian) {
		for i, w := range m.words {
			binary.LittleEndian.PutUint32(out[4*i:], w)
		}
	} else {
		for i, w := range m.words {
			binary.BigEndian.PutUint32(out[4*i:], w)
		}
	}
	copy(out[types:], strs)
	return buf
}
