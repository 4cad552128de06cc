package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/kernel"
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

func bundleArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("%d arguments, expected %s", len(args), strings.Join(names, " "))
		}
		return nil
	}
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
		Args: bundleArgs("FILE"),
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

func newBundleGet() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "get FILE KERNEL --out F",
		Short: "Write one kernel's BTF out of a bundle",
		Long: `Write the BTF of one kernel of a bundle to a file, or to stdout with --out -.
KERNEL is its name as "btfgen bundle list" prints it, or the last part of it, if
all kernels with that release have the same BTF.`,
		Example: `  btfgen bundle get btf.bundle ubuntu/20.04/x86_64/5.4.0-91-generic --out vmlinux.btf
  btfgen bundle get btf.bundle 5.4.0-91-generic --out - | btfgen dump /dev/stdin`,
		Args: bundleArgs("FILE", "KERNEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("--out F is needed (- for stdout)")
			}
			b, _, err := openBundle(args[0])
			if err != nil {
				return err
			}
			btf, err := getBTF(b, args[1])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return writeOut(cmd, out, btf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file `F` to write; - is stdout")
	return cmd
}

// getBTF finds a kernel by its path or, if that is enough, by its release.
func getBTF(b *bundle.Bundle, name string) ([]byte, error) {
	btf, err := b.BTF(name)
	if !errors.Is(err, bundle.ErrNotFound) || strings.Contains(name, "/") {
		if errors.Is(err, bundle.ErrNotFound) {
			err = fmt.Errorf("%w; \"btfgen bundle list\" lists them", err)
		}
		return btf, err
	}
	kernels, errList := b.Kernels()
	if errList != nil {
		return nil, errList
	}
	var found []bundle.Kernel
	for _, k := range kernels {
		if strings.HasSuffix(k.Path, "/"+name) {
			if len(found) > 0 && found[0].Content != k.Content {
				return nil, fmt.Errorf("%s: kernels of this release have different BTF: %s and %s; say which", name, found[0].Path, k.Path)
			}
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w; \"btfgen bundle list\" lists them", err)
	}
	return b.Content(found[0].Content)
}

func newBundleFind() *cobra.Command {
	var release, machine, osRelease string
	var consensus, json bool
	cmd := &cobra.Command{
		Use:   "find [flags] FILE",
		Short: "Tell which BTF of a bundle a host would get, and why",
		Long: `Tell which kernel's BTF a program with this bundle would use on a host, and by
which rule. The host is this one, or described by what "uname -r" and "uname -m"
say there and by its /etc/os-release.

Exit code 3: no BTF of the bundle is for this host.`,
		Example: `  btfgen bundle find btf.bundle
  btfgen bundle find --release 5.4.0-91-generic --machine x86_64 btf.bundle
  btfgen bundle find --release 4.18.0-80.el8.x86_64 --machine x86_64 --os-release ./os-release btf.bundle`,
		Args: bundleArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (release == "") != (machine == "") {
				return usagef("--release and --machine go together")
			}
			if osRelease != "" && release == "" {
				return usagef("--os-release describes another host: it needs --release and --machine")
			}
			b, _, err := openBundle(args[0])
			if err != nil {
				return err
			}
			host := kernel.Host{Release: release, Machine: machine}
			switch {
			case release == "":
				if host, err = kernel.ThisHost(); err != nil {
					return fmt.Errorf("this host's kernel: %w; describe one with --release and --machine", err)
				}
			case osRelease != "":
				text, err := os.ReadFile(osRelease)
				if err != nil {
					return fmt.Errorf("--os-release: %w", err)
				}
				host.OS = kernel.ParseOSRelease(text)
			}
			match, err := b.Find(host, consensus)
			if err != nil {
				if errors.As(err, new(*kernel.NotFoundError)) || errors.As(err, new(*kernel.AmbiguousError)) {
					return coded{exitNo, err}
				}
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if json {
				return printJSON(cmd.OutOrStdout(), struct {
					Host    string `json:"host"`
					Kernel  string `json:"kernel"`
					Content int    `json:"content"`
					Rule    string `json:"rule"`
				}{host.String(), match.Path, match.Content, match.Rule})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n", oneLine(match.Path), oneLine(match.Rule))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&release, "release", "", "the host's `RELEASE`, uname -r")
	f.StringVar(&machine, "machine", "", "the host's `MACHINE`, uname -m")
	f.StringVar(&osRelease, "os-release", "", "the host's os-release `FILE`")
	f.BoolVar(&consensus, "consensus", false, "for a release that is not there, take what all kernels of its series have in common")
	f.BoolVar(&json, "json", false, "print the answer as JSON")
	return cmd
}
