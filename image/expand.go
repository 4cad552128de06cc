package image

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"

	"github.com/btfgen/btfgen/internal/maxratio"
	"github.com/btfgen/btfgen/internal/memory"
	"github.com/btfgen/btfgen/internal/xz"
)

// format is how something is compressed.
type format uint8

const (
	plain format = iota
	formatGzip
	formatXZ
	formatBzip2
	formatLZMA
	formatLZ4Legacy // blocks of 8 MiB, as the kernel has it
	formatLZ4
	formatLZO
	formatZstd
	formats
)

func (f format) String() string {
	return [...]string{"uncompressed", "gzip", "xz", "bzip2", "lzma", "lz4 (legacy)", "lz4", "lzo", "zstd"}[f]
}

// magics are what streams begin with.
var magics = [formats]string{
	formatGzip:      "\x1f\x8b\x08",
	formatXZ:        "\xfd7zXZ\x00",
	formatBzip2:     "BZh",
	formatLZMA:      "\x5d\x00\x00", // the settings that everybody uses, and a dictionary of 64 KB or more
	formatLZ4Legacy: "\x02\x21\x4c\x18",
	formatLZ4:       "\x04\x22\x4d\x18",
	formatLZO:       lzopMagic,
	formatZstd:      "\x28\xb5\x2f\xfd",
}

// Bounds on how much a byte can expand to, beside those of maxratio.
const (
	maxRatioLZ4   = 255 // a byte of a match's length
	maxRatioLZO   = 255
	maxRatioBzip2 = 45900 // a block of 900 KB of one byte takes 20 bytes or so
)

const (
	lz4Block   = 8 << 20                      // what a block of the legacy format expands to
	lz4Bound   = lz4Block + lz4Block/255 + 16 // and what it takes at most
	lzmaHeader = 13                           // bytes
	maxDict    = 64 << 20                     // of lzma; that of lzma -9
	zstdMost   = 128 << 10                    // what a block of zstd expands to at most
)

// formatOf tells the compression of what begins with b: by all that its header
// says, since a few bytes are anywhere.
func formatOf(b []byte) format {
	for f := formatGzip; f < formats; f++ {
		if has(b, 0, magics[f]) && plausible(f, b) {
			return f
		}
	}
	if len(b) >= 4 && binary.LittleEndian.Uint32(b)&^0xf == 0x184d2a50 {
		return formatZstd // a skippable frame: pzstd begins with one
	}
	return plain
}

// plausible looks at the header of a stream after its magic.
func plausible(f format, b []byte) bool {
	switch f {
	case formatGzip: // flags; the compressor's effort and system
		return len(b) > 18 && b[3]&0xe0 == 0 && (b[8] == 0 || b[8] == 2 || b[8] == 4) && (b[9] <= 13 || b[9] == 255)
	case formatXZ: // flags; the footer's size
		return len(b) >= 32 && b[6] == 0 && b[7] <= 15
	case formatBzip2: // the level, and the magic of a block
		return len(b) > 14 && b[3] >= '1' && b[3] <= '9' && string(b[4:10]) == "\x31\x41\x59\x26\x53\x59"
	case formatLZMA: // dictionary 2^n or 2^n+2^(n-1); size; the first byte of a range coder
		if len(b) < 18 || b[13] != 0 {
			return false
		}
		dict, size := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint64(b[5:])
		top := dict & (dict - 1)
		return dict > 0 && dict <= maxDict && (top == 0 || top&(top-1) == 0 && top == dict/3*2) && (size == 1<<64-1 || size > 0 && size < 1<<34)
	case formatLZ4Legacy:
		if len(b) < 9 {
			return false
		}
		n := binary.LittleEndian.Uint32(b[4:])
		return n > 0 && n <= lz4Bound && int64(n) <= int64(len(b)-8)
	case formatLZ4: // version 1; no reserved bits
		return len(b) > 7 && b[4]&0xc2 == 0x40 && b[5]&0x8f == 0
	case formatLZO:
		_, _, err := lzopHeader(b)
		return err == nil
	case formatZstd:
		var h zstd.Header
		return h.Decode(b[:min(len(b), zstd.HeaderMaxSize)]) == nil && !h.Skippable && (h.WindowSize <= 1<<31 || h.SingleSegment)
	}
	return false
}

func tooDense(packed int, size int64) error {
	return fmt.Errorf("%d bytes cannot expand to %d", packed, size)
}

// expand expands the stream that b begins with, to limit bytes at most. whole says
// that nothing may follow it but more such streams; otherwise anything may. With an
// error it returns what was expanded until then.
func expand(f format, b []byte, limit int64, whole bool) ([]byte, error) {
	switch f {
	case formatXZ:
		return expandXZ(b, limit, whole)
	case formatGzip:
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		r.Multistream(whole)
		return readHinted(r, b, maxratio.Gzip, limit)
	case formatBzip2:
		out, err := readHinted(bzip2.NewReader(bytes.NewReader(b)), b, maxRatioBzip2, limit)
		if after := bzip2.StructuralError("bad magic value in continuation file"); !whole && errors.Is(err, after) {
			err = nil // what follows is no part of it
		}
		return out, err
	case formatLZMA:
		return expandLZMA(b, limit)
	case formatLZ4Legacy:
		return expandLZ4(b, limit, whole)
	case formatLZ4:
		out, err := readHinted(lz4.NewReader(bytes.NewReader(b)), b, maxRatioLZ4, limit)
		return out, err
	case formatLZO:
		return expandLZO(b, limit)
	case formatZstd:
		return expandZstd(b, limit, whole)
	}
	return nil, fmt.Errorf("starts with % x, which is no known compression", b[:min(len(b), 6)])
}

// sizeHint is the expanded size that the last four bytes of b say, as those of
// gzip and of what the kernel's build compresses, if there can be so much; else
// a guess. A wrong one costs no more than memory for it.
func sizeHint(b []byte, ratio, limit int64) int64 {
	n := int64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	if n < int64(len(b))/2 || n > 64*int64(len(b)) {
		n = 4 * int64(len(b))
	}
	return min(n, limit, ratio*int64(len(b)))
}

func readHinted(r io.Reader, b []byte, ratio, limit int64) ([]byte, error) {
	out, err := readAll(r, sizeHint(b, ratio, limit), limit)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("truncated: %w", err)
	}
	return out, err
}

// alloc is memory for what is expanded in one piece.
func alloc(n int64) []byte {
	b := make([]byte, n)
	memory.AdviseHugePages(b)
	return b
}

func expandXZ(b []byte, limit int64, whole bool) ([]byte, error) {
	var d xz.Decoder
	var size int64
	var err error
	if whole {
		size, err = d.Size(b)
	} else {
		var n int64
		if n, size, err = xz.Extent(b); err == nil {
			b = b[:n:n]
		}
	}
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, tooLarge(limit)
	}
	if size > maxratio.XZ*int64(len(b)) {
		return nil, tooDense(len(b), size)
	}
	out := alloc(size)
	return out, d.Expand(out, b)
}

func expandLZMA(b []byte, limit int64) ([]byte, error) {
	// The reader takes memory for a dictionary as large as the header says, which
	// need not be larger than what there can be.
	dict := min(int64(binary.LittleEndian.Uint32(b[1:])), limit, maxratio.XZ*int64(len(b)))
	dict = max(dict, lzma.MinDictCap)
	header := bytes.Clone(b[:lzmaHeader])
	binary.LittleEndian.PutUint32(header[1:], uint32(dict))
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(header), bytes.NewReader(b[lzmaHeader:])))
	r, err := lzma.ReaderConfig{DictCap: int(dict)}.NewReader(in)
	if err != nil {
		return nil, err
	}
	return readHinted(r, b, maxratio.XZ, limit)
}

func expandLZ4(b []byte, limit int64, whole bool) ([]byte, error) {
	// Blocks say no expanded size, but all except the last are full.
	blocks, at := 0, 4
	for len(b)-at >= 4 {
		n := binary.LittleEndian.Uint32(b[at:])
		if n == 0 || n > lz4Bound || int64(n) > int64(len(b)-at-4) {
			break
		}
		at += 4 + int(n)
		blocks++
	}
	// The kernel appends four bytes.
	if left := len(b) - at; blocks == 0 || whole && left != 0 && left != 4 {
		return nil, fmt.Errorf("%d bytes at offset %d are no whole block: truncated", left, at)
	}
	most := int64(blocks) * lz4Block
	if most = min(most, maxRatioLZ4*int64(len(b))); most-lz4Block > limit {
		return nil, tooLarge(limit)
	}
	out := alloc(most)
	at = 4
	size := int64(0)
	for i := range blocks {
		n := int(binary.LittleEndian.Uint32(b[at:]))
		m, err := lz4.UncompressBlock(b[at+4:at+4+n], out[size:min(size+lz4Block, most)])
		if err != nil {
			return out[:size], fmt.Errorf("block at offset %d: %w", at, err)
		}
		if m < lz4Block && i < blocks-1 {
			return out[:size], fmt.Errorf("block at offset %d expands to %d bytes, expected %d", at, m, lz4Block)
		}
		size += int64(m)
		at += 4 + n
	}
	if size > limit {
		return out[:limit], tooLarge(limit)
	}
	return out[:size], nil
}

// extentZstd finds where the frame at the start of b ends, and the most that it
// can expand to.
func extentZstd(b []byte) (size, most int64, err error) {
	var h zstd.Header
	if err := h.Decode(b[:min(len(b), zstd.HeaderMaxSize)]); err != nil {
		return 0, 0, err
	}
	if h.Skippable {
		n := int64(h.HeaderSize) + int64(h.SkippableSize)
		if n > int64(len(b)) {
			return 0, 0, fmt.Errorf("truncated: frame of %d bytes of %d", n, len(b))
		}
		return n, 0, nil
	}
	at := int64(h.HeaderSize)
	for last := false; !last; {
		if at+3 > int64(len(b)) {
			return 0, 0, fmt.Errorf("truncated: no block at offset %d", at)
		}
		v := uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16
		at += 3
		last = v&1 != 0
		n := int64(v >> 3)
		switch v >> 1 & 3 {
		case 0: // raw
			most += n
		case 1: // one byte repeated
			most += n
			n = 1
		case 2:
			most += zstdMost
		default:
			return 0, 0, fmt.Errorf("reserved type of block at offset %d", at-3)
		}
		at += n
	}
	if h.HasCheckSum {
		at += 4
	}
	if at > int64(len(b)) {
		return 0, 0, fmt.Errorf("truncated: frame of %d bytes of %d", at, len(b))
	}
	if h.HasFCS {
		if h.FrameContentSize > uint64(most) {
			return 0, 0, fmt.Errorf("frame of %d bytes cannot expand to %d", at, h.FrameContentSize)
		}
		most = int64(h.FrameContentSize)
	}
	return at, most, nil
}

func expandZstd(b []byte, limit int64, whole bool) ([]byte, error) {
	var size, most int64
	for {
		n, m, err := extentZstd(b[size:])
		if err != nil {
			return nil, err
		}
		size, most = size+n, most+m
		if !whole || size == int64(len(b)) {
			break
		}
	}
	// A frame that does not say its size may be followed by it.
	if len(b) >= int(size)+4 {
		if n := int64(binary.LittleEndian.Uint32(b[size:])); n < min(most, limit) && n >= most/8 {
			if out, err := decodeZstd(b[:size], n); err == nil {
				return out, nil
			}
		}
	}
	if most > limit {
		// It is the most that there can be: what there is, only expanding tells.
		most = limit
	}
	return decodeZstd(b[:size], most)
}

func decodeZstd(b []byte, most int64) ([]byte, error) {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(1<<31),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, alloc(max(most, 1))[:0])
}
