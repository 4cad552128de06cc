package xz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The xz file format 1.1.0: https://xz.tukaani.org/xz-file-format.txt
const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	headerSize  = 12 // of a stream's header, and of its footer

	filterLZMA2 = 0x21

	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

// checkSize is the size in bytes of a block's check, by the check's type.
var checkSize = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

var (
	// ErrTruncated is in the chain of errors for a file that stops before
	// its footer.
	ErrTruncated = errors.New("truncated or not closed by an xz footer")
	// ErrCorrupt is in the chain of errors for a file whose parts
	// contradict each other or their checksums.
	ErrCorrupt = errors.New("corrupt xz data")
	// ErrUnsupported is in the chain of errors for a sound file that uses
	// another filter or check than this package knows.
	ErrUnsupported = errors.New("unsupported xz feature")
)

// block is one block as the index describes it.
type block struct {
	offset   int64 // in the file
	unpadded int64 // header, compressed bytes and check, without the padding
	expanded int64
	check    byte
}

// Is reports whether file begins like an xz file.
func Is(file []byte) bool {
	return len(file) >= len(headerMagic) && string(file[:len(headerMagic)]) == headerMagic
}

func corrupt(offset int64, format string, args ...any) error {
	return fmt.Errorf("%w: %s at offset %d", ErrCorrupt, fmt.Sprintf(format, args...), offset)
}

// index reads the index of every stream, last to first, and lists all blocks
// in d.blocks, last to first. It returns the expanded size of the whole file.
func (d *Decoder) index(file []byte) (int64, error) {
	d.blocks = d.blocks[:0]
	if !Is(file) {
		return 0, fmt.Errorf("%w: no xz magic at offset 0", ErrCorrupt)
	}
	var total int64
	end := int64(len(file))
	for end > 0 {
		// Stream padding comes after a stream, in fours.
		for end >= 4 && binary.LittleEndian.Uint32(file[end-4:]) == 0 {
			end -= 4
		}
		if end < 2*headerSize || string(file[end-2:end]) != footerMagic {
			return 0, fmt.Errorf("%w: no stream footer before offset %d", ErrTruncated, end)
		}
		footer := file[end-headerSize : end]
		if crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) {
			return 0, corrupt(end-headerSize, "bad checksum of the stream footer")
		}
		check := footer[9]
		if footer[8] != 0 || check > 15 {
			return 0, corrupt(end-headerSize, "reserved stream flags")
		}
		indexSize := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
		indexAt := end - headerSize - indexSize
		if indexAt < headerSize {
			return 0, corrupt(end-headerSize, "index of %d bytes does not fit", indexSize)
		}
		first := len(d.blocks)
		size, blocksSize, err := d.records(file[indexAt:end-headerSize], indexAt, check)
		if err != nil {
			return 0, err
		}
		start := indexAt - blocksSize - headerSize
		if start < 0 {
			return 0, corrupt(indexAt, "blocks of %d bytes do not fit", blocksSize)
		}
		header := file[start : start+headerSize]
		if !Is(header) {
			return 0, corrupt(start, "no stream header")
		}
		if crc32.ChecksumIEEE(header[6:8]) != binary.LittleEndian.Uint32(header[8:]) {
			return 0, corrupt(start, "bad checksum of the stream header")
		}
		if header[6] != footer[8] || header[7] != footer[9] {
			return 0, corrupt(start, "stream header and footer differ")
		}
		// records left offsets relative to the first block.
		for i, j := first, len(d.blocks)-1; i < j; i, j = i+1, j-1 {
			d.blocks[i], d.blocks[j] = d.blocks[j], d.blocks[i]
		}
		for i := first; i < len(d.blocks); i++ {
			d.blocks[i].offset += start + headerSize
		}
		if total += size; total < 0 {
			return 0, corrupt(indexAt, "sizes overflow")
		}
		end = start
	}
	return total, nil
}

// records reads one index and appends its blocks to d.blocks, first to last,
// with offsets relative to the first. It returns the sum of the expanded sizes
// and of the sizes in the file.
func (d *Decoder) records(index []byte, at int64, check byte) (expanded, blocksSize int64, err error) {
	body := index[:len(index)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(index[len(body):]) {
		return 0, 0, corrupt(at, "bad checksum of the index")
	}
	if body[0] != 0 {
		return 0, 0, corrupt(at, "no index")
	}
	i := 1
	count, ok := vli(body, &i)
	if !ok || count > int64(len(body)) {
		return 0, 0, corrupt(at, "bad number of index records")
	}
	for range count {
		unpadded, ok1 := vli(body, &i)
		size, ok2 := vli(body, &i)
		if !ok1 || !ok2 || unpadded < 5+checkSize[check] || unpadded > at {
			return 0, 0, corrupt(at, "bad index record")
		}
		d.blocks = append(d.blocks, block{offset: blocksSize, unpadded: unpadded, expanded: size, check: check})
		blocksSize += (unpadded + 3) &^ 3
		expanded += size
		if expanded < 0 || blocksSize > at {
			return 0, 0, corrupt(at, "index sizes overflow")
		}
	}
	if !zeros(body[i:]) || len(body)-i > 3 {
		return 0, 0, corrupt(at, "bad index padding")
	}
	return expanded, blocksSize, nil
}

// blockHeader checks the header of b and returns its size and the dictionary
// size, both in bytes, and the branch converter, nil if there is none.
func blockHeader(file []byte, b block) (size int64, dictSize uint64, convert branches, err error) {
	in := file[b.offset : b.offset+b.unpadded]
	size = (int64(in[0]) + 1) * 4
	if in[0] == 0 || size > int64(len(in))-checkSize[b.check] {
		return 0, 0, nil, corrupt(b.offset, "block header of %d bytes does not fit", size)
	}
	body := in[:size-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(in[size-4:]) {
		return 0, 0, nil, corrupt(b.offset, "bad checksum of the block header")
	}
	flags, i := body[1], 2
	if flags&0x3c != 0 {
		return 0, 0, nil, fmt.Errorf("%w: block flags %#x at offset %d", ErrUnsupported, flags, b.offset)
	}
	if flags&0x40 != 0 {
		packed, ok := vli(body, &i)
		if !ok || packed != b.unpadded-size-checkSize[b.check] {
			return 0, 0, nil, corrupt(b.offset, "compressed size of block header and index differ")
		}
	}
	if flags&0x80 != 0 {
		expanded, ok := vli(body, &i)
		if !ok || expanded != b.expanded {
			return 0, 0, nil, corrupt(b.offset, "expanded size of block header and index differ")
		}
	}
	filter, ok1 := vli(body, &i)
	propSize, ok2 := vli(body, &i)
	if !ok1 || !ok2 || propSize > int64(len(body)-i) {
		return 0, 0, nil, corrupt(b.offset, "bad filter flags")
	}
	if flags&3 == 1 && filter != filterLZMA2 {
		if convert, err = branchFilter(filter, body[i:i+int(propSize)], b.offset); err != nil {
			return 0, 0, nil, err
		}
		i += int(propSize)
		filter, ok1 = vli(body, &i)
		propSize, ok2 = vli(body, &i)
		if !ok1 || !ok2 || propSize > int64(len(body)-i) {
			return 0, 0, nil, corrupt(b.offset, "bad filter flags")
		}
		flags &^= 3
	}
	if filter != filterLZMA2 || flags&3 != 0 {
		return 0, 0, nil, fmt.Errorf("%w: filter %#x (only LZMA2 is known, alone or after one branch converter) at offset %d", ErrUnsupported, filter, b.offset)
	}
	if propSize != 1 || body[i] > 40 {
		return 0, 0, nil, corrupt(b.offset, "bad LZMA2 properties")
	}
	p := uint(body[i])
	dictSize = uint64(2|p&1) << (p/2 + 11) // 40: 4 GiB, a byte more than xz's
	if !zeros(body[i+1:]) {
		return 0, 0, nil, corrupt(b.offset, "bad block header padding")
	}
	return size, dictSize, convert, nil
}

// vli reads a variable-length integer of up to 63 bits at in[*i:].
func vli(in []byte, i *int) (int64, bool) {
	var v int64
	for shift := uint(0); shift < 63 && *i < len(in); shift += 7 {
		b := in[*i]
		*i++
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			return v, b != 0 || shift == 0 // the shortest form only
		}
	}
	return 0, false
}

func zeros(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
