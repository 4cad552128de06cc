package xz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// Decoder expands xz files one after another with the same working memory
// (30 KB, and up to 64 KB more for files that end oddly). It is not safe for
// concurrent use; the zero value is ready.
type Decoder struct {
	lzma2  lzma2
	blocks []block // last to first
}

// Size returns the expanded size of file in bytes, as its indexes say it.
// Nothing is expanded; Expand finds out whether it is true.
func (d *Decoder) Size(file []byte) (int64, error) { return d.index(file) }

// Expand expands file into dst, which must be as long as Size says. Headers,
// sizes and checks are all verified. On error dst holds what was expanded so
// far and parts of no meaning.
func (d *Decoder) Expand(dst, file []byte) error {
	size, err := d.index(file)
	if err != nil {
		return err
	}
	if size != int64(len(dst)) {
		return fmt.Errorf("xz: buffer of %d bytes for %d", len(dst), size)
	}
	for i := len(d.blocks) - 1; i >= 0; i-- {
		b := d.blocks[i]
		if err := d.block(dst[:b.expanded], file, b); err != nil {
			return err
		}
		dst = dst[b.expanded:]
	}
	return nil
}

var crc64Table = crc64.MakeTable(crc64.ECMA)

// block expands one block into dst, which has its expanded size.
func (d *Decoder) block(dst, file []byte, b block) error {
	header, dictSize, convert, err := blockHeader(file, b)
	if err != nil {
		return err
	}
	dataEnd := b.offset + b.unpadded - checkSize[b.check]
	if !knownCheck(b.check) {
		return unknownCheck(b.check, dataEnd)
	}
	sum := sum{kind: b.check}
	if convert != nil {
		sum.kind = checkNone // the check is of what the filter makes
	}
	if err := d.expandChunks(dst, file, b.offset+header, dataEnd, dictSize, &sum); err != nil {
		return err
	}
	if convert != nil {
		convert(dst)
		sum.kind = b.check
		sum.add(dst)
	}
	return verifyCheck(file, dataEnd, &sum, dst)
}

func knownCheck(check byte) bool {
	return check == checkNone || check == checkCRC32 || check == checkCRC64 || check == checkSHA256
}

func unknownCheck(check byte, at int64) error {
	return fmt.Errorf("%w: check of type %d at offset %d", ErrUnsupported, check, at)
}

// verifyCheck verifies what follows a block's LZMA2 data. whole is all that was
// added to sum, where sum has not taken care of that itself.
func verifyCheck(file []byte, dataEnd int64, sum *sum, whole []byte) error {
	// The padding lies before the check. Block headers and checks are
	// multiples of four.
	checkAt := (dataEnd + 3) &^ 3
	if !zeros(file[dataEnd:checkAt]) {
		return corrupt(dataEnd, "bad block padding")
	}
	if !sum.equal(whole, file[checkAt:checkAt+checkSize[sum.kind]]) {
		return corrupt(checkAt, "expanded bytes do not have the block's checksum")
	}
	return nil
}

// expandChunks expands the LZMA2 chunks in file[at:end] into dst.
func (d *Decoder) expandChunks(dst, file []byte, at, end int64, dictSize uint64, sum *sum) error {
	d.lzma2.start(file, at, end, dictSize)
	pos := 0
	win := dst // since the dictionary reset
	for {
		c, err := d.lzma2.next()
		if err != nil {
			return err
		}
		if c.control == 0 {
			if c.at+1 != end || pos != len(win) {
				return corrupt(c.at, "LZMA2 data ends early")
			}
			return nil
		}
		if c.resets() {
			win, pos = win[pos:], 0
		}
		if err := d.lzma2.expand(&c, win, pos); err != nil {
			return err
		}
		sum.add(win[pos : pos+c.expanded])
		pos += c.expanded
	}
}

// sum computes a block's check chunk by chunk, while a chunk is in the cache.
type sum struct {
	kind  byte
	crc64 uint64
	crc32 uint32
	sha   hash.Hash // nil: equal is given the whole
}

func (s *sum) add(p []byte) {
	switch s.kind {
	case checkCRC32:
		s.crc32 = crc32.Update(s.crc32, crc32.IEEETable, p)
	case checkCRC64:
		s.crc64 = crc64.Update(s.crc64, crc64Table, p)
	case checkSHA256:
		if s.sha != nil {
			s.sha.Write(p)
		}
	}
}

// equal compares with the check as stored; whole is all that was added.
func (s *sum) equal(whole, want []byte) bool {
	switch s.kind {
	case checkCRC32:
		return s.crc32 == binary.LittleEndian.Uint32(want)
	case checkCRC64:
		return s.crc64 == binary.LittleEndian.Uint64(want)
	case checkSHA256:
		if s.sha != nil {
			return bytes.Equal(s.sha.Sum(nil), want)
		}
		return sha256.Sum256(whole) == [32]byte(want)
	}
	return true
}
