package btfgen

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// Summary is what Generate did.
type Summary struct {
	Kernels   int   // that the source has
	Generated int   // that have a minimal BTF now
	Distinct  int   // different ones among these
	BytesIn   int64 // of BTF, expanded
	BytesOut  int64 // of minimal BTF, each kernel's counted
	// DistinctBytes is BytesOut with equal contents counted once.
	DistinctBytes int64

	// NotApplicable are kernels of a byte order that no object has.
	NotApplicable []string
	// Failures are kernels that were skipped, and what else went wrong.
	Failures []Failure
	// Unresolved are the relocations that did not resolve on some kernel, those
	// of most kernels first. A 0 for what does not exist is an answer, and so
	// not among them.
	Unresolved []Unresolved

	Objects     int // eBPF objects
	Records     int // relocation records in them
	Relocations int // distinct ones
	Duration    time.Duration
}

// Failure is a kernel that was skipped.
type Failure struct {
	Kernel string // "" if it concerns no single one
	Err    error
}

// Unresolved is a relocation that came to nothing on some kernels.
type Unresolved struct {
	Object  string // the first object that has it
	Program string // the function in it
	Path    string // the relocation, as libbpf prints it
	Kernels int    // on how many kernels it did not resolve
	Counts  Counts // the kernels by what became of it, all kernels
	// Reason is why, on Kernel, the first of them.
	Reason string
	Kernel string
}

// collector makes the summary of results in kernel order.
type collector struct {
	g        *Generator
	summary  *Summary
	seen     map[[32]byte]bool
	counts   [2][]Counts
	reasons  [2][]reasonAt
	reported [2][]atomic.Int64 // per local: the first kernel with a reason, from 1
}

type reasonAt struct{ text, kernel string }

func newCollector(g *Generator) *collector {
	c := &collector{g: g, summary: &Summary{Objects: len(g.objects)}, seen: make(map[[32]byte]bool)}
	for i, p := range g.plans {
		if p == nil {
			continue
		}
		c.summary.Records += p.Records()
		c.summary.Relocations += p.Len()
		c.counts[i] = make([]Counts, p.Len())
		c.reasons[i] = make([]reasonAt, p.Len())
		c.reported[i] = make([]atomic.Int64, p.Len())
	}
	return c
}

func (c *collector) take(r *Result) {
	s := c.summary
	s.BytesIn += r.Input
	// Also of a kernel whose result could not be written: later ones have left
	// these reasons to it.
	for _, e := range r.reasons {
		if c.reasons[r.plan][e.local].text == "" {
			c.reasons[r.plan][e.local] = reasonAt{e.text, r.Kernel}
		}
	}
	if r.Err != nil {
		if errors.Is(r.Err, ErrNotApplicable) {
			s.NotApplicable = append(s.NotApplicable, r.Kernel)
		} else {
			s.Failures = append(s.Failures, Failure{r.Kernel, r.Err})
		}
		return
	}
	s.Generated++
	s.BytesOut += int64(len(r.BTF))
	if !c.seen[r.SHA256] {
		c.seen[r.SHA256] = true
		s.Distinct++
		s.DistinctBytes += int64(len(r.BTF))
	}
	for i, status := range r.statuses {
		c.counts[r.plan][i].add(status)
	}
}

func (c *collector) finish(start time.Time) *Summary {
	for i, p := range c.g.plans {
		if p == nil {
			continue
		}
		for local, n := range c.counts[i] {
			bad := n.Poisoned + n.Ambiguous + n.Failed
			if bad == 0 {
				continue
			}
			object, record := p.First(local)
			why := c.reasons[i][local]
			c.summary.Unresolved = append(c.summary.Unresolved, Unresolved{
				Object: object.Name, Program: object.Relocs[record].Program, Path: p.Local(local).LocalPath(),
				Kernels: bad, Counts: n, Reason: why.text, Kernel: why.kernel,
			})
		}
	}
	slices.SortStableFunc(c.summary.Unresolved, func(a, b Unresolved) int { return cmp.Compare(b.Kernels, a.Kernels) })
	c.summary.Duration = time.Since(start)
	return c.summary
}
