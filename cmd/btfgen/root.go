package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/internal/output"
)

// The exit codes, which scripts rely on.
const (
	exitFailed = 1 // input, I/O, malformed data
	exitUsage  = 2
	exitNo     = 3 // a question was answered "no"
)

// coded is an error with an exit code other than exitFailed.
type coded struct {
	code int
	error
}

func (c coded) Unwrap() error { return c.error }

func usagef(format string, args ...any) error {
	return coded{exitUsage, fmt.Errorf(format, args...)}
}

// run carries out a command line and gives the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	c := coded{code: exitFailed}
	errors.As(err, &c)
	message := oneLine(err.Error())
	if c.code == exitUsage {
		message += " (see " + cmd.CommandPath() + " --help)"
	}
	fmt.Fprintf(stderr, "btfgen: %s\n", message)
	return c.code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "btfgen",
		Short: "minimal kernel BTF for portable eBPF programs",
		Long: `btfgen makes, from eBPF objects and the BTF of many kernels, one minimal BTF per
kernel: what the objects' CO-RE relocations need of its types and no more. A
program that ships them runs on kernels that have no BTF of their own.

An OBJECT is an eBPF ELF object, or any program or library that has such objects
built in (a libbpf skeleton's, go:embed's), all of which count.

Exit codes: 0 done; 1 failed (input, I/O, malformed data); 2 wrong usage;
3 a question was answered "no".`,
		Example: `  btfgen generate --hub btfhub-archive --out minimized opensnoop.bpf.o
  btfgen bundle --hub btfhub-archive --out btf.bundle opensnoop.bpf.o
  btfgen hub pack --out kernels.store btfhub-archive
  btfgen extract --out vmlinux.btf /boot/vmlinuz
  btfgen relocs --hub /sys/kernel/btf/vmlinux opensnoop.bpf.o
  btfgen dump --format c --type task_struct /sys/kernel/btf/vmlinux`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no command given")
			}
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usagef("unknown command %q%s", args[0], hint)
		},
		DisableAutoGenTag: true,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return coded{exitUsage, err} })
	root.AddCommand(
		newGenerate(),
		newBundle(),
		newHub(),
		newRelocs(),
		newDump(),
		newExtract(),
		newMinCoreBTF(),
		newVersion(),
		newCompletion(),
		newMan(),
	)
	return root
}

// usageArgs turns the error of a check of the arguments into one of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return coded{exitUsage, err}
		}
		return nil
	}
}

// exactArgs wants just these arguments.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("%d arguments, expected %s", len(args), strings.Join(names, " "))
		}
		return nil
	}
}

// writeOut writes to a file, whole or not at all, or to stdout.
func writeOut(cmd *cobra.Command, out string, content []byte) error {
	if out == "-" {
		_, err := cmd.OutOrStdout().Write(content)
		return err
	}
	if err := output.File(out, content); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// oneLine makes a message one line, and harmless to a terminal: file names and
// names of types come from outside.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
