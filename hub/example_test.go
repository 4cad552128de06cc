package hub_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/hub"
)

// A store of one kernel of an archive tree, to which the others are added later.
func ExamplePack() {
	dir, err := os.MkdirTemp("", "stores")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "kernels.store")

	kernels, err := hub.Open("../kernels")
	if err != nil {
		log.Fatal(err)
	}
	arm, err := hub.NewFilter([]string{"*/arm64/*"})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := hub.Pack(ctx, path, hub.Filtered(kernels, arm), hub.StoreOptions{}); err != nil {
		log.Fatal(err)
	}
	summary, err := hub.Add(ctx, path, kernels, hub.StoreOptions{
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
	// 1/2 debian/11/x86_64/5.10.0-32-cloud-amd64
	// 2/2 debian/12/s390x/6.12.95+deb12-s390x
	// kylin/V10/arm64/4.19.90-52.22.v2207.ky10.aarch64: already there
	// debian/11/x86_64/5.10.0-32-cloud-amd64: added
	// debian/12/s390x/6.12.95+deb12-s390x: added
}
