package btfgen_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/kernels"
)

// One minimal BTF for every kernel of a set.
func Example() {
	gen, err := btfgen.Open("testdata/example/execsnoop.bpfel.o", "testdata/example/execsnoop.bpfeb.o")
	if err != nil {
		log.Fatal(err)
	}
	builtIn, err := kernels.Source() // or hub.Open("btfhub-archive")
	if err != nil {
		log.Fatal(err)
	}
	debian, err := hub.NewFilter([]string{"debian/11/x86_64/*", "debian/12/s390x/*"})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "minimized")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tree, err := btfgen.NewTree(dir)
	if err != nil {
		log.Fatal(err)
	}
	summary, err := gen.Generate(context.Background(), hub.Filtered(builtIn, debian), btfgen.Options{}, tree.Add)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(summary.Generated, "kernels,", len(summary.Failures), "failures")

	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*.btf"))
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range files {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(filepath.ToSlash(rel))
	}
	// Output:
	// 5 kernels, 0 failures
	// debian/11/x86_64/5.10.0-30-amd64.btf
	// debian/11/x86_64/5.10.0-32-amd64.btf
	// debian/11/x86_64/5.10.0-32-cloud-amd64.btf
	// debian/11/x86_64/5.10.0-32-rt-amd64.btf
	// debian/12/s390x/6.12.95+deb12-s390x.btf
}

// One kernel whose BTF is in memory, as read from /sys/kernel/btf/vmlinux.
func ExampleGenerator_Minimize() {
	gen, err := btfgen.Open("testdata/example/execsnoop.bpfel.o")
	if err != nil {
		log.Fatal(err)
	}
	minimal, err := gen.Minimize(vmlinux())
	if err != nil {
		log.Fatal(err)
	}
	types, err := btf.Parse(minimal)
	if err != nil {
		log.Fatal(err)
	}
	for id := types.Start(); id < types.End(); id++ {
		if types.Name(id) == "task_struct" {
			fmt.Println(types.Kind(id), types.Name(id), "has", types.Vlen(id), "members left")
		}
	}
	// Output:
	// STRUCT task_struct has 9 members left
}

// vmlinux is the BTF of a built-in kernel.
func vmlinux() []byte {
	store, err := kernels.Store()
	if err != nil {
		log.Fatal(err)
	}
	raw, err := store.Get("debian/11/x86_64/5.10.0-32-cloud-amd64", nil)
	if err != nil {
		log.Fatal(err)
	}
	return raw
}
