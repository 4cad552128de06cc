package xz

import "encoding/binary"

// chunk decodes one LZMA chunk: in[:end] into win[pos:limit]. win[:pos] is the
// history that matches may refer to, as far as dictSize bytes back. in must go
// on for lzmaLookahead bytes after end. It reports whether the chunk was sound:
// exactly end bytes taken, exactly up to limit written.
func (d *lzma) chunk(in []byte, end int, win []byte, pos, limit int, dictSize uint64) bool {
	if end < 5 || in[0] != 0 {
		return false
	}
	rng, code, ip := uint64(1<<32-1), uint64(binary.BigEndian.Uint32(in[1:])), 5
	state := d.state
	rep0, rep1, rep2, rep3 := d.rep[0], d.rep[1], d.rep[2], d.rep[3]
	lcShift := 8 - d.lc
	var m, n uint64
	var prev uint64 // the byte before pos
	if pos > 0 {
		prev = uint64(win[pos-1])
	}
	win = win[:limit]

	for pos < len(win) {
		if ip > end {
			return false
		}
		posState := uint64(pos) & d.pbMask
		rng, code, ip = normalize(rng, code, in, ip)
		m, rng, code = bit(&d.isMatch[(state<<4|posState)&255], rng, code)
		if m != 0 {
			lit := &d.literal[((uint64(pos)&d.lpMask)<<d.lc+prev>>lcShift)&15]
			sym := uint64(1)
			if state < litStates {
				for sym < 0x100 {
					rng, code, ip = normalize(rng, code, in, ip)
					m, rng, code = bit(&lit[sym], rng, code)
					sym = sym<<1 + 1 + m
				}
			} else {
				// After a match the byte where it would have
				// gone on helps, until it proves different.
				at := pos - int(rep0) - 1
				if uint(at) >= uint(pos) {
					return false
				}
				guess := uint64(win[at])
				offset := uint64(0x100)
				for sym < 0x100 {
					guess <<= 1
					guessBit := guess & offset
					rng, code, ip = normalize(rng, code, in, ip)
					m, rng, code = bit(&lit[offset+guessBit+sym], rng, code)
					sym = sym<<1 + 1 + m
					offset &= guessBit ^ m
				}
			}
			win[pos] = byte(sym)
			pos++
			prev = sym & 0xff
			state = uint64(literalNext[state&15])
			continue
		}

		rng, code, ip = normalize(rng, code, in, ip)
		m, rng, code = bit(&d.isRep[state&15], rng, code)
		if m != 0 {
			n, rng, code, ip = d.matchLen.length(posState, rng, code, in, ip)
			rep3, rep2, rep1 = rep2, rep1, rep0
			rep0, rng, code, ip = d.distance(n, rng, code, in, ip)
			if state < litStates {
				state = 7
			} else {
				state = 10
			}
		} else {
			rng, code, ip = normalize(rng, code, in, ip)
			m, rng, code = bit(&d.isRep0[state&15], rng, code)
			n = 0
			if m != 0 {
				rng, code, ip = normalize(rng, code, in, ip)
				m, rng, code = bit(&d.isRep0Long[(state<<4|posState)&255], rng, code)
				if m != 0 {
					n = 1 // a short repeat: one byte, no length
				}
			} else {
				rng, code, ip = normalize(rng, code, in, ip)
				m, rng, code = bit(&d.isRep1[state&15], rng, code)
				if m != 0 {
					rep0, rep1 = rep1, rep0
				} else {
					rng, code, ip = normalize(rng, code, in, ip)
					m, rng, code = bit(&d.isRep2[state&15], rng, code)
					if m != 0 {
						rep0, rep1, rep2 = rep2, rep0, rep1
					} else {
						rep0, rep1, rep2, rep3 = rep3, rep0, rep1, rep2
					}
				}
			}
			switch {
			case n == 1 && state < litStates:
				state = 9
			case n == 1:
				state = 11
			default:
				n, rng, code, ip = d.repLen.length(posState, rng, code, in, ip)
				if state < litStates {
					state = 8
				} else {
					state = 11
				}
			}
		}

		if rep0 >= uint64(pos) || rep0 >= dictSize || n > uint64(len(win)-pos) {
			return false
		}
		back := int(rep0) + 1
		stop := pos + int(n)
		if back >= 8 && stop <= len(win)-8 {
			// Whole words; what they write past stop is written
			// again by the symbols that follow.
			for pos < stop {
				binary.LittleEndian.PutUint64(win[pos:], binary.LittleEndian.Uint64(win[pos-back:]))
				pos += 8
			}
			pos = stop
		} else {
			for pos < stop {
				win[pos] = win[pos-back]
				pos++
			}
		}
		prev = uint64(win[pos-1])
	}

	_, code, ip = normalize(rng, code, in, ip)
	d.state = state
	d.rep = [4]uint64{rep0, rep1, rep2, rep3}
	return ip == end && code == 0
}
