package elffile

import (
	"errors"
	"fmt"
)

// Range is a part of a file, in bytes.
type Range struct{ Offset, Size int64 }

// File gives parts of a file. Where the file is a stream, one call goes through it
// once at most, so ranges that are known together are asked for together.
type File interface {
	// Size is the file's size in bytes.
	Size() int64
	// Slices returns the bytes of each range, in the order of ranges, which may be
	// any and may overlap. A range that is not wholly in the file is an error, found
	// before memory is allocated for it. The slices must not be written to; they stay
	// valid as long as the file.
	Slices(ranges []Range) ([][]byte, error)
}

// ErrOutside is in the chain of errors for a range that is not wholly in the file.
var ErrOutside = errors.New("not within the file")

// Bytes is a file in memory. Its slices are parts of b.
func Bytes(b []byte) File { return inMemory(b) }

type inMemory []byte

func (b inMemory) Size() int64 { return int64(len(b)) }

func (b inMemory) Slices(ranges []Range) ([][]byte, error) {
	slices := make([][]byte, len(ranges))
	for i, r := range ranges {
		if err := r.Within(b.Size()); err != nil {
			return nil, err
		}
		slices[i] = b[r.Offset : r.Offset+r.Size : r.Offset+r.Size]
	}
	return slices, nil
}

// Within returns an error if the range is not wholly in a file of size bytes.
func (r Range) Within(size int64) error {
	if r.Offset < 0 || r.Size < 0 || r.Offset > size || r.Size > size-r.Offset {
		return fmt.Errorf("%d bytes at offset %d: %w of %d bytes", r.Size, r.Offset, ErrOutside, size)
	}
	return nil
}
