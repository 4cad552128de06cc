package store

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A store is a header and layers, one after another. A layer is its head, its
// directory, and blocks of strings, of definitions and of kernels, as the
// directory lists them. docs/store-format.md says it to the byte.
const (
	magic      = "\x89btfhub\n"
	version    = 1
	headerLen  = 32
	layerMagic = "layr"
	headLen    = 32
	alignment  = 32 // of layers, so that a head lies within one sector
)

// Limits on what a file may claim.
const (
	maxDirectory   = 64 << 20 // bytes
	maxBlock       = 16 << 20 // bytes
	maxStrings     = 1 << 24
	maxDefinitions = 1 << 24
	maxKernels     = 1 << 20
	maxStringBytes = 256 << 20
	maxChain       = 32 // kernels to expand one
)

// blockSizes is where a writer ends a block of definitions of a group, or of
// strings that are new in them, in bytes. Names are looked up in group 0, for
// which as little as possible is to be expanded.
var blockSizes = [2]int{64 << 10, 256 << 10}

// kernelBlockSize is where it ends a block of kernels: these are read one by
// one, and are alike.
const kernelBlockSize = 64 << 10

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

func header() []byte {
	b := make([]byte, headerLen)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], version)
	binary.LittleEndian.PutUint32(b[28:], checksum(b[:28]))
	return b
}

func checkHeader(b []byte) error {
	switch {
	case !Is(b):
		return fmt.Errorf("not a kernel store: starts with % x", b[:min(len(b), 8)])
	case len(b) < headerLen:
		return damaged("%d bytes, shorter than a header", len(b))
	case binary.LittleEndian.Uint32(b[28:]) != checksum(b[:28]):
		return damaged("the header's checksum is wrong")
	case binary.LittleEndian.Uint32(b[8:]) != version:
		return fmt.Errorf("a kernel store of format version %d, expected %d", binary.LittleEndian.Uint32(b[8:]), version)
	}
	return nil
}

// layerHead says how long a layer is, and how to read its directory, which
// follows. It is written last: a head of zero bytes is that of a layer that was
// never finished.
type layerHead struct {
	number  uint32
	length  uint64 // of the layer in bytes, head included, a multiple of alignment
	dirLen  uint32 // packed
	dirRaw  uint32
	dirCRC  uint32 // of the packed directory
	present bool   // not all zero bytes
}

func (h *layerHead) bytes() []byte {
	b := make([]byte, headLen)
	copy(b, layerMagic)
	binary.LittleEndian.PutUint32(b[4:], h.number)
	binary.LittleEndian.PutUint64(b[8:], h.length)
	binary.LittleEndian.PutUint32(b[16:], h.dirLen)
	binary.LittleEndian.PutUint32(b[20:], h.dirRaw)
	binary.LittleEndian.PutUint32(b[24:], h.dirCRC)
	binary.LittleEndian.PutUint32(b[28:], checksum(b[:28]))
	return b
}

// parseHead reads the head of the layer of this number, left bytes before the
// file's end.
func parseHead(b []byte, number int, left int64) (layerHead, error) {
	zero := true
	for _, v := range b {
		zero = zero && v == 0
	}
	if zero {
		return layerHead{}, nil
	}
	if len(b) < headLen {
		return layerHead{}, damaged("layer %d: cut off in its head", number)
	}
	h := layerHead{
		number:  binary.LittleEndian.Uint32(b[4:]),
		length:  binary.LittleEndian.Uint64(b[8:]),
		dirLen:  binary.LittleEndian.Uint32(b[16:]),
		dirRaw:  binary.LittleEndian.Uint32(b[20:]),
		dirCRC:  binary.LittleEndian.Uint32(b[24:]),
		present: true,
	}
	switch {
	case string(b[:4]) != layerMagic || binary.LittleEndian.Uint32(b[28:]) != checksum(b[:28]):
		return h, damaged("layer %d: its head is wrong", number)
	case h.number != uint32(number):
		return h, damaged("layer %d says that it is %d", number, h.number)
	case h.length > uint64(left):
		return h, damaged("layer %d: cut off: %d bytes of %d are there", number, left, h.length)
	case h.length%alignment != 0 || h.length < headLen+uint64(h.dirLen) || h.dirRaw > maxDirectory:
		return h, damaged("layer %d: its head is wrong", number)
	}
	return h, nil
}

// blockKind is what a block holds.
type blockKind uint8

const (
	stringBlock blockKind = iota
	definitionBlock
	kernelBlock
)

func (k blockKind) String() string { return [...]string{"strings", "definitions", "kernels"}[k] }

// block is one as a directory lists it.
type block struct {
	kind   blockKind
	offset int64 // in the file; not written, blocks follow each other
	packed uint32
	raw    uint32
	crc    uint32 // of the packed bytes
	first  uint32 // number of its first string, definition or kernel; not written
	count  uint32

	// Of definitions.
	layer       int // not written
	group       uint8
	firstString uint32 // number of the first string that is new in it; not written
	newStrings  uint32
	firstKind   uint8
	firstName   string
	dictionary  dictionary
}

// hasDictionary is set in the number of a group, where a dictionary follows.
const hasDictionary = 2

func (b *block) groupAndMore() uint8 {
	if b.dictionary.count > 0 {
		return b.group | hasDictionary
	}
	return b.group
}

// entry is a kernel as a directory lists it.
type entry struct {
	Kernel
	record uint32 // size of its record in bytes
	layer  int
	block  int    // place among the store's blocks of kernels
	at     uint32 // where in the block its record starts
}

// directory is what a layer's says.
type directory struct {
	strings, definitions uint32 // new in this layer
	blocks               []block
	kernels              []entry // sorted by path
}

func (d *directory) bytes() []byte {
	var b []byte
	put := func(v uint64) { b = binary.AppendUvarint(b, v) }
	put(uint64(d.strings))
	put(uint64(d.definitions))
	for kind := stringBlock; kind <= kernelBlock; kind++ {
		n := 0
		for _, k := range d.blocks {
			if k.kind == kind {
				n++
			}
		}
		put(uint64(n))
		for i := range d.blocks {
			k := &d.blocks[i]
			if k.kind != kind {
				continue
			}
			put(uint64(k.count))
			put(uint64(k.raw))
			put(uint64(k.packed))
			b = binary.LittleEndian.AppendUint32(b, k.crc)
			if kind == definitionBlock {
				put(uint64(k.groupAndMore()))
				put(uint64(k.newStrings))
				put(uint64(k.firstKind))
				put(uint64(len(k.firstName)))
				b = append(b, k.firstName...)
				if k.dictionary.count > 0 {
					put(uint64(k.dictionary.count))
					b = append(b, k.dictionary.gaps...)
				}
			}
		}
	}
	put(uint64(len(d.kernels)))
	before := ""
	for i := range d.kernels {
		e := &d.kernels[i]
		shared := 0
		for shared < len(before) && shared < len(e.Path) && before[shared] == e.Path[shared] {
			shared++
		}
		put(uint64(shared))
		put(uint64(len(e.Path) - shared))
		b = append(b, e.Path[shared:]...)
		before = e.Path
		put(uint64(e.Types))
		put(uint64(e.Definitions))
		put(uint64(e.New))
		put(uint64(e.Bytes))
		put(uint64(e.Expanded))
		put(uint64(e.record))
		put(uint64(len(e.Mark)))
		b = append(b, e.Mark...)
	}
	return b
}

// parseDirectory reads a directory. Offsets and numbers that are not written
// are left for the reader to fill in.
func parseDirectory(raw []byte) (*directory, error) {
	c := cursor{b: raw}
	d := &directory{strings: uint32(c.atMost(maxStrings)), definitions: uint32(c.atMost(maxDefinitions))}
	total := [3]uint64{}
	for kind := stringBlock; kind <= kernelBlock; kind++ {
		for n := c.count(7); n > 0 && !c.bad; n-- {
			k := block{kind: kind, count: c.word(), raw: uint32(c.atMost(maxBlock)), packed: c.word(), crc: c.fixed32()}
			if kind == definitionBlock {
				group := uint8(c.atMost(hasDictionary | 1))
				k.group = group &^ hasDictionary
				k.newStrings = c.word()
				k.firstKind = uint8(c.atMost(31))
				k.firstName = string(c.take(int(c.atMost(maxBlock))))
				if group&hasDictionary != 0 {
					k.dictionary = parseDictionary(&c)
				}
				if k.newStrings > d.strings {
					c.bad = true
				}
			}
			// A string takes a byte, a definition three.
			least := [...]uint64{1, 3, minRecord}[kind]
			if k.count == 0 || uint64(k.count)*least > uint64(k.raw) || k.packed == 0 {
				c.bad = true
			}
			total[kind] += uint64(k.count)
			d.blocks = append(d.blocks, k)
		}
	}
	n := c.count(9)
	if total[stringBlock] != uint64(d.strings) || total[definitionBlock] != uint64(d.definitions) || total[kernelBlock] != uint64(n) {
		c.bad = true
	}
	path := []byte{}
	for ; n > 0 && !c.bad; n-- {
		shared := int(c.atMost(uint64(len(path))))
		rest := c.take(int(c.atMost(maxPath)))
		before := string(path)
		path = append(path[:shared], rest...)
		e := entry{Kernel: Kernel{Path: string(path)}}
		e.Types = int(c.atMost(maxExpanded / 12))
		e.Definitions = int(c.atMost(maxDefinitions))
		e.New = int(c.atMost(maxDefinitions))
		e.Bytes = int64(c.atMost(math.MaxInt32))
		e.Expanded = int64(c.atMost(maxExpanded))
		e.record = uint32(c.atMost(maxBlock))
		e.Mark = string(c.take(int(c.atMost(maxMark))))
		if e.Path <= before || checkPath(e.Path) != nil || e.record < minRecord {
			c.bad = true
		}
		d.kernels = append(d.kernels, e)
	}
	if !c.done() {
		return nil, damaged("the directory does not make sense")
	}
	return d, nil
}
