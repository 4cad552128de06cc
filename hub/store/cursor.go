package store

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// castagnoli is the polynomial of all checksums here (CRC-32C).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// cursor reads numbers from bytes that may hold anything. After a read past
// the end, or of a number that is too large, bad is set and all further reads
// give 0.
type cursor struct {
	b   []byte
	i   int
	bad bool
}

// uvarint reads a number of at most 64 bits.
func (c *cursor) uvarint() uint64 {
	if c.i < len(c.b) {
		if v := c.b[c.i]; v < 0x80 {
			c.i++
			return uint64(v)
		}
	}
	v, n := binary.Uvarint(c.b[c.i:])
	if n <= 0 {
		c.bad, c.i = true, len(c.b)
		return 0
	}
	c.i += n
	return v
}

// skip skips n numbers.
func (c *cursor) skip(n int) {
	b, i := c.b, c.i
	for n > 8 && len(b)-i >= 8 { // eight bytes at once: how many of them end a number
		n -= bits.OnesCount64(^binary.LittleEndian.Uint64(b[i:]) & 0x8080808080808080)
		i += 8
	}
	for ; n > 0; n-- {
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		if i++; i > len(b) {
			c.bad, c.i = true, len(b)
			return
		}
	}
	c.i = i
}

// atMost reads a number up to limit.
func (c *cursor) atMost(limit uint64) uint64 {
	v := c.uvarint()
	if v > limit {
		c.bad, c.i = true, len(c.b)
		return 0
	}
	return v
}

// word reads a number of at most 32 bits.
func (c *cursor) word() uint32 { return uint32(c.atMost(1<<32 - 1)) }

// count reads how many things follow that take at least size bytes each: a
// larger number than there can be is an error before memory is taken for them.
func (c *cursor) count(size int) int {
	return int(c.atMost(uint64(len(c.b)-c.i) / uint64(size)))
}

// take is the next n bytes, which alias b.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b)-c.i {
		c.bad, c.i = true, len(c.b)
		return nil
	}
	c.i += n
	return c.b[c.i-n : c.i : c.i]
}

// fixed32 reads a little-endian number of 4 bytes.
func (c *cursor) fixed32() uint32 {
	b := c.take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// done tells whether everything was read, and read well.
func (c *cursor) done() bool { return !c.bad && c.i == len(c.b) }

func zigzag(v uint32) uint32   { return v<<1 ^ uint32(int32(v)>>31) }
func unzigzag(v uint32) uint32 { return v>>1 ^ -(v & 1) }
