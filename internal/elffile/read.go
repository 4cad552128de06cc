package elffile

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/btfgen/btfgen/internal/maxratio"
)

// maxExpanded is the largest section in bytes that is expanded at all.
const maxExpanded = 4 << 30

// Read returns the contents of sections, decompressed, in their order; nil for a
// section that is nil or has no bytes in the file. All are fetched at once. They
// must not be written to.
func (e *ELF) Read(sections ...*Section) ([][]byte, error) {
	var ranges []Range
	var which []int
	for i, s := range sections {
		if s == nil || s.Type == elf.SHT_NOBITS || s.Size == 0 {
			continue
		}
		r := Range{s.Offset, s.Size}
		if err := r.Within(e.file.Size()); err != nil {
			return nil, fmt.Errorf("section %s: %w", s.Name, err)
		}
		ranges, which = append(ranges, r), append(which, i)
	}
	contents := make([][]byte, len(sections))
	if len(ranges) == 0 {
		return contents, nil
	}
	slices, err := e.file.Slices(ranges)
	if err != nil {
		return nil, err
	}
	for n, i := range which {
		if contents[i], err = e.expand(sections[i], slices[n]); err != nil {
			return nil, fmt.Errorf("section %s: %w", sections[i].Name, err)
		}
	}
	return contents, nil
}

// expand decompresses what a section has in the file, if it is compressed.
func (e *ELF) expand(s *Section, b []byte) ([]byte, error) {
	if s.Flags&elf.SHF_COMPRESSED == 0 {
		if !strings.HasPrefix(s.Name, ".zdebug_") {
			return b, nil
		}
		if len(b) < 12 || string(b[:4]) != "ZLIB" {
			return nil, errors.New("a compressed section without the header ZLIB")
		}
		return expandZlib(b[12:], binary.BigEndian.Uint64(b[4:]))
	}
	var kind elf.CompressionType
	var size uint64
	if e.Class == elf.ELFCLASS32 {
		if len(b) < 12 {
			return nil, fmt.Errorf("compression header cut short: %d bytes", len(b))
		}
		kind, size, b = elf.CompressionType(e.Order.Uint32(b)), uint64(e.Order.Uint32(b[4:])), b[12:]
	} else {
		if len(b) < 24 {
			return nil, fmt.Errorf("compression header cut short: %d bytes", len(b))
		}
		kind, size, b = elf.CompressionType(e.Order.Uint32(b)), e.Order.Uint64(b[8:]), b[24:]
	}
	switch kind {
	case elf.COMPRESS_ZLIB:
		return expandZlib(b, size)
	case elf.COMPRESS_ZSTD:
		return expandZstd(b, size)
	}
	return nil, fmt.Errorf("compressed by method %d, expected 1 (zlib) or 2 (zstd)", kind)
}

func tooLarge(packed int, size, ratio uint64) error {
	if size > maxExpanded || size > uint64(packed)*ratio {
		return fmt.Errorf("%d bytes cannot expand to %d", packed, size)
	}
	return nil
}

func expandZlib(b []byte, size uint64) ([]byte, error) {
	if err := tooLarge(len(b), size, maxratio.Gzip); err != nil {
		return nil, err
	}
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return readAll(r, size)
}

func expandZstd(b []byte, size uint64) ([]byte, error) {
	if err := tooLarge(len(b), size, maxratio.Zstd); err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderMaxMemory(max(size, 1<<20)))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAll(r, size)
}

// readAll reads size bytes, and fails if there are more or fewer.
func readAll(r io.Reader, size uint64) ([]byte, error) {
	// Small at first: what is not there shall cost nothing.
	buf := bytes.NewBuffer(make([]byte, 0, min(size, 64<<20)+bytes.MinRead))
	n, err := io.Copy(buf, io.LimitReader(r, int64(size)+1))
	if err != nil {
		return nil, fmt.Errorf("after %d of %d bytes: %w", n, size, err)
	}
	if uint64(n) != size {
		return nil, fmt.Errorf("expands to %d bytes or more, its header says %d", n, size)
	}
	return buf.Bytes(), nil
}
