package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrLocked says that another process has the file.
var ErrLocked = errors.New("another process writes to it")

// closeFirst says that a file cannot be renamed while it is open, nor replaced
// by a renamed one.
var closeFirst = runtime.GOOS == "windows"

// What the system may take to let go of a file that somebody else had open just
// now: a second writer that looks for the lock, a virus scanner.
const renameTries = 40

var renamePause = 50 * time.Millisecond

// replacing is the end of the name of the file that tells writers, where
// closeFirst, that the lock they have got was given up only for a rename.
const replacing = "replacing"

// Replace is File for what others may be reading or waiting for: a link stays, and what it leads to is replaced; the mode of what is replaced
// stays; and the name is synced too, so that what is removed afterwards is not all that a power cut leaves.
//
// What a killed Replace leaves is a file beside path that RemoveStale knows.
//
// held is the file at path, locked by the caller (see Lock) so that nobody else writes to it meanwhile; nil if there is none. It is closed, which
// gives up the lock, only when the new file has the name. Systems that cannot replace an open file are the exception: there it is closed right before
// the rename, and from before that until after the rename Replacing holds, which whoever has got the lock has to ask for. A reader
// that has path open makes the rename fail there; path is as it was then.
func Replace(path string, content []byte, held *os.File) error {
	path = real(path)
	mode := 0o666 &^ umask()
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := replace(path, content, mode, held); err != nil {
		return about(path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	// Some file systems, and Windows, cannot sync a directory; the rename stands anyway.
	_ = dir.Sync()
	return dir.Close()
}

func replace(path string, content []byte, mode os.FileMode, held *os.File) error {
	f, err := createAside(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync()); err == nil {
		if closeFirst {
			err = renameClosed(f, path, held)
		} else if err = os.Rename(f.Name(), path); err == nil && held != nil {
			err = held.Close()
		}
	}
	if e := f.Close(); e != nil && !errors.Is(e, os.ErrClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// renameClosed is the rename where closeFirst.
func renameClosed(f *os.File, path string, held *os.File) error {
	if held == nil {
		return errors.Join(f.Close(), renameRetrying(f.Name(), path))
	}
	marker, err := os.OpenFile(stem(path)+replacing, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		_ = marker.Close()
		_ = os.Remove(marker.Name())
	}()
	if err := Lock(marker); err != nil {
		return err
	}
	if err := errors.Join(f.Close(), held.Close()); err != nil {
		return err
	}
	return renameRetrying(f.Name(), path)
}

func renameRetrying(from, to string) error {
	for try := 1; ; try++ {
		err := os.Rename(from, to)
		if err == nil || errors.Is(err, fs.ErrNotExist) || try == renameTries {
			return err
		}
		time.Sleep(renamePause)
	}
}

// Replacing tells who has locked the file at path whether the lock was given up
// only for a rename, see Replace. The file is not to be written to then.
func Replacing(path string) bool {
	f, err := os.OpenFile(stem(real(path))+replacing, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(Lock(f), ErrLocked)
}

// RemoveStale removes what Replace of path has left where it was killed: files
// with the names that only Replace of path gives, if no process has them locked.
// The caller should hold the lock of what is at path, if there is one: where
// closeFirst, a file aside has no lock of its own during its rename. What cannot
// be removed stays.
func RemoveStale(path string) {
	if !locks {
		return
	}
	dir, prefix := filepath.Split(stem(real(path)))
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), prefix)
		if ours && e.Type().IsRegular() && (rest == replacing || rest != "" && strings.Trim(rest, "0123456789") == "") {
			removeStale(filepath.Join(dir, e.Name()))
		}
	}
}

func removeStale(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if Lock(f) != nil {
		return
	}
	if closeFirst {
		// Who has it open now keeps it from being removed.
		_ = f.Close()
	}
	_ = os.Remove(path)
}

// createAside makes the file beside path that is to replace it, and locks it,
// so that RemoveStale leaves it alone.
func createAside(path string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(stem(path))+"*")
		if err != nil {
			return nil, err
		}
		switch err := Lock(f); {
		case err == nil:
			// RemoveStale may have had the lock before, and have removed it.
			ours, err := f.Stat()
			if err != nil {
				return nil, errors.Join(err, f.Close())
			}
			if now, err := os.Lstat(f.Name()); err == nil && os.SameFile(ours, now) {
				return f, nil
			}
		case !errors.Is(err, ErrLocked):
			// A file system without locks: nobody gets one to remove it.
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
		_ = os.Remove(f.Name())
	}
}

// maxBase is how much of a name goes into that of the file aside: file systems
// allow 255 bytes. Names that share as much share their stale files, which the
// locks keep apart from those in use.
const maxBase = 200

// stem is the path of the files that stand in for path, but for their end.
func stem(path string) string {
	base := filepath.Base(path)
	if len(base) > maxBase {
		base = base[:maxBase]
	}
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.btfgen-", base))
}

// real is what a link leads to.
func real(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
