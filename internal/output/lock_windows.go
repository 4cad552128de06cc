package output

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// locks says whether Lock tells a file in use from one that is not.
const locks = true

// Lock takes the file for this process until it is closed. A process that dies
// gives it up. The error wraps ErrLocked if another one has it. The byte that it
// locks is far behind the end, so that readers are not kept out.
func Lock(file *os.File) error {
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}
