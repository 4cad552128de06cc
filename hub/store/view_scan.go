package store

import "github.com/btfgen/btfgen/btf"

// textCursor reads the text of a definition.
type textCursor struct {
	skimmer
	news uint32 // number of the next new string where the text starts
	err  error
}

func (c *textCursor) start(s *Store, number uint32) error {
	d, i, err := s.definition(number)
	if err != nil {
		return err
	}
	*c = textCursor{skimmer: skimmer{b: d.text, i: int(d.at[i])}, news: d.news[i]}
	return nil
}

// name reads a string's number.
func (c *textCursor) name() uint32 {
	v := c.number()
	if v == 0 {
		c.zeros++
		return c.news + c.zeros - 1
	}
	if v > maxStrings {
		c.bad = true
		return 0
	}
	return uint32(v - 1)
}

func (c *textCursor) word() uint32 {
	v := c.number()
	c.bad = c.bad || v > 1<<32-1
	return uint32(v)
}

// failed is why a text cannot be read, if it cannot.
func (c *textCursor) failed(number uint32) error {
	switch {
	case c.err != nil:
		return c.err
	case c.bad:
		return damaged("definition %d is malformed", number)
	}
	return nil
}

// definition is the block that has a definition, and its place there.
func (s *Store) definition(number uint32) (*definitions, uint32, error) {
	lo, hi := 0, len(s.definitionBlocks)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; s.definitionBlocks[mid].first <= number {
			lo = mid
		} else {
			hi = mid
		}
	}
	if hi == 0 || number-s.definitionBlocks[lo].first >= s.definitionBlocks[lo].count {
		return nil, 0, damaged("there is no definition %d", number)
	}
	d, err := s.definitionBlock(lo)
	return d, number - s.definitionBlocks[lo].first, err
}

// content spells a definition out.
func (s *Store) content(number uint32) ([]byte, error) {
	d, i, err := s.definition(number)
	if err != nil {
		return nil, err
	}
	var failed error
	w := textWalker{cursor: cursor{b: d.text, i: int(d.at[i])}}
	w.onString = storedStrings(d.news[i], func(out []byte, n uint64) []byte {
		text, err := s.str(uint32(min(n, maxStrings)))
		if err != nil {
			failed = err
		}
		return append(append(out, text...), 0)
	})
	if _, _, err := w.definition(); err != nil {
		return nil, damaged("definition %d is malformed", number)
	}
	return w.out, failed
}

// onward is what the parts of a record of a kind are looked at with: of members
// it is up to their names.
func (v *View) onward(kind btf.Kind, look int32) (third, items int32) {
	if look == unseen {
		return unseen, unseen
	}
	switch kind {
	case btf.KindPtr:
		return v.looks.behind(look), unseen
	case btf.KindFuncProto:
		behind := v.looks.behind(look)
		return behind, behind
	case btf.KindTypedef, btf.KindVolatile, btf.KindConst, btf.KindRestrict, btf.KindTypeTag, btf.KindFunc, btf.KindVar:
		return look, unseen
	}
	return unseen, unseen
}

// scanner finds what definitions lead to.
type scanner struct {
	textCursor
	view  *View
	reach func(kind btf.Kind, name uint32, look int32, behind bool)
}

func (w *scanner) definition(number uint32, look int32) error {
	if err := w.start(w.view.store, number); err != nil {
		return err
	}
	w.name()
	w.scan(w.number(), look, false, 1)
	return w.failed(number)
}

// scan goes through a record; behind says that it is directly behind a pointer,
// as far as qualifiers and arrays go.
func (w *scanner) scan(head uint64, look int32, behind bool, depth int) {
	kind, more := headOf(head)
	if kind == 0 || depth > maxDepth {
		w.bad = true
		return
	}
	if look == unseen {
		w.record(head, depth)
		return
	}
	info := uint64(0)
	if more {
		info = w.number()
	}
	if kind == btf.KindTypeTag {
		w.str()
	}
	third, items := w.view.onward(kind, look)
	behind = isBehind(kind, behind)
	s := &shapes[kind]
	if s.third == wordRef {
		w.follow(third, behind, depth)
	} else {
		w.skip()
	}
	if kind == btf.KindArray { // element, and what it is indexed by
		w.follow(look, behind, depth)
		w.follow(0, false, depth)
		w.skip()
		return
	}
	for range s.fixed {
		w.skip()
	}
	if s.item == nil {
		return
	}
	for n := info >> 1; n > 0 && !w.bad; n-- {
		to := items
		for _, class := range s.item {
			switch {
			case class == wordRef:
				w.follow(to, behind, depth)
			case class == wordName && kind.IsComposite():
				m, err := w.view.looks.member(look, w.name())
				if err != nil {
					w.err, w.bad = err, true
				}
				to = m.look
			default:
				w.skimmer.word(class, info, depth)
			}
		}
	}
}

// isBehind tells whether what a record of a kind refers to is behind a pointer.
func isBehind(kind btf.Kind, behind bool) bool {
	return kind == btf.KindPtr || behind && (kind.IsModifier() || kind == btf.KindArray)
}

func (w *scanner) follow(look int32, behind bool, depth int) {
	if look == unseen {
		w.ref(depth)
		return
	}
	switch head := w.number(); {
	case head == 0:
	case head <= uint64(btf.KindEnum64):
		w.refs++
		name := w.name()
		if !w.bad {
			w.reach(btf.Kind(head), name, look, behind)
		}
	default:
		w.scan(head, look, behind, depth+1)
	}
}
