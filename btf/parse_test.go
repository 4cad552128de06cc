package btf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

var orders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

// everyKind has one type of each kind, each at the id that is its kind's number.
func everyKind(order binary.ByteOrder) *btf.Builder {
	w := btf.NewBuilder(order)
	w.Int("int", 4, btf.Signed)
	w.Ptr(4)
	w.Array(1, 1, 7)
	w.Struct("s", 16,
		btf.BuildMember{Name: "a", Type: 1},
		btf.BuildMember{Name: "b", Type: 1, BitOffset: 37, BitSize: 5},
		btf.BuildMember{Name: "next", Type: 2, BitOffset: 64})
	w.Union("u", 8, btf.BuildMember{Name: "i", Type: 1}, btf.BuildMember{Type: 16})
	w.Enum("e", 4, true, btf.BuildEnumerator{Name: "MINUS", Value: ^uint64(0)}, btf.BuildEnumerator{Name: "ONE", Value: 1})
	w.Fwd("f", true)
	w.Typedef("t", 4)
	w.Volatile(1)
	w.Const(1)
	w.Restrict(2)
	w.Func("fn", 13, btf.LinkageGlobal)
	w.FuncProto(1, btf.BuildParam{Name: "x", Type: 2}, btf.BuildParam{})
	w.Var("v", 4, btf.LinkageExtern)
	w.Datasec(".data", 16, btf.BuildSecinfo{Type: 14, Offset: 8, Size: 16})
	w.Float("double", 8)
	w.DeclTag("tag", 4, 1)
	w.TypeTag("user", 4)
	w.Enum64("e64", 8, false, btf.BuildEnumerator{Name: "BIG", Value: 1<<40 | 7})
	return w
}

func encode(t testing.TB, w *btf.Builder) []byte {
	t.Helper()
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parse(t testing.TB, raw []byte) *btf.BTF {
	t.Helper()
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// accessAll asks every accessor about every id, indices and ids out of range
// included. What matters is that it returns.
func accessAll(b *btf.BTF) {
	ids := []btf.ID{1<<31 - 1, 1 << 31, 1<<32 - 1}
	for id := range min(b.End()+3, 4096) {
		ids = append(ids, id)
	}
	for _, id := range ids {
		_, _, _, _ = b.Kind(id).String(), b.Name(id), b.NameOff(id), b.KindFlag(id)
		_, _, _, _ = b.Size(id), b.Ref(id), b.Array(id), b.Int(id)
		_, _ = b.Linkage(id), b.ComponentIndex(id)
		b.SkipModifiers(id)
		b.Sizeof(id, 8)
		n := b.Vlen(id)
		for _, i := range []int{-1, 0, 1, n - 1, n, 1 << 24} {
			_, _, _ = b.String(b.Member(id, i).NameOff), b.String(b.Enumerator(id, i).NameOff), b.String(b.Param(id, i).NameOff)
			_ = b.Secinfo(id, i)
		}
	}
	for _, off := range []uint32{0, 1, 1 << 31, 1<<32 - 1} {
		_, _, _ = b.StringBytes(off), b.Text(off), b.ValidString(off)
	}
	b.LongType()
}

func TestEveryKindInBothOrders(t *testing.T) {
	for _, order := range orders {
		t.Run(order.String(), func(t *testing.T) {
			raw := encode(t, everyKind(order))
			b := parse(t, raw)
			if b.ByteOrder() != order || b.Start() != 1 || b.End() != 20 || b.Base() != nil {
				t.Errorf("%v, ids [%d, %d), base %v; expected %v, [1, 20), none", b.ByteOrder(), b.Start(), b.End(), b.Base(), order)
			}
			for id := range b.End() {
				if got := b.Kind(id); got != btf.Kind(id) {
					t.Errorf("type %d is a %v, expected %v", id, got, btf.Kind(id))
				}
			}
			if err := b.Validate(); err != nil {
				t.Error(err)
			}
			checkEveryKind(t, b)
		})
	}
}

func checkEveryKind(t *testing.T, b *btf.BTF) {
	t.Helper()
	names := []string{"", "int", "", "", "s", "u", "e", "f", "t", "", "", "", "fn", "", "v", ".data", "double", "tag", "user", "e64"}
	sizes := map[btf.Kind]uint32{btf.KindInt: 4, btf.KindStruct: 16, btf.KindUnion: 8, btf.KindEnum: 4,
		btf.KindDatasec: 16, btf.KindFloat: 8, btf.KindEnum64: 8}
	refs := map[btf.Kind]btf.ID{btf.KindPtr: 4, btf.KindTypedef: 4, btf.KindVolatile: 1, btf.KindConst: 1, btf.KindRestrict: 2,
		btf.KindFunc: 13, btf.KindFuncProto: 1, btf.KindVar: 4, btf.KindDeclTag: 4, btf.KindTypeTag: 4}
	vlens := map[btf.Kind]int{btf.KindStruct: 3, btf.KindUnion: 2, btf.KindEnum: 2, btf.KindFuncProto: 2, btf.KindDatasec: 1, btf.KindEnum64: 1}
	flags := map[btf.Kind]bool{btf.KindStruct: true, btf.KindEnum: true, btf.KindFwd: true}
	for id := range b.End() {
		k := btf.Kind(id)
		got := fmt.Sprint(b.Name(id), b.Size(id), b.Ref(id), b.Vlen(id), b.KindFlag(id))
		want := fmt.Sprint(names[id], sizes[k], refs[k], vlens[k], flags[k])
		if got != want {
			t.Errorf("%v has name, size, ref, vlen, flag %s; expected %s", k, got, want)
		}
	}
	type member struct {
		name         string
		typ          btf.ID
		offset, size uint32
	}
	for i, want := range []member{{"a", 1, 0, 0}, {"b", 1, 37, 5}, {"next", 2, 64, 0}} {
		m := b.Member(4, i)
		if got := (member{b.String(m.NameOff), m.Type, m.BitOffset, m.BitSize}); got != want {
			t.Errorf("member %d is %v, expected %v", i, got, want)
		}
	}
	for what, same := range map[string]bool{
		"anonymous member":   b.Member(5, 1) == btf.Member{Type: 16},
		"int":                b.Int(1) == btf.Int{Encoding: btf.Signed, Bits: 32},
		"array":              b.Array(3) == btf.Array{Elem: 1, Index: 1, Nelems: 7},
		"signed enumerator":  b.Enumerator(6, 0).Value == ^uint64(0) && b.String(b.Enumerator(6, 0).NameOff) == "MINUS",
		"64-bit enumerator":  b.Enumerator(19, 0).Value == 1<<40|7 && b.String(b.Enumerator(19, 0).NameOff) == "BIG",
		"parameter":          b.Param(13, 0).Type == 2 && b.String(b.Param(13, 0).NameOff) == "x",
		"variable arguments": b.Param(13, 1) == btf.Param{},
		"linkages":           b.Linkage(12) == btf.LinkageGlobal && b.Linkage(14) == btf.LinkageExtern,
		"section's variable": b.Secinfo(15, 0) == btf.Secinfo{Type: 14, Offset: 8, Size: 16},
		"component":          b.ComponentIndex(17) == 1,
		"modifiers":          func() bool { id, ok := b.SkipModifiers(18); return ok && id == 4 }(),
		"size of the array":  func() bool { n, ok := b.Sizeof(3, 8); return ok && n == 28 }(),
		"size of a pointer":  func() bool { n, ok := b.Sizeof(11, 8); return ok && n == 8 }(),
	} {
		if !same {
			t.Errorf("%s: not as it was built", what)
		}
	}
}

func TestAnotherKindGivesZero(t *testing.T) {
	b := parse(t, encode(t, everyKind(binary.LittleEndian)))
	for id := range b.End() + 5 {
		k := b.Kind(id)
		for what, ok := range map[string]bool{
			"member":     k.IsComposite() || b.Member(id, 0) == btf.Member{},
			"array":      k == btf.KindArray || b.Array(id) == btf.Array{},
			"int":        k == btf.KindInt || b.Int(id) == btf.Int{},
			"enumerator": k.IsEnum() || b.Enumerator(id, 0) == btf.Enumerator{},
			"parameter":  k == btf.KindFuncProto || b.Param(id, 0) == btf.Param{},
			"variable":   k == btf.KindDatasec || b.Secinfo(id, 0) == btf.Secinfo{},
			"component":  k == btf.KindDeclTag || b.ComponentIndex(id) == 0,
			"linkage":    k == btf.KindFunc || k == btf.KindVar || b.Linkage(id) == 0,
			"past end":   b.Member(id, 3) == btf.Member{} && b.Enumerator(id, 2) == btf.Enumerator{} && b.Param(id, 2) == btf.Param{},
			"negative":   b.Member(id, -1) == btf.Member{} && b.Secinfo(id, -1) == btf.Secinfo{},
		} {
			if !ok {
				t.Errorf("type %d, %v: %s is not zero", id, k, what)
			}
		}
	}
}

func TestSplitOnABase(t *testing.T) {
	for _, order := range orders {
		base := parse(t, encode(t, everyKind(order)))
		w := btf.NewSplitBuilder(base)
		mod := w.Struct("module_only", 8, btf.BuildMember{Name: "list", Type: 2})
		w.Ptr(mod)
		w.Typedef("t", 4) // its name is in both string sections
		raw := encode(t, w)
		b, err := btf.ParseSplit(raw, base)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Validate(); err != nil {
			t.Error(err)
		}
		if mod != 20 || b.Start() != 20 || b.End() != 23 || b.Base() != base {
			t.Errorf("%v: ids [%d, %d) from %d, expected [20, 23)", order, b.Start(), b.End(), mod)
		}
		got := fmt.Sprintln(b.Name(4), b.Name(20), b.String(b.Member(20, 0).NameOff), b.Kind(b.Ref(21)), b.Kind(b.Ref(22)), b.Kind(0), b.Kind(23))
		if want := "s module_only list STRUCT STRUCT VOID INVALID\n"; got != want {
			t.Errorf("%v: %s, expected %s", order, got, want)
		}
		last := base.Name(19)
		if off := base.NameOff(19); b.String(off) != last || b.ValidString(1<<30) {
			t.Errorf("%v: string %d of the base is %q, expected %q", order, off, b.String(off), last)
		}
		accessAll(b)

		// A third on the second: names and ids of all three.
		w = btf.NewSplitBuilder(b)
		w.Const(20)
		third, err := btf.ParseSplit(encode(t, w), b)
		if err != nil {
			t.Fatal(err)
		}
		if third.Name(third.Ref(23)) != "module_only" || third.Name(1) != "int" {
			t.Errorf("%v: third level reads %q and %q", order, third.Name(third.Ref(23)), third.Name(1))
		}
		if _, err := btf.Parse(raw); !errors.Is(err, btf.ErrFormat) {
			t.Errorf("split BTF without its base: %v, expected an error", err)
		}
	}
}

func TestSplitOfAnotherOrder(t *testing.T) {
	base := parse(t, encode(t, everyKind(binary.LittleEndian)))
	_, err := btf.ParseSplit(encode(t, everyKind(binary.BigEndian)), base)
	if !errors.Is(err, btf.ErrFormat) || !strings.Contains(err.Error(), "base is LittleEndian") {
		t.Errorf("%v, expected a complaint about the base's order", err)
	}
}

// withHeader is raw with its header made n bytes long.
func withHeader(raw []byte, order binary.ByteOrder, n int) []byte {
	out := append(slices.Clone(raw[:24]), make([]byte, n-24)...)
	order.PutUint32(out[4:], uint32(n))
	return append(out, raw[24:]...)
}

func TestLongerHeaders(t *testing.T) {
	for _, order := range orders {
		raw := encode(t, everyKind(order))
		for _, n := range []int{24, 28, 32, 100} {
			b := parse(t, withHeader(raw, order, n))
			checkEveryKind(t, b)
		}
	}
}

// patched is raw with a 32-bit word of it replaced.
func patched(raw []byte, at int, v uint32) []byte {
	out := slices.Clone(raw)
	binary.LittleEndian.PutUint32(out[at:], v)
	return out
}

func TestMalformedFrames(t *testing.T) {
	raw := encode(t, everyKind(binary.LittleEndian))
	typeLen := binary.LittleEndian.Uint32(raw[12:])
	strOff, strLen := binary.LittleEndian.Uint32(raw[16:]), binary.LittleEndian.Uint32(raw[20:])
	noLastZero := slices.Clone(raw)
	noLastZero[len(noLastZero)-1] = 'x'
	firstNotEmpty := slices.Clone(raw)
	firstNotEmpty[24+strOff] = 'x'
	cases := map[string]struct {
		raw  []byte
		want string
	}{
		"empty":             {nil, "0 bytes, shorter"},
		"magic":             {patched(raw, 0, 0x01eb9e), "magic"},
		"version":           {patched(raw, 0, 0x0002eb9f), "version 2"},
		"flags":             {patched(raw, 0, 0x0101eb9f), "flags 0x1"},
		"short header":      {patched(raw, 4, 20), "header of 20"},
		"long header":       {patched(raw, 4, uint32(len(raw)+1)), "header of"},
		"huge header":       {patched(raw, 4, 1<<32-1), "header of 4294967295"},
		"odd type offset":   {patched(raw, 8, 2), "not a multiple of 4"},
		"far types":         {patched(raw, 8, 1<<32-4), "outside"},
		"odd type length":   {patched(raw, 12, typeLen-2), "not a multiple of 4"},
		"long types":        {patched(raw, 12, 1<<32-4), "outside"},
		"types in strings":  {patched(raw, 16, strOff-4), "overlaps"},
		"far strings":       {patched(raw, 16, 1<<32-1), "outside"},
		"long strings":      {patched(raw, 20, strLen+1), "outside"},
		"no strings":        {patched(raw, 20, 0), "does not start"},
		"strings not ended": {noLastZero, "does not end"},
		"no empty string":   {firstNotEmpty, "does not start"},
		"cut record":        {patched(raw, 12, typeLen-4), "ENUM64 of 24 bytes, but 20 are left"},
		"cut header":        {patched(raw, 12, typeLen-16), ": cut off"},
		"name past strings": {patched(raw, 24, strLen), "type 1 at offset 0: name at"},
		"kind 0":            {patched(raw, 24+4, 0), "type 1 at offset 0: unknown kind 0"},
		"kind 20":           {patched(raw, 24+16+4, 20<<24), "type 2 at offset 16: unknown kind 20"},
		"kind 127":          {patched(raw, 24+16+4, 127<<24), "unknown kind 127"},
		"huge vlen":         {patched(raw, 24+16+4, 4<<24|0xffffff), "STRUCT of 201326592 bytes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := btf.Parse(c.raw)
			if !errors.Is(err, btf.ErrFormat) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, expected %q in it", err, c.want)
			}
		})
	}
}

// The kernel widened vlen from 16 to 24 bits; both have the same place.
func TestVlenOf24Bits(t *testing.T) {
	const n = 0x012345
	w := btf.NewBuilder(binary.LittleEndian)
	w.Enum("many", 4, false)
	raw := encode(t, w)
	strs := raw[24+12:]
	out := slices.Clone(raw[:24+12])
	for i := range uint32(n) {
		out = binary.LittleEndian.AppendUint32(out, 1)
		out = binary.LittleEndian.AppendUint32(out, i)
	}
	binary.LittleEndian.PutUint32(out[24+4:], uint32(btf.KindEnum)<<24|n)
	binary.LittleEndian.PutUint32(out[12:], 12+8*n)
	binary.LittleEndian.PutUint32(out[16:], 12+8*n)
	b := parse(t, append(out, strs...))
	if b.Vlen(1) != n || b.Enumerator(1, n-1).Value != n-1 || b.Kind(2) != btf.KindInvalid {
		t.Errorf("vlen %#x, last %d; expected %#x", b.Vlen(1), b.Enumerator(1, n-1).Value, n)
	}
}

func TestTruncationAnywhere(t *testing.T) {
	for _, order := range orders {
		raw := encode(t, everyKind(order))
		for n := range raw {
			if _, err := btf.Parse(raw[:n:n]); !errors.Is(err, btf.ErrFormat) {
				t.Errorf("%v: first %d bytes of %d: %v, expected an error", order, n, len(raw), err)
			}
		}
	}
}

func TestFlippedBitsNeverPanic(t *testing.T) {
	names := new(btf.Names)
	names.Add("s", btf.KindStruct)
	for _, order := range orders {
		raw := encode(t, everyKind(order))
		b := new(btf.BTF)
		for bit := range len(raw) * 8 {
			raw[bit/8] ^= 1 << (bit % 8)
			if _, err := b.ResetPick(raw, nil, names, nil); err == nil {
				_ = b.Validate()
			} else if !errors.Is(err, btf.ErrFormat) {
				t.Errorf("bit %d: %v does not wrap ErrFormat", bit, err)
			}
			accessAll(b)
			raw[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// Compilers of old said a bitfield's place in its INT.
func TestLegacyBitfieldInt(t *testing.T) {
	w := btf.NewBuilder(binary.BigEndian)
	old := btf.Int{Encoding: btf.Bool, BitOffset: 3, Bits: 5}
	w.IntBits("unsigned int", 4, old)
	w.Struct("s", 4, btf.BuildMember{Name: "f", Type: 1, BitOffset: 1 << 25})
	b := parse(t, encode(t, w))
	if b.Int(1) != old {
		t.Errorf("%+v, expected %+v", b.Int(1), old)
	}
	if m := b.Member(2, 0); m.BitOffset != 1<<25 || m.BitSize != 0 {
		t.Errorf("member at bit %d of %d bits; without the kind flag all 32 bits are the offset", m.BitOffset, m.BitSize)
	}
}

func TestResetReuses(t *testing.T) {
	little, big := encode(t, everyKind(binary.LittleEndian)), encode(t, everyKind(binary.BigEndian))
	small := btf.NewBuilder(binary.BigEndian)
	small.Int("char", 1, btf.Char)
	smallRaw := encode(t, small)
	base := parse(t, big)
	cut := slices.Clone(big)
	cut[24+4] = 0x7f // the first record's kind
	before := bytes.Clone(big)

	b := new(btf.BTF)
	for range 2 {
		for _, raw := range [][]byte{little, big, smallRaw, big, cut, little, nil, big} {
			err := b.Reset(raw, nil)
			switch {
			case len(raw) == 0 || &raw[0] == &cut[0]:
				if err == nil {
					t.Fatal("malformed BTF was taken")
				}
				if b.End() != 0 || b.Kind(1) != btf.KindInvalid || b.Name(1) != "" {
					t.Errorf("after an error %d types are left", b.End())
				}
				accessAll(b)
			case err != nil:
				t.Fatal(err)
			case &raw[0] == &smallRaw[0]:
				if b.End() != 2 || b.Name(1) != "char" {
					t.Errorf("%d types, the first %q; expected char alone", b.End()-1, b.Name(1))
				}
			default:
				checkEveryKind(t, b)
			}
		}
		if err := b.Reset(encode(t, btf.NewSplitBuilder(base)), base); err != nil || b.Start() != 20 || b.End() != 20 {
			t.Errorf("empty split BTF: %v, ids [%d, %d)", err, b.Start(), b.End())
		}
	}
	if !bytes.Equal(big, before) {
		t.Error("the blob was written to")
	}
}
