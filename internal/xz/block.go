package xz

import (
	"crypto/sha256"
	"fmt"

	"github.com/btfgen/btfgen/internal/maxratio"
)

const (
	// maxWhole is the largest block in bytes that is expanded into a buffer of
	// its size; xz's own blocks are three times the dictionary size, 24 MiB by
	// default. A larger one passes through a window.
	maxWhole = 64 << 20
	// minWindow is how many bytes at least stay readable behind the last one
	// of a block that passes through a window.
	minWindow = 16 << 20
	// maxDictionary is the largest dictionary in bytes of a block that passes
	// through a window: that of xz -9, the largest preset.
	maxDictionary = 64 << 20
	// maxChunk is what one LZMA2 chunk expands to at most, in bytes.
	maxChunk = 1 << 21
)

// blockDecoder expands one block as far as asked for, and goes on from there when
// asked for more.
type blockDecoder struct {
	lzma2 lzma2
	block block
	index int // of the block in Reader.blocks; -1: none
	// buf holds the block's bytes from the offset from on, up to pos; what
	// chunks refer to begins at start. Where buf is smaller than the block,
	// from moves.
	buf        []byte
	from       int64
	start, pos int
	sum        sum
	keep       int // bytes, where the block passes through buf

	expanded int64 // bytes, of all blocks so far
}

// open sets d to the beginning of a block that is the index'th of its file. It
// expands into dst, if that is not nil, which must have the block's size; else
// into own, a buffer that it may replace by a larger one and returns; a block of
// more than whole bytes passes through it.
func (d *blockDecoder) open(file []byte, b block, index int, dst, own []byte, whole int64) ([]byte, error) {
	d.index = -1
	header, dictSize, convert, err := blockHeader(file, b)
	if err != nil {
		return own, err
	}
	if convert != nil {
		return own, fmt.Errorf("%w: a branch converter, in a file that is read in parts, at offset %d", ErrUnsupported, b.offset)
	}
	dataEnd := b.offset + b.unpadded - checkSize[b.check]
	if !knownCheck(b.check) {
		return own, unknownCheck(b.check, dataEnd)
	}
	if b.expanded/maxratio.XZ > b.unpadded {
		return own, corrupt(b.offset, "block of %d bytes that claims to expand to %d", b.unpadded, b.expanded)
	}
	d.buf = dst
	if dst == nil {
		size := b.expanded
		if size > whole {
			dict := int64(min(dictSize, uint64(b.expanded)))
			if dict > maxDictionary {
				return own, fmt.Errorf("%w: a dictionary of %d MiB (at most %d are kept) at offset %d", ErrUnsupported, dict>>20, maxDictionary>>20, b.offset)
			}
			d.keep = int(max(dict, minWindow))
			// The more room, the less often the window is moved down.
			size = int64(d.keep + max(d.keep/2, 2*maxChunk))
		}
		if int64(cap(own)) < size {
			own = make([]byte, size)
		}
		d.buf = own[:size]
	}
	d.lzma2.start(file, b.offset+header, dataEnd, dictSize)
	d.block, d.index = b, index
	d.from, d.start, d.pos = 0, 0, 0
	d.sum = sum{kind: b.check}
	if b.check == checkSHA256 {
		d.sum.sha = sha256.New()
	}
	return own, nil
}

// end is how far the block is expanded, in bytes from its beginning.
func (d *blockDecoder) end() int64 { return d.from + int64(d.pos) }

// piece is a part of a block that somebody wants.
type piece struct {
	offset int64 // in the block
	dst    []byte
}

func (p *piece) end() int64 { return p.offset + int64(len(p.dst)) }

// read fills the pieces, which must lie in the block, and must not begin before
// d.from. Only chunks that are needed are expanded. The block's checksum is
// verified when its last byte is wanted, and not before.
func (d *blockDecoder) read(pieces []piece) error {
	var want int64
	for _, p := range pieces {
		want = max(want, p.end())
	}
	d.copyTo(pieces, d.from)
	for d.end() < want {
		before := d.end()
		if err := d.step(); err != nil {
			d.index = -1
			return err
		}
		if int64(len(d.buf)) < d.block.expanded {
			d.copyTo(pieces, before)
		}
	}
	if int64(len(d.buf)) >= d.block.expanded {
		d.copyTo(pieces, 0)
	}
	return nil
}

// copyTo copies what the pieces want of the block from an offset on.
func (d *blockDecoder) copyTo(pieces []piece, offset int64) {
	for _, p := range pieces {
		from, to := max(offset, p.offset), min(d.end(), p.end())
		if from < to {
			// A piece that is the buffer is in its place already.
			copy(p.dst[from-p.offset:], d.buf[from-d.from:to-d.from])
		}
	}
}

// step expands the next chunk.
func (d *blockDecoder) step() error {
	c, err := d.lzma2.next()
	if err != nil {
		return err
	}
	if c.control == 0 {
		return corrupt(c.at, "LZMA2 data ends early")
	}
	if c.resets() {
		d.start = d.pos
	}
	if int64(c.expanded) > d.block.expanded-d.end() {
		return c.tooLarge()
	}
	if c.expanded > len(d.buf)-d.pos {
		d.slide()
	}
	if err := d.lzma2.expand(&c, d.buf[d.start:], d.pos-d.start); err != nil {
		return err
	}
	d.sum.add(d.buf[d.pos : d.pos+c.expanded])
	d.pos += c.expanded
	d.expanded += int64(c.expanded)
	if d.end() == d.block.expanded {
		return d.finish()
	}
	return nil
}

// slide moves the window to the beginning of the buffer.
func (d *blockDecoder) slide() {
	by := max(0, d.pos-d.keep)
	if by > d.start {
		// LZMA's contexts depend on the position modulo 16 at most.
		by -= (by - d.start) & 15
	}
	copy(d.buf, d.buf[by:d.pos])
	d.from += int64(by)
	d.pos -= by
	d.start = max(0, d.start-by)
}

// finish verifies what comes after the last chunk.
func (d *blockDecoder) finish() error {
	z := &d.lzma2
	c, err := z.next()
	if err != nil {
		return err
	}
	if c.control != 0 || c.at+1 != z.end {
		return corrupt(c.at, "LZMA2 data goes on after the block's last byte")
	}
	return verifyCheck(z.file, z.end, &d.sum, nil)
}
