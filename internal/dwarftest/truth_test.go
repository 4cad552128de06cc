package dwarftest

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/need"
)

// The compiler refutes each false claim.
func TestTruthCanFail(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	file := source(t, "bits.c")
	for _, v := range []variant{object(gcc), object(gccBig), object(clang)} {
		for name, claim := range map[string]func(w *btf.Builder, integer btf.ID){
			"size": func(w *btf.Builder, _ btf.ID) { w.Struct("shorts", 9) },
			"name": func(w *btf.Builder, i btf.ID) { w.Struct("shorts", 8, btf.BuildMember{Name: "z", Type: i}) },
			"offset": func(w *btf.Builder, i btf.ID) {
				w.Struct("packed_bits", 14, btf.BuildMember{Name: "f", Type: i, BitOffset: 1})
			},
			"bitfield's offset": func(w *btf.Builder, i btf.ID) {
				w.Struct("flags", 4, btf.BuildMember{Name: "b", Type: i, BitOffset: 2, BitSize: 2})
			},
			"bitfield's width": func(w *btf.Builder, i btf.ID) {
				w.Struct("flags", 4, btf.BuildMember{Name: "b", Type: i, BitOffset: 1, BitSize: 3})
			},
			"value": func(w *btf.Builder, _ btf.ID) {
				w.Enum("colour", 4, false, btf.BuildEnumerator{Name: "BLUE", Value: 5})
			},
			"sign":           func(w *btf.Builder, _ btf.ID) { w.Enum("sign", 4, false) },
			"width":          func(w *btf.Builder, _ btf.ID) { w.Enum("sign", 8, true) },
			"type":           func(w *btf.Builder, i btf.ID) { w.Typedef("word", i) },
			"integer":        func(w *btf.Builder, _ btf.ID) { w.Int("short", 4, btf.Signed) },
			"integer's sign": func(w *btf.Builder, _ btf.ID) { w.Int("short", 2, 0) },
		} {
			b := build(t, func(w *btf.Builder) { claim(w, w.Int("int", 4, btf.Signed)) })
			wrong, _ := judgeTruth(t, v, file, b)
			wrong = withoutOrder(wrong)
			if len(wrong) == 0 {
				t.Errorf("%v: a false %s passes", v, name)
			}
		}
		right := build(t, func(w *btf.Builder) {
			unsigned := w.Int("unsigned int", 4, 0)
			w.Struct("flags", 4, btf.BuildMember{Name: "b", Type: unsigned, BitOffset: 1, BitSize: 2})
			w.Typedef("word", unsigned)
		})
		if wrong, _ := judgeTruth(t, v, file, right); len(withoutOrder(wrong)) > 0 {
			t.Errorf("%v: %v", v, wrong)
		}
	}
}

// withoutOrder leaves out the verdict on the byte order: these BTFs are little-endian.
func withoutOrder(wrong []string) (list []string) {
	for _, w := range wrong {
		if !strings.HasPrefix(w, "the BTF is big-endian") {
			list = append(list, w)
		}
	}
	return list
}

func TestOnes(t *testing.T) {
	for _, test := range []struct {
		bytes       []byte
		order       binary.ByteOrder
		first, bits int
	}{
		{[]byte{0x06, 0}, binary.LittleEndian, 1, 2},
		{[]byte{0x60, 0}, binary.BigEndian, 1, 2},
		{[]byte{0x80, 0x01}, binary.LittleEndian, 7, 2},
		{[]byte{0x01, 0x80}, binary.BigEndian, 7, 2},
		{[]byte{0x05}, binary.LittleEndian, -1, 0},
		{[]byte{0}, binary.LittleEndian, -1, 0},
	} {
		if first, bits := ones(test.bytes, test.order); first != test.first || bits != test.bits {
			t.Errorf("%x in %v: %d bits at %d, want %d at %d", test.bytes, test.order, bits, first, test.bits, test.first)
		}
	}
}
