package core_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

var fieldKinds = []core.Kind{
	core.FieldByteOffset, core.FieldByteSize, core.FieldExists, core.FieldSigned, core.FieldLShiftU64, core.FieldRShiftU64,
}

// A relocation may be about an int, a pointer or a float itself ("0"), or about one
// of an array that a pointer leads to ("2").
func TestBareRoots(t *testing.T) {
	for _, c := range []struct {
		name   string
		root   func(w *btf.Builder, local bool) btf.ID
		access string
		kind   core.Kind
		orig   uint64
		new    uint64
		size   [2]uint32
		fail   bool
	}{
		{"int", intRoot, "0", core.FieldByteOffset, 0, 0, [2]uint32{4, 8}, false},
		{"int, the third", intRoot, "2", core.FieldByteOffset, 8, 16, [2]uint32{4, 8}, false},
		{"int's size", intRoot, "0", core.FieldByteSize, 4, 8, [2]uint32{}, false},
		{"int exists", intRoot, "0", core.FieldExists, 1, 1, [2]uint32{}, false},
		{"float", floatRoot, "1", core.FieldByteOffset, 4, 8, [2]uint32{4, 8}, true},
		{"typedef of a pointer", pointerRoot, "1", core.FieldByteOffset, 8, 8, [2]uint32{8, 8}, false},
		{"typedef of a pointer's size", pointerRoot, "0", core.FieldByteSize, 8, 8, [2]uint32{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, id := little(t, func(w *btf.Builder) btf.ID { return c.root(w, true) })
			w := btf.NewBuilder(binary.LittleEndian)
			c.root(w, false)
			out, reason := outcome(t, local, encoded(t, w), c.kind, id, c.access)
			if out.Status != core.Resolved || out.Orig != c.orig || out.New != c.new ||
				out.OrigSize != c.size[0] || out.NewSize != c.size[1] || out.FailMemSize != c.fail {
				t.Errorf("%+v (%s), expected %+v", out, reason, c)
			}
		})
	}
}

func intRoot(w *btf.Builder, local bool) btf.ID {
	if local {
		return w.Int("word", 4, 0)
	}
	return w.Int("word", 8, 0)
}

func floatRoot(w *btf.Builder, local bool) btf.ID {
	if local {
		return w.Float("real", 4)
	}
	return w.Float("real", 8)
}

func pointerRoot(w *btf.Builder, local bool) btf.ID {
	return w.Typedef("handle", w.Ptr(0))
}

// Of an array's element no more than offset, size and existence can be asked;
// which array it is on the target does not matter for that.
func TestArrayElements(t *testing.T) {
	for _, where := range []string{"local", "target"} {
		for _, kind := range fieldKinds {
			t.Run(fmt.Sprint(where, " ", kind), func(t *testing.T) {
				build := func(w *btf.Builder) btf.ID {
					i := w.Int("int", 4, btf.Signed)
					a := w.Array(i, i, 4)
					return w.Struct("s", 32, member("x", i, 0), member("a", a, 4))
				}
				local, id := little(t, build)
				w := btf.NewBuilder(binary.LittleEndian)
				if where == "target" { // with no candidate it is poisoned, but for the local error
					build(w)
				}
				out, reason := outcome(t, local, encoded(t, w), kind, id, "0:1:2")
				switch kind {
				case core.FieldSigned, core.FieldLShiftU64, core.FieldRShiftU64:
					if out.Status != core.Failed || !strings.Contains(reason, "of an array's element") {
						t.Errorf("%v (%s), expected an error that says why", out.Status, reason)
					}
				default:
					want := core.Resolved
					if where == "local" {
						want = map[bool]core.Status{true: core.Zero, false: core.Poisoned}[kind == core.FieldExists]
					}
					if out.Status != want {
						t.Errorf("%v (%s), expected %v", out.Status, reason, want)
					}
				}
			})
		}
	}
}

// A bitfield that no aligned load of up to 8 bytes holds cannot be read: an
// error for every kind but existence, on every kernel if it is so in the program.
func TestWideBitfields(t *testing.T) {
	fit := func(w *btf.Builder) btf.ID {
		i := w.Int("u64", 8, 0)
		return w.Struct("s", 16, bits("f", i, 0, 40))
	}
	wide := func(w *btf.Builder) btf.ID {
		i := w.Int("u64", 8, 0)
		return w.Struct("s", 16, bits("f", i, 60, 40))
	}
	for _, c := range []struct {
		name          string
		local, target func(*btf.Builder) btf.ID
	}{
		{"in the program", wide, fit},
		{"in the program, no target", wide, func(w *btf.Builder) btf.ID { return 0 }},
		{"in the kernel", fit, wide},
	} {
		for _, kind := range fieldKinds {
			local, id := little(t, c.local)
			w := btf.NewBuilder(binary.LittleEndian)
			if c.target(w); w.Len() == 0 {
				w.Int("unrelated", 4, 0)
			}
			out, reason := outcome(t, local, encoded(t, w), kind, id, "0:0")
			if kind == core.FieldExists {
				if out.Status == core.Failed {
					t.Errorf("%s, %v: %v (%s), expected no error", c.name, kind, out.Status, reason)
				}
				continue
			}
			if out.Status != core.Failed || !strings.Contains(reason, "load of 8 bytes") {
				t.Errorf("%s, %v: %v (%s), expected an error that says why", c.name, kind, out.Status, reason)
			}
		}
	}
}

// Old compilers put a bitfield's place into an INT of its own. An INT with an
// offset matches nothing; one with fewer bits than its size is read as the whole.
func TestLegacyBitfields(t *testing.T) {
	local, id := little(t, func(w *btf.Builder) btf.ID {
		return w.Struct("s", 8, member("f", w.Int("int", 4, 0), 4))
	})
	for _, c := range []struct {
		name   string
		n      btf.Int
		status core.Status
		new    uint64
	}{
		{"whole", btf.Int{Bits: 32}, core.Resolved, 0},
		{"offset", btf.Int{BitOffset: 3, Bits: 5}, core.Poisoned, 0},
		{"fewer bits", btf.Int{Bits: 5}, core.Resolved, 0},
	} {
		w := btf.NewBuilder(binary.LittleEndian)
		w.Struct("s", 8, member("f", w.IntBits("int", 4, c.n), 0))
		out, reason := outcome(t, local, encoded(t, w), core.FieldByteOffset, id, "0:0")
		if out.Status != c.status || out.New != c.new {
			t.Errorf("%s: %v %d (%s), expected %v %d", c.name, out.Status, out.New, reason, c.status, c.new)
		}
	}
	// and as a type: type_exists does not take one with an offset either
	local, id = little(t, func(w *btf.Builder) btf.ID { return w.Int("int", 4, 0) })
	w := btf.NewBuilder(binary.LittleEndian)
	w.IntBits("int", 4, btf.Int{BitOffset: 1, Bits: 5})
	if out, _ := outcome(t, local, encoded(t, w), core.TypeExists, id, "0"); out.Status != core.Zero {
		t.Errorf("type_exists: %v, expected zero", out.Status)
	}
}

// Enum values are sign-extended from 32 bits, whatever the enum says of its sign;
// those of 64 bits are taken as they are.
func TestEnumValues(t *testing.T) {
	for _, c := range []struct {
		name   string
		enum   func(w *btf.Builder, value uint64) btf.ID
		target func(w *btf.Builder, value uint64) btf.ID
		new    uint64
		want   uint64
	}{
		{"signed", enum32(true), enum32(true), math.MaxUint64, math.MaxUint64},
		{"unsigned", enum32(false), enum32(false), 0xffffffff, math.MaxUint64},
		{"unsigned became 64 bits", enum32(false), enum64(false), 0xffffffff, 0xffffffff},
		{"64 bits", enum64(true), enum64(true), 1 << 40, 1 << 40},
		{"64 bits became 32", enum64(false), enum32(true), 7, 7},
	} {
		local, id := little(t, func(w *btf.Builder) btf.ID { return c.enum(w, 1) })
		w := btf.NewBuilder(binary.LittleEndian)
		c.target(w, c.new)
		out, reason := outcome(t, local, encoded(t, w), core.EnumvalValue, id, "1")
		if out.Status != core.Resolved || out.Orig != 1 || out.New != c.want {
			t.Errorf("%s: %v %d -> %#x (%s), expected %#x", c.name, out.Status, out.Orig, out.New, reason, c.want)
		}
	}
}

func enum32(signed bool) func(*btf.Builder, uint64) btf.ID {
	return func(w *btf.Builder, v uint64) btf.ID {
		return w.Enum("e", 4, signed, btf.BuildEnumerator{Name: "A"}, btf.BuildEnumerator{Name: "B", Value: v})
	}
}

func enum64(signed bool) func(*btf.Builder, uint64) btf.ID {
	return func(w *btf.Builder, v uint64) btf.ID {
		return w.Enum64("e", 8, signed, btf.BuildEnumerator{Name: "A"}, btf.BuildEnumerator{Name: "B", Value: v})
	}
}

// libbpf takes the size of a target's pointer from its "long"; a 32-bit kernel's
// has 4 bytes.
func TestPointersOf32Bits(t *testing.T) {
	local, id := little(t, func(w *btf.Builder) btf.ID {
		return w.Struct("s", 16, member("p", w.Ptr(0), 0), member("q", w.Ptr(0), 8))
	})
	for _, c := range []struct {
		long string
		size uint32
		want uint32
	}{
		{"long", 4, 4}, {"long int", 4, 4}, {"unsigned long", 4, 4}, {"long unsigned int", 4, 4},
		{"long", 8, 8}, {"longish", 4, 8},
	} {
		w := btf.NewBuilder(binary.LittleEndian)
		w.Int(c.long, c.size, btf.Signed)
		p := w.Ptr(0)
		w.Struct("s", 2*c.want, member("p", p, 0), member("q", p, c.want))
		raw := encoded(t, w)
		out, reason := outcome(t, local, raw, core.FieldByteOffset, id, "0:1")
		if out.Status != core.Resolved || out.New != uint64(c.want) || out.OrigSize != 8 || out.NewSize != c.want || out.FailMemSize {
			t.Errorf("%s of %d bytes: %+v (%s), expected offset and width %d", c.long, c.size, out, reason, c.want)
		}
		if out, _ := outcome(t, local, raw, core.FieldByteSize, id, "0:1"); out.New != uint64(c.want) {
			t.Errorf("%s of %d bytes: byte_sz %d, expected %d", c.long, c.size, out.New, c.want)
		}
		// The load shrinks with it: LDXDW becomes LDXW, or stays.
		insn := [16]byte{0x79, 0x10, 8, 0}
		got, poisoned, err := core.Patch(insn, out, binary.LittleEndian)
		if op := map[uint32]byte{4: 0x61, 8: 0x79}[c.want]; err != nil || poisoned || got[0] != op || got[2] != byte(c.want) {
			t.Errorf("%s of %d bytes: instruction % x (%v, %v), expected opcode %#x", c.long, c.size, got[:8], poisoned, err, op)
		}
	}
}
