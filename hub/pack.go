package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/btfgen/btfgen/hub/store"
)

// partialExt is what the name of an unfinished store has after the store's.
const partialExt = ".partial"

// An interruption costs the work on so many kernels, or of so long, at most.
const (
	keptEvery      = 8
	keptEveryOrFor = 5 * time.Second
)

// Pack makes a store of the kernels of source, at the path out. Its bytes depend
// on the kernels alone. A store that is there is replaced when the new one is
// whole, and may be among the sources (on Windows it is closed by that, since an
// open file cannot be replaced).
//
// Until then, kernels that are done are kept beside it, in out.partial. If Pack is
// interrupted, by ctx or a kill, the next one of the same kernels goes on from
// there; what makes kernels the same is their names and the contents of their
// files. What a killed one has left otherwise is removed.
//
// The error is ctx's, ErrNoKernels, a *LeftOutError, or one of the store or of
// the partial one, which then names it; it wraps store.ErrLocked while another
// writer has either. The summary is nil if nothing was begun.
//
// Taking kernels apart takes a lot of memory for a moment: a program that wants
// less sets a lower debug.SetGCPercent.
func Pack(ctx context.Context, out string, source Source, options StoreOptions) (*StoreSummary, error) {
	if info, err := os.Stat(out); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a store's file, or that there is none", out)
	}
	summary, kernels, err := newSummary(source)
	if err != nil {
		return nil, err
	}
	p := storePacking{out: out, partial: out + partialExt, kernels: kernels, options: options, summary: summary}
	if err := p.open(); err != nil {
		return nil, err
	}
	if err := p.run(ctx); err != nil {
		return summary, p.giveUp(err)
	}
	return summary, nil
}

// storePacking is a store on its way.
type storePacking struct {
	out, partial string
	kernels      []*Kernel
	options      StoreOptions
	summary      *StoreSummary // its Done is what is committed to the partial store
	marks        fileMarks
	writer       *store.Writer
}

func (p *storePacking) run(ctx context.Context) error {
	if err := p.fill(ctx); err != nil {
		return err
	}
	if err := p.summary.leftOutError(p.options.KeepGoing); err != nil {
		return err
	}
	if p.summary.Done == 0 {
		return ErrNoKernels
	}
	if runtime.GOOS == "windows" {
		closeStores(p.kernels, p.out)
	}
	if err := p.writer.Compact(p.out); err != nil {
		return err
	}
	return p.writer.Discard()
}

// closeStores closes the stores of kernels that are the file at path.
func closeStores(kernels []*Kernel, path string) {
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	closed := make(map[*store.Store]bool)
	for _, k := range kernels {
		if k.store == nil || closed[k.store] {
			continue
		}
		if own, err := os.Stat(k.Path); err == nil && os.SameFile(info, own) {
			_ = k.store.Close() // it was read from only
			closed[k.store] = true
		}
	}
}

// fill makes the partial store hold all kernels that can be stored.
func (p *storePacking) fill(ctx context.Context) error {
	todo, err := p.remaining()
	if err != nil {
		return err
	}
	waiting, kept := 0, time.Now()
	commit := func() error {
		if err := p.writer.Commit(); err != nil {
			return err
		}
		p.summary.Done += waiting
		waiting, kept = 0, time.Now()
		return nil
	}
	filler := filler{
		writer: p.writer, options: p.options, summary: p.summary, before: p.summary.Done, mark: p.marks.of,
		added: func() error {
			if waiting++; waiting >= keptEvery || time.Since(kept) >= keptEveryOrFor {
				return commit()
			}
			return nil
		},
	}
	err = filler.fill(ctx, todo)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		if failed := commit(); failed != nil {
			return failed
		}
	}
	return err
}

// open opens the partial store. A damaged one is of no use.
func (p *storePacking) open() error {
	var err error
	p.writer, err = store.Append(p.partial)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrFormat):
		p.resume(0, err)
		if err := os.Remove(p.partial); err != nil {
			return err
		}
	case errors.Is(err, store.ErrLocked):
		return err
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; remove it to start over", err)
	}
	p.writer, err = store.Create(p.partial)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s: %w", p.partial, store.ErrLocked) // who made it just now is at work
	}
	return err
}

func (p *storePacking) resume(done int, discarded error) {
	if p.options.Resume != nil {
		p.options.Resume(Resumed{p.partial, done, len(p.kernels), discarded})
	}
}

// remaining gives the kernels that the partial store does not have yet. If it
// has others, or others of the same names, it is of another run and of no use.
func (p *storePacking) remaining() ([]*Kernel, error) {
	stored := p.writer.Kernels()
	if len(stored) == 0 {
		return p.kernels, nil
	}
	marks := make(map[string]string, len(stored))
	for _, k := range stored {
		marks[k.Path] = k.Mark
	}
	var todo []*Kernel
	var there []KernelOutcome
	for _, k := range p.kernels {
		mark, ok := marks[k.Name]
		if !ok {
			todo = append(todo, k)
			continue
		}
		delete(marks, k.Name)
		if now, err := p.marks.of(k); err != nil || now != mark {
			return p.startOver(len(stored), k.Name+" has changed")
		}
		there = append(there, KernelOutcome{k.Name, AlreadyThere, nil})
	}
	for _, k := range stored { // the first of them, so that it is the same one each time
		if _, ok := marks[k.Path]; ok {
			return p.startOver(len(stored), k.Path+" is not asked for")
		}
	}
	p.summary.Done = len(stored)
	p.summary.Kernels = append(p.summary.Kernels, there...)
	p.resume(len(stored), nil)
	return todo, nil
}

func (p *storePacking) startOver(done int, why string) ([]*Kernel, error) {
	p.resume(done, fmt.Errorf("%s is of another run (%s)", p.partial, why))
	if err := p.writer.Discard(); err != nil {
		return nil, err
	}
	w, err := store.Create(p.partial)
	if err != nil {
		return nil, err
	}
	p.writer = w
	return p.kernels, nil
}

// giveUp keeps the partial store after an error, if it has a kernel.
func (p *storePacking) giveUp(err error) error {
	if p.summary.Done == 0 {
		_ = p.writer.Discard()
		return err
	}
	p.summary.Partial = p.partial
	_ = p.writer.Close()
	return err
}
