package image

import (
	"errors"
	"io/fs"

	"github.com/btfgen/btfgen/internal/kernelpkg"
	"github.com/btfgen/btfgen/kernel"
)

// Signs is what the image says of whose kernel it is, gathered without expanding
// more than it takes. All of it may be empty: raw BTF, for one, says nothing.
// Errors name the image.
func (i *Image) Signs() (kernel.Signs, error) {
	var signs kernel.Signs
	err := i.guard(func() (err error) {
		if i.Kind() == Package {
			signs, err = i.packagedSigns()
			return err
		}
		signs.Arch = i.Arch()
		if signs.Banner, err = i.banner(); errors.Is(err, ErrNoBanner) {
			return nil
		}
		return err
	})
	if err != nil {
		return kernel.Signs{}, i.named(err)
	}
	return signs, nil
}

// packagedSigns takes the release from the kernel's path in the package, which
// is where modules look for it.
func (i *Image) packagedSigns() (kernel.Signs, error) {
	p, err := i.openPackage()
	if err != nil {
		return kernel.Signs{}, err
	}
	info := p.Info()
	signs := kernel.Signs{
		Arch: info.Arch,
		Package: kernel.PackageSigns{
			Version:      info.Version,
			Vendor:       info.Vendor + "\n" + info.Maintainer,
			Distribution: info.Distribution,
		},
	}
	if info.Release != "" {
		signs.Package.Version += "-" + info.Release
	}
	for k, err := range p.KernelFiles() {
		if err != nil {
			return kernel.Signs{}, err
		}
		if k.Kind == kernelpkg.Alternate {
			continue
		}
		signs.Release = k.Release
		m, err := i.member(p, k.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to what another package has
		}
		if err != nil {
			return kernel.Signs{}, err
		}
		// A package for amd64 may hold a kernel for i386; the file knows.
		if arch := m.Arch(); arch != "" {
			signs.Arch = arch
		}
		break
	}
	return signs, nil
}
