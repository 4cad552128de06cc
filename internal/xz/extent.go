package xz

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Extent finds where the xz stream that b begins with ends, for a stream in the
// middle of something else, such as a kernel image: the sizes in bytes, of the
// stream and of what it expands to. Nothing is expanded: headers of blocks and
// of their chunks say how to get to the next.
func Extent(b []byte) (size, expanded int64, err error) {
	if !Is(b) || len(b) < headerSize {
		return 0, 0, fmt.Errorf("%w: no xz magic", ErrCorrupt)
	}
	if crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) || b[6] != 0 || b[7] > 15 {
		return 0, 0, corrupt(0, "bad stream header")
	}
	check := b[7]
	at := int64(headerSize)
	blocks := int64(0)
	for {
		if at >= int64(len(b)) {
			return 0, 0, fmt.Errorf("%w: no index before offset %d", ErrTruncated, at)
		}
		if b[at] == 0 {
			break
		}
		n, m, err := blockExtent(b, at, check)
		if err != nil {
			return 0, 0, err
		}
		at += n
		expanded += m
		blocks++
	}
	n, err := indexExtent(b, at, blocks)
	if err != nil {
		return 0, 0, err
	}
	return at + n + headerSize, expanded, nil
}

// blockExtent is the size of the block at offset at, with its padding and check,
// and what its chunks expand to.
func blockExtent(b []byte, at int64, check byte) (size, expanded int64, err error) {
	start := at
	at += (int64(b[at]) + 1) * 4
	for {
		if at >= int64(len(b)) {
			return 0, 0, fmt.Errorf("%w: block at offset %d", ErrTruncated, start)
		}
		control := b[at]
		if control == 0 {
			at++
			break
		}
		if at+6 > int64(len(b)) {
			return 0, 0, fmt.Errorf("%w: block at offset %d", ErrTruncated, start)
		}
		header := b[at : at+6]
		switch {
		case control >= 0xc0:
			at += 6
		case control >= 0x80:
			at += 5
		case control <= 2:
			at += 3
		default:
			return 0, 0, corrupt(at, "bad LZMA2 control byte %#x", control)
		}
		n := int64(binary.BigEndian.Uint16(header[1:])) + 1
		if control < 0x80 {
			at += n
		} else {
			n += int64(control&0x1f) << 16
			at += int64(binary.BigEndian.Uint16(header[3:])) + 1
		}
		expanded += n
	}
	return (at-start+3)&^3 + checkSize[check], expanded, nil
}

// indexExtent is the size in bytes of the index at offset at.
func indexExtent(b []byte, at, blocks int64) (int64, error) {
	i := int(at) + 1
	count, ok := vli(b, &i)
	if ok && count != blocks {
		return 0, corrupt(at, "index of %d blocks after %d", count, blocks)
	}
	for n := int64(0); ok && n < 2*blocks; n++ {
		_, ok = vli(b, &i)
	}
	size := (int64(i)-at+3)&^3 + 4
	if !ok || at+size+headerSize > int64(len(b)) {
		return 0, fmt.Errorf("%w: index at offset %d", ErrTruncated, at)
	}
	return size, nil
}
