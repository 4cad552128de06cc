package btf_test

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// elfSection is what elfFile makes a section of.
type elfSection struct {
	name  string
	typ   elf.SectionType
	flags elf.SectionFlag
	body  []byte
}

// elfFile is a 64-bit relocatable object of the sections given.
func elfFile(order binary.ByteOrder, sections ...elfSection) []byte {
	const headerSize, entrySize = 64, 64
	names := []byte{0}
	sections = append([]elfSection{{}}, sections...)
	sections = append(sections, elfSection{name: ".shstrtab", typ: elf.SHT_STRTAB})
	headers := make([]elf.Section64, len(sections))
	for i, s := range sections {
		headers[i] = elf.Section64{Name: uint32(len(names)), Type: uint32(s.typ), Flags: uint64(s.flags)}
		names = append(append(names, s.name...), 0)
	}
	sections[len(sections)-1].body = names
	var bodies []byte
	for i, s := range sections {
		headers[i].Off, headers[i].Size = uint64(headerSize+len(bodies)), uint64(len(s.body))
		bodies = append(bodies, s.body...)
	}
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1}
	if order == binary.BigEndian {
		ident[5] = byte(elf.ELFDATA2MSB)
	}
	var out bytes.Buffer
	for _, part := range []any{
		elf.Header64{Ident: ident, Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: 1, Ehsize: headerSize,
			Shoff: uint64(headerSize + len(bodies)), Shentsize: entrySize, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1)},
		bodies, headers,
	} {
		if err := binary.Write(&out, order, part); err != nil {
			panic(err)
		}
	}
	return out.Bytes()
}

func TestFindELF(t *testing.T) {
	for _, order := range orders {
		raw := encode(t, everyKind(order))
		text := elfSection{".text", elf.SHT_PROGBITS, elf.SHF_ALLOC, []byte("code")}
		var packed bytes.Buffer
		if err := binary.Write(&packed, order, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: uint64(len(raw)), Addralign: 1}); err != nil {
			t.Fatal(err)
		}
		z := zlib.NewWriter(&packed)
		if _, err := z.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for name, file := range map[string][]byte{
			"raw":        raw,
			"first":      elfFile(order, elfSection{".BTF", elf.SHT_PROGBITS, 0, raw}, text),
			"last":       elfFile(order, text, elfSection{".BTF.ext", elf.SHT_PROGBITS, 0, nil}, elfSection{".BTF", elf.SHT_PROGBITS, 0, raw}),
			"compressed": elfFile(order, text, elfSection{".BTF", elf.SHT_PROGBITS, elf.SHF_COMPRESSED, packed.Bytes()}),
		} {
			got, err := btf.FindELF(file)
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%v, %s: %d bytes, %v; expected the %d bytes put in", order, name, len(got), err, len(raw))
			}
		}
		for name, file := range map[string][]byte{
			"no section":  elfFile(order, text),
			"no contents": elfFile(order, text, elfSection{".BTF", elf.SHT_NOBITS, 0, nil}),
		} {
			if _, err := btf.FindELF(file); !errors.Is(err, btf.ErrNoBTF) {
				t.Errorf("%v, %s: %v, expected ErrNoBTF", order, name, err)
			}
		}
	}
}

func TestFindELFOfSomethingElse(t *testing.T) {
	for _, file := range []string{"", "\x7f", "\x7fEL", "#!/bin/sh", "\x9f"} {
		if _, err := btf.FindELF([]byte(file)); !errors.Is(err, btf.ErrFormat) {
			t.Errorf("%q: %v, expected ErrFormat", file, err)
		}
	}
}

// Whatever is left of a file, the answer is an error or the whole section.
func TestFindELFTruncated(t *testing.T) {
	raw := encode(t, everyKind(binary.LittleEndian))
	file := elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, raw})
	for n := range file {
		if got, err := btf.FindELF(file[:n:n]); err == nil {
			t.Errorf("first %d of %d bytes: %d bytes of BTF and no error", n, len(file), len(got))
		}
	}
	outside := bytes.Clone(file)
	const shoffAt, offsetIn, sizeIn = 40, 24, 32
	section := binary.LittleEndian.Uint64(file[shoffAt:]) + 64
	for _, at := range []uint64{section + offsetIn, section + sizeIn} {
		for _, v := range []uint64{uint64(len(file)) + 1, 1 << 62, 1<<64 - 1} {
			copy(outside, file)
			binary.LittleEndian.PutUint64(outside[at:], v)
			if got, err := btf.FindELF(outside); err == nil {
				t.Errorf("word at %d set to %#x: %d bytes of BTF and no error", at, v, len(got))
			}
		}
	}
}
