package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker to what git describes the source as; without
// that, the module's version as go install knows it counts.
var version string

type buildReport struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source, "" if unknown
	Modified bool   `json:"modified"` // the source differs from the revision
	Time     string `json:"time"`     // of the revision, RFC 3339
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionReport is what version --json prints. Names and nesting are a contract:
// fields are added, never changed.
type versionReport struct {
	buildReport
	Store   string `json:"store"`           // that counts without --hub
	Kernels int    `json:"kernels"`         // in it
	Error   string `json:"error,omitempty"` // why it cannot be read
}

func build() buildReport {
	b := buildReport{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Version = cmp.Or(b.Version, info.Main.Version)
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			case "vcs.time":
				b.Time = s.Value
			}
		}
	}
	b.Version = cmp.Or(b.Version, "(devel)")
	return b
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version, the revision of the source that it was built from, and the Go
version; and which kernels count without --hub.`,
		Example: "  btfgen version --json",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := build()
			name, s, err := defaultStore()
			kernels, damage := 0, ""
			if err != nil {
				damage = err.Error()
			} else {
				kernels = s.Stats().Kernels
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), versionReport{b, name, kernels, damage})
			}
			revision := ""
			if b.Revision != "" {
				revision = " revision " + b.Revision
				if b.Modified {
					revision += " (modified)"
				}
			}
			without := fmt.Sprintf("%s of %s", counted(kernels, "kernel"), name)
			if damage != "" {
				without = damage
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "btfgen %s%s %s %s\nwithout --hub: %s\n", b.Version, revision, b.Go, b.Platform, oneLine(without))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
