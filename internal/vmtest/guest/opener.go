//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// parent starts a role as a process of its own, so that its parent is not PID 1, which every tool could guess.
func parent(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: vmparent ROLE [ARGUMENT…]")
	}
	cmd := exec.Command("/bin/"+args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// opener opens the files given and says who it is.
func opener(args []string) error {
	for _, path := range args {
		// The bare system call: os.Open could be one of another thread.
		fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
		o := script.Opened{PID: os.Getpid(), PPID: os.Getppid(), Path: path}
		if o.Comm, err = ownComm(); err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
			return err
		}
	}
	return nil
}

func ownComm() (string, error) {
	comm, err := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(comm)), err
}
