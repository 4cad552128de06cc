package core

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// maxSpecLen is how long a path may get, on either side: BPF_CORE_SPEC_MAX_LEN.
const maxSpecLen = 64

// accessor is one step of a path that means something: a named member of a
// struct or union, or an index into an array. The first is the index that
// the root pointer is treated as an array with.
type accessor struct {
	typ   btf.ID // the struct; the element's type for an index
	idx   int32
	named bool
}

// spec is a path through types, on the local side or on a target's.
type spec struct {
	root btf.ID
	acc  []accessor
	// raw has one index for each level, anonymous ones too: the access string.
	raw []int32
	// bitOffset is where the path leads, in bits from the root.
	bitOffset uint32
}

func (s *spec) reset(root btf.ID) {
	s.root, s.acc, s.raw, s.bitOffset = root, s.acc[:0], s.raw[:0], 0
}

// parseAccess turns "0:1:2" into indices. What libbpf's sscanf would let
// through, such as a sign or a trailing colon, no compiler writes; here it is
// an error.
func parseAccess(s string) ([]int32, error) {
	if n := strings.Count(s, ":") + 1; n > maxSpecLen {
		return nil, fmt.Errorf("access string of %d indices, at most %d are allowed", n, maxSpecLen)
	}
	return parseIndices(s)
}

// parseIndices is parseAccess for any number of indices, as cilium/ebpf has it.
func parseIndices(s string) ([]int32, error) {
	if s == "" {
		return nil, fmt.Errorf("empty access string")
	}
	raw := make([]int32, 0, strings.Count(s, ":")+1)
	for part := range strings.SplitSeq(s, ":") {
		v, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("access string %q: index %q is not a number", clip(s), clip(part))
		}
		raw = append(raw, int32(v))
	}
	return raw, nil
}

// clip shortens what comes from outside to what fits an error message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}
