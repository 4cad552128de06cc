package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxFile is how many bytes are read of a file that describes the host. A real os-release has less than one KiB.
const maxFile = 64 << 10

// maxLinks is how many symbolic links are followed on the way to a file, as in the kernel's own look-up (path_resolution(7)).
const maxLinks = 40

// ThisHost describes the host that runs this program, by uname(2) and the os-release of "/", which in a container is the
// container's: see Host.Container. A missing os-release is no error. The error is uname's.
func ThisHost() (Host, error) {
	h, err := uname()
	if err != nil {
		return Host{}, err
	}
	// Not HostAt("/"): the kernel follows links here, and programs that call nothing else do without os.Root, in size and in time.
	read := func(path string) ([]byte, error) {
		return readFile(os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0))
	}
	h.OS = firstOSRelease(func(path string) ([]byte, error) { return read("/" + path) })
	h.Container = container(func(path string) ([]byte, bool) {
		b, err := read(path)
		return b, err == nil
	}, os.Getenv)
	return h, nil
}

// HostAt describes this host by uname(2) and the os-release below root, for a container that has the host's file system
// mounted there. Symbolic links are followed as if root were "/", so nothing outside of it is read. What root holds is taken
// to be the host's own: Container is empty. A missing os-release is no error, but a root that is no folder is one.
func HostAt(root string) (Host, error) {
	h, err := uname()
	if err != nil {
		return Host{}, err
	}
	top, err := os.OpenRoot(root)
	if err != nil {
		return Host{}, fmt.Errorf("os-release of this host: %w", err)
	}
	defer top.Close()
	h.OS = firstOSRelease(func(path string) ([]byte, error) { return readBelow(top, path) })
	return h, nil
}

func uname() (Host, error) {
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return Host{}, fmt.Errorf("kernel of this host: %w", os.NewSyscallError("uname", err))
	}
	return Host{Release: text(name.Release[:]), Machine: text(name.Machine[:])}, nil
}

// firstOSRelease reads the file of os-release(5) that counts: the second place only where there is nothing in the first.
func firstOSRelease(read func(path string) ([]byte, error)) OSRelease {
	for _, path := range []string{"etc/os-release", "usr/lib/os-release"} {
		if b, err := read(path); err == nil {
			return ParseOSRelease(b)
		}
	}
	return OSRelease{}
}

// text returns what is before the first zero of a field of utsname, whose elements are signed on some architectures.
func text[C int8 | uint8](field []C) string {
	b := make([]byte, 0, len(field))
	for _, c := range field {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// readBelow returns the first 64 KiB of a regular file below top. Links are resolved here, since os.Root refuses absolute
// ones, which in a mounted root mean that root; os.Root in turn sees to it that nothing outside is opened whoever changes
// links meanwhile.
func readBelow(top *os.Root, path string) ([]byte, error) {
	path, err := resolve(top, path)
	if err != nil {
		return nil, err
	}
	return readFile(top.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0))
}

// readFile reads the first 64 KiB of what an opening returned, and closes it, if it is a regular file. It has to be opened with
// O_NONBLOCK, since without it opening a FIFO waits for a writer.
func readFile(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", f.Name())
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// resolve returns path without the symbolic links in it, as if top were the root of the file system: absolute links start
// there, and its parent is itself.
func resolve(top *os.Root, path string) (string, error) {
	var done []string // no links up to here
	todo := strings.Split(path, "/")
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = done[:max(len(done)-1, 0)]
			continue
		}
		done = append(done, part)
		here := strings.Join(done, "/")
		info, err := top.Lstat(here)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", path, syscall.ELOOP)
		}
		link, err := top.Readlink(here)
		if err != nil {
			return "", err
		}
		done = done[:len(done)-1]
		if strings.HasPrefix(link, "/") {
			done = done[:0]
		}
		todo = append(strings.Split(link, "/"), todo...)
	}
	if len(done) == 0 {
		return "", errors.New("a link to the root folder")
	}
	return strings.Join(done, "/"), nil
}
