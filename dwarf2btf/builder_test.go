package dwarf2btf

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// A writer of DWARF: a test builds the entries that it is about.

// entry is an entry of a unit.
type entry struct {
	label    string // what references call it
	tag      uint64
	attrs    []attr
	children []*entry

	at   int // offset in its section, once written
	unit *testUnit
}

// attr is an attribute: of value a number, a string, a label of an entry (type
// label), or bytes.
type attr struct {
	at, form uint64
	value    any
}

type label string

// testUnit is a unit.
type testUnit struct {
	version   uint16
	kind      uint8
	dwarf64   bool
	addrSize  uint8
	language  uint64
	tag       uint64
	root      []attr
	signature uint64
	typeLabel label
	label     string // what imports call it
	more      int    // bytes of the header, of unit types that have them
	entries   []*entry
	start     int
}

// testFile is an ELF file with DWARF.
type testFile struct {
	big     bool
	class32 bool
	machine elf.Machine
	elfType elf.Type
	units   []*testUnit
	types   []*testUnit // of .debug_types
	more    []testSection
	replace map[string]func([]byte) []byte // changes sections when all is written
	str     []byte
	lineStr []byte
	offsets []byte
	abbrev  []byte
	labels  map[string]*entry
	noDebug bool
}

type testSection struct {
	name       string
	kind       elf.SectionType
	flags      elf.SectionFlag
	data       []byte
	link, info uint32
}

func (f *testFile) order() binary.ByteOrder {
	if f.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (f *testFile) put(b []byte, size int, v uint64) []byte {
	n := len(b)
	b = append(b, make([]byte, size)...)
	for i := range size {
		if f.big {
			b[n+size-1-i] = byte(v >> (8 * i))
		} else {
			b[n+i] = byte(v >> (8 * i))
		}
	}
	return b
}

func putUleb(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func putSleb(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// bytes writes the file.
func (f *testFile) bytes() []byte {
	f.labels = map[string]*entry{}
	f.str, f.lineStr, f.abbrev = []byte{0}, []byte{0}, nil
	f.offsets = make([]byte, 8)
	// Twice: the second time all places are known, and nothing else has changed.
	var info, types []byte
	for range 2 {
		f.str, f.lineStr, f.abbrev, f.offsets = f.str[:1], f.lineStr[:1], nil, make([]byte, 8)
		info, types = f.section(f.units), f.section(f.types)
	}
	sections := []testSection{
		{name: ".debug_info", data: info}, {name: ".debug_abbrev", data: f.abbrev},
		{name: ".debug_str", data: f.str}, {name: ".debug_line_str", data: f.lineStr},
		{name: ".debug_str_offsets", data: f.offsets},
	}
	if f.noDebug {
		sections = nil
	}
	if len(types) > 0 {
		sections = append(sections, testSection{name: ".debug_types", data: types})
	}
	sections = append(sections, f.more...)
	for i := range sections {
		if change := f.replace[sections[i].name]; change != nil {
			sections[i].data = change(sections[i].data)
		}
	}
	return f.elf(sections)
}

func (f *testFile) section(units []*testUnit) []byte {
	var b []byte
	for _, u := range units {
		b = f.unit(b, u)
	}
	return b
}

func (f *testFile) unit(b []byte, u *testUnit) []byte {
	if u.version == 0 {
		u.version = 5
	}
	if u.addrSize == 0 {
		u.addrSize = 8
	}
	if u.tag == 0 {
		u.tag = tagCompileUnit
	}
	if u.kind == 0 {
		u.kind = utCompile
	}
	u.start = len(b)
	offSize, header := 4, 4
	if u.dwarf64 {
		b = f.put(b, 4, 0xffffffff)
		offSize, header = 8, 12
	}
	b = f.put(b, offSize, 0)
	b = f.put(b, 2, uint64(u.version))
	if u.version >= 5 {
		b = append(b, u.kind, u.addrSize)
	}
	b = f.put(b, offSize, uint64(len(f.abbrev)))
	if u.version < 5 {
		b = append(b, u.addrSize)
	}
	if u.kind == utType {
		b = f.put(b, 8, u.signature)
		var at int
		if e := f.labels[string(u.typeLabel)]; e != nil {
			at = e.at - u.start
		}
		b = f.put(b, offSize, uint64(at))
	}
	b = append(b, make([]byte, u.more)...)
	codes := map[string]uint64{}
	root := &entry{label: u.label, tag: u.tag, children: u.entries, attrs: append([]attr{{atLanguage, formData1, uint64(12)}}, u.root...)}
	if u.language != 0 {
		root.attrs[0].value = u.language
	}
	b = f.entry(b, u, root, codes, offSize)
	f.abbrev = append(f.abbrev, 0)
	length := f.put(nil, offSize, uint64(len(b)-u.start-header))
	copy(b[u.start+header-offSize:], length)
	return b
}

func (f *testFile) entry(b []byte, u *testUnit, e *entry, codes map[string]uint64, offSize int) []byte {
	decl := putUleb(nil, e.tag)
	children := byte(0)
	if len(e.children) > 0 {
		children = 1
	}
	decl = append(decl, children)
	for _, a := range e.attrs {
		decl = putUleb(putUleb(decl, a.at), a.form)
		if a.form == formImplicitConst {
			decl = putSleb(decl, a.value.(int64))
		}
	}
	decl = append(decl, 0, 0)
	code, ok := codes[string(decl)]
	if !ok {
		code = uint64(len(codes) + 1)
		codes[string(decl)] = code
		f.abbrev = append(putUleb(f.abbrev, code), decl...)
	}
	e.at, e.unit = len(b), u
	if e.label != "" {
		f.labels[e.label] = e
		f.labels[ownLabel(u, e.label)] = e
	}
	b = putUleb(b, code)
	for _, a := range e.attrs {
		b = f.value(b, u, a.form, a.value, offSize)
	}
	if children == 1 {
		for _, c := range e.children {
			b = f.entry(b, u, c, codes, offSize)
		}
		b = append(b, 0)
	}
	return b
}

// ownLabel is what a label is called that other units may have too.
func ownLabel(u *testUnit, l string) string { return fmt.Sprintf("%p %s", u, l) }

func (f *testFile) value(b []byte, u *testUnit, form uint64, value any, offSize int) []byte {
	var v uint64
	switch x := value.(type) {
	case int:
		v = uint64(x)
	case int64:
		v = uint64(x)
	case uint64:
		v = x
	case label:
		e := f.labels[ownLabel(u, string(x))]
		if e == nil {
			e = f.labels[string(x)]
		}
		if e == nil {
			e = &entry{unit: u} // the first time
		}
		switch v = uint64(e.at); form {
		case formRef1, formRef2, formRef4, formRef8, formRefUdata:
			v -= uint64(u.start)
		}
		if form == formRefUdata { // of a size that does not depend on the value
			return append(b, byte(v)|0x80, byte(v>>7)|0x80, byte(v>>14)&0x7f)
		}
	case string:
		switch form {
		case formString:
			return append(append(b, x...), 0)
		case formStrp:
			v = uint64(len(f.str))
			f.str = append(append(f.str, x...), 0)
		case formLineStrp:
			v = uint64(len(f.lineStr))
			f.lineStr = append(append(f.lineStr, x...), 0)
		default: // strx
			v = uint64((len(f.offsets) - 8) / offSize)
			f.offsets = f.put(f.offsets, offSize, uint64(len(f.str)))
			f.str = append(append(f.str, x...), 0)
		}
	case []byte:
		switch form {
		case formExprloc, formBlock:
			b = putUleb(b, uint64(len(x)))
		case formBlock1:
			b = append(b, byte(len(x)))
		case formBlock2:
			b = f.put(b, 2, uint64(len(x)))
		case formBlock4:
			b = f.put(b, 4, uint64(len(x)))
		}
		return append(b, x...)
	}
	switch form {
	case formSdata:
		return putSleb(b, int64(v))
	case formUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formRefUdata, formGNUStrIndex:
		return putUleb(b, v)
	case formIndirect:
		return f.put(putUleb(b, formData2), 2, v)
	}
	test := unit{version: u.version, addrSize: u.addrSize, offSize: uint8(offSize)}
	n := test.fixedSize(form)
	if n < 0 {
		panic(fmt.Sprintf("form 0x%x of %v", form, value))
	}
	return f.put(b, n, v)
}

// elf writes the sections.
func (f *testFile) elf(sections []testSection) []byte {
	names := []byte{0}
	header, word, entrySize := 64, 8, 64
	if f.class32 {
		header, word, entrySize = 52, 4, 40
	}
	b := make([]byte, header)
	all := append(append([]testSection{{}}, sections...), testSection{name: ".shstrtab", kind: elf.SHT_STRTAB})
	table := make([]byte, 0, len(all)*entrySize)
	for _, s := range all {
		if s.name != "" && s.kind == 0 {
			s.kind = elf.SHT_PROGBITS
		}
		at := len(names)
		if s.name == "" {
			at = 0
		} else {
			names = append(append(names, s.name...), 0)
		}
		if s.name == ".shstrtab" {
			s.data = names
		}
		table = f.put(f.put(table, 4, uint64(at)), 4, uint64(s.kind))
		for _, v := range []uint64{uint64(s.flags), 0, uint64(len(b)), uint64(len(s.data))} {
			table = f.put(table, word, v)
		}
		table = f.put(f.put(table, 4, uint64(s.link)), 4, uint64(s.info))
		table = f.put(f.put(table, word, 1), word, 0)
		b = append(b, s.data...)
	}
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	if f.class32 {
		b[elf.EI_CLASS] = byte(elf.ELFCLASS32)
	}
	if f.big {
		b[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	o := f.order()
	if f.elfType == 0 {
		f.elfType = elf.ET_EXEC
	}
	if f.machine == 0 {
		f.machine = elf.EM_X86_64
	}
	o.PutUint16(b[16:], uint16(f.elfType))
	o.PutUint16(b[18:], uint16(f.machine))
	at, rest := b[40:], b[58:]
	if f.class32 {
		at, rest = b[32:], b[46:]
		o.PutUint32(at, uint32(len(b)))
	} else {
		o.PutUint64(at, uint64(len(b)))
	}
	o.PutUint16(rest, uint16(entrySize))
	o.PutUint16(rest[2:], uint16(len(all)))
	o.PutUint16(rest[4:], uint16(len(all)-1))
	return append(b, table...)
}

// Shorthands for what most tests have.

func ref(l string) attr   { return attr{atType, formRef4, label(l)} }
func named(n string) attr { return attr{atName, formString, n} }
func size(n int) attr     { return attr{atByteSize, formData4, n} }
func base(l, name string, bytes, encoding int) *entry {
	return &entry{label: l, tag: tagBaseType, attrs: []attr{named(name), size(bytes), {atEncoding, formData1, encoding}}}
}
func modifier(l string, tag uint64, attrs ...attr) *entry {
	return &entry{label: l, tag: tag, attrs: attrs}
}
func member(name, typ string, at int, more ...attr) *entry {
	return &entry{tag: tagMember, attrs: append([]attr{named(name), ref(typ), {atDataMemberLocation, formData4, at}}, more...)}
}
func structure(l, name string, bytes int, members ...*entry) *entry {
	e := &entry{label: l, tag: tagStructureType, children: members, attrs: []attr{size(bytes)}}
	if name != "" {
		e.attrs = append(e.attrs, named(name))
	}
	return e
}
func declared(l, name string) *entry {
	return &entry{label: l, tag: tagStructureType, attrs: []attr{named(name), {atDeclaration, formFlagPresent, 0}}}
}
