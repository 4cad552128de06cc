package btfgen

import (
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
)

// task is a kernel that is to be done.
type task struct {
	kernel *hub.Kernel
	// Of a kernel in a store: what the plan's scope shows of it. nil: it is taken
	// as a whole.
	view *store.View

	same    []int // later kernels that show the same, and so have the same result
	follows bool  // it is in another's same
	other   bool  // it is of a byte order that no object has
}

// fewStored is how many kernels of a store are taken as wholes: to look at a few
// things of many kernels pays when there are many.
const fewStored = 2

// tasks finds out which kernels of stores show the same of their types.
// Those that are larger than allowed are not looked at, for the reader to refuse
// them; nor are those of a store that cannot be looked at, be it damaged: each
// then fails for itself, or does not.
func (g *Generator) tasks(kernels []*hub.Kernel, opt Options) []task {
	largest := opt.MaxBytes
	if largest <= 0 {
		largest = hub.DefaultMaxBytes
	}

	tasks := make([]task, len(kernels))
	stored := make(map[*store.Store][]int)
	var stores []*store.Store
	for i, k := range kernels {
		tasks[i].kernel = k
		s, ok := k.Store()
		if !ok || k.Size() > largest {
			continue
		}
		if stored[s] == nil {
			stores = append(stores, s)
		}
		stored[s] = append(stored[s], i)
	}
	for _, s := range stores {
		if len(stored[s]) <= fewStored {
			continue
		}
		var scopes [2]*btf.Scope
		for i, p := range g.plans {
			if p != nil {
				scopes[i] = p.Scope()
			}
		}
		group(tasks, s, stored[s], scopes)
	}
	return tasks
}

// group does so with the tasks of one store, for little- and big-endian kernels.
func group(tasks []task, s *store.Store, members []int, scopes [2]*btf.Scope) {
	var paths []string
	if len(members) < s.Stats().Kernels {
		for _, i := range members {
			paths = append(paths, tasks[i].kernel.Name)
		}
	}
	for big, scope := range scopes {
		if scope == nil {
			continue
		}
		view, err := s.View(scope, paths)
		if err != nil {
			continue
		}
		leaders := make(map[int]int)
		for _, i := range members {
			t := &tasks[i]
			class, bigEndian, ok := view.Class(t.kernel.Name)
			if !ok || bigEndian != (big == 1) {
				t.other = ok && scopes[1-big] == nil
				continue
			}
			t.view = view
			if leader, ok := leaders[class]; ok {
				t.follows = true
				tasks[leader].same = append(tasks[leader].same, i)
			} else {
				leaders[class] = i
			}
		}
	}
}

// like is the result of a kernel that shows the same as r's.
func (r *Result) like(t *task) *Result {
	c := *r
	c.Kernel, c.Input, c.reasons = t.kernel.Name, t.kernel.Size(), nil
	return &c
}
