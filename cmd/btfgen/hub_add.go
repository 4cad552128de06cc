package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
)

func newHubAdd() *cobra.Command {
	var f fillFlags
	cmd := &cobra.Command{
		Use:   "add [flags] STORE PATH...",
		Short: "Add kernels to a store",
		Long: `Add the kernels at each PATH to a store: an archive tree, a kernel's file or another
store, as for --hub. What the store has is not rewritten, but appended to. A kernel
that it has already, by name, stays as it is.

If a kernel fails, or on an interruption, nothing is added; --keep-going leaves
failing kernels out.`,
		Example: `  btfgen hub add kernels.store new-kernels
  btfgen hub add --kernel 'debian/12/*' kernels.store btfhub-archive`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no STORE given")
			}
			return pathArgs(cmd, args[1:])
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.add(cmd, args[0], args[1:]) },
	}
	f.register(cmd)
	return cmd
}

func (f *fillFlags) add(cmd *cobra.Command, path string, paths []string) error {
	kernels, err := f.kernels(cmd, paths)
	if err != nil {
		return err
	}
	saveMemory()
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	start := time.Now()
	stderr := cmd.ErrOrStderr()
	bar := newProgress(stderr, len(kernels.kernels), f.quiet)
	summary, err := hub.Add(ctx, path, kernels, f.options(bar))
	bar.finish()
	if summary == nil {
		return noStore(path, err)
	}
	failures := leftOut(summary)
	printLeftOut(stderr, &btfgen.Summary{Failures: failures}, f.quiet)
	left := (*hub.LeftOutError)(nil)
	switch {
	case err == nil:
		return f.reportAdded(cmd, path, summary, time.Since(start))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: nothing is added")
	case errors.As(err, &left):
		return fmt.Errorf("%s, named above: nothing is added (--keep-going leaves them out)", counted(len(left.Kernels), "failure"))
	case summary.Done == 0:
		return fmt.Errorf("%w: nothing is added", about(path, err))
	}
	return about(path, err)
}

// reportAdded reads back what a store has got.
func (f *fillFlags) reportAdded(cmd *cobra.Command, path string, summary *hub.StoreSummary, took time.Duration) error {
	s, err := openStore(path)
	if err != nil {
		return err
	}
	defer s.Close()
	added := make(map[string]bool)
	for _, k := range summary.Kernels {
		if k.Outcome == hub.Added {
			added[k.Kernel] = true
		}
	}
	there := summary.Count(hub.AlreadyThere)
	report := newStoreReport(path, s, leftOut(summary))
	report.Kernels = slices.DeleteFunc(report.Kernels, func(k storedReport) bool { return !added[k.Kernel] })
	report.Series = seriesOf(report.Kernels)
	report.AlreadyThere = &there
	if f.json {
		if err := report.print(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	if f.quiet {
		return nil
	}
	stderr := cmd.ErrOrStderr()
	definitions, bytes := 0, int64(0)
	for _, k := range report.Kernels {
		definitions += k.New
		bytes += k.Added
	}
	if n := len(report.Kernels); n > 0 {
		fmt.Fprintf(stderr, "%s added in %s: %s, %s\n", counted(n, "kernel"), duration(took), counted(definitions, "new definition"), size(bytes))
	} else {
		fmt.Fprintln(stderr, "nothing added")
	}
	if there > 0 {
		fmt.Fprintf(stderr, "left as they were, being there already: %s\n", counted(there, "kernel"))
	}
	fmt.Fprintf(stderr, "%s in %s, %s\n", counted(report.Totals.Kernels, "kernel"), oneLine(path), size(report.Totals.Bytes))
	return nil
}
