package image

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/kernelpkg"
	"github.com/btfgen/btfgen/internal/memory"
)

// Kind is what a file is, with compression taken off.
type Kind uint8

// The kinds of files.
const (
	Unknown   Kind = iota
	RawBTF         // BTF and nothing else, as in /sys/kernel/btf
	Vmlinux        // an ELF file that is linked, as a kernel is
	Module         // an ELF file that is not linked, as a module is
	BootImage      // what a boot loader takes: a header or a decompressor, and the kernel
	Package        // a Debian or RPM package with such files in it
)

func (k Kind) String() string {
	return [...]string{"unknown file", "raw BTF", "ELF file", "module", "boot image", "package"}[k]
}

// Policy says whether types may be made from DWARF.
type Policy uint8

// What may give the types.
const (
	OwnOrDWARF Policy = iota // the file's own BTF, and DWARF if there is none
	OnlyDWARF                // DWARF, even where there is BTF
	OnlyOwn                  // BTF
)

// Origin says what gave the types.
type Origin uint8

// The origins of types.
const (
	Own       Origin = iota // the BTF of the file, as it is
	FromDWARF               // converted
)

func (o Origin) String() string { return [...]string{"BTF", "DWARF"}[o] }

// DefaultMaxBytes is the limit on what a file expands to, unless Options say
// another. The largest known, a kernel with its debugging information, has about
// 1 GB; one that is not compressed is mapped, and may be larger.
const DefaultMaxBytes = 1 << 30

// Options say how to get at types. The zero value is ready.
type Options struct {
	DWARF Policy
	// Functions has functions and variables converted too, not just types.
	Functions bool
	// NoEnum64 writes enums of 8 bytes in the way of older loaders.
	NoEnum64 bool
	// Base is the kernel's BTF, for modules. One that is converted needs it for
	// split BTF; one that has BTF is checked against it.
	Base *btf.BTF
	// Alternate gives the file that a dwz'd file shares parts of its DWARF with:
	// by the name and the build id that the file says. Nil looks for it where
	// debuggers do, if the image was opened by path.
	Alternate func(name string, buildID []byte) ([]byte, error)
}

// ErrNoBanner is in the chain of errors for an image that says no version.
var ErrNoBanner = errors.New("no version banner")

// An Image is one file that may give a kernel's or a module's types. It is not
// safe for concurrent use.
type Image struct {
	name     string
	path     string // if opened by path
	file     elffile.File
	maxBytes int64
	workers  int
	mapped   []byte // file's, if it is mapped
	inMemory bool   // the whole of file costs nothing
	info     os.FileInfo

	opened *content // see open
	err    error
	pkg    *kernelpkg.Package // see openPackage
	pkgErr error
}

// Option is an option of Open and New.
type Option func(*Image)

// Workers limits the goroutines that expand and convert; 0 is one a processor.
func Workers(n int) Option { return func(i *Image) { i.workers = n } }

// MaxBytes limits what is expanded of an image in bytes, all attempts together.
func MaxBytes(n int64) Option {
	// On 32 bits there is no more than half of that.
	return func(i *Image) { i.maxBytes = min(max(n, 0), math.MaxInt/2) }
}

// Open opens a file. A regular one is mapped where the system can: who shortens
// it meanwhile makes BTF and Banner fail. Nothing is expanded yet. Errors name
// the file.
func Open(path string, opts ...Option) (*Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: a folder, expected a file", path)
	}
	i := &Image{name: path, path: path, info: info, inMemory: true, maxBytes: DefaultMaxBytes}
	for _, opt := range opts {
		opt(i)
	}
	// Raw BTF is read: in /sys, where it is found, sizes are not to be relied on.
	if info.Mode().IsRegular() && info.Size() >= mapFrom {
		var magic [2]byte
		if _, err := f.ReadAt(magic[:], 0); err != nil {
			return nil, err
		}
		if !btf.IsBTF(magic[:]) {
			if b, err := memory.MapFile(f, info.Size()); err == nil {
				i.mapped, i.file = b, elffile.Bytes(b)
			}
		}
	}
	if i.file == nil {
		b, err := readAll(f, min(max(info.Size(), 0), i.maxBytes), i.maxBytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		i.file = elffile.Bytes(b)
	}
	if i.file.Size() == 0 {
		return nil, fmt.Errorf("%s: empty file, expected a kernel, a module or BTF", path)
	}
	return i, nil
}

// New makes an image of what is in memory; name is for errors, if not empty. It keeps content,
// which must not change while the image is in use.
func New(name string, content []byte, opts ...Option) *Image {
	i := newImage(name, elffile.Bytes(content), opts...)
	i.inMemory = true
	return i
}

// newImage makes an image of a file that gives its parts, such as a package's
// member. Only an ELF file is read in parts.
func newImage(name string, file elffile.File, opts ...Option) *Image {
	i := &Image{name: name, file: file, maxBytes: DefaultMaxBytes}
	for _, opt := range opts {
		opt(i)
	}
	return i
}

// Name is the name that the image was opened by.
func (i *Image) Name() string { return i.name }

// Close lets go of the file.
func (i *Image) Close() error {
	if i.pkg != nil {
		i.pkg.Close()
	}
	if i.mapped != nil {
		memory.UnmapFile(i.mapped)
	}
	*i = Image{name: i.name, err: os.ErrClosed}
	return nil
}

// Kind tells what the image is. To tell that of a compressed file, and of one
// that has no header, it is expanded; it is Unknown if it cannot be.
func (i *Image) Kind() Kind {
	kind := Unknown
	_ = i.guard(func() error {
		start, err := i.start()
		if err != nil {
			return err
		}
		if kernelpkg.Is(start) {
			kind = Package
			return nil
		}
		if kind = kindOf(start); kind != Unknown {
			return nil
		}
		c, err := i.open()
		if err == nil {
			kind = c.kind
		}
		return err
	})
	return kind
}

// Has reports whether the image, which is no package, has types of an origin.
func (i *Image) Has(origin Origin) bool {
	has := false
	_ = i.guard(func() error {
		c, err := i.open()
		if err != nil {
			return err
		}
		switch origin {
		case Own:
			has = c.types != nil || c.section(".BTF") != nil
		case FromDWARF:
			has = c.hasDWARF()
		}
		return nil
	})
	return has
}

// Arch is the architecture in the words of kernel packages: x86_64, x86, arm64,
// arm, s390x, ppc64le, riscv64, …. It is "" if the file does not say; raw BTF
// does not.
func (i *Image) Arch() string {
	arch := ""
	_ = i.guard(func() error {
		start, err := i.start()
		if err != nil {
			return err
		}
		if arch = archOf(start); arch != "" {
			return nil
		}
		c, err := i.open()
		if err == nil {
			arch = c.arch
		}
		return err
	})
	return arch
}

// start is the start of the file, as far as headers need it.
func (i *Image) start() ([]byte, error) {
	if i.file == nil {
		return nil, i.err
	}
	b, err := i.file.Slices([]elffile.Range{{Size: min(headerBytes, i.file.Size())}})
	if err != nil {
		return nil, err
	}
	return b[0], nil
}

// BTF returns the types, and where they are from; those of a package are its
// kernel's. The slice is the caller's. A module's BTF is split: its ids and
// strings go on where the kernel's end.
//
// Errors name the image. They wrap btf.ErrNoBTF if there is nothing that could
// give types, and btf.ErrFormat if what there is is malformed.
func (i *Image) BTF(o Options) ([]byte, Origin, error) {
	var types []byte
	var origin Origin
	err := i.guard(func() (err error) {
		if i.Kind() == Package {
			types, origin, err = i.packagedBTF(o)
			return err
		}
		c, err := i.open()
		if err != nil {
			return err
		}
		types, origin, err = i.types(c, o)
		return err
	})
	if err != nil {
		return nil, 0, i.named(err)
	}
	return types, origin, nil
}

// Banner returns the line that the kernel greets with: "Linux version RELEASE
// (builder) (compiler) #N …". It is looked for where it costs the least. Errors
// name the image and wrap ErrNoBanner if it has none, as raw BTF and modules.
func (i *Image) Banner() (string, error) {
	var banner string
	err := i.guard(func() (err error) {
		banner, err = i.banner()
		return err
	})
	if err != nil {
		return "", i.named(err)
	}
	return banner, nil
}

// Modinfo is what a module says about itself.
type Modinfo struct {
	Name string // "" in modules from before 4.12
	// Vermagic begins with the release of the module's kernel.
	Vermagic string
}

// Modinfo returns what a module says about itself. Errors name the image.
func (i *Image) Modinfo() (Modinfo, error) {
	var m Modinfo
	err := i.guard(func() error {
		c, err := i.open()
		if err != nil {
			return err
		}
		m, err = c.modinfo()
		return err
	})
	if err != nil {
		return Modinfo{}, i.named(err)
	}
	return m, nil
}

func (i *Image) named(err error) error {
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) && pathErr.Path == i.path {
		return err
	}
	if i.name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", i.name, err)
}

// ErrChanged says that a file was changed while it was being read.
var ErrChanged = errors.New("changed while it was being read")

// guard calls f, which uses the file. A mapped file that is cut short panics;
// that becomes an error, any other panic goes on.
func (i *Image) guard(f func() error) (err error) {
	if i.mapped == nil {
		return f()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if _, ok := p.(runtime.Error); ok && i.changed() {
			err = ErrChanged
			return
		}
		panic(p)
	}()
	return f()
}

func (i *Image) changed() bool {
	info, err := os.Stat(i.path)
	return err != nil || info.Size() != i.info.Size() || !info.ModTime().Equal(i.info.ModTime())
}

// mapFrom is the size from which a file is mapped, in bytes. A smaller one is
// copied, which is as cheap.
const mapFrom = 1 << 20

// readAll reads r to its end, limit bytes at most; hint is the size that it seems
// to have. With an error it returns what was read until then.
func readAll(r io.Reader, hint, limit int64) ([]byte, error) {
	b := make([]byte, 0, hint+1)
	for {
		if len(b) == cap(b) {
			if int64(len(b)) > limit {
				return b, tooLarge(limit)
			}
			larger := make([]byte, len(b), min(2*int64(len(b)), limit)+1)
			copy(larger, b)
			b = larger
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			err = nil
			if int64(len(b)) > limit {
				err = tooLarge(limit)
			}
			return b, err
		}
		if err != nil {
			return b, err
		}
	}
}

func tooLarge(limit int64) error {
	return fmt.Errorf("more than %d bytes, the limit", limit)
}
