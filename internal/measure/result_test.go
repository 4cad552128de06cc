package measure

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3},
	} {
		if got := Median(c.of); got != c.want {
			t.Errorf("median of %v is %g, expected %g", c.of, got, c.want)
		}
	}
	order := []float64{3, 1, 2}
	if Median(order); order[0] != 3 {
		t.Error("the values were sorted in place")
	}
}

// A bar is met by what is exactly on it where it says "at least", and not where it says "under".
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		result Result
		bar    string
		met    bool
	}{
		{AtLeast("x", Pair{Us: 1, Peer: 4}, 4), ">= 4", true},
		{AtLeast("x", Pair{Us: 1, Peer: 3.99}, 4), ">= 4", false},
		{AtLeast("x", Pair{Us: 1, Peer: 0.1}, 0), "", true},
		{AtLeast("x", Pair{Us: 0, Peer: 0}, 4), ">= 4", false}, // nothing was measured
		{Under("x", 2.9, "s", 3), "< 3", true},
		{Under("x", 3, "s", 3), "< 3", false},
		{Under("x", math.NaN(), "s", 3), "< 3", false},
		{Under("x", 9, "s", 0), "", true},
		{Under("x", 9, "s", 3).Unjudged(), "", true},
	} {
		if c.result.Bar != c.bar || c.result.Met != c.met {
			t.Errorf("%+v: expected bar %q, met %v", c.result, c.bar, c.met)
		}
	}
	if missed := Missed([]Result{Under("a", 1, "s", 2), Under("b", 3, "s", 2)}); len(missed) != 1 || missed[0].What != "b" {
		t.Errorf("missed: %+v", missed)
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	results := []Result{
		AtLeast("quick", Pair{Us: 0.5, Peer: 4, Best: 7.5}, 8), AtLeast("slow", Pair{Us: 1, Peer: 2, Best: 2.5}, 8),
		Under("memory", 88.25, "MB", 0),
	}
	if err := Print(&out, "store", results, []string{"a note"}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"measurement store peer ratio of the best rounds bar",
		"quick 0.500 s 4.000 s 8.00 (peer/btfgen) 7.50 >= 8 met",
		"slow 1.000 s 2.000 s 2.00 (peer/btfgen) 2.50 >= 8 MISSED",
		"memory 88.2 MB 88.25 (MB)",
		"- a note",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("printed\n%s\nexpected\n%s", got, strings.Join(want, "\n"))
	}
}

// What is long is measured so many times, what is over in a moment three times as often, and a failure ends it.
func TestPairs(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		times   int
	}{{0.01, 9}, {2, 3}} {
		us, peer := 0, 0
		p, err := Pairs(3,
			func() (float64, int64, error) {
				if us != peer {
					t.Fatal("not by turns")
				}
				us++
				return c.seconds, 10, nil
			},
			func() (float64, int64, error) { peer++; return 4 * c.seconds, 20, nil })
		if err != nil || us != c.times || peer != us {
			t.Errorf("%g s: %v, measured %d and %d times, expected %d", c.seconds, err, us, peer, c.times)
		}
		if p != (Pair{Us: c.seconds, Peer: 4 * c.seconds, Best: 4, UsBytes: 10, PeerBytes: 20}) {
			t.Errorf("%+v", p)
		}
	}
	broken := errors.New("broken")
	if _, err := Pairs(3, func() (float64, int64, error) { return 0, 0, broken }, nil); !errors.Is(err, broken) {
		t.Errorf("error %v, expected %v", err, broken)
	}
}
