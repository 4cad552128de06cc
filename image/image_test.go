package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// sample is a file, and what is in it.
type sample struct {
	file   []byte
	kind   Kind
	arch   string
	types  []byte // nil: there are none
	banner bool
}

func samples(t testing.TB) map[string]sample {
	t.Helper()
	le, be := sampleTypes(t, binary.LittleEndian), sampleTypes(t, binary.BigEndian)
	vmlinux := sampleVmlinux(t)
	module := sampleModule(t)
	arm64 := flat(t, binary.LittleEndian, arm64Magic, "ARM\x64")
	none := sampleELF(binary.LittleEndian, elf.ELFCLASS32, elf.ET_EXEC, elf.EM_386, rodata())
	all := map[string]sample{
		"raw":            {le, RawBTF, "", le, false},
		"raw, big":       {be, RawBTF, "", be, false},
		"raw, padded":    {append(bytes.Clone(le), make([]byte, 4096-len(le)%4096)...), RawBTF, "", le, false},
		"raw, a module":  {moduleTypes(t, binary.BigEndian), RawBTF, "", moduleTypes(t, binary.BigEndian), false},
		"vmlinux":        {vmlinux, Vmlinux, "x86_64", le, true},
		"vmlinux, s390x": {sampleELF(binary.BigEndian, elf.ELFCLASS64, elf.ET_DYN, elf.EM_S390, rodata(), sampleSection{".BTF", elf.SHT_PROGBITS, be}), Vmlinux, "s390x", be, true},
		"vmlinux, mips": {sampleELF(binary.BigEndian, elf.ELFCLASS32, elf.ET_EXEC, elf.EM_MIPS, sampleSection{".BTF", elf.SHT_PROGBITS, be}, sampleSection{".init", elf.SHT_PROGBITS, []byte(sampleBanner + "\n")}),
			Vmlinux, "mips", be, true},
		"vmlinux without": {none, Vmlinux, "x86", nil, true},
		"module":          {module, Module, "x86_64", moduleTypes(t, binary.LittleEndian), false},
		"bzImage without": {bzImage(compress(t, formatGzip, none)), BootImage, "x86_64", nil, true},
		"arm64":           {arm64, BootImage, "arm64", le, true},
		"riscv64":         {flat(t, binary.LittleEndian, riscvMagic, "RSC\x05"), BootImage, "riscv64", le, true},
		"unknown":         {flat(t, binary.BigEndian, 0, "?"), BootImage, "", be, true},
		"text":            {[]byte("Some text\n"), Unknown, "", nil, false},
		"ELF wrapper": {sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_EXEC, elf.EM_PPC64,
			sampleSection{".kernel:vmlinux.strip", elf.SHT_PROGBITS, compress(t, formatGzip, sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_EXEC, elf.EM_PPC64, rodata(), sampleSection{".BTF", elf.SHT_PROGBITS, le}))}),
			Vmlinux, "ppc64le", le, true},
	}
	for _, f := range written {
		name := f.String()
		packed := compress(t, f, vmlinux)
		all["vmlinux."+name] = sample{packed, Vmlinux, "x86_64", le, true}
		all["module."+name] = sample{compress(t, f, module), Module, "x86_64", moduleTypes(t, binary.LittleEndian), false}
		all["arm64."+name] = sample{compress(t, f, arm64), BootImage, "arm64", le, true}
		all["raw."+name] = sample{compress(t, f, be), RawBTF, "", be, false}
		all["bzImage "+name] = sample{bzImage(packed), BootImage, "x86_64", le, true}
		if f == formatLZ4 {
			continue // no kernel is packed so; its end is not told from what follows
		}
		all["bzImage with size "+name] = sample{bzImage(withSize(packed, len(vmlinux))), BootImage, "x86_64", le, true}
		all["zboot "+name] = sample{zboot(withSize(compress(t, f, arm64), len(arm64)), 0xaa64), BootImage, "arm64", le, true}
		body := flat(t, binary.LittleEndian, 0, "?")
		all["arm "+name] = sample{decompressor(armMagic, "\x18\x28\x6f\x01", compress(t, f, body)), BootImage, "arm", le, true}
		body = flat(t, binary.BigEndian, 0, "?")
		all["s390x "+name] = sample{decompressor(s390Magic, "S390EP", withSize(compress(t, f, body), len(body))), BootImage, "s390x", be, true}
		all["unknown wrapper "+name] = sample{decompressor(0, "?", compress(t, f, body)), BootImage, "", be, true}
	}
	for _, name := range committed {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = sample{b, Vmlinux, "x86_64", le, true}
		all["bzImage "+name] = sample{bzImage(withSize(b, len(vmlinux))), BootImage, "x86_64", le, true}
	}
	return all
}

// committed are testdata/vmlinux, which TestSampleVmlinux writes, packed by what Go
// has no writer for, or writes differently:
//
//	bzip2 -9; lzop -9; lzma -9; xz --check=crc32 --x86 --lzma2=dict=128MiB; lz4 -l -9; zstd -22 --ultra, from standard input
var committed = []string{"vmlinux.bz2", "vmlinux.lzo", "vmlinux.lzma", "vmlinux.xz", "vmlinux.lz4", "vmlinux.zst"}

// BTFGEN_UPDATE=1 writes testdata/vmlinux, for the packed files to be made anew.
func TestSampleVmlinux(t *testing.T) {
	path := filepath.Join("testdata", "vmlinux")
	if os.Getenv("BTFGEN_UPDATE") != "" {
		if err := os.WriteFile(path, sampleVmlinux(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(b, sampleVmlinux(t)) {
		t.Fatalf("%v, or %s is not the sample", err, path)
	}
}

func TestEveryKind(t *testing.T) {
	dir := t.TempDir()
	for name, want := range samples(t) {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, want.file, 0o644); err != nil {
			t.Fatal(err)
		}
		opened, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []*Image{opened, New(name, want.file)} {
			if kind, arch := i.Kind(), i.Arch(); kind != want.kind || arch != want.arch {
				t.Errorf("%s: %v of %q, expected %v of %q", name, kind, arch, want.kind, want.arch)
			}
			types, origin, err := i.BTF(Options{})
			if want.types == nil {
				if !errors.Is(err, btf.ErrNoBTF) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: error %v, expected %v", name, err, btf.ErrNoBTF)
				}
			} else if err != nil || origin != Own || !bytes.Equal(types, want.types) {
				t.Errorf("%s: %d bytes from %v, %v; expected %d", name, len(types), origin, err, len(want.types))
			}
			banner, err := i.Banner()
			switch {
			case !want.banner:
				if !errors.Is(err, ErrNoBanner) {
					t.Errorf("%s: banner %q, %v", name, banner, err)
				}
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case banner != sampleBanner:
				t.Errorf("%s: banner %q", name, banner)
			}
			if err := i.Close(); err != nil {
				t.Error(err)
			}
			if _, _, err := i.BTF(Options{}); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s: types after Close: %v", name, err)
			}
		}
	}
}

func TestModinfo(t *testing.T) {
	m, err := New("m", compress(t, formatXZ, sampleModule(t))).Modinfo()
	if want := (Modinfo{"sample", "6.1.0-50-sample SMP mod_unload "}); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := New("v", sampleVmlinux(t)).Modinfo(); err == nil {
		t.Error("a kernel is a module")
	}
}

func TestModuleOnItsBase(t *testing.T) {
	base, err := btf.Parse(sampleTypes(t, binary.LittleEndian))
	if err != nil {
		t.Fatal(err)
	}
	w := btf.NewBuilder(binary.BigEndian)
	w.Int("int", 4, 0)
	other, err := btf.Parse(must(t, w.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"module": sampleModule(t), "raw": moduleTypes(t, binary.LittleEndian)} {
		if _, _, err := New(name, file).BTF(Options{Base: base}); err != nil {
			t.Error(err)
		}
		if _, _, err := New(name, file).BTF(Options{Base: other}); !errors.Is(err, btf.ErrFormat) {
			t.Errorf("%s on a base of the other byte order: %v", name, err)
		}
	}
	file := sampleModule(t, sampleSection{".BTF.base", elf.SHT_PROGBITS, sampleTypes(t, binary.LittleEndian)})
	if _, _, err := New("m", file).BTF(Options{}); !errors.Is(err, btf.ErrFormat) {
		t.Errorf("a module with a base of its own: %v", err)
	}
}

// What an error says has to be enough to go on.
func TestErrorsSayWhatToDo(t *testing.T) {
	dwarf := sampleSection{".debug_info", elf.SHT_PROGBITS, []byte{0}}
	types := sampleSection{".BTF", elf.SHT_PROGBITS, sampleTypes(t, binary.LittleEndian)}
	elfFile := func(s ...sampleSection) []byte {
		return sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_EXEC, elf.EM_X86_64, s...)
	}
	parted := sampleSection{".BTF", elf.SHT_NOBITS, types.content}
	for name, test := range map[string]struct {
		file   []byte
		policy Policy
		says   string
	}{
		"not asked for":    {elfFile(dwarf), OnlyOwn, "has DWARF alone"},
		"asked for":        {elfFile(types), OnlyDWARF, "has BTF, but no DWARF"},
		"neither":          {elfFile(rodata()), OwnOrDWARF, "neither BTF nor DWARF: take the one with debugging information"},
		"in a boot image":  {bzImage(compress(t, formatGzip, elfFile(rodata()))), OwnOrDWARF, "an ELF file in an x86 boot image has neither"},
		"parted":           {elfFile(parted), OwnOrDWARF, "elsewhere"},
		"text":             {[]byte("some text\n"), OwnOrDWARF, "starts with 73 6f 6d 65"},
		"unknown payload":  {bzImage([]byte("neither nor, but long enough to be something")), OwnOrDWARF, "no known compression"},
		"truncated":        {compress(t, formatXZ, elfFile(types))[:200], OwnOrDWARF, "truncated"},
		"neither in gzip":  {compress(t, formatGzip, elfFile(rodata())), OwnOrDWARF, "an ELF file (gzip) has neither"},
		"something in zst": {compress(t, formatZstd, []byte("some text\n")), OwnOrDWARF, "starts with 73 6f 6d 65"},
	} {
		_, _, err := New("the/name", test.file).BTF(Options{DWARF: test.policy})
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "the/name: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; expected %q", name, err, test.says)
		}
	}
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, empty, filepath.Join(dir, "none")} {
		if _, err := Open(path); err == nil || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A kernel whose only banner has no number is told by that.
func TestUnnumberedBanner(t *testing.T) {
	file := sampleELF(binary.LittleEndian, elf.ELFCLASS64, elf.ET_EXEC, elf.EM_X86_64,
		sampleSection{".rodata", elf.SHT_PROGBITS, []byte(unnumbered + "\n\x00")}, sampleSection{".BTF", elf.SHT_PROGBITS, sampleTypes(t, binary.LittleEndian)})
	for name, b := range map[string][]byte{"ELF": file, "flat": append([]byte("?"), file...)} {
		if banner, err := New(name, b).Banner(); err != nil || banner != unnumbered {
			t.Errorf("%s: %q, %v", name, banner, err)
		}
	}
}
