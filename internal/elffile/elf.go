package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The layout is of the System V ABI's chapter "Object Files"; the constants are debug/elf's.

// ErrNotELF is in the chain of errors for a file that does not begin like an ELF file.
var ErrNotELF = errors.New("not an ELF file")

// maxNames limits the section name table in bytes; that of the largest kernels has
// some kilobytes, that of a program with a section per function some megabytes.
const maxNames = 64 << 20

// ELF is an ELF file's header and section table.
type ELF struct {
	Class    elf.Class
	Order    binary.ByteOrder
	Type     elf.Type
	Machine  elf.Machine
	Sections []Section // by index; the first is the null section

	file File
}

// Section is an entry of the section table.
type Section struct {
	Name    string
	Type    elf.SectionType
	Flags   elf.SectionFlag
	Addr    uint64
	Offset  int64 // in the file
	Size    int64 // in the file, in bytes; of SHT_NOBITS the size in memory
	Link    uint32
	Info    uint32
	Entsize uint64
}

// Is reports whether a file that begins with start is an ELF file.
func Is(start []byte) bool { return bytes.HasPrefix(start, []byte(elf.ELFMAG)) }

// Parse reads the header and the section table. It keeps f for Read.
func Parse(f File) (*ELF, error) {
	start, err := f.Slices([]Range{{0, min(64, f.Size())}})
	if err != nil {
		return nil, err
	}
	header := start[0]
	if !Is(header) {
		return nil, ErrNotELF
	}
	if len(header) < 52 {
		return nil, fmt.Errorf("%w: %d bytes are less than an ELF header", ErrNotELF, len(header))
	}
	e := &ELF{Class: elf.Class(header[elf.EI_CLASS]), file: f}
	switch elf.Data(header[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		e.Order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		e.Order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: byte order %d in the header, expected 1 or 2", ErrNotELF, header[elf.EI_DATA])
	}
	e.Type = elf.Type(e.Order.Uint16(header[16:]))
	e.Machine = elf.Machine(e.Order.Uint16(header[18:]))
	var tableAt uint64
	var entrySize, count, names int
	switch e.Class {
	case elf.ELFCLASS32:
		tableAt = uint64(e.Order.Uint32(header[32:]))
		entrySize, count, names = e.counts(header[46:])
	case elf.ELFCLASS64:
		if len(header) < 64 {
			return nil, fmt.Errorf("%w: %d bytes are less than an ELF header of 64 bits", ErrNotELF, len(header))
		}
		tableAt = e.Order.Uint64(header[40:])
		entrySize, count, names = e.counts(header[58:])
	default:
		return nil, fmt.Errorf("%w: class %d in the header, expected 1 or 2", ErrNotELF, header[elf.EI_CLASS])
	}
	if tableAt == 0 {
		return e, nil // an ELF file need not have sections
	}
	if want := e.entrySize(); entrySize != want {
		return nil, fmt.Errorf("section table with entries of %d bytes, expected %d", entrySize, want)
	}
	if err := e.readTable(tableAt, count, names); err != nil {
		return nil, err
	}
	return e, nil
}

// counts reads e_shentsize, e_shnum and e_shstrndx.
func (e *ELF) counts(b []byte) (entrySize, count, names int) {
	return int(e.Order.Uint16(b)), int(e.Order.Uint16(b[2:])), int(e.Order.Uint16(b[4:]))
}

func (e *ELF) entrySize() int {
	if e.Class == elf.ELFCLASS32 {
		return 40
	}
	return 64
}

func (e *ELF) readTable(tableAt uint64, count, names int) error {
	size := int64(e.entrySize())
	if tableAt > uint64(e.file.Size()) {
		return fmt.Errorf("section table at offset %d of a file of %d bytes: the file is cut short", tableAt, e.file.Size())
	}
	at := int64(tableAt)
	if count == 0 || names == int(elf.SHN_XINDEX) {
		// The first section says what the header has no room for.
		first, err := e.file.Slices([]Range{{at, size}})
		if err != nil {
			return fmt.Errorf("section table: %w", err)
		}
		zero, _ := e.section(first[0])
		if count == 0 {
			if zero.Size < 0 || zero.Size > (e.file.Size()-at)/size {
				return fmt.Errorf("section table of %d entries at offset %d: the file is cut short", zero.Size, at)
			}
			count = int(zero.Size)
		}
		if names == int(elf.SHN_XINDEX) {
			names = int(zero.Link)
		}
	}
	if count == 0 {
		return nil
	}
	table, err := e.file.Slices([]Range{{at, int64(count) * size}})
	if err != nil {
		return fmt.Errorf("section table: %w", err)
	}
	e.Sections = make([]Section, count)
	nameAt := make([]uint32, count)
	for i := range e.Sections {
		e.Sections[i], nameAt[i] = e.section(table[0][int64(i)*size:])
	}
	if names >= count {
		return fmt.Errorf("section names in section %d of %d", names, count)
	}
	strs := &e.Sections[names]
	if strs.Type != elf.SHT_STRTAB || strs.Size > maxNames {
		return fmt.Errorf("section %d of type %v and %d bytes is no table of section names", names, strs.Type, strs.Size)
	}
	text, err := e.file.Slices([]Range{{strs.Offset, strs.Size}})
	if err != nil {
		return fmt.Errorf("section names: %w", err)
	}
	for i, at := range nameAt {
		if uint64(at) >= uint64(len(text[0])) {
			return fmt.Errorf("name of section %d at offset %d of %d", i, at, len(text[0]))
		}
		name, _, ok := bytes.Cut(text[0][at:], []byte{0})
		if !ok || len(name) > 1<<10 {
			return fmt.Errorf("name of section %d has no end within 1 KiB", i)
		}
		e.Sections[i].Name = string(name)
	}
	return nil
}

// section decodes an entry; sizes and offsets that no file can have become negative.
func (e *ELF) section(b []byte) (s Section, name uint32) {
	name = e.Order.Uint32(b)
	s.Type = elf.SectionType(e.Order.Uint32(b[4:]))
	if e.Class == elf.ELFCLASS32 {
		s.Flags = elf.SectionFlag(e.Order.Uint32(b[8:]))
		s.Addr = uint64(e.Order.Uint32(b[12:]))
		s.Offset = int64(e.Order.Uint32(b[16:]))
		s.Size = int64(e.Order.Uint32(b[20:]))
		s.Link = e.Order.Uint32(b[24:])
		s.Info = e.Order.Uint32(b[28:])
		s.Entsize = uint64(e.Order.Uint32(b[36:]))
		return s, name
	}
	s.Flags = elf.SectionFlag(e.Order.Uint64(b[8:]))
	s.Addr = e.Order.Uint64(b[16:])
	s.Offset = int64(e.Order.Uint64(b[24:]))
	s.Size = int64(e.Order.Uint64(b[32:]))
	s.Link = e.Order.Uint32(b[40:])
	s.Info = e.Order.Uint32(b[44:])
	s.Entsize = e.Order.Uint64(b[56:])
	return s, name
}

// Section returns the first section of a name, nil if there is none. A section
// .debug_x is also found as .zdebug_x, which is how it was called when compressed
// before there was SHF_COMPRESSED.
func (e *ELF) Section(name string) *Section {
	for i := range e.Sections {
		if e.Sections[i].Name == name {
			return &e.Sections[i]
		}
	}
	if rest, ok := strings.CutPrefix(name, ".debug_"); ok {
		for i := range e.Sections {
			if s := &e.Sections[i]; len(s.Name) == len(name)+1 && s.Name[:8] == ".zdebug_" && s.Name[8:] == rest {
				return s
			}
		}
	}
	return nil
}
