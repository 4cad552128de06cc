package dwarf2btf

import (
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btf"
)

// class is all types of one digest. 0 is void.
type class = uint32

// slot of the table; class is written last and read first.
type slot struct {
	key   digest
	class atomic.Uint32
}

// table has every class by its digest, and a record of what the class is. It is
// looked into without a lock; only who finds nothing takes it.
type table struct {
	slots atomic.Pointer[[]slot]

	mu      sync.Mutex
	used    int
	records []uint32          // see record
	at      []uint32          // by class: where in records
	keys    []digest          // by class
	base    []class           // by class: what it is a refinement of, 0: it is none
	from    []uint64          // by class, of refinements: where its record is from, unit and entry
	leads   map[class][]class // by refinement: the ambiguous definitions that it leads to
}

func newTable() *table {
	t := &table{at: make([]uint32, 1, 1<<10), keys: make([]digest, 1, 1<<10)}
	s := make([]slot, 1<<12)
	t.slots.Store(&s)
	return t
}

// find returns the class of a digest, 0 if there is none yet.
func (t *table) find(key digest) class {
	s := *t.slots.Load()
	mask := uint64(len(s) - 1)
	for i := key.a & mask; ; i = (i + 1) & mask {
		c := s[i].class.Load()
		if c == 0 || s[i].key == key {
			return c
		}
	}
}

// add returns the class of a digest, and whether it is new: then its record has yet
// to be put. The lock must be held.
func (t *table) add(key digest) (c class, isNew bool) {
	s := *t.slots.Load()
	if t.used >= len(s)/2 {
		larger := make([]slot, 2*len(s))
		for i := range s {
			if c := s[i].class.Load(); c != 0 {
				insert(larger, s[i].key, c)
			}
		}
		s = larger
		t.slots.Store(&larger)
	}
	mask := uint64(len(s) - 1)
	for i := key.a & mask; ; i = (i + 1) & mask {
		c := s[i].class.Load()
		if c != 0 && s[i].key == key {
			return c, false
		}
		if c == 0 {
			break
		}
	}
	c = class(len(t.at))
	t.at = append(t.at, 0)
	t.keys = append(t.keys, key)
	insert(s, key, c)
	t.used++
	return c, true
}

func insert(s []slot, key digest, c class) {
	mask := uint64(len(s) - 1)
	for i := key.a & mask; ; i = (i + 1) & mask {
		if s[i].class.Load() == 0 {
			s[i].key = key
			s[i].class.Store(c)
			return
		}
	}
}

// A record is a class in words:
//
//	0  kind, and flags from bit 8
//	1  name, as a place among the strings
//	2  size in bytes, elements of an array, component of a declaration tag
//	3  the class that it refers to
//	4  the number of items
//
// and for each item four: name, class, and 64 bits of value, low half first; of a
// member those are the offset in bits and the size of a bitfield.
const (
	recordKind = iota
	recordName
	recordSize
	recordRef
	recordItems
	recordWords
	itemWords = 4
)

type record []uint32

// refines is the class that c is a refinement of, 0 if it is none.
func (t *table) refines(c class) class {
	if int(c) < len(t.base) {
		return t.base[c]
	}
	return 0
}

func (t *table) record(c class) record {
	r := t.records[t.at[c]:]
	return r[:recordWords+r[recordItems]*itemWords]
}

func (r record) kind() btf.Kind { return btf.Kind(r[recordKind] & 0xff) }
func (r record) flags() uint8   { return uint8(r[recordKind] >> 8) }

func (r record) item(i uint32) record { return r[recordWords+i*itemWords:][:itemWords] }

// references calls f with where in the record a class is.
func (r record) references(f func(i int)) {
	if r[recordRef] != 0 {
		f(recordRef)
	}
	switch r.kind() {
	case btf.KindStruct, btf.KindUnion, btf.KindFuncProto:
		for i := recordWords + 1; i < len(r); i += itemWords {
			if r[i] != 0 {
				f(i)
			}
		}
	}
}

// worker converts units.
type worker struct {
	decoder
	hasher
	refiner
	table *table

	classes []class  // of the decoder's types
	fresh   []int32  // of them those whose records have to be made
	first   []uint64 // by class: where this worker came upon it first, unit and entry, plus 1; 0 is nowhere
	listed  []uint64 // by class: likewise, as a type and not as what a function is of
	count   []int32  // by class: how many types of this worker's units are of it
	defs    []class  // the named types that units define, one unit's after another's
	ends    []unitDefs
	failed  int64 // the unit that was in error
}

// unitDefs are a unit's part of defs.
type unitDefs struct {
	unit     int
	from, to int
}

// lookup finds the classes of a unit's types, and whether some are missing.
func (w *worker) lookup() (missing bool) {
	w.classes = sized(w.classes, len(w.types))
	for i := range w.types {
		if k := w.types[i].kind; k == kindVoid || k == kindAlias {
			continue
		}
		c := w.table.find(w.hasher.digests[i])
		w.classes[i] = c
		missing = missing || c == 0
	}
	return missing
}

// room makes room for what is kept of a class.
func (w *worker) room(c class) {
	if int(c) >= len(w.first) {
		more := int(c) + 1 - len(w.first) + len(w.first)/4
		w.first = append(w.first, make([]uint64, more)...)
		w.listed = append(w.listed, make([]uint64, more)...)
		w.count = append(w.count, make([]int32, more)...)
	}
}

// cameAt is an entry's position among those of all units.
func cameAt(unit, entry int) uint64 {
	return uint64(unit+1)<<32 | uint64(entry) + 1 // baseUnit is in front
}

// came notes that a class came up, as the type of an index.
func (w *worker) came(c class, unit, entry int) {
	w.room(c)
	at := cameAt(unit, entry)
	if w.first[c] == 0 {
		w.first[c] = at
	}
	if w.listed[c] == 0 && !w.types[entry].isOfFunction() {
		w.listed[c] = at
	}
}

// enter takes in the types of a unit: of all units, if they refer to one another.
func (w *worker) enter(unit int) error {
	if w.lookup() {
		if err := w.put(); err != nil {
			return err
		}
	}
	from := len(w.defs)
	for i, c := range w.classes {
		if c == 0 {
			continue
		}
		w.came(c, unit, i)
		w.count[c]++
		if t := &w.types[i]; t.named() && t.flags&flagDeclared == 0 {
			w.defs = append(w.defs, c)
		}
	}
	w.ends = append(w.ends, unitDefs{unit, from, len(w.defs)})
	return nil
}

// put adds the classes that are missing.
func (w *worker) put() error {
	t := w.table
	t.mu.Lock()
	defer t.mu.Unlock()
	w.fresh = w.fresh[:0]
	for i, c := range w.classes {
		if k := w.types[i].kind; c != 0 || k == kindVoid || k == kindAlias {
			continue
		}
		c, isNew := t.add(w.hasher.digests[i])
		if w.classes[i] = c; isNew {
			w.fresh = append(w.fresh, int32(i))
		}
	}
	for _, i := range w.fresh {
		if err := w.putRecord(i, w.classes[i], w.classOf); err != nil {
			return err
		}
	}
	return nil
}

// classOf is what a record says for a reference: a named type's class is that of
// its name.
func (w *worker) classOf(at place) (class, error) {
	id, err := w.resolve(at)
	if err != nil || id < 0 {
		return 0, err
	}
	t := &w.types[id]
	if !t.named() {
		return w.classes[id], nil
	}
	c, isNew := w.table.add(nameDigest(t.kind, t.hash))
	if isNew {
		kind := t.kind
		if kind == btf.KindEnum64 {
			kind = btf.KindEnum
		}
		w.table.at[c] = uint32(len(w.table.records))
		w.table.records = append(w.table.records, uint32(kindName), t.name, uint32(kind), 0, 0)
	}
	return c, nil
}

// putRecord writes a type's record; classOf may add records of its own.
func (w *worker) putRecord(id int32, c class, classOf func(place) (class, error)) error {
	t := &w.types[id]
	var ref class
	var err error
	switch t.kind {
	case btf.KindInt, btf.KindFloat, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
	case btf.KindFunc:
		proto, err := w.prototype(id)
		if err != nil {
			return err
		}
		ref = w.classes[proto]
	default:
		if ref, err = classOf(t.ref); err != nil {
			return err
		}
	}
	kind, flags := t.kind, t.flags&(flagSigned|flagBool)
	if t.flags&flagDeclared != 0 && t.kind.IsComposite() && t.name != 0 {
		kind, flags = btf.KindFwd, 0
		if t.kind == btf.KindStruct {
			flags = flagStruct
		}
	}
	items := make([]uint32, 0, 64)
	n := uint32(0)
	if kind != btf.KindFwd {
		for i := t.first; i >= 0; {
			m := &w.items[i]
			it := [itemWords]uint32{m.name, 0, uint32(m.value), uint32(m.value >> 32)}
			switch kind {
			case btf.KindStruct, btf.KindUnion, btf.KindFuncProto:
				if it[1], err = classOf(m.ref); err != nil {
					return err
				}
				it[3] = uint32(m.bits)
			}
			items = append(items, it[:]...)
			n++
			i = m.next
		}
	}
	if t.flags&flagVarargs != 0 {
		items = append(items, 0, 0, 0, 0)
		n++
	}
	b := w.table
	b.at[c] = uint32(len(b.records))
	b.records = append(b.records, uint32(kind)|uint32(flags)<<8, t.name, t.size, ref, n)
	b.records = append(b.records, items...)
	return nil
}
