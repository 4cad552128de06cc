package store

import (
	"encoding/binary"

	"github.com/btfgen/btfgen/btf"
)

// template is a type's record with places for ids: parts of an arena.
type template struct {
	words, wordsEnd uint32
	refs, refsEnd   uint32
}

type arena struct {
	words []uint32 // names are offsets in View.strings already
	refs  []viewRef
}

// viewRef is a reference in a template.
type viewRef struct {
	at    uint32 // word of the record
	to    int32  // a group or, below 0, ^the number of a nameless type
	index uint32 // of references by kind and name: its own, or that of the nameless type's first, from the template's first on
	n     uint32 // how many of these there are in a nameless type
}

// notShown is the id that stands for types that are not shown.
const notShown = 1<<31 - 1

// namelessType is a record without a name, each once: its text is all that it is
// but for ordinals.
type namelessType struct {
	template
	// partial: what is kept of it depends on where it is met, and so it matters
	// whether two such types are one.
	partial bool
}

// compiler makes templates.
type compiler struct {
	textCursor
	view *View

	words []uint32 // of the record that is being made, and of those around it
	links []viewRef
	text  []byte // of nameless records, with numbers of strings instead of new ones
	key   []byte // what the definition shows

	// Of references to groups, and of nameless types, in their order: nothing that
	// is kept of a kernel follows them.
	idle, idleInner []bool
}

// compileAll makes the templates of all definitions, and numbers what they show.
func (v *View) compileAll() error {
	c := compiler{view: v}
	keys := make([]string, len(v.defs))
	for i := range v.defs {
		d := &v.defs[i]
		if err := c.definition(d); err != nil {
			return err
		}
		keys[i] = string(c.key)
	}
	ids := make(map[string]uint32)
	var key []byte
	for i := range v.defs {
		key = binary.AppendUvarint(key[:0], uint64(v.defs[i].group))
		key = append(key, keys[i]...)
		id, ok := ids[string(key)]
		if !ok {
			id = uint32(len(ids))
			ids[string(key)] = id
		}
		v.defs[i].shown = id
	}
	return nil
}

func (c *compiler) definition(d *viewDef) error {
	if err := c.start(c.view.store, d.number); err != nil {
		return err
	}
	c.words, c.links, c.text, c.key = c.words[:0], c.links[:0], c.text[:0], c.key[:0]
	c.idle, c.idleInner = c.idle[:0], c.idleInner[:0]
	name := c.name()
	look := c.view.groups[d.group].look
	c.compile(c.number(), name, look, true, false, false, 1)
	if err := c.failed(d.number); err != nil {
		return err
	}
	d.template = c.view.keep(c.words, c.links)
	c.view.flatten(d, d.template, 0)
	for i, idle := range c.idle {
		d.flat[i].idle = idle
	}
	for i, idle := range c.idleInner {
		d.inner[i].idle = idle
	}
	return nil
}

// flatten lists a template's references to groups and to nameless types, those
// of the nameless types in it included.
func (v *View) flatten(d *viewDef, t template, index uint32) {
	for i := t.refs; i < t.refsEnd; i++ {
		r := &v.refs[i]
		if r.to >= 0 {
			d.flat = append(d.flat, flatLink{index: index + r.index, group: r.to})
			continue
		}
		at := len(d.inner)
		d.inner = append(d.inner, flatInner{index: index + r.index, n: r.n, nameless: ^r.to, flat: uint32(len(d.flat))})
		v.flatten(d, v.nameless[^r.to].template, index+r.index)
		d.inner[at].flatEnd, d.inner[at].innerEnd = uint32(len(d.flat)), uint32(len(d.inner))
	}
}

// keep puts a template into the arena.
func (a *arena) keep(words []uint32, refs []viewRef) template {
	t := template{words: uint32(len(a.words)), refs: uint32(len(a.refs))}
	a.words = append(a.words, words...)
	a.refs = append(a.refs, refs...)
	t.wordsEnd, t.refsEnd = uint32(len(a.words)), uint32(len(a.refs))
	return t
}

func (c *compiler) putText(v uint64) { c.text = binary.AppendUvarint(c.text, v) }
func (c *compiler) putKey(v uint64)  { c.key = binary.AppendUvarint(c.key, v) }

// offset is a string's place in the view's string section.
func (c *compiler) offset(number uint32) uint32 {
	v := c.view
	if number == 0 || c.bad {
		return 0
	}
	if int(number) >= len(v.offsets) {
		c.bad = true
		return 0
	}
	if v.offsets[number] == 0 {
		text, err := v.store.str(number)
		if err != nil {
			c.err, c.bad = err, true
			return 0
		}
		v.offsets[number] = uint32(len(v.strings))
		v.strings = append(append(v.strings, text...), 0)
	}
	return v.offsets[number]
}

// compile makes a record's words, on top of c.words. keyed says that it is shown
// in the definition's own right: what its parts show goes into the key one by
// one; of others it is their text. For behind, see scan; for idle, link.
func (c *compiler) compile(head uint64, name uint32, look int32, keyed, behind, idle bool, depth int) {
	kind, more := headOf(head)
	if kind == 0 || depth > maxDepth {
		c.bad = true
		return
	}
	info := uint64(0)
	if more {
		info = c.number()
	}
	textStart, first := len(c.text), uint32(len(c.words))
	c.putText(head)
	c.putText(info)
	if kind == btf.KindTypeTag {
		name = c.name()
		c.putText(uint64(name))
	}
	c.words = append(c.words, c.offset(name), uint32(info&1)<<31|uint32(kind)<<24|uint32(info>>1))
	third, items := c.view.onward(kind, look)
	behind = isBehind(kind, behind)
	idle = idle || third == unseen && kind == btf.KindPtr
	// What a pointer or a prototype refers to is shown as it stands.
	parts := keyed && (kind.IsComposite() || kind.IsModifier() || kind == btf.KindArray || kind == btf.KindEnum || kind == btf.KindEnum64 || kind == btf.KindVar || kind == btf.KindFunc)
	if parts {
		c.putKey(head)
		c.putKey(info & 1)
		if kind == btf.KindTypeTag {
			c.putKey(uint64(name))
		}
	}
	s := &shapes[kind]
	if s.third == wordRef {
		c.link(first, third, parts, behind, idle, depth)
	} else {
		c.plain(parts)
	}
	switch {
	case kind == btf.KindArray:
		index := int32(0)
		if look == unseen {
			index = unseen
		}
		c.link(first, look, parts, behind, idle, depth)
		c.link(first, index, parts, false, idle, depth)
		c.plain(parts)
	case kind.IsComposite():
		c.members(first, info, look, parts, idle, depth)
	case kind.IsEnum():
		c.enumerators(first, info, look, parts, depth)
	default:
		for range s.fixed {
			c.plain(parts)
		}
		if s.item != nil {
			c.items(first, s, info, items, behind, idle, depth)
		}
	}
	if keyed && !parts {
		c.key = append(c.key, c.text[textStart:]...)
	}
}

func (c *compiler) plain(keyed bool) {
	v := c.word()
	c.words = append(c.words, v)
	c.putText(uint64(v))
	if keyed {
		c.putKey(uint64(v))
	}
}

// link reads a reference of the record that starts at a word. What a pointer
// points to stays open, unless something looks at it through a pointer: nothing
// else asks for it. An idle reference is one that nothing which is kept of a kernel
// follows: behind a pointer that is not looked through, of a member that is not
// looked at.
func (c *compiler) link(first uint32, look int32, keyed, behind, idle bool, depth int) {
	at := uint32(len(c.words))
	c.words = append(c.words, 0)
	head := c.number()
	switch {
	case head == 0:
		c.putText(0)
		if keyed {
			c.putKey(0)
		}
	case head <= uint64(btf.KindEnum64):
		index := c.refs
		c.refs++
		name := c.name()
		c.putText(head)
		c.putText(uint64(name))
		if keyed {
			c.putKey(head)
			c.putKey(uint64(name))
		}
		if g, ok := c.view.groupOf[head<<32|uint64(name)]; ok && (!behind || c.view.groups[g].behind) {
			c.putText(1) // the same type elsewhere may stay open
			c.idle = append(c.idle, idle)
			c.links = append(c.links, viewRef{at: at - first, to: g, index: index})
		} else {
			c.words[at] = notShown
		}
	default:
		index := c.refs
		n := c.nested(head, look, keyed, behind, idle, depth)
		c.links = append(c.links, viewRef{at: at - first, to: ^n, index: index, n: c.refs - index})
	}
}

// nested reads a record without a name and gives its number.
func (c *compiler) nested(head uint64, look int32, keyed, behind, idle bool, depth int) int32 {
	c.idleInner = append(c.idleInner, idle)
	words, links, text, index := len(c.words), len(c.links), len(c.text), c.refs
	c.compile(head, 0, look, keyed, behind, idle, depth+1)
	if c.bad {
		return 0
	}
	v := c.view
	n, ok := v.byText[string(c.text[text:])]
	if !ok {
		n = int32(len(v.nameless))
		v.byText[string(c.text[text:])] = n
		for i := range c.links[links:] {
			c.links[links+i].index -= index
		}
		v.nameless = append(v.nameless, namelessType{template: v.keep(c.words[words:], c.links[links:])})
	}
	// Of a struct it depends on where it is met which members are kept; of a pointer
	// or prototype, whether what is behind; of any, where it is referred to but not
	// looked at, whether it is there at all.
	kind, _ := headOf(head)
	third, _ := v.onward(kind, look)
	switch {
	case idle:
	case kind.IsComposite(), look == unseen, third != unseen && (kind == btf.KindPtr || kind == btf.KindFuncProto):
		v.nameless[n].partial = true
	}
	c.words, c.links = c.words[:words], c.links[:links]
	return n
}

// members reads those of a struct or union. One with a name has only those that
// are looked at; one without a name has all, since it may be in several places.
func (c *compiler) members(first uint32, info uint64, look int32, keyed, idle bool, depth int) {
	all := look != unseen && c.view.looks.sets[look].all
	whole := depth > 1 || all
	offset, kept := uint32(0), uint32(0)
	for n := info >> 1; n > 0 && !c.bad; n-- {
		name := c.name()
		m, err := c.view.looks.member(look, name)
		if err != nil {
			c.err, c.bad = err, true
			return
		}
		seen := m.look != unseen || name == 0 || n == 1
		if !whole && !seen && !m.alike {
			c.ref(depth)
			offset = c.memberOffset(info, offset)
			continue
		}
		kept++
		shown := keyed && (seen || all)
		c.words = append(c.words, c.offset(name))
		c.putText(uint64(name))
		if shown {
			c.putKey(uint64(name) + 1)
		}
		if !whole && !seen {
			c.ref(depth)
			c.words = append(c.words, notShown)
		} else {
			c.link(first, m.look, shown, false, idle || !seen && !all, depth)
		}
		offset = c.memberOffset(info, offset)
		c.words = append(c.words, offset)
		c.putText(uint64(offset))
		if shown {
			c.putKey(uint64(offset))
		}
	}
	if keyed {
		c.putKey(0)
	}
	c.words[first+1] = c.words[first+1]&0xff000000 | kept
}

// memberOffset reads a member's third word, whose offset is written as the
// difference from that of the member before.
func (c *compiler) memberOffset(info uint64, before uint32) uint32 {
	if info&1 == 0 {
		return before + c.word()
	}
	v := (before + c.word()) & 0xffffff
	return v | c.word()<<24
}

// enumerators reads those of an enum: all, or the first, of one with a name that
// is not looked through.
func (c *compiler) enumerators(first uint32, info uint64, look int32, keyed bool, depth int) {
	kind := btf.Kind(c.words[first+1] >> 24 & 0x1f)
	whole := depth > 1 || c.view.looks.sets[look].all
	var value [2]uint32
	words := len(shapes[kind].item) - 1
	kept := uint32(0)
	for n := info >> 1; n > 0 && !c.bad; n-- {
		name := c.name()
		for i := range words {
			value[i] += unzigzag(c.word())
		}
		if !whole && kept > 0 {
			continue
		}
		kept++
		c.words = append(append(c.words, c.offset(name)), value[:words]...)
		c.putText(uint64(name))
		if keyed {
			c.putKey(uint64(name) + 1)
		}
		for _, v := range value[:words] {
			c.putText(uint64(v))
			if keyed {
				c.putKey(uint64(v))
			}
		}
	}
	if keyed {
		c.putKey(0)
	}
	c.words[first+1] = c.words[first+1]&0xff000000 | kept
}

// items reads those of a prototype or a section.
func (c *compiler) items(first uint32, s *shape, info uint64, look int32, behind, idle bool, depth int) {
	before := uint32(0)
	for n := info >> 1; n > 0 && !c.bad; n-- {
		for _, class := range s.item {
			switch class {
			case wordName:
				name := c.name()
				c.words = append(c.words, c.offset(name))
				c.putText(uint64(name))
			case wordRef:
				c.link(first, look, false, behind, idle || look == unseen, depth)
			case wordAfter:
				before += c.word()
				c.words = append(c.words, before)
				c.putText(uint64(before))
			default:
				c.plain(false)
			}
		}
	}
}
