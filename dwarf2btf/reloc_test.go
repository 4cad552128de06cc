package dwarf2btf

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/internal/elffile"
)

// Each machine's relocation of an offset, in the layout of its class and byte order.
func TestRelocationsOfMachines(t *testing.T) {
	for _, m := range []struct {
		machine      elf.Machine
		class32, big bool
		rel          bool // the addend is in the place
		kind         uint64
	}{
		{machine: elf.EM_X86_64, kind: 10}, {machine: elf.EM_386, class32: true, rel: true, kind: 1},
		{machine: elf.EM_ARM, class32: true, rel: true, kind: 2}, {machine: elf.EM_AARCH64, kind: 258},
		{machine: elf.EM_S390, big: true, kind: 4}, {machine: elf.EM_RISCV, kind: 1},
		{machine: elf.EM_PPC64, kind: 1}, {machine: elf.EM_PPC64, big: true, kind: 1}, {machine: elf.EM_PPC, class32: true, big: true, kind: 1},
		{machine: elf.EM_MIPS, class32: true, big: true, rel: true, kind: 2}, {machine: elf.EM_MIPS, class32: true, rel: true, kind: 2},
		{machine: elf.EM_MIPS, big: true, kind: 2}, {machine: elf.EM_MIPS, kind: 2},
		{machine: elf.EM_SPARCV9, big: true, kind: 23}, {machine: elf.EM_SPARC, class32: true, big: true, kind: 23},
		{machine: elf.EM_LOONGARCH, kind: 1},
	} {
		f := &testFile{elfType: elf.ET_REL, machine: m.machine, class32: m.class32, big: m.big, units: []*testUnit{{entries: []*entry{
			{tag: tagBaseType, attrs: []attr{{atName, formStrp, "int"}, size(4), {atEncoding, formData1, ateSigned}}}}}}}
		const symbolValue, symbolIndex = 0x11, 0x102
		var nameAt int
		addend := ^uint64(symbolValue - 2) // 1 less the symbol's value
		f.replace = map[string]func([]byte) []byte{".debug_info": func(b []byte) []byte {
			nameAt = bytes.LastIndex(b, f.put(nil, 4, 1))
			in := addend
			if !m.rel {
				in = 0xffffffff
			}
			copy(b[nameAt:], f.put(nil, 4, in))
			return b
		}}
		f.bytes() // for nameAt
		word, symbolSize, valueAt := 8, 24, 8
		info := f.put(nil, 8, symbolIndex<<32|m.kind)
		if m.machine == elf.EM_MIPS && !m.big {
			info = append(f.put(nil, 4, symbolIndex), 0, 0, 0, byte(m.kind))
		}
		if m.class32 {
			word, symbolSize, valueAt = 4, 16, 4
			info = f.put(nil, 4, symbolIndex<<8|m.kind)
		}
		relocations := testSection{name: ".rela.debug_info", kind: elf.SHT_RELA, info: 1, link: 7, data: append(f.put(nil, word, uint64(nameAt)), info...)}
		if m.rel {
			relocations.name, relocations.kind = ".rel.debug_info", elf.SHT_REL
		} else {
			relocations.data = f.put(relocations.data, word, addend)
		}
		symbols := make([]byte, (symbolIndex+1)*symbolSize)
		copy(symbols[symbolIndex*symbolSize+valueAt:], f.put(nil, word, symbolValue))
		f.more = []testSection{relocations, {name: ".symtab", kind: elf.SHT_SYMTAB, data: symbols}}
		out, err := Convert(elffile.Bytes(f.bytes()), Options{})
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		if !bytes.Contains(out, []byte("\x00int\x00")) {
			t.Errorf("%v: the name is another", m)
		}
		kind := &relocations.data[word]
		if m.big || m.machine == elf.EM_MIPS && !m.class32 {
			kind = &relocations.data[2*word-1]
		}
		*kind = 0xfa
		if _, err := Convert(elffile.Bytes(f.bytes()), Options{}); err == nil || !strings.Contains(err.Error(), "not supported for "+m.machine.String()) {
			t.Errorf("%v: %v, expected an error about a relocation that is not known", m, err)
		}
	}
}

// Differences are a sum and what is taken from it.
func TestRelocationArithmetic(t *testing.T) {
	for _, c := range []struct {
		kind      elf.R_LARCH
		was, want string
	}{
		{elf.R_LARCH_ADD8, "\xff", "\x02"}, {elf.R_LARCH_ADD24, "\xff\xff\x01", "\x02\x00\x02"}, {elf.R_LARCH_SUB24, "\x01\x00\x02", "\xfe\xff\x01"},
		{elf.R_LARCH_ADD6, "\x7f", "\x42"}, {elf.R_LARCH_SUB6, "\x41", "\x7e"}, {elf.R_LARCH_ADD_ULEB128, "\x41", "\x41"},
		{elf.R_LARCH_SUB64, "\x02\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"},
	} {
		got := []byte(c.was)
		how := relocationsOf[elf.EM_LOONGARCH][uint32(c.kind)]
		if how.size != 0 {
			f := &testFile{}
			putNumber(f.order(), got, how.apply(number(f.order(), got, how.size), 3))
		}
		if string(got) != c.want {
			t.Errorf("%v: % x becomes % x, expected % x", c.kind, c.was, got, c.want)
		}
		if len(got) == 3 {
			f := &testFile{big: true}
			if putNumber(f.order(), got, 0x010203); string(got) != "\x01\x02\x03" {
				t.Errorf("% x", got)
			}
		}
	}
}
