package kernelseries

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// A record is a type's words as BTF has them, but for names, which are numbers of a stringTable. Records are shared between kernels:
// one that changes is copied first.
type record []uint32

func (r record) kind() btf.Kind { return btf.Kind(r[1] >> 24 & 0x1f) }
func (r record) vlen() int      { return int(r[1] & 0xffff) }
func (r record) flag() bool     { return r[1]>>31 != 0 }

// layout is how a kind's record goes on after name and info: which of its words are names and type ids, first those that stand
// once, then those of an item.
type layout struct {
	once, item int // words
	refs       []int
	itemName   bool // an item's first word
	itemRef    int  // -1 if items refer to nothing
}

var layouts = [...]layout{
	btf.KindInt:       {once: 2, itemRef: -1},
	btf.KindPtr:       {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindArray:     {once: 4, refs: []int{3, 4}, itemRef: -1},
	btf.KindStruct:    {once: 1, item: 3, itemName: true, itemRef: 1},
	btf.KindUnion:     {once: 1, item: 3, itemName: true, itemRef: 1},
	btf.KindEnum:      {once: 1, item: 2, itemName: true, itemRef: -1},
	btf.KindFwd:       {once: 1, itemRef: -1},
	btf.KindTypedef:   {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindVolatile:  {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindConst:     {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindRestrict:  {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindFunc:      {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindFuncProto: {once: 1, item: 2, refs: []int{2}, itemName: true, itemRef: 1},
	btf.KindVar:       {once: 2, refs: []int{2}, itemRef: -1},
	btf.KindDatasec:   {once: 1, item: 3, itemRef: 0},
	btf.KindFloat:     {once: 1, itemRef: -1},
	btf.KindDeclTag:   {once: 2, refs: []int{2}, itemRef: -1},
	btf.KindTypeTag:   {once: 1, refs: []int{2}, itemRef: -1},
	btf.KindEnum64:    {once: 1, item: 3, itemName: true, itemRef: -1},
}

// eachRef calls f with each place of a record that holds a type id.
func (r record) eachRef(f func(at int)) {
	l := &layouts[r.kind()]
	for _, at := range l.refs {
		f(at)
	}
	if l.item > 0 && l.itemRef >= 0 {
		for at := 2 + l.once + l.itemRef; at < len(r); at += l.item {
			f(at)
		}
	}
}

// stringTable numbers strings; 0 is the empty one.
type stringTable struct {
	list  []string
	index map[string]uint32

	// Of the encoding at hand: where each string stands, and which encoding that was in.
	offs, used []uint32
	encoding   uint32
}

func (t *stringTable) number(s string) uint32 {
	n, ok := t.index[s]
	if !ok {
		n = uint32(len(t.list))
		t.list = append(t.list, s)
		t.index[s] = n
	}
	return n
}

// base is a real kernel, and what mutations choose from. Ids are the real kernel's.
type base struct {
	order   binary.ByteOrder
	strs    *stringTable
	records []record // by id; none of void
	refs    []int32  // per id: how many references there are to it

	structs, enums, funcs []uint32 // named, the only one of kind and name; funcs without tags
	members               []uint32 // of structs, each as often as it has members: large ones change more often
	sections              []uint32
	scalars               []scalar            // types for members and parameters
	holders               map[uint32][]uint32 // of a struct or union, those that have it as a member by value
	protos                map[string]uint32   // function types by their words
	words                 []string            // that functions' names consist of
	fields                []uint32            // names of members
	pointer               uint32              // its size in bytes
}

type scalar struct{ id, size uint32 }

func newBase(raw []byte) (*base, error) {
	parsed, err := btf.Parse(raw)
	if err != nil {
		return nil, err
	}
	if err := parsed.Validate(); err != nil {
		return nil, err
	}
	b := &base{
		order: parsed.ByteOrder(), strs: &stringTable{index: make(map[string]uint32)},
		holders: make(map[uint32][]uint32), protos: make(map[string]uint32), pointer: 8,
	}
	b.strs.number("")
	if long := parsed.LongType(); long != 0 {
		b.pointer = parsed.Size(long)
	}
	if err := b.decode(raw, parsed); err != nil {
		return nil, err
	}
	b.refs = make([]int32, len(b.records))
	for _, r := range b.records[1:] {
		r.eachRef(func(at int) { b.refs[r[at]]++ })
	}
	b.choose()
	return b, nil
}

// decode takes the type section apart. Parse has checked that records are whole.
func (b *base) decode(raw []byte, parsed *btf.BTF) error {
	o := b.order
	start := o.Uint32(raw[4:]) + o.Uint32(raw[8:])
	types := raw[start:][:o.Uint32(raw[12:])]
	words := make([]uint32, len(types)/4)
	for i := range words {
		words[i] = o.Uint32(types[i*4:])
	}
	numbers := make(map[uint32]uint32)
	name := func(at *uint32) {
		n, ok := numbers[*at]
		if !ok {
			n = b.strs.number(parsed.String(*at))
			numbers[*at] = n
		}
		*at = n
	}
	b.records = append(make([]record, 0, int(parsed.End())), nil)
	for at := 0; at < len(words); {
		head := record(words[at:])
		if head[1]&0x60ff0000 != 0 {
			return fmt.Errorf("type %d: unknown bits in %#x", len(b.records), head[1])
		}
		l := &layouts[head.kind()]
		n := 2 + l.once
		if l.item > 0 {
			n += l.item * head.vlen()
		}
		r := record(words[at:][:n:n])
		name(&r[0])
		if l.itemName {
			for i := 2 + l.once; i < n; i += l.item {
				name(&r[i])
			}
		}
		b.records = append(b.records, r)
		at += n
	}
	return nil
}

// choose finds what mutations can be applied to.
func (b *base) choose() {
	type key struct {
		kind btf.Kind
		name uint32
	}
	many := make(map[key]int)
	for _, r := range b.records[1:] {
		many[key{r.kind(), r[0]}]++
	}
	seen := make(map[string]bool)
	for i, r := range b.records[1:] {
		id, kind := uint32(i+1), r.kind()
		only := r[0] != 0 && many[key{kind, r[0]}] == 1
		switch {
		case kind == btf.KindDatasec:
			b.sections = append(b.sections, id)
		case kind == btf.KindStruct && only && r.vlen() > 1:
			b.structs = append(b.structs, id)
			for range r.vlen() {
				b.members = append(b.members, id)
			}
		case kind.IsEnum() && only && r.vlen() > 0:
			b.enums = append(b.enums, id)
		case kind == btf.KindFunc && only && b.refs[id] == 0:
			b.funcs = append(b.funcs, id)
			for word := range strings.SplitSeq(b.strs.list[r[0]], "_") {
				if len(word) > 1 && !seen[word] {
					seen[word] = true
					b.words = append(b.words, word)
				}
			}
		case kind == btf.KindFuncProto:
			if k := protoKey(r); b.protos[k] == 0 {
				b.protos[k] = id
			}
		}
		if kind.IsComposite() {
			for at := 3; at < len(r); at += 3 {
				if in, _ := b.embedded(r[at+1]); in != 0 {
					if list := b.holders[in]; len(list) == 0 || list[len(list)-1] != id {
						b.holders[in] = append(list, id)
					}
				}
				if r[at] != 0 && at == 3+3*(len(r)%7) {
					b.fields = append(b.fields, r[at])
				}
			}
		}
		// A type that is much used is likely to be used again: mostly pointers and integers.
		if kind == btf.KindPtr || kind == btf.KindInt || kind == btf.KindTypedef || kind.IsEnum() {
			if size := b.size(id); (size == 4 || size == b.pointer) && b.refs[id] > 1 {
				if in, _ := b.embedded(id); in == 0 {
					b.scalars = append(b.scalars, scalar{id, size})
				}
			}
		}
	}
}

func protoKey(r record) string {
	key := make([]byte, 0, 4*len(r))
	for _, w := range r[1:] {
		key = binary.LittleEndian.AppendUint32(key, w)
	}
	return string(key)
}

// embedded is the struct or union that a value of a type consists of, behind modifiers and arrays, and how many times. 0: none.
func (b *base) embedded(id uint32) (composite, times uint32) {
	times = 1
	for id != 0 {
		r := b.records[id]
		switch k := r.kind(); {
		case k.IsComposite():
			return id, times
		case k.IsModifier():
			id = r[2]
		case k == btf.KindArray:
			id, times = r[3], times*r[5]
		default:
			return 0, 0
		}
	}
	return 0, 0
}

// size is that of a value of a type of the real kernel in bytes, 0 if it has none.
func (b *base) size(id uint32) uint32 {
	n := uint32(1)
	for id != 0 {
		r := b.records[id]
		switch k := r.kind(); {
		case k.IsModifier(), k == btf.KindVar:
			id = r[2]
		case k == btf.KindArray:
			id, n = r[3], n*r[5]
		case k == btf.KindPtr:
			return n * b.pointer
		case k == btf.KindInt, k.IsComposite(), k.IsEnum(), k == btf.KindFloat:
			return n * r[2]
		default:
			return 0
		}
	}
	return 0
}
