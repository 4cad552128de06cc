package kernelpkg

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"sync"
)

var (
	// ErrFormat is in the chain of errors for a file that is neither kind of package.
	ErrFormat = errors.New("neither a Debian package nor an RPM package")
	// ErrCorrupt is in the chain of errors for a package that is cut short or
	// contradicts itself.
	ErrCorrupt = errors.New("corrupt package")
	// ErrUnsupported is in the chain of errors for a package compressed or laid out
	// in a way that is not known here.
	ErrUnsupported = errors.New("unsupported kind of package")
	// ErrTooLarge is in the chain of errors for what exceeds a limit of Options.
	ErrTooLarge = errors.New("too large")
)

// Limits that no kernel package comes near to; what exceeds them is made to hurt.
const (
	defaultMaxBytes = 64 << 30
	defaultMaxRead  = 4 << 30

	// The expanded archive may have maxRatio times the bytes of the packed one, and
	// some more, so that a small bomb has an early end; debug packages have 6 times.
	maxRatio      = 128
	freeOfRatio   = 64 << 20
	maxEntries    = 1 << 20
	maxNamesBytes = 256 << 20
	maxPath       = 4096 // bytes, as in Linux
	maxLinks      = 16   // on the way to one file
)

// Options are limits; the zero value has defaults.
type Options struct {
	// Workers is how many blocks are expanded at the same time, 1 if less.
	Workers int
	// MaxBytes limits the expanded archive, 64 GiB if zero.
	MaxBytes int64
	// MaxRead limits the bytes that one call of Slices returns, 4 GiB if zero.
	MaxRead int64
}

// Info is what a package says of itself; what it does not say is empty.
type Info struct {
	Format       string // "deb" or "rpm"
	Name         string
	Epoch        string // of an RPM package; that of a Debian package is part of Version
	Version      string
	Release      string // of an RPM package
	Arch         string // in the words of the distribution
	Vendor       string // of an RPM package; of a Debian package its Origin, which few have
	Distribution string // of an RPM package
	Maintainer   string // the Packager of an RPM package
	Source       string // the source package: a name in Debian, a file name in RPM
	Homepage     string
}

// Entry is a file, folder or link of a package.
type Entry struct {
	Path string // slash-separated, with neither "./" nor "/" before it
	Size int64  // bytes; of what is no regular file 0
	Mode fs.FileMode
	// Link is what a symbolic link says, as it says it. A hard link has the mode of
	// a regular file and the path of the other, with a "/" before it.
	Link string
}

// entry is an Entry and where its bytes lie.
type entry struct {
	Entry
	offset int64  // in the expanded archive; -1 if not come across yet
	opaque string // why its bytes cannot be read, if so
	same   int    // of an RPM package: the file of a set of hard links that has the bytes
	ends   *ends  // nil: not kept
}

// archive goes through the entries of an expanded archive.
type archive interface {
	// next finds the next entry and adds it to the package's, or says where the
	// bytes of one lie that is there already. io.EOF is the archive's end.
	next(p *Package) error
}

// Package is an open package. It is safe for concurrent use; reading is done for
// one caller at a time.
type Package struct {
	info    Info
	options Options

	mu       sync.Mutex
	stream   stream
	archive  archive
	entries  []*entry
	byPath   map[string]int // the first of each path
	names    int            // bytes of all paths
	listed   bool           // entries has all there are
	ended    error          // what ended the walk, io.EOF at the archive's end
	captured int            // entries whose ends are kept
}

// Open opens a package that is wholly in memory, mapped for instance, and must
// stay there until Close.
func Open(file []byte, o Options) (*Package, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxRead <= 0 {
		o.MaxRead = defaultMaxRead
	}
	o.MaxRead = min(o.MaxRead, math.MaxInt/2) // on 32 bits there is no more
	o.Workers = max(o.Workers, 1)
	p := &Package{options: o, byPath: make(map[string]int)}
	var err error
	switch {
	case bytes.HasPrefix(file, []byte(arMagic)):
		err = p.openDeb(file)
	case bytes.HasPrefix(file, []byte(rpmMagic)):
		err = p.openRPM(file)
	default:
		err = ErrFormat
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Is reports whether a file that begins with start is a package, of either kind.
func Is(start []byte) bool {
	return bytes.HasPrefix(start, []byte(arMagic+debMember)) || bytes.HasPrefix(start, []byte(rpmMagic))
}

// Close ends what goes on in the background. Slices that were returned stay valid,
// but for those of an archive that is not compressed, which are parts of the file.
func (p *Package) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil {
		p.stream.close()
	}
}

// Info returns what the package says of itself.
func (p *Package) Info() Info { return p.info }

// Stats says what reading took so far.
type Stats struct {
	Blocks   int   // independent blocks of the archive
	Used     int   // of which something was expanded
	Expanded int64 // bytes expanded, again and again included
}

// Stats says what reading took so far.
func (p *Package) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream.stats()
}

// Files goes through the files in the archive's order. A Debian package's are found
// one by one as the loop asks for them, so a loop that ends early costs less; an
// RPM package lists them before the archive. After an error there is nothing more.
func (p *Package) Files() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for i := 0; ; i++ {
			e, err := p.entry(i)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if e == nil || !yield(e.Entry, nil) {
				return
			}
		}
	}
}

// entry returns the i'th entry, nil after the last.
func (p *Package) entry(i int) (*entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i >= len(p.entries) && !p.listed {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if i < len(p.entries) {
		return p.entries[i], nil
	}
	if !errors.Is(p.ended, errEnd) {
		return nil, p.ended // nil where the walk need not have begun
	}
	return nil, nil
}

// find returns the first entry of a path, nil if there is none.
func (p *Package) find(path string) (*entry, error) {
	for {
		if i, ok := p.byPath[path]; ok {
			return p.entries[i], nil
		}
		if p.listed {
			if p.ended != nil && !errors.Is(p.ended, errEnd) {
				return nil, p.ended
			}
			return nil, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

// add adds an entry that the walk has come across.
func (p *Package) add(e *entry) error {
	p.names += len(e.Path) + len(e.Link)
	if len(e.Path) > maxPath || len(e.Link) > maxPath {
		return fmt.Errorf("%w: a path of %d bytes, at most %d are possible", ErrCorrupt, max(len(e.Path), len(e.Link)), maxPath)
	}
	if len(p.entries) >= maxEntries || p.names > maxNamesBytes {
		return fmt.Errorf("list of files: %w: at most %d files, with paths of %d bytes together", ErrTooLarge, maxEntries, maxNamesBytes)
	}
	if _, ok := p.byPath[e.Path]; !ok {
		p.byPath[e.Path] = len(p.entries)
	}
	p.entries = append(p.entries, e)
	return nil
}

var errEnd = errors.New("end of the archive")

// advance goes on to the archive's next entry. At the end of the archive it
// returns nil, once.
func (p *Package) advance() error {
	if p.ended != nil {
		return p.ended
	}
	err := p.archive.next(p)
	if err != nil {
		p.ended, p.listed = err, true
	}
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}
