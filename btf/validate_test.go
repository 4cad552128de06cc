package btf_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

func TestValidateRefuses(t *testing.T) {
	// Each builds one wrong type 1 on the int of type 2.
	cases := map[string]struct {
		build func(w *btf.Builder)
		want  string
	}{
		"pointer":         {func(w *btf.Builder) { w.Ptr(9) }, "PTR of type 9, but there are 3"},
		"typedef":         {func(w *btf.Builder) { w.Typedef("t", 9) }, "TYPEDEF of type 9"},
		"const":           {func(w *btf.Builder) { w.Const(9) }, "CONST of type 9"},
		"volatile":        {func(w *btf.Builder) { w.Volatile(9) }, "VOLATILE of type 9"},
		"restrict":        {func(w *btf.Builder) { w.Restrict(9) }, "RESTRICT of type 9"},
		"variable":        {func(w *btf.Builder) { w.Var("v", 9, 0) }, "VAR of type 9"},
		"declaration tag": {func(w *btf.Builder) { w.DeclTag("d", 9, -1) }, "DECL_TAG of type 9"},
		"type tag":        {func(w *btf.Builder) { w.TypeTag("d", 1<<32-1) }, "TYPE_TAG of type 4294967295"},
		"return":          {func(w *btf.Builder) { w.FuncProto(9) }, "FUNC_PROTO of type 9"},
		"parameter": {func(w *btf.Builder) { w.FuncProto(0, btf.BuildParam{}, btf.BuildParam{Type: 3}) },
			"parameter 1 is of type 3, but there are 3"},
		"element": {func(w *btf.Builder) { w.Array(9, 2, 1) }, "ARRAY's element 0 is of type 9"},
		"index":   {func(w *btf.Builder) { w.Array(2, 9, 1) }, "ARRAY's index 0 is of type 9"},
		"member": {func(w *btf.Builder) { w.Struct("s", 4, btf.BuildMember{Type: 2}, btf.BuildMember{Type: 9}) },
			"STRUCT's member 1 is of type 9"},
		"section":          {func(w *btf.Builder) { w.Datasec("s", 4, btf.BuildSecinfo{Type: 9}) }, "variable 0 is of type 9"},
		"function of void": {func(w *btf.Builder) { w.Func("f", 0, 0) }, "FUNC of a VOID"},
		"function of int":  {func(w *btf.Builder) { w.Func("f", 2, 0) }, "FUNC of a INT"},
		"int of no size":   {func(w *btf.Builder) { w.Int("i", 0, 0) }, "INT of 0 bits at bit 0 in 0 bytes"},
		"int of 17 bytes":  {func(w *btf.Builder) { w.Int("i", 17, 0) }, "in 17 bytes"},
		"int's bits":       {func(w *btf.Builder) { w.IntBits("i", 4, btf.Int{BitOffset: 8, Bits: 25}) }, "25 bits at bit 8 in 4 bytes"},
		"enum of 3 bytes":  {func(w *btf.Builder) { w.Enum("e", 3, false) }, "ENUM of 3 bytes"},
		"enum of no size":  {func(w *btf.Builder) { w.Enum64("e", 0, false) }, "ENUM64 of 0 bytes"},
		"enum of 16 bytes": {func(w *btf.Builder) { w.Enum64("e", 16, false) }, "ENUM64 of 16 bytes"},
		"member past end": {func(w *btf.Builder) { w.Struct("s", 4, btf.BuildMember{Type: 2, BitOffset: 33}) },
			"STRUCT's member 0 at bit 33, past its 4 bytes"},
		"itself":         {func(w *btf.Builder) { w.Struct("s", 4, btf.BuildMember{Type: 1}) }, "STRUCT contains itself"},
		"its own array":  {func(w *btf.Builder) { w.Array(1, 2, 1) }, "ARRAY contains itself"},
		"typedef's self": {func(w *btf.Builder) { w.Typedef("t", 1) }, "TYPEDEF contains itself"},
		"variable's own": {func(w *btf.Builder) { w.Var("v", 1, 0) }, "VAR contains itself"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := btf.NewBuilder(binary.LittleEndian)
			c.build(w)
			w.Int("int", 4, btf.Signed)
			err := parse(t, encode(t, w)).Validate()
			if !errors.Is(err, btf.ErrFormat) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "type 1: ") {
				t.Errorf("%v, expected %q in it", err, c.want)
			}
		})
	}
}

func TestValidateRefusesNamesOfItems(t *testing.T) {
	const item = 24 + 12 // the first item's name, of type 1
	for what, build := range map[string]func(w *btf.Builder){
		"STRUCT's member 0":        func(w *btf.Builder) { w.Struct("s", 4, btf.BuildMember{}) },
		"UNION's member 0":         func(w *btf.Builder) { w.Union("s", 4, btf.BuildMember{}) },
		"ENUM's enumerator 0":      func(w *btf.Builder) { w.Enum("s", 4, false, btf.BuildEnumerator{}) },
		"ENUM64's enumerator 0":    func(w *btf.Builder) { w.Enum64("s", 8, false, btf.BuildEnumerator{}) },
		"FUNC_PROTO's parameter 0": func(w *btf.Builder) { w.FuncProto(0, btf.BuildParam{}) },
	} {
		w := btf.NewBuilder(binary.LittleEndian)
		build(w)
		raw := encode(t, w)
		size := binary.LittleEndian.Uint32(raw[20:])
		err := parse(t, patched(raw, item, size)).Validate()
		if !errors.Is(err, btf.ErrFormat) || !strings.Contains(err.Error(), what+" has its name at") {
			t.Errorf("%s: %v, expected a complaint about its name", what, err)
		}
		if err := parse(t, patched(raw, item, size-1)).Validate(); err != nil {
			t.Errorf("%s: %v, though its name is the last string", what, err)
		}
	}
}

func TestValidateSplit(t *testing.T) {
	base := parse(t, encode(t, everyKind(binary.LittleEndian)))
	for ref, valid := range map[btf.ID]bool{0: true, 4: true, 19: true, 20: false, 21: false} {
		w := btf.NewSplitBuilder(base)
		w.Typedef("t", ref) // is type 20
		b, err := btf.ParseSplit(encode(t, w), base)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Validate(); (err == nil) != valid {
			t.Errorf("typedef of type %d: %v, expected valid: %v", ref, err, valid)
		}
	}
}

func TestValidateLoops(t *testing.T) {
	member := func(id btf.ID) btf.BuildMember { return btf.BuildMember{Type: id} }
	cases := map[string]struct {
		build func(w *btf.Builder)
		valid bool
	}{
		"two structs by value": {func(w *btf.Builder) {
			w.Struct("a", 4, member(0), member(2))
			w.Struct("b", 4, member(1))
		}, false},
		"struct, const, array, typedef, union": {func(w *btf.Builder) {
			w.Struct("a", 4, member(2))
			w.Const(3)
			w.Array(4, 4, 1)
			w.Typedef("t", 5)
			w.Union("u", 4, member(1))
		}, false},
		"modifiers alone": {func(w *btf.Builder) {
			w.Volatile(2)
			w.Restrict(3)
			w.TypeTag("user", 1)
		}, false},
		"behind the first types": {func(w *btf.Builder) {
			w.Struct("fine", 4, member(0), member(0))
			w.Struct("outer", 4, member(1), member(3))
			w.Struct("loop", 4, member(1), member(3))
		}, false},
		"list_head": {func(w *btf.Builder) {
			w.Struct("list_head", 16, member(2), member(2))
			w.Ptr(1)
		}, true},
		"through a prototype": {func(w *btf.Builder) {
			w.Struct("ops", 8, member(2))
			w.Ptr(3)
			w.FuncProto(1, btf.BuildParam{Type: 1})
		}, true},
		"shared, not looped": {func(w *btf.Builder) {
			w.Struct("a", 8, member(2), member(2), member(3))
			w.Struct("b", 4, member(3))
			w.Struct("c", 4)
		}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := btf.NewBuilder(binary.LittleEndian)
			c.build(w)
			err := parse(t, encode(t, w)).Validate()
			if (err == nil) != c.valid || err != nil && !strings.Contains(err.Error(), "contains itself") {
				t.Errorf("%v, expected valid: %v", err, c.valid)
			}
		})
	}
}

// A million types one in the other: a stack of that depth or a walk from each
// to the end would not come back in time.
func TestValidateDeepNesting(t *testing.T) {
	const depth = 1_000_000
	links := map[string]func(w *btf.Builder, to btf.ID){
		"typedef and const": func(w *btf.Builder, to btf.ID) {
			if to%2 == 0 {
				w.Typedef("t", to)
			} else {
				w.Const(to)
			}
		},
		"array": func(w *btf.Builder, to btf.ID) { w.Array(to, 0, 1) },
		"struct": func(w *btf.Builder, to btf.ID) {
			w.Struct("s", 1, btf.BuildMember{Type: to}, btf.BuildMember{Type: to})
		},
	}
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			ends := []btf.ID{0} // void
			if name == "struct" {
				ends = append(ends, 1) // the first again
			}
			for _, last := range ends {
				w := btf.NewBuilder(binary.LittleEndian)
				for i := range btf.ID(depth - 1) {
					link(w, i+2)
				}
				link(w, last)
				b := parse(t, encode(t, w))
				err := b.Validate()
				if (err == nil) != (last == 0) {
					t.Errorf("chain that ends at type %d: %v", last, err)
				}
				if id, ok := b.SkipModifiers(1); ok && name == "typedef and const" {
					t.Errorf("the end of a chain of %d modifiers is %d", depth, id)
				}
				if size, ok := b.Sizeof(1, 8); ok && name == "array" {
					t.Errorf("the size of %d nested arrays is %d", depth, size)
				}
			}
		})
	}
}

func TestSizeof(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.Struct("s", 1<<32-1)
	w.Array(1, 0, 1<<32-1)
	w.Array(2, 0, 2)
	w.Array(5, 0, 6)
	w.Array(6, 0, 7)
	w.Const(7)
	w.Ptr(0)
	w.Fwd("f", false)
	w.FuncProto(0)
	w.Array(3, 0, 0)
	type size struct {
		bytes uint64
		ok    bool
	}
	b := parse(t, encode(t, w))
	for id, want := range []size{
		0: {}, 1: {1<<32 - 1, true}, 2: {(1<<32 - 1) * (1<<32 - 1), true}, 3: {},
		4: {6 * 7 * 4, true}, 5: {7 * 4, true}, 6: {4, true}, 7: {4, true}, 8: {}, 9: {}, 10: {0, true}, 11: {},
	} {
		if n, ok := b.Sizeof(btf.ID(id), 4); n != want.bytes || ok != want.ok {
			t.Errorf("type %d, %v: %d, %v; expected %v", id, b.Kind(btf.ID(id)), n, ok, want)
		}
	}
}
