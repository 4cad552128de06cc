// Makestore writes a kernel store of made-up kernels, for benchmarks:
//
//	go run ./internal/kernelseries/makestore -hub TREE -kernels 5000 -out FILE [-tree DIR -every 50]
//
// With -tree every so many-th of them is also written as an archive tree, to compare with.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelseries"
	"github.com/btfgen/btfgen/internal/kernelseries/seriesstore"
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
	if o.hub == "" || o.out == "" || o.kernels < 1 || o.every < 1 || flag.NArg() > 0 {
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
	if _, err := os.Lstat(o.out); err == nil {
		return fmt.Errorf("%s is there already", o.out)
	}
	source, err := hub.Open(o.hub)
	if err != nil {
		return err
	}
	return seriesstore.Make(o.out, source, seriesstore.Options{
		Kernels: o.kernels, Seed: o.seed, Each: o.each,
		Progress: func(done int) {
			if done%100 == 0 {
				fmt.Fprintf(os.Stderr, "%d kernels\n", done)
			}
		},
	})
}

// each writes a kernel to the tree if it is one of those.
func (o *options) each(number int, k kernelseries.Kernel) error {
	if o.tree == "" || number%o.every != 0 {
		return nil
	}
	file := filepath.Join(o.tree, filepath.FromSlash(k.Path)+".btf")
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, k.BTF, 0o666)
}
