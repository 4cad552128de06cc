package store

import (
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// Verify checks everything: all checksums, every string and definition, and
// that every kernel expands to what was added. progress may be nil; it is called
// after each kernel, by one goroutine at a time.
func (s *Store) Verify(progress func(done, total int, path string)) error {
	if err := s.verify(progress); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (s *Store) verify(progress func(done, total int, path string)) error {
	if err := s.verifyPadding(); err != nil {
		return err
	}
	// It reads all strings and definitions, each of which may be there once.
	if err := newCollection().addStore(s); err != nil {
		return err
	}
	if err := s.verifyBlocks(); err != nil {
		return err
	}
	done := 0
	return s.proveFrom(0, func(path string) {
		if done++; progress != nil {
			progress(done, len(s.kernels), path)
		}
	})
}

// verifyPadding checks the bytes that no checksum covers.
func (s *Store) verifyPadding() error {
	ends := make(map[int]int64, len(s.layers))
	for _, blocks := range [][]block{s.stringBlocks, s.definitionBlocks, s.kernelBlocks} {
		for i := range blocks {
			b := &blocks[i]
			for n, l := range s.layers {
				if b.offset > l.offset && b.offset < l.offset+l.length {
					ends[n] = max(ends[n], b.offset+int64(b.packed))
				}
			}
		}
	}
	for n, end := range ends {
		padding := make([]byte, s.layers[n].offset+s.layers[n].length-end)
		if len(padding) == 0 {
			continue
		}
		if _, err := s.in.ReadAt(padding, end); err != nil {
			return err
		}
		for _, b := range padding {
			if b != 0 {
				return damaged("layer %d: its end is not zero bytes", n)
			}
		}
	}
	return nil
}

// verifyBlocks checks what the directory says about blocks of definitions, for
// those who look a name up.
func (s *Store) verifyBlocks() error {
	pool, err := s.text()
	if err != nil {
		return err
	}
	for i := range s.definitionBlocks {
		b := &s.definitionBlocks[i]
		d, err := s.definitionBlock(i)
		if err != nil {
			return err
		}
		for k := range d.at {
			kind, name := kindOrder(btf.Kind(d.kind[k])), pool.string(d.name[k])
			switch {
			case k == 0 && (d.kind[k] != b.firstKind || name != b.firstName):
				return damaged("block of definitions at %d: it starts with another definition than the directory says", b.offset)
			case k > 0 && (kind < kindOrder(btf.Kind(d.kind[k-1])) || kind == kindOrder(btf.Kind(d.kind[k-1])) && name < pool.string(d.name[k-1])):
				return damaged("block of definitions at %d: definition %d is out of order", b.offset, k)
			}
		}
	}
	return nil
}
