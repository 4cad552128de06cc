//go:build linux

package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"

	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// dump prints a file.
func dump(args []string) error {
	for _, path := range args {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(os.Stdout)
		if err := script.Dump(out, raw); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// sum prints the SHA-256 of files.
func sum(args []string) error {
	for _, path := range args {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Printf("%x\n", sha256.Sum256(raw))
	}
	return nil
}
