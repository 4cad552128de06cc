package store

import (
	"encoding/binary"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// collection holds strings and definitions, each once, numbered as they come.
// Texts in it have these numbers of strings.
type collection struct {
	strings   []string
	stringOf  map[string]uint32
	defs      []collected
	defByText map[string]uint32
}

type collected struct {
	kind btf.Kind
	name uint32
	text string
}

func newCollection() *collection {
	return &collection{strings: []string{""}, stringOf: map[string]uint32{"": 0}, defByText: map[string]uint32{}}
}

func (c *collection) addString(s string) uint32 {
	n, ok := c.stringOf[s]
	if !ok {
		n = uint32(len(c.strings))
		c.strings = append(c.strings, s)
		c.stringOf[s] = n
	}
	return n
}

func (c *collection) addDefinition(kind btf.Kind, name uint32, text []byte) uint32 {
	n, ok := c.defByText[string(text)]
	if !ok {
		n = uint32(len(c.defs))
		c.defs = append(c.defs, collected{kind, name, string(text)})
		c.defByText[c.defs[n].text] = n
	}
	return n
}

// content spells a definition out.
func (c *collection) content(n uint32) ([]byte, error) {
	return content(nil, []byte(c.defs[n].text), func(s uint64) string { return c.strings[s] })
}

// addKernel adds what a kernel has, and gives the numbers of its definitions in
// their order, how its types vary them, and which named ones have copies.
func (c *collection) addKernel(t *Types) (defs []uint32, vary []variation, copied []copiedType, err error) {
	number := make([]uint32, len(t.strings))
	for i, s := range t.strings {
		number[i] = c.addString(s)
	}
	var text []byte
	more := t.copies
	for lo := 0; lo < len(t.defs); {
		d := &t.defs[lo]
		text, err = recode(text[:0], t.text(d), func(out []byte, n uint64) []byte {
			return binary.AppendUvarint(out, uint64(number[n]))
		})
		if err != nil {
			return nil, nil, nil, err
		}
		hi := lo
		for hi < len(t.defs) && t.defs[hi].start == d.start {
			hi++
		}
		def := c.addDefinition(d.kind, number[d.name], text)
		if v := variationOf(t.defs[lo:hi]); len(v.refs) > 0 {
			v.def = def
			vary = append(vary, v)
		}
		for ; len(more) > 0 && int(more[0].id) <= min(hi, t.named); more = more[1:] {
			copied = append(copied, copiedType{def, more[0].id - 1 - uint32(lo), more[0].extra})
		}
		defs = append(defs, def)
		lo = hi
	}
	return defs, vary, copied, nil
}

// variationOf puts the ordinals of types of one definition together; there are no
// references if the definition alone says all.
func variationOf(types []localDef) variation {
	v := variation{types: uint32(len(types))}
	for i := range types {
		v.refs = append(v.refs, types[i].refs...)
	}
	slices.Sort(v.refs)
	v.refs = slices.Compact(v.refs)
	v.ordinals = make([]uint32, len(types)*len(v.refs))
	for i := range types {
		own := v.of(uint32(i))
		for k, ref := range types[i].refs {
			at, _ := slices.BinarySearch(v.refs, ref)
			own[at] = types[i].ordinals[k]
		}
	}
	return v
}

// addStore adds what a store has to an empty collection: the numbers are those
// of the store.
func (c *collection) addStore(s *Store) error {
	pool, err := s.text()
	if err != nil {
		return err
	}
	for n := 1; n < len(pool.at)-1; n++ {
		if c.addString(pool.string(uint32(n))) != uint32(n) {
			return damaged("string %d is there twice", n)
		}
	}
	var text []byte
	for i := range s.definitionBlocks {
		d, err := s.definitionBlock(i)
		if err != nil {
			return err
		}
		for k := range d.at {
			bad := false
			w := textWalker{cursor: cursor{b: d.text[d.at[k]:]}, out: text[:0]}
			w.onString = storedStrings(d.news[k], func(out []byte, n uint64) []byte {
				bad = bad || n >= uint64(s.strings)
				return binary.AppendUvarint(out, n)
			})
			if _, _, err := w.definition(); err != nil || bad {
				return damaged("block of definitions at %d: definition %d is malformed", s.definitionBlocks[i].offset, k)
			}
			text = w.out
			want := uint32(len(c.defs))
			if c.addDefinition(btf.Kind(d.kind[k]), d.name[k], text) != want {
				return damaged("block of definitions at %d: definition %d is there twice", s.definitionBlocks[i].offset, k)
			}
		}
	}
	return nil
}
