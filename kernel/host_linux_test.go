package kernel

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestUnameField(t *testing.T) {
	if got := text([]int8{'6', '.', -61, -92, 0, 'x'}); got != "6.\xc3\xa4" {
		t.Errorf("signed: %q", got)
	}
	if got := text([]uint8{'6', '.', 0xc3, 0xa4}); got != "6.\xc3\xa4" {
		t.Errorf("unsigned, without a zero: %q", got)
	}
}

// The kernel tells its release in two places.
func TestThisHostRelease(t *testing.T) {
	want, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	h, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	if h.Release != strings.TrimSpace(string(want)) {
		t.Errorf("uname says %q, /proc %q", h.Release, want)
	}
}

// root makes a folder with these files; one whose content starts with "-> " is a symbolic link.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(content, "-> "); err == nil && ok {
			err = os.Symlink(target, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHostAt(t *testing.T) {
	outside := root(t, map[string]string{"os-release": "ID=outside\n"})
	type files = map[string]string
	for name, c := range map[string]struct {
		files files
		want  string
	}{
		"a file":                     {files{"etc/os-release": "ID=a"}, "a"},
		"the other file":             {files{"usr/lib/os-release": "ID=a"}, "a"},
		"both":                       {files{"etc/os-release": "ID=a", "usr/lib/os-release": "ID=b"}, "a"},
		"one that says nothing":      {files{"etc/os-release": "", "usr/lib/os-release": "ID=b"}, ""},
		"none":                       {files{"etc/passwd": ""}, ""},
		"a relative link":            {files{"etc/os-release": "-> ../usr/lib/os-release", "usr/lib/os-release": "ID=a"}, "a"},
		"an absolute link":           {files{"etc/os-release": "-> /usr/lib/os-release", "usr/lib/os-release": "ID=a"}, "a"},
		"an absolute link's path":    {files{"etc/os-release": "-> //usr/./lib/../lib/os-release", "usr/lib/os-release": "ID=a"}, "a"},
		"a link to a link":           {files{"etc/os-release": "-> /a", "a": "-> b/c", "b/c": "-> ../d", "d": "ID=a"}, "a"},
		"a folder is a link":         {files{"etc": "-> /run/etc", "run": "-> /mnt/run", "mnt/run/etc/os-release": "ID=a"}, "a"},
		"above the root is the root": {files{"etc/os-release": "-> ../../../../../../x", "x": "ID=a"}, "a"},
		"a link out of the root":     {files{"etc/os-release": "-> " + outside + "/os-release"}, ""},
		"a broken link":              {files{"etc/os-release": "-> nowhere", "usr/lib/os-release": "ID=b"}, "b"},
		"a link to itself":           {files{"etc/os-release": "-> os-release", "usr/lib/os-release": "ID=b"}, "b"},
		"links in a circle":          {files{"etc/os-release": "-> /a/x", "a": "-> b", "b": "-> a"}, ""},
		"links that grow":            {files{"etc/os-release": "-> os-release/x/../os-release"}, ""},
		"a folder":                   {files{"etc/os-release/x": ""}, ""},
		"a link to the root":         {files{"etc/os-release": "-> /"}, ""},
		"a long file's start":        {files{"etc/os-release": "ID=a\n" + strings.Repeat("#", maxFile) + "\nID=b\n"}, "a"},
	} {
		h, err := HostAt(root(t, c.files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if h.OS.ID != c.want {
			t.Errorf("%s: ID %q, want %q", name, h.OS.ID, c.want)
		}
		if h.Release == "" || h.Machine == "" || h.Container != "" {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestHostAtNoFolder(t *testing.T) {
	dir := root(t, map[string]string{"file": ""})
	if _, err := HostAt(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	if _, err := HostAt(filepath.Join(dir, "file")); err == nil {
		t.Error("a file: no error")
	}
}

// A FIFO without a writer must not stop the program.
func TestHostAtFIFO(t *testing.T) {
	dir := root(t, map[string]string{"etc/passwd": "", "usr/lib/os-release": "ID=b"})
	if err := syscall.Mkfifo(filepath.Join(dir, "etc", "os-release"), 0o644); err != nil {
		t.Fatal(err)
	}
	h, err := HostAt(dir)
	if err != nil || h.OS.ID != "b" {
		t.Errorf("%+v, %v", h, err)
	}
}

// Who changes links while we look must not lead us out: what is not resolved is refused.
func TestReadBelowRefusesLinks(t *testing.T) {
	outside := root(t, map[string]string{"os-release": "ID=outside\n"})
	top, err := os.OpenRoot(root(t, map[string]string{"link": "-> " + outside + "/os-release"}))
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	if b, err := readFile(top.OpenFile("link", os.O_RDONLY, 0)); err == nil {
		t.Errorf("read %q", bytes.TrimSpace(b))
	}
}
