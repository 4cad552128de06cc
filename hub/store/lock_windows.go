package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file for a writer, until it is closed; a process that dies
// gives it up. The byte that it locks is far behind the end, so that readers
// are not kept out.
func lock(file *os.File) error {
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}
