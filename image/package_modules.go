package image

import (
	"context"
	"fmt"

	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/kernelpkg"
)

// ModuleTypes is what a module of a package gives.
type ModuleTypes struct {
	Name   string // as the kernel has it
	BTF    []byte // split BTF on the kernel's; the receiver's
	Origin Origin
	// Err says why there is no BTF: it wraps btf.ErrNoBTF if there is nothing in the
	// module that could give types.
	Err error
}

// Modules calls f with each module of the package that the image is, in the
// archive's order, from one goroutine. The modules are those of the package's
// first kernel. Options.Base is needed for those whose types have to be
// converted. It stops with f's first error, and returns it as it is. An image of
// another kind is an error.
func (i *Image) Modules(ctx context.Context, o Options, f func(ModuleTypes) error) error {
	var stopped error
	err := i.guard(func() error {
		if kind := i.Kind(); kind != Package {
			return fmt.Errorf("%v, expected a package of a kernel and its modules", kind)
		}
		return i.modules(ctx, i.withAlternate(o), func(m ModuleTypes) error {
			stopped = f(m)
			return stopped
		})
	})
	if stopped != nil {
		return stopped
	}
	if err != nil {
		return i.named(err)
	}
	return nil
}

// modules reads one module after another, since the archive is a stream, and has
// workers get at the types of those that are read.
func (i *Image) modules(ctx context.Context, o Options, f func(ModuleTypes) error) error {
	workers := i.atOnce()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// A module's place in the queue is taken when it is read, so results come in
	// order. The queue is what bounds memory.
	queue := make(chan chan ModuleTypes, workers)
	slots := make(chan struct{}, workers)
	var readErr error
	go func() {
		defer close(queue)
		readErr = i.guard(func() error {
			return i.eachModule(func(name string, content []byte) error {
				result := make(chan ModuleTypes, 1)
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
				select {
				case queue <- result:
				case <-ctx.Done():
					return ctx.Err()
				}
				go func() {
					m := ModuleTypes{Name: name}
					// Content is a part of the file where the archive is not compressed.
					m.Err = i.guard(func() (err error) {
						m.BTF, m.Origin, err = New(name, content, MaxBytes(i.maxBytes), Workers(1)).BTF(o)
						return err
					})
					result <- m
					<-slots
				}()
				return nil
			})
		})
	}()
	var err error
	done := make(map[string]bool)
	for result := range queue {
		m := <-result
		if err != nil || done[m.Name] {
			continue // the reader is on its way out, or two files are of one module
		}
		done[m.Name] = m.Err == nil
		if err = f(m); err != nil {
			cancel()
		}
	}
	if err == nil {
		err = readErr
	}
	return err
}

// eachModule reads the modules of the package's first kernel.
func (i *Image) eachModule(f func(name string, content []byte) error) error {
	p, err := i.openPackage()
	if err != nil {
		return err
	}
	release := ""
	for k, err := range p.KernelFiles() {
		if err != nil {
			return err
		}
		if k.Kind == kernelpkg.Alternate || release != "" && k.Release != release {
			continue
		}
		release = k.Release
		if k.Kind != kernelpkg.Module {
			continue
		}
		if k.Size > i.maxBytes {
			return fmt.Errorf("%s: %w", k.Path, tooLarge(i.maxBytes))
		}
		file, err := p.File(k.Path)
		if err != nil {
			return err
		}
		b, err := file.Slices([]elffile.Range{{Size: file.Size()}})
		if err != nil {
			return fmt.Errorf("%s: %w", k.Path, err)
		}
		if err := f(k.Module, b[0]); err != nil {
			return err
		}
	}
	return nil
}
