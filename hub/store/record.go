package store

import (
	"encoding/binary"
	"slices"
)

// record is what a block of kernels says about one.
type record struct {
	back   uint32 // number of the base below that of the kernel; 0: none
	order  binary.ByteOrder
	sum    uint32 // of the expanded BTF
	runs   []byte // the numbers of set.appendRuns
	nruns  int
	unique uint32 // types without copies

	changes  []variation  // to the base's variations, ascending by definition; without references: removed
	copied   []copiedType // ascending by definition, then type
	nameless []copyRun    // ascending
}

// copiedType is a named type of a kernel, the typ-th (from 0) of those of a
// definition, that the kernel has extra times more.
type copiedType struct{ def, typ, extra uint32 }

// copyRun is a type without a name, by its place (from 0) among these in the
// order of ids, that the kernel has extra times more.
type copyRun struct{ at, extra uint32 }

// Limits of a record's numbers, beside those of format.go: a type takes 12
// bytes, and a reference two of a definition's text.
const (
	maxTypes = maxExpanded / 12
	maxRefs  = maxText / 2
)

// minRecord is the size of the shortest record in bytes.
const minRecord = 11

var errRecord = damaged("its record does not make sense")

// parseRecord reads one, as far as that can be told without its base and
// definitions. The runs alias b.
func parseRecord(b []byte) (*record, error) { return parseRecordOf(b, nil) }

// parseRecordOf reads of a record's changes only those to definitions that are
// asked for, nil: all. What is behind the last number that it needs is not
// looked at then.
func parseRecordOf(b []byte, asked func(def uint32) bool) (*record, error) {
	c := cursor{b: b}
	r := &record{back: uint32(c.atMost(maxKernels)), order: binary.LittleEndian}
	if c.atMost(1) == 1 {
		r.order = binary.BigEndian
	}
	r.sum = c.fixed32()
	r.nruns = c.count(1)
	start := c.i
	c.skip(r.nruns)
	r.runs = c.b[start:c.i]
	r.unique = uint32(c.atMost(maxTypes))
	columns := r.parseColumns(&c)
	r.parseCopies(&c)
	if c.bad || columns.ordinals > uint64(len(b)-c.i) {
		return nil, errRecord
	}
	columns.parse(r, &c, asked)
	if c.bad || asked == nil && c.i != len(b) {
		return nil, errRecord
	}
	return r, nil
}

// changeColumns are where a record's changes are: a column for each kind of
// number, and how many there are.
type changeColumns struct {
	n                        int
	gaps, slots, types, refs cursor
	nrefs                    int
	ordinals                 uint64
}

// parseColumns finds the columns but for the ordinals, and checks their
// lengths: all numbers that they have between them take a byte each.
func (r *record) parseColumns(c *cursor) changeColumns {
	k := changeColumns{n: c.count(2)}
	k.gaps = *c
	c.skip(k.n)
	k.slots = *c
	c.skip(k.n)
	k.types = *c
	slots := k.slots
	for n := k.n; n > 0 && !c.bad; n-- {
		if slot := slots.count(1); slot > 0 {
			k.nrefs += slot
			k.ordinals += uint64(slot) * (c.atMost(maxTypes-1) + 1)
		} else if r.back == 0 {
			c.bad = true
		}
		if c.bad = c.bad || slots.bad || uint64(k.nrefs)+k.ordinals > uint64(len(c.b)); c.bad {
			return changeColumns{}
		}
	}
	k.refs = *c
	c.skip(k.nrefs)
	return k
}

// parse reads the changes, ordinals from c.
func (k *changeColumns) parse(r *record, c *cursor, asked func(def uint32) bool) {
	if k.n == 0 {
		return
	}
	var words wordChunks
	if asked == nil {
		r.changes = make([]variation, 0, k.n)
		words.free = make([]uint32, k.nrefs+int(k.ordinals))
	}
	next, before := uint64(0), 0
	for range k.n {
		next += k.gaps.atMost(maxDefinitions)
		v := variation{def: uint32(next), types: 1}
		if next++; next > maxDefinitions || k.gaps.bad {
			c.bad = true
			return
		}
		slots := int(k.slots.uvarint())
		if slots > 0 {
			v.types += uint32(k.types.uvarint())
		}
		ordinals := slots * int(v.types)
		if asked != nil && !asked(v.def) {
			k.refs.skip(slots)
			before += ordinals
			continue
		}
		if slots > 0 {
			v.refs, v.ordinals = words.take(slots), words.take(ordinals)
			v.parseRefs(&k.refs)
			c.skip(before)
			v.parseOrdinals(c)
			before = 0
			c.bad = c.bad || k.refs.bad
		}
		r.changes = append(r.changes, v)
	}
}

func (v *variation) parseRefs(c *cursor) {
	next := uint64(0)
	for k := range v.refs {
		next += c.atMost(maxRefs)
		v.refs[k] = uint32(next)
		if next++; next > maxRefs {
			c.bad = true
		}
	}
}

func (v *variation) parseOrdinals(c *cursor) {
	slots := len(v.refs)
	for slot := range slots {
		before, some := uint32(0), uint32(0)
		for at := slot; at < len(v.ordinals); at += slots {
			before += unzigzag(c.word())
			v.ordinals[at] = before
			some |= before
		}
		if some == 0 {
			c.bad = true
		}
	}
}

// wordChunks gives out parts of larger arrays.
type wordChunks struct{ free []uint32 }

func (a *wordChunks) take(n int) []uint32 {
	if n > len(a.free) {
		a.free = make([]uint32, max(n, 4<<10))
	}
	list := a.free[:n:n]
	a.free = a.free[n:]
	return list
}

func (r *record) parseCopies(c *cursor) {
	if n := c.count(3); n > 0 && !c.bad {
		r.copied = make([]copiedType, n)
		def, next := uint64(0), uint64(0)
		for i := range r.copied {
			if gap := c.atMost(maxDefinitions); gap > 0 {
				def, next = def+gap, 0
			}
			next += c.atMost(maxTypes)
			r.copied[i] = copiedType{uint32(def), uint32(next), uint32(c.atMost(maxTypes))}
			if next++; def >= maxDefinitions || next > maxTypes || r.copied[i].extra == 0 {
				c.bad = true
			}
		}
	}
	if n := c.count(2); n > 0 && !c.bad {
		r.nameless = make([]copyRun, n)
		next := uint64(0)
		for i := range r.nameless {
			next += c.atMost(maxTypes)
			r.nameless[i] = copyRun{uint32(next), uint32(c.atMost(maxTypes))}
			if next++; next > maxTypes || r.nameless[i].extra == 0 {
				c.bad = true
			}
		}
	}
}

// bytes writes a record with the runs that appendRuns wrote.
func (r *record) bytes(difference []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(r.back))
	if r.order == binary.ByteOrder(binary.BigEndian) {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.LittleEndian.AppendUint32(b, r.sum)
	b = append(b, difference...)
	b = binary.AppendUvarint(b, uint64(r.unique))
	b = r.appendChanges(b)
	b = binary.AppendUvarint(b, uint64(len(r.copied)))
	last := copiedType{}
	next := uint32(0)
	for _, k := range r.copied {
		if k.def != last.def {
			next = 0
		}
		b = binary.AppendUvarint(b, uint64(k.def-last.def))
		b = binary.AppendUvarint(b, uint64(k.typ-next))
		b = binary.AppendUvarint(b, uint64(k.extra))
		last, next = k, k.typ+1
	}
	b = binary.AppendUvarint(b, uint64(len(r.nameless)))
	next = 0
	for _, k := range r.nameless {
		b = binary.AppendUvarint(b, uint64(k.at-next))
		b = binary.AppendUvarint(b, uint64(k.extra))
		next = k.at + 1
	}
	return r.appendOrdinals(b)
}

// appendChanges writes the changes but for their ordinals, number by number.
func (r *record) appendChanges(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.changes)))
	next := uint32(0)
	for i := range r.changes {
		b = binary.AppendUvarint(b, uint64(r.changes[i].def-next))
		next = r.changes[i].def + 1
	}
	for i := range r.changes {
		b = binary.AppendUvarint(b, uint64(len(r.changes[i].refs)))
	}
	for i := range r.changes {
		if v := &r.changes[i]; len(v.refs) > 0 {
			b = binary.AppendUvarint(b, uint64(v.types-1))
		}
	}
	for i := range r.changes {
		at := uint32(0)
		for _, ref := range r.changes[i].refs {
			b = binary.AppendUvarint(b, uint64(ref-at))
			at = ref + 1
		}
	}
	return b
}

func (r *record) appendOrdinals(b []byte) []byte {
	for i := range r.changes {
		v := &r.changes[i]
		for slot := range v.refs {
			before := uint32(0)
			for at := slot; at < len(v.ordinals); at += len(v.refs) {
				b = binary.AppendUvarint(b, uint64(zigzag(v.ordinals[at]-before)))
				before = v.ordinals[at]
			}
		}
	}
	return b
}

// variation is a definition that several types of the kernel have, which differ
// in which of several of a name they refer to, or one type of which some
// reference is not to the first of its name.
type variation struct {
	def   uint32 // number of the definition
	types uint32 // how many types of the kernel are of it, 1 at least
	// The references that are not to the first in all of these types, ascending: their places, from 0, among the
	// definition's references by kind and name in the order of its text.
	refs     []uint32
	ordinals []uint32 // of each type, for each of refs: which of several types of that kind and name it is to, from 0
}

// of gives the ordinals of the i-th type.
func (v *variation) of(i uint32) []uint32 {
	return v.ordinals[int(i)*len(v.refs):][:len(v.refs):len(v.refs)]
}

func (v *variation) equal(w *variation) bool {
	return v.types == w.types && slices.Equal(v.refs, w.refs) && slices.Equal(v.ordinals, w.ordinals)
}

// eachChange calls f with every difference of the variations of a kernel from
// those of its base. Both are ascending; own is the set of the kernel's
// definitions. A variation that the kernel does not have is one without references.
func eachChange(own set, vary, base []variation, f func(v *variation)) {
	for len(vary) > 0 || len(base) > 0 {
		switch {
		case len(base) == 0 || len(vary) > 0 && vary[0].def < base[0].def:
			f(&vary[0])
			vary = vary[1:]
		case len(vary) == 0 || base[0].def < vary[0].def:
			if own.has(base[0].def) {
				f(&variation{def: base[0].def, types: 1})
			}
			base = base[1:]
		default:
			if !vary[0].equal(&base[0]) {
				f(&vary[0])
			}
			vary, base = vary[1:], base[1:]
		}
	}
}

func changesTo(own set, vary, base []variation) (changes []variation) {
	eachChange(own, vary, base, func(v *variation) { changes = append(changes, *v) })
	return changes
}

// changesCost is about what changesTo costs to write, measured in runs.
func changesCost(own set, vary, base []variation) (cost int) {
	eachChange(own, vary, base, func(v *variation) { cost += 1 + 4*len(v.refs) })
	return cost
}

// change gives the variations of a kernel whose definitions are own: those of
// its base, changed. It is in out, if that has room.
func change(own set, base, changes, out []variation) ([]variation, error) {
	out = out[:0]
	for i := range changes {
		v := &changes[i]
		for len(base) > 0 && base[0].def < v.def {
			if own.has(base[0].def) {
				out = append(out, base[0])
			}
			base = base[1:]
		}
		there := len(base) > 0 && base[0].def == v.def
		switch {
		case !own.has(v.def):
			return nil, damaged("ordinals for definition %d, which it does not have", v.def)
		case len(v.refs) > 0:
			out = append(out, *v)
		case !there:
			return nil, damaged("no ordinals for definition %d, for which its base has none", v.def)
		}
		if there {
			base = base[1:]
		}
	}
	for i := range base {
		if own.has(base[i].def) {
			out = append(out, base[i])
		}
	}
	return out, nil
}
