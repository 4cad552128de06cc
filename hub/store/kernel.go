package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// set is a set of definition numbers.
type set []uint64

func newSet(n uint32) set { return make(set, (n+63)/64) }

func (s set) add(n uint32) { s[n/64] |= 1 << (n % 64) }

// toggle adds what of [from, to) is missing, and removes the rest of it.
func (s set) toggle(from, to uint32) {
	for from < to {
		if from%64 == 0 && to-from >= 64 {
			s[from/64] ^= ^uint64(0)
			from += 64
			continue
		}
		n := min(64-from%64, to-from)
		s[from/64] ^= (1<<n - 1) << (from % 64)
		from += n
	}
}

func (s set) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// each calls f with every number in ascending order.
func (s set) each(f func(n uint32)) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			f(uint32(i*64 + bits.TrailingZeros64(w)))
		}
	}
}

// runs is how many runs a difference has: about what it costs to write. base
// may be nil or shorter.
func (s set) runs(base set) int {
	n, last := 0, uint64(0)
	for i, w := range s {
		if i < len(base) {
			w ^= base[i]
		}
		n += bits.OnesCount64(w ^ (w<<1 | last))
		last = w >> 63
	}
	return n
}

// appendRuns writes the difference as the lengths of runs: in both or in none,
// in one, in both or in none, and so on.
func (s set) appendRuns(out []byte, base set, total uint32) []byte {
	var runs []byte
	count, from, in := uint64(0), uint32(0), false
	for i := 0; i < len(s); i++ {
		w := s[i]
		if i < len(base) {
			w ^= base[i]
		}
		for at := uint32(0); at < 64; {
			rest := w >> at
			if in {
				rest = ^w >> at
			}
			n := uint32(bits.TrailingZeros64(rest))
			if rest == 0 || at+n >= 64 {
				break
			}
			at += n
			here := uint32(i)*64 + at
			if here >= total {
				break
			}
			runs = binary.AppendUvarint(runs, uint64(here-from))
			count++
			from, in = here, !in
		}
	}
	if in {
		runs = binary.AppendUvarint(runs, uint64(total-from))
		count++
	}
	out = binary.AppendUvarint(out, count)
	return append(out, runs...)
}

// record is what a block of kernels says about one.
type record struct {
	back       uint32 // number of the base below that of the kernel; 0: none
	order      binary.ByteOrder
	sum        uint32 // of the expanded BTF
	runs       []byte // the numbers of set.appendRuns
	nruns      int
	unique     uint32 // types without copies
	variations []variation
	copies     []copyRun
}

// variation is a definition that several types of the kernel have, which differ
// in which of several of a name they refer to, or one type of which some
// reference is not to the first.
type variation struct {
	def      uint32 // place among the kernel's definitions, in the order of expansion
	extra    uint32 // types but one
	slots    uint32 // references to kinds and names of which there are several types
	ordinals []uint32
}

// of gives the ordinals of a definition's i-th type.
func (v *variation) of(i uint32) []uint32 { return v.ordinals[i*v.slots:][:v.slots] }

// parseRecord reads one. The slices of numbers alias b.
func parseRecord(b []byte) (*record, error) {
	c := cursor{b: b}
	r := &record{back: uint32(c.atMost(maxKernels)), order: binary.LittleEndian}
	if c.atMost(1) == 1 {
		r.order = binary.BigEndian
	}
	r.sum = c.fixed32()
	r.nruns = c.count(1)
	start := c.i
	for n := r.nruns; n > 0; n-- {
		c.uvarint()
	}
	r.runs = c.b[start:c.i]
	r.unique = uint32(c.atMost(maxExpanded / 12))
	r.variations = make([]variation, c.count(3))
	next := uint64(0)
	for i := range r.variations {
		v := &r.variations[i]
		next += c.atMost(maxDefinitions)
		v.def = uint32(next)
		v.extra = c.word()
		v.slots = c.word()
		if next++; next > maxDefinitions || v.slots == 0 {
			c.bad = true
		}
	}
	for i := range r.variations {
		v := &r.variations[i]
		types := uint64(v.extra) + 1
		if c.bad || types*uint64(v.slots) > uint64(len(b)-c.i) {
			return nil, errRecord
		}
		v.ordinals = make([]uint32, types*uint64(v.slots))
		for slot := range uint64(v.slots) {
			before := uint32(0)
			for t := range types {
				before += unzigzag(c.word())
				v.ordinals[t*uint64(v.slots)+slot] = before
			}
		}
	}
	left := r.unique
	for left > 0 && !c.bad {
		run := copyRun{uint32(c.atMost(uint64(left))), uint32(c.atMost(maxExpanded / 12))}
		if run.length == 0 {
			c.bad = true
		}
		left -= run.length
		r.copies = append(r.copies, run)
	}
	if !c.done() {
		return nil, errRecord
	}
	return r, nil
}

var errRecord = damaged("its record does not make sense")

func (r *record) bytes(difference []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(r.back))
	if r.order == binary.ByteOrder(binary.BigEndian) {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.LittleEndian.AppendUint32(b, r.sum)
	b = append(b, difference...)
	b = binary.AppendUvarint(b, uint64(r.unique))
	b = binary.AppendUvarint(b, uint64(len(r.variations)))
	next := uint32(0)
	for _, v := range r.variations {
		b = binary.AppendUvarint(b, uint64(v.def-next))
		b = binary.AppendUvarint(b, uint64(v.extra))
		b = binary.AppendUvarint(b, uint64(v.slots))
		next = v.def + 1
	}
	for i := range r.variations {
		v := &r.variations[i]
		for slot := range v.slots {
			before := uint32(0)
			for t := range v.extra + 1 {
				o := v.of(t)[slot]
				b = binary.AppendUvarint(b, uint64(zigzag(o-before)))
				before = o
			}
		}
	}
	for _, run := range r.copies {
		b = binary.AppendUvarint(b, uint64(run.length))
		b = binary.AppendUvarint(b, uint64(run.extra))
	}
	return b
}

// record reads a kernel's.
func (s *Store) record(number int) (*record, error) {
	e := &s.kernels[number]
	b, err := s.kernelBlock(e.block)
	if err != nil {
		return nil, err
	}
	r, err := parseRecord(b[e.at:][:e.record])
	if err != nil {
		return nil, err
	}
	if r.back > uint32(number) {
		return nil, damaged("it is the difference from a kernel that is not there")
	}
	return r, nil
}

// set gives the numbers of a kernel's definitions, of how many differences they
// are made, and its record.
func (s *Store) set(number int) (set, int, *record, error) {
	var own *record
	var chain []*record
	var ends []uint32
	for at := number; ; {
		r, err := s.record(at)
		if err != nil {
			return nil, 0, nil, fmt.Errorf("kernel %s: %w", s.kernels[at].Path, err)
		}
		if own == nil {
			own = r
		}
		chain = append(chain, r)
		ends = append(ends, s.layers[s.kernels[at].layer].definitions)
		if r.back == 0 {
			break
		}
		if len(chain) == maxChain {
			return nil, 0, nil, damaged("a difference from a difference, more than %d times", maxChain)
		}
		at -= int(r.back)
	}
	in := newSet(ends[0])
	for i := len(chain) - 1; i >= 0; i-- {
		c := cursor{b: chain[i].runs}
		at, on := uint64(0), false
		for n := chain[i].nruns; n > 0; n-- {
			next := at + c.uvarint()
			if next > uint64(ends[i]) || next < at {
				return nil, 0, nil, damaged("definitions past the last one")
			}
			if on {
				in.toggle(uint32(at), uint32(next))
			}
			at, on = next, !on
		}
	}
	if n := in.len(); n != s.kernels[number].Definitions {
		return nil, 0, nil, damaged("%d definitions, the directory says %d", n, s.kernels[number].Definitions)
	}
	return in, len(chain), own, nil
}
