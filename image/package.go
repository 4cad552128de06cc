package image

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/kernelpkg"
)

// In a package, the first kernel is the one that counts: packages of kernels hold
// one. Its files are tried in the archive's order, in which a kernel comes before
// its modules, so that no more of the archive is expanded than its start.

// ErrNoKernel is in the chain of errors for a package that has no kernel. It may
// have modules.
var ErrNoKernel = errors.New("no kernel in the package")

// openPackage opens the package that the image is, once.
func (i *Image) openPackage() (*kernelpkg.Package, error) {
	if i.pkg != nil || i.pkgErr != nil {
		return i.pkg, i.pkgErr
	}
	b, err := i.file.Slices([]elffile.Range{{Size: i.file.Size()}})
	if err != nil {
		return nil, err
	}
	i.pkg, i.pkgErr = kernelpkg.Open(b[0], kernelpkg.Options{Workers: i.atOnce()})
	return i.pkg, i.pkgErr
}

// member is a file of the package as an image of its own.
func (i *Image) member(p *kernelpkg.Package, name string) (*Image, error) {
	f, err := p.File(name)
	if err != nil {
		return nil, err
	}
	return newImage(name, f, MaxBytes(i.maxBytes), Workers(i.workers)), nil
}

// atOnce is how many goroutines there may be.
func (i *Image) atOnce() int {
	if i.workers > 0 {
		return i.workers
	}
	return runtime.GOMAXPROCS(0)
}

// packagedBTF is BTF for a package. Of a kernel's files the first that gives types
// counts.
func (i *Image) packagedBTF(o Options) (types []byte, origin Origin, err error) {
	o = i.withAlternate(o)
	p, err := i.openPackage()
	if err != nil {
		return nil, 0, err
	}
	var first error
	release := ""
	for k, err := range p.KernelFiles() {
		if err != nil {
			return nil, 0, err
		}
		if k.Kind != kernelpkg.Kernel || release != "" && k.Release != release {
			continue
		}
		release = k.Release
		m, err := i.member(p, k.Path)
		if err == nil {
			types, origin, err = m.BTF(o)
		}
		if err == nil || !errors.Is(err, btf.ErrNoBTF) && !errors.Is(err, fs.ErrNotExist) {
			return types, origin, err
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		info := p.Info()
		first = fmt.Errorf("%w %s %s: expected vmlinux or vmlinuz in boot, lib/modules or usr/lib/debug", ErrNoKernel, info.Name, info.Version)
	}
	return nil, 0, first
}

// withAlternate has files that dwz made looked for in the package.
func (i *Image) withAlternate(o Options) Options {
	if o.Alternate != nil {
		return o
	}
	o.Alternate = func(name string, _ []byte) ([]byte, error) {
		p, err := i.openPackage()
		if err != nil {
			return nil, err
		}
		for k, err := range p.KernelFiles() {
			if err != nil {
				return nil, err
			}
			if k.Kind == kernelpkg.Alternate && path.Base(k.Path) == path.Base(name) {
				f, err := p.File(k.Path)
				if err != nil {
					return nil, err
				}
				b, err := f.Slices([]elffile.Range{{Size: f.Size()}})
				if err != nil {
					return nil, err
				}
				return b[0], nil
			}
		}
		return nil, fmt.Errorf("%s, which shares debugging information with others: %w in the package", name, fs.ErrNotExist)
	}
	return o
}
