package exampletest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childVar tells this test's program that it is the process to be watched: it names the folder with the files to open.
const childVar = "BTFGEN_EXAMPLE_CHILD"

// childName is as long as a process's name can be.
const childName = `known \ opener!`

// An opening is what the child does, and how it is to be told.
type opening struct {
	call   func(path string) (fd int) // negative if it failed
	path   string
	result string // "" for a file descriptor
	shown  string // of the path
}

// openings are what the child opens, in this order. dir has a file "known" and nothing else.
func openings(dir string) []opening {
	known := filepath.Join(dir, "known")
	exact := dir + strings.Repeat("/", 256-len(dir)-len("known")) + "known"
	long := dir + strings.Repeat("/.", 256)
	return []opening{
		{openat, known, "", known},
		{openat, known + "/below", "ENOTDIR", known + "/below"},
		{openat, dir + "/absent", "ENOENT", dir + "/absent"},
		{openat, dir + "/new\nline\\", "ENOENT", dir + `/new\x0aline\x5c`},
		{openat, dir + "/Käse", "ENOENT", dir + "/Käse"},
		{openat, exact, "", exact},
		{openat, long, "", long[:256] + "..."},
		{openat2, known, "", known},
		{openNowhere, "", "EFAULT", "?"},
	}
}

func openat(path string) int {
	fd, _ := unix.Open(path, unix.O_RDONLY, 0)
	return fd
}

func openat2(path string) int {
	fd, _ := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_RDONLY})
	return fd
}

// openNowhere opens a path at an address where there is no memory.
func openNowhere(string) int {
	here := unix.AT_FDCWD
	if fd, _, err := unix.Syscall6(unix.SYS_OPENAT, uintptr(here), 1, 0, 0, 0, 0); err == 0 {
		return int(fd)
	}
	return -1
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		if err := openAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openAll is the child: for each line that it reads it opens everything once, and prints the results in a line.
func openAll(dir string) error {
	runtime.LockOSThread()
	// The kernel keeps events by processor, and says nothing of their order between two.
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return err
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	name := append([]byte(childName), 0)
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var results []string
		for _, o := range openings(dir) {
			fd := o.call(o.path)
			results = append(results, strconv.Itoa(fd))
			if fd >= 0 {
				if err := unix.Close(fd); err != nil {
					return err
				}
			}
		}
		fmt.Println(strings.Join(results, " "))
	}
	return nil
}

// A child is the process to be watched.
type child struct {
	dir   string
	pid   int
	stdin io.Writer
	out   *bufio.Scanner
}

// startChild starts it, and stops it at the end of the test.
func startChild(t *testing.T) *child {
	t.Helper()
	c := &child{dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(c.dir, "known"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVar+"="+c.dir)
	cmd.Stderr = os.Stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
			t.Errorf("the process that was watched: %v", err)
		}
	})
	c.pid, c.stdin, c.out = cmd.Process.Pid, stdin, bufio.NewScanner(stdout)
	c.open(t) // what a program opens when it starts has been opened by now
	return c
}

// open makes the child open everything once, and returns the lines that are to tell it.
func (c *child) open(t *testing.T) (lines []string) {
	t.Helper()
	if _, err := io.WriteString(c.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	if !c.out.Scan() {
		t.Fatalf("the process that was watched has ended: %v", c.out.Err())
	}
	fds := strings.Fields(c.out.Text())
	for i, o := range openings(c.dir) {
		result := o.result
		if result == "" {
			result = fds[i]
		}
		if failed := fds[i] == "-1"; failed != (o.result != "") {
			t.Fatalf("opening %q gave %s, expected %q", o.path, fds[i], o.result)
		}
		lines = append(lines, fmt.Sprintf(`%-7d %-7d known \x5c opener! %-8s %s`, c.pid, os.Getpid(), result, o.shown))
	}
	return lines
}

// failures are those of lines that tell of a failure.
func (c *child) failures(lines []string) (failed []string) {
	for i, o := range openings(c.dir) {
		if o.result != "" {
			failed = append(failed, lines[i])
		}
	}
	return failed
}
