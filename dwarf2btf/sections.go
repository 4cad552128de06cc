package dwarf2btf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/btfgen/btfgen/internal/elffile"
)

// file has the sections of one file: of the one to convert, or of its alternate file.
type file struct {
	order      binary.ByteOrder
	info       []byte
	types      []byte
	abbrev     []byte
	str        []byte
	lineStr    []byte
	strOffsets []byte
	addr       []byte

	infoAt, typesAt                                place
	strAt, lineStrAt, infoStringsAt, typesStringAt uint32

	alt *file // what .gnu_debugaltlink names
}

// own are strings that are in no file.
const own = "\x00__SANITIZED_FAKE_INT__\x00__ARRAY_SIZE_TYPE__\x00int\x00"

const (
	ownFakeInt   = 1
	ownArraySize = ownFakeInt + 23
	ownInt       = ownArraySize + 20
)

// stretchOfNames is a section with strings, as a part of the numbering of all.
type stretchOfNames struct {
	at   uint64
	data []byte
}

// input is what all workers read.
type input struct {
	options    *Options
	little     bool
	file       *file
	units      []unit
	linked     bool             // units refer to one another, and were read at once
	signatures map[uint64]place // of type units
	strings    []stretchOfNames // in order; a name is a place among them, 0 is none
	fakeInt    uint32
	symbols    symbols
	symbolsAt  uint32      // of the names of symbols among the strings
	baseAt     uint32      // of the strings of the base among the strings
	cache      abbrevCache // a worker's own
}

// maxName limits names in bytes, so that strings without an end cost no time.
const maxName = 16 << 10

// name returns a name. It is a part of the file's sections.
func (in *input) name(at uint32) []byte {
	s := &in.strings[0]
	for i := 1; i < len(in.strings) && uint64(at) >= in.strings[i].at; i++ {
		s = &in.strings[i]
	}
	b := s.data[uint64(at)-s.at:]
	if len(b) > maxName {
		b = b[:maxName]
	}
	if n := bytes.IndexByte(b, 0); n >= 0 {
		return b[:n]
	}
	return b
}

// number gives sections their places.
func (in *input) number(symbolNames []byte) error {
	var at uint64
	for f := in.file; f != nil; f = f.alt {
		f.infoAt = place(at)
		at += uint64(len(f.info))
		f.typesAt = place(min(at, math.MaxUint32))
		at += uint64(len(f.types))
		if at > math.MaxUint32 {
			return fmt.Errorf("%d bytes of entries: more than 4 GiB are not supported", at)
		}
	}
	at = 0
	add := func(data []byte) uint32 {
		in.strings = append(in.strings, stretchOfNames{at, data})
		was := at
		at += uint64(len(data))
		return uint32(was)
	}
	for f := in.file; f != nil; f = f.alt {
		if f == in.file {
			// The most used first; the first byte is not a name's: .debug_str starts there,
			// and a place of 0 is none.
			in.fakeInt = add([]byte(own)) + ownFakeInt
		}
		f.strAt = add(f.str)
		f.lineStrAt = add(f.lineStr)
		f.infoStringsAt = add(f.info)
		f.typesStringAt = add(f.types)
	}
	in.symbolsAt = add(symbolNames)
	if in.options.Base != nil {
		in.baseAt = add(in.options.Base.Text(0))
	}
	if at > math.MaxUint32 {
		return fmt.Errorf("%d bytes of entries and strings: more than 4 GiB are not supported", at)
	}
	return nil
}

// sections that are read, in the order of the fields of file.
var sectionNames = []string{".debug_info", ".debug_types", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_str_offsets", ".debug_addr"}

// readFile reads a file's sections, and more by name, all at once, and applies the
// relocations of a module.
func readFile(e *elffile.ELF, more ...string) (*file, [][]byte, error) {
	// What to read: the sections, then those with their relocations, then symbol tables.
	var want []*elffile.Section
	type pair struct{ of, relocations, symbols int } // indices of want
	var pairs []pair
	var indices []int
	names := append(slices.Clone(sectionNames), more...)
	for _, name := range names {
		s := e.Section(name)
		index := -1
		for i := range e.Sections {
			if s == &e.Sections[i] {
				index = i
			}
		}
		want, indices = append(want, s), append(indices, index)
	}
	// An object file has a section for each type unit, all of one name.
	var groups []int // indices of names
	for n, name := range sectionNames[:2] {
		for i := range e.Sections {
			if e.Type == elf.ET_REL && e.Sections[i].Name == name && i != indices[n] {
				want, indices, groups = append(want, &e.Sections[i]), append(indices, i), append(groups, n)
			}
		}
	}
	for of, index := range indices {
		if index < 0 {
			continue
		}
		for _, i := range relocationSections(e, index) {
			s := &e.Sections[i]
			if int(s.Link) >= len(e.Sections) {
				return nil, nil, fmt.Errorf("section %s: its symbols are said to be in section %d of %d", s.Name, s.Link, len(e.Sections))
			}
			pairs = append(pairs, pair{of, len(want), len(want) + 1})
			want = append(want, s, &e.Sections[s.Link])
		}
	}
	got, err := e.Read(want...)
	if err != nil {
		return nil, nil, err
	}
	bases := addresses(e)
	copied := -1
	for _, p := range pairs {
		if p.of != copied {
			got[p.of], copied = slices.Clone(got[p.of]), p.of
		}
		if err := relocate(e, got[p.of], want[p.relocations], got[p.relocations], got[p.symbols], bases); err != nil {
			return nil, nil, err
		}
	}
	for i, n := range groups {
		if i == 0 || groups[i-1] != n {
			got[n] = slices.Clone(got[n]) // it may be the file's
		}
		got[n] = append(got[n], got[len(names)+i]...)
	}
	f := &file{order: e.Order, info: got[0], types: got[1], abbrev: got[2], str: got[3], lineStr: got[4], strOffsets: got[5], addr: got[6]}
	return f, got[len(sectionNames):len(names)], nil
}

// abbrevCache keeps the abbreviations that were read last.
type abbrevCache struct {
	kept   []keptAbbrevs
	next   int
	budget int // bytes of abbreviations that may still be read

	functions bool // are asked for
}

type keptAbbrevs struct {
	file *file
	at   uint64
	size [2]uint8
	list abbrevs
}

// abbrevsKept is small: a unit has its own abbreviations, or those of its neighbours.
const abbrevsKept = 8

// get returns a unit's abbreviations, which stay valid until it is called again.
func (c *abbrevCache) get(u *unit) (*abbrevs, error) {
	size := [2]uint8{u.addrSize, u.offSize | uint8(u.version)<<4}
	for i := range c.kept {
		if k := &c.kept[i]; k.file == u.file && k.at == u.abbrevAt && k.size == size {
			return &k.list, nil
		}
	}
	if len(c.kept) < abbrevsKept {
		c.kept = append(c.kept, keptAbbrevs{})
		c.next = len(c.kept) - 1
	}
	k := &c.kept[c.next]
	c.next = (c.next + 1) % abbrevsKept
	k.file, k.at, k.size = u.file, u.abbrevAt, size
	n, err := k.list.parse(u, u.file.abbrev, u.abbrevAt, c.functions)
	if err != nil {
		k.file = nil
		return nil, err
	}
	// A file of small units, each with a list of its own within one large list, would
	// take time without end.
	if c.budget -= n; c.budget < 0 {
		return nil, fmt.Errorf("%w: the same are listed too many times", errAbbrev)
	}
	return &k.list, nil
}
