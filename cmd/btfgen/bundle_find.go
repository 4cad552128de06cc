package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/kernel"
)

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
		Args: exactArgs("FILE"),
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
