package kernelpkg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"github.com/ulikunitz/xz/lzma"

	"github.com/btfgen/btfgen/internal/xz"
)

const (
	// windowSize is how many bytes behind the last one stay readable in bytes. A
	// section table lies at the end of a file, and the names of the sections before
	// it, with the symbols' names between them at most.
	windowSize = 16 << 20
	// readSize is what is read at least before the window is moved down, in bytes.
	readSize = 8 << 20
	// maxDictionary limits the dictionary of an LZMA stream in bytes.
	maxDictionary = 64 << 20
)

// mapped reads what is mapped. A decoder may do that in goroutines of its own, where
// nobody recovers from the panic that a file causes which others cut short; so it is
// kept for those who use the decoder.
type mapped struct {
	rest  []byte
	mu    sync.Mutex
	fault any
}

func (m *mapped) Read(p []byte) (n int, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.fault = fault
			n, err = 0, errors.New("the file has changed")
		}
	}()
	n = copy(p, m.rest)
	m.rest = m.rest[n:]
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// passOn panics with what a Read panicked with, if one did.
func (m *mapped) passOn() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		panic(m.fault)
	}
}

// forwardStream is an archive compressed as one, which is gone through from the
// beginning. The last bytes stay in a window.
type forwardStream struct {
	packed []byte
	// open begins to expand; what it returns second ends that, if it is not nil.
	open  func(io.Reader) (io.Reader, func(), error)
	limit int64
	size  int64 // of the expanded archive, 0 until its end was seen

	in       *mapped
	r        io.Reader
	end      func()
	buf      []byte
	from     int64 // offset of buf[0] in the expanded archive
	pos      int   // in buf: what is filled
	ended    bool  // there is nothing more
	expanded int64
	used     bool
}

func (s *forwardStream) forward() bool { return true }

// mark does nothing: the decoders cannot be copied.
func (s *forwardStream) mark(int64) {}

func (s *forwardStream) stats() Stats {
	t := Stats{Blocks: 1, Expanded: s.expanded}
	if s.used {
		t.Used = 1
	}
	return t
}

func (s *forwardStream) close() {
	if s.end != nil {
		s.end()
	}
	s.r, s.end = nil, nil
}

// at is the offset of the byte that is expanded next.
func (s *forwardStream) at() int64 { return s.from + int64(s.pos) }

// seek makes sure that the byte at an offset is in the window or before it.
func (s *forwardStream) seek(at int64) error {
	if s.r != nil && at >= s.from {
		return nil
	}
	s.close()
	s.from, s.pos, s.ended = 0, 0, false
	s.in = &mapped{rest: s.packed}
	r, end, err := s.open(s.in)
	s.in.passOn()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	s.r, s.end, s.used = r, end, true
	return nil
}

// more expands some more.
func (s *forwardStream) more() error {
	switch {
	case s.pos < len(s.buf):
	case len(s.buf) < windowSize+readSize: // most archives of control files are small
		s.buf = append(s.buf, make([]byte, max(1<<18, min(len(s.buf), windowSize+readSize-len(s.buf))))...)
		s.buf = s.buf[:min(cap(s.buf), windowSize+readSize)]
	default:
		copy(s.buf, s.buf[readSize:])
		s.from += readSize
		s.pos -= readSize
	}
	n, err := s.r.Read(s.buf[s.pos:min(len(s.buf), s.pos+1<<20)])
	if err != nil {
		s.in.passOn()
	}
	s.pos += n
	s.expanded += int64(n)
	if s.at() > s.limit {
		s.close()
		return fmt.Errorf("expands to more than %d bytes: %w: as much is read of %d", s.limit, ErrTooLarge, len(s.packed))
	}
	if errors.Is(err, io.EOF) {
		s.ended, s.size = true, s.at()
		return nil
	}
	if err != nil {
		s.close()
		if errors.Is(err, ErrUnsupported) {
			return err
		}
		return fmt.Errorf("%w: at offset %d of the expanded archive: %w", ErrCorrupt, s.at(), err)
	}
	return nil
}

func (s *forwardStream) reaches(end int64) error {
	if s.size > 0 && end > s.size {
		return errCut(s.size)
	}
	if end > s.limit {
		return fmt.Errorf("a file that ends at offset %d of the archive: %w: %d bytes are read at most", end, ErrTooLarge, s.limit)
	}
	return nil
}

func (s *forwardStream) read(parts []xz.Part) error {
	if len(parts) == 0 {
		return nil
	}
	first, end := parts[0].Offset, int64(0)
	for _, p := range parts {
		first, end = min(first, p.Offset), max(end, p.Offset+int64(len(p.Dst)))
	}
	if err := s.seek(first); err != nil {
		return err
	}
	s.copyTo(parts, s.from)
	for s.at() < end {
		if s.ended {
			return errCut(s.at())
		}
		before := s.at()
		if err := s.more(); err != nil {
			return err
		}
		s.copyTo(parts, before)
	}
	return nil
}

// copyTo copies what the parts want from an offset on.
func (s *forwardStream) copyTo(parts []xz.Part, offset int64) {
	for _, p := range parts {
		from, to := max(offset, p.Offset), min(s.at(), p.Offset+int64(len(p.Dst)))
		if from < to {
			copy(p.Dst[from-p.Offset:], s.buf[from-s.from:to-s.from])
		}
	}
}

func (s *forwardStream) readAt(p []byte, at int64) (int, error) {
	if err := s.seek(at); err != nil {
		return 0, err
	}
	for s.at() < at+int64(len(p)) {
		if s.ended {
			if s.at() <= at {
				return 0, io.EOF
			}
			break
		}
		if err := s.more(); err != nil {
			return 0, err
		}
	}
	if at < s.from {
		return 0, fmt.Errorf("%d bytes at once are more than the window", len(p))
	}
	n := copy(p, s.buf[at-s.from:s.pos])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// openLZMA begins to expand a file as the first lzma program wrote them: a byte of
// properties, the dictionary size in 4 bytes, the expanded size in 8.
func openLZMA(r io.Reader) (io.Reader, func(), error) {
	header := make([]byte, lzma.HeaderLen)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, nil, err
	}
	if dict := uint32(header[1]) | uint32(header[2])<<8 | uint32(header[3])<<16 | uint32(header[4])<<24; dict > maxDictionary {
		return nil, nil, fmt.Errorf("%w: an LZMA dictionary of %d bytes, at most %d are kept", ErrUnsupported, dict, maxDictionary)
	}
	z, err := lzma.NewReader(io.MultiReader(bytes.NewReader(header), r))
	return z, nil, err
}
