package machine

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
)

// Files are the regular files of an initial RAM disk: absolute paths to contents. All are executable.
type Files map[string][]byte

// WriteTo writes the files, and the folders that they are in, as a cpio archive in the format "newc"
// (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's sources). /dev and /dev/console are in it as
// well: the kernel opens the console before /init could mount a devtmpfs.
func (f Files) WriteTo(w io.Writer) (int64, error) {
	a := archive{w: bufio.NewWriterSize(w, 1<<20)}
	folders := map[string]bool{"/": true}
	a.folder(folders, "/dev")
	a.entry("/dev/console", modeCharDevice|0o600, 5, 1, nil)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		a.folder(folders, path.Dir(name))
		a.entry(name, modeRegular|0o755, 0, 0, f[name])
	}
	a.entry("/TRAILER!!!", 0, 0, 0, nil)
	if a.err == nil {
		a.err = a.w.Flush()
	}
	return a.written, a.err
}

// File types of st_mode.
const (
	modeRegular    = 0o100000
	modeFolder     = 0o040000
	modeCharDevice = 0o020000
)

type archive struct {
	w       *bufio.Writer
	inode   int
	written int64
	err     error
}

// folder adds a folder and those above it, once.
func (a *archive) folder(done map[string]bool, name string) {
	if done[name] {
		return
	}
	done[name] = true
	a.folder(done, path.Dir(name))
	a.entry(name, modeFolder|0o755, 0, 0, nil)
}

// entry adds a file: thirteen numbers of eight hexadecimal digits, the name, the content, each filled up to four bytes.
func (a *archive) entry(name string, mode, major, minor int, content []byte) {
	a.inode++
	name = name[1:] + "\x00"
	const noOwner, noTime, noDevice, noChecksum = 0, 0, 0, 0
	a.write([]byte("070701"))
	for _, n := range []int{a.inode, mode, noOwner, noOwner, 1, noTime, len(content), noDevice, noDevice, major, minor, len(name), noChecksum} {
		a.write(fmt.Appendf(nil, "%08x", n))
	}
	a.write([]byte(name))
	a.fill()
	a.write(content)
	a.fill()
}

func (a *archive) fill() {
	a.write(make([]byte, -a.written&3))
}

func (a *archive) write(b []byte) {
	if a.err != nil {
		return
	}
	n, err := a.w.Write(b)
	a.written += int64(n)
	a.err = err
}
