package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btf"
)

// Get gives a kernel's BTF in buf, if it has room, or in new memory: the types
// that were added, with ids in the store's canonical order, in the original's
// byte order.
func (s *Store) Get(path string, buf []byte) ([]byte, error) {
	n, ok := s.number(path)
	if !ok {
		return nil, fmt.Errorf("%s: %w: %s", s.name, ErrNotFound, path)
	}
	b, err := s.get(n, buf)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.name, path, err)
	}
	return b, nil
}

var expanders = sync.Pool{New: func() any { return new(expander) }}

func (s *Store) get(number int, buf []byte) ([]byte, error) {
	k, err := s.kernelOf(number)
	if err != nil {
		return nil, err
	}
	x := expanders.Get().(*expander)
	defer expanders.Put(x)
	b, err := k.expand(x, s.kernels[number].Expanded, buf)
	x.defs, x.strings = nil, nil // so that the pool does not keep the store
	if err != nil {
		if !errors.Is(err, ErrFormat) {
			err = damaged("%v", err)
		}
		return nil, err
	}
	if int64(len(b)) != s.kernels[number].Expanded || checksum(b) != k.record.sum {
		return nil, damaged("it expands to something else than what was added")
	}
	return b, nil
}

// storedKernel is a kernel with its definitions found.
type storedKernel struct {
	record  *record
	pool    *stringPool
	numbers []uint32     // of the definitions, those with a name first
	defs    []definition // in the same order; texts alias the store's blocks
	named   int

	variations []variation // ascending by definition
}

func (s *Store) kernelOf(number int) (*storedKernel, error) {
	in, vary, _, record, err := s.set(number)
	if err != nil {
		return nil, err
	}
	if least := int64(record.unique) * 12; least > s.kernels[number].Expanded {
		return nil, damaged("%d types cannot be in %d bytes", record.unique, s.kernels[number].Expanded)
	}
	pool, err := s.text()
	if err != nil {
		return nil, err
	}
	k := &storedKernel{record: record, pool: pool, variations: vary}
	if err := s.collect(k, in); err != nil {
		return nil, err
	}
	k.sort(s)
	return k, nil
}

// collect finds the definitions of a set, in the order of their numbers.
func (s *Store) collect(k *storedKernel, in set) error {
	n := in.len()
	k.numbers = make([]uint32, 0, n)
	k.defs = make([]definition, 0, n)
	at := 0
	var d *definitions
	var err error
	in.each(func(n uint32) {
		if err != nil {
			return
		}
		for n >= s.definitionBlocks[at].first+s.definitionBlocks[at].count {
			at++
			d = nil
		}
		if d == nil {
			if d, err = s.definitionBlock(at); err != nil {
				return
			}
		}
		i := n - s.definitionBlocks[at].first
		k.numbers = append(k.numbers, n)
		k.defs = append(k.defs, definition{kind: btf.Kind(d.kind[i]), name: d.name[i], text: d.text[d.at[i]:], news: d.news[i]})
	})
	return err
}

// sort puts the definitions into the order of expansion: those with a name
// first. Those of one layer are sorted but for that, which is left to the
// kernel's checksum to prove; so it is a merge of what the layers have.
func (k *storedKernel) sort(s *Store) {
	var named, roots runs
	layer := 0
	for i := range k.defs {
		fresh := i == 0
		for k.numbers[i] >= s.layers[layer].definitions {
			layer++
			fresh = true
		}
		if fresh {
			named.begin()
			roots.begin()
		}
		if len(k.pool.string(k.defs[i].name)) > 0 {
			named.list = append(named.list, uint32(i))
		} else {
			roots.list = append(roots.list, uint32(i))
		}
	}
	compare := func(a, b uint32) int { return k.compare(&k.defs[a], &k.defs[b]) }
	k.named = len(named.list)
	if order := append(named.merge(compare), roots.merge(compare)...); !slices.IsSorted(order) {
		numbers, defs := k.numbers, k.defs
		k.numbers, k.defs = make([]uint32, len(order)), make([]definition, len(order))
		for i, from := range order {
			k.numbers[i], k.defs[i] = numbers[from], defs[from]
		}
	}
}

// compare orders by kind, name and content.
func (k *storedKernel) compare(a, b *definition) int {
	if a.kind != b.kind {
		return cmp.Compare(kindOrder(a.kind), kindOrder(b.kind))
	}
	if a.name != b.name {
		return strings.Compare(k.pool.string(a.name), k.pool.string(b.name))
	}
	return bytes.Compare(k.content(a), k.content(b))
}

// content spells a definition of the store out.
func (k *storedKernel) content(d *definition) []byte {
	w := textWalker{cursor: cursor{b: d.text}}
	w.onString = storedStrings(d.news, func(out []byte, n uint64) []byte {
		if n >= uint64(len(k.pool.at)-1) {
			return out // the expander refuses it
		}
		return append(append(out, k.pool.string(uint32(n))...), 0)
	})
	if _, _, err := w.definition(); err != nil {
		return nil
	}
	return w.out
}

// runs is a list of sorted parts.
type runs struct {
	list   []uint32
	starts []int
}

// begin starts another part.
func (r *runs) begin() {
	if n := len(r.starts); n == 0 || r.starts[n-1] < len(r.list) {
		r.starts = append(r.starts, len(r.list))
	}
}

// merge sorts the list.
func (r *runs) merge(compare func(a, b uint32) int) []uint32 {
	list, starts := r.list, r.starts
	var spare []uint32
	for len(starts) > 1 {
		spare = slices.Grow(spare[:0], len(list))
		var next []int
		for n := 0; n < len(starts); n += 2 {
			next = append(next, len(spare))
			lo, mid, end := starts[n], len(list), len(list)
			if n+1 < len(starts) {
				mid = starts[n+1]
			}
			if n+2 < len(starts) {
				end = starts[n+2]
			}
			a, b := list[lo:mid], list[mid:end]
			for len(a) > 0 && len(b) > 0 {
				if compare(a[0], b[0]) <= 0 {
					spare, a = append(spare, a[0]), a[1:]
				} else {
					spare, b = append(spare, b[0]), b[1:]
				}
			}
			spare = append(append(spare, a...), b...)
		}
		list, spare, starts = spare, list, next
	}
	return list
}

// types gives every type its definition, with its ordinals: all of those of a
// definition one behind the other. The first named of them have a name. starts
// says where the types of each definition start, and one more where they end.
func (k *storedKernel) types() (defs []definition, named int, starts []uint32, err error) {
	total := uint64(len(k.defs))
	for i := range k.variations {
		total += uint64(k.variations[i].types) - 1
	}
	// Types of definitions are different ones, so there are no more than that.
	if total > uint64(k.record.unique) {
		return nil, 0, nil, damaged("%d types, its record says %d", total, k.record.unique)
	}
	varied := newNumbers(len(k.variations), func(i int) uint32 { return k.variations[i].def })
	defs, starts = make([]definition, 0, total), make([]uint32, 0, len(k.defs)+1)
	for i, d := range k.defs {
		starts = append(starts, uint32(len(defs)))
		at, ok := varied.find(k.numbers[i])
		if !ok {
			defs = append(defs, d)
			continue
		}
		v := &k.variations[at]
		d.refs = v.refs
		for t := range v.types {
			d.ordinals = v.of(t)
			defs = append(defs, d)
		}
	}
	starts = append(starts, uint32(len(defs)))
	return defs, int(starts[k.named]), starts, nil
}

// numbers finds the places of ascending numbers, most of which are asked for in
// vain.
type numbers struct {
	in set
	n  int
	at func(i int) uint32
}

func newNumbers(n int, at func(i int) uint32) numbers {
	var in set
	if n > 0 {
		in = newSet(at(n-1) + 1)
	}
	for i := range n {
		in.add(at(i))
	}
	return numbers{in, n, at}
}

// find gives the first place of a number.
func (l *numbers) find(number uint32) (int, bool) {
	if !l.in.has(number) {
		return 0, false
	}
	return sort.Find(l.n, func(i int) int { return cmp.Compare(number, l.at(i)) })
}

// expand makes the BTF, of limit bytes at most.
func (k *storedKernel) expand(x *expander, limit int64, buf []byte) ([]byte, error) {
	defs, named, starts, err := k.types()
	if err != nil {
		return nil, err
	}
	x.begin(defs[:named], uint32(len(k.pool.at)-1), k.pool.string, true)
	if err := x.named(); err != nil {
		return nil, err
	}
	for i := named; i < len(defs); i++ {
		if _, err := x.root(&defs[i]); err != nil {
			return nil, err
		}
	}
	if x.distinct() != int(k.record.unique) {
		return nil, damaged("%d types, its record says %d", x.distinct(), k.record.unique)
	}
	more, err := k.copies(starts)
	if err != nil {
		return nil, err
	}
	return x.bytes(k.record.order, more, limit, buf)
}

// copies lists the copies by ids.
func (k *storedKernel) copies(starts []uint32) ([]copies, error) {
	r := k.record
	more := make([]copies, 0, len(r.copied)+len(r.nameless))
	copied := newNumbers(len(r.copied), func(i int) uint32 { return r.copied[i].def })
	for i, number := range k.numbers[:k.named] {
		at, ok := copied.find(number)
		if !ok {
			continue
		}
		for ; at < len(r.copied) && r.copied[at].def == number; at++ {
			if c := &r.copied[at]; c.typ < starts[i+1]-starts[i] {
				more = append(more, copies{starts[i] + c.typ + 1, c.extra})
			}
		}
	}
	if len(more) < len(r.copied) {
		return nil, damaged("copies of named types that it does not have")
	}
	for _, c := range r.nameless {
		more = append(more, copies{starts[k.named] + c.at + 1, c.extra})
	}
	return more, nil
}
