package hub

import (
	"errors"
	"fmt"
)

// Outcome is what became of a kernel that was to be stored.
type Outcome int

const (
	// Failed is a kernel that cannot be read, or that a source could not list.
	Failed Outcome = iota
	// Refused is a kernel that a store cannot hold, or not hold so that its
	// types come out again.
	Refused
	// AlreadyThere is a kernel that the store has, by name; for Pack, one that
	// a run that was interrupted has done.
	AlreadyThere
	// Added is a kernel that is new in the store.
	Added
)

func (o Outcome) String() string {
	switch o {
	case Failed:
		return "failed"
	case Refused:
		return "refused"
	case AlreadyThere:
		return "already there"
	case Added:
		return "added"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// KernelOutcome is what became of one kernel.
type KernelOutcome struct {
	Kernel  string // its name; empty for a problem of the source that concerns no single one
	Outcome Outcome
	Err     error // why it Failed or was Refused, else nil; names the file
}

// StoreOptions say how Pack and Add go about it. The zero value is of use.
type StoreOptions struct {
	// Jobs is how many kernels are worked on at a time; 0 is one per processor.
	// That many, and a few, are in memory.
	Jobs int
	// KeepGoing leaves out kernels that fail or are refused. Otherwise one of
	// them is enough for the store to stay as it was.
	KeepGoing bool
	// Progress, if set, is called after each kernel that was worked on, in the
	// order of names, by the goroutine that called Pack or Add. done is how many
	// of total are done; those that a store has before Add are not counted.
	Progress func(done, total int, kernel KernelOutcome)
	// Resume, if set, is called when Pack finds what an earlier run has left.
	Resume func(Resumed)
}

// Resumed is an unfinished store that Pack has found.
type Resumed struct {
	Partial     string // its file
	Done, Total int    // kernels in it, and those asked for
	// Discarded says why it is of no use, and names it: it is damaged, or other
	// kernels are asked for now. Pack starts over then. nil: it goes on from there.
	Discarded error
}

// StoreSummary is what Pack or Add has done.
type StoreSummary struct {
	// Kernels is what became of each: first the source's problems, then the
	// kernels that are AlreadyThere, then the others, each in the order of
	// names. After an error that stopped the work it has only those that were
	// done by then, and Added means in what was given up, or in Partial.
	Kernels []KernelOutcome
	// Total is how many kernels the source has listed.
	Total int
	// Partial is, where Pack gives an error, the file with the kernels that are
	// done, from which the same Pack goes on; empty if there are none.
	Partial string
	// Done is how many kernels are in the finished store or in Partial, for Pack;
	// for Add, how many it has added.
	Done int
}

// Count is how many kernels have come to o.
func (s *StoreSummary) Count(o Outcome) int {
	n := 0
	for i := range s.Kernels {
		if s.Kernels[i].Outcome == o {
			n++
		}
	}
	return n
}

// LeftOut are the kernels that Failed or were Refused.
func (s *StoreSummary) LeftOut() []KernelOutcome {
	var left []KernelOutcome
	for _, k := range s.Kernels {
		if k.Err != nil {
			left = append(left, k)
		}
	}
	return left
}

// ErrNoKernels says that Pack has no kernel to make a store of.
var ErrNoKernels = errors.New("nothing to pack: no kernel is left")

// LeftOutError says that a store stays as it was, since some kernels Failed or
// were Refused and StoreOptions.KeepGoing is not set.
type LeftOutError struct {
	Kernels []KernelOutcome // at least one
}

func (e *LeftOutError) Error() string {
	first := Problem{e.Kernels[0].Kernel, e.Kernels[0].Err}
	if n := len(e.Kernels); n > 1 {
		return fmt.Sprintf("nothing is stored: %v, and %d more", first, n-1)
	}
	return fmt.Sprintf("nothing is stored: %v", first)
}

// Unwrap gives the errors of all the kernels.
func (e *LeftOutError) Unwrap() []error {
	all := make([]error, len(e.Kernels))
	for i, k := range e.Kernels {
		all[i] = k.Err
	}
	return all
}

func (s *StoreSummary) leftOutError(keepGoing bool) error {
	if left := s.LeftOut(); len(left) > 0 && !keepGoing {
		return &LeftOutError{left}
	}
	return nil
}
