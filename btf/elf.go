package btf

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// ErrNoBTF is wrapped when a file is well-formed and has no BTF.
var ErrNoBTF = errors.New("no BTF")

// FindELF gives the contents of an ELF file's .BTF section, be it a vmlinux, a
// module or an eBPF object. Raw BTF is passed through. The result aliases file
// where the section is not compressed. A module that was built apart from its
// kernel is refused: its ids count from a base of its own.
func FindELF(file []byte) ([]byte, error) {
	if IsBTF(file) {
		return file, nil
	}
	if !bytes.HasPrefix(file, []byte(elf.ELFMAG)) {
		n := min(len(file), 4)
		return nil, fmt.Errorf("%w: starts with % x, which is neither BTF nor ELF", ErrFormat, file[:n])
	}
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("ELF: %w", err)
	}
	sec := f.Section(".BTF")
	if sec == nil || sec.Type == elf.SHT_NOBITS {
		return nil, fmt.Errorf("%w: the ELF file has no .BTF section", ErrNoBTF)
	}
	if f.Section(".BTF.base") != nil {
		return nil, fmt.Errorf("%w: the module's BTF stands on a base of its own (.BTF.base), not on vmlinux's; "+
			"take the one that the kernel has related, /sys/kernel/btf/NAME", ErrFormat)
	}
	if sec.Flags&elf.SHF_COMPRESSED == 0 {
		if sec.Offset > uint64(len(file)) || sec.FileSize > uint64(len(file))-sec.Offset {
			return nil, fmt.Errorf("ELF: section .BTF [%d, +%d) outside of %d bytes", sec.Offset, sec.FileSize, len(file))
		}
		return file[sec.Offset : sec.Offset+sec.FileSize], nil
	}
	data, err := sec.Data()
	if err != nil {
		return nil, fmt.Errorf("ELF: section .BTF: %w", err)
	}
	return data, nil
}
