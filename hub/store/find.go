package store

import (
	"bytes"
	"encoding/binary"
	"sort"

	"github.com/btfgen/btfgen/btf"
)

// stringText is a block of strings, and where each of them starts; one more for
// the end.
type stringText struct {
	text []byte
	at   []uint32
}

// str is a string by its number, read with its block and no other. It aliases
// the block.
func (s *Store) str(number uint32) ([]byte, error) {
	if number == 0 {
		return nil, nil
	}
	i := sort.Search(len(s.stringBlocks), func(i int) bool { return s.stringBlocks[i].first > number }) - 1
	if i < 0 || number-s.stringBlocks[i].first >= s.stringBlocks[i].count {
		return nil, damaged("there is no string %d", number)
	}
	t := s.texts[i].Load()
	if t == nil {
		var err error
		if t, err = s.stringBlock(&s.stringBlocks[i]); err != nil {
			return nil, err
		}
		s.texts[i].Store(t)
	}
	n := number - s.stringBlocks[i].first
	return t.text[t.at[n] : t.at[n+1]-1], nil
}

func (s *Store) stringBlock(b *block) (*stringText, error) {
	raw, err := s.expandBlock(b)
	if err != nil {
		return nil, err
	}
	t := &stringText{raw, make([]uint32, 1, b.count+1)}
	for at := 0; at < len(raw); {
		n := bytes.IndexByte(raw[at:], 0)
		if n < 0 || len(t.at) > int(b.count) {
			break
		}
		at += n + 1
		t.at = append(t.at, uint32(at))
	}
	if len(t.at) != int(b.count)+1 || int(t.at[b.count]) != len(raw) {
		return nil, damaged("block of strings at %d: not %d strings", b.offset, b.count)
	}
	return t, nil
}

// find calls f with the definitions of a kind and a name, or with those of its
// flavors (name___flavor), by number, of one layer after the other.
func (s *Store) find(kind btf.Kind, name string, flavors bool, f func(number, name uint32)) error {
	if flavors {
		name += "___"
	}
	order := kindOrder(kind)
	for lo := 0; lo < len(s.definitionBlocks); {
		hi := lo + 1 // the blocks of a layer
		for hi < len(s.definitionBlocks) && s.definitionBlocks[hi].layer == s.definitionBlocks[lo].layer {
			hi++
		}
		blocks := s.definitionBlocks[lo:hi]
		before := func(b *block) bool {
			first := kindOrder(btf.Kind(b.firstKind))
			return first < order || first == order && b.firstName < name
		}
		// It starts in the last block that starts before it, or in the next.
		i := max(sort.Search(len(blocks), func(i int) bool { return !before(&blocks[i]) })-1, 0)
		for ; i < len(blocks); i++ {
			more, err := s.findIn(lo+i, order, name, flavors, f)
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
		lo = hi
	}
	return nil
}

// findIn does so in one block, and tells whether the next may have more.
func (s *Store) findIn(i int, order uint8, name string, flavors bool, f func(number, name uint32)) (more bool, _ error) {
	d, err := s.definitionBlock(i)
	if err != nil {
		return false, err
	}
	var failed error
	text := func(k int) []byte {
		b, err := s.str(d.name[k])
		if err != nil {
			failed = err
		}
		return b
	}
	k := sort.Search(len(d.at), func(k int) bool {
		o := kindOrder(btf.Kind(d.kind[k]))
		return o > order || o == order && string(text(k)) >= name
	})
	for ; k < len(d.at) && failed == nil; k++ {
		t := text(k)
		if kindOrder(btf.Kind(d.kind[k])) != order || string(t) != name && !(flavors && bytes.HasPrefix(t, []byte(name))) {
			return false, failed
		}
		f(s.definitionBlocks[i].first+uint32(k), d.name[k])
	}
	return true, failed
}

// skimmer walks over definitions for where they end and what they count, and
// looks at nothing else.
type skimmer struct {
	b     []byte
	i     int
	bad   bool
	zeros uint32 // strings of number 0: the next new one
	refs  uint32 // references by kind and name
}

// skip skips a number.
func (k *skimmer) skip() {
	b, i := k.b, k.i
	for i < len(b) && b[i] >= 0x80 {
		i++
	}
	k.bad = k.bad || i >= len(b)
	k.i = i + 1
}

// number reads one.
func (k *skimmer) number() uint64 {
	if k.i < len(k.b) && k.b[k.i] < 0x80 {
		k.i++
		return uint64(k.b[k.i-1])
	}
	if k.i > len(k.b) {
		k.bad = true
		return 0
	}
	v, n := binary.Uvarint(k.b[k.i:])
	if n <= 0 {
		k.bad, k.i = true, len(k.b)
		return 0
	}
	k.i += n
	return v
}

func (k *skimmer) str() {
	if k.i < len(k.b) && k.b[k.i] == 0 {
		k.zeros++
		k.i++
		return
	}
	k.skip()
}

func (k *skimmer) ref(depth int) {
	switch head := k.number(); {
	case head == 0:
	case head <= uint64(btf.KindEnum64):
		k.refs++
		k.str()
	default:
		k.record(head, depth+1)
	}
}

func (k *skimmer) record(head uint64, depth int) btf.Kind {
	kind, more := headOf(head)
	if kind == 0 || depth > maxDepth {
		k.bad = true
		return 0
	}
	info := uint64(0)
	if more {
		info = k.number()
	}
	n := info >> 1
	switch kind {
	case btf.KindStruct, btf.KindUnion:
		k.skip()
		k.members(n, info&1 != 0, depth)
	case btf.KindEnum, btf.KindEnum64:
		k.skip()
		for ; n > 0 && !k.bad; n-- {
			k.str()
			k.skip()
			if kind == btf.KindEnum64 {
				k.skip()
			}
		}
	case btf.KindFuncProto:
		k.ref(depth)
		for ; n > 0 && !k.bad; n-- {
			k.str()
			k.ref(depth)
		}
	default:
		if kind == btf.KindTypeTag {
			k.str()
		}
		s := &shapes[kind]
		k.word(s.third, info, depth)
		for _, class := range s.fixed {
			k.word(class, info, depth)
		}
		for ; s.item != nil && n > 0 && !k.bad; n-- {
			for _, class := range s.item {
				k.word(class, info, depth)
			}
		}
	}
	return kind
}

// members skips n of them. It is most of the work, and so written out.
func (k *skimmer) members(n uint64, flag bool, depth int) {
	b, i := k.b, k.i
	for ; n > 0; n-- {
		if i >= len(b) {
			k.bad = true
			return
		}
		if b[i] == 0 {
			k.zeros++
		}
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		i++
		if i >= len(b) {
			k.bad = true
			return
		}
		switch head := b[i]; {
		case head == 0:
			i++
		case head <= byte(btf.KindEnum64):
			k.refs++
			i++
			if i < len(b) && b[i] == 0 {
				k.zeros++
			}
			for i < len(b) && b[i] >= 0x80 {
				i++
			}
			i++
		default: // heads take a byte
			k.i = i
			if k.record(k.number(), depth+1); k.bad {
				return
			}
			i = k.i
		}
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		i++
		if flag {
			for i < len(b) && b[i] >= 0x80 {
				i++
			}
			i++
		}
	}
	k.bad = k.bad || i > len(b)
	k.i = i
}

func (k *skimmer) word(class wordClass, info uint64, depth int) {
	switch class {
	case wordRef:
		k.ref(depth)
	case wordName:
		k.str()
	case wordOffset:
		if info&1 != 0 {
			k.skip()
		}
		k.skip()
	default:
		k.skip()
	}
}
