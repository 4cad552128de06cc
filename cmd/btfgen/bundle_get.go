package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/bundle"
)

func newBundleGet() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "get FILE KERNEL --out F",
		Short: "Write one kernel's BTF out of a bundle",
		Long: `Write the BTF of one kernel of a bundle to a file, or to stdout with --out -.
KERNEL is its name as "btfgen bundle list" prints it, or the last part of it, if
all kernels with that release have the same BTF.`,
		Example: `  btfgen bundle get btf.bundle ubuntu/20.04/x86_64/5.4.0-91-generic --out vmlinux.btf
  btfgen bundle get btf.bundle 5.4.0-91-generic --out - | btfgen dump /dev/stdin`,
		Args: exactArgs("FILE", "KERNEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("--out F is needed (- for stdout)")
			}
			b, _, err := openBundle(args[0])
			if err != nil {
				return err
			}
			btf, err := getBTF(b, args[1])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return writeOut(cmd, out, btf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file `F` to write; - is stdout")
	return cmd
}

// getBTF finds a kernel by its path or, if that is enough, by its release.
func getBTF(b *bundle.Bundle, name string) ([]byte, error) {
	btf, err := b.BTF(name)
	if !errors.Is(err, bundle.ErrNotFound) || strings.Contains(name, "/") {
		if errors.Is(err, bundle.ErrNotFound) {
			err = fmt.Errorf("%w; \"btfgen bundle list\" lists them", err)
		}
		return btf, err
	}
	kernels, errList := b.Kernels()
	if errList != nil {
		return nil, errList
	}
	var found []bundle.Kernel
	for _, k := range kernels {
		if strings.HasSuffix(k.Path, "/"+name) {
			if len(found) > 0 && found[0].Content != k.Content {
				return nil, fmt.Errorf("%s: kernels of this release have different BTF: %s and %s; say which", name, found[0].Path, k.Path)
			}
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w; \"btfgen bundle list\" lists them", err)
	}
	return b.Content(found[0].Content)
}
