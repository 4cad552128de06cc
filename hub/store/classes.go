package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// class is a set of named types that no walk over names, kinds, sizes, items
// and references tells apart.
type class struct {
	id      uint32 // one of them
	text    uint32 // place of their text in texts
	key     uint32
	ordinal uint32 // its place among the classes of its key
}

// maxRounds bounds the refinement. Real kernels take fewer than 20 rounds.
const maxRounds = 4096

// several tells whether there are several types of the kind and name of a named
// type, so that a reference to it has to choose.
func (a *analyser) several(id uint32) bool { return len(a.keys[a.keyOf[id]-1].classes) > 1 }

func (a *analyser) refsOf(id uint32) []uint32 { return a.allRefs[a.refsAt[id]:a.refsAt[id+1]] }

// chosen says which types references mean, given in the order of the text.
func (a *analyser) chosen(refs []uint32) (c choice) {
	for i, to := range refs {
		if a.several(to) {
			if o := a.classes[a.classOf[to]].ordinal; o != 0 {
				c.refs, c.ordinals = append(c.refs, uint32(i)), append(c.ordinals, o)
			}
		}
	}
	return c
}

// classify finds the classes of named types. A text says everything about a
// type but which of several of a name it refers to. So types of the same text
// are a class at first. Where a key has several, these get ordinals, by content,
// which may tell types apart that refer to the key; and so on, until nothing
// does. Later classes are ordered within the earlier ones, so ordinals depend
// on content alone.
func (a *analyser) classify() error {
	a.classOf = make([]uint32, a.end())
	if err := a.writeAll(); err != nil {
		return err
	}
	changed := make([]bool, len(a.keys))
	some := false
	for k := range a.keys {
		if key := &a.keys[k]; len(key.classes) > 1 {
			changed[k], some = true, true
			if err := a.rank(key); err != nil {
				return err
			}
		}
	}
	for round := 0; some; round++ {
		if round == maxRounds {
			return fmt.Errorf("types of the same names were still told apart after %d rounds", round)
		}
		changed, some = a.refine(changed)
	}
	return nil
}

// writeAll makes the texts of all named types, the classes that they are in by
// text, and notes what each refers to.
func (a *analyser) writeAll() error {
	a.refsAt = make([]uint32, a.end()+1)
	byText := make(map[string]uint32)
	total := 0
	for id := uint32(1); id < a.end(); id++ {
		a.refsAt[id] = uint32(len(a.allRefs))
		if a.nameless(id) {
			continue
		}
		if err := a.write(id); err != nil {
			return err
		}
		if total += len(a.text); total > maxExpanded {
			return fmt.Errorf("its definitions take more than %d bytes", maxExpanded)
		}
		a.allRefs = append(a.allRefs, a.refs...)
		c, ok := byText[string(a.text)]
		if !ok {
			text := string(a.text)
			c = uint32(len(a.classes))
			byText[text] = c
			k := a.keyOf[id] - 1
			a.classes = append(a.classes, class{id: id, text: uint32(len(a.texts)), key: k})
			a.texts = append(a.texts, text)
			a.keys[k].classes = append(a.keys[k].classes, c)
		}
		a.classOf[id] = c
	}
	a.refsAt[a.end()] = uint32(len(a.allRefs))
	return nil
}

// rank orders the first classes of a key by content.
func (a *analyser) rank(k *key) error {
	contents := make(map[uint32]string, len(k.classes))
	for _, c := range k.classes {
		text, err := content(nil, []byte(a.texts[a.classes[c].text]), a.types.string)
		if err != nil {
			return err
		}
		contents[c] = string(text)
	}
	slices.SortFunc(k.classes, func(x, y uint32) int { return strings.Compare(contents[x], contents[y]) })
	for i, c := range k.classes {
		a.classes[c].ordinal = uint32(i)
	}
	return nil
}

// refine splits the classes that refer to a key that has changed, and tells
// which keys have more classes now.
func (a *analyser) refine(changed []bool) (next []bool, some bool) {
	next = make([]bool, len(a.keys))
	affected := make([]bool, len(a.classes))
	var keys []uint32
	for c := range a.classes {
		for _, to := range a.refsOf(a.classes[c].id) {
			if changed[a.keyOf[to]-1] {
				affected[c] = true
				keys = append(keys, a.classes[c].key)
				break
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	// Ordinals of this round must not be seen before the round is over.
	var moved []move
	var parts []part
	at := make(map[string]int)
	var name []byte
	for _, k := range keys {
		key := &a.keys[k]
		clear(at)
		parts = parts[:0]
		for _, id := range key.ids {
			old := a.classOf[id]
			if !affected[old] {
				continue
			}
			// Ordinals of keys that have not changed told these apart before.
			name = binary.BigEndian.AppendUint32(name[:0], a.classes[old].ordinal)
			for _, to := range a.refsOf(id) {
				if changed[a.keyOf[to]-1] {
					name = binary.BigEndian.AppendUint32(name, a.classes[a.classOf[to]].ordinal)
				}
			}
			p, ok := at[string(name)]
			if !ok {
				p = len(parts)
				s := string(name)
				at[s] = p
				parts = append(parts, part{name: s, class: old})
			}
			parts[p].ids = append(parts[p].ids, id)
		}
		slices.SortFunc(parts, func(x, y part) int { return strings.Compare(x.name, y.name) })
		before := ^uint32(0)
		for i, p := range parts {
			old := p.class
			if old == before {
				// It stands behind the last that was split from the same.
				c := uint32(len(a.classes) + len(moved))
				moved = append(moved, move{class{id: p.ids[0], text: a.classes[old].text, key: k}, p.ids, parts[i-1].last})
				parts[i].last = c
				next[k], some = true, true
			} else {
				parts[i].last = old
				a.classes[old].id = p.ids[0]
			}
			before = old
		}
	}
	for _, m := range moved {
		c := uint32(len(a.classes))
		a.classes = append(a.classes, m.class)
		for _, id := range m.ids {
			a.classOf[id] = c
		}
		key := &a.keys[m.class.key]
		key.classes = slices.Insert(key.classes, slices.Index(key.classes, m.behind)+1, c)
	}
	for _, k := range keys {
		if next[k] {
			for i, c := range a.keys[k].classes {
				a.classes[c].ordinal = uint32(i)
			}
		}
	}
	return next, some
}

// part is what of a class belongs together.
type part struct {
	name  string // its ordinals, for comparison
	class uint32
	ids   []uint32
	last  uint32 // the class that it becomes
}

// move is a new class that takes types over from another.
type move struct {
	class  class
	ids    []uint32
	behind uint32
}
