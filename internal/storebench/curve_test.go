package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelsample"
)

var sample = curve{RawPerKernel: 0.04, Points: []point{
	{Kernels: 10, Results: 3, Definitions: 60_000, CPU: 0.05}, {Kernels: 1000, Results: 40, Definitions: 200_000, CPU: 0.6},
	{Kernels: 5000, Results: 120, Definitions: 1_234_567, CPU: 2},
}}

func TestCurveTable(t *testing.T) {
	want := strings.Join([]string{
		"| kernels | distinct results | distinct definitions | CPU | CPU per kernel | times less than raw files |",
		"|---:|---:|---:|---:|---:|---:|",
		"| 10 | 3 | 60,000 | 0.050 s | 5.000 ms | 8.0 |",
		"| 1,000 | 40 | 200,000 | 0.600 s | 0.600 ms | 66.7 |",
		"| 5,000 | 120 | 1,234,567 | 2.000 s | 0.400 ms | 100.0 |",
		"",
	}, "\n")
	if got := sample.markdown(); got != want {
		t.Errorf("table\n%s\nexpected\n%s", got, want)
	}
}

func TestAxis(t *testing.T) {
	a := axis{10, 1000, 100, 500}
	for v, want := range map[float64]float64{10: 100, 100: 300, 1000: 500, 1: 100, 9999: 500} {
		if got := a.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%g is at %g, expected %g", v, got, want)
		}
	}
	if got := a.decades(); !slices.Equal(got, []float64{10, 100, 1000}) {
		t.Errorf("decades %v", got)
	}
	if got := (axis{20, 90, 0, 1}).decades(); len(got) != 0 {
		t.Errorf("decades %v", got)
	}
}

// The picture is well-formed, has a mark for each point, in it, and the raw files' line goes through its axes' values.
func TestSVG(t *testing.T) {
	for name, c := range map[string]curve{
		"usual":            sample,
		"one point":        {RawPerKernel: 0.04, Points: sample.Points[:1]},
		"one kernel":       {RawPerKernel: 0.04, Points: []point{{Kernels: 1, CPU: 0.01}}},
		"nothing measured": {Points: []point{{Kernels: 10}, {Kernels: 20}}},
	} {
		text := string(c.svg())
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: a place that is no number:\n%s", name, text)
		}
		circles := 0
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
				circles++
			}
		}
		if circles != len(c.Points) {
			t.Errorf("%s: %d marks, expected %d", name, circles, len(c.Points))
		}
	}
	// 40 ms a kernel, on axes of 10 to 5,000 kernels and of 10 ms to 1,000 s.
	_, seconds := sample.axes()
	if seconds.least != 0.01 || math.Abs(seconds.most-1000) > 1e-9 {
		t.Errorf("times from %g to %g", seconds.least, seconds.most)
	}
	height := plotBottom - plotTop
	want := plotBottom - height*math.Log10(0.4/0.01)/5
	if got := seconds.at(10 * sample.RawPerKernel); math.Abs(got-want) > 1e-9 {
		t.Errorf("raw files begin at %g, expected %g", got, want)
	}
	for v, want := range map[float64]string{0.00001: "10 µs", 0.01: "10 ms", 0.1234: "123 ms", 1: "1 s", 0.9999: "1 s", 100: "100 s"} {
		if got := duration(v); got != want {
			t.Errorf("%g is %q, expected %q", v, got, want)
		}
	}
}

func TestCurveAt(t *testing.T) {
	for n, want := range map[int][]int{
		5: {5}, 10: {10}, 120: {10, 30, 100, 120}, 5000: {10, 30, 100, 300, 1000, 2000, 3500, 5000},
	} {
		if got := curveAt(n); !slices.Equal(got, want) {
			t.Errorf("%d kernels: measured at %v, expected %v", n, got, want)
		}
	}
}

// The kernels are added in another order than that of their paths.
func TestFirstDefinitions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "layers")
	w, err := store.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, path := range []string{kernelsample.Kylin, kernelsample.Debian11} {
		raw, err := kernelsample.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		types, err := store.Analyse(path, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Compact(file + ".packed"); err != nil {
		t.Fatal(err)
	}
	for name, layers := range map[string]int{file: 2, file + ".packed": 1} {
		s, err := store.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := s.Stats().Layers; got != layers {
			t.Fatalf("%d layers, expected %d", got, layers)
		}
		got, err := firstDefinitions(s)
		if layers > 1 {
			if err == nil {
				t.Error("a store of layers was taken")
			}
			continue
		}
		first, second := s.Kernels()[0].Definitions, s.Kernels()[1].Definitions
		want := []int{0, first, s.Stats().Definitions}
		if err != nil || !slices.Equal(got, want) || want[2] >= first+second {
			t.Errorf("definitions %v (%v), expected %v, of kernels that share some", got, err, want)
		}
	}
}

func TestFirstKernels(t *testing.T) {
	source, err := hub.Open(kernelsample.Tree(t))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int][]string{0: nil, 2: kernelsample.Paths()[:2], 9: kernelsample.Paths()} {
		kernels, _, err := first{source, n}.Kernels()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range kernels {
			got = append(got, k.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the first %d: %v, expected %v", n, got, want)
		}
	}
}
