package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
)

type generateFlags struct {
	kernelFlags
	out                           string
	jobs                          int
	failFast, strict, quiet, json bool
}

func newGenerate() *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate --out DIR [flags] OBJECT...",
		Short: "Make a minimal BTF for every kernel",
		Long: `Make, for every kernel, the minimal BTF of all OBJECTs together, as
DIR/distro/version/arch/release.btf. A result that is equal to an earlier one is
a symbolic link to it. Each is proven: on it, every relocation comes to what it
comes to on the kernel's full BTF.

The kernels are those of --hub, or else the built-in ones (see "btfgen help hub").

Objects of both byte orders may be given: each is for the kernels of its own. A
kernel to which none applies gets no file, and is named.

A kernel that cannot be read is skipped and named, the others are done, and the
exit code is 1; --fail-fast stops there. Interrupting is safe: a file is there as
a whole or not at all.

With --json, what was made, what was skipped and what did not resolve is one
document on stdout. It says nothing of time, and so is the same for the same
input. "zero" counts the relocations that answer 0 for what a kernel does not
have; the program asked just that, so --strict lets them pass.`,
		Example: `  btfgen generate --out minimized opensnoop.bpf.o
  btfgen generate --hub btfhub-archive --out minimized opensnoop.bpf.o
  btfgen generate --hub btfhub-archive --kernel 'debian/*' --kernel '*/arm64/*' --out minimized agent
  btfgen generate --hub linux-image-6.1.0-50-686-dbg_6.1.176-1_i386.deb --out minimized filter.bpf.o
  btfgen generate --hub vmlinux --module nf_tables.ko --out minimized filter.bpf.o`,
		Args: objectArgs,
		RunE: func(cmd *cobra.Command, objects []string) error { return f.run(cmd, objects) },
	}
	f.register(cmd)
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "`DIR` for the results; made if it is not there")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "work on `N` kernels at a time (default: one per processor)")
	fl.BoolVar(&f.failFast, "fail-fast", false, "stop at the first kernel that fails")
	fl.BoolVar(&f.strict, "strict", false, "exit with 3 if a relocation is poisoned, ambiguous or failed on some kernel")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, and no summary but what was skipped")
	fl.BoolVar(&f.json, "json", false, "print what was made as JSON")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (f *generateFlags) run(cmd *cobra.Command, paths []string) error {
	if f.out == "" {
		return usagef("--out DIR is needed")
	}
	if cmd.Flags().Changed("jobs") && f.jobs < 1 {
		return usagef("--jobs %d: expected at least 1", f.jobs)
	}
	kernels, err := f.list()
	if err != nil {
		return err
	}
	if err := f.apart(f.out, kernels.kernels); err != nil {
		return err
	}
	objects, err := openObjects(paths)
	if err != nil {
		return err
	}
	gen, err := btfgen.New(objects...)
	if err != nil {
		return err
	}
	tree, err := btfgen.NewTree(f.out)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}

	ctx, stop := interruptible(cmd.Context())
	defer stop()
	bar := newProgress(cmd.ErrOrStderr(), len(kernels.kernels), f.quiet)
	report := generateReport{Kernels: []kernelReport{}}
	start := time.Now()
	summary, err := gen.Generate(ctx, kernels, btfgen.Options{
		Jobs: f.jobs, FailFast: f.failFast, Progress: bar.report,
	}, func(r *btfgen.Result) error {
		if err := tree.Add(r); err != nil {
			return err
		}
		if f.json {
			report.Kernels = append(report.Kernels, kernelReport{
				r.Kernel, tree.Path(r.Kernel), len(r.BTF), r.Types, hex.EncodeToString(r.SHA256[:]), r.Counts,
			})
		}
		return nil
	})
	bar.finish()
	if f.json {
		if err := report.print(cmd.OutOrStdout(), summary); err != nil {
			return err
		}
	}
	if !f.quiet {
		printUsed(cmd.ErrOrStderr(), kernels)
	}
	printSummary(cmd.ErrOrStderr(), f.out, summary, f.quiet, time.Since(start))
	return f.verdict(summary, err)
}

// verdict is the error that a run ends with.
func (f *generateFlags) verdict(s *btfgen.Summary, err error) error {
	unresolved := 0
	for _, u := range s.Unresolved {
		unresolved += u.Counts.Poisoned + u.Counts.Ambiguous + u.Counts.Failed
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: %d of %d kernels are done", s.Generated, s.Kernels)
	case err != nil:
		return err
	case len(s.Failures) > 0 && f.failFast:
		return fmt.Errorf("%s, stopped there (--fail-fast): %d of %d kernels are done", counted(len(s.Failures), "failure"), s.Generated, s.Kernels)
	case len(s.Failures) > 0:
		return fmt.Errorf("%s, named above: %d of %d kernels are done", counted(len(s.Failures), "failure"), s.Generated, s.Kernels)
	case s.Generated == 0:
		return fmt.Errorf("nothing made: %w", btfgen.ErrNotApplicable)
	case f.strict && unresolved > 0:
		return coded{exitNo, fmt.Errorf("--strict: %s did not resolve on every kernel", counted(len(s.Unresolved), "relocation"))}
	}
	return nil
}
