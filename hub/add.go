package hub

import (
	"context"
	"errors"

	"github.com/btfgen/btfgen/hub/store"
)

// Add adds the kernels of source to the store at path, in one layer behind what
// is there. A kernel that the store has, by name, stays as it is. All of them
// are added or, if there is an error, none: ctx's, a *LeftOutError, or one of the
// store, which then names it; it wraps store.ErrLocked while another writer has
// the store. The summary is nil if nothing was begun.
//
// What kernels are taken apart into is kept in memory until all are: a program
// that adds hundreds at once may want a lower debug.SetGCPercent.
func Add(ctx context.Context, path string, source Source, options StoreOptions) (*StoreSummary, error) {
	summary, kernels, err := newSummary(source)
	if err != nil {
		return nil, err
	}
	writer, err := store.Append(path)
	if err != nil {
		return nil, err
	}
	err = add(ctx, writer, summary, kernels, options)
	return summary, errors.Join(err, writer.Close())
}

func add(ctx context.Context, writer *store.Writer, summary *StoreSummary, kernels []*Kernel, options StoreOptions) error {
	there := make(map[string]bool)
	for _, k := range writer.Kernels() {
		there[k.Path] = true
	}
	var todo []*Kernel
	for _, k := range kernels {
		if there[k.Name] {
			summary.Kernels = append(summary.Kernels, KernelOutcome{k.Name, AlreadyThere, nil})
		} else {
			todo = append(todo, k)
		}
	}
	filler := filler{writer: writer, options: options, summary: summary}
	if err := filler.fill(ctx, todo); err != nil {
		return err
	}
	if err := summary.leftOutError(options.KeepGoing); err != nil {
		return err
	}
	if err := writer.Commit(); err != nil {
		return err
	}
	summary.Done = summary.Count(Added)
	return nil
}
