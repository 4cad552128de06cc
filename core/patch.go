package core

import (
	"encoding/binary"
	"fmt"
	"math"
)

// PoisonedCall is the helper that a poisoned instruction calls, and that no
// kernel has: "bad relo".
const PoisonedCall = 0xbad2310

// An instruction's class is its opcode's low three bits.
const (
	classLD    = 0
	classLDX   = 1
	classST    = 2
	classSTX   = 3
	classALU   = 4
	classALU64 = 7

	opLDIMM64 = 0x18
	opCall    = 0x85
	sourceX   = 0x08
	sizeMask  = 0x18
)

var sizeBits = map[uint32]byte{1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}

func accessBytes(op byte) uint32 {
	switch op & sizeMask {
	case 0x10:
		return 1
	case 0x08:
		return 2
	case 0x00:
		return 4
	}
	return 8
}

// Patch is what a loader makes of an instruction for an outcome:
// bpf_core_patch_insn. insn is in the object's byte order; its second half
// counts for a 64-bit immediate only. poisoned tells that the instruction has
// become invalid. An error means that libbpf refuses the object; the instruction
// is returned as it was.
func Patch(insn [16]byte, out Outcome, order binary.ByteOrder) (_ [16]byte, poisoned bool, _ error) {
	switch out.Status {
	case Ambiguous, Failed:
		return insn, false, fmt.Errorf("the relocation is %v", out.Status)
	}
	op := insn[0]
	if out.Poison {
		return poison(insn, order), true, nil
	}
	switch class := op & 7; class {
	case classALU, classALU64:
		if op&sourceX != 0 {
			return insn, false, fmt.Errorf("opcode %#02x takes a register where an immediate is to be patched", op)
		}
		imm := int32(order.Uint32(insn[4:]))
		if out.Validate && uint64(int64(imm)) != out.Orig {
			return insn, false, fmt.Errorf("the immediate is %d, not %d as recorded", imm, int64(out.Orig))
		}
		order.PutUint32(insn[4:], uint32(out.New))
	case classLDX, classST, classSTX:
		off := int16(order.Uint16(insn[2:]))
		switch {
		case out.Validate && uint64(int64(off)) != out.Orig:
			return insn, false, fmt.Errorf("the offset is %d, not %d as recorded", off, out.Orig)
		case out.New > math.MaxInt16:
			return insn, false, fmt.Errorf("the new offset %d does not fit the instruction, at most %d does", out.New, math.MaxInt16)
		case out.FailMemSize:
			return poison(insn, order), true, nil
		}
		if out.NewSize != out.OrigSize {
			if n := accessBytes(op); n != out.OrigSize {
				return insn, false, fmt.Errorf("the access is of %d bytes, not %d as the field", n, out.OrigSize)
			}
			bits, ok := sizeBits[out.NewSize]
			if !ok {
				return insn, false, fmt.Errorf("no load or store is of %d bytes, as the field", out.NewSize)
			}
			insn[0] = op&^sizeMask | bits
		}
		order.PutUint16(insn[2:], uint16(out.New))
	case classLD:
		if op != opLDIMM64 || insn[1]&srcMask(order) != 0 || order.Uint16(insn[2:]) != 0 ||
			insn[8] != 0 || insn[9] != 0 || order.Uint16(insn[10:]) != 0 {
			return insn, false, fmt.Errorf("opcode %#02x is no plain load of a 64-bit immediate", op)
		}
		imm := uint64(order.Uint32(insn[4:])) | uint64(order.Uint32(insn[12:]))<<32
		if out.Validate && imm != out.Orig {
			return insn, false, fmt.Errorf("the immediate is %d, not %d as recorded", int64(imm), int64(out.Orig))
		}
		order.PutUint32(insn[4:], uint32(out.New))
		order.PutUint32(insn[12:], uint32(out.New>>32))
	default:
		return insn, false, fmt.Errorf("opcode %#02x cannot be relocated", op)
	}
	return insn, false, nil
}

// srcMask is where the source register is in an instruction's second byte.
func srcMask(order binary.ByteOrder) byte {
	if order == binary.BigEndian {
		return 0x0f
	}
	return 0xf0
}

// poison replaces an instruction, and the second half of a 64-bit one, with a
// call that no verifier lets through.
func poison(insn [16]byte, order binary.ByteOrder) [16]byte {
	wide := insn[0] == opLDIMM64
	for at := 0; at == 0 || wide && at == 8; at += 8 {
		clear(insn[at : at+8])
		insn[at] = opCall
		order.PutUint32(insn[at+4:], PoisonedCall)
	}
	return insn
}
