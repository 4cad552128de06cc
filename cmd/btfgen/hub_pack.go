package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
)

type hubPackFlags struct {
	fillFlags
	out string
}

func newHubPack() *cobra.Command {
	var f hubPackFlags
	cmd := &cobra.Command{
		Use:   "pack --out STORE [flags] PATH...",
		Short: "Make a store of an archive tree",
		Long: `Make a kernel store of the kernels at each PATH: an archive tree, a kernel's file or
another store, as for --hub.

The store's bytes depend on the kernels alone. A store that is there is replaced
when the new one is whole. Until then the kernels that are done are kept in
STORE.partial: after an interruption the same command goes on from there.

If a kernel fails, STORE is not written; --keep-going leaves such kernels out. All
but the first of several kernels with the same name are failures.`,
		Example: `  btfgen hub pack --out kernels.store btfhub-archive
  btfgen hub pack --out debian.store --kernel 'debian/*' btfhub-archive
  btfgen hub pack --out mine.store linux-image-*.deb
  btfgen hub pack --out all.store ours.store theirs.store`,
		Args: pathArgs,
		RunE: func(cmd *cobra.Command, paths []string) error { return f.run(cmd, paths) },
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "`STORE` to write")
	return cmd
}

func pathArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no PATH given: expected archive trees, kernels' files or stores")
	}
	return nil
}

func (f *hubPackFlags) run(cmd *cobra.Command, paths []string) error {
	switch {
	case f.out == "":
		return usagef("--out STORE is needed")
	case f.out == "-":
		return usagef("--out -: a store is a file that is read from anywhere in it; it cannot go to stdout")
	}
	if info, err := os.Stat(f.out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--out: %s: expected a store's file, or that there is none", f.out)
	}
	kernels, err := f.kernels(cmd, paths)
	if err != nil {
		return err
	}
	saveMemory()
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	stderr := cmd.ErrOrStderr()
	start := time.Now()
	say := func(format string, args ...any) {
		if !f.quiet {
			fmt.Fprintln(stderr, oneLine(fmt.Sprintf(format, args...)))
		}
	}
	bar := newProgress(stderr, len(kernels.kernels), f.quiet)
	options := f.options(bar)
	options.Resume = func(r hub.Resumed) {
		if r.Discarded != nil {
			say("%v: starting over", r.Discarded)
			return
		}
		say("going on with %s: %d of %s are done", r.Partial, r.Done, counted(r.Total, "kernel"))
	}
	summary, err := hub.Pack(ctx, f.out, kernels, options)
	bar.finish()
	failures := leftOut(summary)
	printLeftOut(stderr, &btfgen.Summary{Failures: failures}, f.quiet)
	if err != nil {
		return f.notPacked(err, summary)
	}

	s, err := openStore(f.out)
	if err != nil {
		return err
	}
	defer s.Close()
	if f.json {
		if err := newStoreReport(f.out, s, failures).print(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	stats := s.Stats()
	say("%s packed in %s: %s of BTF as %s in %s", counted(stats.Kernels, "kernel"), duration(time.Since(start)), size(stats.Original), size(stats.Bytes), f.out)
	say("%d definitions, %d strings, %s a kernel", stats.Definitions, stats.Strings, size(stats.Bytes/int64(stats.Kernels)))
	return nil
}

// notPacked says why there is no new store, and what is left.
func (f *hubPackFlags) notPacked(err error, summary *hub.StoreSummary) error {
	left := (*hub.LeftOutError)(nil)
	switch {
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("interrupted: %d of %s are done", summary.Done, counted(summary.Total, "kernel"))
	case errors.As(err, &left):
		err = fmt.Errorf("%s, named above: %s is not written (--keep-going leaves them out)", counted(len(left.Kernels), "failure"), f.out)
	case !errors.Is(err, hub.ErrNoKernels):
		err = fmt.Errorf("--out: %w", err)
	}
	if summary != nil && summary.Partial != "" {
		err = fmt.Errorf("%w; what is done is kept in %s: the same command goes on from there", err, summary.Partial)
	}
	return err
}
