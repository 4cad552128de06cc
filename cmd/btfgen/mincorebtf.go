package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/output"
)

func newMinCoreBTF() *cobra.Command {
	return &cobra.Command{
		Use:   "min_core_btf INPUT OUTPUT OBJECT...",
		Short: "Make one kernel's minimal BTF, as bpftool gen min_core_btf",
		Long: `Make the minimal BTF of one kernel for all OBJECTs together: argument for
argument what "bpftool gen min_core_btf" does, for existing build files.

INPUT is the kernel's BTF, raw, packed, or in an ELF file such as vmlinux. OUTPUT
is written as a whole or not at all. OBJECTs of another byte order than INPUT do
not count.`,
		Example: `  btfgen min_core_btf 5.4.0-91-generic.btf min.btf opensnoop.bpf.o
  btfgen min_core_btf /sys/kernel/btf/vmlinux min.btf agent`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 3 {
				return usagef("%d arguments, expected at least 3: INPUT OUTPUT OBJECT...", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			types, err := loadTypes(args[0])
			if err != nil {
				return err
			}
			objects, err := openObjects(args[2:])
			if err != nil {
				return err
			}
			gen, err := btfgen.New(objects...)
			if err != nil {
				return err
			}
			minimal, err := gen.Minimize(types)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			// From here on there is something to clear away.
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if err := output.File(args[1], minimal); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return fmt.Errorf("interrupted; %s is complete", args[1])
			}
			return nil
		},
	}
}

// loadTypes reads the BTF in a single file, packed or not.
func loadTypes(path string) ([]byte, error) {
	source, err := hub.Open(path)
	if err != nil {
		return nil, err
	}
	kernels, problems, err := source.Kernels()
	switch {
	case err != nil:
		return nil, err
	case len(kernels) != 1 || len(problems) > 0 || kernels[0].Path != path:
		return nil, fmt.Errorf("%s: is a folder, expected a file with BTF", path)
	}
	types, err := kernels[0].Load(hub.NewReader())
	return types.Vmlinux, err
}
