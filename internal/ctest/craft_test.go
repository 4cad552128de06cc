package ctest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"testing"
)

// A frame is a bundle before it is put together, of which a test may spoil any part: docs/bundle-format.md, "The file".
type frame struct {
	segments []segment // the map, the strings, the groups
}

type segment struct {
	packed []byte
	size   uint32 // that the record states
}

// bytes puts the frame together, with right checksums.
func (f frame) bytes() []byte {
	head := []byte("\x89btfgen\n\x01\x00")
	head = binary.LittleEndian.AppendUint16(head, uint16(len(f.segments)-2))
	size := 16 + 12*len(f.segments) + 4
	for _, s := range f.segments {
		size += len(s.packed)
	}
	head = binary.LittleEndian.AppendUint32(head, uint32(size))
	for _, s := range f.segments {
		head = binary.LittleEndian.AppendUint32(head, uint32(len(s.packed)))
		head = binary.LittleEndian.AppendUint32(head, s.size)
		head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(s.packed))
	}
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(head))
	for _, s := range f.segments {
		head = append(head, s.packed...)
	}
	return head
}

// packed deflates what is inside of segments.
func packed(t testing.TB, segments [][]byte) frame {
	t.Helper()
	var f frame
	for _, s := range segments {
		f.segments = append(f.segments, segment{deflate(t, bytes.NewReader(s)), uint32(len(s))})
	}
	return f
}

// stored is packed without the work of packing.
func stored(segments [][]byte) frame {
	var f frame
	for _, s := range segments {
		var out []byte
		for rest, more := s, true; more; {
			block := rest[:min(len(rest), 1<<16-1)]
			rest = rest[len(block):]
			more = len(rest) > 0
			final := byte(1)
			if more {
				final = 0
			}
			out = binary.LittleEndian.AppendUint16(append(out, final), uint16(len(block)))
			out = binary.LittleEndian.AppendUint16(out, ^uint16(len(block)))
			out = append(out, block...)
		}
		f.segments = append(f.segments, segment{out, uint32(len(s))})
	}
	return f
}

func deflate(t testing.TB, from io.Reader) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err == nil {
		_, err = io.Copy(z, from)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// inside inflates the segments of a right bundle.
func inside(t testing.TB, raw []byte) [][]byte {
	t.Helper()
	n := 2 + int(binary.LittleEndian.Uint16(raw[10:]))
	at := 16 + 12*n + 4
	var segments [][]byte
	for i := range n {
		size := int(binary.LittleEndian.Uint32(raw[16+12*i:]))
		s, err := io.ReadAll(flate.NewReader(bytes.NewReader(raw[at : at+size])))
		if err != nil {
			t.Fatal(err)
		}
		segments = append(segments, s)
		at += size
	}
	return segments
}

// zeros is n zero bytes to read.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// varints writes numbers as the format has them.
func varints(numbers ...uint64) []byte {
	var out []byte
	for _, n := range numbers {
		out = binary.AppendUvarint(out, n)
	}
	return out
}

// join puts pieces together: bytes, strings (which get their zero byte) and numbers (as varints).
func join(pieces ...any) []byte {
	var out []byte
	for _, p := range pieces {
		switch p := p.(type) {
		case []byte:
			out = append(out, p...)
		case string:
			out = append(append(out, p...), 0)
		case int:
			out = append(out, varints(uint64(p))...)
		case uint64:
			out = append(out, varints(p)...)
		default:
			panic(fmt.Sprintf("%T cannot be put into a bundle", p))
		}
	}
	return out
}

// with returns the segments with one of them exchanged.
func with(segments [][]byte, i int, s []byte) [][]byte {
	segments = slices.Clone(segments)
	segments[i] = s
	return segments
}
