package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// only fails if the folder holds anything but the names.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("folder holds %q, want %q", got, names)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, content := range []string{"a longer text", "short", ""} {
		if err := File(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("wrote %q, %v, want %q", got, err, content)
		}
	}
	created, err := os.Create(filepath.Join(dir, "g"))
	if err != nil {
		t.Fatal(err)
	}
	defer created.Close()
	want, err := created.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Stat(path); err != nil || got.Mode() != want.Mode() {
		t.Errorf("mode %v, %v, want %v as os.Create gives", got.Mode(), err, want.Mode())
	}
	only(t, dir, "f", "g")
}

func TestFileFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := File(filepath.Join(dir, "d"), nil); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("onto a folder: %v", err)
	}
	missing := filepath.Join(dir, "none", "f")
	err := File(missing, nil)
	if e := (*fs.PathError)(nil); !errors.As(err, &e) || e.Path != missing || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	only(t, dir, "d")
}

// A link gives way to a file, and the file that it led to stays as it is.
func TestFileReplacesLink(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := File(a, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := Symlink("a", b); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(b); err != nil || target != "a" {
		t.Errorf("link to %q, %v", target, err)
	}
	if err := File(b, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(a); err != nil || string(got) != "old" {
		t.Errorf("a is %q, %v", got, err)
	}
	if _, err := os.Readlink(b); err == nil {
		t.Error("b is still a link")
	}
	if err := Symlink("a", b); err != nil {
		t.Fatal(err)
	}
	if err := Symlink("a", b); err != nil {
		t.Errorf("in place of a link: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Symlink("a", filepath.Join(dir, "d")); err == nil {
		t.Error("a folder was replaced by a link")
	}
	only(t, dir, "a", "b", "d")
}
