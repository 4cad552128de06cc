//go:build unix

package memory

import (
	"math"
	"os"
	"syscall"
)

// MapFile maps a regular file of size bytes for reading. Having the system fill
// in all pages at once (MAP_POPULATE) was measured to take longer than the
// faults that it saves.
func MapFile(f *os.File, size int64) ([]byte, error) {
	if size <= 0 || size > math.MaxInt {
		return nil, syscall.EINVAL
	}
	return syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE)
}

// UnmapFile ends a mapping.
func UnmapFile(b []byte) { _ = syscall.Munmap(b) }
