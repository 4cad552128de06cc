package store

import (
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/btfgen/btfgen/internal/maxratio"
)

// Blocks and directories are single zstd frames without a checksum of their
// own: the directory, or the layer's head, has one of the packed bytes.

// encoder packs as small as it can; it is deterministic.
var encoder = sync.OnceValues(func() (*zstd.Encoder, error) { return newEncoder() })

func newEncoder(more ...zstd.EOption) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, append(more, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(4<<20))...)
}

func pack(raw []byte) ([]byte, error) {
	e, err := encoder()
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(raw, nil), nil
}

// packWith packs with a dictionary, which the frame does not name.
func packWith(raw, dictionary []byte) ([]byte, error) {
	e, err := newEncoder(zstd.WithEncoderDictRaw(0, dictionary), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(raw, nil), nil
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(false),
		zstd.WithDecoderMaxWindow(maxDirectory), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return err
	}
	return d
}}

// unpack expands packed into exactly size bytes. dictionary is nil if it was
// packed without one.
func unpack(packed []byte, crc uint32, size int, dictionary []byte) ([]byte, error) {
	if checksum(packed) != crc {
		return nil, damaged("wrong checksum")
	}
	if size > maxratio.Zstd*len(packed) {
		return nil, damaged("%d bytes cannot expand to %d", len(packed), size)
	}
	d, ok := decoders.Get().(*zstd.Decoder)
	if !ok {
		return nil, damaged("no zstd decoder")
	}
	defer decoders.Put(d)
	if dictionary != nil {
		if err := d.ResetWithOptions(nil, zstd.WithDecoderDictRaw(0, dictionary)); err != nil {
			return nil, damaged("zstd: %v", err)
		}
		defer func() { _ = d.ResetWithOptions(nil, zstd.WithDecoderDictDelete()) }()
	}
	// With room behind the end, and buffers of full size, the decoder copies 16
	// bytes at a time.
	const slack = 16
	out, err := d.DecodeAll(packed, make([]byte, 0, size+slack))
	if err != nil {
		return nil, damaged("zstd: %v", err)
	}
	if len(out) != size {
		return nil, damaged("expands to %d bytes, expected %d", len(out), size)
	}
	return out, nil
}
