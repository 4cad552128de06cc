package kernelpkg

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/internal/elffile"
	"github.com/btfgen/btfgen/internal/xz"
)

const (
	// wholeFile is the largest file in bytes that is read at once, and kept with its
	// File, where going back is dear. Nearly all modules are smaller.
	wholeFile = 64 << 20
	// headSize is what is kept of the beginning of a larger kernel that is passed.
	headSize = 4 << 10
	// maxCaptured is of how many files the beginning and the end are kept.
	maxCaptured = 4
)

// clean makes paths of archives alike.
func clean(name string) string { return path.Clean("/" + name)[1:] }

// File returns the bytes of a file; links are followed within the package. It is
// fs.ErrNotExist if there is no such file. It goes through the archive up to the
// file.
func (p *Package) File(name string) (elffile.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.resolve(clean(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &file{p: p, entry: e}, nil
}

func (p *Package) resolve(name string) (*entry, error) {
	for range maxLinks {
		e, err := p.findMerged(name)
		switch {
		case err != nil:
			return nil, err
		case e == nil:
			return nil, fmt.Errorf("%w in the package (%s)", fs.ErrNotExist, name)
		case e.opaque != "":
			return nil, fmt.Errorf("%w: %s", ErrUnsupported, e.opaque)
		case e.Link == "" && e.Mode.IsRegular():
			return e, nil
		case e.Link == "":
			return nil, fmt.Errorf("no regular file, but %v", e.Mode)
		case strings.HasPrefix(e.Link, "/"):
			name = clean(e.Link)
		default:
			name = clean(path.Join("/", path.Dir(e.Path), e.Link))
		}
	}
	return nil, fmt.Errorf("%w: more than %d links one after the other", ErrCorrupt, maxLinks)
}

// findMerged finds a path also where only one of the two has "usr/" before it: in
// most distributions /lib is a link to /usr/lib, which the package does not hold.
func (p *Package) findMerged(name string) (*entry, error) {
	e, err := p.find(name)
	if e != nil || err != nil {
		return e, err
	}
	if rest, ok := strings.CutPrefix(name, "usr/lib/"); ok {
		return p.find("lib/" + rest)
	}
	if strings.HasPrefix(name, "lib/") {
		return p.find("usr/" + name)
	}
	return nil, nil
}

// file is a file of a package.
type file struct {
	p     *Package
	entry *entry
	whole []byte // all of it, once it was read as a whole
	ends  *ends  // of a larger one, where going back is dear
}

func (f *file) Size() int64 { return f.entry.Size }

// Slices goes through the archive at most once, or twice if that has passed by the
// file already.
func (f *file) Slices(ranges []elffile.Range) ([][]byte, error) {
	for _, r := range ranges {
		if err := r.Within(f.Size()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.entry.Path, err)
		}
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	list, err := f.slices(ranges)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.entry.Path, err)
	}
	return list, nil
}

func (f *file) slices(ranges []elffile.Range) ([][]byte, error) {
	p := f.p
	e, err := p.locate(f.entry)
	if err != nil {
		return nil, err
	}
	if f.Size() > math.MaxInt64-e.offset {
		return nil, fmt.Errorf("%w: a size of %d bytes", ErrCorrupt, f.Size())
	}
	if err := p.stream.reaches(e.offset + f.Size()); err != nil {
		return nil, err
	}
	if raw, ok := p.stream.(rawStream); ok {
		return elffile.Bytes(raw[e.offset:][:f.Size()]).Slices(ranges)
	}
	if f.whole == nil && p.stream.forward() && f.Size() <= min(wholeFile, p.options.MaxRead) {
		whole := make([]byte, f.Size())
		if err := p.stream.read([]xz.Part{{Offset: e.offset, Dst: whole}}); err != nil {
			return nil, err
		}
		f.whole = whole
	}
	if f.whole != nil {
		return elffile.Bytes(f.whole).Slices(ranges)
	}
	if p.stream.forward() && f.ends == nil && f.Size() > wholeFile {
		if f.ends = e.ends; f.ends == nil {
			if f.ends, err = p.readEnds(e); err != nil {
				return nil, err
			}
		}
	}
	return p.readRanges(e, ranges, f.ends)
}

// readRanges reads ranges of a file. Those that overlap share their bytes, so that
// never more is needed than the file has.
func (p *Package) readRanges(e *entry, ranges []elffile.Range, ends *ends) ([][]byte, error) {
	order := make([]int, len(ranges))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch d := ranges[a].Offset - ranges[b].Offset; {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	var runs []elffile.Range
	run := make([]int, len(ranges)) // by range
	var total int64
	for _, i := range order {
		r := ranges[i]
		if last := len(runs) - 1; last >= 0 && r.Offset < runs[last].Offset+runs[last].Size {
			grow := max(0, r.Offset+r.Size-runs[last].Offset-runs[last].Size)
			runs[last].Size += grow
			total += grow
		} else {
			runs = append(runs, r)
			total += r.Size
		}
		run[i] = len(runs) - 1
	}
	if total > p.options.MaxRead {
		return nil, fmt.Errorf("%d bytes at once: %w: at most %d are read", total, ErrTooLarge, p.options.MaxRead)
	}
	contents := make([][]byte, len(runs))
	var parts []xz.Part
	for i, r := range runs {
		if contents[i] = ends.kept(r, e.Size); contents[i] == nil && r.Size > 0 {
			contents[i] = make([]byte, r.Size)
			parts = append(parts, xz.Part{Offset: e.offset + r.Offset, Dst: contents[i]})
		}
	}
	if err := p.stream.read(parts); err != nil {
		return nil, err
	}
	list := make([][]byte, len(ranges))
	for i, r := range ranges {
		at := r.Offset - runs[run[i]].Offset
		list[i] = contents[run[i]][at : at+r.Size : at+r.Size]
	}
	return list, nil
}

// locate makes sure that it is known where the bytes of an entry lie, and returns
// the entry that has them.
func (p *Package) locate(e *entry) (*entry, error) {
	if e.same > 0 {
		e = p.entries[e.same-1]
	}
	for e.offset < 0 {
		if errors.Is(p.ended, errEnd) {
			return nil, fmt.Errorf("%w: the archive ends without it", ErrCorrupt)
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// ends are the beginning and the end of a large file. With both, header, section
// table and section names are had without going through the archive for them.
type ends struct{ head, tail []byte }

// capture keeps the ends of a large kernel that the stream passes for the first
// time.
func (p *Package) capture(e *entry) error {
	if !p.stream.forward() || e.ends != nil || p.captured >= maxCaptured || e.Link != "" || e.opaque != "" || e.Size <= wholeFile {
		return nil
	}
	if k, ok := kernelFile(e.Entry); !ok || k.Kind != Kernel {
		return nil
	}
	p.captured++
	var err error
	e.ends, err = p.readEnds(e)
	return err
}

// readEnds reads the ends of a file larger than both together.
func (p *Package) readEnds(e *entry) (*ends, error) {
	if e.Size > math.MaxInt64-e.offset {
		return nil, fmt.Errorf("%w: a size of %d bytes", ErrCorrupt, e.Size)
	}
	if err := p.stream.reaches(e.offset + e.Size); err != nil {
		return nil, err
	}
	n := &ends{make([]byte, headSize), make([]byte, windowSize)}
	if err := p.stream.read([]xz.Part{{Offset: e.offset, Dst: n.head}}); err != nil {
		return nil, err
	}
	p.stream.mark(e.offset)
	return n, p.stream.read([]xz.Part{{Offset: e.offset + e.Size - windowSize, Dst: n.tail}})
}

// kept returns a range of a file of size bytes if it is kept, or else nil.
func (n *ends) kept(r elffile.Range, size int64) []byte {
	if n == nil || r.Size == 0 {
		return nil
	}
	if end := r.Offset + r.Size; end <= int64(len(n.head)) {
		return n.head[r.Offset:end]
	}
	if at := r.Offset - (size - int64(len(n.tail))); at >= 0 {
		return n.tail[at : at+r.Size]
	}
	return nil
}
