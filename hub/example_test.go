package hub_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/hub"
)

// A store of one kernel of an archive tree, to which others are added later.
func ExamplePack() {
	dir, err := os.MkdirTemp("", "stores")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "kernels.store")

	archive, err := hub.Open("../testdata/conformance")
	if err != nil {
		log.Fatal(err)
	}
	one, err := hub.NewFilter([]string{"fields.target.bpfel"})
	if err != nil {
		log.Fatal(err)
	}
	more, err := hub.NewFilter([]string{"fields.target.*", "widths.target.*"})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := hub.Pack(ctx, path, hub.Filtered(archive, one), hub.StoreOptions{}); err != nil {
		log.Fatal(err)
	}
	summary, err := hub.Add(ctx, path, hub.Filtered(archive, more), hub.StoreOptions{
		KeepGoing: true,
		Progress:  func(done, total int, k hub.KernelOutcome) { fmt.Printf("%d/%d %s\n", done, total, k.Kernel) },
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, k := range summary.Kernels {
		fmt.Printf("%s: %v\n", k.Kernel, k.Outcome)
	}
	// Output:
	// 1/3 fields.target.bpfeb
	// 2/3 widths.target.bpfeb
	// 3/3 widths.target.bpfel
	// fields.target.bpfel: already there
	// fields.target.bpfeb: added
	// widths.target.bpfeb: added
	// widths.target.bpfel: added
}
