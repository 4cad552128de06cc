package dwarftest

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// build makes a BTF of what add adds.
func build(t *testing.T, add func(w *btf.Builder)) *btf.BTF {
	t.Helper()
	w := btf.NewBuilder(binary.LittleEndian)
	add(w)
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// base adds the types that the cases share, from id 1 on: int, struct inner { int v; }, struct node { struct node *next; struct inner in; }.
func base(w *btf.Builder) (integer, inner, node btf.ID) {
	integer = w.Int("int", 4, btf.Signed)
	inner = w.Struct("inner", 4, btf.BuildMember{Name: "v", Type: integer})
	node = w.Struct("node", 16, btf.BuildMember{Name: "next", Type: 4}, btf.BuildMember{Name: "in", Type: inner, BitOffset: 64})
	w.Ptr(node)
	return integer, inner, node
}

// Every change of a record is a difference; each case begins with what base adds.
func TestCompareFindsEachChange(t *testing.T) {
	member := func(name string, of btf.ID, at, bits uint32) btf.BuildMember {
		return btf.BuildMember{Name: name, Type: of, BitOffset: at, BitSize: bits}
	}
	for name, variants := range map[string][]func(w *btf.Builder){
		"int": {
			func(w *btf.Builder) { w.Int("x", 4, 0) }, func(w *btf.Builder) { w.Int("y", 4, 0) }, func(w *btf.Builder) { w.Int("x", 8, 0) },
			func(w *btf.Builder) { w.Int("x", 4, btf.Signed) }, func(w *btf.Builder) { w.IntBits("x", 4, btf.Int{Bits: 3}) },
		},
		"struct": {
			func(w *btf.Builder) { w.Struct("s", 8, member("a", 1, 0, 0)) }, func(w *btf.Builder) { w.Struct("s", 12, member("a", 1, 0, 0)) },
			func(w *btf.Builder) { w.Struct("s", 8, member("b", 1, 0, 0)) }, func(w *btf.Builder) { w.Struct("s", 8, member("a", 1, 32, 0)) },
			func(w *btf.Builder) { w.Struct("s", 8, member("a", 1, 0, 3)) }, func(w *btf.Builder) { w.Struct("s", 8, member("a", 2, 0, 0)) },
			func(w *btf.Builder) { w.Union("s", 8, member("a", 1, 0, 0)) }, func(w *btf.Builder) { w.Struct("s", 8) },
			func(w *btf.Builder) { w.Struct("s", 8, member("a", 4, 0, 0)) }, func(w *btf.Builder) { w.Struct("t", 8, member("a", 1, 0, 0)) },
		},
		"enum": {
			func(w *btf.Builder) { w.Enum("e", 4, false, btf.BuildEnumerator{Name: "A", Value: 1}) },
			func(w *btf.Builder) { w.Enum("e", 4, true, btf.BuildEnumerator{Name: "A", Value: 1}) },
			func(w *btf.Builder) { w.Enum("e", 1, false, btf.BuildEnumerator{Name: "A", Value: 1}) },
			func(w *btf.Builder) { w.Enum("e", 4, false, btf.BuildEnumerator{Name: "B", Value: 1}) },
			func(w *btf.Builder) { w.Enum("e", 4, false, btf.BuildEnumerator{Name: "A", Value: 2}) },
			func(w *btf.Builder) { w.Enum64("e", 8, false, btf.BuildEnumerator{Name: "A", Value: 1}) },
			func(w *btf.Builder) { w.Enum64("e", 8, false, btf.BuildEnumerator{Name: "A", Value: 1 + 1<<32}) },
		},
		"reference": {
			func(w *btf.Builder) { w.Ptr(1) }, func(w *btf.Builder) { w.Ptr(2) }, func(w *btf.Builder) { w.Ptr(4) }, func(w *btf.Builder) { w.Ptr(0) },
			func(w *btf.Builder) { w.Const(1) }, func(w *btf.Builder) { w.Volatile(1) }, func(w *btf.Builder) { w.Restrict(1) },
			func(w *btf.Builder) { w.Typedef("t", 1) }, func(w *btf.Builder) { w.Typedef("u", 1) }, func(w *btf.Builder) { w.TypeTag("t", 1) },
			func(w *btf.Builder) { w.Array(1, 1, 3) }, func(w *btf.Builder) { w.Array(1, 1, 4) }, func(w *btf.Builder) { w.Array(2, 1, 3) },
			func(w *btf.Builder) { w.Fwd("f", false) }, func(w *btf.Builder) { w.Fwd("f", true) },
			func(w *btf.Builder) { w.Float("f", 4) }, func(w *btf.Builder) { w.Float("f", 8) },
		},
		"prototype": {
			func(w *btf.Builder) { w.FuncProto(0) }, func(w *btf.Builder) { w.FuncProto(1) }, func(w *btf.Builder) { w.FuncProto(0, btf.BuildParam{Type: 1}) },
			func(w *btf.Builder) { w.FuncProto(0, btf.BuildParam{}) }, func(w *btf.Builder) { w.FuncProto(0, btf.BuildParam{Name: "a", Type: 1}) },
		},
	} {
		for i := range variants {
			for k := range variants {
				two := Two{Names: [2]string{"one", "other"}}
				for side, variant := range []func(w *btf.Builder){variants[i], variants[k]} {
					two.BTF[side] = build(t, func(w *btf.Builder) {
						base(w)
						variant(w)
					})
				}
				_, differences, err := NewJudge().Compare(two)
				if err != nil {
					t.Fatal(err)
				}
				if (len(differences) == 0) != (i == k) {
					t.Errorf("%s %d and %d: differences %v", name, i, k, differences)
				}
			}
		}
	}
}

// Order and ids do not count.
func TestCompareForgivesOrder(t *testing.T) {
	a := build(t, func(w *btf.Builder) { base(w) })
	b := build(t, func(w *btf.Builder) {
		w.Struct("node", 16, btf.BuildMember{Name: "next", Type: 2}, btf.BuildMember{Name: "in", Type: 4, BitOffset: 64})
		w.Ptr(1)
		w.Int("int", 4, btf.Signed)
		w.Struct("inner", 4, btf.BuildMember{Name: "v", Type: 3})
	})
	kinds, differences, err := NewJudge().Compare(Two{BTF: [2]*btf.BTF{a, b}})
	if err != nil || len(differences) > 0 {
		t.Errorf("%v, %v", differences, err)
	}
	if kinds[btf.KindStruct] != 2 || kinds[btf.KindInt] != 1 || kinds[btf.KindPtr] != 1 {
		t.Errorf("counted %v", kinds)
	}
}

// A struct that is embedded counts with all that is in it, however deep; behind a pointer its name counts.
func TestCompareSeesWhatIsEmbedded(t *testing.T) {
	outer := func(word string, wrap func(w *btf.Builder, inner btf.ID) btf.ID) *btf.BTF {
		return build(t, func(w *btf.Builder) {
			base(w)
			inner := w.Struct("twice", 4, btf.BuildMember{Name: word, Type: 1})
			w.Struct("outer", 4, btf.BuildMember{Name: "m", Type: wrap(w, inner)})
		})
	}
	embed := func(w *btf.Builder, inner btf.ID) btf.ID { return w.Const(w.Typedef("td", inner)) }
	point := func(w *btf.Builder, inner btf.ID) btf.ID { return w.Ptr(w.Const(inner)) }
	for name, test := range map[string]struct {
		wrap   func(w *btf.Builder, inner btf.ID) btf.ID
		within bool
	}{"embedded": {embed, true}, "behind a pointer": {point, false}} {
		_, differences, err := NewJudge().Compare(Two{BTF: [2]*btf.BTF{outer("a", test.wrap), outer("b", test.wrap)}})
		if err != nil {
			t.Fatal(err)
		}
		within := false
		for _, d := range differences {
			within = within || d.Name == "outer" && d.Within
		}
		if within != test.within || len(differences) < 2 || differences[0].Name != "twice" || differences[0].Within {
			t.Errorf("%s: %v", name, differences)
		}
	}
}

// One type too many is a difference though there is no new one.
func TestCompareCounts(t *testing.T) {
	one := build(t, func(w *btf.Builder) { base(w) })
	two := build(t, func(w *btf.Builder) { base(w); w.Int("int", 4, btf.Signed) })
	_, differences, err := NewJudge().Compare(Two{Names: [2]string{"one", "two"}, BTF: [2]*btf.BTF{one, two}})
	if err != nil || len(differences) != 1 || differences[0].String() != `INT "int": 1 in one, 2 in two: int int: 4 bytes signed` {
		t.Errorf("%v, %v", differences, err)
	}
}

// A declaration and the struct are two types, also behind a pointer.
func TestCompareForward(t *testing.T) {
	full := build(t, func(w *btf.Builder) { base(w); w.Ptr(w.Struct("s", 4)) })
	forward := build(t, func(w *btf.Builder) { base(w); w.Ptr(w.Fwd("s", false)) })
	if _, differences, err := NewJudge().Compare(Two{BTF: [2]*btf.BTF{full, forward}}); err != nil || len(differences) != 4 {
		t.Errorf("%v, %v", differences, err)
	}
}

// Types that contain themselves without end are an error.
func TestCompareEndless(t *testing.T) {
	bad := build(t, func(w *btf.Builder) { w.Typedef("a", 2); w.Typedef("b", 1) })
	if _, _, err := NewJudge().Compare(Two{BTF: [2]*btf.BTF{bad, bad}}); err == nil {
		t.Error("no error")
	}
}

func TestTypesOnly(t *testing.T) {
	plain := build(t, func(w *btf.Builder) { base(w); w.Ptr(w.FuncProto(1)) })
	functions := build(t, func(w *btf.Builder) {
		integer, _, _ := base(w)
		shared := w.FuncProto(integer)
		w.Ptr(shared)
		w.Func("f", shared, btf.LinkageStatic)
		w.Func("g", w.FuncProto(integer, btf.BuildParam{Name: "a", Type: integer}), btf.LinkageStatic)
		v := w.Var("v", integer, btf.LinkageGlobal)
		w.Datasec(".data", 4, btf.BuildSecinfo{Type: v, Size: 4})
	})
	two := Two{BTF: [2]*btf.BTF{plain, functions}}
	if _, differences, err := NewJudge().Compare(two); err != nil || len(differences) != 5 {
		t.Errorf("all types: %v, %v", differences, err)
	}
	two.Of = TypesOnly()
	if _, differences, err := NewJudge().Compare(two); err != nil || len(differences) != 0 {
		t.Errorf("types only: %v, %v", differences, err)
	}
}

func TestText(t *testing.T) {
	var ids []btf.ID
	b := build(t, func(w *btf.Builder) {
		integer, inner, _ := base(w)
		character := w.Int("char", 1, btf.Signed)
		word := w.Ptr(w.Const(character))
		callback := w.Ptr(w.FuncProto(integer, btf.BuildParam{Name: "format", Type: word}, btf.BuildParam{}))
		nameless := w.Union(""+"", 4, btf.BuildMember{Name: "a", Type: integer}, btf.BuildMember{Name: "b", Type: inner})
		ids = []btf.ID{
			w.Struct("all", 40,
				btf.BuildMember{Name: "call", Type: callback}, btf.BuildMember{Type: nameless, BitOffset: 64},
				btf.BuildMember{Name: "low", Type: integer, BitOffset: 99, BitSize: 5}, btf.BuildMember{Name: "list", Type: w.Array(word, integer, 3), BitOffset: 128}),
			w.Ptr(w.Array(integer, integer, 2)),
			w.Const(w.Volatile(w.Ptr(w.Const(w.Volatile(integer))))),
			w.Typedef("handler", callback),
			w.Enum("sign", 1, true, btf.BuildEnumerator{Name: "MINUS", Value: ^uint64(0)}),
			w.FuncProto(0),
			w.Fwd("later", true),
		}
	})
	for i, want := range []string{
		"struct all { int (*call)(const char *format, ...) @0; union { int a @0; struct inner b @0; } 4 @8; int low : 5 @12.3; const char *list[3] @16; } 40",
		"int (*)[2]",
		"const volatile int *volatile const",
		"typedef int (*handler)(const char *format, ...)",
		"enum sign { MINUS = -1, } 1 signed",
		"void (void)",
		"forward union later",
	} {
		if got := Text(b, ids[i]); got != want && strings.TrimSpace(got) != want {
			t.Errorf("type %d:\n got %s\nwant %s", i, got, want)
		}
	}
}
