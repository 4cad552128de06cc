package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/btfgen/btfgen/btf"
)

const sampleBanner = "Linux version 6.1.0-50-sample (builder@example.org) (gcc-12 (Debian 12.2.0) 12.2.0, GNU ld 2.40) #1 SMP Debian 6.1.176-1 (2026-07-02)"

// unnumbered is what kernels have beside it.
var unnumbered = strings.Replace(sampleBanner, "#1", "#", 1)

// sampleTypes are a kernel's, as far as a reader of images can tell.
func sampleTypes(t testing.TB, order binary.ByteOrder) []byte {
	t.Helper()
	w := btf.NewBuilder(order)
	word := w.Int("int", 4, btf.Signed)
	name := uint32(1)
	for i := range 40 {
		name = name*1664525 + 1013904223
		word = w.Ptr(w.Struct(fmt.Sprintf("s%08x", name), 8, btf.BuildMember{Name: fmt.Sprintf("m%x", name>>uint(i%20)), Type: word}))
	}
	w.Struct("task_struct", 8, btf.BuildMember{Name: "pid", Type: 1})
	return must(t, w.Bytes)
}

// moduleTypes are split BTF on sampleTypes.
func moduleTypes(t testing.TB, order binary.ByteOrder) []byte {
	t.Helper()
	base, err := btf.Parse(sampleTypes(t, order))
	if err != nil {
		t.Fatal(err)
	}
	w := btf.NewSplitBuilder(base)
	w.Struct("in_module", 8, btf.BuildMember{Name: "p", Type: 2})
	return must(t, w.Bytes)
}

func must(t testing.TB, f func() ([]byte, error)) []byte {
	t.Helper()
	b, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type sampleSection struct {
	name    string
	typ     elf.SectionType
	content []byte
}

// sampleELF is an ELF file with the sections after one another and the table at the
// end.
func sampleELF(order binary.AppendByteOrder, class elf.Class, typ elf.Type, machine elf.Machine, sections ...sampleSection) []byte {
	put := order.(binary.ByteOrder)
	b := make([]byte, 64)
	names := []byte{0}
	sections = append(append([]sampleSection{{}}, sections...), sampleSection{name: ".shstrtab", typ: elf.SHT_STRTAB})
	for _, s := range sections[1:] {
		names = append(append(names, s.name...), 0)
	}
	sections[len(sections)-1].content = names[:len(names):len(names)]
	at := make([]int, len(sections))
	for i, s := range sections {
		at[i] = len(b)
		b = append(b, s.content...)
		b = append(b, make([]byte, -len(b)&7)...)
	}
	table := len(b)
	word := func(v int) {
		if class == elf.ELFCLASS32 {
			b = order.AppendUint32(b, uint32(v))
		} else {
			b = order.AppendUint64(b, uint64(v))
		}
	}
	nameAt := 1
	for i, s := range sections {
		n := nameAt
		if i == 0 {
			n = 0
		} else {
			nameAt += len(s.name) + 1
		}
		b = order.AppendUint32(order.AppendUint32(b, uint32(n)), uint32(s.typ))
		flags := 0
		if i > 0 && i < len(sections)-1 {
			flags = int(elf.SHF_ALLOC)
		}
		word(flags)
		word(0)
		word(at[i])
		word(len(s.content))
		b = order.AppendUint32(order.AppendUint32(b, 0), 0)
		word(1)
		word(0)
	}
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA] = byte(class), byte(elf.ELFDATA2LSB)
	if put.Uint16([]byte{0, 1}) == 1 {
		b[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	put.PutUint16(b[16:], uint16(typ))
	put.PutUint16(b[18:], uint16(machine))
	counts := b[58:]
	if class == elf.ELFCLASS32 {
		put.PutUint32(b[32:], uint32(table))
		counts = b[46:]
		put.PutUint16(counts, 40)
	} else {
		put.PutUint64(b[40:], uint64(table))
		put.PutUint16(counts, 64)
	}
	put.PutUint16(counts[2:], uint16(len(sections)))
	put.PutUint16(counts[4:], uint16(len(sections)-1))
	return b
}

func rodata() sampleSection {
	return sampleSection{".rodata", elf.SHT_PROGBITS, []byte("Linux version %s (%s)\n\x00" + unnumbered + "\n\x00" + sampleBanner + "\n\x00")}
}

// sampleVmlinux is an x86-64 kernel.
func sampleVmlinux(t testing.TB) []byte {
	calls := bytes.Repeat([]byte{0xe8, 0x12, 0x34, 0, 0, 0xc3}, 50)
	return sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_EXEC, elf.EM_X86_64,
		sampleSection{".text", elf.SHT_PROGBITS, calls}, rodata(), sampleSection{".BTF", elf.SHT_PROGBITS, sampleTypes(t, binary.LittleEndian)})
}

func sampleModule(t testing.TB, more ...sampleSection) []byte {
	return sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_REL, elf.EM_X86_64, append([]sampleSection{
		{".modinfo", elf.SHT_PROGBITS, []byte("license=GPL\x00name=sample\x00vermagic=6.1.0-50-sample SMP mod_unload \x00")},
		{".BTF", elf.SHT_PROGBITS, moduleTypes(t, binary.LittleEndian)}}, more...)...)
}

// flat is a kernel that is no ELF file: header, banner, BTF of a program that it
// brings along, and its own BTF.
func flat(t testing.TB, order binary.ByteOrder, magicAt int, magic string) []byte {
	b := make([]byte, 4096)
	copy(b[magicAt:], magic)
	b = append(b, sampleBanner+"\n\x00\xff"...)
	w := btf.NewBuilder(order)
	w.Struct("not_a_kernel", 4, btf.BuildMember{Name: "x", Type: w.Int("int", 4, 0)})
	b = append(append(b, must(t, w.Bytes)...), "\x9f\xeb\x01\x00\x18\x00\x00\x00 and not BTF"...)
	return append(append(b, sampleTypes(t, order)...), make([]byte, 1000)...)
}

func writeAll(t testing.TB, from io.Reader, to func(w io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := to(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, from); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// compress packs in the ways that Go has a writer for.
func compress(t testing.TB, f format, b []byte) []byte {
	t.Helper()
	return writeFrom(t, f, bytes.NewReader(b))
}

func writeFrom(t testing.TB, f format, from io.Reader) []byte {
	t.Helper()
	return writeAll(t, from, func(out io.Writer) (io.WriteCloser, error) {
		switch f {
		case formatGzip:
			return gzip.NewWriterLevel(out, 9)
		case formatXZ:
			return xz.NewWriter(out)
		case formatLZMA:
			return lzma.WriterConfig{Properties: &lzma.Properties{LC: 3, PB: 2}, DictCap: 1 << 16, EOSMarker: true}.NewWriter(out)
		case formatLZ4, formatLZ4Legacy:
			w := lz4.NewWriter(out)
			return w, w.Apply(lz4.LegacyOption(f == formatLZ4Legacy))
		case formatZstd:
			return zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		}
		return nil, fmt.Errorf("no writer for %v", f)
	})
}

var written = []format{formatGzip, formatXZ, formatLZMA, formatLZ4, formatLZ4Legacy, formatZstd}

// withSize appends the expanded size, as the kernel's build does.
func withSize(payload []byte, size int) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(payload), uint32(size))
}

// bzImage is an x86 boot image with a payload.
func bzImage(payload []byte) []byte {
	const setup, before = 3, 700
	b := make([]byte, (setup+1)*512+before)
	copy(b, "MZ")
	b[0x1f1] = setup
	copy(b[x86BootFlag:], "\x55\xaa")
	copy(b[x86Magic:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x206:], 0x20f)
	binary.LittleEndian.PutUint16(b[0x20e:], 0x300)
	copy(b[0x500:], sampleBanner[len(bannerStart):])
	binary.LittleEndian.PutUint16(b[0x236:], 1)
	binary.LittleEndian.PutUint32(b[0x248:], before)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(len(payload)))
	return append(append(b, payload...), make([]byte, 300)...)
}

// zboot is an EFI program that expands a kernel.
func zboot(payload []byte, machine uint16) []byte {
	b := make([]byte, 1024)
	copy(b, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(payload)))
	copy(b[24:], "zstd")
	binary.LittleEndian.PutUint32(b[0x3c:], 0x80)
	copy(b[0x80:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[0x84:], machine)
	return append(append(b, payload...), make([]byte, 300)...)
}

// decompressor is the start of an image whose header does not say where the
// payload is, with the magics that a decompressor looks for.
func decompressor(magicAt int, magic string, payload []byte) []byte {
	b := make([]byte, headerBytes+5000)
	copy(b[magicAt:], magic)
	at := headerBytes + 100
	for f := formatGzip; f < formats; f++ {
		at += copy(b[at:], magics[f]) + 61
	}
	copy(b[at:], "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03 what is no stream")
	copy(b[at+100:], "BZh91AY&SY what is no stream")
	return append(append(b, payload...), make([]byte, 500)...)
}
