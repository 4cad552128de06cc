package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
)

func main() {
	check := flag.Bool("check", false, "exit with 1 if a bar is missed")
	asJSON := flag.Bool("json", false, "print the results as JSON")
	rounds := flag.Int("rounds", 5, "rounds of each measurement, whose median counts")
	flag.Parse()
	if *rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *check && os.Getenv("BTFGEN_HUB") == "" {
		fmt.Fprintln(os.Stderr, "bench: --check: the bars are for the large set of kernels: set BTFGEN_HUB to an archive tree of kernel BTF")
		os.Exit(2)
	}
	missed, err := run(*rounds, *asJSON)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if *check && missed > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d bars missed\n", missed)
		os.Exit(1)
	}
}

// result is one line of the table.
type result struct {
	What string `json:"what"`
	// Us and Peer are in Unit; Peer is 0 where there is none.
	Us   float64 `json:"us"`
	Peer float64 `json:"peer,omitempty"`
	Unit string  `json:"unit"`
	// Ratio is what the bar is about: of the medians Peer/Us or Us/Peer, or Us, as
	// Measure says.
	Measure string  `json:"measure"`
	Ratio   float64 `json:"ratio"`
	// Best is the ratio of each side's quickest round, which other load on the
	// machine changes least; for information.
	Best float64 `json:"best,omitempty"`
	Bar  string  `json:"bar,omitempty"` // such as ">= 20"; empty: none, for information
	Met  bool    `json:"met"`
}

func run(rounds int, asJSON bool) (missed int, _ error) {
	b, err := prepare(rounds)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.scratch)
	results, err := b.measureAll()
	if err != nil {
		return 0, err
	}
	for i := range results {
		r := &results[i]
		if b.few {
			r.Bar, r.Met = "", true
		}
		if !r.Met {
			missed++
		}
	}
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return missed, e.Encode(struct {
			Rounds  int      `json:"rounds"`
			Kernels int      `json:"kernels"`
			Notes   []string `json:"notes"`
			Results []result `json:"results"`
		}{rounds, len(b.raw), b.notes, results})
	}
	return missed, b.print(results)
}

func (b *bench) print(results []result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measurement\tbtfgen\tpeer\tratio\tof the best rounds\tbar\t")
	for _, r := range results {
		peer, best, verdict := "", "", ""
		if r.Best != 0 {
			best = fmt.Sprintf("%.2f", r.Best)
		}
		if r.Peer != 0 {
			peer = number(r.Peer, r.Unit)
		}
		switch {
		case r.Bar == "":
		case r.Met:
			verdict = r.Bar + " met"
		default:
			verdict = r.Bar + " MISSED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f (%s)\t%s\t%s\t\n", r.What, number(r.Us, r.Unit), peer, r.Ratio, r.Measure, best, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range b.notes {
		fmt.Println("-", n)
	}
	return nil
}

func number(v float64, unit string) string {
	switch unit {
	case "s":
		return fmt.Sprintf("%.3f s", v)
	case "MB":
		return fmt.Sprintf("%.1f MB", v)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

var errTool = errors.New("not installed (scripts/test-setup installs it)")
