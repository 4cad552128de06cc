package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/btfgen/btfgen"
)

// generateReport is what generate --json prints. Names and nesting are a
// contract: fields are added, never changed.
type generateReport struct {
	Kernels       []kernelReport     `json:"kernels"`
	Totals        totalsReport       `json:"totals"`
	Failures      []failureReport    `json:"failures"`
	NotApplicable []string           `json:"notApplicable"`
	Unresolved    []unresolvedReport `json:"unresolved"`
}

type kernelReport struct {
	Kernel      string        `json:"kernel"`
	Path        string        `json:"path"`
	Bytes       int           `json:"bytes"`
	Types       int           `json:"types"`
	SHA256      string        `json:"sha256"`
	Relocations btfgen.Counts `json:"relocations"`
}

type totalsReport struct {
	Kernels       int   `json:"kernels"`
	Generated     int   `json:"generated"`
	Distinct      int   `json:"distinct"`
	BytesIn       int64 `json:"bytesIn"`
	BytesOut      int64 `json:"bytesOut"`
	DistinctBytes int64 `json:"distinctBytes"`
	Objects       int   `json:"objects"`
	Records       int   `json:"records"`
	Relocations   int   `json:"relocations"`
}

type failureReport struct {
	Kernel string `json:"kernel"`
	Error  string `json:"error"`
}

type unresolvedReport struct {
	Object     string        `json:"object"`
	Program    string        `json:"program"`
	Relocation string        `json:"relocation"`
	Kernels    int           `json:"kernels"`
	Counts     btfgen.Counts `json:"counts"`
	Reason     string        `json:"reason"`
	Kernel     string        `json:"kernel"`
}

func (r *generateReport) print(w io.Writer, s *btfgen.Summary) error {
	r.Totals = totalsReport{
		s.Kernels, s.Generated, s.Distinct, s.BytesIn, s.BytesOut, s.DistinctBytes, s.Objects, s.Records, s.Relocations,
	}
	r.Failures = []failureReport{}
	for _, f := range s.Failures {
		r.Failures = append(r.Failures, failureReport{f.Kernel, f.Err.Error()})
	}
	r.NotApplicable = append([]string{}, s.NotApplicable...)
	r.Unresolved = []unresolvedReport{}
	for _, u := range s.Unresolved {
		r.Unresolved = append(r.Unresolved, unresolvedReport{u.Object, u.Program, u.Path, u.Kernels, u.Counts, u.Reason, u.Kernel})
	}
	return printJSON(w, r)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// The summary fits a screen whatever happened: --json has the rest.
const (
	maxUnresolvedShown = 8 // of two lines each
	maxSkippedShown    = 12
)

// printSummary says what a run did, to a human.
func printSummary(w io.Writer, dir string, s *btfgen.Summary, quiet bool, took time.Duration) {
	if !quiet {
		done := counted(s.Kernels, "kernel")
		if s.Generated != s.Kernels {
			done = fmt.Sprintf("%d of %s", s.Generated, done)
		}
		fmt.Fprintf(w, "%s done in %s: %s in %s\n", done, duration(took), counted(s.Distinct, "distinct result"), oneLine(dir))
		fmt.Fprintf(w, "%s of BTF in, %s out", size(s.BytesIn), size(s.BytesOut))
		if s.DistinctBytes != s.BytesOut {
			fmt.Fprintf(w, ", %s without repeats", size(s.DistinctBytes))
		}
		fmt.Fprintf(w, "\n%s: %s", counted(s.Objects, "object"), counted(s.Records, "relocation"))
		if s.Relocations != s.Records {
			fmt.Fprintf(w, ", %d distinct", s.Relocations)
		}
		fmt.Fprintln(w)
		printUnresolved(w, s)
	}
	printLeftOut(w, s, quiet)
}

// printLeftOut names the kernels that have no result.
func printLeftOut(w io.Writer, s *btfgen.Summary, quiet bool) {
	if n := len(s.NotApplicable); n > 0 && !quiet {
		fmt.Fprintf(w, "\n%s of a byte order that no object has:\n", counted(n, "kernel"))
		for i, k := range s.NotApplicable {
			if i == maxSkippedShown {
				fmt.Fprintf(w, "  %d more: --json has all\n", n-i)
				break
			}
			fmt.Fprintf(w, "  %s\n", oneLine(k))
		}
	}
	if n := len(s.Failures); n > 0 {
		if !quiet {
			fmt.Fprintf(w, "\nskipped:\n")
		}
		for i, f := range s.Failures {
			if i == maxSkippedShown {
				fmt.Fprintf(w, "  %d more: --json has all\n", n-i)
				break
			}
			line := f.Err.Error()
			if f.Kernel != "" {
				line = f.Kernel + ": " + line
			}
			fmt.Fprintf(w, "  %s\n", oneLine(line))
		}
	}
}

// printUnresolved prints relocations that have the same reason together: a
// bitfield has five or six.
func printUnresolved(w io.Writer, s *btfgen.Summary) {
	if len(s.Unresolved) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s did not resolve on some kernels, which is in order where the program asks first:\n",
		counted(len(s.Unresolved), "relocation"))
	type cause struct{ object, became, reason, kernel string }
	causeOf := func(u *btfgen.Unresolved) cause { return cause{u.Object, became(u.Counts), u.Reason, u.Kernel} }
	alike := make(map[cause]int)
	for i := range s.Unresolved {
		alike[causeOf(&s.Unresolved[i])]++
	}
	shown, relocations := 0, 0
	for i := range s.Unresolved {
		u := &s.Unresolved[i]
		c := causeOf(u)
		n := alike[c]
		if n == 0 { // shown with an earlier one
			continue
		}
		if shown == maxUnresolvedShown {
			break
		}
		alike[c] = 0
		shown++
		relocations += n
		where := u.Object
		if u.Program != "" {
			where += ", " + u.Program
		}
		more := ""
		if n > 1 {
			more = fmt.Sprintf(" and %d more", n-1)
		}
		fmt.Fprintf(w, "  %s, %s: %s (%s)\n", counted(u.Kernels, "kernel"), c.became, oneLine(u.Reason), oneLine(u.Kernel))
		fmt.Fprintf(w, "      %s: %s%s\n", oneLine(where), oneLine(u.Path), more)
	}
	if n := len(s.Unresolved) - relocations; n > 0 {
		fmt.Fprintf(w, "  %d more: --json has all\n", n)
	}
}

// became says what a relocation came to where it did not resolve.
func became(c btfgen.Counts) string {
	var words []string
	for _, e := range []struct {
		n    int
		word string
	}{{c.Failed, "failed"}, {c.Ambiguous, "ambiguous"}, {c.Poisoned, "poisoned"}} {
		if e.n > 0 {
			words = append(words, e.word)
		}
	}
	return strings.Join(words, ", ")
}

// counted is a number and what it is of.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size is a number of bytes to three digits or so.
func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func duration(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
