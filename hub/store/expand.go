package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// maxExpanded limits an expanded BTF in bytes: what package hub, too, takes
// for the largest file.
const maxExpanded = 512 << 20

// definition is one of those that a kernel has, ready to be expanded.
type definition struct {
	kind btf.Kind
	name uint32 // number of its name
	text []byte // from its name on; more may follow
	news uint32 // the next new string's number where the text starts

	// Which of several types of a kind and name some references mean, from 0:
	// the references by their places among those by kind and name in the order
	// of the text, ascending. All others mean the first.
	refs, ordinals []uint32
}

// expander makes a BTF of definitions: named ones get the ids from 1 on, in
// their order, then types without a name as they are met, what they refer to
// before themselves, each once.
type expander struct {
	// strings gives the string of a number below strCount.
	strings  func(number uint32) string
	strCount uint32
	coded    bool // strings are coded as in a store: 0 is the next new one, n+1 is n

	text           cursor
	news           uint32
	ref            uint32   // how many references by kind and name were read
	refs, ordinals []uint32 // what is left of the definition's

	defs []definition
	head []uint32 // per string number: 1 + the first definition of that name
	next []uint32 // per definition: 1 + that of the next kind of the same name

	words []uint32 // records of named definitions
	at    []uint32
	anon  []uint32 // records of types without a name
	anAt  []uint32
	table []uint32 // hash table: 1 + the number of a type without a name
	stack []uint32

	off     []uint32 // per string number: its offset, 0 if it has none yet
	used    []uint32 // string numbers in the order of offsets
	strSize uint32
}

// begin takes the named definitions, which are in the order of kindOrder, name
// and ordinal. The slices stay the caller's and must not change meanwhile.
func (x *expander) begin(defs []definition, strCount uint32, strings func(uint32) string, coded bool) {
	x.strings, x.strCount, x.coded, x.defs = strings, strCount, coded, defs
	x.head = zeroed(x.head, int(strCount))
	x.off = zeroed(x.off, int(strCount))
	x.next = zeroed(x.next, len(defs))
	x.words, x.at, x.anon, x.anAt = x.words[:0], x.at[:0], x.anon[:0], x.anAt[:0]
	if len(x.table) == 0 {
		x.table = make([]uint32, 1<<12)
	}
	clear(x.table)
	x.stack, x.used, x.strSize = x.stack[:0], x.used[:0], 1
	for i := len(defs) - 1; i >= 0; i-- {
		d := &defs[i]
		if i > 0 && defs[i-1].name == d.name && defs[i-1].kind == d.kind {
			continue // the first has the name
		}
		x.next[i] = x.head[d.name]
		x.head[d.name] = uint32(i) + 1
	}
}

func zeroed(s []uint32, n int) []uint32 {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

func (x *expander) start(d *definition) {
	x.text, x.news = cursor{b: d.text}, d.news
	x.ref, x.refs, x.ordinals = 0, d.refs, d.ordinals
}

// named expands the definitions given to begin.
func (x *expander) named() error {
	for i := range x.defs {
		d := &x.defs[i]
		x.start(d)
		if name := x.str(); name != d.name {
			x.text.bad = true
		}
		at := len(x.words)
		x.stack = x.stack[:0]
		x.record(x.text.uvarint(), d.name, 1)
		if x.text.bad || len(x.refs) > 0 {
			return x.malformed(d)
		}
		x.at = append(x.at, uint32(at))
		x.words = append(x.words, x.stack...)
		if len(x.words)+len(x.anon) > maxExpanded/4 {
			return errExpanded
		}
	}
	return nil
}

var errExpanded = errors.New("expands to more bytes than it should have or than can be")

// root expands a definition without a name, and gives its id.
func (x *expander) root(d *definition) (uint32, error) {
	x.start(d)
	x.stack = x.stack[:0]
	if name := x.str(); len(x.strings(name)) > 0 {
		x.text.bad = true
	}
	id := x.nested(x.text.uvarint(), 1)
	if x.text.bad || len(x.refs) > 0 {
		return 0, x.malformed(d)
	}
	if len(x.words)+len(x.anon) > maxExpanded/4 {
		return 0, errExpanded
	}
	return id, nil
}

func (x *expander) malformed(d *definition) error {
	return fmt.Errorf("%w, of %v %q", errText, d.kind, x.strings(d.name))
}

// str reads a string's number.
func (x *expander) str() uint32 {
	v := x.text.uvarint()
	if x.coded {
		if v == 0 {
			v = uint64(x.news)
			x.news++
		} else {
			v--
		}
	}
	if v >= uint64(x.strCount) {
		x.text.bad = true
		return 0
	}
	return uint32(v)
}

// offset is a string's place in the string section: strings stand in the order
// of first use, each once.
func (x *expander) offset(number uint32) uint32 {
	if o := x.off[number]; o != 0 || number == 0 {
		return o
	}
	n := uint32(len(x.strings(number)))
	if n == 0 {
		return 0
	}
	o := x.strSize
	if o+n+1 > maxExpanded {
		x.text.bad = true
		return 0
	}
	x.off[number] = o
	x.strSize += n + 1
	x.used = append(x.used, number)
	return o
}

// record reads one with the name given and leaves its words on the stack.
func (x *expander) record(head uint64, name uint32, depth int) {
	kind, more := headOf(head)
	if kind == 0 || depth > maxDepth {
		x.text.bad = true
		return
	}
	info := uint32(0)
	if more {
		info = uint32(x.text.atMost(1<<25 - 1))
	}
	if kind == btf.KindTypeTag {
		name = x.str()
	}
	flag := info&1 != 0
	x.stack = append(x.stack, x.offset(name), info<<31|uint32(kind)<<24|info>>1)
	s := &shapes[kind]
	if s.third == wordRef {
		x.push(x.reference(depth))
	} else {
		x.push(x.text.word())
	}
	for _, class := range s.fixed {
		if class == wordRef {
			x.push(x.reference(depth))
		} else {
			x.push(x.text.word())
		}
	}
	if s.item == nil {
		return
	}
	n := len(s.item)
	for i := info >> 1; i > 0 && !x.text.bad; i-- {
		for _, class := range s.item {
			before := uint32(0)
			if i != info>>1 {
				before = x.stack[len(x.stack)-n]
			}
			switch class {
			case wordName:
				x.push(x.offset(x.str()))
			case wordRef:
				x.push(x.reference(depth))
			case wordOffset:
				if flag {
					v := (before + uint32(x.text.atMost(1<<24-1))) & 0xffffff
					x.push(v | uint32(x.text.atMost(0xff))<<24)
					continue
				}
				x.push(before + x.text.word())
			case wordAfter:
				x.push(before + x.text.word())
			case wordStep:
				x.push(before + unzigzag(x.text.word()))
			default:
				x.push(x.text.word())
			}
		}
	}
}

func (x *expander) push(word uint32) { x.stack = append(x.stack, word) }

// reference reads one and gives the id.
func (x *expander) reference(depth int) uint32 {
	head := x.text.uvarint()
	switch {
	case head == 0:
		return 0
	case head <= uint64(btf.KindEnum64):
		return x.find(btf.Kind(head), x.str())
	}
	return x.nested(head, depth+1)
}

// find is the id of a named definition, to which the next reference is; of
// several, the one that its ordinal says.
func (x *expander) find(kind btf.Kind, name uint32) uint32 {
	ordinal := uint64(0)
	if len(x.refs) > 0 && x.refs[0] == x.ref {
		ordinal = uint64(x.ordinals[0])
		x.refs, x.ordinals = x.refs[1:], x.ordinals[1:]
	}
	x.ref++
	for i := x.head[name]; i != 0; i = x.next[i-1] {
		if x.defs[i-1].kind != kind {
			continue
		}
		if ordinal == 0 {
			return i
		}
		if o := ordinal + uint64(i) - 1; o < uint64(len(x.defs)) && x.same(uint32(o), kind, name) {
			return uint32(o) + 1
		}
		break
	}
	x.text.bad = true
	return 0
}

// same tells whether the definition at a place, from 0, has this kind and name.
func (x *expander) same(place uint32, kind btf.Kind, name uint32) bool {
	return x.defs[place].kind == kind && x.defs[place].name == name
}

// nested reads a record without a name and gives its id.
func (x *expander) nested(head uint64, depth int) uint32 {
	start := len(x.stack)
	x.record(head, 0, depth)
	if x.text.bad {
		return 0
	}
	n := x.intern(x.stack[start:], true)
	x.stack = x.stack[:start]
	return n
}

// intern is the id of the type without a name that has this record, 0 if there
// is none and add is not set.
func (x *expander) intern(rec []uint32, add bool) uint32 {
	h := hashWords(rec)
	mask := uint32(len(x.table) - 1)
	i := uint32(h) & mask
	for ; x.table[i] != 0; i = (i + 1) & mask {
		if n := x.table[i] - 1; slices.Equal(x.anonymous(n), rec) {
			return uint32(len(x.defs)) + n + 1
		}
	}
	if !add {
		return 0
	}
	n := uint32(len(x.anAt))
	x.anAt = append(x.anAt, uint32(len(x.anon)))
	x.anon = append(x.anon, rec...)
	x.table[i] = n + 1
	if len(x.anAt)*2 > len(x.table) {
		x.grow()
	}
	return uint32(len(x.defs)) + n + 1
}

func (x *expander) anonymous(n uint32) []uint32 {
	rec := x.anon[x.anAt[n]:]
	return rec[:recordLen(rec[1])]
}

func (x *expander) grow() {
	x.table = make([]uint32, len(x.table)*4)
	mask := uint32(len(x.table) - 1)
	for n := range x.anAt {
		i := uint32(hashWords(x.anonymous(uint32(n)))) & mask
		for x.table[i] != 0 {
			i = (i + 1) & mask
		}
		x.table[i] = uint32(n) + 1
	}
}

// hashSeed differs from run to run, so that nobody can make a store whose types
// collide. Nothing that is written depends on it.
var hashSeed = rand.Uint64()

func hashWords(words []uint32) uint64 {
	h := hashSeed + uint64(len(words))
	for _, w := range words {
		h = (h ^ uint64(w)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h ^ h>>32
}

// distinct is the number of types before copies are added.
func (x *expander) distinct() int { return len(x.defs) + len(x.anAt) }

// rec is the record of an id.
func (x *expander) rec(id uint32) []uint32 {
	if id > uint32(len(x.defs)) {
		return x.anonymous(id - uint32(len(x.defs)) - 1)
	}
	rec := x.words[x.at[id-1]:]
	return rec[:recordLen(rec[1])]
}

// copies says how many further copies the type of an id has.
type copies struct{ id, extra uint32 }

// bytes encodes what was expanded, in buf if it has room: named definitions,
// types without a name, copies of both in the order of ids, as they are given;
// then the strings. The size in bytes may not be more than limit.
func (x *expander) bytes(order binary.ByteOrder, more []copies, limit int64, buf []byte) ([]byte, error) {
	words := uint64(len(x.words) + len(x.anon))
	for _, c := range more {
		if int64(c.id) > int64(x.distinct()) {
			return nil, fmt.Errorf("copies of type %d, there are %d", c.id, x.distinct())
		}
		if words += uint64(len(x.rec(c.id))) * uint64(c.extra); words > maxExpanded/4 {
			return nil, errExpanded
		}
	}
	typeLen := int(words) * 4
	size := 24 + typeLen + int(x.strSize)
	if int64(size) > limit {
		return nil, errExpanded
	}
	out := slices.Grow(buf[:0], size)[:size]
	order.PutUint16(out, btf.Magic)
	out[2], out[3] = 1, 0
	for i, v := range []uint32{24, 0, uint32(typeLen), uint32(typeLen), x.strSize} {
		order.PutUint32(out[4+4*i:], v)
	}
	at := putWords(out[24:], order, x.words)
	at = putWords(at, order, x.anon)
	for _, c := range more {
		for range c.extra {
			at = putWords(at, order, x.rec(c.id))
		}
	}
	at[0] = 0
	at = at[1:]
	for _, n := range x.used {
		s := x.strings(n)
		copy(at, s)
		at[len(s)] = 0
		at = at[len(s)+1:]
	}
	return out, nil
}

func putWords(dst []byte, order binary.ByteOrder, words []uint32) []byte {
	n := len(words) * 4
	b := dst[:n]
	if order == binary.ByteOrder(binary.LittleEndian) {
		for i, w := range words {
			binary.LittleEndian.PutUint32(b[i*4:], w)
		}
	} else {
		for i, w := range words {
			binary.BigEndian.PutUint32(b[i*4:], w)
		}
	}
	return dst[n:]
}
