package xz

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/crc64"
)

// Decoder expands xz files one after another with the same working memory
// (30 KB, and up to 64 KB more for files that end oddly). It is not safe for
// concurrent use; the zero value is ready.
type Decoder struct {
	lzma   lzma
	blocks []block // last to first
	tail   []byte  // a chunk too near the end of the file, with zeros after it
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
	switch b.check {
	case checkNone, checkCRC32, checkCRC64, checkSHA256:
	default:
		return fmt.Errorf("%w: check of type %d at offset %d", ErrUnsupported, b.check, dataEnd)
	}
	sum := sum{kind: b.check}
	if convert != nil {
		sum.kind = checkNone // the check is of what the filter makes
	}
	if err := d.lzma2(dst, file, b.offset+header, dataEnd, dictSize, &sum); err != nil {
		return err
	}
	if convert != nil {
		convert(dst)
		sum.kind = b.check
		sum.add(dst)
	}
	// The padding lies before the check. Block headers and checks are
	// multiples of four.
	checkAt := (dataEnd + 3) &^ 3
	if !zeros(file[dataEnd:checkAt]) {
		return corrupt(dataEnd, "bad block padding")
	}
	if !sum.equal(dst, file[checkAt:checkAt+checkSize[b.check]]) {
		return corrupt(checkAt, "expanded bytes do not have the block's checksum")
	}
	return nil
}

// lzma2 expands the LZMA2 chunks in file[at:end] into dst.
func (d *Decoder) lzma2(dst, file []byte, at, end int64, dictSize uint64, sum *sum) error {
	// Before the first dictionary reset, and before the first properties
	// after one, there is nothing that a chunk could go on from.
	needReset, needProperties, needState := true, true, true
	pos := 0
	win := dst // since the dictionary reset
	for {
		if at >= end {
			return corrupt(at, "LZMA2 data has no end marker")
		}
		control := file[at]
		if control == 0 {
			if at+1 != end || pos != len(win) {
				return corrupt(at, "LZMA2 data ends early")
			}
			return nil
		}
		if control == 1 || control >= 0xe0 {
			needReset, needProperties, needState = false, true, true
			win, pos = win[pos:], 0
		}
		if needReset || control > 2 && control < 0x80 {
			return corrupt(at, "bad LZMA2 control byte %#x", control)
		}
		headerSize := int64(3)
		if control >= 0x80 {
			headerSize = 5
			if control >= 0xc0 {
				headerSize = 6
			}
		}
		if at+headerSize > end {
			return corrupt(at, "LZMA2 chunk header does not fit")
		}
		header := file[at : at+headerSize]
		var packed, expanded int64 // bytes
		if control >= 0x80 {
			packed = int64(binary.BigEndian.Uint16(header[3:])) + 1
			expanded = int64(control&0x1f)<<16 + int64(binary.BigEndian.Uint16(header[1:])) + 1
		} else {
			packed = int64(binary.BigEndian.Uint16(header[1:])) + 1
			expanded = packed
		}
		chunkAt := at
		at += headerSize
		if packed > end-at || expanded > int64(len(win)-pos) {
			return corrupt(chunkAt, "LZMA2 chunk of %d to %d bytes does not fit", packed, expanded)
		}
		limit := pos + int(expanded)
		if control < 0x80 {
			copy(win[pos:limit], file[at:])
		} else {
			if control >= 0xc0 {
				if !d.lzma.setProperties(header[5]) {
					return corrupt(chunkAt, "bad LZMA properties %#x", header[5])
				}
				needProperties = false
			}
			if control >= 0xa0 {
				d.lzma.reset()
				needState = false
			}
			if needProperties || needState {
				return corrupt(chunkAt, "LZMA2 chunk goes on from nothing")
			}
			in := file[at:]
			if len(in) < int(packed)+lzmaLookahead {
				d.tail = append(append(d.tail[:0], in[:packed]...), make([]byte, lzmaLookahead)...)
				in = d.tail
			}
			if !d.lzma.chunk(in, int(packed), win, pos, limit, dictSize) {
				return corrupt(chunkAt, "bad LZMA chunk")
			}
		}
		sum.add(win[pos:limit])
		pos = limit
		at += packed
	}
}

// sum computes a block's check chunk by chunk, while a chunk is in the cache.
type sum struct {
	kind  byte
	crc64 uint64
	crc32 uint32
}

func (s *sum) add(p []byte) {
	switch s.kind {
	case checkCRC32:
		s.crc32 = crc32.Update(s.crc32, crc32.IEEETable, p)
	case checkCRC64:
		s.crc64 = crc64.Update(s.crc64, crc64Table, p)
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
		return sha256.Sum256(whole) == [32]byte(want)
	}
	return true
}
