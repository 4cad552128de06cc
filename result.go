package btfgen

import (
	"crypto/sha256"

	"github.com/btfgen/btfgen/core"
)

// Counts is how many distinct relocations came to what.
type Counts struct {
	Resolved  int `json:"resolved"`
	Zero      int `json:"zero"`
	Poisoned  int `json:"poisoned"`
	Ambiguous int `json:"ambiguous"`
	Failed    int `json:"failed"`
}

func (c *Counts) add(s core.Status) {
	switch s {
	case core.Resolved:
		c.Resolved++
	case core.Zero:
		c.Zero++
	case core.Poisoned:
		c.Poisoned++
	case core.Ambiguous:
		c.Ambiguous++
	case core.Failed:
		c.Failed++
	}
}

// Result is one kernel's.
type Result struct {
	Kernel string // distro/version/arch/release
	// BTF is the minimal BTF, in the kernel's byte order; the receiver's.
	BTF    []byte
	SHA256 [sha256.Size]byte // of BTF
	Types  int               // in BTF
	Input  int64             // bytes of the kernel's BTF and its modules'
	Counts Counts
	// Err: the kernel was skipped. ErrNotApplicable is no failure.
	Err error

	plan     int
	statuses []core.Status
	reasons  []reason
}

// Sink takes a kernel's result, whose BTF it may keep. An error counts as the
// kernel's failure.
type Sink func(*Result) error
