package store

import (
	"encoding/binary"
	"errors"

	"github.com/btfgen/btfgen/btf"
)

// The text of a definition is a string of numbers: the definition's name, then
// its record. A record is
//
//	head    40+kind, or 60+kind and vlen<<1|kind flag where that is not 0
//	[name]  of a TYPE_TAG
//	words   the record's third word, the fixed ones, the items', by shape
//
// and a reference among the words is
//
//	0                   void
//	kind                then a name: the named type, or one of them
//	40+kind or 60+kind  a nested record, of a type without a name
//
// Which one of several types of a kind and name is meant, a text does not say:
// that is a kernel's own, see variation.
const (
	refRecord = 40
	refInfo   = 60
	refEnd    = refInfo + int(btf.KindEnum64) + 1
)

// Limits of a definition. Real kernels nest anonymous types to a depth of 10,
// and their largest definition has some 20 KB.
const (
	maxDepth = 64      // records within records
	maxText  = 1 << 20 // bytes
)

// wordClass says how a word of a record is written.
type wordClass uint8

const (
	wordPlain  wordClass = iota // the number
	wordRef                     // a reference
	wordName                    // a string
	wordOffset                  // of a member: the difference to the one before; with the kind flag, of 24 bits, and then the 8 of a bitfield's size
	wordAfter                   // the difference to the one before
	wordStep                    // the difference to the one before, zigzag
)

// shape is what follows a record's first two words.
type shape struct {
	third wordClass
	fixed []wordClass
	item  []wordClass // per vlen
}

var shapes = [btf.KindEnum64 + 1]shape{
	btf.KindInt:       {fixed: []wordClass{wordPlain}},
	btf.KindPtr:       {third: wordRef},
	btf.KindArray:     {fixed: []wordClass{wordRef, wordRef, wordPlain}},
	btf.KindStruct:    {item: []wordClass{wordName, wordRef, wordOffset}},
	btf.KindUnion:     {item: []wordClass{wordName, wordRef, wordOffset}},
	btf.KindEnum:      {item: []wordClass{wordName, wordStep}},
	btf.KindFwd:       {},
	btf.KindTypedef:   {third: wordRef},
	btf.KindVolatile:  {third: wordRef},
	btf.KindConst:     {third: wordRef},
	btf.KindRestrict:  {third: wordRef},
	btf.KindFunc:      {third: wordRef},
	btf.KindFuncProto: {third: wordRef, item: []wordClass{wordName, wordRef}},
	btf.KindVar:       {third: wordRef, fixed: []wordClass{wordPlain}},
	btf.KindDatasec:   {item: []wordClass{wordRef, wordAfter, wordPlain}},
	btf.KindFloat:     {},
	btf.KindDeclTag:   {third: wordRef, fixed: []wordClass{wordPlain}},
	btf.KindTypeTag:   {third: wordRef},
	btf.KindEnum64:    {item: []wordClass{wordName, wordStep, wordStep}},
}

// recordLen is the length of a record in words, from its second word.
func recordLen(info uint32) int {
	s := &shapes[info>>24&0x1f]
	n := 3 + len(s.fixed)
	if s.item != nil {
		n += len(s.item) * int(info&0xffffff)
	}
	return n
}

// groupOf tells the kinds that relocations look at (0) from the others (1),
// which stand in blocks of their own.
func groupOf(kind btf.Kind) uint8 {
	switch kind {
	case btf.KindFunc, btf.KindVar, btf.KindDatasec, btf.KindDeclTag:
		return 1
	}
	return 0
}

// kindOrder is the order of definitions of different kinds.
func kindOrder(kind btf.Kind) uint8 { return groupOf(kind)<<5 | uint8(kind) }

var errText = errors.New("malformed definition")

// textWalker reads texts one after another. Strings are numbers, of whatever
// numbering; onString, if set, writes a string's number to out; all else goes
// to out as it is.
type textWalker struct {
	cursor
	out      []byte
	onString func(out []byte, number uint64) []byte
	zeros    uint32 // strings of number 0, counted if onString is not set
}

// definition reads one, and gives its name's number and its kind.
func (w *textWalker) definition() (kind btf.Kind, name uint64, err error) {
	name = w.str()
	head := w.uvarint()
	kind = w.record(head, 1)
	if w.bad {
		return 0, 0, errText
	}
	return kind, name, nil
}

func (w *textWalker) str() uint64 {
	v := w.uvarint()
	if w.onString != nil {
		w.out = w.onString(w.out, v)
	} else if v == 0 {
		w.zeros++
	}
	return v
}

// storedStrings reads the strings of a text as a store has it, where 0 is the next
// new string, which news is the number of, and n+1 string n; onString gets numbers.
func storedStrings(news uint32, onString func(out []byte, number uint64) []byte) func(out []byte, v uint64) []byte {
	next := uint64(news)
	return func(out []byte, v uint64) []byte {
		if v == 0 {
			v = next + 1
			next++
		}
		return onString(out, v-1)
	}
}

func (w *textWalker) num(limit uint64) uint64 {
	v := w.uvarint()
	if v > limit {
		w.bad = true
	}
	w.put(v)
	return v
}

func (w *textWalker) put(v uint64) {
	if w.onString != nil {
		w.out = binary.AppendUvarint(w.out, v)
	}
}

// headOf takes a record's head apart. kind is 0 if it is none.
func headOf(head uint64) (kind btf.Kind, info bool) {
	switch {
	case head > refRecord && head < refInfo:
		return btf.Kind(head - refRecord), false
	case head > refInfo && head < uint64(refEnd):
		return btf.Kind(head - refInfo), true
	}
	return 0, false
}

func (w *textWalker) record(head uint64, depth int) btf.Kind {
	kind, more := headOf(head)
	w.put(head)
	if kind == 0 || depth > maxDepth {
		w.bad = true
		return 0
	}
	info := uint64(0)
	if more {
		info = w.num(1<<25 - 1)
	}
	if kind == btf.KindTypeTag {
		w.str()
	}
	s := &shapes[kind]
	w.word(s.third, info, depth)
	for _, class := range s.fixed {
		w.word(class, info, depth)
	}
	if s.item != nil {
		for n := info >> 1; n > 0 && !w.bad; n-- {
			for _, class := range s.item {
				w.word(class, info, depth)
			}
		}
	}
	return kind
}

func (w *textWalker) word(class wordClass, info uint64, depth int) {
	switch class {
	case wordRef:
		w.ref(depth)
	case wordName:
		w.str()
	case wordOffset:
		if info&1 != 0 {
			w.num(1<<24 - 1)
			w.num(1<<8 - 1)
			return
		}
		w.num(1<<32 - 1)
	default:
		w.num(1<<32 - 1)
	}
}

func (w *textWalker) ref(depth int) {
	head := w.uvarint()
	switch {
	case head == 0:
		w.put(head)
	case head <= uint64(btf.KindEnum64):
		w.put(head)
		w.str()
	default:
		w.record(head, depth+1)
	}
}

// recode gives a text with its strings written by onString. The text must be
// one that this package has made or checked.
func recode(out, text []byte, onString func(out []byte, number uint64) []byte) ([]byte, error) {
	w := textWalker{cursor: cursor{b: text}, out: out, onString: onString}
	_, _, err := w.definition()
	if err == nil && !w.done() {
		err = errText
	}
	return w.out, err
}

// content writes a text with its strings spelt out, so that texts of different
// numberings can be compared: it is what definitions are ordered by.
func content(out, text []byte, strings func(uint64) string) ([]byte, error) {
	return recode(out, text, func(out []byte, n uint64) []byte {
		return append(append(out, strings(n)...), 0)
	})
}
