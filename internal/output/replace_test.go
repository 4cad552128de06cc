package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Replace writes where a link leads, and keeps the mode of what it replaces.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := Replace(a, []byte("new"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(a, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Symlink("a", b); err != nil {
		t.Fatal(err)
	}
	if err := Replace(b, []byte("newer"), nil); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(b); err != nil || target != "a" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	expectContent(t, a, "newer")
	info, err := os.Stat(a)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want that of the file before", info.Mode(), err)
	}
	missing := filepath.Join(dir, "none", "f")
	if err := Replace(missing, nil, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("into no folder: %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("n", 250))
	if err := Replace(long, []byte("long"), nil); err != nil {
		t.Error(err)
	}
	only(t, dir, "a", "b", filepath.Base(long))
}

func expectContent(t *testing.T, path, want string) {
	t.Helper()
	if content, err := os.ReadFile(path); err != nil || string(content) != want {
		t.Errorf("%s is %q, %v, want %q", path, content, err, want)
	}
}

func create(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// locked opens a file and locks it, as a writer does.
func locked(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := Lock(f); err != nil {
		t.Fatal(err)
	}
	return f
}

// RemoveStale removes what Replace of this very path has left, if nobody is at it.
func TestRemoveStale(t *testing.T) {
	if !locks {
		return // nothing is removed where one cannot tell
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.store")
	left := []string{".a.store.btfgen-123", ".a.store.btfgen-replacing"}
	others := []string{".a.store.btfgen-", ".a.store.btfgen-12x", ".a.store.btfgen-45", ".a.store.partial.btfgen-1", ".b.store.btfgen-123", ".btfgen-123", "a.store", "a.store.btfgen-1"}
	for _, name := range append(left, others...) {
		create(t, filepath.Join(dir, name), name)
	}
	live := locked(t, filepath.Join(dir, ".a.store.btfgen-45"))
	RemoveStale(path)
	only(t, dir, others...)
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	create(t, filepath.Join(dir, ".a.store.btfgen-78"), "")
	link := filepath.Join(t.TempDir(), "link")
	if err := Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	RemoveStale(link)
	only(t, dir, ".a.store.btfgen-", ".a.store.btfgen-12x", ".a.store.partial.btfgen-1", ".b.store.btfgen-123", ".btfgen-123", "a.store", "a.store.btfgen-1")
}

// A file aside is locked, so that RemoveStale leaves it alone, and is known by its name once it is not.
func TestAsideIsKnown(t *testing.T) {
	if !locks {
		return // nothing is removed where one cannot tell
	}
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("long", 60))
	f, err := createAside(path)
	if err != nil {
		t.Fatal(err)
	}
	RemoveStale(path)
	only(t, dir, filepath.Base(f.Name()))
	if err := f.Close(); err != nil { // as by a kill
		t.Fatal(err)
	}
	RemoveStale(path)
	only(t, dir)
}

// The lock is given up when the new file has the name, not before.
func TestReplaceHeld(t *testing.T) {
	for _, first := range []bool{closeFirst, true} { // the protocol of Windows works anywhere
		defer func(before bool) { closeFirst = before }(closeFirst)
		closeFirst = first
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		create(t, path, "old")
		held := locked(t, path)
		if Replacing(path) {
			t.Error("replacing, before anything was done")
		}
		if err := Replace(path, []byte("new"), held); err != nil {
			t.Fatal(err)
		}
		expectContent(t, path, "new")
		if err := held.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the lock is still held: %v", err)
		}
		if Replacing(path) {
			t.Error("still replacing")
		}
		only(t, dir, "f")
	}
}

// Where an open file cannot be replaced, whoever gets the lock that was given up for the rename is told what for.
func TestReplacingIsSeen(t *testing.T) {
	if !locks {
		return // nobody can be told
	}
	defer func(first bool, pause time.Duration) { closeFirst, renamePause = first, pause }(closeFirst, renamePause)
	closeFirst, renamePause = true, time.Millisecond
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	// What is there makes the rename fail for as long as it is tried.
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	create(t, filepath.Join(path, "x"), "")
	lock := filepath.Join(t.TempDir(), "lock")
	create(t, lock, "")
	held := locked(t, lock)
	done := make(chan error, 1)
	go func() { done <- Replace(path, []byte("new"), held) }()
	seen, again := 0, true
	for again {
		f, err := os.OpenFile(lock, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if Lock(f) == nil {
			if again = Replacing(path); again {
				seen++
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err == nil || seen == 0 {
		t.Errorf("error %v, expected one; replacing was seen %d times", err, seen)
	}
	if Replacing(path) {
		t.Error("still replacing")
	}
	only(t, dir, "f")
}
