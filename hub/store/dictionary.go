package store

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
)

// A block of definitions in a layer that was appended may have a dictionary:
// older definitions, which those in it are mostly new versions of. zstd finds
// there what they have in common.

// Limits of a dictionary.
const (
	maxDictionary     = 1 << 16 // definitions
	maxDictionaryText = 4 << 20 // bytes
)

// dictionary is a block's, by the numbers of its definitions: that of the first,
// then how many are between each and the one before.
type dictionary struct {
	count int
	gaps  []byte
	end   uint32 // behind the last number
}

func (d *dictionary) add(number uint32) {
	d.gaps = binary.AppendUvarint(d.gaps, uint64(number-d.end))
	d.end = number + 1
	d.count++
}

// parseDictionary reads one, and copies what it keeps.
func parseDictionary(c *cursor) (d dictionary) {
	d.count = c.count(1)
	if d.count == 0 || d.count > maxDictionary {
		c.bad = true
	}
	start, end := c.i, uint64(0)
	for n := d.count; n > 0 && !c.bad; n-- {
		if end += c.atMost(maxDefinitions) + 1; end > maxDefinitions {
			c.bad = true
		}
	}
	if c.bad {
		return dictionary{}
	}
	d.gaps, d.end = slices.Clone(c.b[start:c.i]), uint32(end)
	return d
}

// dictionaryText is what the zstd frame of a block refers to, nil if it has no
// dictionary: the texts of the definitions, in which all strings have their
// numbers.
func (s *Store) dictionaryText(b *block) ([]byte, error) {
	var out []byte
	var of *block
	var d *definitions
	c := cursor{b: b.dictionary.gaps}
	number, read := uint32(0), 0
	for n := b.dictionary.count; n > 0; n-- {
		number += c.word()
		if of == nil || number-of.first >= of.count {
			i := sort.Search(len(s.definitionBlocks), func(i int) bool { return s.definitionBlocks[i].first > number }) - 1
			of = &s.definitionBlocks[i]
			if of.dictionary.count > 0 {
				return nil, damaged("block of definitions at %d: definition %d of its dictionary lies in a block that has one itself", b.offset, number)
			}
			var err error
			if d, err = s.definitionBlock(i); err != nil {
				return nil, err
			}
		}
		text := d.of(number - of.first)
		read += len(text)
		var err error
		if read <= maxDictionaryText {
			out, err = numberStrings(out, text, d.news[number-of.first])
		}
		switch {
		case err != nil:
			return nil, damaged("definition %d is malformed", number)
		case max(read, len(out)) > maxDictionaryText:
			return nil, damaged("block of definitions at %d: its dictionary has more than %d bytes", b.offset, maxDictionaryText)
		}
		number++
	}
	return out, nil
}

// numberStrings writes a stored definition's text with the numbers of strings
// instead of 0, news being that of the next new one, and all numbers as short as
// they get.
func numberStrings(out, text []byte, news uint32) ([]byte, error) {
	w := textWalker{cursor: cursor{b: text}, out: out}
	w.onString = storedStrings(news, func(out []byte, n uint64) []byte { return binary.AppendUvarint(out, n+1) })
	_, _, err := w.definition()
	return w.out, err
}

func keyOf(kind, name uint32) uint64 { return uint64(kind)<<32 | uint64(name) }

// older finds the definitions of the store before that may be in dictionaries:
// of the same kinds and names as new ones, the last first.
func (w *layerWriter) older(news []uint32) map[uint64][]uint32 {
	if w.before.definitions == 0 {
		return nil
	}
	found := make(map[uint64][]uint32, len(news))
	for _, n := range news {
		if d := &w.from.defs[n]; d.name != 0 {
			found[keyOf(uint32(d.kind), d.name)] = nil
		}
	}
	eligible := newSet(w.before.definitions)
	for i := range w.before.definitionBlocks {
		if b := &w.before.definitionBlocks[i]; b.dictionary.count == 0 {
			eligible.toggle(b.first, b.first+b.count)
		}
	}
	for n := range w.from.defs {
		if number := w.defNumber[n]; number == 0 || !eligible.has(number-1) {
			continue
		}
		key := keyOf(uint32(w.from.defs[n].kind), w.from.defs[n].name)
		if list, ok := found[key]; ok {
			found[key] = append(list, uint32(n))
		}
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b uint32) int { return cmp.Compare(w.defNumber[b], w.defNumber[a]) })
	}
	return found
}

// dictionary gives a block of these new definitions a dictionary: for the first
// of a kind and name, the last of those that there are, for the second the one
// before that, and so on.
func (w *layerWriter) dictionary(news []uint32, older map[uint64][]uint32) (d dictionary, text []byte, err error) {
	var list []uint32
	nth := make(map[uint64]int)
	for _, n := range news {
		key := keyOf(uint32(w.from.defs[n].kind), w.from.defs[n].name)
		if i := nth[key]; i < len(older[key]) {
			list = append(list, older[key][i])
			nth[key]++
		}
	}
	slices.SortFunc(list, func(a, b uint32) int { return cmp.Compare(w.defNumber[a], w.defNumber[b]) })
	for _, n := range list {
		more, err := recode(nil, []byte(w.from.defs[n].text), func(out []byte, s uint64) []byte {
			if s == 0 {
				return binary.AppendUvarint(out, 1)
			}
			return binary.AppendUvarint(out, uint64(w.stringNumber[s])+1)
		})
		if err != nil {
			return dictionary{}, nil, err
		}
		if d.count < maxDictionary && len(text)+len(more) <= maxDictionaryText {
			d.add(w.defNumber[n] - 1)
			text = append(text, more...)
		}
	}
	return d, text, nil
}
