package minimize

import (
	"cmp"
	"slices"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// keepSet is what of a kernel's types is kept.
type keepSet struct {
	blobs []blobKeep
}

// blobKeep is what of one BTF is kept: slot[id-start] is the type's place in
// list, plus one.
type blobKeep struct {
	start btf.ID
	slot  []uint32
	list  []kept
	items []item
	fresh bool // list and items are in their final order
}

// kept is one type.
type kept struct {
	id  btf.ID
	all bool   // with all its items
	pin uint32 // see btf.Builder.Pin
	// nameless: without its name, which would make it a candidate.
	nameless bool
	// Its items, once sorted: items[lo:hi].
	lo, hi uint32
	out    btf.ID // in the output
}

// item is one item of a type: the type's id in the upper half, the item's index
// in the lower, so that items sort with types.
type item uint64

func itemOf(id btf.ID, index int32) item { return item(id)<<32 | item(uint32(index)) }

func (i item) id() btf.ID    { return btf.ID(i >> 32) }
func (i item) index() uint32 { return uint32(i) }

func (k *keepSet) reset(r *core.Resolver) {
	k.blobs = slices.Grow(k.blobs[:0], r.Blobs())[:r.Blobs()]
	for i := range k.blobs {
		b, t := &k.blobs[i], r.Types(i)
		for _, e := range b.list {
			b.slot[e.id-b.start] = 0
		}
		b.list, b.items, b.fresh = b.list[:0], b.items[:0], false
		b.start = t.Start()
		if n := int(t.End() - t.Start()); n > len(b.slot) {
			b.slot = make([]uint32, n+n/4) // the next kernel may be larger
		}
	}
}

// add keeps what a decision has looked at.
func (k *keepSet) add(blob int, touched []core.Touch) {
	for _, t := range touched {
		if t.Type == 0 {
			continue
		}
		b := k.blob(blob, t.Type)
		i := uint32(t.Type - b.start)
		if i >= uint32(len(b.slot)) {
			continue // out of range: the decision was an error
		}
		e := b.slot[i]
		if e == 0 {
			b.list = append(b.list, kept{id: t.Type})
			e = uint32(len(b.list))
			b.slot[i] = e
		}
		switch t.Item {
		case core.ItemSelf:
		case core.ItemAll:
			b.list[e-1].all = true
		default:
			b.items = append(b.items, itemOf(t.Type, t.Item))
		}
	}
	for i := range k.blobs {
		k.blobs[i].fresh = false
	}
}

// blob is that which a type of the i-th blob stands in: its own, or vmlinux.
func (k *keepSet) blob(i int, id btf.ID) *blobKeep {
	if id < k.blobs[i].start {
		return &k.blobs[0]
	}
	return &k.blobs[i]
}

// find is the entry of a type, nil if it is not kept.
func (k *keepSet) find(blob int, id btf.ID) *kept {
	if id == 0 {
		return nil
	}
	b := k.blob(blob, id)
	if i := uint32(id - b.start); i < uint32(len(b.slot)) && b.slot[i] != 0 {
		return &b.list[b.slot[i]-1]
	}
	return nil
}

// settle sorts types by id and items by type and index.
func (k *keepSet) settle() {
	for i := range k.blobs {
		b := &k.blobs[i]
		if b.fresh {
			continue
		}
		b.fresh = true
		slices.SortFunc(b.list, func(x, y kept) int { return cmp.Compare(x.id, y.id) })
		slices.Sort(b.items)
		b.items = slices.Compact(b.items)
		at := 0
		for n := range b.list {
			e := &b.list[n]
			b.slot[e.id-b.start] = uint32(n + 1)
			e.lo = uint32(at)
			for at < len(b.items) && b.items[at].id() == e.id {
				at++
			}
			e.hi = uint32(at)
		}
	}
}

// unname drops the names of the modules' types that are at a place in the
// output.
func (k *keepSet) unname(out btf.ID) {
	for i := 1; i < len(k.blobs); i++ {
		list := k.blobs[i].list
		for n := range list {
			if list[n].out == out {
				list[n].nameless = true
			}
		}
	}
}
