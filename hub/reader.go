package hub

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/memory"
	"github.com/btfgen/btfgen/internal/xz"
)

// DefaultMaxBytes is the limit on one file's size in bytes, packed and
// expanded, unless MaxBytes says another. The largest BTF known, 27 MB, is an
// undeduplicated one; vmlinux files with debugging information are larger.
const DefaultMaxBytes = 512 << 20

// Types is the BTF of a kernel and of its modules, each with its magic checked
// and nothing else. The slices belong to the Reader that loaded them: they are
// valid until its next Load, and must not be written to.
type Types struct {
	Vmlinux []byte
	Modules []Module // in the order of Kernel.Modules
}

// Module is the BTF of one module: split BTF on its kernel's.
type Module struct {
	Name string
	BTF  []byte
}

// Reader holds a worker's decoders and buffers. It keeps the memory of the
// largest kernel that it loaded, about the expanded and the packed size. It is
// not safe for concurrent use.
type Reader struct {
	maxBytes int64
	mapping  bool      // see MapFiles
	mapped   []mapping // by the last Load

	packed  buffer   // a packed file as it is on disk
	types   []buffer // expanded: the kernel's own, then one a module
	modules []Module
	vmlinux []byte // the kernel's types, while its modules are loaded

	xz   xz.Decoder
	gzip *gzip.Reader
	zstd *zstd.Decoder
}

// ReaderOption is an option of NewReader.
type ReaderOption func(*Reader)

// MaxBytes limits the size of one file in bytes, packed and expanded: what is
// larger is an error, and no more memory than that is taken for it.
func MaxBytes(n int64) ReaderOption { return func(r *Reader) { r.maxBytes = n } }

// NewReader makes a Reader. Decoders and buffers are made when first needed.
func NewReader(opts ...ReaderOption) *Reader {
	r := &Reader{maxBytes: DefaultMaxBytes}
	for _, opt := range opts {
		opt(r)
	}
	return r
}

// Load reads the kernel's BTF and that of its modules. Errors name the file.
// The types are valid until r's next Load.
func (k *Kernel) Load(r *Reader) (Types, error) {
	r.unmap()
	for len(r.types) < 1+len(k.modules) {
		r.types = append(r.types, buffer{})
	}
	if k.store != nil {
		return k.loadStored(r)
	}
	if k.member != nil {
		types, err := r.unpack(filepath.Base(k.Path), k.member.content, packingOf(k.member.content), treeFile, &r.types[0])
		if err != nil {
			return Types{}, fmt.Errorf("%s: %w", k.Path, err)
		}
		return Types{Vmlinux: types}, nil
	}
	vmlinux, err := r.load(k.Path, k.kind, &r.types[0])
	if err != nil {
		return Types{}, err
	}
	r.modules = r.modules[:0]
	r.vmlinux = vmlinux
	defer func() { r.vmlinux = nil }()
	ofModules := treeFile
	if k.kind != treeFile {
		ofModules = moduleFile
	}
	for i, m := range k.modules {
		types, err := r.load(m.path, ofModules, &r.types[1+i])
		if err != nil {
			return Types{}, err
		}
		r.modules = append(r.modules, Module{m.name, types})
	}
	return Types{vmlinux, r.modules}, nil
}

// load reads one file into buf. The result is a part of it, save for a
// compressed section of an ELF file.
func (r *Reader) load(path string, kind fileKind, buf *buffer) ([]byte, error) {
	if kind == imageFile {
		return r.loadImage(path)
	}
	types, err := r.loadBTF(path, kind, buf)
	if err != nil {
		// Errors of package os name the file themselves.
		if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return types, nil
}

func (r *Reader) loadBTF(path string, kind fileKind, buf *buffer) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// A file that is not packed belongs into buf, the other one into
	// r.packed: its first bytes decide.
	var magic [8]byte
	n, err := io.ReadFull(file, magic[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	format := packingOf(magic[:n])
	into := buf
	if format != unpacked {
		into = &r.packed
	}
	content, err := r.readAll(file, magic[:n], format, into)
	if err != nil {
		return nil, err
	}
	return r.unpack(filepath.Base(path), content, format, kind, buf)
}

// readAll reads what is left of file after start into buf, with start before
// it, or maps it.
func (r *Reader) readAll(file *os.File, start []byte, format packing, buf *buffer) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular() || size == 0: // a pipe, a file of /proc
		buf.grow(len(start) + 64<<10)
		return buf.readAll(file, copy(buf.b, start), r.maxBytes)
	case size > r.maxBytes:
		return nil, tooLarge(r.maxBytes)
	}
	if r.mapping && format == unpacked {
		if b, ok := r.mapFile(file, info); ok {
			return b, nil
		}
	}
	return buf.readSized(file, start, int(size))
}

// unpack makes BTF of a file's content; base is the file's name, for what its
// extensions promise. content is in buf or, if packed, in r.packed.
func (r *Reader) unpack(base string, content []byte, format packing, kind fileKind, buf *buffer) ([]byte, error) {
	if len(content) == 0 {
		return nil, errors.New("empty file")
	}
	promised, tar := promises(base)
	if format == unpacked && promised != unpacked && !btf.IsBTF(content) {
		return nil, fmt.Errorf("not %s: starts with % x", promised, content[:min(len(content), 6)])
	}
	var err error
	if format != unpacked {
		if content, err = r.expand(content, format, buf); err != nil {
			return nil, fmt.Errorf("%s: %w", format, err)
		}
	}
	if !btf.IsBTF(content) && (tar || isTar(content)) {
		if content, err = tarBTF(content); err != nil {
			return nil, fmt.Errorf("tar: %w", err)
		}
	}
	if kind != treeFile && !btf.IsBTF(content) && len(content) > 0 {
		if isELF(content) {
			types, err := btf.FindELF(content)
			if !errors.Is(err, btf.ErrNoBTF) {
				return types, err
			}
		}
		if _, named := btfName(base); !named || isELF(content) {
			return r.converted(content, kind)
		}
	}
	switch {
	case len(content) == 0:
		return nil, errors.New("not BTF: empty")
	case !btf.IsBTF(content):
		return nil, fmt.Errorf("not BTF: starts with % x, not with 9f eb or eb 9f", content[:min(len(content), 4)])
	}
	return content, nil
}

func isELF(b []byte) bool { return len(b) >= 4 && string(b[:4]) == "\x7fELF" }

// buffer is memory that is used again from file to file.
type buffer struct{ b []byte }

// grow returns n bytes of the buffer. Their contents are arbitrary, what was in
// the buffer is lost.
func (b *buffer) grow(n int) []byte {
	if cap(b.b) < n {
		b.b = nil // so that the collector may have it before the new one is there
		// Kernels of a distribution grow a little with each release: some
		// room, and not every one of them takes a new buffer.
		b.b = make([]byte, n+n/16)
		memory.AdviseHugePages(b.b)
	}
	b.b = b.b[:n]
	return b.b
}

// readAll appends what in yields to the first n bytes of b and returns the
// whole, which may have max bytes at most.
func (b *buffer) readAll(in io.Reader, n int, max int64) ([]byte, error) {
	for {
		if n == len(b.b) {
			if int64(n) > max {
				return nil, tooLarge(max)
			}
			larger := make([]byte, min(2*int64(n), max)+1)
			copy(larger, b.b)
			b.b = larger
		}
		m, err := in.Read(b.b[n:])
		n += m
		if err == io.EOF {
			if int64(n) > max {
				return nil, tooLarge(max)
			}
			return b.b[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// readSized reads what is left of a file of the given size after start. It must
// have that size: one that is being written to is an error and not half a
// kernel.
func (b *buffer) readSized(in io.Reader, start []byte, size int) ([]byte, error) {
	content := b.grow(size + 1) // one byte more finds out whether there is more
	n := copy(content, start)
	for {
		m, err := in.Read(content[n:])
		n += m
		switch {
		case n > size:
			return nil, fmt.Errorf("grew past its %d bytes while being read", size)
		case err == io.EOF && n < size:
			return nil, fmt.Errorf("shrank from %d to %d bytes while being read", size, n)
		case err == io.EOF:
			return content[:n], nil
		case err != nil:
			return nil, err
		}
	}
}

func tooLarge(max int64) error { return fmt.Errorf("larger than the limit of %d bytes", max) }
