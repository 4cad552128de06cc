package seriesstore

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelseries"
)

// Options say which kernels are made.
type Options struct {
	Kernels int
	Seed    uint64 // the same one makes the same kernels

	// Each, if set, gets every kernel with its number from 0, in no order and from
	// several goroutines.
	Each func(number int, k kernelseries.Kernel) error
	// Progress, if set, is told how many kernels are in the store.
	Progress func(done int)
}

// Make writes a compacted store of made kernels, for which those of source are the
// bases, to the path out, which is taken when the store is whole. Meanwhile its
// layers are in out.layers; what a killed Make has left there is discarded.
func Make(out string, source hub.Source, o Options) error {
	bases, err := bases(source)
	if err != nil {
		return err
	}
	layers := out + ".layers"
	if old, err := store.Append(layers); err == nil {
		if err := old.Discard(); err != nil {
			return err
		}
	} else if errors.Is(err, store.ErrLocked) {
		return err
	} else if !errors.Is(err, fs.ErrNotExist) {
		if err := os.Remove(layers); err != nil {
			return err
		}
	}
	w, err := store.Create(layers)
	if err != nil {
		return err
	}
	if err := o.fill(w, bases); err != nil {
		return errors.Join(err, w.Discard())
	}
	if err := w.Commit(); err != nil {
		return errors.Join(err, w.Discard())
	}
	return errors.Join(w.Compact(out), w.Discard())
}

func bases(source hub.Source) ([]kernelseries.Base, error) {
	kernels, _, err := source.Kernels()
	if err != nil {
		return nil, err
	}
	var bases []kernelseries.Base
	for _, k := range kernels {
		bases = append(bases, kernelseries.Base{Path: k.Name, Load: func() ([]byte, error) {
			types, err := k.Load(hub.NewReader())
			return types.Vmlinux, err
		}})
	}
	return bases, nil
}

// layerKernels is how many kernels are kept in memory until they are written.
const layerKernels = 250

// fill adds the kernels in their order; they are taken apart on all processors.
func (o *Options) fill(w *store.Writer, bases []kernelseries.Base) error {
	type job struct {
		types *store.Types
		err   error
	}
	jobs := make(chan chan job, runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	stop := make(chan struct{})
	wait.Go(func() {
		defer close(jobs)
		n := 0
		for k, err := range kernelseries.Make(bases, o.Kernels, o.Seed) {
			done, number := make(chan job, 1), n
			n++
			select {
			case jobs <- done:
			case <-stop:
				return
			}
			wait.Go(func() {
				if err == nil && o.Each != nil {
					err = o.Each(number, k)
				}
				if err != nil {
					done <- job{err: err}
					return
				}
				types, err := store.Analyse(k.Path, k.BTF)
				done <- job{types, err}
			})
		}
	})
	n := 0
	var failed error
	for done := range jobs {
		j := <-done
		if failed = j.err; failed == nil {
			failed = w.Add(j.types)
		}
		if failed == nil && (n+1)%layerKernels == 0 {
			failed = w.Commit()
		}
		if failed != nil {
			close(stop)
			break
		}
		if n++; o.Progress != nil {
			o.Progress(n)
		}
	}
	for range jobs { // let the maker end
	}
	wait.Wait()
	return failed
}
