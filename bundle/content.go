package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// How a content is stored.
const (
	formVerbatim = iota
	formLittleEndian
	formBigEndian
)

const (
	btfMagic      = 0xeb9f
	btfHeaderSize = 24
)

// Where the words of a content's types are stored, one column each, in this order.
const (
	infoColumn = iota
	nameColumn
	sizeColumn
	typeColumn
	valueColumn
	offsetColumn
	columns
)

// layout says which columns the words of a kind of type go to: the third word of the record, the fixed words after it, and those that come vlen times.
// It is the table of docs/bundle-format.md.
var layout = [...]struct {
	third       uint8
	fixed, each []uint8
}{
	1:  {third: sizeColumn, fixed: []uint8{valueColumn}},
	2:  {third: typeColumn},
	3:  {third: sizeColumn, fixed: []uint8{typeColumn, typeColumn, valueColumn}},
	4:  {third: sizeColumn, each: []uint8{nameColumn, typeColumn, offsetColumn}},
	5:  {third: sizeColumn, each: []uint8{nameColumn, typeColumn, offsetColumn}},
	6:  {third: sizeColumn, each: []uint8{nameColumn, valueColumn}},
	7:  {third: sizeColumn},
	8:  {third: typeColumn},
	9:  {third: typeColumn},
	10: {third: typeColumn},
	11: {third: typeColumn},
	12: {third: typeColumn},
	13: {third: typeColumn, each: []uint8{nameColumn, typeColumn}},
	14: {third: typeColumn, fixed: []uint8{valueColumn}},
	15: {third: sizeColumn, each: []uint8{typeColumn, valueColumn, valueColumn}},
	16: {third: sizeColumn},
	17: {third: typeColumn, fixed: []uint8{valueColumn}},
	18: {third: typeColumn},
	19: {third: sizeColumn, each: []uint8{nameColumn, valueColumn, valueColumn}},
}

// layoutOf is the layout's index of a type's info word: its kind; ok is false for a kind that has none.
func layoutOf(info uint32) (kind int, ok bool) {
	kind = int(info >> 24 & 0x1f)
	return kind, kind > 0 && kind < len(layout)
}

func vlen(info uint32) int { return int(info & 0xffff) }

// Content returns a distinct BTF by its number (Kernel.Content), in a new slice.
func (b *Bundle) Content(i int) ([]byte, error) {
	f := new(inflater)
	m, err := b.readMap(f)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= m.contents {
		return nil, fmt.Errorf("bundle: content %d: there are %d", i, m.contents)
	}
	return b.content(f, m, i)
}

func (b *Bundle) content(f *inflater, m *kernelMap, i int) ([]byte, error) {
	group, index := m.group(i)
	raw, err := f.segment(b, firstGroup+group)
	if err != nil {
		return nil, err
	}
	c := column{b: raw}
	for range index {
		c.content()
	}
	stored := c.content()
	if c.bad {
		return nil, fmt.Errorf("bundle: content %d: %w", i, errContent)
	}
	// A string's number means nothing to what is stored as it is.
	var strings stringTable
	if stored[0] != formVerbatim {
		if strings, err = b.strings(f); err != nil {
			return nil, err
		}
	}
	btf, err := unpack(stored, strings)
	if err != nil {
		return nil, fmt.Errorf("bundle: content %d: %w", i, err)
	}
	return btf, nil
}

// All returns every distinct BTF by its number, in new slices. It inflates everything once.
func (b *Bundle) All() ([][]byte, error) {
	f := new(inflater)
	m, err := b.readMap(f)
	if err != nil {
		return nil, err
	}
	strings, err := b.strings(f)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	counts := column{b: m.groups}
	at := b.start(firstGroup)
	for g := range b.groups {
		raw, err := f.segmentAt(b, firstGroup+g, at)
		if err != nil {
			return nil, err
		}
		at += int(b.record(firstGroup + g).packed)
		c := column{b: raw}
		for range counts.next() {
			stored := c.content()
			if c.bad {
				return nil, fmt.Errorf("bundle: content %d: %w", len(all), errContent)
			}
			btf, err := unpack(stored, strings)
			if err != nil {
				return nil, fmt.Errorf("bundle: content %d: %w", len(all), err)
			}
			all = append(all, btf)
		}
		if n := len(c.rest()); n != 0 {
			return nil, fmt.Errorf("bundle: group %d: %w: %d bytes too many", g, errContent, n)
		}
	}
	return all, nil
}

// content takes the next content of a group: its form, then the rest. It is never empty, but where the column is bad.
func (c *column) content() []byte {
	n := c.next()
	if n == 0 {
		c.fail()
	}
	return c.take(n)
}

// unpack gives the BTF of a stored content in a new slice.
func unpack(stored []byte, strings stringTable) ([]byte, error) {
	switch stored[0] {
	case formVerbatim:
		return bytes.Clone(stored[1:]), nil
	case formLittleEndian:
		return expand(stored[1:], strings, binary.LittleEndian)
	case formBigEndian:
		return expand(stored[1:], strings, binary.BigEndian)
	default:
		return nil, fmt.Errorf("form %d is not known", stored[0])
	}
}

var errContent = errors.New("malformed content")

// stringTable is segment 1, and where each of its strings starts.
type stringTable struct {
	bytes  []byte
	starts []uint32
}

func (b *Bundle) strings(f *inflater) (stringTable, error) {
	raw, err := f.segment(b, stringSegment)
	if err != nil {
		return stringTable{}, err
	}
	n := bytes.Count(raw, []byte{0})
	if n == 0 || raw[0] != 0 || raw[len(raw)-1] != 0 {
		return stringTable{}, errors.New("bundle: malformed strings: expected an empty one first, and a zero byte at the end")
	}
	t := stringTable{raw, make([]uint32, n)}
	at := uint32(0)
	for i := range t.starts {
		t.starts[i] = at
		at += uint32(bytes.IndexByte(raw[at:], 0)) + 1
	}
	return t, nil
}

// at returns a string with its zero byte.
func (t *stringTable) at(i uint32) []byte {
	if uint64(i)+1 < uint64(len(t.starts)) {
		return t.bytes[t.starts[i]:t.starts[i+1]]
	}
	return t.bytes[t.starts[i]:]
}

// expand writes the BTF that a content in form 1 or 2 stands for.
func expand(content []byte, strings stringTable, order binary.ByteOrder) ([]byte, error) {
	c := column{b: content}
	typeSize, stringSize := c.next(), c.next()
	var sizes [columns]uint32
	total := uint64(0)
	for i := range offsetColumn {
		sizes[i] = c.next()
		total += uint64(sizes[i])
	}
	// A byte of a column gives at most one word, and a string comes once.
	length := uint64(len(c.rest()))
	if c.bad || total > length || uint64(typeSize) > 4*length || uint64(stringSize) > uint64(len(strings.bytes)) || stringSize == 0 || typeSize%4 != 0 {
		return nil, errContent
	}
	sizes[offsetColumn] = uint32(length - total)
	out := make([]byte, btfHeaderSize+int(typeSize)+int(stringSize))
	e := expansion{
		order: order, types: out[btfHeaderSize:][:typeSize], strings: out[btfHeaderSize+typeSize:], stringsEnd: 1,
		pool: strings, offsets: make([]uint32, len(strings.starts)),
	}
	for i := range columns {
		e.columns[i].b = c.take(sizes[i])
	}

	order.PutUint16(out, btfMagic)
	out[2] = 1
	order.PutUint32(out[4:], btfHeaderSize)
	order.PutUint32(out[12:], typeSize)
	order.PutUint32(out[16:], typeSize)
	order.PutUint32(out[20:], stringSize)
	for len(e.types) > 0 && !e.bad {
		e.record()
	}
	for i := range e.columns {
		if e.columns[i].bad || len(e.columns[i].rest()) != 0 {
			return nil, errContent
		}
	}
	if e.bad || e.stringsEnd != int(stringSize) {
		return nil, errContent
	}
	return out, nil
}

// expansion is the state of expand.
type expansion struct {
	order      binary.ByteOrder
	columns    [columns]column
	types      []byte // what is still to be written of the type section
	strings    []byte // the string section
	stringsEnd int    // bytes of it that are written
	pool       stringTable
	offsets    []uint32 // where each string of the pool is in the string section; 0 for not yet
	bad        bool
}

func (e *expansion) word(w uint32) {
	if len(e.types) < 4 {
		e.bad = true
		return
	}
	e.order.PutUint32(e.types, w)
	e.types = e.types[4:]
}

// name takes a string's number and returns its offset in the string section.
func (e *expansion) name() uint32 {
	i := e.columns[nameColumn].next()
	if i == 0 {
		return 0
	}
	if uint64(i) >= uint64(len(e.offsets)) {
		e.bad = true
		return 0
	}
	if e.offsets[i] == 0 {
		s := e.pool.at(i)
		if len(s) > len(e.strings)-e.stringsEnd {
			e.bad = true
			return 0
		}
		e.offsets[i] = uint32(e.stringsEnd)
		e.stringsEnd += copy(e.strings[e.stringsEnd:], s)
	}
	return e.offsets[i]
}

// record writes one type.
func (e *expansion) record() {
	rotated := e.columns[infoColumn].next()
	info := rotated>>8 | rotated<<24
	kind, ok := layoutOf(info)
	if !ok {
		e.bad = true
		return
	}
	l := &layout[kind]
	e.word(e.name())
	e.word(info)
	e.word(e.columns[l.third].next())
	for _, c := range l.fixed {
		e.word(e.columns[c].next())
	}
	if l.each == nil {
		return
	}
	offset := uint32(0)
	for range vlen(info) {
		for _, c := range l.each {
			switch c {
			case nameColumn:
				e.word(e.name())
			case offsetColumn:
				z := e.columns[c].next()
				offset += z>>1 ^ -(z & 1)
				e.word(offset)
			default:
				e.word(e.columns[c].next())
			}
		}
		if e.bad {
			return
		}
	}
}
