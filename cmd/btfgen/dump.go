package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/btf"
)

var dumpFormats = map[string]func(*btf.BTF, io.Writer, []btf.ID) error{
	"raw":  (*btf.BTF).DumpRaw,
	"c":    (*btf.BTF).DumpC,
	"json": (*btf.BTF).DumpJSON,
}

func newDump() *cobra.Command {
	var format, base string
	var names []string
	cmd := &cobra.Command{
		Use:   "dump [flags] FILE",
		Short: "Print types as text, C or JSON",
		Long: `Print the types of FILE: raw BTF or an ELF file with a .BTF section (vmlinux, a
module, an eBPF object), packed (.xz, .gz, .zst, .tar.xz) or not; or of anything
that "btfgen extract" gets BTF out of.

The formats: raw is line for line what "bpftool btf dump file FILE" prints, c is
a header that clang and gcc compile, json is one document of all types.`,
		Example: `  btfgen dump /sys/kernel/btf/vmlinux | grep task_struct
  btfgen dump --format c vmlinux > vmlinux.h
  btfgen dump --format c --type task_struct 5.4.0-91-generic.btf.tar.xz
  btfgen dump --base /sys/kernel/btf/vmlinux /sys/kernel/btf/nf_tables`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%d arguments, expected one FILE", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dump, ok := dumpFormats[format]
			if !ok {
				return usagef("--format %q: expected raw, c or json", format)
			}
			b, err := openTypes(args[0], base)
			if err != nil {
				return err
			}
			var ids []btf.ID
			if len(names) > 0 {
				if ids, err = named(b, names); err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
			}
			if err := dump(b, cmd.OutOrStdout(), ids); err != nil {
				return fmt.Errorf("dump of %s: %w%s", args[0], err, splitHint(b, base))
			}
			if hint := splitHint(b, base); hint != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "btfgen: warning: %s is not valid on its own%s\n", oneLine(args[0]), hint)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&format, "format", "f", "raw", "`FORMAT`: raw, c or json")
	f.StringVarP(&base, "base", "B", "", "`FILE` with the types that FILE's split BTF is based on")
	f.StringArrayVar(&names, "type", nil, "only types of this `NAME`, with --format c also what they need; repeatable")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"raw", "c", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// openTypes reads a file's types; base, if not "", those that they are based on.
func openTypes(path, base string) (*btf.BTF, error) {
	raw, err := loadTypes(path)
	if err != nil {
		return nil, err
	}
	if base == "" {
		b, err := btf.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return b, nil
	}
	below, err := openTypes(base, "")
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	b, err := btf.ParseSplit(raw, below)
	if err != nil {
		return nil, fmt.Errorf("%s on the base %s: %w", path, base, err)
	}
	return b, nil
}

// splitHint says what to do about types that are not valid on their own, as
// those of split BTF are not.
func splitHint(b *btf.BTF, base string) string {
	if base != "" || b.Validate() == nil {
		return ""
	}
	return "; if this is split BTF, say on what: --base FILE"
}

// named are the types that have one of the names, by id, those of a base too.
func named(b *btf.BTF, names []string) ([]btf.ID, error) {
	found := make([]bool, len(names))
	var ids []btf.ID
	for id := btf.ID(1); id < b.End(); id++ {
		i := slices.Index(names, string(b.NameBytes(id)))
		if i >= 0 && names[i] != "" {
			found[i] = true
			ids = append(ids, id)
		}
	}
	var missing []string
	for i, ok := range found {
		if !ok {
			missing = append(missing, names[i])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no type named %s", strings.Join(missing, ", "))
	}
	return ids, nil
}
