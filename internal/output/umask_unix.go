//go:build unix

package output

import (
	"io/fs"
	"sync"
	"syscall"
)

// umask reads the process's file mode mask, once: reading it means setting it.
var umask = sync.OnceValue(func() fs.FileMode {
	m := syscall.Umask(0o022)
	syscall.Umask(m)
	return fs.FileMode(m)
})
