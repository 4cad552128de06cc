package bpfelf

import (
	"encoding/binary"
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// Sizes in bytes of .BTF.ext: libbpf's struct btf_ext_header and the kernel's
// struct bpf_func_info, bpf_line_info and bpf_core_relo.
const (
	extHeaderMin   = 24 // magic to line_info_len
	extHeaderCore  = 32 // and core_relo_off, core_relo_len
	extSectionSize = 8  // sec_name_off and num_info before each section's records
	funcInfoSize   = 8
	lineInfoSize   = 16
	coreReloSize   = 16
)

// InsnSize is the size of an eBPF instruction in bytes. LDIMM64 takes two.
const InsnSize = 8

// opLDIMM64 is BPF_LD | BPF_IMM | BPF_DW, the one instruction of two slots.
const opLDIMM64 = 0x18

// CORERelo is one CO-RE relocation record: struct bpf_core_relo, and the
// instruction that it is about.
type CORERelo struct {
	Section string // the ELF section as .BTF.ext names it
	// Program is the function that contains the instruction, "" if there is
	// none: that of a weak function that the linker dropped, or of a section
	// that does not exist. libbpf skips such a relocation.
	Program string
	Access  string // such as "0:1:2"; equal string offsets share one Go string

	InsnOff uint32 // of the instruction, bytes from the section's start
	TypeID  btf.ID // the local type, not checked against the BTF
	Kind    uint32 // enum bpf_core_relo_kind; unknown ones are kept

	// Insn is the instruction as the file has it, in the object's byte order;
	// the second slot is zero unless it is an LDIMM64. All zero if the section
	// does not exist or holds no code.
	Insn [2 * InsnSize]byte
}

// FuncInfo ties a function's first instruction to its FUNC type.
type FuncInfo struct {
	Section string
	InsnOff uint32 // bytes from the section's start
	TypeID  btf.ID
}

// LineInfo ties an instruction to its source line.
type LineInfo struct {
	Section string
	InsnOff uint32 // bytes from the section's start
	File    string
	Text    string // the source line, "" if the compiler had none
	Line    uint32 // counted from 1
	Col     uint32 // counted from 1, 0 if unknown
}

// ext holds the parts of .BTF.ext, not decoded yet.
type ext struct {
	order              binary.ByteOrder
	funcs, lines, core extPart
}

// extPart is one of the three kinds of records: for each section a header and
// that many records.
type extPart struct {
	what    string
	raw     []byte // after the record size
	off     int    // of raw, bytes from the start of .BTF.ext
	recSize int    // bytes; records longer than known are read by their beginning
}

// parseExt reads the header of .BTF.ext. As in libbpf, a header too short for
// a part means that there is none, and so does a part of no length.
func parseExt(order binary.ByteOrder, raw []byte) (ext, error) {
	e := ext{order: order}
	if len(raw) < 8 {
		return e, fmt.Errorf("%d bytes, shorter than its header", len(raw))
	}
	if m := order.Uint16(raw); m != btf.Magic {
		return e, fmt.Errorf("starts with %#04x, expected the magic %#04x in the object's byte order", m, btf.Magic)
	}
	if raw[2] != 1 {
		return e, fmt.Errorf("version %d, expected 1", raw[2])
	}
	if raw[3] != 0 {
		return e, fmt.Errorf("flags %#x, expected none", raw[3])
	}
	hdrLen := order.Uint32(raw[4:])
	if hdrLen < extHeaderMin || uint64(hdrLen) > uint64(len(raw)) {
		return e, fmt.Errorf("header of %d bytes, expected %d to the section's %d", hdrLen, extHeaderMin, len(raw))
	}
	var err error
	if e.funcs, err = e.part("function info", raw, hdrLen, 8, funcInfoSize); err != nil {
		return e, err
	}
	if e.lines, err = e.part("line info", raw, hdrLen, 16, lineInfoSize); err != nil {
		return e, err
	}
	if hdrLen >= extHeaderCore {
		if e.core, err = e.part("CO-RE relocations", raw, hdrLen, 24, coreReloSize); err != nil {
			return e, err
		}
	}
	return e, nil
}

// part locates one kind of records by the header's offset and length at field.
func (e *ext) part(what string, raw []byte, hdrLen uint32, field, minSize int) (extPart, error) {
	off, size := uint64(e.order.Uint32(raw[field:])), uint64(e.order.Uint32(raw[field+4:]))
	if size == 0 {
		return extPart{}, nil
	}
	start := uint64(hdrLen) + off
	switch {
	case off%4 != 0:
		return extPart{}, fmt.Errorf("%s at offset %#x, not a multiple of 4", what, start)
	case start+size > uint64(len(raw)):
		return extPart{}, fmt.Errorf("%s at offset %#x: %#x bytes, but the section ends at %#x", what, start, size, len(raw))
	case size < 4:
		return extPart{}, fmt.Errorf("%s at offset %#x: %d bytes have no room for the record size", what, start, size)
	}
	recSize := e.order.Uint32(raw[start:])
	if recSize < uint32(minSize) || recSize%4 != 0 || recSize > 1<<16 {
		return extPart{}, fmt.Errorf("%s at offset %#x: records of %d bytes, expected %d or a larger multiple of 4", what, start, recSize, minSize)
	}
	return extPart{what, raw[start+4 : start+size], int(start) + 4, int(recSize)}, nil
}

// extSection are the records of one section.
type extSection struct {
	nameOff uint32
	count   int
	records []byte // count records
	off     int    // of records, bytes from the start of .BTF.ext
}

// next takes the first section's records off p. ok is false at the end.
func (p *extPart) next(order binary.ByteOrder) (s extSection, ok bool, err error) {
	if len(p.raw) == 0 {
		return s, false, nil
	}
	if len(p.raw) < extSectionSize {
		return s, false, fmt.Errorf("%s at offset %#x: %d bytes left, a section's header has %d", p.what, p.off, len(p.raw), extSectionSize)
	}
	n := order.Uint32(p.raw[4:])
	size := uint64(n) * uint64(p.recSize)
	if n == 0 || size > uint64(len(p.raw)-extSectionSize) {
		return s, false, fmt.Errorf("%s at offset %#x: %d records of %d bytes, but %d bytes are left", p.what, p.off, n, p.recSize, len(p.raw)-extSectionSize)
	}
	s = extSection{order.Uint32(p.raw), int(n), p.raw[extSectionSize : extSectionSize+size], p.off + extSectionSize}
	p.raw, p.off = p.raw[extSectionSize+size:], p.off+extSectionSize+int(size)
	return s, true, nil
}

// count adds up the records of all sections, checking the frame once.
func (p extPart) count(order binary.ByteOrder) (n int, err error) {
	for {
		s, ok, err := p.next(order)
		if err != nil || !ok {
			return n, err
		}
		n += s.count
	}
}

// recordSection is the ELF section that records are about.
type recordSection struct {
	name  string
	index uint32 // 0: there is no such ELF section
	code  []byte // nil: no such section, or it holds no code
}

// recordSections finds the ELF sections that records are about.
type recordSections struct {
	o       *Object
	strings string // of the BTF, one copy that all names and access strings share
	byName  map[string]uint32
}

func (o *Object) recordSections() recordSections {
	byName := make(map[string]uint32, len(o.sections))
	for i := len(o.sections) - 1; i > 0; i-- {
		byName[o.sections[i].name] = uint32(i) // the first of a name stays, as in libbpf
	}
	return recordSections{o, string(o.BTF.Text(0)), byName}
}

// of is the section of s. libbpf goes by nothing but the name; records of a
// section that does not exist it skips.
func (r *recordSections) of(p *extPart, s extSection) (recordSection, error) {
	name, _ := stringAt(r.strings, s.nameOff)
	if name == "" {
		return recordSection{}, fmt.Errorf("%s at offset %#x: section name at string offset %#x is empty or out of range",
			p.what, s.off-extSectionSize, s.nameOff)
	}
	rs := recordSection{name: name, index: r.byName[name]}
	if section := &r.o.sections[rs.index]; section.isCode() {
		rs.code = section.data
	}
	return rs, nil
}

// checkInsn says what is wrong with a record's instruction offset.
func (rs *recordSection) checkInsn(insnOff uint32) error {
	switch {
	case insnOff%InsnSize != 0:
		return fmt.Errorf("instruction at %s+%#x: not a multiple of %d", rs.name, insnOff, InsnSize)
	case rs.code == nil:
		return nil
	case uint64(insnOff)+InsnSize > uint64(len(rs.code)):
		return fmt.Errorf("instruction at %s+%#x: past the section's %#x bytes", rs.name, insnOff, len(rs.code))
	}
	return nil
}

// coreRelos decodes the CO-RE relocations.
func (o *Object) coreRelos() ([]CORERelo, error) {
	if o.BTF == nil {
		return nil, nil // libbpf ignores a .BTF.ext without .BTF
	}
	part := o.ext.core
	total, err := part.count(o.ByteOrder)
	if err != nil || total == 0 {
		return nil, err
	}
	functions, err := o.functions()
	if err != nil {
		return nil, err
	}
	in := o.recordSections()
	relos := make([]CORERelo, total)
	rest := relos // filled in place: for tens of thousands, copies show
	for {
		s, ok, err := part.next(o.ByteOrder)
		if err != nil {
			return nil, err
		}
		if !ok {
			return relos, nil
		}
		rs, err := in.of(&part, s)
		if err != nil {
			return nil, err
		}
		within := functions.in(rs.index)
		for i := range s.count {
			rec := s.records[i*part.recSize:][:coreReloSize]
			insnOff, typeID, accessOff, kind := words(o.ByteOrder, rec)
			if err := rs.checkInsn(insnOff); err != nil {
				return nil, fmt.Errorf("CO-RE relocation at offset %#x: %w", s.off+i*part.recSize, err)
			}
			access, ok := stringAt(in.strings, accessOff)
			if !ok {
				return nil, fmt.Errorf("CO-RE relocation at offset %#x: access string at offset %#x, outside of the strings", s.off+i*part.recSize, accessOff)
			}
			r := &rest[i]
			r.Section, r.Program, r.Access = rs.name, within.name(insnOff), access
			r.InsnOff, r.TypeID, r.Kind = insnOff, btf.ID(typeID), kind
			if rs.code == nil {
				continue
			}
			if code := rs.code[insnOff:]; code[0] != opLDIMM64 {
				copy(r.Insn[:InsnSize], code)
			} else if copy(r.Insn[:], code) < len(r.Insn) {
				return nil, fmt.Errorf("CO-RE relocation at offset %#x: instruction at %s+%#x: LDIMM64 cut off by the section's end",
					s.off+i*part.recSize, rs.name, insnOff)
			}
		}
		rest = rest[s.count:]
	}
}

// words are the four of a record. The choice of order is made once here, not
// by an indirect call for each word.
func words(order binary.ByteOrder, rec []byte) (a, b, c, d uint32) {
	if order == binary.ByteOrder(binary.LittleEndian) {
		le := binary.LittleEndian
		return le.Uint32(rec), le.Uint32(rec[4:]), le.Uint32(rec[8:]), le.Uint32(rec[12:])
	}
	be := binary.BigEndian
	return be.Uint32(rec), be.Uint32(rec[4:]), be.Uint32(rec[8:]), be.Uint32(rec[12:])
}

// Funcs decodes the function info of .BTF.ext, anew with each call.
func (o *Object) Funcs() ([]FuncInfo, error) {
	var funcs []FuncInfo
	err := o.eachRecord(o.ext.funcs, func(n int) { funcs = make([]FuncInfo, 0, n) },
		func(section, _ string, rec []byte) error {
			funcs = append(funcs, FuncInfo{section, o.ByteOrder.Uint32(rec), btf.ID(o.ByteOrder.Uint32(rec[4:]))})
			return nil
		})
	return funcs, err
}

// Lines decodes the line info of .BTF.ext, anew with each call.
func (o *Object) Lines() ([]LineInfo, error) {
	var lines []LineInfo
	err := o.eachRecord(o.ext.lines, func(n int) { lines = make([]LineInfo, 0, n) },
		func(section, strings string, rec []byte) error {
			insnOff, fileOff, textOff, lineCol := words(o.ByteOrder, rec)
			file, ok := stringAt(strings, fileOff)
			if !ok {
				return fmt.Errorf("file name at offset %#x, outside of the strings", fileOff)
			}
			text, ok := stringAt(strings, textOff)
			if !ok {
				return fmt.Errorf("source line at offset %#x, outside of the strings", textOff)
			}
			lines = append(lines, LineInfo{section, insnOff, file, text, lineCol >> 10, lineCol & 0x3ff})
			return nil
		})
	return lines, err
}

// eachRecord hands over the total number of records, then every record with
// its instruction offset checked.
func (o *Object) eachRecord(part extPart, size func(int), each func(section, strings string, rec []byte) error) error {
	if o.BTF == nil {
		return nil
	}
	wrap := func(err error) error { return fmt.Errorf("%s: section .BTF.ext: %w", o.Name, err) }
	total, err := part.count(o.ByteOrder)
	if err != nil {
		return wrap(err)
	}
	size(total)
	in := o.recordSections()
	for {
		s, ok, err := part.next(o.ByteOrder)
		if err != nil {
			return wrap(err)
		}
		if !ok {
			return nil
		}
		rs, err := in.of(&part, s)
		if err != nil {
			return wrap(err)
		}
		for i := range s.count {
			rec := s.records[i*part.recSize:][:part.recSize]
			err := rs.checkInsn(o.ByteOrder.Uint32(rec))
			if err == nil {
				err = each(rs.name, in.strings, rec)
			}
			if err != nil {
				return wrap(fmt.Errorf("%s at offset %#x: %w", part.what, s.off+i*part.recSize, err))
			}
		}
	}
}
