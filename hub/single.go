package hub

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/image"
)

// single is a file that is one kernel.
type single struct{ kernel *Kernel }

func (s single) Kernels() ([]*Kernel, []Problem, error) { return []*Kernel{s.kernel}, nil, nil }

// openSingle makes a source of a file. Only as much is read as tells what it is
// and, if it is an image, whose; what is wrong with it Load finds.
func openSingle(path string, modules []string) (Source, error) {
	kernel := &Kernel{Name: SingleName(path), Path: path, kind: kernelFile}
	if name, ok := imageName(path); ok {
		kernel.kind = imageFile
		if name != "" {
			kernel.Name = name
		}
	}
	for _, file := range modules {
		kernel.modules = append(kernel.modules, module{SingleName(file), file})
	}
	var err error
	kernel.modules = firstModules(kernel.modules, func(left, kept module) {
		err = fmt.Errorf("module %s is given twice: %s and %s", kept.name, kept.path, left.path)
	})
	if err != nil {
		return nil, err
	}
	return single{kernel}, nil
}

// imageName reports whether a file is an image or a package that types have to be
// got out of, by package image, and the kernel's name if it tells whose it is. BTF,
// and files that hold nothing else, are not: plain or packed BTF, and an ELF file with a section
// .BTF, unless it has debugging information too.
func imageName(path string) (name string, ok bool) {
	if !mayBeImage(path) {
		return "", false
	}
	img, err := image.Open(path)
	if err != nil {
		return "", false
	}
	defer img.Close()
	switch img.Kind() {
	case image.Package, image.BootImage:
	case image.Vmlinux:
		if !img.Has(image.FromDWARF) {
			return "", false
		}
	default:
		return "", false
	}
	signs, err := img.Signs()
	if err != nil {
		return "", true
	}
	return signs.Identify().Path(), true
}

// mayBeImage reports whether a file begins otherwise than BTF, packed or not.
func mayBeImage(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false // what a pipe gives is gone
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var start [8]byte
	if _, err := io.ReadFull(f, start[:]); err != nil {
		return false
	}
	return !btf.IsBTF(start[:]) && packingOf(start[:]) == unpacked
}

// SingleName is the name of the kernel in a single file that does not tell whose
// it is: the file's base name without extensions.
func SingleName(path string) string { return stem(filepath.Base(path)) }

// loadImage gets the types out of an image.
func (r *Reader) loadImage(path string) ([]byte, error) {
	img, err := image.Open(path, image.MaxBytes(r.maxBytes))
	if err != nil {
		return nil, err
	}
	defer img.Close()
	types, _, err := img.BTF(image.Options{})
	return types, err
}

// converted is what the types of a file in memory convert to that has none as
// they are: a kernel or a module, with its wrappings taken off.
func (r *Reader) converted(content []byte, kind fileKind) ([]byte, error) {
	var o image.Options
	if kind == moduleFile {
		var err error
		if o.Base, err = btf.Parse(r.vmlinux); err != nil {
			return nil, fmt.Errorf("the kernel of the module: %w", err)
		}
	}
	types, _, err := image.New("", content, image.MaxBytes(r.maxBytes)).BTF(o)
	return types, err
}
