package xz

import (
	"encoding/binary"
	"fmt"
)

// Branch converters ("BCJ"): compressors of machine code make the targets of
// calls absolute, since then the same target is the same bytes everywhere. What
// is expanded has to be turned back. Kernels are compressed so.

// The filters' ids, as in the xz file format 1.1.0 and its successors. Those of
// IA-64 (6) and RISC-V (11) are not known here.
const (
	filterX86      = 4
	filterPowerPC  = 5
	filterARM      = 7
	filterARMThumb = 8
	filterSPARC    = 9
	filterARM64    = 10
)

// branches turns absolute targets back into relative ones in code, which starts
// at position 0.
type branches func(code []byte)

func branchesOf(filter int64) branches {
	switch filter {
	case filterX86:
		return x86
	case filterPowerPC:
		return powerPC
	case filterARM:
		return arm
	case filterARMThumb:
		return armThumb
	case filterSPARC:
		return sparc
	case filterARM64:
		return arm64
	}
	return nil
}

// branchFilter reads a branch converter's properties: none, or where the code
// starts, which has to be 0.
func branchFilter(filter int64, properties []byte, offset int64) (branches, error) {
	f := branchesOf(filter)
	if f == nil {
		return nil, fmt.Errorf("%w: filter %#x before LZMA2 at offset %d", ErrUnsupported, filter, offset)
	}
	switch {
	case len(properties) == 0:
	case len(properties) != 4:
		return nil, corrupt(offset, "bad properties of filter %#x", filter)
	case binary.LittleEndian.Uint32(properties) != 0:
		return nil, fmt.Errorf("%w: filter %#x with a start offset at offset %d", ErrUnsupported, filter, offset)
	}
	return f, nil
}

// x86 is for CALL (e8) and JMP (e9) with 32 bits of distance. Instructions have
// any length, so such a byte need not be an opcode: it counts as one if the
// distance's upper byte is 00 or ff and the bytes shortly before it do not make
// that unlikely.
func x86(code []byte) {
	// Bit i of before is set if i+1 bytes back there was an e8 or e9 that was no
	// instruction.
	var before uint32
	for i := 0; i+5 <= len(code); {
		if code[i]&0xfe != 0xe8 {
			before = before << 1 & 7
			i++
			continue
		}
		likely := before == 0 || before == 1 || before == 2 || before == 4
		if before != 0 && likely {
			// The byte of the distance that is the last one of the earlier
			// candidate's must not look like an upper byte.
			likely = !signByte(code[i+4-distanceByte(before)])
		}
		if !likely || !signByte(code[i+4]) {
			before = before<<1&7 | 1
			i++
			continue
		}
		v := binary.LittleEndian.Uint32(code[i+1:])
		at := uint32(i + 5)
		for {
			v -= at
			if before == 0 {
				break
			}
			shift := 8 * distanceByte(before)
			if !signByte(byte(v >> (24 - shift))) {
				break
			}
			v ^= 1<<(32-shift) - 1
		}
		// The upper byte is the sign of 25 bits.
		v = uint32(int32(v<<7) >> 7)
		binary.LittleEndian.PutUint32(code[i+1:], v)
		before = 0
		i += 5
	}
}

func signByte(b byte) bool { return b == 0 || b == 0xff }

// distanceByte is how far back the nearest candidate's last byte lies from the
// end of this one's distance, in bytes.
func distanceByte(before uint32) int {
	switch {
	case before&4 != 0:
		return 3
	case before&2 != 0:
		return 2
	}
	return 1
}

// powerPC is for "bl" with a relative target.
func powerPC(code []byte) {
	for i := 0; i+4 <= len(code); i += 4 {
		v := binary.BigEndian.Uint32(code[i:])
		if v&0xfc000003 == 0x48000001 {
			binary.BigEndian.PutUint32(code[i:], 0x48000001|(v-uint32(i))&0x3fffffc)
		}
	}
}

// arm is for BL without a condition. The processor's counter is 8 bytes ahead.
func arm(code []byte) {
	for i := 0; i+4 <= len(code); i += 4 {
		v := binary.LittleEndian.Uint32(code[i:])
		if v>>24 == 0xeb {
			binary.LittleEndian.PutUint32(code[i:], 0xeb000000|(v-uint32(i+8)>>2)&0xffffff)
		}
	}
}

// armThumb is for BL of two halfwords. The processor's counter is 4 bytes ahead.
func armThumb(code []byte) {
	for i := 0; i+4 <= len(code); i += 2 {
		high, low := binary.LittleEndian.Uint16(code[i:]), binary.LittleEndian.Uint16(code[i+2:])
		if high&0xf800 != 0xf000 || low&0xf800 != 0xf800 {
			continue
		}
		v := uint32(high&0x7ff)<<11 | uint32(low&0x7ff)
		v -= uint32(i+4) >> 1
		binary.LittleEndian.PutUint16(code[i:], 0xf000|uint16(v>>11&0x7ff))
		binary.LittleEndian.PutUint16(code[i+2:], 0xf800|uint16(v&0x7ff))
		i += 2
	}
}

// sparc is for "call" to within 8 MiB.
func sparc(code []byte) {
	for i := 0; i+4 <= len(code); i += 4 {
		v := binary.BigEndian.Uint32(code[i:])
		if v>>22 != 0x100 && v>>22 != 0x1ff {
			continue
		}
		v -= uint32(i) >> 2
		sign := -(v >> 22 & 1)
		binary.BigEndian.PutUint32(code[i:], 0x40000000|sign<<22&0x3fffffff|v&0x3fffff)
	}
}

// arm64 is for BL, and for ADRP to within 512 MiB.
func arm64(code []byte) {
	for i := 0; i+4 <= len(code); i += 4 {
		v := binary.LittleEndian.Uint32(code[i:])
		switch {
		case v>>26 == 0x25:
			v = 0x94000000 | (v-uint32(i)>>2)&0x3ffffff
		case v&0x9f000000 == 0x90000000:
			page := v>>29&3 | v>>3&0x1ffffc
			if (page+0x20000)&0x1c0000 != 0 {
				continue
			}
			page -= uint32(i) >> 12
			v = v&0x9000001f | page&3<<29 | page&0x3fffc<<3 | -(page&0x20000)&0xe00000
		default:
			continue
		}
		binary.LittleEndian.PutUint32(code[i:], v)
	}
}
