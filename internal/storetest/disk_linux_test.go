package storetest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// tmpfs mounts a file system of a size in bytes, and gives what changes its size and whether it can be written to.
func tmpfs(t *testing.T, size int) (dir string, remount func(size int, flags uintptr)) {
	t.Helper()
	need.Root(t)
	dir = t.TempDir()
	options := func(size int) string { return fmt.Sprintf("size=%d,mode=755", size) }
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options(size)); err != nil {
		need.Missing(t, "to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func(size int, flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, options(size)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk has room for more and more of what is to be written: there is the new store, or the old one and an error. With
// room enough, the same command then makes the new one.
func TestFullDisk(t *testing.T) {
	c := newCrash(t)
	const large = 64 << 20
	dir, remount := tmpfs(t, large)
	at := filepath.Join(dir, "store")
	for _, w := range []struct {
		name string
		args []string
		want []byte
	}{
		{"pack", []string{"hub", "pack", "--out", at, c.all}, c.packed},
		{"add", []string{"hub", "add", at, c.all}, c.added},
	} {
		pages := func(n int) int { return (n + os.Getpagesize() - 1) / os.Getpagesize() }
		full, done := 0, 0
		least := pages(len(c.before))
		for room := range 12 {
			write(t, at, c.before)
			remount((least+room*max(pages(len(c.packed))/3, 1))*os.Getpagesize(), 0)
			code, stderr := c.run(w.args...)
			switch got := read(t, at); {
			case code == 0 && bytes.Equal(got, w.want):
				done++
			case code == 1 && bytes.HasPrefix(got, c.before) && strings.Contains(stderr, "no space left on device") && strings.Contains(stderr, at):
				if w.name == "pack" && len(got) != len(c.before) {
					t.Errorf("pack: the store has changed")
				}
				verified(t, at, 6)
				full++
			default:
				t.Errorf("%s: exit code %d, %d bytes: %s", w.name, code, len(got), stderr)
			}
			remount(large, 0)
			c.must(w.args...)
			if !bytes.Equal(read(t, at), w.want) {
				t.Errorf("%s: with room enough, it comes to other bytes than an undisturbed run", w.name)
			}
			only(t, at)
		}
		t.Logf("%s: %d times full, %d times done", w.name, full, done)
		if full < 2 || done < 1 {
			t.Errorf("%s: %d times full, %d times done, which says little", w.name, full, done)
		}
	}
}

// TestReadOnly has a store where nothing can be written: readers do not mind, and writers say so.
func TestReadOnly(t *testing.T) {
	c := newCrash(t)
	dir, remount := tmpfs(t, 64<<20)
	at := filepath.Join(dir, "store")
	write(t, at, c.before)
	remount(64<<20, syscall.MS_RDONLY)
	for _, args := range [][]string{
		{"hub", "pack", "--out", at, c.all},
		{"hub", "pack", "--out", filepath.Join(dir, "other"), c.all},
		{"hub", "add", at, c.all},
	} {
		code, stderr := c.run(args...)
		if code != 1 || !strings.Contains(stderr, dir) || !strings.Contains(stderr, "read-only file system") {
			t.Errorf("%q: exit code %d: %s", args, code, stderr)
		}
	}
	if !bytes.Equal(read(t, at), c.before) {
		t.Error("the store has changed")
	}
	only(t, at)
	c.must("hub", "list", at)
	c.must("hub", "verify", at)
	c.must("hub", "get", at, "debian/12/x86_64/6.1.0-amd64", "--out", filepath.Join(t.TempDir(), "btf"))
	c.must("generate", "--hub", at, "--out", filepath.Join(t.TempDir(), "out"), need.Repository(t, "testdata", "example", "execsnoop.bpfel.o"))
}
