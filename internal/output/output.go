// Package output writes files so that a name never has half of them: aside,
// synced, then renamed. It knows nothing of what is in them.
package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File writes a file whole or not at all. What is there and is no regular
// file, such as a pipe or /dev/stdout, is written to as it stands.
func File(path string, content []byte) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		if st.IsDir() {
			return fmt.Errorf("%s: is a directory, expected a file to write", path)
		}
		return direct(path, content)
	}
	return aside(path, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		return errors.Join(err, f.Sync(), f.Close())
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
func Symlink(target, path string) error {
	return aside(path, func(tmp string) error {
		if err := os.Remove(tmp); err != nil {
			return err
		}
		return os.Symlink(target, tmp)
	})
}

// aside has make fill a new file beside path, then gives it the name.
func aside(path string, fill func(tmp string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".btfgen-*")
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	// The mode that os.Create would have given, as far as umask goes.
	if err := errors.Join(f.Chmod(0o644&^umask()), f.Close()); err != nil {
		return err
	}
	if err := fill(tmp); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) && pe.Path == tmp {
			return &fs.PathError{Op: pe.Op, Path: path, Err: pe.Err}
		}
		return err
	}
	return os.Rename(tmp, path)
}
