//go:build !unix

package memory

import (
	"errors"
	"os"
)

// MapFile is not there.
func MapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

// UnmapFile ends a mapping.
func UnmapFile([]byte) {}
