package measure

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// Result is one line of the table.
type Result struct {
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

// AtLeast is a result whose bar is how many times as much CPU time the peer takes; 0: there is none.
func AtLeast(what string, p Pair, bar float64) Result {
	r := Result{What: what, Us: p.Us, Peer: p.Peer, Unit: "s", Measure: "peer/btfgen", Ratio: p.Peer / p.Us, Best: p.Best, Met: true}
	if bar > 0 {
		r.Bar, r.Met = fmt.Sprintf(">= %g", bar), r.Ratio >= bar
	}
	return r
}

// Under is a result without a peer, which has to stay under its bar; 0: there is none.
func Under(what string, v float64, unit string, bar float64) Result {
	r := Result{What: what, Us: v, Unit: unit, Measure: unit, Ratio: v, Met: true}
	if bar > 0 {
		r.Bar, r.Met = fmt.Sprintf("< %g", bar), v < bar
	}
	return r
}

// Unjudged takes the bar from a result.
func (r Result) Unjudged() Result {
	r.Bar, r.Met = "", true
	return r
}

// Missed are the results that have not met their bars.
func Missed(results []Result) []Result {
	var missed []Result
	for _, r := range results {
		if !r.Met {
			missed = append(missed, r)
		}
	}
	return missed
}

// Print writes the results as a table, and the notes. us is who is measured.
func Print(out io.Writer, us string, results []Result, notes []string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "measurement\t%s\tpeer\tratio\tof the best rounds\tbar\t\n", us)
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
	for _, n := range notes {
		fmt.Fprintln(out, "-", n)
	}
	return nil
}

func number(v float64, unit string) string {
	switch unit {
	case "s":
		return fmt.Sprintf("%.3f s", v)
	case "ms":
		return fmt.Sprintf("%.3f ms", v)
	case "MB":
		return fmt.Sprintf("%.1f MB", v)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// Progress says on standard error what is measured now.
func Progress(what string) { fmt.Fprintln(os.Stderr, "measuring:", what) }
