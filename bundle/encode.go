package bundle

import (
	"bytes"
	"encoding/binary"
)

// pool numbers the strings of all contents, in the order in which they are first met.
type pool struct {
	numbers map[string]uint32
	bytes   []byte // segment 1
}

func newPool() *pool { return &pool{map[string]uint32{"": 0}, []byte{0}} }

func (p *pool) number(s string) uint32 {
	n, ok := p.numbers[s]
	if !ok {
		n = uint32(len(p.numbers))
		p.numbers[s] = n
		p.bytes = append(append(p.bytes, s...), 0)
	}
	return n
}

// encode gives a BTF as it stands in a group, its length first. What form 1 and 2 would not give back byte for byte is stored as it is.
func encode(btf []byte, p *pool) []byte {
	content, ok := encodeColumns(btf, p)
	if !ok {
		content = append([]byte{formVerbatim}, btf...)
	}
	return append(binary.AppendUvarint(nil, uint64(len(content))), content...)
}

func encodeColumns(btf []byte, p *pool) (content []byte, ok bool) {
	if len(btf) < btfHeaderSize {
		return nil, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	form := byte(formLittleEndian)
	if binary.LittleEndian.Uint16(btf) != btfMagic {
		order, form = binary.BigEndian, formBigEndian
	}
	typeSize, stringSize := order.Uint32(btf[16:]), order.Uint32(btf[20:])
	head := make([]byte, btfHeaderSize)
	order.PutUint16(head, btfMagic)
	head[2] = 1
	order.PutUint32(head[4:], btfHeaderSize)
	order.PutUint32(head[12:], typeSize)
	order.PutUint32(head[16:], typeSize)
	order.PutUint32(head[20:], stringSize)
	if !bytes.Equal(btf[:btfHeaderSize], head) || uint64(typeSize)+uint64(stringSize) != uint64(len(btf)-btfHeaderSize) || typeSize%4 != 0 || stringSize == 0 {
		return nil, false
	}
	s := split{order: order, types: btf[btfHeaderSize:][:typeSize], strings: btf[btfHeaderSize+typeSize:]}
	if !s.walk() {
		return nil, false
	}
	// Only now is the pool touched: nothing of what is stored verbatim belongs there.
	for _, name := range s.names {
		s.columns[nameColumn] = binary.AppendUvarint(s.columns[nameColumn], uint64(p.number(name)))
	}
	content = append(content, form)
	content = binary.AppendUvarint(content, uint64(typeSize))
	content = binary.AppendUvarint(content, uint64(stringSize))
	for _, c := range s.columns[:offsetColumn] {
		content = binary.AppendUvarint(content, uint64(len(c)))
	}
	return append(content, bytes.Join(s.columns[:], nil)...), true
}

// split takes the words of a type section apart, into columns.
type split struct {
	order   binary.ByteOrder
	types   []byte
	strings []byte
	columns [columns][]byte
	names   []string // in place of the column of names, whose numbers the pool gives
	seen    map[uint32]string
	unique  map[string]bool
	used    int // bytes of strings used so far
	bad     bool
}

// walk tells whether the BTF is one that expand gives back: known kinds, whole records, strings in the order of first use, each once.
func (s *split) walk() bool {
	if s.strings[0] != 0 {
		return false
	}
	s.seen, s.unique, s.used = map[uint32]string{0: ""}, map[string]bool{"": true}, 1
	for len(s.types) > 0 && !s.bad {
		s.record()
	}
	return !s.bad && s.used == len(s.strings)
}

func (s *split) word() uint32 {
	if len(s.types) < 4 {
		s.bad = true
		return 0
	}
	w := s.order.Uint32(s.types)
	s.types = s.types[4:]
	return w
}

func (s *split) put(column uint8, v uint32) {
	s.columns[column] = binary.AppendUvarint(s.columns[column], uint64(v))
}

func (s *split) name(offset uint32) {
	name, ok := s.seen[offset]
	if !ok {
		if uint64(offset) != uint64(s.used) {
			s.bad = true
			return
		}
		n := bytes.IndexByte(s.strings[s.used:], 0)
		if n < 0 {
			s.bad = true
			return
		}
		name = string(s.strings[s.used:][:n])
		if s.unique[name] {
			s.bad = true
			return
		}
		s.seen[offset], s.unique[name] = name, true
		s.used += n + 1
	}
	s.names = append(s.names, name)
}

func (s *split) record() {
	name, info, third := s.word(), s.word(), s.word()
	kind, ok := layoutOf(info)
	if s.bad || !ok {
		s.bad = true
		return
	}
	l := &layout[kind]
	s.put(infoColumn, info<<8|info>>24)
	s.name(name)
	s.put(l.third, third)
	for _, c := range l.fixed {
		s.put(c, s.word())
	}
	if l.each == nil {
		return
	}
	before := uint32(0)
	for range vlen(info) {
		for _, c := range l.each {
			w := s.word()
			switch c {
			case nameColumn:
				s.name(w)
			case offsetColumn:
				d := w - before
				before = w
				s.put(c, d<<1^uint32(int32(d)>>31))
			default:
				s.put(c, w)
			}
		}
		if s.bad {
			return
		}
	}
}
