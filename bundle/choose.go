package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/btfgen/btfgen/kernel"
)

// KernelBTF is where a kernel that is built with CONFIG_DEBUG_INFO_BTF shows its own BTF, and where loaders look for it.
const KernelBTF = "/sys/kernel/btf/vmlinux"

// maxFile is the largest file in bytes that a user may name: an undeduplicated kernel's BTF is 30 MB, a vmlinux with debug information 1 GB.
const maxFile = 2 << 30

// Options are what Choose takes into account besides the bundle. The zero value is what most programs want.
type Options struct {
	// File is a file that the user named, by an option or an environment variable; it wins over everything. Raw BTF, or an ELF file that holds it.
	File string
	// Consensus allows BTF for a kernel that is not in the bundle, if all kernels of its series and flavour in the bundle, older and newer ones, have the same BTF.
	Consensus bool
	// Host describes the machine; nil stands for kernel.ThisHost.
	Host *kernel.Host
	// KernelBTF is where the kernel's own BTF is; "" stands for the constant of this name, "-" for a kernel without.
	KernelBTF string
}

// Source says where a Choice is from.
type Source int

// The sources, in the order in which Choose asks them.
const (
	FromFile Source = iota
	FromKernel
	FromBundle
)

func (s Source) String() string { return [...]string{"file", "kernel", "bundle"}[s] }

// A Choice is the BTF to load programs with.
type Choice struct {
	Source Source
	BTF    []byte // nil FromKernel, where the loader finds it by itself; may be an ELF file FromFile
	Path   string // the file's, or the kernel's in the bundle
	Why    string // in words
}

// String tells which BTF was chosen and why, in one line, as a program prints it when asked to be verbose.
func (c Choice) String() string {
	switch c.Source {
	case FromKernel:
		return fmt.Sprintf("BTF: the kernel's own, %s (%s)", c.Path, c.Why)
	case FromFile:
		return fmt.Sprintf("BTF: file %s (%s)", c.Path, c.Why)
	default:
		return fmt.Sprintf("BTF: %s of the bundle, %d bytes (%s)", c.Path, len(c.BTF), c.Why)
	}
}

// Choose finds the BTF for this host: the file that the user named, else the kernel's own, else the bundle's. b may be nil: a program without bundle.
// The error says in one line what is missing and what to do; where no kernel matches it wraps *kernel.NotFoundError or *kernel.AmbiguousError.
func Choose(b *Bundle, o Options) (Choice, error) {
	if o.File != "" {
		btf, err := readBTF(o.File)
		if err != nil {
			return Choice{}, err
		}
		return Choice{FromFile, btf, o.File, "named by the user"}, nil
	}
	own := o.KernelBTF
	if own == "" {
		own = KernelBTF
	}
	if own != "-" && readable(own) {
		return Choice{FromKernel, nil, own, "this kernel has BTF"}, nil
	}
	host, err := hostOf(o)
	if err != nil {
		return Choice{}, fmt.Errorf("which kernel is this? %w", err)
	}
	if b == nil {
		return Choice{}, fmt.Errorf("%w; %s and this program brings none: name a file with its BTF", &kernel.NotFoundError{Host: host}, ownBTF(own))
	}
	f := new(inflater)
	match, m, err := b.find(f, host, o.Consensus)
	if err != nil {
		return Choice{}, fmt.Errorf("%w; %s: name a file with its BTF, or get a build of this program that includes it", err, ownBTF(own))
	}
	btf, err := b.content(f, m, match.Content)
	if err != nil {
		return Choice{}, err
	}
	return Choice{FromBundle, btf, match.Path, match.Rule}, nil
}

// ownBTF says what is with the kernel's own BTF where it is not used.
func ownBTF(own string) string {
	if own == "-" {
		return "this kernel's own BTF, if it has any, is left aside"
	}
	return "this kernel has no BTF of its own (" + own + ")"
}

func hostOf(o Options) (kernel.Host, error) {
	if o.Host != nil {
		return *o.Host, nil
	}
	return kernel.ThisHost()
}

// readable tells whether there is something to read at path: a kernel without BTF has no such file, and containers hide it in their own ways.
func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	n, err := f.Read(make([]byte, 1))
	return n == 1 && err == nil
}

// readBTF reads a file that the user named.
func readBTF(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("BTF file: %w", err)
	}
	defer f.Close()
	var start [4]byte
	n, err := io.ReadFull(f, start[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("BTF file: %w", err)
	}
	isBTF := binary.LittleEndian.Uint16(start[:]) == btfMagic || binary.BigEndian.Uint16(start[:]) == btfMagic
	if n < len(start) || !isBTF && string(start[:]) != "\x7fELF" {
		return nil, fmt.Errorf("BTF file %s: expected BTF (magic number 0x%x) or an ELF file with BTF; %s", path, btfMagic, "an archive has to be unpacked first")
	}
	rest, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("BTF file: %w", err)
	}
	return append(start[:n:n], rest...), nil
}
