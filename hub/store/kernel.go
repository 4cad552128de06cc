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

// has tells whether a number is in it; any number may be asked for.
func (s set) has(n uint32) bool { return int(n/64) < len(s) && s[n/64]>>(n%64)&1 != 0 }

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

// recordBytes is a kernel's record, as it is stored.
func (s *Store) recordBytes(number int) ([]byte, error) {
	e := &s.kernels[number]
	b, err := s.kernelBlock(e.block)
	if err != nil {
		return nil, err
	}
	return b[e.at:][:e.record:e.record], nil
}

// record reads a kernel's.
func (s *Store) record(number int) (*record, error) { return s.recordOf(number, nil) }

// recordOf is record for some definitions, see parseRecordOf.
func (s *Store) recordOf(number int, asked func(def uint32) bool) (*record, error) {
	b, err := s.recordBytes(number)
	if err != nil {
		return nil, err
	}
	r, err := parseRecordOf(b, asked)
	if err != nil {
		return nil, err
	}
	if r.back > uint32(number) {
		return nil, errBase
	}
	return r, nil
}

var errBase = damaged("it is the difference from a kernel that is not there")

// chain lists a kernel, its base, the base's base, and so on. It reads nothing
// else of their records, which may be long: not all of them are needed at a time.
func (s *Store) chain(number int) ([]int, error) {
	list := []int{number}
	for {
		b, err := s.recordBytes(number)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", s.kernels[number].Path, err)
		}
		c := cursor{b: b}
		back := int(c.atMost(maxKernels))
		switch {
		case c.bad:
			return nil, fmt.Errorf("kernel %s: %w", s.kernels[number].Path, errRecord)
		case back > number:
			return nil, fmt.Errorf("kernel %s: %w", s.kernels[number].Path, errBase)
		case back == 0:
			return list, nil
		case len(list) == maxChain:
			return nil, damaged("a difference from a difference, more than %d times", maxChain)
		}
		number -= back
		list = append(list, number)
	}
}

// set gives the numbers of a kernel's definitions, its variations in ascending
// order, of how many differences these are made, and its record.
func (s *Store) set(number int) (in set, vary []variation, depth int, r *record, err error) {
	chain, err := s.chain(number)
	if err != nil {
		return nil, nil, 0, nil, err
	}
	in = newSet(s.definitionsFor(number))
	var spare []variation
	for i := len(chain) - 1; i >= 0; i-- {
		r, err = s.record(chain[i])
		if err == nil {
			err = in.change(r, s.definitionsFor(chain[i]))
		}
		var now []variation
		if err == nil {
			now, err = change(in, vary, r.changes, spare)
		}
		if err != nil {
			return nil, nil, 0, nil, fmt.Errorf("kernel %s: %w", s.kernels[chain[i]].Path, err)
		}
		vary, spare = now, vary
	}
	if n := in.len(); n != s.kernels[number].Definitions {
		return nil, nil, 0, nil, damaged("%d definitions, the directory says %d", n, s.kernels[number].Definitions)
	}
	return in, vary, len(chain), r, nil
}

// definitionsFor is how many definitions there are up to and with a kernel's layer.
func (s *Store) definitionsFor(number int) uint32 {
	return s.layers[s.kernels[number].layer].definitions
}

// change makes the set of a base that of the kernel with this record, for which
// there are so many definitions.
func (s set) change(r *record, definitions uint32) error {
	c := cursor{b: r.runs}
	at, on := uint64(0), false
	for n := r.nruns; n > 0; n-- {
		next := at + c.uvarint()
		if next > uint64(definitions) || next < at {
			return damaged("definitions past the last one")
		}
		if on {
			s.toggle(uint32(at), uint32(next))
		}
		at, on = next, !on
	}
	return nil
}
