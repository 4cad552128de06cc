package kernelseries

import (
	"maps"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// kernel is a base with changes.
type kernel struct {
	*base
	records  []record // by id, nil where the type is gone; ids behind the base's are new types
	refs     []int32
	inserted map[uint32][]uint32 // of an id of the base, the new types that stand behind it
	protos   map[string]uint32   // new ones
}

func newKernel(b *base) *kernel {
	return &kernel{
		base: b, records: slices.Clone(b.records), refs: slices.Clone(b.refs),
		inserted: make(map[uint32][]uint32), protos: make(map[string]uint32),
	}
}

func (k *kernel) clone() *kernel {
	c := &kernel{
		base: k.base, records: slices.Clone(k.records), refs: slices.Clone(k.refs),
		inserted: maps.Clone(k.inserted), protos: maps.Clone(k.protos),
	}
	for id, list := range c.inserted {
		c.inserted[id] = slices.Clip(list)
	}
	return c
}

// put makes r the record of a type, of which nil is none.
func (k *kernel) put(id uint32, r record) {
	old := k.records[id]
	k.records[id] = r
	if r != nil {
		r.eachRef(func(at int) { k.refs[r[at]]++ })
	}
	if old != nil {
		old.eachRef(func(at int) { k.release(old[at]) })
	}
}

// release takes a reference back. Types without a name are gone with their last one; the others are not, since a kernel's
// BTF has all types of its sources, used or not.
func (k *kernel) release(id uint32) {
	if id == 0 {
		return
	}
	k.refs[id]--
	if r := k.records[id]; r != nil && k.refs[id] == 0 && r[0] == 0 {
		k.put(id, nil)
	}
}

// add adds a type; in the order of ids it stands behind one of the base, so that those after it move.
func (k *kernel) add(behind uint32, r record) uint32 {
	id := uint32(len(k.records))
	k.records = append(k.records, nil)
	k.refs = append(k.refs, 0)
	k.put(id, r)
	k.inserted[behind] = append(k.inserted[behind], id)
	return id
}

// proto is the id of a function type, which is added if there is none like it.
func (k *kernel) proto(behind uint32, r record) uint32 {
	key := protoKey(r)
	for _, id := range []uint32{k.base.protos[key], k.protos[key]} {
		if id != 0 && k.records[id] != nil {
			return id
		}
	}
	id := k.add(behind, r)
	k.protos[key] = id
	return id
}

// encode writes the kernel's BTF into a new slice: types in the order of ids, each string once, in the order of first use.
func (k *kernel) encode() []byte {
	ids := make([]uint32, len(k.records))
	list := make([]record, 0, len(k.records))
	size := 0
	emit := func(id uint32) {
		if r := k.records[id]; r != nil {
			list = append(list, r)
			ids[id] = uint32(len(list))
			size += 4 * len(r)
		}
	}
	for id := range uint32(len(k.base.records)) {
		emit(id)
		for _, behind := range k.inserted[id] {
			emit(behind)
		}
	}

	t := k.strs
	t.encoding++
	t.offs = slices.Grow(t.offs, len(t.list)-len(t.offs))[:len(t.list)]
	t.used = slices.Grow(t.used, len(t.list)-len(t.used))[:len(t.list)]
	t.used[0], t.offs[0] = t.encoding, 0
	strs := append(make([]byte, 0, 1<<20), 0)
	name := func(n uint32) uint32 {
		if t.used[n] != t.encoding {
			t.used[n], t.offs[n] = t.encoding, uint32(len(strs))
			strs = append(append(strs, t.list[n]...), 0)
		}
		return t.offs[n]
	}
	const header = 24
	o := k.order
	out := make([]byte, header+size, header+size+1<<21)
	at := header
	for _, r := range list {
		for i, w := range r {
			o.PutUint32(out[at+4*i:], w)
		}
		o.PutUint32(out[at:], name(r[0]))
		l := &layouts[r.kind()]
		if l.itemName {
			for i := 2 + l.once; i < len(r); i += l.item {
				o.PutUint32(out[at+4*i:], name(r[i]))
			}
		}
		r.eachRef(func(i int) { o.PutUint32(out[at+4*i:], ids[r[i]]) })
		at += 4 * len(r)
	}
	o.PutUint16(out, btf.Magic)
	out[2] = 1
	o.PutUint32(out[4:], header)
	o.PutUint32(out[12:], uint32(size))
	o.PutUint32(out[16:], uint32(size))
	o.PutUint32(out[20:], uint32(len(strs)))
	return append(out, strs...)
}
