package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/btfgen/btfgen/internal/output"
)

func newMan() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man [--dir DIR] [COMMAND]",
		Short: "Print the manual pages",
		Long:  "Print btfgen's manual page, or that of one of its commands, or write all of them to a folder.",
		Example: `  btfgen man | man -l -
  btfgen man generate | man -l -
  btfgen man --dir /usr/local/share/man/man1`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			page := cmd.Root()
			if len(args) == 1 {
				if dir != "" {
					return usagef("--dir writes all pages: a command along with it says nothing")
				}
				if page = subcommand(page, args[0]); page == nil {
					return usagef("no command %q", args[0])
				}
			}
			if dir == "" {
				return doc.GenMan(page, manHeader(), cmd.OutOrStdout())
			}
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return fmt.Errorf("--dir: %w", err)
			}
			for _, c := range append([]*cobra.Command{page}, page.Commands()...) {
				var b bytes.Buffer
				if err := doc.GenMan(c, manHeader(), &b); err != nil {
					return err
				}
				name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
				if err := output.File(filepath.Join(dir, name), b.Bytes()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write all pages to `DIR`; made if it is not there")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

func subcommand(root *cobra.Command, name string) *cobra.Command {
	for _, c := range root.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// manHeader dates a page by the source that it was built from, so that a build
// can be repeated.
func manHeader() *doc.GenManHeader {
	h := &doc.GenManHeader{Section: "1", Source: "btfgen " + build().Version, Manual: "btfgen"}
	if t, err := time.Parse(time.RFC3339, build().Time); err == nil {
		h.Date = &t
	}
	return h
}
