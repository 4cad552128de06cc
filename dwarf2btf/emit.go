package dwarf2btf

import (
	"bytes"
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
	base := make([]uint32, n) // ids
	own := first              // without the base
	if in.options.Base != nil {
		base = workers[0].baseIDs(n)
		own = make([]uint64, n)
	}
	for i, w := range workers {
		isBase := i == 0 && in.options.Base != nil
		for c, at := range w.first[:min(n, len(w.first))] {
			if at == 0 {
				continue
			}
			if first[c] == 0 || at < first[c] {
				first[c] = at
			}
			if !isBase && (own[c] == 0 || at < own[c]) {
				own[c] = at
			}
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
	slices.SortFunc(order, func(a, b class) int {
		if own[a] < own[b] {
			return -1
		}
		return 1
	})
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
			if other, ok := byName[key]; !ok || first[c] < first[other] {
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

// settle says which class each is written as: declarations as what they declare,
// names as what they name, and classes of which there are refined ones as the first
// of those.
func (in *input) settle(t *table, first []uint64, count []int32) []class {
	n := len(t.at)
	to := make([]class, n)
	type named struct {
		definition, declaration class
		several                 bool
	}
	names := map[digest]named{}
	for c := class(1); int(c) < n; c++ {
		to[c] = c
		r := t.record(c)
		kind := r.kind()
		switch kind {
		case btf.KindFwd, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
		default:
			continue
		}
		if r[recordName] == 0 || t.refines(c) != 0 {
			continue
		}
		key := in.nameKey(r)
		d := names[key]
		switch {
		case kind == btf.KindFwd || kind == btf.KindEnum && r[recordItems] == 0:
			if d.declaration == 0 || first[c] < first[d.declaration] {
				d.declaration = c
			}
		case d.definition == 0:
			d.definition = c
		default:
			d.several = true
			if first[c] < first[d.definition] {
				d.definition = c
			}
		}
		names[key] = d
	}
	for c := range t.base {
		if b := t.base[c]; b != 0 && (to[b] == b || first[c] < first[to[b]]) {
			to[b] = class(c)
		}
	}
	for key, d := range names {
		if d.definition != 0 && d.declaration != 0 && !d.several {
			to[d.declaration] = d.definition
		}
		if name := t.find(key); name != 0 {
			to[name] = d.definition
			if d.definition == 0 || d.several && d.declaration != 0 {
				to[name] = d.declaration
			}
		}
	}
	// Where a type with a declaration was taken for one with a definition, the
	// declaration is of that one.
	for b := class(1); int(b) < n; b++ {
		if to[b] == b || count[b] <= 0 || t.record(b).kind() == kindName || t.refines(to[b]) != b {
			continue
		}
		from, refined := t.record(b), t.record(to[b])
		from.references(func(i int) {
			name := t.record(from[i])
			if name.kind() != kindName || t.record(refined[i]).kind() == kindName {
				return
			}
			if d := names[t.keys[from[i]]]; d.several && d.declaration != 0 && to[d.declaration] == d.declaration {
				to[d.declaration] = refined[i]
			}
		})
	}
	for c := range to {
		for to[to[c]] != to[c] {
			to[c] = to[to[c]]
		}
		if s := to[c]; int(s) != c && first[c] != 0 && (first[s] == 0 || first[c] < first[s]) && count[c] > 0 {
			first[s] = first[c]
		}
	}
	return to
}

// finite fails if a type contains itself by value: no compiler writes that, and no
// reader of BTF takes it. Digests do not see it, because names are all that a
// reference to a named type is to them.
func (in *input) finite(t *table, order []class, to []class) error {
	const open, done = 1, 2
	state := make([]uint8, len(to))
	type frame struct {
		class class
		at    int
	}
	var path []frame
	for _, c := range order {
		if state[c] == 0 && t.record(c).kind().IsComposite() {
			path = append(path, frame{c, recordWords + 1})
			state[c] = open
		}
		for len(path) > 0 {
			f := &path[len(path)-1]
			r := t.record(f.class)
			var next class
			switch {
			case r.kind().IsComposite():
				if f.at < len(r) {
					next = r[f.at]
					f.at += itemWords
				} else {
					f.at = 0
				}
			case f.at == recordRef:
				f.at = 0
			default:
				next, f.at = r[recordRef], recordRef
			}
			if f.at == 0 {
				state[f.class] = done
				path = path[:len(path)-1]
				continue
			}
			if next = to[next]; next == 0 || state[next] == done {
				continue
			}
			if state[next] == open {
				return fmt.Errorf("%w: %v %q", errCycle, r.kind(), in.name(r[recordName]))
			}
			switch k := t.record(next).kind(); k {
			case btf.KindStruct, btf.KindUnion, btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindArray, btf.KindTypeTag:
				state[next] = open
				at := recordWords + 1
				if !k.IsComposite() {
					at = -1
				}
				path = append(path, frame{next, at})
			}
		}
	}
	return nil
}

// nameKey is the key of the class of a named type's name.
func (in *input) nameKey(r record) digest {
	kind := r.kind()
	if kind == btf.KindFwd {
		kind = btf.KindUnion
		if r.flags()&flagStruct != 0 {
			kind = btf.KindStruct
		}
	}
	return nameDigest(kind, hashName(in.name(r[recordName])))
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
