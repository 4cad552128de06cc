package kernelseries

import (
	"math/rand/v2"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// changeStruct changes the members of a struct: in place, or so that it grows or shrinks and all that have it inside with it.
func (k *kernel) changeStruct(rng *rand.Rand, limit int) int {
	id := pick(rng, k.members)
	how, at := rng.IntN(100), rng.IntN(1<<16)
	s, ok := k.scalar(rng)
	name := k.field(rng)
	if id == 0 || k.records[id] == nil || !ok {
		return 0
	}
	r := k.records[id]
	at = 3 + 3*(at%r.vlen())
	switch {
	case how < 15:
		return k.fillHole(id, at, name, s)
	case how < 30:
		return k.retype(id, at, name, s)
	case how < 45:
		return k.swap(id, at)
	case how < 85:
		return k.insertMember(id, at, name, s, limit)
	default:
		return k.removeMember(id, at, limit)
	}
}

// offset is where a member begins, in bits; bits is the size of a bitfield.
func (r record) offset(at int) (offset, bits uint32) {
	if r.flag() {
		return r[at+2] & 0xffffff, r[at+2] >> 24
	}
	return r[at+2], 0
}

// plain is the size in bits of a member that is an ordinary scalar, 0 of one that is not.
func (k *kernel) plain(r record, at int) uint32 {
	id := r[at+1]
	if _, bits := r.offset(at); bits != 0 || r[at] == 0 || id == 0 || int(id) >= len(k.base.records) {
		return 0
	}
	if in, _ := k.embedded(id); in != 0 {
		return 0
	}
	return 8 * k.size(id)
}

// fillHole puts a member into the first gap from a member on that is large enough.
func (k *kernel) fillHole(id uint32, at int, name uint32, s scalar) int {
	r := k.records[id]
	for ; at < len(r); at += 3 {
		size := k.plain(r, at)
		if size == 0 {
			continue
		}
		from, _ := r.offset(at)
		end := 8 * r[2]
		if at+3 < len(r) {
			end, _ = r.offset(at + 3)
		}
		if from = (from + size + 8*s.size - 1) / (8 * s.size) * (8 * s.size); from+8*s.size <= end {
			r = slices.Insert(slices.Clone(r), at+3, name, s.id, from)
			r[1]++
			k.put(id, r)
			return 1
		}
	}
	return 0
}

// retype gives a member another type of its size, and maybe another name.
func (k *kernel) retype(id uint32, at int, name uint32, s scalar) int {
	r := slices.Clone(k.records[id])
	if size := k.plain(r, at); size != 8*s.size || r[at+1] == s.id {
		if size == 0 {
			return 0
		}
		r[at] = name
	} else {
		r[at+1] = s.id
	}
	k.put(id, r)
	return 1
}

// swap has two neighbours change places.
func (k *kernel) swap(id uint32, at int) int {
	r := slices.Clone(k.records[id])
	if at+3 >= len(r) || k.plain(r, at) == 0 || k.plain(r, at) != k.plain(r, at+3) || r[at] == r[at+3] {
		return 0
	}
	r[at], r[at+3] = r[at+3], r[at]
	r[at+1], r[at+4] = r[at+4], r[at+1]
	k.put(id, r)
	return 1
}

// insertMember puts a member before another; those behind it and the end move by 8 bytes.
func (k *kernel) insertMember(id uint32, at int, name uint32, s scalar, limit int) int {
	r := k.records[id]
	for ; at > 3; at -= 3 {
		if from, _ := r.offset(at); from%64 == 0 {
			break
		}
	}
	from, _ := r.offset(at)
	t := k.newResizing(limit)
	if !t.move(id, at, 64) {
		return 0
	}
	r = slices.Insert(t.changed[id], at, name, s.id, from)
	r[1]++
	t.changed[id] = r
	return t.commit()
}

// removeMember takes out a member of 8 bytes with the room that it takes.
func (k *kernel) removeMember(id uint32, at int, limit int) int {
	r := k.records[id]
	from, _ := r.offset(at)
	next := 8 * r[2]
	if at+3 < len(r) {
		next, _ = r.offset(at + 3)
	}
	if r.vlen() < 3 || k.plain(r, at) != 64 || from%64 != 0 || next != from+64 {
		return 0
	}
	t := k.newResizing(limit)
	if !t.move(id, at+3, -64) {
		return 0
	}
	r = slices.Delete(t.changed[id], at, at+3)
	r[1]--
	t.changed[id] = r
	return t.commit()
}

// resizing is a change of sizes as far as it goes: all of it or nothing.
type resizing struct {
	k       *kernel
	changed map[uint32]record
	order   []uint32
	named   int // definitions of named types among them
	limit   int
	steps   int
}

func (k *kernel) newResizing(limit int) *resizing {
	return &resizing{k: k, changed: make(map[uint32]record), limit: limit}
}

func (t *resizing) record(id uint32) record {
	r, ok := t.changed[id]
	if !ok {
		r = slices.Clone(t.k.records[id])
		t.changed[id] = r
		t.order = append(t.order, id)
		if r[0] != 0 {
			t.named++
		}
	}
	return r
}

// move moves a struct's members from one on, and its end, by so many bits, then all that have it as a member by value.
func (t *resizing) move(id uint32, at int, by int64) bool {
	r := t.record(id)
	for ; at < len(r); at += 3 {
		from, bits := r.offset(at)
		to := int64(from) + by
		if to < 0 || r.flag() && to > 0xffffff || to > 1<<31 {
			return false
		}
		r[at+2] = uint32(to) | bits<<24
	}
	return t.resize(id, r, by)
}

func (t *resizing) resize(id uint32, r record, by int64) bool {
	size := int64(r[2]) + by/8
	if t.steps++; size < 0 || size > 1<<28 || t.named > t.limit || t.steps > 8*t.limit+32 {
		return false
	}
	r[2] = uint32(size)
	for _, holder := range t.k.holders[id] {
		if t.k.records[holder] != nil && !t.grow(holder, id, by) {
			return false
		}
	}
	return true
}

// grow tells a holder that what it holds has another size.
func (t *resizing) grow(holder, id uint32, by int64) bool {
	r := t.record(holder)
	union := r.kind() == btf.KindUnion
	largest := int64(0)
	for at := 3; at < len(r); at += 3 {
		if int(r[at+1]) >= len(t.k.base.records) {
			continue
		}
		in, times := t.k.embedded(r[at+1])
		if in != id {
			continue
		}
		switch by := by * int64(times); {
		case union:
			largest = max(largest, int64(times)*int64(t.changed[id][2]))
		case times > 0:
			if !t.move(holder, at+3, by) {
				return false
			}
		}
	}
	if union && largest > int64(r[2]) {
		return t.resize(holder, r, 8*(largest-int64(r[2])))
	}
	return true
}

// commit puts what has changed into the kernel.
func (t *resizing) commit() int {
	for _, id := range t.order {
		t.k.put(id, t.changed[id])
	}
	return t.named
}
