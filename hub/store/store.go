package store

import (
	"errors"
	"fmt"
)

// ErrFormat is wrapped by every error about a damaged store.
var ErrFormat = errors.New("damaged store")

// ErrNotFound is wrapped by Get's error for a kernel that is not in the store.
var ErrNotFound = errors.New("no such kernel in the store")

// ErrLocked is wrapped by Create's and Append's error while another writer has the store.
var ErrLocked = errors.New("another process writes to the store")

// RefusedError says that a kernel cannot be stored, and why. The store is as it was.
type RefusedError struct {
	Path string // the kernel's
	Err  error
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: not stored: %v", e.Path, e.Err) }

func (e *RefusedError) Unwrap() error { return e.Err }

// Kernel is what a store's directory says about one kernel.
type Kernel struct {
	Path        string // distro/version/arch/release
	Types       int    // type ids, void not counted
	Definitions int    // distinct definitions that it has
	New         int    // of them those that came into the store with it
	Bytes       int64  // size of the BTF that was added, in bytes
	Expanded    int64  // size of the BTF that Get gives, in bytes
	Added       int64  // bytes of the file that it cost: its share of its layer
	Mark        string // see Types.Mark; empty in a compacted store
}

// Stats sums a store up.
type Stats struct {
	Kernels     int
	Definitions int
	Strings     int
	Layers      int
	Bytes       int64 // of the file, as far as it is whole
	Original    int64 // sum of Kernel.Bytes

	// Bytes of the file by what they hold; they add up to Bytes.
	StringBytes, DefinitionBytes, KernelBytes, OtherBytes int64
}
