package elffile

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// file makes an ELF file with the sections' contents one after another and the table at the end.
func file(order binary.AppendByteOrder, class elf.Class, sections []Section, contents [][]byte) []byte {
	names := []byte{0}
	b := make([]byte, 64)
	for i := range sections {
		sections[i].Offset, sections[i].Size = int64(len(b)), int64(len(contents[i]))
		b = append(b, contents[i]...)
	}
	strs := Section{Name: ".shstrtab", Type: elf.SHT_STRTAB, Offset: int64(len(b))}
	all := append(append([]Section{{}}, sections...), strs)
	var at []uint32
	for _, s := range all {
		at = append(at, uint32(len(names)))
		names = append(append(names, s.Name...), 0)
	}
	all[len(all)-1].Size = int64(len(names))
	b = append(b, names...)
	table := len(b)
	word := func(v uint64) {
		if class == elf.ELFCLASS32 {
			b = order.AppendUint32(b, uint32(v))
		} else {
			b = order.AppendUint64(b, v)
		}
	}
	for i, s := range all {
		b = order.AppendUint32(order.AppendUint32(b, at[i]), uint32(s.Type))
		word(uint64(s.Flags))
		word(s.Addr)
		word(uint64(s.Offset))
		word(uint64(s.Size))
		b = order.AppendUint32(order.AppendUint32(b, s.Link), s.Info)
		word(0)
		word(s.Entsize)
	}
	copy(b, "\x7fELF")
	b[elf.EI_CLASS], b[elf.EI_DATA] = byte(class), 1
	o := order.(binary.ByteOrder)
	if o.Uint16([]byte{0, 1}) == 1 {
		b[elf.EI_DATA] = 2
	}
	o.PutUint16(b[18:], uint16(elf.EM_X86_64))
	rest := b[58:]
	if class == elf.ELFCLASS32 {
		o.PutUint32(b[32:], uint32(table))
		rest = b[46:]
		o.PutUint16(rest, 40)
	} else {
		o.PutUint64(b[40:], uint64(table))
		o.PutUint16(rest, 64)
	}
	o.PutUint16(rest[2:], uint16(len(all)))
	o.PutUint16(rest[4:], uint16(len(all)-1))
	return b
}

func deflated(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(order binary.AppendByteOrder, class elf.Class, kind elf.CompressionType, size uint64, body []byte) []byte {
	b := order.AppendUint32(nil, uint32(kind))
	if class == elf.ELFCLASS32 {
		b = order.AppendUint32(order.AppendUint32(b, uint32(size)), 1)
	} else {
		b = order.AppendUint64(order.AppendUint64(order.AppendUint32(b, 0), size), 1)
	}
	return append(b, body...)
}

func TestSectionsAreReadAndExpanded(t *testing.T) {
	text := bytes.Repeat([]byte("what is in the section "), 100)
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, class := range []elf.Class{elf.ELFCLASS32, elf.ELFCLASS64} {
			old := append(binary.BigEndian.AppendUint64([]byte("ZLIB"), uint64(len(text))), deflated(t, text)...)
			b := file(order, class, []Section{
				{Name: "plain", Type: elf.SHT_PROGBITS},
				{Name: ".debug_zlib", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED},
				{Name: ".debug_zstd", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED},
				{Name: ".zdebug_old", Type: elf.SHT_PROGBITS},
			}, [][]byte{
				text,
				compressed(order, class, elf.COMPRESS_ZLIB, uint64(len(text)), deflated(t, text)),
				compressed(order, class, elf.COMPRESS_ZSTD, uint64(len(text)), z.EncodeAll(text, nil)),
				old,
			})
			e, err := Parse(Bytes(b))
			if err != nil {
				t.Fatal(err)
			}
			if e.Class != class || e.Machine != elf.EM_X86_64 || len(e.Sections) != 6 {
				t.Fatalf("%+v", e)
			}
			var want []*Section
			for _, name := range []string{"plain", ".debug_zlib", ".debug_zstd", ".debug_old", "none"} {
				want = append(want, e.Section(name))
			}
			got, err := e.Read(want...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				if !bytes.Equal(got[i], text) {
					t.Errorf("%v, %v: section %d: %.40q", order, class, i, got[i])
				}
			}
			if got[4] != nil {
				t.Error("a section that there is not has contents")
			}
			cutEverywhere(t, b)
		}
	}
}

// cutEverywhere expects an error, and no panic, of a file that was cut short.
func cutEverywhere(t *testing.T, b []byte) {
	t.Helper()
	for n := range b {
		if _, err := Parse(Bytes(b[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", n, len(b))
		}
	}
}

func TestLyingSizes(t *testing.T) {
	text := bytes.Repeat([]byte{'a'}, 1000)
	for name, body := range map[string][]byte{
		"more than there can be": compressed(binary.LittleEndian, elf.ELFCLASS64, elf.COMPRESS_ZLIB, 1<<40, deflated(t, text)),
		"more than there is":     compressed(binary.LittleEndian, elf.ELFCLASS64, elf.COMPRESS_ZLIB, 1001, deflated(t, text)),
		"less than there is":     compressed(binary.LittleEndian, elf.ELFCLASS64, elf.COMPRESS_ZLIB, 999, deflated(t, text)),
		"an unknown method":      compressed(binary.LittleEndian, elf.ELFCLASS64, 7, 1000, deflated(t, text)),
		"no zstd":                compressed(binary.LittleEndian, elf.ELFCLASS64, elf.COMPRESS_ZSTD, 1000, deflated(t, text)),
		"cut short":              {1, 0, 0},
	} {
		e, err := Parse(Bytes(file(binary.LittleEndian, elf.ELFCLASS64, []Section{{Name: "s", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED}}, [][]byte{body})))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Read(e.Section("s")); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// The program that runs the test is an ELF file that another reader knows too.
func TestAsDebugELF(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Parse(Bytes(b))
	if errors.Is(err, ErrNotELF) {
		return // another system's format
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if len(ours.Sections) != len(theirs.Sections) || ours.Machine != theirs.Machine {
		t.Fatalf("%d sections, machine %v; debug/elf has %d, %v", len(ours.Sections), ours.Machine, len(theirs.Sections), theirs.Machine)
	}
	for i, s := range theirs.Sections {
		o := &ours.Sections[i]
		if o.Name != s.Name || o.Type != s.Type || o.Flags != s.Flags || o.Offset != int64(s.Offset) || o.Size != int64(s.FileSize) && s.Type != elf.SHT_NOBITS || o.Link != s.Link || o.Info != s.Info || o.Entsize != s.Entsize {
			t.Errorf("section %d: %+v, debug/elf has %+v", i, o, s.SectionHeader)
		}
	}
}

func FuzzParse(f *testing.F) {
	body := compressed(binary.LittleEndian, elf.ELFCLASS64, elf.COMPRESS_ZSTD, 10, []byte("0123456789"))
	for _, class := range []elf.Class{elf.ELFCLASS32, elf.ELFCLASS64} {
		f.Add(file(binary.LittleEndian, class, []Section{{Name: ".debug_x", Flags: elf.SHF_COMPRESSED}, {Name: "s"}}, [][]byte{body, {1, 2}}))
		f.Add(file(binary.BigEndian, class, []Section{{Name: ".debug_x"}}, [][]byte{body}))
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		e, err := Parse(Bytes(b))
		if err != nil {
			return
		}
		for i := range e.Sections {
			_, _ = e.Read(&e.Sections[i])
		}
	})
}
