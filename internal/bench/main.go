package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/btfgen/btfgen/internal/measure"
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
	if b.few {
		for i, r := range results {
			results[i] = r.Unjudged()
		}
	}
	missed = len(measure.Missed(results))
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return missed, e.Encode(struct {
			Rounds  int              `json:"rounds"`
			Kernels int              `json:"kernels"`
			Notes   []string         `json:"notes"`
			Results []measure.Result `json:"results"`
		}{rounds, len(b.raw), b.notes, results})
	}
	return missed, measure.Print(os.Stdout, "btfgen", results, b.notes)
}
