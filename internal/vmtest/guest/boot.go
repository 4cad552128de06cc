//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// kernelBTF is the folder where a kernel shows its BTF.
const kernelBTF = "/sys/kernel/btf"

// boot is PID 1. It never returns.
func boot() {
	// What comes before the report can be written goes to the console, as a panic does at any time.
	for _, m := range []struct{ folder, kind string }{
		{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"}, {"/tmp", "tmpfs"}, {"/run", "tmpfs"},
		{"/sys/kernel/debug", "debugfs"}, {"/sys/kernel/tracing", "tracefs"}, {"/sys/fs/bpf", "bpf"}, {"/sys/fs/cgroup", "cgroup2"},
	} {
		// Some are there already, as a file system's own folder.
		_ = os.MkdirAll(m.folder, 0o755)
		if err := syscall.Mount(m.kind, m.folder, m.kind, 0, ""); err != nil && err != syscall.EBUSY {
			fmt.Printf("init: mount %s: %v\n", m.folder, err)
		}
	}
	out, err := openResults()
	if err != nil {
		fmt.Printf("init: %v\n", err)
		powerOff()
	}
	r := &reporter{out: out}
	if err := prepare(); err != nil {
		r.failed(err)
	}
	r.event(script.Event{Kind: script.Booted, Text: identity()})
	steps, err := readSteps()
	if err != nil {
		r.failed(err)
	}
	for _, s := range steps {
		if err := r.step(s); err != nil {
			r.failed(fmt.Errorf("step %s: %w", s.Name, err))
		}
	}
	r.event(script.Event{Kind: script.Done})
	// Waits until the port has sent everything (tcdrain).
	_ = unix.IoctlSetInt(int(out.Fd()), unix.TCSBRK, 1)
	powerOff()
}

func prepare() error {
	if err := os.MkdirAll("/bin", 0o755); err != nil {
		return err
	}
	for role := range roles {
		if err := os.Symlink("/init", filepath.Join("/bin", role)); err != nil {
			return err
		}
	}
	// Some programs ask for a home, and for a path.
	for name, value := range map[string]string{"PATH": "/bin", "HOME": "/tmp", "TMPDIR": "/tmp"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return loopbackUp()
}

// loopbackUp switches the loopback device on, which gives it its addresses.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("lo up: %w", err)
	}
	return nil
}

// openResults opens the port as a plain stream of bytes.
func openResults() (*os.File, error) {
	f, err := os.OpenFile(script.ResultsPort, os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	term, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", script.ResultsPort, err)
	}
	term.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, term); err != nil {
		return nil, fmt.Errorf("%s: %w", script.ResultsPort, err)
	}
	return f, nil
}

func identity() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

func readSteps() (steps []script.Step, err error) {
	raw, err := os.ReadFile(script.StepsPath)
	if err != nil {
		return nil, err
	}
	return steps, json.Unmarshal(raw, &steps)
}

// hideBTF covers the kernel's BTF with an empty folder, if the kernel has any.
func hideBTF() error {
	if _, err := os.Stat(kernelBTF); err != nil {
		return nil
	}
	if err := syscall.Mount("none", kernelBTF, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("hiding %s: %w", kernelBTF, err)
	}
	if left, err := os.ReadDir(kernelBTF); err != nil || len(left) > 0 {
		return fmt.Errorf("%s still shows %d files (%w)", kernelBTF, len(left), err)
	}
	return nil
}

func showBTF() error {
	if _, err := os.Stat(kernelBTF); err != nil {
		return nil
	}
	return syscall.Unmount(kernelBTF, 0)
}

func powerOff() {
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	// Without a power switch, a restart ends the machine as well.
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	select {}
}

// A reporter writes events. It may be used by several goroutines.
type reporter struct {
	mu  sync.Mutex
	out *os.File
}

func (r *reporter) event(e script.Event) {
	e.Text = strings.ToValidUTF8(e.Text, "?")
	line, err := json.Marshal(e)
	if err != nil {
		fmt.Printf("init: %v\n", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.out.Write(append(line, '\n')); err != nil {
		fmt.Printf("init: %v\n", err)
	}
}

func (r *reporter) failed(err error) { r.event(script.Event{Kind: script.Failed, Text: err.Error()}) }
