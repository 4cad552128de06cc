package store

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Choices packs what a store holds in other ways too: what docs/store-format.md
// says about them comes from here.
func Choices(s *Store) (lines []string, err error) {
	all := newCollection()
	if err := all.addStore(s); err != nil {
		return nil, err
	}
	total := func(list [][]byte) (n int) {
		for _, raw := range list {
			b, packErr := pack(raw)
			if packErr != nil {
				err = packErr
			}
			n += len(b)
		}
		return n
	}
	say := func(what string, list [][]byte) {
		lines = append(lines, fmt.Sprintf("%-60s %9d bytes", what, total(list)))
	}
	chunks := func(list [][]byte, size int) (out [][]byte) {
		for _, b := range list {
			if n := len(out); n > 0 && len(out[n-1]) < size {
				out[n-1] = append(out[n-1], b...)
			} else {
				out = append(out, slices.Clone(b))
			}
		}
		return out
	}
	// Both groups, in blocks of the sizes that are said.
	grouped := func(list [2][][]byte, sizes [2]int) [][]byte {
		return append(chunks(list[0], sizes[0]), chunks(list[1], sizes[1])...)
	}
	var strs [][]byte
	var inGroups, byUse, sorted, texts [2][][]byte
	order := make([]uint32, len(all.strings))
	for i, x := range all.strings {
		strs = append(strs, append([]byte(x), 0))
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return slices.Compare(strs[a], strs[b]) })
	rank := make([]uint64, len(order))
	for i, n := range order {
		rank[n] = uint64(i)
	}
	groupOfString := make([]uint8, len(strs))
	for i := range s.definitionBlocks {
		b := &s.definitionBlocks[i]
		for n := range b.newStrings {
			groupOfString[b.firstString+n] = b.group
		}
		d, err := s.definitionBlock(i)
		if err != nil {
			return nil, err
		}
		for k := range d.at {
			inGroups[b.group] = append(inGroups[b.group], d.of(uint32(k)))
		}
	}
	for i, n := range order {
		byUse[groupOfString[i]] = append(byUse[groupOfString[i]], strs[i])
		sorted[groupOfString[n]] = append(sorted[groupOfString[n]], strs[n])
	}
	for i := range all.defs {
		text, recodeErr := recode(nil, []byte(all.defs[i].text), func(out []byte, n uint64) []byte { return binary.AppendUvarint(out, rank[n]) })
		if recodeErr != nil {
			return nil, recodeErr
		}
		group := groupOf(all.defs[i].kind)
		texts[group] = append(texts[group], text)
	}
	for _, c := range []struct {
		what string
		list [2][][]byte
	}{
		{"definitions, strings numbered by first use", inGroups}, {"definitions, strings numbered in sorted order", texts},
		{"strings by first use", byUse}, {"strings sorted", sorted},
	} {
		say(c.what+", in blocks as stored", grouped(c.list, blockSizes))
		for _, size := range []int{64, 128, 256, 1024} {
			say(fmt.Sprintf("  in blocks of %d KiB", size), grouped(c.list, [2]int{size << 10, size << 10}))
		}
	}
	chosen := make(map[string]bool) // definitions, if ordinals were part of them
	var records, runs, whole, others, absolute [][]byte
	for n := range s.kernels {
		in, vary, _, r, err := s.set(n)
		if err != nil {
			return nil, err
		}
		rest := vary
		in.each(func(number uint32) {
			if len(rest) == 0 || rest[0].def != number {
				chosen[fmt.Sprint(number)] = true
				return
			}
			v := &rest[0]
			for t := range v.types {
				key := fmt.Sprint(number)
				for i, o := range v.of(t) {
					if o > 0 {
						key += fmt.Sprint(" ", v.refs[i], " ", o)
					}
				}
				chosen[key] = true
			}
			rest = rest[1:]
		})
		b, err := s.kernelBlock(s.kernels[n].block)
		if err != nil {
			return nil, err
		}
		records = append(records, b[s.kernels[n].at:][:s.kernels[n].record])
		runs = append(runs, r.runs)
		whole = append(whole, in.appendRuns(nil, nil, s.definitions))
		others = append(others, r.bytes(nil))
		all := *r
		all.changes = vary
		absolute = append(absolute, all.bytes(nil))
	}
	say("kernels' records, as stored", chunks(records, kernelBlockSize))
	say("  of that, definitions as the difference from a base", chunks(runs, kernelBlockSize))
	say("  the same without a base", chunks(whole, kernelBlockSize))
	say("  of that, which of several types of a name, and copies", chunks(others, kernelBlockSize))
	say("  the same without a base", chunks(absolute, kernelBlockSize))
	lines = append(lines, fmt.Sprintf("definitions: %d; with ordinals in them: %d", s.definitions, len(chosen)))
	return lines, err
}

// Dictionaries is how many bytes blocks with a dictionary take, lists included,
// and how many they would take without.
func Dictionaries(s *Store) (with, without int, err error) {
	for i := range s.definitionBlocks {
		b := &s.definitionBlocks[i]
		if b.dictionary.count == 0 {
			continue
		}
		raw, err := s.expandBlock(b)
		if err != nil {
			return 0, 0, err
		}
		plain, err := pack(raw)
		if err != nil {
			return 0, 0, err
		}
		with += int(b.packed) + len(b.dictionary.gaps)
		without += len(plain)
	}
	return with, without, nil
}
