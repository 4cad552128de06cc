package core_test

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/core"
)

var byteOrders = map[string]binary.ByteOrder{"little-endian": binary.LittleEndian, "big-endian": binary.BigEndian}

// insn is an instruction, two with a second immediate.
func insn(order binary.ByteOrder, op, dst, src byte, off int16, imm int32, second ...int32) (b [16]byte) {
	put := func(b []byte, op, dst, src byte, off int16, imm int32) {
		b[0], b[1] = op, src<<4|dst
		if order == binary.ByteOrder(binary.BigEndian) {
			b[1] = dst<<4 | src
		}
		order.PutUint16(b[2:], uint16(off))
		order.PutUint32(b[4:], uint32(imm))
	}
	put(b[:8], op, dst, src, off, imm)
	for _, imm := range second {
		put(b[8:], 0, 0, 0, 0, imm)
	}
	return b
}

func fromTo(orig, new uint64) core.Outcome { return core.Outcome{Orig: orig, New: new, Validate: true} }

func resized(orig, new uint64, origSize, newSize uint32) core.Outcome {
	return core.Outcome{Orig: orig, New: new, OrigSize: origSize, NewSize: newSize, Validate: true}
}

const (
	minusOne = ^uint64(0)
	bad      = 0xbad2310
)

// Each class of instruction, by what libbpf's bpf_core_patch_insn does with it.
// The encoding of opcodes is the kernel's Documentation/bpf/instruction-set.
func TestPatch(t *testing.T) {
	type in struct {
		op, dst, src byte
		off          int16
		imm          int32
		second       []int32
	}
	call := in{op: 0x85, imm: bad}
	for _, c := range []struct {
		name string
		insn in
		out  core.Outcome
		want in
		err  string
	}{
		// ALU (4) and ALU64 (7) with an immediate
		{"add", in{op: 0x07, dst: 1, imm: 8}, fromTo(8, 16), in{op: 0x07, dst: 1, imm: 16}, ""},
		{"mov", in{op: 0xb7, dst: 9, imm: 8}, fromTo(8, 0), in{op: 0xb7, dst: 9}, ""},
		{"mov of 32 bits", in{op: 0xb4, dst: 2, imm: 8}, fromTo(8, 1<<20), in{op: 0xb4, dst: 2, imm: 1 << 20}, ""},
		{"negative", in{op: 0xb7, imm: -1}, fromTo(minusOne, minusOne-1), in{op: 0xb7, imm: -2}, ""},
		{"cut to 32 bits", in{op: 0xb7, imm: 1}, fromTo(1, 1<<32|5), in{op: 0xb7, imm: 5}, ""},
		{"shift", in{op: 0x67, dst: 3, imm: 0}, core.Outcome{New: 58}, in{op: 0x67, dst: 3, imm: 58}, ""},
		{"end of bytes", in{op: 0xd4, dst: 3, imm: 16}, fromTo(16, 32), in{op: 0xd4, dst: 3, imm: 32}, ""},
		{"add of another value", in{op: 0x07, imm: 9}, fromTo(8, 16), in{}, "the immediate is 9, not 8"},
		{"add of any value", in{op: 0x07, imm: 9}, core.Outcome{Orig: 8, New: 16}, in{op: 0x07, imm: 16}, ""},
		{"add of a register", in{op: 0x0f, src: 2}, fromTo(0, 16), in{}, "takes a register"},
		{"mov of a register", in{op: 0xbc, src: 2}, fromTo(0, 16), in{}, "takes a register"},
		{"add ignores widths", in{op: 0x07, imm: 8}, resized(8, 16, 4, 8), in{op: 0x07, imm: 16}, ""},
		{"add ignores what a load cannot", in{op: 0x07, imm: 8},
			core.Outcome{Orig: 8, New: 16, OrigSize: 4, NewSize: 3, FailMemSize: true}, in{op: 0x07, imm: 16}, ""},

		// LDX (1), ST (2), STX (3)
		{"load", in{op: 0x61, dst: 0, src: 1, off: 8}, resized(8, 16, 4, 4), in{op: 0x61, src: 1, off: 16}, ""},
		{"store of a register", in{op: 0x63, dst: 1, src: 2, off: 8}, resized(8, 16, 4, 4), in{op: 0x63, dst: 1, src: 2, off: 16}, ""},
		{"store of a constant", in{op: 0x62, dst: 1, off: 8, imm: 77}, resized(8, 16, 4, 4), in{op: 0x62, dst: 1, off: 16, imm: 77}, ""},
		{"sign-extending load", in{op: 0x81, dst: 1, src: 1, off: 8}, resized(8, 12, 4, 4), in{op: 0x81, dst: 1, src: 1, off: 12}, ""},
		{"atomic", in{op: 0xc3, dst: 1, src: 2, off: 8}, resized(8, 12, 4, 4), in{op: 0xc3, dst: 1, src: 2, off: 12}, ""},
		{"farthest", in{op: 0x61, off: 0}, resized(0, 32767, 4, 4), in{op: 0x61, off: 32767}, ""},
		{"too far", in{op: 0x61, off: 0}, resized(0, 32768, 4, 4), in{}, "32768 does not fit"},
		{"much too far", in{op: 0x63, off: 0}, resized(0, 1<<32+8, 4, 4), in{}, "does not fit"},
		{"too far comes before the width", in{op: 0x61, off: 0},
			core.Outcome{New: 40000, OrigSize: 4, NewSize: 3, FailMemSize: true}, in{}, "does not fit"},
		{"another offset", in{op: 0x61, off: 4}, resized(8, 16, 4, 4), in{}, "the offset is 4, not 8"},
		{"any offset", in{op: 0x61, off: 4}, core.Outcome{Orig: 8, New: 16}, in{op: 0x61, off: 16}, ""},
		{"1 to 2", in{op: 0x71, off: 1}, resized(1, 2, 1, 2), in{op: 0x69, off: 2}, ""},
		{"2 to 4", in{op: 0x69, off: 1}, resized(1, 2, 2, 4), in{op: 0x61, off: 2}, ""},
		{"4 to 8", in{op: 0x61, off: 1}, resized(1, 2, 4, 8), in{op: 0x79, off: 2}, ""},
		{"8 to 4", in{op: 0x79, off: 1}, resized(1, 2, 8, 4), in{op: 0x61, off: 2}, ""},
		{"8 to 1, store", in{op: 0x7b, dst: 1, src: 2, off: 1}, resized(1, 2, 8, 1), in{op: 0x73, dst: 1, src: 2, off: 2}, ""},
		{"4 to 2, constant", in{op: 0x62, dst: 1, off: 1, imm: 5}, resized(1, 2, 4, 2), in{op: 0x6a, dst: 1, off: 2, imm: 5}, ""},
		{"to 16", in{op: 0x79, off: 1}, resized(1, 2, 8, 16), in{}, "no load or store is of 16 bytes"},
		{"to 3", in{op: 0x61, off: 1}, resized(1, 2, 4, 3), in{}, "no load or store is of 3 bytes"},
		{"to 0", in{op: 0x61, off: 1}, resized(1, 2, 4, 0), in{}, "no load or store is of 0 bytes"},
		{"not the field's width", in{op: 0x71, off: 1}, resized(1, 2, 4, 8), in{}, "the access is of 1 bytes, not 4"},
		{"not the field's width, which stays", in{op: 0x71, off: 1}, resized(1, 2, 4, 4), in{op: 0x71, off: 2}, ""},
		{"width that cannot follow", in{op: 0x61, dst: 3, src: 1, off: 1},
			core.Outcome{Orig: 1, New: 2, Validate: true, OrigSize: 4, NewSize: 8, FailMemSize: true}, call, ""},

		// LD (0): a 64-bit immediate only
		{"64-bit immediate", in{op: 0x18, dst: 1, imm: 8, second: []int32{0}}, fromTo(8, 16), in{op: 0x18, dst: 1, imm: 16, second: []int32{0}}, ""},
		{"both halves", in{op: 0x18, dst: 1, imm: 5, second: []int32{1}}, fromTo(1<<32|5, 3<<32|7), in{op: 0x18, dst: 1, imm: 7, second: []int32{3}}, ""},
		{"negative immediate", in{op: 0x18, imm: -1, second: []int32{-1}}, fromTo(minusOne, minusOne-1), in{op: 0x18, imm: -2, second: []int32{-1}}, ""},
		{"other upper half", in{op: 0x18, imm: 8, second: []int32{1}}, fromTo(8, 16), in{}, "not 8 as recorded"},
		{"any immediate", in{op: 0x18, imm: 9, second: []int32{9}}, core.Outcome{New: 16}, in{op: 0x18, imm: 16, second: []int32{0}}, ""},
		{"map", in{op: 0x18, dst: 1, src: 1, imm: 8, second: []int32{0}}, fromTo(8, 16), in{}, "no plain load"},
		{"immediate with an offset", in{op: 0x18, dst: 1, off: 1, imm: 8, second: []int32{0}}, fromTo(8, 16), in{}, "no plain load"},
		{"packet load", in{op: 0x20, imm: 8}, fromTo(8, 16), in{}, "no plain load"},

		// JMP (5) and JMP32 (6)
		{"call", in{op: 0x85, imm: 8}, fromTo(8, 16), in{}, "cannot be relocated"},
		{"jump", in{op: 0x15, imm: 8, off: 1}, fromTo(8, 16), in{}, "cannot be relocated"},
		{"jump of 32 bits", in{op: 0x16, imm: 8, off: 1}, fromTo(8, 16), in{}, "cannot be relocated"},

		// Poison fits all, the original value does not matter
		{"poisoned add", in{op: 0x07, dst: 1, imm: 9}, core.Outcome{Status: core.Poisoned, Poison: true, Validate: true, Orig: 8}, call, ""},
		{"poisoned add of a register", in{op: 0x0f, dst: 1, src: 2}, core.Outcome{Status: core.Poisoned, Poison: true}, call, ""},
		{"poisoned load", in{op: 0x61, dst: 1, src: 2, off: 7}, core.Outcome{Status: core.Poisoned, Poison: true}, call, ""},
		{"poisoned jump", in{op: 0x15, off: 7}, core.Outcome{Status: core.Poisoned, Poison: true}, call, ""},

		// An error has no instruction
		{"ambiguous", in{op: 0x07, imm: 8}, core.Outcome{Status: core.Ambiguous, Orig: 8, New: 8}, in{}, "ambiguous"},
		{"failed", in{op: 0x07, imm: 8}, core.Outcome{Status: core.Failed, Poison: true}, in{}, "failed"},
	} {
		for name, order := range byteOrders {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				given := insn(order, c.insn.op, c.insn.dst, c.insn.src, c.insn.off, c.insn.imm, c.insn.second...)
				got, poisoned, err := core.Patch(given, c.out, order)
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) {
						t.Errorf("error %v, expected %q in it", err, c.err)
					}
					if got != given || poisoned {
						t.Errorf("% x, poisoned %v; with an error it should stay % x", got, poisoned, given)
					}
					return
				}
				want := insn(order, c.want.op, c.want.dst, c.want.src, c.want.off, c.want.imm, c.want.second...)
				if err != nil || got != want || poisoned != (c.want.op == 0x85) {
					t.Errorf("% x, poisoned %v, error %v; expected % x", got, poisoned, err, want)
				}
			})
		}
	}
}

// A poisoned 64-bit immediate takes two slots and both become calls, in bytes as
// libbpf writes them.
func TestPoisonOf64BitImmediate(t *testing.T) {
	for name, want := range map[string]string{
		"little-endian": "850000001023ad0b850000001023ad0b",
		"big-endian":    "850000000bad2310850000000bad2310",
	} {
		order := byteOrders[name]
		got, poisoned, err := core.Patch(insn(order, 0x18, 4, 0, 0, 1, 2), core.Outcome{Status: core.Poisoned, Poison: true}, order)
		if hex.EncodeToString(got[:]) != want || !poisoned || err != nil {
			t.Errorf("%s: %x, poisoned %v, error %v, expected %s", name, got, poisoned, err, want)
		}
	}
}

// The second slot of a 64-bit immediate holds an immediate and nothing else.
func TestSecondSlot(t *testing.T) {
	for name, order := range byteOrders {
		for at := 8; at < 12; at++ {
			given := insn(order, 0x18, 4, 0, 0, 8, 0)
			given[at] = 1
			if _, _, err := core.Patch(given, fromTo(8, 16), order); err == nil || !strings.Contains(err.Error(), "no plain load") {
				t.Errorf("%s, byte %d set: error %v", name, at, err)
			}
		}
	}
}
