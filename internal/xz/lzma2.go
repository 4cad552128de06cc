package xz

import "encoding/binary"

// lzma2 reads the chunks of one block's LZMA2 data one after another. Where they
// are expanded to is the caller's: a window that holds everything since the last
// dictionary reset, or as much of it as the dictionary size asks for.
type lzma2 struct {
	lzma     lzma
	file     []byte
	at, end  int64 // in the file: the next chunk, and where they all end
	dictSize uint64
	tail     []byte // a chunk too near the end of the file, with zeros after it

	// Before the first dictionary reset, and before the first properties
	// after one, there is nothing that a chunk could go on from.
	needReset, needProperties, needState bool
}

// chunk is what an LZMA2 chunk's header says.
type chunk struct {
	at               int64 // of the header, in the file
	control          byte  // 0: no chunk, but the end marker
	properties       byte
	packed, expanded int // bytes
}

// resets reports whether the chunk starts with an empty dictionary.
func (c *chunk) resets() bool { return c.control == 1 || c.control >= 0xe0 }

// start sets z to the LZMA2 data in file[at:end].
func (z *lzma2) start(file []byte, at, end int64, dictSize uint64) {
	z.file, z.at, z.end, z.dictSize = file, at, end, dictSize
	z.needReset, z.needProperties, z.needState = true, true, true
}

// next reads the header of the next chunk, up to its data. The end marker is not
// passed, so that it is found again.
func (z *lzma2) next() (chunk, error) {
	if z.at >= z.end {
		return chunk{}, corrupt(z.at, "LZMA2 data has no end marker")
	}
	c := chunk{at: z.at, control: z.file[z.at]}
	if c.control == 0 {
		return c, nil
	}
	if c.resets() {
		z.needReset, z.needProperties, z.needState = false, true, true
	}
	if z.needReset || c.control > 2 && c.control < 0x80 {
		return c, corrupt(z.at, "bad LZMA2 control byte %#x", c.control)
	}
	headerSize := int64(3)
	if c.control >= 0x80 {
		headerSize = 5
		if c.control >= 0xc0 {
			headerSize = 6
		}
	}
	if z.at+headerSize > z.end {
		return c, corrupt(z.at, "LZMA2 chunk header does not fit")
	}
	header := z.file[z.at : z.at+headerSize]
	if c.control >= 0x80 {
		c.packed = int(binary.BigEndian.Uint16(header[3:])) + 1
		c.expanded = int(c.control&0x1f)<<16 + int(binary.BigEndian.Uint16(header[1:])) + 1
		if c.control >= 0xc0 {
			c.properties = header[5]
		}
	} else {
		c.packed = int(binary.BigEndian.Uint16(header[1:])) + 1
		c.expanded = c.packed
	}
	z.at += headerSize
	if int64(c.packed) > z.end-z.at {
		return c, c.tooLarge()
	}
	return c, nil
}

func (c *chunk) tooLarge() error {
	return corrupt(c.at, "LZMA2 chunk of %d to %d bytes does not fit", c.packed, c.expanded)
}

// expand expands the chunk that next found into win[pos:]; win[:pos] is the
// history.
func (z *lzma2) expand(c *chunk, win []byte, pos int) error {
	if c.expanded > len(win)-pos {
		return c.tooLarge()
	}
	limit := pos + c.expanded
	in := z.file[z.at:]
	z.at += int64(c.packed)
	if c.control < 0x80 {
		copy(win[pos:limit], in)
		return nil
	}
	if c.control >= 0xc0 {
		if !z.lzma.setProperties(c.properties) {
			return corrupt(c.at, "bad LZMA properties %#x", c.properties)
		}
		z.needProperties = false
	}
	if c.control >= 0xa0 {
		z.lzma.reset()
		z.needState = false
	}
	if z.needProperties || z.needState {
		return corrupt(c.at, "LZMA2 chunk goes on from nothing")
	}
	if len(in) < c.packed+lzmaLookahead {
		z.tail = append(append(z.tail[:0], in[:c.packed]...), make([]byte, lzmaLookahead)...)
		in = z.tail
	}
	if !z.lzma.chunk(in, c.packed, win, pos, limit, z.dictSize) {
		return corrupt(c.at, "bad LZMA chunk")
	}
	return nil
}
