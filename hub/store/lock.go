package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/btfgen/btfgen/internal/output"
)

// lock takes the file at path for a writer, until it is closed.
func lock(path string, file *os.File) error {
	if err := output.Lock(file); err != nil {
		if errors.Is(err, output.ErrLocked) {
			err = ErrLocked
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	// Compact may have put another file in its place before the lock was ours,
	// or be about to, on a system where it has to give up the lock for that.
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(info, now) {
		return fmt.Errorf("%s: %w: it was replaced just now", path, ErrLocked)
	}
	if output.Replacing(path) {
		return fmt.Errorf("%s: %w: it is being replaced", path, ErrLocked)
	}
	return nil
}

// replace puts what content gives in the place of what is at path, or of
// nothing. A store there is locked meanwhile: what another writer adds to it
// would be lost. The lock is the writer's own if the store is: it is closed then.
func (w *Writer) replace(path string, content func() ([]byte, error)) error {
	held := w.file
	if !w.isAt(path) {
		var err error
		if held, err = lockStore(path); err != nil {
			return err
		}
		if held != nil {
			defer held.Close() // nothing is written to it
		}
	}
	output.RemoveStale(path)
	b, err := content()
	if err != nil {
		return err
	}
	if err = output.Replace(path, b, held); errors.Is(err, output.ErrLocked) {
		err = fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return err
}

// isAt tells whether the writer's store is the file at path.
func (w *Writer) isAt(path string) bool {
	own, err := w.file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(own, now)
}

// lockStore locks the store at path, if there is one that could be written to.
func lockStore(path string) (*os.File, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || !IsFile(path) {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // nobody adds to it
	}
	if err != nil {
		return nil, err
	}
	if err := lock(path, file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Discard removes the store's file and closes the writer. Nobody else goes on
// with it, but on Windows, where an open file cannot be removed: a writer that
// comes in between keeps it there. A file that is not the writer's, or no longer,
// stays.
func (w *Writer) Discard() error {
	if !w.isAt(w.path) {
		return w.Close()
	}
	err := os.Remove(w.path)
	closed := w.Close()
	if err != nil {
		if again := os.Remove(w.path); again == nil || errors.Is(again, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, closed)
}
