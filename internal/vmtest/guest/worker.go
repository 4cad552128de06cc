//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// childCode is the exit status of the worker's child.
const childCode = 7

func child([]string) error {
	os.Exit(childCode)
	return nil
}

// worker does a little of everything that programs watch for, by bare system calls, so that its main thread does it,
// and says what it did.
func worker([]string) error {
	w := script.Worked{
		PID: os.Getpid(), PPID: os.Getppid(),
		File: "/tmp/vmfile.txt", Missing: "/tmp/vmmissing.txt", Executed: "/bin/vmchild", Argument: "vmargument",
		MountSource: "vmsource", MountTarget: "/tmp/vmmount", Signal: int(syscall.SIGCONT), Backlog: 17,
	}
	var err error
	if w.Comm, err = ownComm(); err != nil {
		return err
	}
	for _, act := range []func(*script.Worked) error{useFiles, useMounts, useSignals, useSockets, useProcesses} {
		if err := act(&w); err != nil {
			return fmt.Errorf("process %d: %w", w.PID, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(w)
}

func useFiles(w *script.Worked) error {
	fd, err := syscall.Open(w.File, syscall.O_RDWR|syscall.O_CREAT|syscall.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	buf := make([]byte, 4)
	for _, err := range []error{
		second(syscall.Write(fd, []byte("text"))), second(syscall.Pread(fd, buf, 0)), second(syscall.Seek(fd, 0, 0)),
		second(syscall.Read(fd, buf)), syscall.Fsync(fd), syscall.Close(fd), syscall.Stat(w.File, &st), syscall.Unlink(w.File),
	} {
		if err != nil {
			return fmt.Errorf("%s: %w", w.File, err)
		}
	}
	if _, err := syscall.Open(w.Missing, syscall.O_RDONLY, 0); !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("%s should not be there: %w", w.Missing, err)
	}
	return nil
}

func second[T any](_ T, err error) error { return err }

func useMounts(w *script.Worked) error {
	link, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	ns, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "mnt:["), "]"), 10, 32)
	if err != nil {
		return err
	}
	w.MountNamespace = uint32(ns)
	if err := os.MkdirAll(w.MountTarget, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(w.MountSource, w.MountTarget, "tmpfs", 0, ""); err != nil {
		return err
	}
	return syscall.Unmount(w.MountTarget, 0)
}

func useSignals(w *script.Worked) error {
	return syscall.Kill(w.PID, syscall.Signal(w.Signal))
}

// useSockets connects to itself, sends a little and closes.
func useSockets(w *script.Worked) error {
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(listener) }()
	loopback := [4]byte{127, 0, 0, 1}
	if err := syscall.Bind(listener, &syscall.SockaddrInet4{Addr: loopback}); err != nil {
		return err
	}
	if err := syscall.Listen(listener, w.Backlog); err != nil {
		return err
	}
	if w.Port, err = portOf(listener); err != nil {
		return err
	}
	client, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.Connect(client, &syscall.SockaddrInet4{Addr: loopback, Port: w.Port}); err != nil {
		return err
	}
	if w.Client, err = portOf(client); err != nil {
		return err
	}
	server, _, err := syscall.Accept(listener)
	if err != nil {
		return err
	}
	buf := make([]byte, 4)
	return errors.Join(
		second(syscall.Write(client, []byte("text"))), second(syscall.Read(server, buf)),
		second(syscall.Write(server, []byte("text"))), second(syscall.Read(client, buf)),
		syscall.Close(client), syscall.Close(server))
}

func portOf(socket int) (int, error) {
	name, err := syscall.Getsockname(socket)
	if err != nil {
		return 0, err
	}
	v4, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("socket has name %v", name)
	}
	return v4.Port, nil
}

// useProcesses runs a child, and sleeps, so that the scheduler has something to do.
func useProcesses(w *script.Worked) error {
	cmd := exec.Command(w.Executed, w.Argument)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return fmt.Errorf("%s should have exited with %d: %w", w.Executed, childCode, err)
	}
	w.ChildPID, w.ExitCode = cmd.Process.Pid, cmd.ProcessState.ExitCode()
	pause := unix.NsecToTimespec(int64(5 * time.Millisecond))
	// A signal ends the sleep early, such as the child's end, if it comes late.
	if err := unix.Nanosleep(&pause, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("sleep: %w", err)
	}
	return nil
}
