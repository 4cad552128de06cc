package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// Types is a kernel's BTF taken apart, ready to be added to a store.
type Types struct {
	path, mark string
	order      binary.ByteOrder
	types      int
	bytes      int64

	strings  []string // number 0 is empty
	defs     []localDef
	texts    []byte
	textAt   uint32 // where the last of them starts
	named    int    // of defs, those with a name: the types of the ids from 1 on
	distinct int
	copies   []copies
	expanded int64  // size of the BTF that a store gives back, in bytes
	sum      uint32 // and its checksum
}

// localDef is a type whose definition's text numbers strings as Types does. They
// are in the order of kindOrder, name and ordinal, those without a name behind.
// Types that differ in nothing but their ordinals share a text.
type localDef struct {
	kind       btf.Kind
	name       uint32
	start, end uint32 // of the text in texts
	choice
}

// choice is which of several types of a kind and name references mean: those
// that do not mean the first, as in definition.
type choice struct{ refs, ordinals []uint32 }

func (t *Types) text(d *localDef) []byte { return t.texts[d.start:d.end:d.end] }

func (t *Types) string(number uint64) string { return t.strings[number] }

// Path is the kernel's path.
func (t *Types) Path() string { return t.path }

// Mark sets what a writer wants to know the kernel's file by when it goes on
// after an interruption (Kernel.Mark), up to 255 bytes. It is gone from a
// compacted store.
func (t *Types) Mark(mark string) { t.mark = mark[:min(len(mark), maxMark)] }

// Analyse takes a kernel's BTF apart: the expensive part of adding one, to be
// done by any goroutine. It proves that the types that a store will give back
// are those of raw, which is not kept. The error is a *RefusedError.
func Analyse(path string, raw []byte) (*Types, error) {
	if err := checkPath(path); err != nil {
		return nil, &RefusedError{path, err}
	}
	if len(raw) > maxExpanded {
		return nil, &RefusedError{path, fmt.Errorf("%d bytes, at most %d fit", len(raw), maxExpanded)}
	}
	g, err := parseGraph(raw)
	if err != nil {
		return nil, &RefusedError{path, err}
	}
	t := &Types{path: path, order: g.order, types: len(g.at) - 1, bytes: int64(len(raw))}
	a := analyser{graph: g, types: t}
	if err := a.run(); err != nil {
		return nil, &RefusedError{path, err}
	}
	return t, nil
}

// analyser takes one kernel apart.
type analyser struct {
	*graph
	types *Types

	number  []uint32 // per string offset: 1 + the string's number
	numbers map[string]uint32

	keyOf []uint32 // per id: 1 + the number of its (kind, name), 0 for a type without a name
	keys  []key
	byKey []uint32 // ids of named types, by key

	classOf []uint32 // per id of a named type
	classes []class
	texts   []string // of classes

	text []byte   // the one that is being made
	refs []uint32 // the named types that it refers to

	refsAt  []uint32 // per id of a named type: where in allRefs its own start; one more
	allRefs []uint32
}

// key is a kind and a name.
type key struct {
	kind    btf.Kind
	name    uint32
	classes []uint32 // by ordinal
	ids     []uint32 // part of byKey
}

func (a *analyser) run() error {
	a.intern()
	if err := a.classify(); err != nil {
		return err
	}
	ids := a.define()
	return a.expand(ids)
}

// nameless tells the types that are written within others: those without a
// name, and tags on types, which are like qualifiers.
func (a *analyser) nameless(id uint32) bool { return a.keyOf[id] == 0 }

// intern numbers strings and keys in the order of first use.
func (a *analyser) intern() {
	t := a.types
	t.strings = []string{""}
	all := string(a.strs) // one copy; the names are parts of it
	a.number = make([]uint32, len(a.strs))
	a.numbers = make(map[string]uint32, len(a.at)/2)
	a.numbers[""] = 0
	a.keyOf = make([]uint32, len(a.at))
	keys := make(map[uint64]uint32, len(a.at)/2)
	number := func(off uint32) uint32 {
		if n := a.number[off]; n != 0 {
			return n - 1
		}
		s := all[off:]
		s = s[:strings.IndexByte(s, 0)]
		n, ok := a.numbers[s]
		if !ok {
			n = uint32(len(t.strings))
			a.numbers[s] = n
			t.strings = append(t.strings, s)
		}
		a.number[off] = n + 1
		return n
	}
	counts := []uint32{0}
	for id := uint32(1); id < a.end(); id++ {
		rec := a.record(id)
		rec[0] = number(rec[0])
		if kind := a.kind(id); rec[0] != 0 && kind != btf.KindTypeTag {
			k := uint64(kind)<<32 | uint64(rec[0])
			n, ok := keys[k]
			if !ok {
				n = uint32(len(a.keys)) + 1
				keys[k] = n
				a.keys = append(a.keys, key{kind: kind, name: rec[0]})
				counts = append(counts, 0)
			}
			a.keyOf[id] = n
			counts[n]++
		}
		if s := &shapes[rec[1]>>24&0x1f]; s.item != nil && s.item[0] == wordName {
			for i := 3; i < len(rec); i += len(s.item) {
				rec[i] = number(rec[i])
			}
		}
	}
	a.number = nil
	named := uint32(0)
	for _, c := range counts {
		named += c
	}
	a.byKey = make([]uint32, named)
	next := uint32(0)
	for i := range a.keys {
		n := counts[i+1]
		a.keys[i].ids = a.byKey[next : next : next+n]
		next += n
	}
	for id := uint32(1); id < a.end(); id++ {
		if n := a.keyOf[id]; n != 0 {
			k := &a.keys[n-1]
			k.ids = append(k.ids, id)
		}
	}
}

var errDeep = fmt.Errorf("types without a name are nested deeper than %d, or refer to each other in a circle", maxDepth)

// write makes the text of a type in a.text, and notes in a.refs the named types
// that it refers to.
func (a *analyser) write(id uint32) error {
	a.text, a.refs = a.text[:0], a.refs[:0]
	name := uint64(0)
	if !a.nameless(id) {
		name = uint64(a.record(id)[0])
	}
	a.put(name)
	if err := a.writeRecord(id, 1); err != nil {
		return fmt.Errorf("type %d, %v %q: %w", id, a.kind(id), a.types.strings[a.record(id)[0]], err)
	}
	return nil
}

func (a *analyser) put(v uint64) { a.text = binary.AppendUvarint(a.text, v) }

func (a *analyser) writeRecord(id uint32, depth int) error {
	switch {
	case depth > maxDepth:
		return errDeep
	case len(a.text) > maxText:
		return fmt.Errorf("its definition takes more than %d bytes", maxText)
	}
	rec := a.record(id)
	kind := rec[1] >> 24 & 0x1f
	if info := rec[1]&0xffffff<<1 | rec[1]>>31; info == 0 {
		a.put(uint64(refRecord + kind))
	} else {
		a.put(uint64(refInfo + kind))
		a.put(uint64(info))
	}
	if btf.Kind(kind) == btf.KindTypeTag {
		a.put(uint64(rec[0]))
	}
	s := &shapes[kind]
	if err := a.writeWord(s.third, rec[2], 0, rec[1], depth); err != nil {
		return err
	}
	at := 3
	for _, class := range s.fixed {
		if err := a.writeWord(class, rec[at], 0, rec[1], depth); err != nil {
			return err
		}
		at++
	}
	for first := at; at < len(rec); {
		for _, class := range s.item {
			before := uint32(0)
			if at >= first+len(s.item) {
				before = rec[at-len(s.item)]
			}
			if err := a.writeWord(class, rec[at], before, rec[1], depth); err != nil {
				return err
			}
			at++
		}
		if len(a.text) > maxText {
			return fmt.Errorf("its definition takes more than %d bytes", maxText)
		}
	}
	return nil
}

func (a *analyser) writeWord(class wordClass, v, before, info uint32, depth int) error {
	switch class {
	case wordRef:
		return a.writeRef(v, depth)
	case wordOffset:
		if info>>31 != 0 {
			a.put(uint64((v - before) & 0xffffff))
			v = v >> 24
			break
		}
		v -= before
	case wordAfter:
		v -= before
	case wordStep:
		v = zigzag(v - before)
	}
	a.put(uint64(v))
	return nil
}

func (a *analyser) writeRef(id uint32, depth int) error {
	if id == 0 {
		a.put(0)
		return nil
	}
	if a.nameless(id) {
		return a.writeRecord(id, depth+1)
	}
	a.refs = append(a.refs, id)
	k := &a.keys[a.keyOf[id]-1]
	a.put(uint64(k.kind))
	a.put(uint64(k.name))
	return nil
}

// define puts the classes into their order and keeps their texts. It returns
// for every class its place, from 1.
func (a *analyser) define() []uint32 {
	t := a.types
	order := make([]uint32, len(a.keys))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int {
		kx, ky := &a.keys[x], &a.keys[y]
		if kx.kind != ky.kind {
			return cmp.Compare(kindOrder(kx.kind), kindOrder(ky.kind))
		}
		return strings.Compare(t.strings[kx.name], t.strings[ky.name])
	})
	ids := make([]uint32, len(a.classes))
	for _, k := range order {
		before := ^uint32(0)
		for _, c := range a.keys[k].classes {
			class := &a.classes[c]
			if class.text != before {
				t.addText(a.texts[class.text])
				before = class.text
			}
			t.addType(a.keys[k].kind, a.keys[k].name, a.chosen(a.refsOf(class.id)))
			ids[c] = uint32(len(t.defs))
		}
	}
	t.named = len(t.defs)
	return ids
}

func (t *Types) addText(text string) {
	t.textAt = uint32(len(t.texts))
	t.texts = append(t.texts, text...)
}

// addType adds a type with the text added last.
func (t *Types) addType(kind btf.Kind, name uint32, chosen choice) {
	t.defs = append(t.defs, localDef{kind, name, t.textAt, uint32(len(t.texts)), chosen})
}

// expand expands the definitions, finds out which of them every type is, adds
// what no named type reaches, and proves the result.
func (a *analyser) expand(ids []uint32) error {
	t := a.types
	x := new(expander)
	t.begin(x)
	if err := x.named(); err != nil {
		return err
	}
	f := make([]uint32, a.end()) // per id: its id when expanded, 0 if not found
	for id := uint32(1); id < a.end(); id++ {
		if !a.nameless(id) {
			f[id] = ids[a.classOf[id]]
		}
	}
	missing, err := a.find(x, f, nil)
	if err != nil {
		return err
	}
	roots, err := a.roots(missing)
	if err != nil {
		return err
	}
	if err := a.expandRoots(x, roots); err != nil {
		return err
	}
	if missing, err = a.find(x, f, missing); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("type %d, %v: lost in the store (a bug: please report it)", missing[0], a.kind(missing[0]))
	}
	t.distinct = x.distinct()
	t.countCopies(f)
	raw, err := x.bytes(t.order, t.copies, maxExpanded, nil)
	if err != nil {
		return err
	}
	t.expanded, t.sum = int64(len(raw)), checksum(raw)
	return a.prove(raw, f)
}

// expandRoots adds the roots that are needed, and expands them. A root may turn
// out to be within another: one type of its class is, another is not.
func (a *analyser) expandRoots(x *expander, roots []root) error {
	within := make(map[uint32]bool)
	ids := make([]uint32, len(roots))
	for i := range roots {
		var err error
		if ids[i], err = x.root(&definition{kind: roots[i].kind, text: []byte(roots[i].text), refs: roots[i].refs, ordinals: roots[i].ordinals}); err != nil {
			return err
		}
	}
	for n := range x.anAt {
		rec := x.anonymous(uint32(n))
		eachWord(rec, func(i int, class wordClass) {
			if class == wordRef {
				within[rec[i]] = true
			}
		})
	}
	all := len(roots)
	kept := roots[:0]
	for i, root := range roots {
		if !within[ids[i]] {
			kept = append(kept, root)
		}
	}
	if len(kept) < all {
		a.types.begin(x)
		if err := x.named(); err != nil {
			return err
		}
		for i := range kept {
			if _, err := x.root(&definition{kind: kept[i].kind, text: []byte(kept[i].text), refs: kept[i].refs, ordinals: kept[i].ordinals}); err != nil {
				return err
			}
		}
	}
	before := ""
	for _, root := range kept {
		if root.text != before {
			a.types.addText(root.text)
			before = root.text
		}
		a.types.addType(root.kind, 0, root.choice)
	}
	return nil
}

// begin gives an expander the named definitions.
func (t *Types) begin(x *expander) {
	x.begin(t.ready(), uint32(len(t.strings)), func(n uint32) string { return t.strings[n] }, false)
}

// ready gives the definitions to an expander.
func (t *Types) ready() []definition {
	defs := make([]definition, len(t.defs))
	for i := range t.defs {
		d := &t.defs[i]
		defs[i] = definition{kind: d.kind, name: d.name, text: t.text(d), refs: d.refs, ordinals: d.ordinals}
	}
	return defs
}

// maxMark and maxPath limit what a directory says about a kernel in bytes.
const (
	maxMark = 255
	maxPath = 4096
)

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("it has no name")
	case len(path) > maxPath:
		return fmt.Errorf("its name has %d bytes, at most %d fit", len(path), maxPath)
	case strings.IndexByte(path, 0) >= 0:
		return errors.New("its name has a zero byte in it")
	}
	return nil
}
