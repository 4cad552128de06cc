package image

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// A kernel that is no ELF file any more has its BTF somewhere in it, and one that
// is wrapped in a decompressor of its architecture is a stream somewhere in that.

// Bounds on looking for streams. A decompressor has a few magics of its own
// beside the one that counts.
const (
	maxAttempts = 24  // streams that are expanded
	minKernel   = 256 // bytes; the least that something with a kernel's BTF takes, compressed
)

// scan looks for compressed streams in b, which begins like h says, and opens the
// first that has types in it, nil if there is none. One that has a kernel without
// types is second best.
func (s *search) scan(b []byte, h header, depth int) *content {
	type found struct {
		at     int
		format format
	}
	var all []found
	for f := formatGzip; f < formats; f++ {
		magic := []byte(magics[f])
		for at := 0; ; {
			i := bytes.Index(b[at:], magic)
			if i < 0 || len(b)-at-i < minKernel {
				break
			}
			at += i
			if at > 0 && plausible(f, b[at:]) {
				all = append(all, found{at, f})
			}
			at++
		}
	}
	slices.SortFunc(all, func(x, y found) int { return x.at - y.at })
	var second *content
	for _, x := range all {
		if s.attempts == 0 || s.left <= 0 {
			break
		}
		s.attempts--
		c, err := s.expanded(b[x.at:], h, depth)
		if err != nil || c.kind == Unknown || c.bytes != nil && c.elf == nil && c.types == nil && findBanner(c.bytes) == "" {
			continue
		}
		if c.hasTypes() {
			return c
		}
		if second == nil {
			second = c
		}
	}
	return second
}

// scanBTF finds a kernel's BTF in b, nil if there is none. Kernels have other BTF
// in them too, of programs that they bring along, but theirs is the largest, and
// has the type that every kernel has.
func scanBTF(b []byte) []byte {
	var best []byte
	for _, magic := range []string{"\x9f\xeb\x01\x00", "\xeb\x9f\x01\x00"} {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte(magic))
			if i < 0 {
				break
			}
			at += i
			n, _ := extentBTF(b[at:])
			if n <= len(best) {
				continue
			}
			types := b[at : at+n]
			if t, err := btf.Parse(types); err == nil && ofKernel(t) {
				best = types
				at += n - 1
			}
		}
	}
	return best
}

// ofKernel reports whether the types are a kernel's.
func ofKernel(t *btf.BTF) bool {
	for id := t.Start(); id < t.End(); id++ {
		if t.Kind(id) == btf.KindStruct && t.Vlen(id) > 0 && string(t.NameBytes(id)) == "task_struct" {
			return true
		}
	}
	return false
}

// extentBTF is the size in bytes of the BTF that b begins with, 0 if its header
// is not sound; split says that it stands on a base: its strings do not begin
// with the empty one.
func extentBTF(b []byte) (n int, split bool) {
	if len(b) < 24 || !btf.IsBTF(b) || b[2] != 1 || b[3] != 0 {
		return 0, false
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if b[0] == 0xeb {
		order = binary.BigEndian
	}
	header := uint64(order.Uint32(b[4:]))
	typesAt, types := uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	stringsAt, strings := uint64(order.Uint32(b[16:])), uint64(order.Uint32(b[20:]))
	end := max(typesAt+types, stringsAt+strings)
	if header >= 32 && len(b) >= 32 {
		// A header that goes on says where a description of the kinds lies.
		end = max(end, uint64(order.Uint32(b[24:]))+uint64(order.Uint32(b[28:])))
	}
	if header < 24 || header > 256 || header%4 != 0 || types%4 != 0 || typesAt+types > stringsAt || header+end > uint64(len(b)) {
		return 0, false
	}
	first := header + stringsAt
	return int(header + end), strings == 0 || b[first] != 0
}

// withoutPadding is raw BTF without the zeros after it, up to the end of a page.
func withoutPadding(b []byte) []byte {
	n, _ := extentBTF(b)
	if n > 0 && len(bytes.TrimRight(b[n:], "\x00")) == 0 {
		return b[:n]
	}
	return b
}
