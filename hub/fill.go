package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/btfgen/btfgen/hub/store"
)

// filler takes kernels apart on all processors and adds them to a store in their
// order. No more of them than there are workers, and a few, are in memory at a
// time.
type filler struct {
	writer  *store.Writer
	options StoreOptions
	summary *StoreSummary
	before  int // kernels that count as done
	// mark is what to note of a kernel's file; nil: nothing.
	mark func(*Kernel) (string, error)
	// added, if set, is called after each kernel that was added.
	added func() error
}

// waitingKernels is how many kernels may have been taken apart and wait for
// one before them, beyond those that are being worked on.
const waitingKernels = 2

// analysed is a kernel that was taken apart.
type analysed struct {
	kernel  *Kernel
	types   *store.Types
	outcome Outcome
	err     error
}

// fill notes what became of each kernel. The error is ctx's, or one of the store,
// after which nothing can be added to it any more. No goroutine is left when it
// returns.
func (f *filler) fill(ctx context.Context, kernels []*Kernel) error {
	jobs := f.options.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait
	type job struct {
		kernel *Kernel
		result chan<- analysed
	}
	work := make(chan job)
	results := make(chan (<-chan analysed), jobs+waitingKernels-1) // one more is being waited for
	for range min(jobs, len(kernels)) {
		workers.Go(func() {
			reader := NewReader()
			for j := range work {
				if ctx.Err() == nil {
					j.result <- f.analyse(reader, j.kernel)
				}
			}
		})
	}
	workers.Go(func() {
		defer close(work)
		defer close(results)
		for _, k := range kernels {
			result := make(chan analysed, 1)
			select {
			case results <- result:
			case <-ctx.Done():
				return
			}
			work <- job{k, result}
		}
	})

	done := f.before
	for result := range results {
		var a analysed
		select {
		case a = <-result:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		outcome, err := f.add(a)
		if err != nil {
			return err
		}
		f.summary.Kernels = append(f.summary.Kernels, outcome)
		done++
		if f.options.Progress != nil {
			f.options.Progress(done, f.before+len(kernels), outcome)
		}
	}
	return ctx.Err()
}

// add adds a kernel that was taken apart. The error is one of the store.
func (f *filler) add(a analysed) (KernelOutcome, error) {
	o := KernelOutcome{a.kernel.Name, a.outcome, a.err}
	if a.err != nil {
		return o, nil
	}
	if err := f.writer.Add(a.types); err != nil {
		refused := (*store.RefusedError)(nil)
		if !errors.As(err, &refused) {
			return o, err
		}
		o.Outcome, o.Err = Refused, notStored(a.kernel, refused)
		return o, nil
	}
	if f.added != nil {
		return o, f.added()
	}
	return o, nil
}

func notStored(k *Kernel, refused *store.RefusedError) error {
	return fmt.Errorf("%s: not stored: %w", k.Path, refused.Err)
}

func (f *filler) analyse(reader *Reader, k *Kernel) analysed {
	if modules := k.Modules(); len(modules) > 0 {
		count := "1 module"
		if n := len(modules); n > 1 {
			count = fmt.Sprintf("%d modules", n)
		}
		return analysed{kernel: k, outcome: Refused, err: fmt.Errorf("has %s (%s): a store holds a kernel's own types only; use the archive tree for this kernel", count, modules[0])}
	}
	mark := ""
	if f.mark != nil {
		var err error
		if mark, err = f.mark(k); err != nil {
			return analysed{kernel: k, outcome: Failed, err: err}
		}
	}
	types, err := k.Load(reader)
	if err != nil {
		return analysed{kernel: k, outcome: Failed, err: err}
	}
	taken, err := store.Analyse(k.Name, types.Vmlinux)
	if refused := (*store.RefusedError)(nil); errors.As(err, &refused) {
		return analysed{kernel: k, outcome: Refused, err: notStored(k, refused)}
	}
	if err != nil {
		return analysed{kernel: k, outcome: Failed, err: err}
	}
	taken.Mark(mark)
	return analysed{kernel: k, types: taken, outcome: Added}
}

// newSummary begins with what a source could not list.
func newSummary(source Source) (*StoreSummary, []*Kernel, error) {
	kernels, problems, err := source.Kernels()
	if err != nil {
		return nil, nil, err
	}
	s := &StoreSummary{Total: len(kernels)}
	for _, p := range problems {
		s.Kernels = append(s.Kernels, KernelOutcome{p.Kernel, Failed, p.Err})
	}
	return s, kernels, nil
}
