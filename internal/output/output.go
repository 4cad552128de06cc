// Package output writes files so that a name never has half of them: aside,
// synced, then renamed; and locks them. It knows nothing of what is in them.
package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File writes a file whole or not at all, with the mode that os.Create would
// give it. What is there and is no regular file, such as a pipe or /dev/stdout,
// is written to as it stands. Errors name path.
func File(path string, content []byte) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		if st.IsDir() {
			return fmt.Errorf("%s: is a directory, expected a file to write", path)
		}
		return direct(path, content)
	}
	return aside(path, func(f *os.File) error {
		_, err := f.Write(content)
		if err == nil {
			err = f.Chmod(0o666 &^ umask())
		}
		if err == nil {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	})
}

func direct(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// Symlink makes path a link to target, in place of whatever file was there.
// Errors name path.
func Symlink(target, path string) error {
	if os.Symlink(target, path) == nil {
		return nil
	}
	if old, err := os.Readlink(path); err == nil && old == target {
		return nil
	}
	return aside(path, func(f *os.File) error {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return err
		}
		return os.Symlink(target, f.Name())
	})
}

// aside has fill write and close a new file beside path, or put another in its
// place, then gives it the name.
func aside(path string, fill func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".btfgen-*")
	if err != nil {
		return about(path, err)
	}
	if err = fill(f); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return about(path, err)
	}
	return nil
}

// about makes an error about the file aside, whose name says nothing to anyone,
// one about path.
func about(path string, err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return &fs.PathError{Op: "write", Path: path, Err: e.Err}
	}
	return err
}
