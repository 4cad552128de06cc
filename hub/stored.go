package hub

import (
	"fmt"

	"github.com/btfgen/btfgen/hub/store"
)

// Stored makes a source of a kernel store, whose kernels are expanded one by
// one. The store must not be closed while they are in use.
func Stored(path string, s *store.Store) Source { return stored{path, s} }

type stored struct {
	path  string
	store *store.Store
}

func (s stored) Kernels() ([]*Kernel, []Problem, error) {
	list := s.store.Kernels()
	kernels := make([]*Kernel, len(list))
	for i, k := range list {
		kernels[i] = &Kernel{Name: k.Path, Path: s.path, store: s.store, expanded: k.Expanded}
	}
	return kernels, nil, nil
}

// Store is the store that the kernel is in, by its Name; ok is false if it is in none.
func (k *Kernel) Store() (s *store.Store, ok bool) { return k.store, k.store != nil }

// Size is the size in bytes of the BTF of a kernel in a store, 0 of another.
func (k *Kernel) Size() int64 { return k.expanded }

// loadStored expands a kernel of a store into r's buffer.
func (k *Kernel) loadStored(r *Reader) (Types, error) {
	if k.expanded > r.maxBytes {
		return Types{}, fmt.Errorf("%s: %s: %w", k.Path, k.Name, tooLarge(r.maxBytes))
	}
	buf := &r.types[0]
	types, err := k.store.Get(k.Name, buf.grow(int(k.expanded)))
	if err != nil {
		return Types{}, err
	}
	return Types{Vmlinux: types}, nil
}
