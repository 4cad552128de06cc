package kernels

import (
	_ "embed"
	"sync"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

// Name stands in errors, and as [hub.Kernel.Path], where a store's file would.
const Name = "the built-in store"

//go:generate make -C .. kernels

//go:embed kernels.store
var raw []byte

var open = sync.OnceValues(func() (*store.Store, error) { return store.OpenBytes(Name, raw) })

// Store opens the store. All callers share it: it may be used by several
// goroutines, and what has been expanded for one is there for the next. Closing
// it does nothing.
func Store() (*store.Store, error) { return open() }

// Source gives the kernels as a source, as [hub.Open] does for a store's file.
func Source() (hub.Source, error) {
	s, err := Store()
	if err != nil {
		return nil, err
	}
	return hub.Stored(Name, s), nil
}
