package dwarf2btf

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/btfgen/btfgen/internal/elffile"
)

// Modules are not linked: what their DWARF says of other sections is in relocations,
// as the psABI of each machine defines them. Of a linked kernel those that are left
// have been applied already.

// relocation is how a type of relocation changes a number.
type relocation struct {
	size  int // bytes; 0: nothing is changed
	apply func(was, value uint64) uint64
	pc    bool // relative to the place
}

func set(_, value uint64) uint64     { return value }
func plus(was, value uint64) uint64  { return was + value }
func minus(was, value uint64) uint64 { return was - value }
func set6(was, value uint64) uint64  { return was&^0x3f | value&0x3f }
func plus6(was, value uint64) uint64 {
	return was&^0x3f | (was+value)&0x3f
}
func minus6(was, value uint64) uint64 {
	return was&^0x3f | (was-value)&0x3f
}

// relocationsOf are the types that compilers use in sections of DWARF.
var relocationsOf = map[elf.Machine]map[uint32]relocation{
	elf.EM_X86_64: {
		uint32(elf.R_X86_64_NONE): {}, uint32(elf.R_X86_64_64): {size: 8, apply: set},
		uint32(elf.R_X86_64_32): {size: 4, apply: set}, uint32(elf.R_X86_64_32S): {size: 4, apply: set},
		uint32(elf.R_X86_64_16): {size: 2, apply: set}, uint32(elf.R_X86_64_8): {size: 1, apply: set},
		uint32(elf.R_X86_64_PC32): {size: 4, apply: set, pc: true}, uint32(elf.R_X86_64_PC64): {size: 8, apply: set, pc: true},
		uint32(elf.R_X86_64_DTPOFF32): {size: 4, apply: set}, uint32(elf.R_X86_64_DTPOFF64): {size: 8, apply: set},
	},
	elf.EM_386: {
		uint32(elf.R_386_NONE): {}, uint32(elf.R_386_32): {size: 4, apply: set},
		uint32(elf.R_386_16): {size: 2, apply: set}, uint32(elf.R_386_8): {size: 1, apply: set},
		uint32(elf.R_386_PC32): {size: 4, apply: set, pc: true}, uint32(elf.R_386_TLS_LDO_32): {size: 4, apply: set},
	},
	elf.EM_AARCH64: {
		uint32(elf.R_AARCH64_NONE): {}, uint32(elf.R_AARCH64_NULL): {}, uint32(elf.R_AARCH64_ABS64): {size: 8, apply: set},
		uint32(elf.R_AARCH64_ABS32): {size: 4, apply: set}, uint32(elf.R_AARCH64_ABS16): {size: 2, apply: set},
		uint32(elf.R_AARCH64_PREL64): {size: 8, apply: set, pc: true}, uint32(elf.R_AARCH64_PREL32): {size: 4, apply: set, pc: true},
	},
	elf.EM_ARM: {
		uint32(elf.R_ARM_NONE): {}, uint32(elf.R_ARM_ABS32): {size: 4, apply: set},
		uint32(elf.R_ARM_ABS16): {size: 2, apply: set}, uint32(elf.R_ARM_ABS8): {size: 1, apply: set},
		uint32(elf.R_ARM_REL32): {size: 4, apply: set, pc: true}, 106: {size: 4, apply: set}, // R_ARM_TLS_LDO32
	},
	elf.EM_S390: {
		uint32(elf.R_390_NONE): {}, uint32(elf.R_390_64): {size: 8, apply: set},
		uint32(elf.R_390_32): {size: 4, apply: set}, uint32(elf.R_390_16): {size: 2, apply: set},
		uint32(elf.R_390_8): {size: 1, apply: set}, uint32(elf.R_390_PC32): {size: 4, apply: set, pc: true},
		uint32(elf.R_390_PC64): {size: 8, apply: set, pc: true}, uint32(elf.R_390_TLS_LDO64): {size: 8, apply: set},
	},
	elf.EM_PPC64: {
		uint32(elf.R_PPC64_NONE): {}, uint32(elf.R_PPC64_ADDR64): {size: 8, apply: set},
		uint32(elf.R_PPC64_ADDR32): {size: 4, apply: set}, uint32(elf.R_PPC64_ADDR16): {size: 2, apply: set},
		uint32(elf.R_PPC64_UADDR64): {size: 8, apply: set}, uint32(elf.R_PPC64_UADDR32): {size: 4, apply: set},
		uint32(elf.R_PPC64_REL32): {size: 4, apply: set, pc: true}, uint32(elf.R_PPC64_REL64): {size: 8, apply: set, pc: true},
		uint32(elf.R_PPC64_DTPREL64): {size: 8, apply: set},
	},
	elf.EM_PPC: {
		uint32(elf.R_PPC_NONE): {}, uint32(elf.R_PPC_ADDR32): {size: 4, apply: set},
		uint32(elf.R_PPC_ADDR16): {size: 2, apply: set}, uint32(elf.R_PPC_UADDR32): {size: 4, apply: set},
		uint32(elf.R_PPC_UADDR16): {size: 2, apply: set}, uint32(elf.R_PPC_REL32): {size: 4, apply: set, pc: true},
		uint32(elf.R_PPC_DTPREL32): {size: 4, apply: set},
	},
	elf.EM_MIPS: {
		uint32(elf.R_MIPS_NONE): {}, uint32(elf.R_MIPS_32): {size: 4, apply: set}, uint32(elf.R_MIPS_64): {size: 8, apply: set},
		uint32(elf.R_MIPS_TLS_DTPREL32): {size: 4, apply: set}, uint32(elf.R_MIPS_TLS_DTPREL64): {size: 8, apply: set},
		uint32(elf.R_MIPS_PC32): {size: 4, apply: set, pc: true},
	},
	elf.EM_SPARC: sparc, elf.EM_SPARC32PLUS: sparc, elf.EM_SPARCV9: sparc,
	elf.EM_LOONGARCH: {
		uint32(elf.R_LARCH_NONE): {}, uint32(elf.R_LARCH_RELAX): {}, uint32(elf.R_LARCH_ALIGN): {},
		uint32(elf.R_LARCH_32): {size: 4, apply: set}, uint32(elf.R_LARCH_64): {size: 8, apply: set},
		uint32(elf.R_LARCH_TLS_DTPREL32): {size: 4, apply: set}, uint32(elf.R_LARCH_TLS_DTPREL64): {size: 8, apply: set},
		uint32(elf.R_LARCH_ADD8): {size: 1, apply: plus}, uint32(elf.R_LARCH_ADD16): {size: 2, apply: plus},
		uint32(elf.R_LARCH_ADD24): {size: 3, apply: plus}, uint32(elf.R_LARCH_ADD32): {size: 4, apply: plus},
		uint32(elf.R_LARCH_ADD64): {size: 8, apply: plus}, uint32(elf.R_LARCH_ADD6): {size: 1, apply: plus6},
		uint32(elf.R_LARCH_SUB8): {size: 1, apply: minus}, uint32(elf.R_LARCH_SUB16): {size: 2, apply: minus},
		uint32(elf.R_LARCH_SUB24): {size: 3, apply: minus}, uint32(elf.R_LARCH_SUB32): {size: 4, apply: minus},
		uint32(elf.R_LARCH_SUB64): {size: 8, apply: minus}, uint32(elf.R_LARCH_SUB6): {size: 1, apply: minus6},
		uint32(elf.R_LARCH_32_PCREL): {size: 4, apply: set, pc: true}, uint32(elf.R_LARCH_64_PCREL): {size: 8, apply: set, pc: true},
		// As RISC-V's pair.
		uint32(elf.R_LARCH_ADD_ULEB128): {}, uint32(elf.R_LARCH_SUB_ULEB128): {},
	},
	elf.EM_RISCV: {
		uint32(elf.R_RISCV_NONE): {}, uint32(elf.R_RISCV_RELAX): {}, uint32(elf.R_RISCV_ALIGN): {},
		uint32(elf.R_RISCV_64): {size: 8, apply: set}, uint32(elf.R_RISCV_32): {size: 4, apply: set},
		uint32(elf.R_RISCV_ADD8): {size: 1, apply: plus}, uint32(elf.R_RISCV_ADD16): {size: 2, apply: plus},
		uint32(elf.R_RISCV_ADD32): {size: 4, apply: plus}, uint32(elf.R_RISCV_ADD64): {size: 8, apply: plus},
		uint32(elf.R_RISCV_SUB8): {size: 1, apply: minus}, uint32(elf.R_RISCV_SUB16): {size: 2, apply: minus},
		uint32(elf.R_RISCV_SUB32): {size: 4, apply: minus}, uint32(elf.R_RISCV_SUB64): {size: 8, apply: minus},
		uint32(elf.R_RISCV_SUB6): {size: 1, apply: minus6}, uint32(elf.R_RISCV_SET6): {size: 1, apply: set6},
		uint32(elf.R_RISCV_SET8): {size: 1, apply: set}, uint32(elf.R_RISCV_SET16): {size: 2, apply: set},
		uint32(elf.R_RISCV_SET32): {size: 4, apply: set}, uint32(elf.R_RISCV_32_PCREL): {size: 4, apply: set, pc: true},
		uint32(elf.R_RISCV_TLS_DTPREL32): {size: 4, apply: set}, uint32(elf.R_RISCV_TLS_DTPREL64): {size: 8, apply: set},
		// A pair that writes a difference as LEB128: in line and location tables only,
		// and in ranges of addresses, none of which is read here.
		60: {}, 61: {},
	},
}

var sparc = map[uint32]relocation{
	uint32(elf.R_SPARC_NONE): {}, uint32(elf.R_SPARC_8): {size: 1, apply: set}, uint32(elf.R_SPARC_16): {size: 2, apply: set},
	uint32(elf.R_SPARC_32): {size: 4, apply: set}, uint32(elf.R_SPARC_64): {size: 8, apply: set},
	uint32(elf.R_SPARC_UA16): {size: 2, apply: set}, uint32(elf.R_SPARC_UA32): {size: 4, apply: set}, uint32(elf.R_SPARC_UA64): {size: 8, apply: set},
	uint32(elf.R_SPARC_DISP32): {size: 4, apply: set, pc: true}, uint32(elf.R_SPARC_DISP64): {size: 8, apply: set, pc: true},
	76: {size: 4, apply: set}, 77: {size: 8, apply: set}, // R_SPARC_TLS_DTPOFF32 and 64
}

// addresses gives each section of memory an address of its own, where they have none
// yet: a place for each variable by which it is known.
func addresses(e *elffile.ELF) []uint64 {
	at := make([]uint64, len(e.Sections))
	if e.Type != elf.ET_REL {
		return at
	}
	next := uint64(1 << 12)
	for i := range e.Sections {
		if s := &e.Sections[i]; s.Flags&elf.SHF_ALLOC != 0 && s.Size >= 0 {
			at[i] = next
			next += (uint64(s.Size) + 1<<12) &^ (1<<12 - 1)
		}
	}
	return at
}

// relocationSections are those that are about the section of an index.
func relocationSections(e *elffile.ELF, of int) (found []int) {
	if e.Type != elf.ET_REL {
		return nil
	}
	for i := range e.Sections {
		if s := &e.Sections[i]; (s.Type == elf.SHT_RELA || s.Type == elf.SHT_REL) && s.Info == uint32(of) {
			found = append(found, i)
		}
	}
	return found
}

// relocate applies relocations to a copy of a section. section is theirs; entries and
// symbols are its contents and those of the symbol table that it is linked with.
func relocate(e *elffile.ELF, data []byte, section *elffile.Section, entries, symbols []byte, bases []uint64) error {
	known := relocationsOf[e.Machine]
	if known == nil {
		return fmt.Errorf("section %s: relocations of machine %v are not supported", section.Name, e.Machine)
	}
	word, symbolSize := 8, 24
	if e.Class == elf.ELFCLASS32 {
		word, symbolSize = 4, 16
	}
	explicit := section.Type == elf.SHT_RELA
	size := 2 * word
	if explicit {
		size = 3 * word
	}
	for n := 0; len(entries) >= size; n++ {
		offset, info := number(e.Order, entries, word), number(e.Order, entries[word:], word)
		symbol, kind := info>>32, uint32(info)
		switch {
		case word == 4:
			symbol, kind = info>>8, uint32(info)&0xff
		case e.Machine == elf.EM_MIPS && e.Order == binary.ByteOrder(binary.LittleEndian):
			// A word and four bytes, not a number of 64 bits: of the bytes the last is the
			// type, and the others are more types to apply, which compilers leave 0 here.
			symbol, kind = info&math.MaxUint32, bits.ReverseBytes32(uint32(info>>32))
		}
		how, ok := known[kind]
		if !ok {
			return fmt.Errorf("section %s: relocation %d is of type %d, which is not supported for %v", section.Name, n, kind, e.Machine)
		}
		rest := entries[size:]
		if how.size == 0 {
			entries = rest
			continue
		}
		if offset > uint64(len(data)) || uint64(how.size) > uint64(len(data))-offset {
			return fmt.Errorf("section %s: relocation %d is of offset 0x%x of 0x%x", section.Name, n, offset, len(data))
		}
		place := data[offset:][:how.size]
		was := number(e.Order, place, how.size)
		var addend uint64
		if explicit {
			addend = number(e.Order, entries[2*word:], word)
			if word == 4 {
				addend = uint64(int64(int32(addend)))
			}
		} else {
			addend = was
		}
		value, err := symbolValue(e, symbols, symbol, symbolSize, bases)
		if err != nil {
			return fmt.Errorf("section %s: relocation %d: %w", section.Name, n, err)
		}
		value += addend
		if how.pc {
			value -= offset
		}
		putNumber(e.Order, place, how.apply(was, value))
		entries = rest
	}
	return nil
}

func symbolValue(e *elffile.ELF, symbols []byte, symbol uint64, size int, bases []uint64) (uint64, error) {
	if symbol == 0 {
		return 0, nil
	}
	if symbol >= uint64(len(symbols)/size) {
		return 0, fmt.Errorf("symbol %d of %d", symbol, len(symbols)/size)
	}
	b := symbols[int(symbol)*size:]
	var value uint64
	var section uint16
	if e.Class == elf.ELFCLASS32 {
		value, section = uint64(e.Order.Uint32(b[4:])), e.Order.Uint16(b[14:])
	} else {
		value, section = e.Order.Uint64(b[8:]), e.Order.Uint16(b[6:])
	}
	if int(section) < len(bases) {
		value += bases[section]
	}
	return value, nil
}

func putNumber(order binary.ByteOrder, b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		order.PutUint16(b, uint16(v))
	case 3:
		if order == binary.ByteOrder(binary.LittleEndian) {
			b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16)
		} else {
			b[0], b[1], b[2] = byte(v>>16), byte(v>>8), byte(v)
		}
	case 4:
		order.PutUint32(b, uint32(v))
	case 8:
		order.PutUint64(b, v)
	}
}
