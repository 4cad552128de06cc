package bpfelf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

// Sizes of ELF64 structures in bytes.
const (
	fileHeaderSize    = 64
	sectionHeaderSize = 64
	symbolSize        = 24
	relSize           = 16
	relaSize          = 24
)

// maxSections bounds the section table. Real objects have dozens to hundreds.
const maxSections = 1 << 20

// fileHeader is the part of an ELF64 file header that an object needs.
type fileHeader struct {
	order      binary.ByteOrder
	tableOff   uint64 // of the section header table, bytes
	sections   uint32 // entries in that table; 0: see section 0's size
	namesIndex uint32 // the section with the section names; SHN_XINDEX: see section 0's link
}

// section is one entry of the section table with its contents.
type section struct {
	name    string
	typ     elf.SectionType
	flags   elf.SectionFlag
	nameOff uint32
	link    uint32
	info    uint32
	off     uint64 // bytes, in the object
	size    uint64 // bytes
	data    []byte // aliases the object; nil for SHT_NOBITS
}

// isCode tells the sections that libbpf takes programs from.
func (s *section) isCode() bool {
	return s.typ == elf.SHT_PROGBITS && s.flags&elf.SHF_EXECINSTR != 0
}

// parseFileHeader reads the file header of an eBPF object; the error says what
// the file is instead.
func parseFileHeader(raw []byte) (fileHeader, error) {
	if len(raw) < fileHeaderSize || !isObject(raw) {
		return fileHeader{}, notObject(raw)
	}
	var h fileHeader
	switch elf.Data(raw[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		h.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		h.order = binary.BigEndian
	default:
		return fileHeader{}, fmt.Errorf("ELF header: byte order %d, expected 1 (little) or 2 (big)", raw[elf.EI_DATA])
	}
	if t := elf.Type(h.order.Uint16(raw[16:])); t != elf.ET_REL {
		return fileHeader{}, fmt.Errorf("ELF header: type %v, expected a relocatable object (ET_REL)", t)
	}
	if v := h.order.Uint32(raw[20:]); v != 1 || raw[elf.EI_VERSION] != 1 {
		return fileHeader{}, fmt.Errorf("ELF header: version %d and %d, expected 1", raw[elf.EI_VERSION], v)
	}
	h.tableOff = h.order.Uint64(raw[40:])
	h.sections = uint32(h.order.Uint16(raw[60:]))
	h.namesIndex = uint32(h.order.Uint16(raw[62:]))
	if h.tableOff == 0 {
		return fileHeader{}, fmt.Errorf("ELF header: no section table")
	}
	if n := h.order.Uint16(raw[58:]); n != sectionHeaderSize {
		return fileHeader{}, fmt.Errorf("ELF header: section headers of %d bytes, expected %d", n, sectionHeaderSize)
	}
	return h, nil
}

// extend takes what does not fit into the file header from section 0: the
// number of sections from 0xff00 on, and the index of their names.
func (h *fileHeader) extend(section0 *section) error {
	if section0.typ != elf.SHT_NULL {
		return fmt.Errorf("section table: section 0 has type %v, expected SHT_NULL", section0.typ)
	}
	if h.sections == 0 {
		if section0.size == 0 || section0.size > maxSections {
			return fmt.Errorf("section table: %d sections, expected 1 to %d", section0.size, maxSections)
		}
		h.sections = uint32(section0.size)
	}
	if h.namesIndex == uint32(elf.SHN_XINDEX) {
		h.namesIndex = section0.link
	}
	if h.namesIndex >= h.sections {
		return fmt.Errorf("ELF header: section names in section %d of %d", h.namesIndex, h.sections)
	}
	return nil
}

// parseSectionHeader decodes one entry of the section table.
func parseSectionHeader(order binary.ByteOrder, b []byte) section {
	_ = b[sectionHeaderSize-1]
	return section{
		nameOff: order.Uint32(b),
		typ:     elf.SectionType(order.Uint32(b[4:])),
		flags:   elf.SectionFlag(order.Uint64(b[8:])),
		off:     order.Uint64(b[24:]),
		size:    order.Uint64(b[32:]),
		link:    order.Uint32(b[40:]),
		info:    order.Uint32(b[44:]),
	}
}

// stored tells whether a section occupies bytes of the file.
func (s *section) stored() bool { return s.typ != elf.SHT_NULL && s.typ != elf.SHT_NOBITS }

// parseSections reads the section table. The sections' contents alias raw.
func parseSections(raw []byte) (binary.ByteOrder, []section, error) {
	h, err := parseFileHeader(raw)
	if err != nil {
		return nil, nil, err
	}
	size := uint64(len(raw))
	if h.tableOff > size || size-h.tableOff < sectionHeaderSize {
		return nil, nil, fmt.Errorf("section table at offset %#x: past the end of the file, %#x bytes (truncated?)", h.tableOff, size)
	}
	table := raw[h.tableOff:]
	section0 := parseSectionHeader(h.order, table)
	if err := h.extend(&section0); err != nil {
		return nil, nil, err
	}
	if uint64(h.sections)*sectionHeaderSize > uint64(len(table)) {
		return nil, nil, fmt.Errorf("section table at offset %#x: %d sections need %#x bytes, %#x are left (truncated?)",
			h.tableOff, h.sections, uint64(h.sections)*sectionHeaderSize, len(table))
	}
	sections := make([]section, h.sections)
	total := uint64(0)
	for i := 1; i < len(sections); i++ {
		s := &sections[i]
		*s = parseSectionHeader(h.order, table[i*sectionHeaderSize:])
		if !s.stored() {
			continue
		}
		if s.off > size || s.size > size-s.off {
			return nil, nil, fmt.Errorf("section %d: [%#x, %#x+%#x) is not inside the file of %#x bytes (truncated?)",
				i, s.off, s.off, s.size, size)
		}
		s.data = raw[s.off : s.off+s.size : s.off+s.size]
		if s.flags&elf.SHF_COMPRESSED != 0 {
			return nil, nil, fmt.Errorf("section %d: compressed, which no eBPF loader reads", i)
		}
		total += s.size
	}
	// Sections of real objects do not overlap. Were they allowed to, a forged
	// table could make a small file cost as much as a large one.
	if total > size {
		return nil, nil, fmt.Errorf("section table: sections of %#x bytes in a file of %#x bytes: they overlap", total, size)
	}
	names := sections[h.namesIndex]
	if names.typ != elf.SHT_STRTAB {
		return nil, nil, fmt.Errorf("section %d: type %v, expected the section names' SHT_STRTAB", h.namesIndex, names.typ)
	}
	text := string(names.data)
	for i := 1; i < len(sections); i++ {
		s := &sections[i]
		name, ok := stringAt(text, s.nameOff)
		if !ok {
			return nil, nil, fmt.Errorf("section %d: name at offset %#x of the section names' %#x bytes", i, s.nameOff, len(text))
		}
		s.name = name
	}
	return h.order, sections, nil
}

// maxString bounds a string in bytes, lest forged offsets into one endless
// string make every look-up walk all of it. Names have a few dozen bytes,
// source lines rarely more than a few hundred.
const maxString = 1 << 16

// stringAt is the zero-terminated string at an offset of a string table, a
// part of table. ok is false if it is out of range, not terminated or absurd.
func stringAt(table string, off uint32) (_ string, ok bool) {
	if uint64(off) >= uint64(len(table)) {
		return "", false
	}
	s := table[off:]
	i := strings.IndexByte(s[:min(len(s), maxString)], 0)
	if i < 0 {
		return "", false
	}
	return s[:i], true
}

// symbol is one entry of the symbol table.
type symbol struct {
	name    string
	typ     elf.SymType
	bind    elf.SymBind
	section uint32 // index; the reserved ones from SHN_LORESERVE as they are
	value   uint64 // bytes, within the section
	size    uint64 // bytes
}

// symbolTable decodes symbols on demand.
type symbolTable struct {
	order binary.ByteOrder
	name  string // of the section
	raw   []byte
	names string
}

// symbols finds the symbol table; an object without one has an empty one.
func (o *Object) symbols() (symbolTable, error) {
	for i := range o.sections {
		s := &o.sections[i]
		if s.typ != elf.SHT_SYMTAB {
			continue
		}
		if len(s.data)%symbolSize != 0 {
			return symbolTable{}, fmt.Errorf("section %s: %#x bytes, not a multiple of a symbol's %d", s.name, len(s.data), symbolSize)
		}
		if uint64(s.link) >= uint64(len(o.sections)) || o.sections[s.link].typ != elf.SHT_STRTAB {
			return symbolTable{}, fmt.Errorf("section %s: its names are in section %d, which is not a string table", s.name, s.link)
		}
		return symbolTable{o.ByteOrder, s.name, s.data, string(o.sections[s.link].data)}, nil
	}
	return symbolTable{}, nil
}

func (t *symbolTable) len() int { return len(t.raw) / symbolSize }

// info is a symbol's type and binding, all that is needed to skip it.
func (t *symbolTable) info(i int) (elf.SymType, elf.SymBind) {
	info := t.raw[i*symbolSize+4]
	return elf.ST_TYPE(info), elf.ST_BIND(info)
}

func (t *symbolTable) at(i int) (symbol, error) {
	b := t.raw[i*symbolSize : (i+1)*symbolSize]
	name, ok := stringAt(t.names, t.order.Uint32(b))
	if !ok {
		return symbol{}, fmt.Errorf("section %s: symbol %d: name at offset %#x of %#x bytes", t.name, i, t.order.Uint32(b), len(t.names))
	}
	typ, bind := t.info(i)
	return symbol{
		name: name, typ: typ, bind: bind,
		section: uint32(t.order.Uint16(b[6:])),
		value:   t.order.Uint64(b[8:]),
		size:    t.order.Uint64(b[16:]),
	}, nil
}

// isObject tells an eBPF object, whole or damaged, by its first 20 bytes.
func isObject(raw []byte) bool {
	if len(raw) < 20 || string(raw[:len(magic)]) != magic {
		return false
	}
	return elf.Machine(headerOrder(raw).Uint16(raw[18:])) == elf.EM_BPF
}

// headerOrder is the byte order of an ELF file; what is no order is taken for
// little-endian.
func headerOrder(raw []byte) binary.ByteOrder {
	if elf.Data(raw[elf.EI_DATA]) == elf.ELFDATA2MSB {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// notObject is the error about a file that is something else.
func notObject(raw []byte) error { return fmt.Errorf("%s, %w", describe(raw), ErrNotObject) }

// describe says in a few words what a file is, as far as its first bytes tell:
// "x86-64 executable".
func describe(raw []byte) string {
	for _, t := range []struct{ prefix, what string }{
		{"!<arch>\n", "archive"},
		{"#!", "script"},
		{"\x9f\xeb", "raw BTF"},
		{"\xeb\x9f", "raw BTF"},
		{"BC\xc0\xde", "LLVM bitcode"},
		{"\x1f\x8b", "gzip-compressed file"},
		{"\xfd7zXZ\x00", "xz-compressed file"},
		{"\x28\xb5\x2f\xfd", "zstd-compressed file"},
		{"MZ", "Windows executable or kernel image"},
	} {
		if strings.HasPrefix(string(raw[:min(len(raw), 8)]), t.prefix) {
			return t.what
		}
	}
	switch {
	case len(raw) == 0:
		return "empty file"
	case !bytes.HasPrefix(raw, []byte(elf.ELFMAG)):
		return "no ELF file"
	case len(raw) < fileHeaderSize:
		return fmt.Sprintf("ELF file truncated to %d bytes, less than its header's %d", len(raw), fileHeaderSize)
	}
	order := headerOrder(raw)
	machine, typ := elf.Machine(order.Uint16(raw[18:])), elf.Type(order.Uint16(raw[16:]))
	switch class := elf.Class(raw[elf.EI_CLASS]); class {
	case elf.ELFCLASS64:
		return machineName(machine) + " " + typeName(typ)
	case elf.ELFCLASS32:
		return fmt.Sprintf("32-bit %s %s", machineName(machine), typeName(typ))
	default:
		return fmt.Sprintf("ELF file of class %d", class)
	}
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_BPF:
		return "eBPF"
	case elf.EM_NONE:
		return "machine-less"
	case elf.EM_X86_64:
		return "x86-64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "i386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_PPC64:
		return "ppc64"
	case elf.EM_S390:
		return "s390"
	case elf.EM_RISCV:
		return "riscv"
	case elf.EM_LOONGARCH:
		return "loongarch"
	}
	return fmt.Sprintf("%v", m)
}

func typeName(t elf.Type) string {
	switch t {
	case elf.ET_REL:
		return "relocatable object"
	case elf.ET_EXEC:
		return "executable"
	case elf.ET_DYN:
		return "executable or library"
	case elf.ET_CORE:
		return "core dump"
	}
	return fmt.Sprintf("ELF file of type %d", uint16(t))
}
