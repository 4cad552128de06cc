package dwarf2btf

import (
	"sync/atomic"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/memory"
)

// A class is made by content in which named types are names. Where a name has
// several definitions, types of one class may be different: the one leads to this
// definition, the other to that, through pointers however long. The reference keeps
// those apart, because it compares the whole of what a type leads to.
//
// So the units with such definitions are read again. A type there is of its class
// refined by the set of ambiguous definitions that it leads to: as every other name
// means the same everywhere, the set says all. A type that leads to none, since its
// unit only declares them, is taken for the refined one that came first, as the
// reference does: to it a declaration and a definition are equal (see settle.go).

// stepsPerType limits how many references are followed in a unit to find out what
// leads to ambiguous definitions; a kernel takes a few for each type. Definitions
// beyond it stay apart, but what leads to them does not.
const stepsPerType = 512

// ambiguity is what the first reading found out.
type ambiguity struct {
	is      []bool // by class: one of several definitions of a name
	reaches []bool // by class: refers to such a name, directly or not
}

func (a *ambiguity) has(c class) bool { return int(c) < len(a.is) && a.is[c] }

// ambiguity returns nil if every name has at most one definition.
func (in *input) ambiguity(t *table) *ambiguity {
	n := len(t.at)
	byName := make(map[digest]class, n/4)
	a := &ambiguity{is: make([]bool, n), reaches: make([]bool, n)}
	var names []digest
	for c := class(1); int(c) < n; c++ {
		r := t.record(c)
		switch r.kind() {
		case btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
		default:
			continue
		}
		if r[recordName] == 0 || r.kind() == btf.KindEnum && r[recordItems] == 0 {
			continue
		}
		key := in.nameKey(r)
		other, ok := byName[key]
		if !ok {
			byName[key] = c
			continue
		}
		a.is[other], a.is[c] = true, true
		names = append(names, key)
	}
	if names == nil {
		return nil
	}
	// Who refers to whom, turned round.
	start := make([]uint32, n+2)
	for c := class(1); int(c) < n; c++ {
		r := t.record(c)
		r.references(func(i int) { start[r[i]+2]++ })
	}
	for i := 2; i < len(start); i++ {
		start[i] += start[i-1]
	}
	from := make([]class, start[n+1])
	for c := class(1); int(c) < n; c++ {
		r := t.record(c)
		r.references(func(i int) {
			from[start[r[i]+1]] = c
			start[r[i]+1]++
		})
	}
	var queue []class
	visit := func(c class) {
		if c != 0 && !a.reaches[c] {
			a.reaches[c] = true
			queue = append(queue, c)
		}
	}
	for _, key := range names {
		visit(t.find(key))
	}
	for len(queue) > 0 {
		c := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, f := range from[start[c]:start[c+1]] {
			visit(f)
			if r := t.record(f); r[recordName] != 0 && r.kind() != kindName && r.kind().IsComposite() {
				visit(t.find(in.nameKey(r)))
			}
		}
	}
	return a
}

// refine reads units with ambiguous definitions again.
func (in *input) refine(t *table, workers []*worker) error {
	a := in.ambiguity(t)
	if a == nil {
		return nil
	}
	again := make([]bool, 1+len(in.units)) // the base, then the units
	for _, w := range workers {
		for _, u := range w.ends {
			for _, c := range w.defs[u.from:u.to] {
				if a.is[c] {
					again[1+u.unit] = true
				}
			}
		}
		w.defs = nil
	}
	if in.options.Base != nil {
		// It has not been let go of.
		if again[0] {
			if err := workers[0].refine(a, baseUnit); err != nil {
				return err
			}
		}
		workers = workers[1:]
	}
	again = again[1:]
	if in.linked {
		if again[0] {
			return workers[0].refine(a, 0)
		}
		return nil
	}
	var next atomic.Int64
	errs := make([]error, len(workers))
	var wg memory.Group
	for i, w := range workers {
		wg.Go(func() {
			for {
				unit := next.Add(1) - 1
				if unit >= int64(len(in.units)) {
					return
				}
				if !again[unit] {
					continue
				}
				u := &in.units[unit]
				if err := w.read(int(unit)); err != nil {
					errs[i] = u.wrap(err)
					return
				}
				w.lookup()
				if err := w.refine(a, int(unit)); err != nil {
					errs[i] = u.wrap(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// refiner is what a worker needs to refine the classes of the types it holds.
type refiner struct {
	leads []digest // by type: the sum of what it leads to, of its definitions' digests
	start []uint32 // by type: where in from those begin that refer to it
	from  []int32
	seen  []uint32
	queue []int32
	sets  []lead  // lists of what types lead to
	last  []int32 // by type: the last of its list in sets
}

// lead is an element of a list.
type lead struct {
	to   class
	next int32 // -1: none
}

// maxLeads limits the lists; types beyond it are taken to lead to nothing that another
// only declares, and are merged with fewer.
const maxLeads = 1 << 24

func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}

// eachRef calls f with every reference of a type to another.
func (d *decoder) eachRef(t *typ, f func(place) error) error {
	switch t.kind {
	case btf.KindInt, btf.KindFloat, btf.KindEnum, btf.KindEnum64, kindVoid, kindAlias:
		return nil
	case btf.KindStruct, btf.KindUnion, btf.KindFuncProto:
		for i := t.first; i >= 0; i = d.items[i].next {
			if err := f(d.items[i].ref); err != nil {
				return err
			}
		}
	}
	if t.kind.IsComposite() {
		return nil
	}
	return f(t.ref)
}

// refine refines the classes of the types of a unit that was read again.
func (w *worker) refine(a *ambiguity, unit int) error {
	if err := w.turnRound(a); err != nil {
		return err
	}
	w.follow(a)
	return w.putRefined(a, unit)
}

// turnRound finds who refers to whom.
func (w *worker) turnRound(a *ambiguity) error {
	r := &w.refiner
	n := len(w.types)
	r.start = sized(r.start, n+2)
	edges := func(f func(from, to int32)) error {
		for i := range int32(n) {
			c := w.classes[i]
			if c == 0 || int(c) >= len(a.reaches) || !a.reaches[c] {
				continue
			}
			if w.types[i].kind == btf.KindFunc {
				proto, err := w.prototype(i)
				if err != nil {
					return err
				}
				f(i, proto)
				continue
			}
			err := w.eachRef(&w.types[i], func(at place) error {
				to, err := w.resolve(at)
				if err == nil && to >= 0 {
					f(i, to)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := edges(func(_, to int32) { r.start[to+2]++ }); err != nil {
		return err
	}
	for i := 2; i < len(r.start); i++ {
		r.start[i] += r.start[i-1]
	}
	r.from = sized(r.from, int(r.start[n+1]))
	return edges(func(from, to int32) {
		r.from[r.start[to+1]] = from
		r.start[to+1]++
	})
}

// follow goes back from each ambiguous definition to all that leads to it.
func (w *worker) follow(a *ambiguity) {
	r := &w.refiner
	n := len(w.types)
	r.leads, r.seen, r.last, r.sets = sized(r.leads, n), sized(r.seen, n), sized(r.last, n), r.sets[:0]
	for i := range r.last {
		r.last[i] = -1
	}
	done := map[class]bool{}
	var which []class
	of := map[class][]int32{}
	for i, c := range w.classes {
		if a.has(c) && w.types[i].flags&flagDeclared == 0 {
			if !done[c] {
				done[c] = true
				which = append(which, c)
			}
			of[c] = append(of[c], int32(i))
		}
	}
	steps, maxSteps := 0, 1<<20+stepsPerType*(n+len(r.from))
	for round, c := range which {
		key := w.hasher.digests[of[c][0]]
		mark := uint32(round) + 1
		r.queue = append(r.queue[:0], of[c]...)
		for len(r.queue) > 0 && steps < maxSteps {
			id := r.queue[len(r.queue)-1]
			r.queue = r.queue[:len(r.queue)-1]
			from := r.from[r.start[id]:r.start[id+1]]
			steps += len(from) + 1
			for _, f := range from {
				if r.seen[f] != mark {
					r.seen[f] = mark
					sum := digest{mulB, mulD}.and(key)
					r.leads[f].a += sum.a
					r.leads[f].b += sum.b
					r.queue = append(r.queue, f)
					if len(r.sets) < maxLeads {
						r.sets = append(r.sets, lead{c, r.last[f]})
						r.last[f] = int32(len(r.sets) - 1)
					}
				}
			}
		}
	}
}

// putRefined adds the refined classes.
func (w *worker) putRefined(a *ambiguity, unit int) error {
	t := w.table
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &w.refiner
	w.fresh = w.fresh[:0]
	for i, c := range w.classes {
		if c == 0 || r.leads[i].zero() {
			continue
		}
		refined, isNew := t.add(t.keys[c].and(r.leads[i]))
		if isNew {
			more := int(refined) + 1 - len(t.base)
			t.base, t.from = append(t.base, make([]class, more)...), append(t.from, make([]uint64, more)...)
			t.base[refined] = c
			if t.leads == nil {
				t.leads = map[class][]class{}
			}
		}
		// What is a definition for one unit is only a declaration for another: the record
		// is that of the entry that comes first, whichever unit was done first.
		if at := cameAt(unit, i); isNew || at < t.from[refined] {
			t.from[refined] = at
			w.fresh = append(w.fresh, int32(i))
			t.leads[refined] = t.leads[refined][:0]
			for l := r.last[i]; l >= 0; l = r.sets[l].next {
				t.leads[refined] = append(t.leads[refined], r.sets[l].to)
			}
		}
		w.classes[i] = refined
		w.room(c)
		w.count[c]--
		w.came(refined, unit, i)
	}
	for _, i := range w.fresh {
		err := w.putRecord(i, w.classes[i], func(at place) (class, error) {
			id, err := w.resolve(at)
			if err == nil && id >= 0 && w.types[id].flags&flagDeclared == 0 && (!r.leads[id].zero() || a.has(w.classes[id])) {
				return w.classes[id], nil
			}
			return w.classOf(at)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
