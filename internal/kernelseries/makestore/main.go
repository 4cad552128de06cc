// Makestore writes a kernel store of made-up kernels, for benchmarks:
//
//	go run ./internal/kernelseries/makestore -hub TREE -kernels 5000 -out FILE [-tree DIR -every 50]
//
// With -tree every so many-th of them is also written as an archive tree, to compare with.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelseries"
)

func main() {
	var o options
	flag.StringVar(&o.hub, "hub", "", "archive tree of real kernels to make others of")
	flag.IntVar(&o.kernels, "kernels", 5000, "how many")
	flag.Uint64Var(&o.seed, "seed", 1, "seed: the same one makes the same kernels")
	flag.StringVar(&o.out, "out", "", "the store to write; it must not be there")
	flag.StringVar(&o.tree, "tree", "", "folder to write some of the kernels to, as raw BTF")
	flag.IntVar(&o.every, "every", 50, "which kernels go to -tree: every so many-th")
	flag.Parse()
	if o.hub == "" || o.out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "makestore:", err)
		os.Exit(1)
	}
}

type options struct {
	hub, out, tree string
	kernels, every int
	seed           uint64
}

func (o *options) run() error {
	bases, err := o.bases()
	if err != nil {
		return err
	}
	layers := o.out + ".layers"
	w, err := store.Create(layers)
	if err != nil {
		return err
	}
	defer os.Remove(layers)
	err = errors.Join(o.fill(w, bases), w.Commit())
	if err == nil {
		err = w.Compact(o.out)
	}
	return errors.Join(err, w.Close())
}

func (o *options) bases() ([]kernelseries.Base, error) {
	source, err := hub.Open(o.hub)
	if err != nil {
		return nil, err
	}
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

// fill adds the kernels in their order; they are taken apart on all processors.
func (o *options) fill(w *store.Writer, bases []kernelseries.Base) error {
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
		for k, err := range kernelseries.Make(bases, o.kernels, o.seed) {
			done := make(chan job, 1)
			write := o.tree != "" && n%o.every == 0
			n++
			select {
			case jobs <- done:
			case <-stop:
				return
			}
			wait.Go(func() {
				if err == nil && write {
					err = o.write(k)
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
		if failed != nil {
			close(stop)
			break
		}
		if n++; n%100 == 0 {
			fmt.Fprintf(os.Stderr, "%d kernels\n", n)
		}
	}
	for range jobs { // let the maker end
	}
	wait.Wait()
	return failed
}

func (o *options) write(k kernelseries.Kernel) error {
	file := filepath.Join(o.tree, filepath.FromSlash(k.Path)+".btf")
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, k.BTF, 0o666)
}
