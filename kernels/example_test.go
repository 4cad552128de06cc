package kernels_test

import (
	"fmt"
	"log"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/kernels"
)

// The built-in kernels that match a pattern.
func Example() {
	source, err := kernels.Source()
	if err != nil {
		log.Fatal(err)
	}
	filter, err := hub.NewFilter([]string{"debian/*/s390x/*"})
	if err != nil {
		log.Fatal(err)
	}
	list, _, err := hub.Filtered(source, filter).Kernels()
	if err != nil {
		log.Fatal(err)
	}
	for _, k := range list {
		fmt.Println(k.Name)
	}
	// Output:
	// debian/12/s390x/6.12.95+deb12-s390x
}
