//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ignoreFileSizeSignal makes a write past "ulimit -f" an error like that of a
// full disk. The Go runtime would end the program with a dump otherwise.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
