//go:build unix

package hub

import (
	"math"
	"os"
	"syscall"
)

// mapFile maps a regular file of size bytes for reading, all of it at once
// where the system can do that.
func mapFile(f *os.File, size int64) ([]byte, error) {
	if size <= 0 || size > math.MaxInt {
		return nil, syscall.EINVAL
	}
	return syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE|mapPopulate)
}

func unmapFile(b []byte) { _ = syscall.Munmap(b) }
