package store

import (
	"encoding/binary"
	"sync"
)

// viewExpander makes the BTF of one kernel.
type viewExpander struct {
	merger

	types []viewType
	words []uint32
	at    []uint32 // per type, nameless ones last: where in words its record starts

	ids    []uint32 // per nameless type: its id, if it was met
	met    []int32  // those that were
	varied map[string]uint32
	queue  []viewType // nameless types to be written, in the order of ids
	differ []byte
}

// viewType is a type that is to be written.
type viewType struct {
	template
	// The ordinals of the definition's type that it is of, or is within, and the
	// index there of the first reference by kind and name.
	slots, ordinals []uint32
	index           uint32
}

var viewExpanders = sync.Pool{New: func() any { return new(viewExpander) }}

func (v *View) expand(k *viewKernel, buf []byte) ([]byte, error) {
	x := viewExpanders.Get().(*viewExpander)
	defer func() {
		x.reset()
		viewExpanders.Put(x)
	}()
	x.ids = append(x.ids, make([]uint32, max(0, len(v.nameless)-len(x.ids)))...)
	x.merge(v, k)
	x.collect()
	if err := x.write(); err != nil {
		return nil, err
	}
	if err := x.copies(k); err != nil {
		return nil, err
	}
	return x.bytes(k.order, buf), nil
}

func (x *viewExpander) reset() {
	for _, n := range x.met {
		x.ids[n] = 0
	}
	clear(x.types)
	clear(x.queue)
	x.met, x.types, x.words, x.at, x.queue = x.met[:0], x.types[:0], x.words[:0], x.at[:0], x.queue[:0]
	x.varied = nil
	x.forget()
}

// collect lists the types with a name, in their order, and gives them their ids.
func (x *viewExpander) collect() {
	for i := range x.named {
		t := &x.named[i]
		w := viewType{template: x.view.defs[t.rank].template}
		if t.variation != nil {
			w.slots, w.ordinals = t.variation.refs, t.variation.of(t.index)
		}
		x.types = append(x.types, w)
		t.id = uint32(len(x.types))
	}
}

func (x *viewExpander) write() error {
	for i := range x.types {
		if err := x.record(&x.types[i]); err != nil {
			return err
		}
	}
	for i := 0; i < len(x.queue); i++ {
		t := x.queue[i]
		if err := x.record(&t); err != nil {
			return err
		}
	}
	return nil
}

func (x *viewExpander) record(t *viewType) error {
	v := x.view
	at := uint32(len(x.words))
	x.at = append(x.at, at)
	x.words = append(x.words, v.words[t.words:t.wordsEnd]...)
	for i := t.refs; i < t.refsEnd; i++ {
		r := &v.refs[i]
		id, err := x.id(t, r)
		if err != nil {
			return err
		}
		x.words[at+r.at] = id
	}
	if len(x.words) > maxExpanded/4 {
		return errExpanded
	}
	return nil
}

func (x *viewExpander) id(t *viewType, r *viewRef) (uint32, error) {
	if r.to < 0 {
		return x.nameless(t, r), nil
	}
	n := uint32(0)
	if len(t.slots) > 0 {
		n = t.ordinal(t.index + r.index)
	}
	if n >= x.count[r.to] {
		g := &x.view.groups[r.to]
		return 0, damaged("a reference to %v %q, which the kernel has %d of", g.kind, g.text, x.count[r.to])
	}
	return x.named[x.first[r.to]+n].id, nil
}

// ordinal is the ordinal of a reference.
func (t *viewType) ordinal(index uint32) uint32 {
	for i, n := range t.slots {
		if n == index {
			return t.ordinals[i]
		}
	}
	return 0
}

// nameless is the id of a nameless type: those of the same number and ordinals
// have the same.
func (x *viewExpander) nameless(t *viewType, r *viewRef) uint32 {
	n := ^r.to
	inner := viewType{template: x.view.nameless[n].template}
	x.differ = x.differ[:0]
	lo := t.index + r.index
	for i, at := range t.slots {
		if at >= lo && at-lo < r.n && t.ordinals[i] != 0 {
			x.differ = binary.AppendUvarint(x.differ, uint64(at-lo))
			x.differ = binary.AppendUvarint(x.differ, uint64(t.ordinals[i]))
		}
	}
	if len(x.differ) == 0 {
		if x.ids[n] == 0 {
			x.queue = append(x.queue, inner)
			x.ids[n] = uint32(len(x.types) + len(x.queue))
			x.met = append(x.met, n)
		}
		return x.ids[n]
	}
	x.differ = binary.AppendUvarint(x.differ, uint64(n))
	id, ok := x.varied[string(x.differ)]
	if !ok {
		inner.slots, inner.ordinals, inner.index = t.slots, t.ordinals, lo
		x.queue = append(x.queue, inner)
		id = uint32(len(x.types) + len(x.queue))
		if x.varied == nil {
			x.varied = make(map[string]uint32)
		}
		x.varied[string(x.differ)] = id
	}
	return id
}

// copies writes the copies of types once more.
func (x *viewExpander) copies(k *viewKernel) error {
	x.at = append(x.at, uint32(len(x.words)))
	for _, c := range k.copied {
		at, ok := x.place(c)
		if !ok {
			return damaged("a copy of a type that the kernel does not have")
		}
		id := x.named[at].id
		from, end := x.at[id-1], x.at[id]
		if int64(end-from)*int64(c.extra)+int64(len(x.words)) > maxExpanded/4 {
			return errExpanded
		}
		for range c.extra {
			x.words = append(x.words, x.words[from:end]...)
		}
	}
	return nil
}

// bytes puts the BTF together.
func (x *viewExpander) bytes(order binary.ByteOrder, buf []byte) []byte {
	const header = 24
	types, strs := 4*len(x.words), x.view.strings
	size := header + types + len(strs)
	if cap(buf) < size {
		buf = make([]byte, size+size/4)
	}
	buf = buf[:size]
	order.PutUint16(buf, 0xeb9f)
	buf[2], buf[3] = 1, 0
	for i, n := range [...]int{header, 0, types, types, len(strs)} {
		order.PutUint32(buf[4+4*i:], uint32(n))
	}
	out := buf[header:]
	if order == binary.ByteOrder(binary.LittleEndian) {
		for i, w := range x.words {
			binary.LittleEndian.PutUint32(out[4*i:], w)
		}
	} else {
		for i, w := range x.words {
			binary.BigEndian.PutUint32(out[4*i:], w)
		}
	}
	copy(out[types:], strs)
	return buf
}
