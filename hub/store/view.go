package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/btfgen/btfgen/btf"
)

// View is what a scope shows of a store's kernels. It is made for all kernels
// at once, since nearly all that they show is the same: a definition is read
// once, however many kernels have it. It may be used by several goroutines.
type View struct {
	store *Store
	looks *looks

	groups  []viewGroup
	groupOf map[uint64]int32 // by kind and number of the name
	defs    []viewDef        // by number
	in      set              // their numbers
	before  []uint32         // per word of in: how many are in the words before

	arena    // of templates
	nameless []namelessType
	byText   map[string]int32 // the nameless types by text
	strings  []byte           // the string section of all that is shown
	offsets  []uint32         // per number of a string: its place there, 0 if it has none

	kernels []viewKernel // by number
	wanted  []bool       // which of them; nil: all
	any     set          // what any of them has, if not all are wanted
	classes [][]byte     // what the kernels of each show, as BTF; nil past maxShown
	mergers sync.Pool
}

// viewGroup is the definitions of a kind and name.
type viewGroup struct {
	kind    btf.Kind
	name    uint32
	text    []byte   // the name
	look    int32    // what they are looked at with
	numbers []uint32 // ascending
	ranks   []uint32 // places in View.defs, in the order of content
	queued  bool
	root    bool
	apart   bool // see btf.ScopeRoot
	behind  bool // something looks at them through a pointer
}

// viewDef is a definition.
type viewDef struct {
	number uint32
	group  int32
	shown  uint32 // definitions of a group with the same number show the same
	template
	flat  []flatLink
	inner []flatInner
}

// flatLink is a reference to a group, in a definition's template or in one of
// the nameless types in it, by its index in the definition.
type flatLink struct {
	index uint32
	group int32
	idle  bool // see compiler.link
}

// flatInner is a reference to a nameless type, in the same way, and how many
// references by kind and name that has.
type flatInner struct {
	index, n      uint32
	nameless      int32
	flat, flatEnd uint32 // which flatLinks are in it
	innerEnd      uint32 // the flatInners up to here are, too
	idle          bool
}

// viewKernel is a kernel.
type viewKernel struct {
	in     set             // places in View.defs
	vary   []viewVariation // ascending
	copied []viewCopy      // of groups that are a root's
	order  binary.ByteOrder
	like   int32 // a kernel that shows the same, unknown if none is known
	class  int32
}

const unknown = int32(-1)

// maxShown is how many bytes of what kernels show are kept: they are at hand when
// classes are told apart. A scope that shows nearly all of each kernel would
// otherwise take more memory than there is.
var maxShown = 128 << 20 // a variable for tests

// viewVariation is the variation of a definition that is shown.
type viewVariation struct {
	rank uint32
	*variation
}

// viewCopy is a copiedType by rank.
type viewCopy struct{ rank, typ, extra uint32 }

// View finds out what the scope shows of the kernels given, nil: of all.
func (s *Store) View(scope *btf.Scope, paths []string) (*View, error) {
	v := &View{
		store: s, looks: newLooks(scope, s.str), groupOf: make(map[uint64]int32), byText: make(map[string]int32),
		strings: make([]byte, 1), offsets: make([]uint32, s.strings),
	}
	for _, step := range []func() error{func() error { return v.want(paths) }, v.reachAll, v.rank, v.compileAll, v.readKernels} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if v.looks.spent > maxLooks {
			return nil, fmt.Errorf("%s: %w", s.name, errLooks)
		}
	}
	// What only making it takes.
	v.groupOf, v.byText, v.offsets, v.any = nil, nil, nil, nil
	return v, nil
}

// want notes which kernels are asked for, and what they have.
func (v *View) want(paths []string) error {
	if paths == nil {
		return nil
	}
	s := v.store
	v.wanted = make([]bool, len(s.kernels))
	for _, path := range paths {
		n, ok := s.number(path)
		if !ok {
			return fmt.Errorf("%w: %s", ErrNotFound, path)
		}
		v.wanted[n] = true
	}
	records, err := v.records(func(uint32) bool { return false })
	if err != nil {
		return err
	}
	left := make([]int, len(records)) // how many sets are still to be made of a kernel's
	for n, r := range records {
		if r != nil && r.back > 0 {
			left[n-int(r.back)]++
		}
	}
	sets := make([]set, len(records))
	v.any = newSet(s.definitions)
	for n, r := range records {
		if r == nil {
			continue
		}
		own := newSet(s.definitionsFor(n))
		if r.back > 0 {
			base := n - int(r.back)
			if left[base]--; left[base] == 0 {
				own, sets[base] = append(sets[base], own[len(sets[base]):]...), nil
			} else {
				copy(own, sets[base])
			}
		}
		if err := own.change(r, s.definitionsFor(n)); err != nil {
			return fmt.Errorf("kernel %s: %w", s.kernels[n].Path, err)
		}
		if left[n] > 0 {
			sets[n] = own
		}
		if v.wanted[n] {
			for i, w := range own {
				v.any[i] |= w
			}
		}
	}
	return nil
}

// records reads the records of the kernels that are wanted and of those that
// these are made of; of their variations only those asked for.
func (v *View) records(asked func(def uint32) bool) ([]*record, error) {
	records := make([]*record, len(v.store.kernels))
	needed := slices.Clone(v.wanted)
	for n := len(records) - 1; n >= 0; n-- {
		if needed != nil && !needed[n] {
			continue
		}
		r, err := v.store.recordOf(n, asked)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", v.store.kernels[n].Path, err)
		}
		if records[n] = r; needed != nil && r.back > 0 {
			needed[n-int(r.back)] = true
		}
	}
	return records, nil
}

// reachAll finds the definitions that the scope reaches in any kernel, and what
// each is looked at with.
func (v *View) reachAll() error {
	var queue []int32
	var failed error
	reach := func(kind btf.Kind, name uint32, look int32, behind bool) {
		g, err := v.reach(&queue, kind, name, look)
		if err != nil {
			failed = err
			return
		}
		g.behind = g.behind || behind
	}
	for _, root := range v.looks.scope.Roots {
		look := v.looks.set(root.Nodes)
		for kinds := root.Kinds; kinds != 0; kinds &= kinds - 1 {
			kind := btf.Kind(bits.TrailingZeros32(kinds))
			if kind > btf.KindEnum64 || root.Name == "" {
				continue
			}
			for _, flavors := range []bool{false, true} {
				var names []uint32
				err := v.store.find(kind, root.Name, flavors, func(_, name uint32) { names = append(names, name) })
				if err != nil {
					return err
				}
				for _, name := range slices.Compact(names) {
					g, err := v.reach(&queue, kind, name, look)
					if err != nil {
						return err
					}
					g.root, g.apart = true, g.apart || root.Apart
				}
			}
		}
	}
	w := scanner{view: v, reach: reach}
	for len(queue) > 0 && failed == nil {
		g := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		v.groups[g].queued = false
		for _, number := range v.groups[g].numbers {
			if err := w.definition(number, v.groups[g].look); err != nil {
				return err
			}
			if v.looks.spent > maxLooks {
				return errLooks
			}
		}
	}
	return failed
}

// reach has the definitions of a kind and name looked at.
func (v *View) reach(queue *[]int32, kind btf.Kind, name uint32, look int32) (*viewGroup, error) {
	key := uint64(kind)<<32 | uint64(name)
	i, ok := v.groupOf[key]
	if !ok {
		text, err := v.store.str(name)
		if err != nil {
			return nil, err
		}
		g := viewGroup{kind: kind, name: name, text: text, look: unseen}
		if err := v.store.find(kind, string(text), false, func(number, _ uint32) {
			if v.any == nil || v.any.has(number) {
				g.numbers = append(g.numbers, number)
			}
		}); err != nil {
			return nil, err
		}
		i = int32(len(v.groups))
		v.groupOf[key] = i
		v.groups = append(v.groups, g)
	}
	g := &v.groups[i]
	merged := look
	if g.look != unseen {
		merged = v.looks.union(g.look, look)
	}
	if merged != g.look {
		g.look = merged
		if !g.queued {
			g.queued = true
			*queue = append(*queue, i)
		}
	}
	return g, nil
}

// rank puts groups and definitions into their orders.
func (v *View) rank() error {
	slices.SortFunc(v.groups, func(a, b viewGroup) int {
		return cmp.Or(cmp.Compare(kindOrder(a.kind), kindOrder(b.kind)), bytes.Compare(a.text, b.text))
	})
	v.in = newSet(v.store.definitions)
	for i := range v.groups {
		g := &v.groups[i]
		v.groupOf[uint64(g.kind)<<32|uint64(g.name)] = int32(i)
		for _, n := range g.numbers {
			v.in.add(n)
			v.defs = append(v.defs, viewDef{number: n, group: int32(i)})
		}
	}
	v.before = make([]uint32, len(v.in)+1)
	for i, w := range v.in {
		v.before[i+1] = v.before[i] + uint32(bits.OnesCount64(w))
	}
	slices.SortFunc(v.defs, func(a, b viewDef) int { return cmp.Compare(a.number, b.number) })
	for i := range v.defs {
		g := &v.groups[v.defs[i].group]
		g.ranks = append(g.ranks, uint32(i))
	}
	for i := range v.groups {
		if err := v.sortGroup(&v.groups[i]); err != nil {
			return err
		}
	}
	return nil
}

// sortGroup sorts a group's definitions by content, as those of one layer are.
func (v *View) sortGroup(g *viewGroup) error {
	n := len(g.numbers)
	if n < 2 || g.numbers[n-1] < v.store.layers[0].definitions {
		return nil
	}
	contents := make(map[uint32]string, n)
	for _, rank := range g.ranks {
		text, err := v.store.content(v.defs[rank].number)
		if err != nil {
			return err
		}
		contents[rank] = string(text)
	}
	slices.SortFunc(g.ranks, func(a, b uint32) int { return cmp.Compare(contents[a], contents[b]) })
	return nil
}

// rankOf is how many of the definitions shown have a number below that one.
func (v *View) rankOf(number uint32) uint32 {
	i := number / 64
	if int(i) >= len(v.in) {
		return v.before[len(v.in)]
	}
	return v.before[i] + uint32(bits.OnesCount64(v.in[i]&(1<<(number%64)-1)))
}

// readKernels reads what of the definitions shown each kernel has, and tells
// which kernels are alike.
func (v *View) readKernels() error {
	v.kernels = make([]viewKernel, len(v.store.kernels))
	records, err := v.records(v.in.has)
	if err != nil {
		return err
	}
	for n, r := range records {
		if r == nil {
			continue
		}
		if err := v.readKernel(n, r); err != nil {
			return fmt.Errorf("kernel %s: %w", v.store.kernels[n].Path, err)
		}
		records[n] = nil
	}
	for n := range v.kernels {
		v.kernels[n].class = unknown
	}
	classes := make(map[[sha256.Size]byte]int32) // by key
	m, shown := newMerger(v), 0
	for _, n := range v.store.byPath {
		k := &v.kernels[n]
		switch {
		case v.wanted != nil && !v.wanted[n]:
		case k.like != unknown && v.kernels[k.like].class != unknown:
			k.class = v.kernels[k.like].class
		default:
			if err := m.merge(k); err != nil {
				return fmt.Errorf("kernel %s: %w", v.store.kernels[n].Path, err)
			}
			key := sha256.Sum256(m.key(k.order))
			class, ok := classes[key]
			if !ok {
				class = int32(len(v.classes))
				classes[key] = class
				var types []byte
				if shown < maxShown {
					var err error
					if types, err = m.write(k.order); err != nil {
						return fmt.Errorf("kernel %s: %w", v.store.kernels[n].Path, err)
					}
					shown += len(types)
				}
				v.classes = append(v.classes, types)
			}
			k.class = class
		}
	}
	v.mergers.Put(m)
	return nil
}

func (v *View) readKernel(n int, r *record) error {
	k := &v.kernels[n]
	k.order, k.like = r.order, unknown
	k.in = newSet(uint32(len(v.defs)))
	var base []viewVariation
	if r.back > 0 {
		from := &v.kernels[n-int(r.back)]
		copy(k.in, from.in)
		base = from.vary
	}
	end := v.store.layers[v.store.kernels[n].layer].definitions
	c := cursor{b: r.runs}
	at, rank, on, changed := uint64(0), uint32(0), false, false
	for i := r.nruns; i > 0; i-- {
		at += c.uvarint()
		if at > uint64(end) {
			return damaged("definitions past the last one")
		}
		next := v.rankOf(uint32(at))
		if rank == uint32(len(v.defs)) {
			break // nothing that is shown comes behind
		}
		if on && next > rank {
			k.in.toggle(rank, next)
			changed = true
		}
		rank, on = next, !on
	}
	if c.bad {
		return damaged("definitions past the last one")
	}
	k.vary = base
	if changed || len(r.changes) > 0 {
		k.vary = v.vary(k.in, base, r.changes)
	}
	for _, c := range r.copied {
		rank, ok := v.shows(c.def)
		if !ok {
			continue
		}
		// Nothing refers to a copy, so it matters as a candidate only; and one is
		// like the other. What is referred to as well may become another type.
		switch g := &v.groups[v.defs[rank].group]; {
		case g.apart:
			k.copied = append(k.copied, viewCopy{rank, c.typ, c.extra})
		case g.root:
			k.copied = append(k.copied, viewCopy{rank, c.typ, 1})
		}
	}
	if r.back > 0 {
		base := &v.kernels[n-int(r.back)]
		if slices.Equal(k.in, base.in) && slices.EqualFunc(k.vary, base.vary, func(a, b viewVariation) bool { return a.variation == b.variation }) &&
			slices.Equal(k.copied, base.copied) && k.order == base.order {
			k.like = int32(n) - int32(r.back)
			if base.like != unknown {
				k.like = base.like
			}
		}
	}
	return nil
}

// shows gives a definition's place among those that are shown.
func (v *View) shows(number uint32) (rank uint32, ok bool) {
	if !v.in.has(number) {
		return 0, false
	}
	return v.rankOf(number), true
}

// vary is a kernel's variations: those of its base whose definitions it has,
// changed.
func (v *View) vary(in set, base []viewVariation, changes []variation) []viewVariation {
	var out []viewVariation
	keep := func(w viewVariation) {
		if in.has(w.rank) {
			out = append(out, w)
		}
	}
	for i := range changes {
		c := &changes[i]
		rank, ok := v.shows(c.def)
		if !ok {
			continue
		}
		for len(base) > 0 && base[0].rank < rank {
			keep(base[0])
			base = base[1:]
		}
		if len(base) > 0 && base[0].rank == rank {
			base = base[1:]
		}
		if len(c.refs) > 0 {
			keep(viewVariation{rank, c})
		}
	}
	for _, w := range base {
		keep(w)
	}
	return out
}

// Class is a kernel's class, and whether its types are big-endian. Those of one
// class show the same: whatever the scope's owner makes of their types is the
// same too, but for what it says of members that are merely alike. ok is false
// for a kernel that is not in the view.
func (v *View) Class(path string) (class int, bigEndian, ok bool) {
	k := v.kernel(path)
	if k == nil {
		return 0, false, false
	}
	return int(k.class), k.order == binary.ByteOrder(binary.BigEndian), true
}

func (v *View) kernel(path string) *viewKernel {
	n, ok := v.store.number(path)
	if !ok || v.wanted != nil && !v.wanted[n] {
		return nil
	}
	return &v.kernels[n]
}

// Types gives what the scope shows of a kernel's types: BTF in the kernel's byte
// order, with the types that it has in the order of Get's. A type that is not shown
// is referred to by an id that no type has. The slice may be the view's: it must
// not be written to.
func (v *View) Types(path string) ([]byte, error) {
	k := v.kernel(path)
	if k == nil {
		return nil, fmt.Errorf("%s: %w: %s", v.store.name, ErrNotFound, path)
	}
	if types := v.classes[k.class]; types != nil {
		return types, nil
	}
	m, ok := v.mergers.Get().(*merger)
	if !ok {
		m = newMerger(v)
	}
	defer v.mergers.Put(m)
	err := m.merge(k)
	var types []byte
	if err == nil {
		types, err = m.write(k.order)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", v.store.name, path, err)
	}
	return types, nil
}
