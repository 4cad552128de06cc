package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/internal/measure"
)

// files makes a folder; a content "-> x" is a link.
func files(t *testing.T, of map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range of {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(file, []byte(content), 0o644)
		if to, ok := strings.CutPrefix(content, "-> "); ok {
			os.Remove(file)
			err = os.Symlink(to, file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSameFiles(t *testing.T) {
	type tree = map[string]string
	for name, c := range map[string]struct {
		us, peer tree
		part     bool
		err      string // "": they are the same
	}{
		"equal":             {us: tree{"d/a.btf": "1", "d/b.btf": "2"}, peer: tree{"d/a.btf": "1", "d/b.btf": "2"}},
		"a link":            {us: tree{"a": "1", "b": "-> a"}, peer: tree{"a": "1", "b": "1"}},
		"other bytes":       {us: tree{"a": "1"}, peer: tree{"a": "2"}, err: "a: the results"},
		"other length":      {us: tree{"a": "1"}, peer: tree{"a": "11"}, err: "a: the results"},
		"a link elsewhere":  {us: tree{"a": "1", "b": "-> a"}, peer: tree{"a": "1", "b": "2"}, err: "b: the results"},
		"one less":          {us: tree{"a": "1"}, peer: tree{"a": "1", "b": "1"}, err: "the store gives no result"},
		"one more":          {us: tree{"a": "1", "b": "1"}, peer: tree{"a": "1"}, err: "raw files give no result"},
		"one more, in part": {us: tree{"a": "1", "b": "1"}, peer: tree{"a": "1"}, part: true},
		"one less, in part": {us: tree{"a": "1"}, peer: tree{"b": "1"}, part: true, err: "the store gives no result"},
		"nothing":           {err: "no results"},
		"nothing, in part":  {us: tree{"a": "1"}, part: true, err: "no results"},
	} {
		err := sameFiles(files(t, c.us), files(t, c.peer), c.part)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, expected %q", name, err, c.err)
		}
	}
}

// What is done once must not count for the few kernels that stand for many.
func TestCost(t *testing.T) {
	c := costOf(0.05+0.03, 50*0.03+0.05, 50)
	if math.Abs(c.once-0.05) > 1e-9 || math.Abs(c.each-0.03) > 1e-9 {
		t.Errorf("%+v, expected 0.05 once and 0.03 each", c)
	}
	if got := c.perKernel(5000); math.Abs(got-0.03001) > 1e-9 {
		t.Errorf("%g a kernel, expected 0.03001", got)
	}
	// The first kernel may be small.
	if c := costOf(0.01, 1, 10); c.once != 0 || math.Abs(c.each-0.11) > 1e-9 {
		t.Errorf("%+v", c)
	}
	if c := costOf(0.5, 0.5, 1); c != (cost{0, 0.5}) {
		t.Errorf("%+v", c)
	}
}

// The number of kernels as raw files is what tells time per kernel, and so has to be enough.
func TestSample(t *testing.T) {
	for n, want := range map[int]int{1: 1, 9: 1, 10: 1, 100: 10, 1000: 100, 5000: 100} {
		if got := every(n); got != want {
			t.Errorf("%d kernels: every %dth, expected %d", n, got, want)
		}
	}
}

// Bars are for the full number of kernels; that they were not judged has to be seen.
func TestJudged(t *testing.T) {
	for n, met := range map[int]bool{barKernels: false, barKernels - 1: true} {
		var b bench
		b.judged(&made{n: n}, measure.Under("x", 4, "s", barSeconds))
		if r := b.report.Results[0]; r.Met != met || (r.Bar == "") != met {
			t.Errorf("%d kernels: %+v", n, r)
		}
	}
}

// A cached series is of the same real kernels in the same format, made by the same code.
func TestSeriesMark(t *testing.T) {
	top, stored := t.TempDir(), filepath.Join(t.TempDir(), "kernels.store")
	source := filepath.Join(top, "internal", "kernelseries")
	if err := os.MkdirAll(source, 0o755); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	mark := func(file, content string, another bool) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := (&bench{top: top, store: stored}).seriesMark()
		if err != nil {
			t.Fatal(err)
		}
		if seen[m] == another {
			t.Errorf("%s: another mark: %v, expected %v", filepath.Base(file), !seen[m], another)
		}
		seen[m] = true
	}
	mark(stored, "kernels", true)
	mark(filepath.Join(source, "a.go"), "package a", true)
	mark(filepath.Join(source, "a_test.go"), "package a", false)
	mark(filepath.Join(source, "a.go"), "package b", true)
	mark(stored, "other kernels", true)
}
