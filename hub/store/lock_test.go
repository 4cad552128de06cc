package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// names are those in a store's folder.
func names(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func appendTo(t *testing.T, path string) *Writer {
	t.Helper()
	w, err := Append(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// A store that was compacted onto itself is another file: nothing can be added to the old one, where it would be lost.
func TestCompactOntoItself(t *testing.T) {
	list := series(t, 3)
	path := storeOf(t, list[:1], list[1:2])
	w := appendTo(t, path)
	if err := w.Compact(path); err != nil {
		t.Fatal(err)
	}
	types, err := Analyse(list[2].path, list[2].raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add(types), w.Commit()); err == nil {
		t.Error("something was added to a file that nobody will see again")
	}
	again := appendTo(t, path)
	if err := errors.Join(again.Add(types), again.Commit(), again.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if n := len(open(t, path).Kernels()); n != 3 {
		t.Errorf("%d kernels, expected 3", n)
	}
}

// What another writer adds to a store is not lost to one that would replace it.
func TestCompactOntoLocked(t *testing.T) {
	list := series(t, 2)
	path, other := storeOf(t, list[:1]), storeOf(t, list[1:])
	before := contentOf(t, other)
	w, busy := appendTo(t, path), appendTo(t, other)
	if err := w.Compact(other); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v, expected %v", err, ErrLocked)
	}
	if !bytes.Equal(contentOf(t, other), before) {
		t.Error("the store has changed")
	}
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Compact(other); err != nil {
		t.Fatal(err)
	}
	if open(t, other).Kernels()[0].Path != list[0].path {
		t.Error("the store was not replaced")
	}
}

// Who has a store's lock removes what a killed Compact has left beside it, and nothing else.
func TestStaleFilesAreRemoved(t *testing.T) {
	list := series(t, 2)
	path := storeOf(t, list[:1])
	base := filepath.Base(path)
	leave := func() {
		for _, name := range []string{"." + base + ".btfgen-123", "." + base + "x.btfgen-123"} {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte("half"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(what string) {
		t.Helper()
		if got := names(t, path); len(got) != 2 || got[0] != "."+base+"x.btfgen-123" || got[1] != base {
			t.Errorf("%s: %q are there", what, got)
		}
	}
	leave()
	w := appendTo(t, path)
	expect("append")
	leave()
	if _, err := Append(path); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	if got := names(t, path); len(got) != 3 {
		t.Errorf("without the lock: %q are there", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := appendTo(t, storeOf(t, list[1:])).Compact(path); err != nil {
		t.Fatal(err)
	}
	expect("compact")
}

func TestDiscard(t *testing.T) {
	path := storeOf(t, series(t, 1))
	w := appendTo(t, path)
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the store is still there: %v", err)
	}
	if err := os.WriteFile(path, []byte("another's"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if string(contentOf(t, path)) != "another's" {
		t.Error("another file was removed")
	}
}
