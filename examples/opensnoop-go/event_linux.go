package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// pathShown is how many bytes of a path are shown.
const pathShown = 256

// config is struct config of bpf/opensnoop.h.
type config struct {
	PID, FailedOnly int32
}

// allProcesses is the PID of a config that asks for no one process.
const allProcesses = -1

// event is struct event of bpf/opensnoop.h.
type event struct {
	PID, Parent int32
	Result      int32 // a file descriptor, or the negative error number
	PathSize    int32 // bytes with the final zero, or negative
	Comm        [16]byte
	Path        [pathShown + 4]byte
}

const header = "PID     PPID    COMM             RESULT   PATH\n"

// parseEvent reads a sample of the perf event array, which may be longer than the event.
func parseEvent(sample []byte) (e event, err error) {
	if _, err := binary.Decode(sample, binary.NativeEndian, &e); err != nil {
		return e, fmt.Errorf("event of %d bytes: %w", len(sample), err)
	}
	return e, nil
}

// String is the event's line.
func (e *event) String() string {
	comm, _, _ := bytes.Cut(e.Comm[:], []byte{0})
	return fmt.Sprintf("%-7d %-7d %s %-8s %s\n", e.PID, e.Parent, pad(printable(comm), len(e.Comm)), e.result(), e.path())
}

func (e *event) result() string {
	if e.Result < 0 {
		if name := unix.ErrnoName(syscall.Errno(-e.Result)); name != "" {
			return name
		}
	}
	return strconv.Itoa(int(e.Result))
}

func (e *event) path() string {
	if e.PathSize <= 0 {
		return "?"
	}
	path, _, _ := bytes.Cut(e.Path[:], []byte{0})
	if len(path) > pathShown {
		return printable(path[:pathShown]) + "..."
	}
	return printable(path)
}

// pad fills up to width bytes. (fmt counts characters, and a name may be cut within one.)
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len(s)))
}

// printable writes what would break a line or move a cursor as \xNN.
func printable(s []byte) string {
	var out []byte
	for _, c := range s {
		if c < ' ' || c == 0x7f || c == '\\' {
			out = fmt.Appendf(out, `\x%02x`, c)
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
