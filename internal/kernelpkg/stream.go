package kernelpkg

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/btfgen/btfgen/internal/xz"
)

// stream gives parts of an expanded archive.
type stream interface {
	// read fills all parts, or fails.
	read(parts []xz.Part) error
	// readAt is that of io.ReaderAt, for one after the other.
	readAt(p []byte, at int64) (int, error)
	// reaches returns an error if it is known that the archive ends before end, so
	// that no memory is taken for what cannot be read.
	reaches(end int64) error
	// forward reports whether what is passed over is expanded all the same, and
	// going back means to start again.
	forward() bool
	// mark makes going back to an offset cheaper, where that can be done.
	mark(at int64)
	stats() Stats
	close()
}

// newStream makes a stream of a compressed archive; the name's ending or the
// magic says how it is compressed.
func newStream(name string, packed []byte, o Options) (stream, error) {
	limit := o.MaxBytes
	if n := int64(len(packed)); n < limit/maxRatio {
		limit = min(limit, n*maxRatio+freeOfRatio)
	}
	f := &forwardStream{packed: packed, limit: limit}
	switch {
	case xz.Is(packed):
		r, err := xz.NewReader(packed, o.Workers)
		if err != nil {
			return nil, xzError(err)
		}
		if r.Size() > limit {
			return nil, fmt.Errorf("expands to %d bytes: %w: at most %d are read of %d", r.Size(), ErrTooLarge, limit, len(packed))
		}
		return xzStream{r}, nil
	case bytes.HasPrefix(packed, []byte("\x1f\x8b")):
		f.open = func(r io.Reader) (io.Reader, func(), error) {
			z, err := gzip.NewReader(r)
			return z, nil, err
		}
	case bytes.HasPrefix(packed, []byte("\x28\xb5\x2f\xfd")) || zstdSkippable(packed):
		f.open = func(r io.Reader) (io.Reader, func(), error) {
			z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(min(o.Workers, 4)), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, nil, err
			}
			return z, z.Close, nil
		}
	case bytes.HasPrefix(packed, []byte("BZh")):
		f.open = func(r io.Reader) (io.Reader, func(), error) { return bzip2.NewReader(r), nil, nil }
	case strings.HasSuffix(name, ".lzma"):
		f.open = openLZMA
	case strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".cpio"):
		return rawStream(packed), nil
	default:
		return nil, fmt.Errorf("%w: compressed in a way that is not known: it begins with % x", ErrUnsupported, packed[:min(6, len(packed))])
	}
	return f, nil
}

// zstdSkippable reports whether packed begins with a frame that says nothing, as
// those do that parallel packers write first.
func zstdSkippable(packed []byte) bool {
	return len(packed) >= 4 && packed[0]&0xf0 == 0x50 && string(packed[1:4]) == "\x2a\x4d\x18"
}

// errCut is an archive that ends before what it should hold.
func errCut(at int64) error {
	return fmt.Errorf("%w: the archive ends at its offset %d and should go on", ErrCorrupt, at)
}

// rawStream is an archive that is not compressed.
type rawStream []byte

func (s rawStream) reaches(end int64) error {
	if end > int64(len(s)) {
		return errCut(int64(len(s)))
	}
	return nil
}

func (s rawStream) read(parts []xz.Part) error {
	for _, p := range parts {
		if n, err := s.readAt(p.Dst, p.Offset); err != nil && n < len(p.Dst) {
			return errCut(int64(len(s)))
		}
	}
	return nil
}

func (s rawStream) readAt(p []byte, at int64) (int, error) { return bytes.NewReader(s).ReadAt(p, at) }
func (s rawStream) forward() bool                          { return false }
func (s rawStream) mark(int64)                             {}
func (s rawStream) stats() Stats                           { return Stats{} }
func (s rawStream) close()                                 {}

// xzStream is an archive in xz blocks.
type xzStream struct{ r *xz.Reader }

func (s xzStream) reaches(end int64) error {
	if end > s.r.Size() {
		return errCut(s.r.Size())
	}
	return nil
}

func (s xzStream) read(parts []xz.Part) error {
	return xzError(s.r.Read(parts...))
}

func (s xzStream) readAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= s.r.Size() {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.r.Size()-at))
	if err := s.read([]xz.Part{{Offset: at, Dst: p[:n]}}); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s xzStream) forward() bool { return s.r.Forward() }
func (s xzStream) mark(at int64) { s.r.Mark(at) }
func (s xzStream) close()        {}

func (s xzStream) stats() Stats {
	t := s.r.Stats()
	return Stats{Blocks: t.Blocks, Used: t.Used, Expanded: t.Expanded}
}

func xzError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, xz.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// cursor reads a stream from a place on, which may be moved for nothing.
type cursor struct {
	stream stream
	at     int64
}

func (c *cursor) Read(p []byte) (int, error) {
	n, err := c.stream.readAt(p, c.at)
	c.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek makes archive/tar pass over what is in files.
func (c *cursor) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 || c.at+offset < 0 {
		return 0, fmt.Errorf("%w: a file of %d bytes", ErrCorrupt, offset)
	}
	c.at += offset
	return c.at, nil
}
