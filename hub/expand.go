package hub

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/btfgen/btfgen/internal/maxratio"
	"github.com/btfgen/btfgen/internal/xz"
)

// packing is how a file is compressed. A file's first bytes decide, not its
// name.
type packing uint8

const (
	unpacked packing = iota
	packedXZ
	packedGzip
	packedZstd
)

func (p packing) String() string { return [...]string{"unpacked", "xz", "gzip", "zstd"}[p] }

func packingOf(start []byte) packing {
	switch {
	case xz.Is(start):
		return packedXZ
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return packedGzip
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return packedZstd
	case len(start) >= 4 && binary.LittleEndian.Uint32(start)&^0xf == 0x184d2a50:
		return packedZstd // a skippable frame (pzstd begins with one)
	}
	return unpacked
}

// promises says what a file's extensions tell about it.
func promises(base string) (p packing, tar bool) {
	for ext, promised := range map[string]packing{".xz": packedXZ, ".gz": packedGzip, ".zst": packedZstd} {
		if short, ok := strings.CutSuffix(base, ext); ok {
			base, p = short, promised
			break
		}
	}
	return p, strings.HasSuffix(base, ".tar")
}

// maxZstdWindow limits a zstd frame's window in bytes: what `zstd --long`
// writes. A frame that does not say its size takes so much memory.
const maxZstdWindow = 128 << 20

// expand expands packed into buf, to r.maxBytes at most.
func (r *Reader) expand(packed []byte, format packing, buf *buffer) ([]byte, error) {
	switch format {
	case packedXZ:
		return r.expandXZ(packed, buf)
	case packedGzip:
		return r.expandGzip(packed, buf)
	default:
		return r.expandZstd(packed, buf)
	}
}

func (r *Reader) expandXZ(packed []byte, buf *buffer) ([]byte, error) {
	size, err := r.xz.Size(packed)
	if err != nil {
		return nil, err
	}
	if size > r.maxBytes {
		return nil, tooLarge(r.maxBytes)
	}
	if size > maxratio.XZ*int64(len(packed)) {
		return nil, fmt.Errorf("%d bytes cannot expand to %d", len(packed), size)
	}
	out := buf.grow(int(size))
	return out, r.xz.Expand(out, packed)
}

func (r *Reader) expandGzip(packed []byte, buf *buffer) ([]byte, error) {
	in := bytes.NewReader(packed)
	if r.gzip == nil {
		r.gzip = new(gzip.Reader)
	}
	if err := r.gzip.Reset(in); err != nil {
		return nil, truncated(err)
	}
	// The last four bytes are the size, if there is but one member.
	hint := int64(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
	hint = min(hint, r.maxBytes, maxratio.Gzip*int64(len(packed)))
	buf.grow(int(hint) + 1)
	out, err := buf.readAll(r.gzip, 0, r.maxBytes)
	return out, truncated(err)
}

func (r *Reader) expandZstd(packed []byte, buf *buffer) ([]byte, error) {
	if r.zstd == nil {
		var err error
		r.zstd, err = zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
	}
	// A frame that says its size, as those of files do, is expanded in one
	// piece into a buffer of that size.
	size := 8 * int64(len(packed))
	var header zstd.Header
	if header.Decode(packed) == nil && header.HasFCS {
		if header.FrameContentSize > uint64(r.maxBytes) {
			return nil, tooLarge(r.maxBytes)
		}
		size = min(max(int64(header.FrameContentSize), 1), maxratio.Zstd*int64(len(packed)))
		if out, err := r.zstd.DecodeAll(packed, buf.grow(int(size))[:0:size]); err == nil {
			return out, nil
		}
		// It is damaged, or more frames follow it: the errors of DecodeAll
		// do not tell the two apart.
	}
	if err := r.zstd.Reset(bytes.NewReader(packed)); err != nil {
		return nil, truncated(err)
	}
	buf.grow(int(min(size, r.maxBytes)) + 1)
	out, err := buf.readAll(r.zstd, 0, r.maxBytes)
	return out, truncated(err)
}

// truncated says in words what io.ErrUnexpectedEOF means here.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated: %w", err)
	}
	return err
}
