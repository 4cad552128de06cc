package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/internal/measure"
)

type options struct {
	hub, series, svg string
	kernels, rounds  int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == firstKernels {
		if err := generateFirst(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.hub, "hub", os.Getenv("BTFGEN_HUB"), "archive tree, or anything else that btfgen has --hub for (default: BTFGEN_HUB, else the built-in kernels)")
	flag.IntVar(&o.kernels, "kernels", barKernels, "how many kernels are made; there are bars for the default only")
	flag.StringVar(&o.series, "series", "", "take this store of made kernels, instead of one in the cache folder")
	flag.IntVar(&o.rounds, "rounds", 9, "rounds of each measurement, whose median counts")
	flag.StringVar(&o.svg, "curve-svg", "", "write the curve to this file, and print its table as Markdown")
	asJSON := flag.Bool("json", false, "print the results as JSON")
	noBars := flag.Bool("no-bars", false, "exit with 0 even if a bar is missed")
	flag.Parse()
	if o.rounds < 1 || o.kernels < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	report, err := run(o)
	if err == nil {
		err = report.write(os.Stdout, *asJSON, o.svg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "storebench:", err)
		os.Exit(1)
	}
	if missed := measure.Missed(report.Results); len(missed) > 0 && !*noBars {
		for _, r := range missed {
			fmt.Fprintf(os.Stderr, "storebench: missed: %s: %.2f, expected %s\n", r.What, r.Ratio, r.Bar)
		}
		os.Exit(1)
	}
}

// report is all that a run finds out.
type report struct {
	Rounds  int              `json:"rounds"`
	Kernels int              `json:"kernels"` // real ones
	Made    int              `json:"made"`
	Notes   []string         `json:"notes"`
	Results []measure.Result `json:"results"`
	Curve   curve            `json:"curve"`
}

func (r *report) write(out io.Writer, asJSON bool, svg string) error {
	if svg != "" {
		if err := os.WriteFile(svg, r.Curve.svg(), 0o644); err != nil {
			return err
		}
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false) // bars
		return e.Encode(r)
	}
	if err := measure.Print(out, "from the store", r.Results, r.Notes); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if svg != "" {
		_, err := io.WriteString(out, r.Curve.markdown())
		return err
	}
	return r.Curve.print(out)
}

// bench is everything that is measured.
type bench struct {
	options
	report  report
	scratch string // a folder, gone afterwards
	memory  bool   // it is in memory
	runs    int    // of btfgen so far

	btfgen, time string // programs
	top          string // the repository

	raw     string // archive tree of the real kernels, raw
	store   string // of the same
	objects []string
	small   string // one of them
	example []string
}

func run(o options) (_ *report, err error) {
	b := &bench{options: o}
	b.report.Rounds = o.rounds
	if b.scratch, b.memory, err = measure.Scratch("btfgen-bench-store-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.scratch)
	where := "in memory (" + filepath.Dir(b.scratch) + ")"
	if !b.memory {
		where = "on a disk (" + filepath.Dir(b.scratch) + "), there being no /dev/shm"
	}
	b.note("kernels are read, and results written, %s, by both sides; times are of this machine, it is the ratios that count", where)
	if err := b.prepare(); err != nil {
		return nil, err
	}
	if err := b.diverse(); err != nil {
		return nil, err
	}
	if err := b.madeSeries(); err != nil {
		return nil, err
	}
	return &b.report, nil
}

func (b *bench) note(format string, args ...any) {
	b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
}

func (b *bench) add(r measure.Result) { b.report.Results = append(b.report.Results, r) }

func (b *bench) prepare() (err error) {
	if b.time, err = measure.Program("time"); err != nil {
		return err
	}
	if b.top, err = measure.Repository(); err != nil {
		return err
	}
	if b.btfgen, err = measure.Build(b.top, b.scratch); err != nil {
		return err
	}
	objects, err := measure.Objects(filepath.Join(b.scratch, "objects"), "libbpf-tools")
	if err != nil {
		return err
	}
	b.objects = measure.Files(objects)
	if b.small, err = measure.Opensnoop(objects); err != nil {
		return err
	}
	if b.example, err = filepath.Glob(filepath.Join(b.top, "testdata", "example", "*.o")); err != nil {
		return err
	}
	if len(b.example) == 0 {
		return errors.New("testdata/example has no objects")
	}
	return nil
}
