package bundle

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	magic      = "\x89btfgen\n"
	version    = 1
	headSize   = 16 // bytes before the segments' records
	recordSize = 12 // bytes of a segment's record

	// Segments by number; groups of contents follow.
	mapSegment    = 0
	stringSegment = 1
	firstGroup    = 2

	maxGroups = 1<<16 - 1

	// Inflated sizes in bytes, so that a hostile bundle cannot ask for more.
	maxIndex = 16 << 20 // of the map, and of the strings
	maxGroup = 64 << 20

	// DEFLATE's best case: 258 bytes for two bits.
	maxRatio = 1032
)

// ErrNotFound says that a bundle has no such kernel.
var ErrNotFound = errors.New("no such kernel in the bundle")

// A Bundle is an opened bundle. Its methods may be called by several goroutines at once.
type Bundle struct {
	raw    []byte
	groups int
}

// Open checks the frame of a bundle. It keeps raw, which must not change afterwards, copies nothing and inflates nothing.
func Open(raw []byte) (*Bundle, error) {
	if len(raw) < headSize || string(raw[:8]) != magic {
		return nil, fmt.Errorf("bundle: %d bytes that do not start like a bundle: expected a file made by btfgen bundle", len(raw))
	}
	if v := binary.LittleEndian.Uint16(raw[8:]); v != version {
		return nil, fmt.Errorf("bundle: format version %d: this program reads version %d", v, version)
	}
	b := &Bundle{raw: raw, groups: int(binary.LittleEndian.Uint16(raw[10:]))}
	if size := binary.LittleEndian.Uint32(raw[12:]); uint64(size) != uint64(len(raw)) {
		return nil, fmt.Errorf("bundle: is %d bytes, its header says %d", len(raw), size)
	}
	end := b.recordsEnd()
	if len(raw) < end+4 {
		return nil, fmt.Errorf("bundle: is %d bytes, expected at least %d for the records of its %d segments", len(raw), end+4, firstGroup+b.groups)
	}
	if sum := binary.LittleEndian.Uint32(raw[end:]); sum != crc32.ChecksumIEEE(raw[:end]) {
		return nil, errors.New("bundle: damaged: checksum of the header")
	}
	total := uint64(end + 4)
	for i := range firstGroup + b.groups {
		s := b.record(i)
		limit := uint32(maxIndex)
		if i >= firstGroup {
			limit = maxGroup
		}
		if s.size > limit || uint64(s.size) > uint64(s.packed)*maxRatio {
			return nil, fmt.Errorf("bundle: segment %d claims to inflate from %d to %d bytes", i, s.packed, s.size)
		}
		total += uint64(s.packed)
	}
	if total != uint64(len(raw)) {
		return nil, fmt.Errorf("bundle: is %d bytes, its segments need %d", len(raw), total)
	}
	return b, nil
}

// record is what the header says of one segment.
type record struct {
	packed, size uint32 // bytes, before and after inflating
	sum          uint32 // CRC-32 of the packed bytes
}

func (b *Bundle) recordsEnd() int { return headSize + recordSize*(firstGroup+b.groups) }

func (b *Bundle) record(segment int) record {
	r := b.raw[headSize+recordSize*segment:]
	return record{binary.LittleEndian.Uint32(r), binary.LittleEndian.Uint32(r[4:]), binary.LittleEndian.Uint32(r[8:])}
}

// inflater reuses DEFLATE's window and tables from one segment to the next.
type inflater struct{ z io.ReadCloser }

// start is where a segment starts in the bundle, in bytes.
func (b *Bundle) start(segment int) int {
	at := b.recordsEnd() + 4
	for i := range segment {
		at += int(b.record(i).packed)
	}
	return at
}

// segment inflates one segment into a new slice.
func (f *inflater) segment(b *Bundle, segment int) ([]byte, error) {
	return f.segmentAt(b, segment, b.start(segment))
}

// segmentAt is segment where it is known where the segment starts.
func (f *inflater) segmentAt(b *Bundle, segment, at int) ([]byte, error) {
	r := b.record(segment)
	packed := b.raw[at : at+int(r.packed)]
	if crc32.ChecksumIEEE(packed) != r.sum {
		return nil, fmt.Errorf("bundle: damaged: checksum of segment %d", segment)
	}
	in := bytes.NewReader(packed)
	if f.z == nil {
		f.z = flate.NewReader(in)
	} else if err := f.z.(flate.Resetter).Reset(in, nil); err != nil {
		return nil, fmt.Errorf("bundle: segment %d: %w", segment, err)
	}
	out := make([]byte, r.size)
	if n, err := io.ReadFull(f.z, out); err != nil {
		return nil, fmt.Errorf("bundle: segment %d: %d of %d bytes: %w", segment, n, r.size, unexpected(err))
	}
	// bytes.Reader is an io.ByteReader, so that inflating takes no byte more than it needs.
	if n, err := f.z.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) || in.Len() != 0 {
		return nil, fmt.Errorf("bundle: segment %d: its stream does not end with the segment and after %d bytes", segment, r.size)
	}
	return out, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// uvarint takes a number off the start of b; n is its size in bytes, 0 if it is cut short or does not fit.
func uvarint(b []byte) (v uint32, n int) {
	for i, c := range b {
		if i == 4 && c > 0x0f {
			return 0, 0
		}
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
		if i == 4 {
			break
		}
	}
	return 0, 0
}
