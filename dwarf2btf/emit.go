package dwarf2btf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// emit writes the classes, in order of where they came first, but those of the base.
func (in *input) emit(t *table, workers []*worker) ([]byte, error) {
	n := len(t.at)
	first, count := make([]uint64, n), make([]int32, n)
	own := make([]uint64, n)  // without the base, and what only functions are of
	base := make([]uint32, n) // ids
	if in.options.Base != nil {
		base = workers[0].baseIDs(n)
	}
	earliest := func(of, with []uint64) {
		for c, at := range with[:min(n, len(with))] {
			if at != 0 && (of[c] == 0 || at < of[c]) {
				of[c] = at
			}
		}
	}
	for i, w := range workers {
		earliest(first, w.first)
		if i > 0 || in.options.Base == nil {
			earliest(own, w.listed)
		}
		for c := range w.count[:min(n, len(w.count))] {
			count[c] += w.count[c]
		}
	}
	to := in.settle(t, first, count)
	if in.options.Base != nil {
		t.dropChanged(base, to)
	}
	for c := range to {
		if s := to[c]; int(s) != c && own[c] != 0 && (own[s] == 0 || own[c] < own[s]) && count[c] > 0 {
			own[s] = own[c]
		}
	}
	t.pickFunctions(in, to, own)
	order := make([]class, 0, n)
	for c := class(1); int(c) < n; c++ {
		if to[c] == c && own[c] != 0 && base[c] == 0 {
			order = append(order, c)
		}
	}
	slices.SortFunc(order, func(a, b class) int { return t.earlier(own, a, b) })
	if err := in.finite(t, order, to); err != nil {
		return nil, err
	}
	next := uint32(1)
	if in.options.Base != nil {
		next = uint32(in.options.Base.End())
	}
	ids := base // which are 0 for what is written here
	for _, c := range order {
		ids[c] = next
		next++
	}
	w := writer{in: in, t: t, order: in.file.order}
	w.strings.init(in)
	index, missing := w.indexType(order, ids, next)
	id := func(c class) uint32 { return ids[to[c]] }
	for _, c := range order {
		if err := w.record(t.record(c), id, index); err != nil {
			return nil, err
		}
	}
	if missing {
		w.word(w.strings.add(in.fakeInt-ownFakeInt+ownArraySize), uint32(btf.KindInt)<<24, 4, 32)
	}
	w.datasec(order, ids)
	return w.bytes()
}

// earlier compares classes by where they came first. A class and a refinement of it
// may have come in one place; what then decides must not depend on the classes'
// numbers, which depend on the pace of the workers.
func (t *table) earlier(first []uint64, a, b class) int {
	if c := cmp.Compare(first[a], first[b]); c != 0 {
		return c
	}
	if x, y := t.refines(a) != 0, t.refines(b) != 0; x != y {
		if x {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(t.keys[a].a, t.keys[b].a), cmp.Compare(t.keys[a].b, t.keys[b].b))
}

// indexType finds the type of arrays' indices: int, if there is one, else one that is
// missing, to be added as type next.
func (w *writer) indexType(order []class, ids []uint32, next uint32) (index uint32, missing bool) {
	isInt := func(c class) bool {
		r := w.t.record(c)
		return r.kind() == btf.KindInt && r[recordSize] == 4 && r.flags() == flagSigned && string(w.in.name(r[recordName])) == "int"
	}
	arrays := false
	for _, c := range order {
		if arrays = arrays || w.t.record(c).kind() == btf.KindArray; index == 0 && isInt(c) {
			index = ids[c]
		}
	}
	if !arrays || index != 0 {
		return index, false
	}
	for c := class(1); int(c) < len(ids); c++ {
		if ids[c] != 0 && isInt(c) {
			return ids[c], false
		}
	}
	return next, true
}

// pickFunctions leaves of the functions of one name the first, and has the prototypes
// written that those have.
func (t *table) pickFunctions(in *input, to []class, first []uint64) {
	var functions []class
	for c := class(1); int(c) < len(to); c++ {
		if r := t.record(c); to[c] == c && first[c] != 0 && r.kind() == btf.KindFunc {
			functions = append(functions, c)
		}
	}
	if in.symbols.functions != nil {
		byName := make(map[uint64]class, len(functions))
		for _, c := range functions {
			key := hashName(in.name(t.record(c)[recordName]))
			if other, ok := byName[key]; !ok || t.earlier(first, c, other) < 0 {
				byName[key] = c
			}
		}
		for _, c := range functions {
			if byName[hashName(in.name(t.record(c)[recordName]))] != c {
				first[c] = 0
			}
		}
	}
	for _, c := range functions {
		// It is in front of the function: the place before is its own.
		if proto := to[t.record(c)[recordRef]]; first[c] != 0 && (first[proto] == 0 || first[c]-1 < first[proto]) {
			first[proto] = first[c] - 1
		}
	}
}

// writer writes BTF.
type writer struct {
	in      *input
	t       *table
	order   binary.ByteOrder
	words   []uint32
	strings stringTable
}

func (w *writer) word(v ...uint32) { w.words = append(w.words, v...) }

func (w *writer) record(r record, id func(class) uint32, index uint32) error {
	kind, flags, n := r.kind(), r.flags(), r[recordItems]
	name := w.strings.add(r[recordName])
	if n > math.MaxUint16 {
		return fmt.Errorf("%w: %v %q has %d items, at most 65535 fit", errNumber, kind, w.in.name(r[recordName]), n)
	}
	info := uint32(kind)<<24 | n
	switch kind {
	case btf.KindInt:
		w.word(name, info, r[recordSize], r[recordSize]*8|encoding(flags)<<24)
	case btf.KindFloat:
		w.word(name, info, r[recordSize])
	case btf.KindFwd:
		if flags&flagStruct == 0 {
			info |= 1 << 31
		}
		w.word(name, info, 0)
	case btf.KindArray:
		w.word(0, info, 0, id(r[recordRef]), index, r[recordSize])
	case btf.KindStruct, btf.KindUnion:
		fields := false
		for i := range n {
			fields = fields || r.item(i)[3] != 0 || r.item(i)[2]%8 != 0
		}
		if fields {
			info |= 1 << 31
		}
		w.word(name, info, r[recordSize])
		for i := range n {
			it := r.item(i)
			if fields && it[2] > 0xffffff {
				return fmt.Errorf("%w: %v %q has bitfields, and a member at bit %d", errNumber, kind, w.in.name(r[recordName]), it[2])
			}
			w.word(w.strings.add(it[0]), id(it[1]), it[2]|it[3]<<24)
		}
	case btf.KindEnum, btf.KindEnum64:
		if flags&flagSigned != 0 {
			info |= 1 << 31
		}
		w.word(name, info, r[recordSize])
		for i := range n {
			it := r.item(i)
			w.word(w.strings.add(it[0]), it[2])
			if kind == btf.KindEnum64 {
				w.word(it[3])
			}
		}
	case btf.KindFuncProto:
		w.word(0, info, id(r[recordRef]))
		for i := range n {
			it := r.item(i)
			w.word(w.strings.add(it[0]), id(it[1]))
		}
	case btf.KindVar:
		linkage := btf.LinkageStatic
		if flags&flagGlobal != 0 {
			linkage = btf.LinkageGlobal
		}
		w.word(name, info, id(r[recordRef]), linkage)
	case btf.KindDeclTag:
		w.word(name, info, id(r[recordRef]), r[recordSize])
	default:
		w.word(name, info, id(r[recordRef]))
	}
	return nil
}

func encoding(flags uint8) uint32 {
	switch {
	case flags&flagSigned != 0:
		return uint32(btf.Signed)
	case flags&flagBool != 0:
		return uint32(btf.Bool)
	}
	return 0
}

// bytes puts everything together.
func (w *writer) bytes() ([]byte, error) {
	const header = 24
	types := len(w.words) * 4
	if uint64(types)+uint64(len(w.strings.own())) > math.MaxInt32 {
		return nil, fmt.Errorf("%w: BTF of more than 2 GiB", errNumber)
	}
	out := make([]byte, header+types, header+types+len(w.strings.own()))
	o := w.order
	o.PutUint16(out, btf.Magic)
	out[2] = 1
	o.PutUint32(out[4:], header)
	o.PutUint32(out[12:], uint32(types))
	o.PutUint32(out[16:], uint32(types))
	o.PutUint32(out[20:], uint32(len(w.strings.own())))
	for i, v := range w.words {
		o.PutUint32(out[header+4*i:], v)
	}
	return append(out, w.strings.own()...), nil
}

// stringTable is a string section in the making.
type stringTable struct {
	in    *input
	text  []byte
	start uint32   // bytes of text that are the base's
	slots []uint32 // of offsets in text, 0: free
	used  int
}

func (s *stringTable) init(in *input) {
	s.in, s.text, s.slots = in, []byte{0}, make([]uint32, 1<<11)
	if in.options.Base == nil {
		return
	}
	text := in.options.Base.Text(0)
	s.text, s.start = slices.Clone(text), uint32(len(text))
	for at := 1; at < len(text); {
		n := bytes.IndexByte(text[at:], 0)
		if n > 0 {
			s.put(text[at:at+n], uint32(at))
		}
		at += n + 1
	}
}

// own is the text that is not the base's.
func (s *stringTable) own() []byte { return s.text[s.start:] }

// add returns the offset of a name, given as a place among the strings.
func (s *stringTable) add(at uint32) uint32 {
	if at == 0 {
		return 0
	}
	return s.addBytes(s.in.name(at))
}

func (s *stringTable) addBytes(name []byte) uint32 {
	if len(name) == 0 {
		return 0
	}
	p := s.slot(name)
	if *p != 0 {
		return *p
	}
	at := uint32(len(s.text))
	s.text = append(append(s.text, name...), 0)
	s.put(name, at)
	return at
}

// put notes where a name is, if it is not in the table.
func (s *stringTable) put(name []byte, at uint32) {
	if s.used >= len(s.slots)/2 {
		was := s.slots
		s.slots = make([]uint32, 2*len(was))
		for _, off := range was {
			if off != 0 {
				*s.slot(s.at(off)) = off
			}
		}
	}
	if p := s.slot(name); *p == 0 {
		*p = at
		s.used++
	}
}

func (s *stringTable) at(off uint32) []byte {
	end := off
	for s.text[end] != 0 {
		end++
	}
	return s.text[off:end]
}

// slot is where a name is, or where it belongs.
func (s *stringTable) slot(name []byte) *uint32 {
	mask := uint64(len(s.slots) - 1)
	for i := hashName(name) & mask; ; i = (i + 1) & mask {
		off := s.slots[i]
		if off == 0 {
			return &s.slots[i]
		}
		if have := s.text[off:]; len(have) > len(name) && have[len(name)] == 0 && string(have[:len(name)]) == string(name) {
			return &s.slots[i]
		}
	}
}
