package main

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

// storeReport is what the hub commands print with --json. Names and nesting are
// a contract: fields are added, never changed.
type storeReport struct {
	Store        string            `json:"store"`
	Kernels      []storedReport    `json:"kernels"` // hub add: those that it added
	Series       []seriesReport    `json:"series"`  // the same, summed up
	Totals       storeTotalsReport `json:"totals"`  // of the whole store
	AlreadyThere *int              `json:"alreadyThere,omitempty"`
	Failures     []failureReport   `json:"failures"`
}

type storedReport struct {
	Kernel      string `json:"kernel"`
	Types       int    `json:"types"`
	Definitions int    `json:"definitions"`
	New         int    `json:"new"`   // definitions that came with it
	Bytes       int64  `json:"bytes"` // of its BTF
	Added       int64  `json:"added"` // bytes of the store
}

// seriesReport sums up the kernels of a distribution, its version, an
// architecture and the first two numbers of the release.
type seriesReport struct {
	Series  string `json:"series"`
	Kernels int    `json:"kernels"`
	New     int    `json:"new"`
	Bytes   int64  `json:"bytes"`
	Added   int64  `json:"added"`
}

type storeTotalsReport struct {
	Kernels         int   `json:"kernels"`
	Definitions     int   `json:"definitions"`
	Strings         int   `json:"strings"`
	Layers          int   `json:"layers"`
	Bytes           int64 `json:"bytes"`       // of the file: the sum of those below
	KernelBytes     int64 `json:"kernelBytes"` // what is stored of each kernel
	DefinitionBytes int64 `json:"definitionBytes"`
	StringBytes     int64 `json:"stringBytes"`
	OtherBytes      int64 `json:"otherBytes"`
	BTFBytes        int64 `json:"btfBytes"` // of the kernels' BTF
}

func newStoreReport(path string, s *store.Store, failures []btfgen.Failure) *storeReport {
	n := s.Stats()
	r := &storeReport{
		Store: path, Kernels: []storedReport{}, Failures: []failureReport{},
		Totals: storeTotalsReport{
			Kernels: n.Kernels, Definitions: n.Definitions, Strings: n.Strings, Layers: n.Layers, Bytes: n.Bytes,
			KernelBytes: n.KernelBytes, DefinitionBytes: n.DefinitionBytes, StringBytes: n.StringBytes, OtherBytes: n.OtherBytes,
			BTFBytes: n.Original,
		},
	}
	for _, k := range s.Kernels() {
		r.Kernels = append(r.Kernels, storedReport{k.Path, k.Types, k.Definitions, k.New, k.Bytes, k.Added})
	}
	for _, f := range failures {
		r.Failures = append(r.Failures, failureReport{f.Kernel, f.Err.Error()})
	}
	r.Series = seriesOf(r.Kernels)
	return r
}

func (r *storeReport) print(w io.Writer) error { return printJSON(w, r) }

var seriesNumbers = regexp.MustCompile(`\d+\.\d+`)

// seriesOf sums up kernels, in the order of the series' names.
func seriesOf(kernels []storedReport) []seriesReport {
	sums := []seriesReport{}
	at := make(map[string]int)
	for _, k := range kernels {
		name := path.Join(path.Dir(k.Kernel), cmp.Or(seriesNumbers.FindString(path.Base(k.Kernel)), "other"))
		i, ok := at[name]
		if !ok {
			i = len(sums)
			at[name] = i
			sums = append(sums, seriesReport{Series: name})
		}
		sum := &sums[i]
		sum.Kernels++
		sum.New += k.New
		sum.Bytes += k.Bytes
		sum.Added += k.Added
	}
	slices.SortFunc(sums, func(a, b seriesReport) int { return cmp.Compare(a.Series, b.Series) })
	return sums
}

func newHubList() *cobra.Command {
	var globs []string
	var quiet, json bool
	cmd := &cobra.Command{
		Use:   "list [flags] [STORE]",
		Short: "List the kernels of a store",
		Long: `List the kernels of a store, without STORE those of the built-in one: how many types
and distinct definitions each has, how many of these came with it, how many bytes
of BTF it is, and how many bytes of the store it cost, given what had come before
it. The sums of each series follow on stderr: a distribution's, its version's and
an architecture's kernels of the same first two numbers.`,
		Example: `  btfgen hub list
  btfgen hub list kernels.store
  btfgen hub list --json --kernel 'debian/*' kernels.store`,
		Args: atMostStore,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := hub.NewFilter(globs)
			if err != nil {
				return usagef("--kernel: %w", err)
			}
			name, s, err := givenStore(args)
			if err != nil {
				return err
			}
			defer s.Close()
			report := newStoreReport(name, s, nil)
			report.Kernels = slices.DeleteFunc(report.Kernels, func(k storedReport) bool { return !filter.Match(k.Kernel) })
			report.Series = seriesOf(report.Kernels)
			if json {
				return report.print(cmd.OutOrStdout())
			}
			if err := report.table(cmd.OutOrStdout()); err != nil || quiet {
				return err
			}
			if len(args) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "\nno STORE given: kernels of %s\n", oneLine(name))
			}
			return report.sums(cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&globs, "kernel", nil, "only kernels whose distro/version/arch/release matches `GLOB` (* also crosses /); repeatable")
	f.BoolVarP(&quiet, "quiet", "q", false, "no sums")
	f.BoolVar(&json, "json", false, "print the list as JSON")
	return cmd
}

func (r *storeReport) table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KERNEL\tTYPES\tDEFINITIONS\tNEW\tBYTES\tADDED")
	for _, k := range r.Kernels {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\n", oneLine(k.Kernel), k.Types, k.Definitions, k.New, k.Bytes, k.Added)
	}
	return table.Flush()
}

func (r *storeReport) sums(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nSERIES\tKERNELS\tNEW\tBYTES\tADDED")
	for _, s := range r.Series {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\n", oneLine(s.Series), s.Kernels, s.New, s.Bytes, s.Added)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	t := r.Totals
	_, err := fmt.Fprintf(w, "\n%s, %s, %s, %s\n%s: %s of kernels, %s of definitions, %s of strings, %s besides\n",
		counted(t.Kernels, "kernel"), counted(t.Definitions, "definition"), counted(t.Strings, "string"), counted(t.Layers, "layer"),
		size(t.Bytes), size(t.KernelBytes), size(t.DefinitionBytes), size(t.StringBytes), size(t.OtherBytes))
	return err
}
