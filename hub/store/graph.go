package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btfgen/btfgen/btf"
)

// graph is a BTF as words: package btf has checked its records, and the walks
// over a whole kernel here want them raw.
type graph struct {
	order binary.ByteOrder
	words []uint32
	at    []uint32 // per id: where in words its record starts; id 0 has none
	strs  []byte
}

// parseGraph checks a BTF as far as Parse does, and that every type and name
// that it refers to is there.
func parseGraph(raw []byte) (*graph, error) {
	b, err := btf.Parse(raw)
	if err != nil {
		return nil, err
	}
	g := &graph{order: b.ByteOrder()}
	header, body := g.order.Uint32(raw[4:]), raw
	body = body[header:]
	typeOff, typeLen := g.order.Uint32(raw[8:]), g.order.Uint32(raw[12:])
	strOff, strLen := g.order.Uint32(raw[16:]), g.order.Uint32(raw[20:])
	types := body[typeOff:][:typeLen]
	g.strs = body[strOff:][:strLen]
	g.words = make([]uint32, len(types)/4)
	if g.order == binary.ByteOrder(binary.LittleEndian) {
		for i := range g.words {
			g.words[i] = binary.LittleEndian.Uint32(types[i*4:])
		}
	} else {
		for i := range g.words {
			g.words[i] = binary.BigEndian.Uint32(types[i*4:])
		}
	}
	g.at = make([]uint32, 1, int(b.End())+1)
	for at := 0; at < len(g.words); at += recordLen(g.words[at+1]) {
		g.at = append(g.at, uint32(at))
	}
	if len(g.at) != int(b.End()) {
		return nil, fmt.Errorf("%d types, expected %d", len(g.at)-1, b.End()-1)
	}
	return g, g.check()
}

// end is the id after the last.
func (g *graph) end() uint32 { return uint32(len(g.at)) }

func (g *graph) kind(id uint32) btf.Kind { return btf.Kind(g.words[g.at[id]+1] >> 24 & 0x1f) }

// record is a type's words.
func (g *graph) record(id uint32) []uint32 {
	rec := g.words[g.at[id]:]
	return rec[:recordLen(rec[1])]
}

// name is the string at an offset that check has seen.
func (g *graph) name(off uint32) []byte {
	s := g.strs[off:]
	return s[:bytes.IndexByte(s, 0)]
}

// eachWord calls f with every word of a record behind the second and its class.
func eachWord(rec []uint32, f func(i int, class wordClass)) {
	s := &shapes[rec[1]>>24&0x1f]
	f(2, s.third)
	i := 3
	for _, class := range s.fixed {
		f(i, class)
		i++
	}
	for i < len(rec) {
		for _, class := range s.item {
			f(i, class)
			i++
		}
	}
}

func (g *graph) check() error {
	for id := uint32(1); id < g.end(); id++ {
		rec := g.record(id)
		bad := -1
		eachWord(rec, func(i int, class wordClass) {
			switch class {
			case wordRef:
				if rec[i] >= g.end() {
					bad = i
				}
			case wordName:
				if uint64(rec[i]) >= uint64(len(g.strs)) {
					bad = i
				}
			}
		})
		if bad >= 0 {
			return fmt.Errorf("%w: type %d: %v with a word %d, but there are %d types and %d bytes of strings (split BTF, such as a module's, cannot be stored)",
				btf.ErrFormat, id, g.kind(id), rec[bad], g.end()-1, len(g.strs))
		}
	}
	return nil
}
