package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/btfgen/btfgen/kernel"
)

const (
	maxDir     = 1023 // bytes
	maxRelease = 255  // bytes
)

// A Kernel is one entry of a bundle's map.
type Kernel struct {
	Path    string // by convention distribution/version/architecture/release
	Content int    // kernels with the same number have the same BTF
}

// Kernels lists the kernels in the order of the map: by directory, then by release.
func (b *Bundle) Kernels() ([]Kernel, error) {
	m, err := b.readMap(new(inflater))
	if err != nil {
		return nil, err
	}
	kernels := make([]Kernel, 0, m.kernels)
	err = m.each(func(dir string, release []byte, content int) bool {
		kernels = append(kernels, Kernel{path(dir, string(release)), content})
		return true
	})
	if err != nil {
		return nil, err
	}
	return kernels, nil
}

// Contents is the number of distinct BTFs.
func (b *Bundle) Contents() (int, error) {
	m, err := b.readMap(new(inflater))
	if err != nil {
		return 0, err
	}
	return m.contents, nil
}

// BTF returns the BTF of the kernel with exactly this path, in a new slice; the error wraps ErrNotFound if there is none.
func (b *Bundle) BTF(kernelPath string) ([]byte, error) {
	f := new(inflater)
	m, err := b.readMap(f)
	if err != nil {
		return nil, err
	}
	found := -1
	err = m.each(func(dir string, release []byte, content int) bool {
		if len(kernelPath) == pathLen(dir, len(release)) && kernelPath[len(kernelPath)-len(release):] == string(release) && kernelPath == path(dir, string(release)) {
			found = content
		}
		return found < 0
	})
	if err != nil {
		return nil, err
	}
	if found < 0 {
		return nil, fmt.Errorf("%s: %w", kernelPath, ErrNotFound)
	}
	return b.content(f, m, found)
}

// Find selects the kernel of the bundle that is the host's, by the rules of docs/bundle-format.md.
// With consensus, a kernel that is not in the bundle gets what all kernels of its series and flavour have in common.
// Errors are *kernel.NotFoundError, *kernel.AmbiguousError, and those of a damaged bundle.
func (b *Bundle) Find(h kernel.Host, consensus bool) (kernel.Match, error) {
	match, _, err := b.find(new(inflater), h, consensus)
	return match, err
}

func (b *Bundle) find(f *inflater, h kernel.Host, consensus bool) (kernel.Match, *kernelMap, error) {
	m, err := b.readMap(f)
	if err != nil {
		return kernel.Match{}, nil, err
	}
	matcher := kernel.NewMatcher(h)
	if consensus {
		matcher.AllowConsensus()
	}
	err = m.each(func(dir string, release []byte, content int) bool {
		matcher.Add(dir, release, content)
		return true
	})
	if err != nil {
		return kernel.Match{}, nil, err
	}
	match, err := matcher.Match()
	return match, m, err
}

func path(dir, release string) string {
	if dir == "" {
		return release
	}
	return dir + "/" + release
}

func pathLen(dir string, release int) int {
	if dir == "" {
		return release
	}
	return len(dir) + 1 + release
}

// kernelMap is segment 0, inflated, with its parts found.
type kernelMap struct {
	dirs, kernels, contents int
	groups                  []byte // number of contents in each group, as varints
	rest                    []byte // directories and columns
}

var errMap = errors.New("bundle: malformed map of kernels")

func (b *Bundle) readMap(f *inflater) (*kernelMap, error) {
	raw, err := f.segment(b, mapSegment)
	if err != nil {
		return nil, err
	}
	m := new(kernelMap)
	c := column{b: raw}
	dirs, kernels := c.next(), c.next()
	m.groups = c.rest()
	total := uint64(0)
	for range b.groups {
		total += uint64(c.next())
	}
	m.groups, m.rest = m.groups[:len(m.groups)-len(c.rest())], c.rest()
	// A kernel has a byte in each of four columns, a directory a zero byte and a number.
	if c.bad || uint64(kernels)*4+uint64(dirs)*2 > uint64(len(m.rest)) || total > math.MaxInt32 {
		return nil, errMap
	}
	m.dirs, m.kernels, m.contents = int(dirs), int(kernels), int(total)
	return m, nil
}

// group finds the group that has a content, and the content's place in it.
func (m *kernelMap) group(content int) (group, index int) {
	c := column{b: m.groups}
	for ; ; group++ {
		n := int(c.next())
		if content < n {
			return group, content
		}
		content -= n
	}
}

// each calls f for every kernel in the order of the map, until f returns false. The release is only valid during the call.
func (m *kernelMap) each(f func(dir string, release []byte, content int) bool) error {
	// Directories come first, and where they end the columns start.
	dirs := column{b: m.rest}
	total := uint64(0)
	for range m.dirs {
		if dir := dirs.text(); len(dir) > maxDir {
			return errMap
		}
		total += uint64(dirs.next())
	}
	if dirs.bad || total != uint64(m.kernels) {
		return errMap
	}
	prefixes := column{b: dirs.rest()}
	suffixes := prefixes.skip(m.kernels)
	contents := suffixes.skip(m.kernels)
	middles := contents.skip(m.kernels)

	dirs.at = 0
	var dir string
	var left uint32 // kernels in dir still to come
	var release [maxRelease]byte
	length := 0 // of the release before
	for range m.kernels {
		for left == 0 {
			name := dirs.text()
			if left = dirs.next(); left != 0 {
				dir = string(name)
			}
		}
		left--
		prefix, suffix, content := prefixes.next(), suffixes.next(), contents.next()
		middle := middles.text()
		if prefixes.bad || suffixes.bad || contents.bad || middles.bad {
			return errMap
		}
		if uint64(prefix)+uint64(suffix) > uint64(length) || uint64(content) >= uint64(m.contents) {
			return errMap
		}
		grown := int(prefix) + len(middle) + int(suffix)
		if grown == 0 || grown > maxRelease {
			return errMap
		}
		copy(release[grown-int(suffix):], release[length-int(suffix):length])
		copy(release[prefix:], middle)
		length = grown
		if !f(dir, release[:length], int(content)) {
			return nil
		}
	}
	if len(middles.rest()) != 0 {
		return errMap
	}
	return nil
}

// column is read from its start. What is cut short sets bad and reads as zero.
type column struct {
	b   []byte
	at  int // bytes that were read: a slice would be written anew each time, which the garbage collector has to be told
	bad bool
}

func (c *column) rest() []byte { return c.b[c.at:] }

func (c *column) fail() {
	c.bad = true
	c.at = len(c.b)
}

func (c *column) next() uint32 {
	if c.at < len(c.b) && c.b[c.at] < 0x80 { // nearly all
		c.at++
		return uint32(c.b[c.at-1])
	}
	v, n := uvarint(c.rest())
	if n == 0 {
		c.fail()
		return 0
	}
	c.at += n
	return v
}

// text reads up to the next zero byte, which it drops. The slice is the column's.
func (c *column) text() []byte {
	s := c.rest()
	n := bytes.IndexByte(s, 0)
	if n < 0 {
		c.fail()
		return nil
	}
	c.at += n + 1
	return s[:n]
}

// take reads n bytes. The slice is the column's.
func (c *column) take(n uint32) []byte {
	s := c.rest()
	if uint64(n) > uint64(len(s)) {
		c.fail()
		return nil
	}
	c.at += int(n)
	return s[:n]
}

// skip returns what is behind n varints.
func (c *column) skip(n int) column {
	behind := *c
	for range n {
		behind.next()
		if behind.bad {
			break
		}
	}
	return behind
}
