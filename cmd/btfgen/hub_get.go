package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/hub/store"
)

func newHubGet() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "get [STORE] KERNEL --out F",
		Short: "Write one kernel's BTF out of a store",
		Long: `Write the BTF of one kernel of a store to a file, or to stdout with --out -. It has
the types of the kernel's own, in another order. KERNEL is its name as
"btfgen hub list" prints it, or the last part of it, if only one kernel has that.
Without STORE it is one of the built-in kernels.`,
		Example: `  btfgen hub get 6.1.0-50-amd64 --out vmlinux.btf
  btfgen hub get kernels.store debian/12/x86_64/6.1.0-50-amd64 --out vmlinux.btf
  btfgen hub get kernels.store 6.1.0-50-amd64 --out - | btfgen dump /dev/stdin`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usagef("%d arguments, expected [STORE] KERNEL", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("--out F is needed (- for stdout)")
			}
			last := len(args) - 1
			path, s, err := givenStore(args[:last])
			if err != nil {
				return err
			}
			defer s.Close()
			name, err := storedKernel(s, args[last])
			if err != nil {
				return about(path, err)
			}
			btf, err := s.Get(name, nil)
			if err != nil {
				if errors.Is(err, store.ErrNotFound) {
					err = fmt.Errorf("%w; \"btfgen hub list\" lists them", err)
				}
				return about(path, err)
			}
			return writeOut(cmd, out, btf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file `F` to write; - is stdout")
	return cmd
}

// storedKernel completes a kernel's release to its path.
func storedKernel(s *store.Store, name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	found := ""
	for _, k := range s.Kernels() {
		switch {
		case k.Path == name:
			return name, nil
		case !strings.HasSuffix(k.Path, "/"+name):
		case found != "":
			return "", fmt.Errorf("%s: several kernels have this release, %s and %s; say which", name, found, k.Path)
		default:
			found = k.Path
		}
	}
	if found == "" {
		return name, nil // Get knows what to say
	}
	return found, nil
}
