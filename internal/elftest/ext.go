package elftest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// Ext are the records of .BTF.ext. Their strings are appended to those of the
// object's BTF.
type Ext struct {
	Funcs  []FuncInfo
	Lines  []LineInfo
	Relocs []CORERelo

	HeaderSize uint32 // bytes; 0: 32. 24 leaves no room for CO-RE relocations
	Longer     uint32 // unknown bytes at each record's end
}

// FuncInfo is one record of function info.
type FuncInfo struct {
	Section string
	InsnOff uint32 // bytes
	TypeID  btf.ID
}

// LineInfo is one record of line info.
type LineInfo struct {
	Section    string
	InsnOff    uint32 // bytes
	File, Text string
	Line, Col  uint32
}

// CORERelo is one CO-RE relocation record.
type CORERelo struct {
	Section string
	InsnOff uint32 // bytes
	TypeID  btf.ID
	Access  string
	Kind    uint32
}

// record is one record of any kind, in words.
type record struct {
	section string
	words   []uint32
}

// encode writes .BTF.ext, and the BTF with the strings that it needs.
func (e *Ext) encode(order binary.ByteOrder, types []byte) (ext, withStrings []byte, err error) {
	strings := &stringAppender{order: order, seen: map[string]uint32{"": 0}}
	if types != nil {
		if strings.types, err = splitStrings(order, types); err != nil {
			return nil, nil, err
		}
		strings.base = uint32(len(types)) - strings.types
	}
	var funcs, lines, relocs []record
	for _, f := range e.Funcs {
		funcs = append(funcs, record{f.Section, []uint32{f.InsnOff, uint32(f.TypeID)}})
	}
	for _, l := range e.Lines {
		lines = append(lines, record{l.Section, []uint32{l.InsnOff, strings.at(l.File), strings.at(l.Text), l.Line<<10 | l.Col}})
	}
	for _, r := range e.Relocs {
		relocs = append(relocs, record{r.Section, []uint32{r.InsnOff, uint32(r.TypeID), strings.at(r.Access), r.Kind}})
	}

	size := e.HeaderSize
	if size == 0 {
		size = 32
	}
	if size < 24 {
		return nil, nil, fmt.Errorf("header of %d bytes", size)
	}
	header := make([]byte, max(size, 32))
	order.PutUint16(header, btf.Magic)
	header[2] = 1
	order.PutUint32(header[4:], size)
	var body []byte
	for i, records := range [][]record{funcs, lines, relocs} {
		if i == 2 && size < 32 {
			break
		}
		start := len(body)
		if len(records) > 0 {
			body = word(order, body, uint32(len(records[0].words))*4+e.Longer)
		}
		for len(records) > 0 {
			name, n := records[0].section, 0
			for n < len(records) && records[n].section == name {
				n++
			}
			body = word(order, body, strings.at(name))
			body = word(order, body, uint32(n))
			for _, r := range records[:n] {
				for _, v := range r.words {
					body = word(order, body, v)
				}
				for range e.Longer {
					body = append(body, 0xaa)
				}
			}
			records = records[n:]
		}
		order.PutUint32(header[8+8*i:], uint32(start))
		order.PutUint32(header[12+8*i:], uint32(len(body)-start))
	}
	ext = append(header[:size:size], body...)
	if types == nil {
		return ext, nil, nil
	}
	withStrings = append(append([]byte(nil), types...), strings.added...)
	order.PutUint32(withStrings[20:], strings.base+uint32(len(strings.added)))
	return ext, withStrings, nil
}

func word(order binary.ByteOrder, b []byte, v uint32) []byte {
	b = append(b, 0, 0, 0, 0)
	order.PutUint32(b[len(b)-4:], v)
	return b
}

// stringAppender adds strings behind a BTF's own.
type stringAppender struct {
	order binary.ByteOrder
	types uint32 // where the strings start, bytes from the BTF's start
	base  uint32 // their size, bytes
	added []byte
	seen  map[string]uint32
}

func (a *stringAppender) at(s string) uint32 {
	off, ok := a.seen[s]
	if !ok {
		off = a.base + uint32(len(a.added))
		a.added = append(append(a.added, s...), 0)
		a.seen[s] = off
	}
	return off
}

// splitStrings is where a BTF's string section starts, which must be its end.
func splitStrings(order binary.ByteOrder, types []byte) (uint32, error) {
	if len(types) < 24 || order.Uint16(types) != btf.Magic {
		return 0, errors.New("BTF: not in the object's byte order")
	}
	start := order.Uint32(types[4:]) + order.Uint32(types[16:])
	if start+order.Uint32(types[20:]) != uint32(len(types)) {
		return 0, errors.New("BTF: the strings are not its end")
	}
	return start, nil
}
