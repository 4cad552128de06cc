package bpfelf

import (
	"debug/elf"
	"fmt"
)

// ELFRelocType is one of the six relocation types of the BPF psABI, or an
// unknown one.
type ELFRelocType uint32

// The types, as the kernel's llvm_reloc.rst defines them.
const (
	RelocNone     ELFRelocType = 0  // R_BPF_NONE
	Reloc64x64    ELFRelocType = 1  // R_BPF_64_64: an LDIMM64's immediate
	RelocAbs64    ELFRelocType = 2  // R_BPF_64_ABS64: 64 bits of data
	RelocAbs32    ELFRelocType = 3  // R_BPF_64_ABS32: 32 bits of data
	RelocNoDyld32 ELFRelocType = 4  // R_BPF_64_NODYLD32: 32 bits of .BTF and .BTF.ext
	Reloc64x32    ELFRelocType = 10 // R_BPF_64_32: a call's immediate
)

// String is the type's name in the psABI.
func (t ELFRelocType) String() string {
	switch t {
	case RelocNone:
		return "R_BPF_NONE"
	case Reloc64x64:
		return "R_BPF_64_64"
	case RelocAbs64:
		return "R_BPF_64_ABS64"
	case RelocAbs32:
		return "R_BPF_64_ABS32"
	case RelocNoDyld32:
		return "R_BPF_64_NODYLD32"
	case Reloc64x32:
		return "R_BPF_64_32"
	}
	return fmt.Sprintf("R_BPF_%d", uint32(t))
}

// ELFReloc is one ELF relocation.
type ELFReloc struct {
	Section       string // the section that is patched
	Offset        uint64 // bytes, in that section
	Type          ELFRelocType
	Symbol        string // a section symbol has its section's name
	SymbolSection string // where the symbol is defined, "" if it is not
	SymbolValue   uint64 // bytes, in that section
	// Addend is in bytes. SHT_REL, which LLVM writes for eBPF, keeps it in the
	// patched place: a call's immediate n stands for (n+1)*8.
	Addend int64
}

// ELFRelocs lists the ELF relocations in file order, anew with each call.
func (o *Object) ELFRelocs() ([]ELFReloc, error) {
	relocs, err := o.elfRelocs()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return relocs, nil
}

func (o *Object) elfRelocs() ([]ELFReloc, error) {
	symbols, err := o.symbols()
	if err != nil {
		return nil, err
	}
	var relocs []ELFReloc
	for i := range o.sections {
		s := &o.sections[i]
		entry := relSize
		switch s.typ {
		case elf.SHT_REL:
		case elf.SHT_RELA:
			entry = relaSize
		default:
			continue
		}
		if len(s.data)%entry != 0 {
			return nil, fmt.Errorf("section %s: %#x bytes, not a multiple of %d", s.name, len(s.data), entry)
		}
		if s.info == 0 || uint64(s.info) >= uint64(len(o.sections)) {
			return nil, fmt.Errorf("section %s: is about section %d of %d", s.name, s.info, len(o.sections))
		}
		target := &o.sections[s.info]
		for off := 0; off < len(s.data); off += entry {
			rec := s.data[off:]
			info := o.ByteOrder.Uint64(rec[8:])
			r := ELFReloc{Section: target.name, Offset: o.ByteOrder.Uint64(rec), Type: ELFRelocType(uint32(info))}
			if r.Offset >= target.size {
				return nil, fmt.Errorf("section %s: offset %#x: patches %s+%#x, past its %#x bytes", s.name, off, target.name, r.Offset, target.size)
			}
			index := info >> 32
			if index >= uint64(symbols.len()) && index != 0 {
				return nil, fmt.Errorf("section %s: offset %#x: symbol %d of %d", s.name, off, index, symbols.len())
			}
			if index != 0 {
				sym, err := symbols.at(int(index))
				if err != nil {
					return nil, err
				}
				r.Symbol, r.SymbolValue, r.SymbolSection = sym.name, sym.value, o.SectionName(sym.section)
				if sym.typ == elf.STT_SECTION {
					r.Symbol = r.SymbolSection
				}
			}
			if entry == relaSize {
				r.Addend = int64(o.ByteOrder.Uint64(rec[16:]))
			} else if r.Addend, err = o.implicitAddend(target, &r); err != nil {
				return nil, fmt.Errorf("section %s: offset %#x: %w", s.name, off, err)
			}
			relocs = append(relocs, r)
		}
	}
	return relocs, nil
}

// implicitAddend reads the addend from the patched place. LLVM up to 12 used
// R_BPF_64_64 and R_BPF_64_32 for data, too; those are told by their section.
func (o *Object) implicitAddend(target *section, r *ELFReloc) (int64, error) {
	if target.data == nil {
		return 0, nil
	}
	at, width := r.Offset, uint64(4)
	code := target.isCode()
	switch r.Type {
	case Reloc64x64:
		if code {
			at += 4
		} else {
			width = 8
		}
	case Reloc64x32:
		if code {
			at += 4
		}
	case RelocAbs64:
		width = 8
	case RelocAbs32, RelocNoDyld32:
	default:
		return 0, nil
	}
	if size := uint64(len(target.data)); at+width > size {
		return 0, fmt.Errorf("%v patches %d bytes at %s+%#x, past its %#x bytes", r.Type, width, target.name, at, size)
	}
	if width == 8 {
		return int64(o.ByteOrder.Uint64(target.data[at:])), nil
	}
	addend := int64(int32(o.ByteOrder.Uint32(target.data[at:])))
	if r.Type == Reloc64x32 && code {
		addend = (addend + 1) * InsnSize
	}
	return addend, nil
}
