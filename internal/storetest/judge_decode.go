package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// layouts says of each kind what the words of a record are after its name and info: 'n' a name, 't' a type id, 'w' any other word.
// The part before the comma stands once, the part behind it once for each item.
var layouts = [...]string{
	1: "ww", 2: "t", 3: "wttw", 4: "w,ntw", 5: "w,ntw", 6: "w,nw", 7: "w", 8: "t", 9: "t", 10: "t", 11: "t",
	12: "t", 13: "t,nt", 14: "tw", 15: "w,tww", 16: "w", 17: "tw", 18: "t", 19: "w,nww",
}

var kindNames = [...]string{
	"void", "int", "ptr", "array", "struct", "union", "enum", "fwd", "typedef", "volatile", "const", "restrict",
	"func", "func_proto", "var", "datasec", "float", "decl_tag", "type_tag", "enum64",
}

// blob is a BTF as the judge reads it. Index 0 of its types is void.
type blob struct {
	order binary.ByteOrder
	words []uint32 // the type section
	at    []uint32 // per type: where in words it starts; one more at the end
	strs  []byte
}

// decode reads a BTF that stands on its own.
func decode(raw []byte) (*blob, error) {
	if len(raw) < 24 {
		return nil, fmt.Errorf("%d bytes, shorter than a header", len(raw))
	}
	b := &blob{order: binary.LittleEndian}
	if raw[0] == 0xeb {
		b.order = binary.BigEndian
	}
	if b.order.Uint16(raw) != 0xeb9f || raw[2] != 1 {
		return nil, fmt.Errorf("starts with % x, which no BTF does", raw[:4])
	}
	word := func(at int) int { return int(b.order.Uint32(raw[at:])) }
	header, typeOff, typeLen, strOff, strLen := word(4), word(8), word(12), word(16), word(20)
	if header+typeOff+typeLen > len(raw) || header+strOff+strLen > len(raw) || typeLen%4 != 0 {
		return nil, fmt.Errorf("sections reach past the %d bytes", len(raw))
	}
	types := raw[header+typeOff:][:typeLen]
	b.strs = raw[header+strOff:][:strLen]
	b.words = make([]uint32, typeLen/4)
	for i := range b.words {
		b.words[i] = b.order.Uint32(types[i*4:])
	}
	b.at = append(b.at, 0) // void has no words
	for at := 0; at < len(b.words); {
		if at+3 > len(b.words) {
			return nil, fmt.Errorf("type %d is cut off", len(b.at))
		}
		kind := int(b.words[at+1] >> 24 & 0x7f)
		if kind == 0 || kind >= len(layouts) {
			return nil, fmt.Errorf("type %d is of unknown kind %d", len(b.at), kind)
		}
		b.at = append(b.at, uint32(at))
		once, each, _ := bytes.Cut([]byte(layouts[kind]), []byte(","))
		at += 2 + len(once)
		if len(each) > 0 {
			at += len(each) * int(b.words[b.at[len(b.at)-1]+1]&0xffffff)
		}
		if at > len(b.words) {
			return nil, fmt.Errorf("type %d is cut off", len(b.at)-1)
		}
	}
	b.at = append(b.at, uint32(len(b.words)))
	return b, nil
}

// types is how many ids there are, void's included.
func (b *blob) types() int { return len(b.at) - 1 }

// record is a type's words, none of void.
func (b *blob) record(id int) []uint32 {
	if id == 0 {
		return nil
	}
	return b.words[b.at[id]:b.at[id+1]]
}

func (b *blob) kind(id int) int {
	if id == 0 {
		return 0
	}
	return int(b.words[b.at[id]+1] >> 24 & 0x7f)
}

func (b *blob) name(id int) string {
	if id == 0 {
		return ""
	}
	return b.text(b.words[b.at[id]])
}

func (b *blob) text(off uint32) string {
	if int(off) >= len(b.strs) {
		return fmt.Sprintf("\x00string %d is out of range", off) // the same in no other BTF
	}
	s, _, _ := bytes.Cut(b.strs[off:], []byte{0})
	return string(s)
}

// each goes through the words of a type with what they are: see layouts.
func (b *blob) each(id int, f func(at int, what byte)) {
	r := b.record(id)
	if r == nil {
		return
	}
	f(0, 'n')
	f(1, 'w')
	layout := layouts[b.kind(id)]
	once := len(layout)
	for i := range layout {
		if layout[i] == ',' {
			once = i
			break
		}
		f(2+i, layout[i])
	}
	if once == len(layout) {
		return
	}
	item := layout[once+1:]
	for at := 2 + once; at < len(r); at += len(item) {
		for j := range item {
			f(at+j, item[j])
		}
	}
}
