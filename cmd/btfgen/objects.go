package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/bpfelf"
)

// objectArgs wants at least one OBJECT.
func objectArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no OBJECT given: expected eBPF objects, or programs with such objects inside")
	}
	return nil
}

// openObjects reads the eBPF objects in files, all that are inside.
func openObjects(paths []string) ([]*bpfelf.Object, error) {
	var objects []*bpfelf.Object
	for _, path := range paths {
		found, err := bpfelf.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: expected an eBPF object, or a program with one inside", err)
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}
