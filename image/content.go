package image

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
)

// content is what is left of a file with all wrappings taken off: a kernel, a
// module, or BTF.
type content struct {
	kind Kind
	arch string
	// what says what the file is, wrappings and all, for errors.
	what string

	file  elffile.File
	bytes []byte       // the whole of file; nil of an ELF file that is read in parts
	elf   *elffile.ELF // nil if it is no ELF file
	types []byte       // BTF that was found without sections, a part of bytes
}

// maxDepth limits wrappings within wrappings: a package's compressed image with
// the compressed kernel in it has two.
const maxDepth = 4

// search takes wrappings off. Its bounds hold for all that it tries together.
type search struct {
	left     int64 // bytes that may still be expanded
	attempts int   // streams that may still be expanded
	inMemory bool  // the whole file costs nothing
}

// open takes the wrappings off, once.
func (i *Image) open() (*content, error) {
	if i.opened != nil || i.err != nil {
		return i.opened, i.err
	}
	s := search{left: i.maxBytes, attempts: maxAttempts, inMemory: i.inMemory}
	i.opened, i.err = s.file(i.file)
	return i.opened, i.err
}

// file opens a file that may have to be read in parts.
func (s *search) file(f elffile.File) (*content, error) {
	b, err := f.Slices([]elffile.Range{{Size: min(headerBytes, f.Size())}})
	if err != nil {
		return nil, err
	}
	if elffile.Is(b[0]) {
		c, err := openELF(f)
		if err != nil || c.hasTypes() || c.kind == Module {
			return c, err
		}
	}
	if !s.inMemory {
		if f.Size() > s.left {
			return nil, tooLarge(s.left)
		}
		s.left -= f.Size()
	}
	if b, err = f.Slices([]elffile.Range{{Size: f.Size()}}); err != nil {
		return nil, err
	}
	return s.bytes(b[0], "", maxDepth)
}

// bytes opens b, which is whole, or is not known where it ends. arch is what a
// wrapping said.
func (s *search) bytes(b []byte, arch string, depth int) (*content, error) {
	if depth == 0 {
		return nil, errors.New("wrapped too often to be a kernel")
	}
	h := headerOf(b)
	if h.arch == "" {
		h.arch = arch
	}
	c := &content{kind: h.kind, arch: h.arch, what: h.what, file: elffile.Bytes(b), bytes: b}
	switch {
	case btf.IsBTF(b):
		c.kind, c.what, c.types = RawBTF, "raw BTF", withoutPadding(b)
		return c, nil
	case elffile.Is(b):
		e, err := openELF(c.file)
		if err != nil {
			return nil, err
		}
		e.bytes = b
		if e.arch == "" {
			e.arch = arch
		}
		if e.hasTypes() || e.kind == Module {
			return e, nil
		}
		c = e
	case h.payload != nil:
		inner, err := s.expanded(h.payload, h, depth)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.what, err)
		}
		return inner, nil
	case formatOf(b) != plain:
		h.payload, h.whole = b, true
		return s.expanded(b, h, depth)
	default:
		if c.types = scanBTF(b); c.types != nil {
			if c.kind == Unknown {
				c.kind, c.what = BootImage, "a kernel image"
			}
			return c, nil
		}
	}
	// A kernel greets with its version. What has none may be the wrapping of one
	// that is compressed somewhere in it.
	if h.wraps || findBanner(b) == "" {
		if inner := s.scan(b, h, depth); inner != nil {
			return inner, nil
		}
	} else if c.kind == Unknown {
		c.kind, c.what = BootImage, "a kernel image"
	}
	return c, nil
}

// expanded opens what a wrapping's payload expands to.
func (s *search) expanded(payload []byte, h header, depth int) (*content, error) {
	f := formatOf(payload)
	if f == plain {
		return nil, fmt.Errorf("payload starts with % x, which is no known compression", payload[:min(6, len(payload))])
	}
	b, err := expand(f, payload, s.left, h.whole)
	s.left -= int64(len(b)) // in vain too
	if err != nil {
		return nil, fmt.Errorf("%v: %w", f, err)
	}
	c, err := s.bytes(b, h.arch, depth-1)
	if err != nil {
		return nil, err
	}
	if h.kind != Unknown {
		c.kind = h.kind
		if c.what == "" {
			c.what = "what is compressed"
		}
		c.what += " in " + h.what
	} else if c.what != "" {
		c.what += fmt.Sprintf(" (%v)", f)
	}
	return c, nil
}

// openELF reads the section table.
func openELF(f elffile.File) (*content, error) {
	e, err := elffile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("ELF: %w", err)
	}
	c := &content{file: f, elf: e, kind: Vmlinux, arch: archOfELF(e), what: "an ELF file"}
	if e.Type == elf.ET_REL {
		c.kind, c.what = Module, "an ELF object"
		if e.Section(".modinfo") != nil {
			c.what = "a module"
		}
	}
	return c, nil
}

// section is the section of a name, nil if it is not there or has no contents in
// the file, as most have in files with debugging information alone.
func (c *content) section(name string) *elffile.Section {
	if c.elf == nil {
		return nil
	}
	if s := c.elf.Section(name); s != nil && s.Type != elf.SHT_NOBITS && s.Size > 0 {
		return s
	}
	return nil
}

func (c *content) hasTypes() bool {
	return c.types != nil || c.section(".BTF") != nil || c.hasDWARF()
}

func (c *content) hasDWARF() bool { return c.section(".debug_info") != nil }

// types gives the types of what was found.
func (i *Image) types(c *content, o Options) ([]byte, Origin, error) {
	if o.DWARF != OnlyDWARF {
		switch {
		case c.types != nil:
			types := bytes.Clone(c.types)
			return types, Own, checked(types, o.Base)
		case c.section(".BTF") != nil:
			types, err := c.own()
			if err != nil {
				return nil, 0, err
			}
			return types, Own, checked(types, o.Base)
		}
	}
	if c.hasDWARF() && o.DWARF != OnlyOwn {
		types, err := i.convert(c.file, o)
		if err != nil {
			return nil, 0, fmt.Errorf("DWARF: %w", err)
		}
		return types, FromDWARF, nil
	}
	return nil, 0, c.nothing(o.DWARF)
}

// own reads the section .BTF.
func (c *content) own() ([]byte, error) {
	if c.section(".BTF.base") != nil {
		return nil, fmt.Errorf("%w: the module's BTF stands on a base of its own (.BTF.base), not on vmlinux's; "+
			"take the one that the kernel has related, /sys/kernel/btf/NAME", btf.ErrFormat)
	}
	s := c.section(".BTF")
	b, err := c.elf.Read(s)
	if err != nil {
		return nil, fmt.Errorf("section .BTF: %w", err)
	}
	return bytes.Clone(b[0]), nil
}

// checked looks at the header and at where records start. Split BTF without its
// base has no more than a header that can be looked at.
func checked(types []byte, base *btf.BTF) error {
	n, split := extentBTF(types)
	var err error
	switch {
	case !split:
		_, err = btf.Parse(types)
	case base != nil:
		_, err = btf.ParseSplit(types, base)
	case n == 0:
		err = fmt.Errorf("%w: no sound header", btf.ErrFormat)
	}
	return err
}

// described says what the file is, or what it looks like.
func (c *content) described() string {
	if c.what != "" {
		return c.what
	}
	return fmt.Sprintf("the file starts with % x, which is no kernel, module or BTF that is known", c.bytes[:min(len(c.bytes), 8)])
}

// nothing says why there are no types, and what to do.
func (c *content) nothing(policy Policy) error {
	what := c.described()
	switch {
	case policy == OnlyDWARF && c.elf != nil && c.section(".BTF") != nil, policy == OnlyDWARF && c.types != nil:
		return fmt.Errorf("%w: %s has BTF, but no DWARF, which was asked for: take the file with its debugging information", btf.ErrNoBTF, what)
	case c.hasDWARF():
		return fmt.Errorf("%w: %s has DWARF alone, which was not to be used", btf.ErrNoBTF, what)
	case c.kind == Unknown:
		return fmt.Errorf("%w: %s", btf.ErrNoBTF, what)
	case c.elf != nil && c.elf.Section(".BTF") != nil:
		return fmt.Errorf("%w: %s has its debugging information elsewhere: take the file as it was before they were parted", btf.ErrNoBTF, what)
	}
	return fmt.Errorf("%w: %s has neither BTF nor DWARF: take the one with debugging information, from the debug package", btf.ErrNoBTF, what)
}
