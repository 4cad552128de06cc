package kernel

import (
	"fmt"
	"math"
	"slices"
)

// consensus watches the kernels of one series and flavour: Ubuntu's 5.4.0-1009-aws and 5.4.0-1060-aws are of series 5.4 and
// flavour aws. What all of them have in common, on both sides of the host's own, is what it has too, as far as anybody can tell
// without its BTF.
type consensus struct {
	numbers []uint64 // of the host's release
	flavour []string

	kernels int // of this series and flavour
	content int // of all of them, if differ is false
	differ  bool
	below   member // the greatest kernel with smaller numbers than the host's, the first of the bundle among equals
	above   bool   // there is one with greater numbers
	least   member // of all, for people
	most    member

	scratch []uint64
}

// member is a kernel of the series.
type member struct {
	there   bool
	numbers []uint64
	dir     string
	release []byte
}

func (k *member) set(numbers []uint64, dir string, release []byte) {
	k.there = true
	k.numbers = append(k.numbers[:0], numbers...)
	k.dir = dir
	k.release = append(k.release[:0], release...)
}

// newConsensus returns nil for a release without a series, which is one with fewer than two numbers.
func newConsensus(release string) *consensus {
	c := new(consensus)
	for rest, more := release, true; more; {
		var part string
		part, rest, more = cutPart(rest)
		if n, ok := number(part); ok {
			c.numbers = append(c.numbers, n)
		} else {
			c.flavour = append(c.flavour, part)
		}
	}
	if len(c.numbers) < 2 {
		return nil
	}
	return c
}

// add looks at a kernel of the host's architecture.
func (c *consensus) add(dir string, release []byte, content int) {
	if !c.ofSeries(release) || !c.parse(normalRelease(release)) {
		return
	}
	c.kernels++
	if c.kernels == 1 {
		c.content = content
	}
	c.differ = c.differ || content != c.content

	switch slices.Compare(c.scratch, c.numbers) {
	case -1:
		if !c.below.there || slices.Compare(c.scratch, c.below.numbers) > 0 {
			c.below.set(c.scratch, dir, release)
		}
	case 1:
		c.above = true
	}
	if !c.least.there || slices.Compare(c.scratch, c.least.numbers) < 0 {
		c.least.set(c.scratch, dir, release)
	}
	if !c.most.there || slices.Compare(c.scratch, c.most.numbers) > 0 {
		c.most.set(c.scratch, dir, release)
	}
}

// ofSeries reports whether the first two numbers of a release are the host's. It takes the release as it is, since taking an
// architecture off costs more than this, and few kernels come further: what is left has the same first numbers, or fewer.
func (c *consensus) ofSeries(release []byte) bool {
	numbers := 0
	for rest, more := release, true; more && numbers < 2; {
		var part []byte
		part, rest, more = cutPart(rest)
		if n, ok := number(part); ok {
			if n != c.numbers[numbers] {
				return false
			}
			numbers++
		}
	}
	return numbers == 2
}

// parse leaves the numbers of a normalised release in scratch. It reports whether there are two, and the flavour is the host's.
func (c *consensus) parse(release []byte) bool {
	c.scratch = c.scratch[:0]
	flavours := 0
	for rest, more := release, true; more; {
		var part []byte
		part, rest, more = cutPart(rest)
		if n, ok := number(part); ok {
			c.scratch = append(c.scratch, n)
			continue
		}
		if flavours == len(c.flavour) || string(part) != c.flavour[flavours] {
			return false
		}
		flavours++
	}
	return len(c.scratch) >= 2 && flavours == len(c.flavour)
}

// match returns the kernel that stands for the host's, or in words why there is none.
func (c *consensus) match() (m Match, missing string) {
	switch {
	case c == nil:
		return Match{}, "the release has no two numbers, which would tell its series"
	case c.kernels == 0:
		return Match{}, "the bundle has no kernel of its series and flavour"
	case !c.below.there:
		return Match{}, "of its series and flavour the bundle has no older kernel"
	case !c.above:
		return Match{}, "of its series and flavour the bundle has no newer kernel"
	case c.differ:
		return Match{}, fmt.Sprintf("the %d kernels of its series and flavour have different BTFs", c.kernels)
	}
	return Match{
		Path:    join(c.below.dir, string(c.below.release)),
		Content: c.content,
		Rule: fmt.Sprintf("consensus: the %d kernels %s … %s of this series and flavour have one and the same BTF",
			c.kernels, printable(string(c.least.release)), printable(string(c.most.release))),
	}, ""
}

// cutPart separates the first part of a release from what follows it.
func cutPart[S string | []byte](s S) (part, rest S, more bool) {
	for i := range len(s) {
		switch s[i] {
		case '.', '-', '_', '+', '~':
			return s[:i], s[i+1:], true
		}
	}
	return s, s[len(s):], false
}

// number returns the value of a part that is digits only. One above 2⁶⁴ − 1 counts as that.
func number[S string | []byte](part S) (n uint64, ok bool) {
	for i := range len(part) {
		digit := uint64(part[i] - '0')
		if digit > 9 {
			return 0, false
		}
		if n > (math.MaxUint64-digit)/10 {
			n = math.MaxUint64
		} else {
			n = n*10 + digit
		}
	}
	return n, len(part) > 0
}
