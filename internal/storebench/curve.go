package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/measure"
)

// curve is kernels against CPU time, for all of libbpf-tools.
type curve struct {
	// RawPerKernel is what one more kernel costs as a raw file, in seconds.
	RawPerKernel float64 `json:"rawPerKernel"`
	Points       []point `json:"points"`
}

// point is the first so many kernels of the made store, by path.
type point struct {
	Kernels     int     `json:"kernels"`
	Results     int     `json:"results"`     // distinct
	Definitions int     `json:"definitions"` // distinct ones that these kernels have together
	CPU         float64 `json:"cpu"`         // seconds
}

// curveRounds is enough for a picture.
const curveRounds = 5

// curveAt are the numbers of kernels that are measured of n.
func curveAt(n int) []int {
	var at []int
	for _, k := range []int{10, 30, 100, 300, 1000, 2000, 3500, 5000} {
		if k < n {
			at = append(at, k)
		}
	}
	return append(at, n)
}

func (b *bench) curve(m *made, rawPerKernel float64) (curve, error) {
	definitions, err := firstDefinitions(m.store)
	if err != nil {
		return curve{}, fmt.Errorf("%s: %w", m.file, err)
	}
	self, err := os.Executable()
	if err != nil {
		return curve{}, err
	}
	c := curve{RawPerKernel: rawPerKernel}
	for _, n := range curveAt(m.n) {
		measure.Progress(fmt.Sprintf("the curve, %d kernels", n))
		p := point{Kernels: n, Definitions: definitions[n]}
		var seconds []float64
		for range min(b.rounds, curveRounds) {
			out := filepath.Join(b.scratch, "curve")
			child := exec.Command(self, append([]string{firstKernels, "-n", strconv.Itoa(n), "-store", m.file, "-out", out}, b.objects...)...)
			var stdout, stderr bytes.Buffer
			child.Stdout, child.Stderr = &stdout, &stderr
			if err := child.Run(); err != nil {
				return curve{}, fmt.Errorf("the first %d kernels: %w: %.500s", n, err, stderr.String())
			}
			if p.Results, err = strconv.Atoi(strings.TrimSpace(stdout.String())); err != nil {
				return curve{}, err
			}
			seconds = append(seconds, (child.ProcessState.UserTime() + child.ProcessState.SystemTime()).Seconds())
			if err := os.RemoveAll(out); err != nil {
				return curve{}, err
			}
		}
		p.CPU = measure.Median(seconds)
		c.Points = append(c.Points, p)
	}
	return c, nil
}

// firstDefinitions is how many distinct definitions the first n kernels of a store have
// together, n from 0. In a store of one layer, kernels stand in the order of their paths,
// so what is new with each tells.
func firstDefinitions(s *store.Store) ([]int, error) {
	stats := s.Stats()
	if stats.Layers != 1 {
		return nil, fmt.Errorf("%d layers, expected a packed store, of one", stats.Layers)
	}
	sums := []int{0}
	for i, k := range s.Kernels() {
		sums = append(sums, sums[i]+k.New)
	}
	if got := sums[len(sums)-1]; got != stats.Definitions {
		return nil, fmt.Errorf("kernels brought %d definitions, the store has %d", got, stats.Definitions)
	}
	return sums, nil
}

// firstKernels is the hidden command that generateFirst is.
const firstKernels = "first-kernels"

// gcPercent is what the command sets (cmd/btfgen): the curve is to be of what users get.
const gcPercent = 400

// generateFirst does what generate does, for the first kernels of a store, and prints
// how many distinct results there are.
func generateFirst(args []string, stdout io.Writer) error {
	debug.SetGCPercent(gcPercent)
	f := flag.NewFlagSet(firstKernels, flag.ContinueOnError)
	n := f.Int("n", 0, "how many kernels")
	file := f.String("store", "", "the store")
	out := f.String("out", "", "folder for the results")
	if err := f.Parse(args); err != nil {
		return err
	}
	gen, err := btfgen.Open(f.Args()...)
	if err != nil {
		return err
	}
	source, err := hub.Open(*file)
	if err != nil {
		return err
	}
	tree, err := btfgen.NewTree(*out)
	if err != nil {
		return err
	}
	summary, err := gen.Generate(context.Background(), first{source, *n}, btfgen.Options{}, tree.Add)
	if err != nil {
		return err
	}
	if summary.Kernels != *n {
		return fmt.Errorf("%d kernels were there, expected %d", summary.Kernels, *n)
	}
	if len(summary.Failures) > 0 {
		return errors.Join(summary.Failures[0].Err, fmt.Errorf("%d kernels failed", len(summary.Failures)))
	}
	_, err = fmt.Fprintln(stdout, summary.Distinct)
	return err
}

// first is a source's first n kernels.
type first struct {
	hub.Source
	n int
}

func (f first) Kernels() ([]*hub.Kernel, []hub.Problem, error) {
	kernels, problems, err := f.Source.Kernels()
	return kernels[:min(f.n, len(kernels))], problems, err
}

var curveColumns = []string{"kernels", "distinct results", "distinct definitions", "CPU", "CPU per kernel", "times less than raw files"}

func (c *curve) rows() [][]string {
	var rows [][]string
	for _, p := range c.Points {
		each := p.CPU / float64(p.Kernels)
		rows = append(rows, []string{
			grouped(p.Kernels), grouped(p.Results), grouped(p.Definitions), fmt.Sprintf("%.3f s", p.CPU), fmt.Sprintf("%.3f ms", 1000*each),
			fmt.Sprintf("%.1f", c.RawPerKernel/each),
		})
	}
	return rows
}

func (c *curve) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{curveColumns}, c.rows()...) {
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	return w.Flush()
}

func (c *curve) markdown() string {
	var out strings.Builder
	out.WriteString("| " + strings.Join(curveColumns, " | ") + " |\n" + strings.Repeat("|---:", len(curveColumns)) + "|\n")
	for _, row := range c.rows() {
		out.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return out.String()
}

// grouped is a number as documents have it: 12,345.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}
