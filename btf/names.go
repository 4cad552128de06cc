package btf

import "encoding/binary"

// Names is a set of names to look for while indexing. It works on the first
// bytes of a name, so it can say yes to a name that is not in it, never no to
// one that is. A name's flavors (name___flavor) count as the name.
type Names struct {
	kinds uint32
	bits  [1 << 9]uint64 // 32768 bits
}

// Add adds a name, to be looked for among types of the kinds given.
func (n *Names) Add(name string, kinds ...Kind) {
	for _, k := range kinds {
		n.kinds |= 1 << (k & 31)
	}
	n.set(name)
	// A flavor of a name that is shorter than a prefix shows its underscores.
	if len(name) < 4 {
		n.set(name + "____")
	}
}

func (n *Names) set(name string) {
	var p [8]byte
	copy(p[:4], name)
	h := prefixHash(p[:])
	n.bits[h>>6] |= 1 << (h & 63)
}

// mayHave tests the name at the start of s, which ends with a zero byte that
// need not be the first.
func (n *Names) mayHave(s []byte) bool {
	var h uint32
	if len(s) >= 4 {
		h = prefixHash(s)
	} else {
		var p [4]byte
		copy(p[:], s)
		h = prefixHash(p[:])
	}
	return n.bits[h>>6]>>(h&63)&1 != 0
}

// prefixHash hashes the first four bytes of a zero-terminated string to 15
// bits, those after the zero byte not counting.
func prefixHash(s []byte) uint32 {
	v := binary.LittleEndian.Uint32(s)
	// The lowest set bit of z is the top bit of the first zero byte.
	if z := (v - 0x01010101) &^ v & 0x80808080; z != 0 {
		v &= z&-z - 1
	}
	return v * 0x9e3779b1 >> 17
}
