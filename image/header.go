package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

// header is what the start of a file says about it.
type header struct {
	kind Kind
	arch string
	what string // "" if nothing is known
	// payload is the compressed kernel, where the header says it. It may be
	// followed by the four bytes that kernels append: its expanded size.
	payload []byte
	// whole says that payload is a file of its own, with no bytes after it.
	whole bool
	// wraps says that the kernel in it is compressed, wherever it is.
	wraps bool
}

// headerBytes is how much of a file's start headers take, in bytes: the magic of
// s390x lies the farthest.
const headerBytes = 0x10010

// Magics that are not at the start, and where they are.
const (
	x86BootFlag = 0x1fe // 55 aa
	x86Magic    = 0x202 // HdrS
	armMagic    = 0x24
	riscvMagic  = 0x38
	arm64Magic  = 0x38
	s390Magic   = 0x10008
)

func has(b []byte, at int, magic string) bool {
	return len(b) >= at+len(magic) && string(b[at:at+len(magic)]) == magic
}

// headerOf reads the header of a file that is neither ELF nor BTF.
func headerOf(b []byte) header {
	switch {
	case has(b, x86Magic, "HdrS") && has(b, x86BootFlag, "\x55\xaa"):
		return headerX86(b)
	case has(b, 0, "MZ") && has(b, 4, "zimg"):
		return headerZboot(b)
	case has(b, arm64Magic, "ARM\x64"):
		return header{kind: BootImage, arch: "arm64", what: "an arm64 image"}
	case has(b, riscvMagic, "RSC\x05"):
		h := header{kind: BootImage, arch: archOfPE(b), what: "a RISC-V image"}
		if h.arch == "" {
			h.arch = "riscv64"
		}
		return h
	case has(b, armMagic, "\x18\x28\x6f\x01"), has(b, armMagic, "\x01\x6f\x28\x18"):
		return header{kind: BootImage, arch: "arm", what: "an arm zImage", wraps: true}
	case has(b, s390Magic, "S390EP"):
		return header{kind: BootImage, arch: "s390x", what: "an s390x image", wraps: true}
	}
	if arch := archOfPE(b); arch != "" {
		return header{kind: BootImage, arch: arch, what: "an EFI program"}
	}
	return header{}
}

// headerX86 reads the header of a bzImage: the kernel's
// Documentation/arch/x86/boot.rst.
func headerX86(b []byte) header {
	h := header{kind: BootImage, arch: "x86", what: "an x86 boot image", wraps: true}
	if len(b) < 0x260 {
		return h
	}
	version := binary.LittleEndian.Uint16(b[0x206:])
	if version >= 0x20c && b[0x236]&1 != 0 {
		h.arch = "x86_64" // it can be entered in 64-bit mode
	}
	if version < 0x208 {
		return h
	}
	setup := int64(b[0x1f1])
	if setup == 0 {
		setup = 4
	}
	at := (setup+1)*512 + int64(binary.LittleEndian.Uint32(b[0x248:]))
	n := int64(binary.LittleEndian.Uint32(b[0x24c:]))
	if n > 0 && at+n <= int64(len(b)) {
		h.payload = b[at : at+n]
	}
	return h
}

// versionX86 is what a bzImage's header says of the version, with no need to
// expand anything: "" if nothing.
func versionX86(b []byte) string {
	if !has(b, x86Magic, "HdrS") || len(b) < 0x210 || binary.LittleEndian.Uint16(b[0x206:]) < 0x200 {
		return ""
	}
	at := int(binary.LittleEndian.Uint16(b[0x20e:]))
	if at == 0 || at+0x200 >= len(b) {
		return ""
	}
	text, _, ok := bytes.Cut(b[at+0x200:min(len(b), at+0x200+maxBanner)], []byte{0})
	if !ok || !isVersion(text) {
		return ""
	}
	return string(text)
}

// headerZboot reads the header of an EFI program that expands a kernel: the
// kernel's drivers/firmware/efi/libstub/zboot-header.S.
func headerZboot(b []byte) header {
	h := header{kind: BootImage, arch: archOfPE(b), what: "an EFI zboot image", wraps: true}
	if len(b) < 24 {
		return h
	}
	at, n := int64(binary.LittleEndian.Uint32(b[8:])), int64(binary.LittleEndian.Uint32(b[12:]))
	if n > 0 && at+n <= int64(len(b)) {
		// Whether the size counts the four bytes after it has changed.
		h.payload = b[at:min(at+n+4, int64(len(b)))]
	}
	return h
}

// kindOf tells the kind by the start of a file, Unknown if it has to be expanded
// for that.
func kindOf(start []byte) Kind {
	switch {
	case btf.IsBTF(start):
		return RawBTF
	case elffile.Is(start):
		if len(start) >= 18 && (start[16] == byte(elf.ET_REL) && start[17] == 0 || start[17] == byte(elf.ET_REL) && start[16] == 0) {
			return Module
		}
		return Vmlinux
	}
	return headerOf(start).kind
}

// archOf tells the architecture by the start of a file.
func archOf(start []byte) string {
	if elffile.Is(start) {
		// The header alone: the section table may be at the end of a stream.
		if len(start) < 64 {
			return ""
		}
		head := bytes.Clone(start[:64])
		clear(head[32:]) // no section table, in either class
		e, err := elffile.Parse(elffile.Bytes(head))
		if err != nil {
			return ""
		}
		return archOfELF(e)
	}
	return headerOf(start).arch
}

// The names are those that packages of kernels have in common.
func archOfELF(e *elffile.ELF) string {
	big := e.Order == binary.BigEndian
	wide := e.Class == elf.ELFCLASS64
	pick := func(which bool, yes, no string) string {
		if which {
			return yes
		}
		return no
	}
	switch e.Machine {
	case elf.EM_X86_64:
		return "x86_64"
	case elf.EM_386:
		return "x86"
	case elf.EM_AARCH64:
		return pick(big, "arm64be", "arm64")
	case elf.EM_ARM:
		return pick(big, "armeb", "arm")
	case elf.EM_S390:
		return pick(wide, "s390x", "s390")
	case elf.EM_PPC64:
		return pick(big, "ppc64", "ppc64le")
	case elf.EM_PPC:
		return "ppc"
	case elf.EM_RISCV:
		return pick(wide, "riscv64", "riscv32")
	case elf.EM_LOONGARCH:
		return pick(wide, "loongarch64", "loongarch32")
	case elf.EM_MIPS:
		return pick(wide, "mips64", "mips") + pick(big, "", "el")
	case elf.EM_SPARCV9:
		return "sparc64"
	}
	return ""
}

// archOfPE is the machine of an EFI program, which kernels pass for, "" if b is
// none.
func archOfPE(b []byte) string {
	if !has(b, 0, "MZ") || len(b) < 0x40 {
		return ""
	}
	at := int64(binary.LittleEndian.Uint32(b[0x3c:]))
	if at+6 > int64(len(b)) || string(b[at:at+4]) != "PE\x00\x00" {
		return ""
	}
	switch binary.LittleEndian.Uint16(b[at+4:]) {
	case 0x14c:
		return "x86"
	case 0x8664:
		return "x86_64"
	case 0xaa64:
		return "arm64"
	case 0x1c0, 0x1c2, 0x1c4:
		return "arm"
	case 0x5064:
		return "riscv64"
	case 0x5032:
		return "riscv32"
	case 0x6264:
		return "loongarch64"
	case 0x6232:
		return "loongarch32"
	}
	return ""
}
