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
)

// One minimal BTF for every kernel of an archive.
func Example() {
	gen, err := btfgen.Open("testdata/example/execsnoop.bpfel.o", "testdata/example/execsnoop.bpfeb.o")
	if err != nil {
		log.Fatal(err)
	}
	kernels, err := hub.Open("kernels")
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
	summary, err := gen.Generate(context.Background(), kernels, btfgen.Options{}, tree.Add)
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
	// 3 kernels, 0 failures
	// debian/11/x86_64/5.10.0-32-cloud-amd64.btf
	// debian/12/s390x/6.12.95+deb12-s390x.btf
	// kylin/V10/arm64/4.19.90-52.22.v2207.ky10.aarch64.btf
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

// vmlinux is the BTF of a kernel that the repository holds.
func vmlinux() []byte {
	source, err := hub.Open("kernels/debian/11/x86_64/5.10.0-32-cloud-amd64.btf.tar.xz")
	if err != nil {
		log.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil {
		log.Fatal(err)
	}
	types, err := kernels[0].Load(hub.NewReader())
	if err != nil {
		log.Fatal(err)
	}
	return types.Vmlinux
}
