package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newHubVerify() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:   "verify [flags] [STORE]",
		Short: "Check a store: all checksums, and each kernel's types",
		Long: `Check a store as a whole, without STORE the built-in one: all checksums, and that
each kernel's types can be put together and are what they were when it was added.`,
		Example: `  btfgen hub verify
  btfgen hub verify kernels.store`,
		Args: atMostStore,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, s, err := givenStore(args)
			if err != nil {
				return err
			}
			defer s.Close()
			stats := s.Stats()
			stderr := cmd.ErrOrStderr()
			bar := newProgress(stderr, stats.Kernels, quiet)
			err = s.Verify(bar.report)
			bar.finish()
			if err != nil {
				return fmt.Errorf("%w; \"btfgen hub pack\" makes it anew", about(name, err))
			}
			if quiet {
				return nil
			}
			fmt.Fprintf(stderr, "%s in %s, %s: all whole\n", counted(stats.Kernels, "kernel"), oneLine(name), size(stats.Bytes))
			if info, err := os.Stat(name); err == nil && info.Size() > stats.Bytes {
				fmt.Fprintf(stderr, "%s behind it are of an interrupted \"btfgen hub add\"; the next one removes them\n", counted(int(info.Size()-stats.Bytes), "byte"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress, no word but errors")
	return cmd
}
