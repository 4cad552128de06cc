package elftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"testing"
)

// Object is an eBPF object to be written. The zero value is an empty
// little-endian one.
type Object struct {
	Order    binary.ByteOrder // nil: little-endian
	Sections []Section
	Symbols  []Symbol
	Relocs   []Reloc
	License  string // "": no such section
	BTF      []byte // contents of .BTF, as btf.Builder makes them; nil: no such section
	Ext      *Ext   // nil: no .BTF.ext
	// TableFirst puts the section table in front of the sections, so that it
	// is not what the file ends with.
	TableFirst bool
	Machine    elf.Machine // 0: EM_BPF
	Type       elf.Type    // 0: ET_REL
}

// Section is a section of the caller's own.
type Section struct {
	Name  string
	Type  elf.SectionType // 0: SHT_PROGBITS
	Flags elf.SectionFlag
	Data  []byte
	Size  uint64 // of SHT_NOBITS, bytes
}

// Symbol is an entry of the symbol table.
type Symbol struct {
	Name        string
	Section     string // "": undefined
	Type        elf.SymType
	Bind        elf.SymBind
	Value, Size uint64 // bytes
}

// Reloc is an ELF relocation of SHT_REL, its addend in the patched place.
type Reloc struct {
	Section string // that is patched
	Offset  uint64 // bytes, in that section
	Type    uint32
	Symbol  string
}

// Code is a section of instructions.
func Code(name string, insns ...[]byte) Section {
	return Section{Name: name, Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, Data: bytes.Join(insns, nil)}
}

// Func is a global function symbol.
func Func(name, section string, value, size uint64) Symbol {
	return Symbol{Name: name, Section: section, Type: elf.STT_FUNC, Bind: elf.STB_GLOBAL, Value: value, Size: size}
}

// Insn is one instruction of 8 bytes. Its registers are a byte with the
// destination in the low half in little-endian, in the high half in big-endian.
func Insn(order binary.ByteOrder, op, dst, src byte, off int16, imm int32) []byte {
	regs := dst | src<<4
	if order == binary.ByteOrder(binary.BigEndian) {
		regs = dst<<4 | src
	}
	b := make([]byte, 8)
	b[0], b[1] = op, regs
	order.PutUint16(b[2:], uint16(off))
	order.PutUint32(b[4:], uint32(imm))
	return b
}

// LoadImm64 is an LDIMM64, 16 bytes.
func LoadImm64(order binary.ByteOrder, dst byte, imm uint64) []byte {
	return append(Insn(order, 0x18, dst, 0, 0, int32(uint32(imm))), Insn(order, 0, 0, 0, 0, int32(imm>>32))...)
}

// Exit is the instruction that ends a program.
func Exit(order binary.ByteOrder) []byte { return Insn(order, 0x95, 0, 0, 0, 0) }

// MustBytes is Bytes for tests.
func (o *Object) MustBytes(tb testing.TB) []byte {
	tb.Helper()
	raw, err := o.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// Bytes writes the object. Names that refer to nothing are an error.
func (o *Object) Bytes() ([]byte, error) {
	w := writer{order: o.Order, index: map[string]uint32{}, strings: []byte{0}}
	if w.order == nil {
		w.order = binary.LittleEndian
	}
	for _, s := range o.Sections {
		w.add(s)
	}
	if o.License != "" {
		w.add(Section{Name: "license", Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Data: append([]byte(o.License), 0)})
	}
	types := o.BTF
	var ext []byte
	if o.Ext != nil {
		var err error
		if ext, types, err = o.Ext.encode(w.order, o.BTF); err != nil {
			return nil, err
		}
	}
	if types != nil {
		w.add(Section{Name: ".BTF", Data: types})
	}
	if ext != nil {
		w.add(Section{Name: ".BTF.ext", Data: ext})
	}
	if err := w.addSymbols(o.Symbols); err != nil {
		return nil, err
	}
	if err := w.addRelocs(o.Relocs); err != nil {
		return nil, err
	}
	machine, typ := o.Machine, o.Type
	if machine == 0 {
		machine = elf.EM_BPF
	}
	if typ == 0 {
		typ = elf.ET_REL
	}
	return w.file(machine, typ, o.TableFirst), nil
}

// writer collects sections; section 0 and .strtab, which is the last, are
// added on writing.
type writer struct {
	order    binary.ByteOrder
	sections []entry
	index    map[string]uint32 // the first section of a name
	symbols  map[string]uint32
	symtab   uint32
	strings  []byte
}

type entry struct {
	Section
	link, info, entsize uint64
}

func (w *writer) add(s Section) *entry {
	if s.Type == 0 {
		s.Type = elf.SHT_PROGBITS
	}
	w.sections = append(w.sections, entry{Section: s})
	if _, ok := w.index[s.Name]; !ok {
		w.index[s.Name] = uint32(len(w.sections))
	}
	return &w.sections[len(w.sections)-1]
}

func (w *writer) intern(s string) uint32 {
	if s == "" {
		return 0
	}
	off := len(w.strings)
	w.strings = append(append(w.strings, s...), 0)
	return uint32(off)
}

func (w *writer) addSymbols(symbols []Symbol) error {
	if len(symbols) == 0 {
		return nil
	}
	table := make([]byte, 24)
	w.symbols = map[string]uint32{}
	for i, s := range symbols {
		section := uint32(0)
		if s.Section != "" {
			var ok bool
			if section, ok = w.index[s.Section]; !ok {
				return fmt.Errorf("symbol %s: no section %s", s.Name, s.Section)
			}
		}
		w.symbols[s.Name] = uint32(i + 1)
		b := make([]byte, 24)
		w.order.PutUint32(b, w.intern(s.Name))
		b[4] = elf.ST_INFO(s.Bind, s.Type)
		w.order.PutUint16(b[6:], uint16(section))
		w.order.PutUint64(b[8:], s.Value)
		w.order.PutUint64(b[16:], s.Size)
		table = append(table, b...)
	}
	e := w.add(Section{Name: ".symtab", Type: elf.SHT_SYMTAB, Data: table})
	e.info, e.entsize = 1, 24
	w.symtab = uint32(len(w.sections))
	return nil
}

// addRelocs writes one section for each run of relocations of one section.
func (w *writer) addRelocs(relocs []Reloc) error {
	for len(relocs) > 0 {
		name := relocs[0].Section
		target, ok := w.index[name]
		if !ok {
			return fmt.Errorf("relocation: no section %s", name)
		}
		var table []byte
		for len(relocs) > 0 && relocs[0].Section == name {
			symbol, ok := w.symbols[relocs[0].Symbol]
			if !ok {
				return fmt.Errorf("relocation of %s: no symbol %s", name, relocs[0].Symbol)
			}
			b := make([]byte, 16)
			w.order.PutUint64(b, relocs[0].Offset)
			w.order.PutUint64(b[8:], uint64(symbol)<<32|uint64(relocs[0].Type))
			table, relocs = append(table, b...), relocs[1:]
		}
		e := w.add(Section{Name: ".rel" + name, Type: elf.SHT_REL, Data: table})
		e.link, e.info, e.entsize = uint64(w.symtab), uint64(target), 16
	}
	return nil
}

// file lays out header, sections and table.
func (w *writer) file(machine elf.Machine, typ elf.Type, tableFirst bool) []byte {
	w.add(Section{Name: ".strtab", Type: elf.SHT_STRTAB})
	if w.symtab != 0 {
		w.sections[w.symtab-1].link = uint64(len(w.sections))
	}
	names := make([]uint32, len(w.sections))
	for i := range w.sections {
		names[i] = w.intern(w.sections[i].Name)
	}
	w.sections[len(w.sections)-1].Data = w.strings

	tableSize := 64 * (len(w.sections) + 1)
	file := make([]byte, 64)
	tableOff := len(file)
	if tableFirst {
		file = append(file, make([]byte, tableSize)...)
	}
	offs := make([]int, len(w.sections))
	for i := range w.sections {
		file = append(file, make([]byte, -len(file)&7)...)
		offs[i] = len(file)
		file = append(file, w.sections[i].Data...)
	}
	if !tableFirst {
		file = append(file, make([]byte, -len(file)&7)...)
		tableOff = len(file)
		file = append(file, make([]byte, tableSize)...)
	}

	copy(file, elf.ELFMAG)
	file[elf.EI_CLASS], file[elf.EI_DATA], file[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if w.order == binary.ByteOrder(binary.BigEndian) {
		file[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	w.order.PutUint16(file[16:], uint16(typ))
	w.order.PutUint16(file[18:], uint16(machine))
	w.order.PutUint32(file[20:], 1)
	w.order.PutUint64(file[40:], uint64(tableOff))
	w.order.PutUint16(file[52:], 64)
	w.order.PutUint16(file[58:], 64)
	w.order.PutUint16(file[60:], uint16(len(w.sections)+1))
	w.order.PutUint16(file[62:], uint16(len(w.sections)))
	for i, s := range w.sections {
		b := file[tableOff+64*(i+1):]
		w.order.PutUint32(b, names[i])
		w.order.PutUint32(b[4:], uint32(s.Type))
		w.order.PutUint64(b[8:], uint64(s.Flags))
		w.order.PutUint64(b[24:], uint64(offs[i]))
		w.order.PutUint64(b[32:], max(uint64(len(s.Data)), s.Size))
		w.order.PutUint32(b[40:], uint32(s.link))
		w.order.PutUint32(b[44:], uint32(s.info))
		w.order.PutUint64(b[48:], 8)
		w.order.PutUint64(b[56:], s.entsize)
	}
	return file
}
