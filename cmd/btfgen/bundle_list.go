package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bundle"
)

// bundleReport is what bundle --json and bundle list --json print. Names and nesting are a contract: fields are added, never changed.
type bundleReport struct {
	Out      string             `json:"out,omitempty"`
	Format   string             `json:"format,omitempty"`
	Kernels  []bundledReport    `json:"kernels,omitempty"`
	Totals   bundleTotalsReport `json:"totals"`
	Failures []failureReport    `json:"failures,omitempty"`
}

type bundledReport struct {
	Kernel  string `json:"kernel"`
	Content int    `json:"content"`
	Bytes   int    `json:"bytes"`
	SHA256  string `json:"sha256"`
}

type bundleTotalsReport struct {
	Kernels       int `json:"kernels"`
	Distinct      int `json:"distinct"`
	Bytes         int `json:"bytes"`         // of the file
	KernelBytes   int `json:"kernelBytes"`   // of the BTFs, each kernel's counted
	DistinctBytes int `json:"distinctBytes"` // of the distinct ones
}

func newBundleReport(out, format string, bytes int, s bundle.Stats, summary *btfgen.Summary) *bundleReport {
	r := &bundleReport{Out: out, Format: format, Totals: bundleTotalsReport{s.Kernels, s.Contents, bytes, s.KernelBytes, s.ContentBytes}}
	for _, f := range summary.Failures {
		r.Failures = append(r.Failures, failureReport{f.Kernel, f.Err.Error()})
	}
	return r
}

func (r *bundleReport) print(w io.Writer) error { return printJSON(w, r) }

// openBundle reads a bundle's file.
func openBundle(path string) (*bundle.Bundle, int, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	b, err := bundle.Open(raw)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return b, len(raw), nil
}

func newBundleList() *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "list [flags] FILE",
		Short: "List the kernels of a bundle",
		Long: `List the kernels of a bundle, each with the size of its BTF in bytes and the number
of that BTF: kernels with the same number have the same.`,
		Example: `  btfgen bundle list btf.bundle
  btfgen bundle list --json btf.bundle`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, bytes, err := openBundle(args[0])
			if err != nil {
				return err
			}
			kernels, err := b.Kernels()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			contents, err := b.All()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			report := bundleReport{Totals: bundleTotalsReport{Kernels: len(kernels), Distinct: len(contents), Bytes: bytes}}
			for _, c := range contents {
				report.Totals.DistinctBytes += len(c)
			}
			for _, k := range kernels {
				sum := sha256.Sum256(contents[k.Content])
				report.Kernels = append(report.Kernels, bundledReport{k.Path, k.Content, len(contents[k.Content]), hex.EncodeToString(sum[:])})
				report.Totals.KernelBytes += len(contents[k.Content])
			}
			if json {
				return report.print(cmd.OutOrStdout())
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "KERNEL\tBTF\tBYTES")
			for _, k := range report.Kernels {
				fmt.Fprintf(table, "%s\t%d\t%d\n", oneLine(k.Kernel), k.Content, k.Bytes)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s, %s: %.1f bytes a kernel\n",
				counted(len(kernels), "kernel"), counted(len(contents), "distinct BTF"), size(int64(bytes)), float64(bytes)/float64(max(len(kernels), 1)))
			return nil
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print the list as JSON")
	return cmd
}
