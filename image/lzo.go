package image

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// lzop's file format, as far as the kernel's own decompressor knows it
// (lib/decompress_unlzo.c): a header, then blocks of LZO1X.

const lzopMagic = "\x89LZO\x00\r\n\x1a\n"

// Flags of an lzop file's header.
const (
	lzopAdler32D = 1 << 0 // checksums of what blocks expand to
	lzopAdler32C = 1 << 1 // checksums of blocks as they are
	lzopFilter   = 1 << 11
	lzopCRC32D   = 1 << 8
	lzopCRC32C   = 1 << 9
	lzopExtra    = 1 << 6
)

// lzopBlock limits what a block expands to, in bytes. lzop writes 256 KB.
const lzopBlock = 64 << 20

var errLZO = errors.New("malformed lzo data")

// lzopHeader returns the offset of the first block and the header's flags.
func lzopHeader(b []byte) (at int, flags uint32, err error) {
	bad := func() (int, uint32, error) { return 0, 0, fmt.Errorf("%w: bad header", errLZO) }
	if !has(b, 0, lzopMagic) || len(b) < 40 {
		return bad()
	}
	version := binary.BigEndian.Uint16(b[9:])
	at = 9 + 2 + 2 // version, version of the library
	if version >= 0x940 {
		at += 2 // version needed to extract
	}
	if method := b[at]; method < 1 || method > 3 {
		return 0, 0, fmt.Errorf("%w: method %d, expected LZO1X", errLZO, method)
	}
	at++
	if version >= 0x940 {
		at++ // level
	}
	flags = binary.BigEndian.Uint32(b[at:])
	at += 4
	if flags&lzopFilter != 0 {
		at += 4
	}
	at += 4 + 4 // mode, time
	if version >= 0x940 {
		at += 4 // upper half of the time
	}
	if flags&lzopExtra != 0 || at >= len(b) {
		return bad()
	}
	at += 1 + int(b[at]) + 4 // name and checksum
	if at > len(b) {
		return bad()
	}
	return at, flags, nil
}

// lzopExtent finds where the blocks end, and what they expand to.
func lzopExtent(b []byte) (size, expanded int64, err error) {
	err = lzopBlocks(b, func(_ []byte, n int, end int) error {
		size, expanded = int64(end), expanded+int64(n)
		return nil
	})
	return size, expanded, err
}

// lzopBlocks calls f with each block and what it expands to in bytes, and with
// where it ends in b; a last time with no block.
func lzopBlocks(b []byte, f func(block []byte, expanded, end int) error) error {
	at, flags, err := lzopHeader(b)
	if err != nil {
		return err
	}
	for {
		if len(b)-at < 4 {
			return fmt.Errorf("%w: truncated at offset %d", errLZO, at)
		}
		n := binary.BigEndian.Uint32(b[at:])
		if n == 0 {
			return f(nil, 0, at+4)
		}
		if len(b)-at < 8 {
			return fmt.Errorf("%w: truncated at offset %d", errLZO, at)
		}
		packed := binary.BigEndian.Uint32(b[at+4:])
		start := at
		at += 8
		for _, sum := range []uint32{lzopAdler32D, lzopCRC32D} {
			if flags&sum != 0 {
				at += 4
			}
		}
		if packed < n {
			for _, sum := range []uint32{lzopAdler32C, lzopCRC32C} {
				if flags&sum != 0 {
					at += 4
				}
			}
		}
		if n > lzopBlock || packed == 0 || packed > n || at > len(b) || int64(packed) > int64(len(b)-at) {
			return fmt.Errorf("%w: block of %d to %d bytes at offset %d does not fit", errLZO, packed, n, start)
		}
		end := at + int(packed)
		if err := f(b[at:end], int(n), end); err != nil {
			return fmt.Errorf("%w: block at offset %d", err, start)
		}
		at = end
	}
}

// expandLZO expands an lzop file.
func expandLZO(b []byte, limit int64) ([]byte, error) {
	_, size, err := lzopExtent(b)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, tooLarge(limit)
	}
	if size > maxRatioLZO*int64(len(b)) {
		return nil, tooDense(len(b), size)
	}
	out := make([]byte, size)
	pos := 0
	err = lzopBlocks(b, func(block []byte, n, _ int) error {
		dst := out[pos : pos+n]
		pos += n
		if len(block) == n {
			copy(dst, block)
			return nil
		}
		if !lzo1x(dst, block) {
			return errLZO
		}
		return nil
	})
	return out, err
}

// lzo1x expands a block of LZO1X, as the kernel's Documentation/staging/lzo.rst
// describes it, to exactly len(dst) bytes. It reports whether the block is sound.
func lzo1x(dst, src []byte) bool {
	ip, op := 0, 0
	// literals copies n bytes of the input.
	literals := func(n int) bool {
		if n > len(src)-ip || n > len(dst)-op {
			return false
		}
		copy(dst[op:], src[ip:ip+n])
		ip, op = ip+n, op+n
		return true
	}
	// match copies n bytes from back bytes before.
	match := func(back, n int) bool {
		if back > op || n > len(dst)-op {
			return false
		}
		if back >= n {
			copy(dst[op:op+n], dst[op-back:])
			op += n
			return true
		}
		for ; n > 0; n-- {
			dst[op] = dst[op-back]
			op++
		}
		return true
	}
	// long reads a length that goes on in bytes of their own: zeros count 255.
	long := func(base int) (int, bool) {
		n := base
		for ip < len(src) {
			b := int(src[ip])
			ip++
			if b != 0 {
				return n + b, true
			}
			if n += 255; n > len(dst) {
				break
			}
		}
		return 0, false
	}

	// state is how many literals came with the last instruction, 4 for a run.
	state := 0
	if len(src) > 0 && src[0] > 17 {
		ip = 1
		n := int(src[0]) - 17
		if !literals(n) {
			return false
		}
		state = min(n, 4)
	}
	for ip < len(src) {
		b := int(src[ip])
		ip++
		var n, back, trailing int
		ok := true
		switch {
		case b >= 64: // a short match nearby
			if ip >= len(src) {
				return false
			}
			n, back = b>>5+1, int(src[ip])<<3+b>>2&7+1
			ip++
			trailing = b & 3
		case b >= 32: // to within 16 KB
			if n = b&31 + 2; n == 2 {
				n, ok = long(31 + 2)
			}
			if !ok || len(src)-ip < 2 {
				return false
			}
			low := int(binary.LittleEndian.Uint16(src[ip:]))
			ip += 2
			back, trailing = low>>2+1, low&3
		case b >= 16: // to within 16 to 48 KB, or the end
			if n = b&7 + 2; n == 2 {
				n, ok = long(7 + 2)
			}
			if !ok || len(src)-ip < 2 {
				return false
			}
			low := int(binary.LittleEndian.Uint16(src[ip:]))
			ip += 2
			back, trailing = 16384+(b&8)<<11+low>>2, low&3
			if back == 16384 {
				return n == 3 && ip == len(src) && op == len(dst)
			}
		case state == 0: // a run of literals
			if n = b + 3; b == 0 {
				n, ok = long(15 + 3)
			}
			if !ok || !literals(n) {
				return false
			}
			state = 4
			continue
		default: // a match of 2 nearby, or of 3 just beyond 2 KB
			if ip >= len(src) {
				return false
			}
			n, back = 2, int(src[ip])<<2+b>>2+1
			if state == 4 {
				n, back = 3, back+2048
			}
			ip++
			trailing = b & 3
		}
		if !match(back, n) || !literals(trailing) {
			return false
		}
		state = trailing
	}
	return false // no end marker
}
