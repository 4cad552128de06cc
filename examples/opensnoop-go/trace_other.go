//go:build !linux

package main

import (
	"errors"
	"io"
)

func trace(options, io.Writer, io.Writer) error {
	return errors.New("eBPF programs of this kind run on Linux only")
}
