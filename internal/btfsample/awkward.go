package btfsample

import "github.com/btfgen/btfgen/btf"

// Awkward adds types that are hard to say in C, all of which C can say.
func Awkward(w *btf.Builder) {
	member := func(name string, id btf.ID, at uint32) btf.BuildMember {
		return btf.BuildMember{Name: name, Type: id, BitOffset: at}
	}
	bits := func(name string, id btf.ID, at, size uint32) btf.BuildMember {
		return btf.BuildMember{Name: name, Type: id, BitOffset: at, BitSize: size}
	}
	i8, i16 := w.Int("unsigned char", 1, 0), w.Int("short", 2, btf.Signed)
	i32, i64 := w.Int("int", 4, btf.Signed), w.Int("unsigned long", 8, 0)
	odd, pi := w.Int("u24", 3, 0), w.Ptr(i32)

	// Padding: between members, behind them, in a union, of a whole struct.
	w.Struct("gaps", 200, member("a", i8, 0), member("b", i32, 128), member("c", i16, 648))
	w.Struct("gap_of_bytes", 7, member("a", i8, 8), member("b", i8, 40))
	w.Struct("large_gap", 1<<20, member("a", i64, 0), member("b", i64, 1<<22))
	w.Struct("emptied", 24)
	w.Union("larger", 24, member("a", i32, 0))
	w.Union("larger_packed", 7, member("a", i32, 0))

	// Packed in each of the ways that it shows.
	packed := w.Struct("packed_offset", 5, member("a", i8, 0), member("b", i32, 8))
	w.Struct("packed_size", 6, member("a", i32, 0), member("b", i16, 32))
	w.Struct("holds_packed", 16, member("a", i16, 0), member("p", packed, 16), member("b", i64, 64))
	w.Struct("packed_bits", 3, bits("a", i32, 0, 20), bits("b", i32, 20, 4))

	// Bitfields: next to each other, with gaps, a new unit, straddling.
	w.Struct("bits", 16, bits("a", i32, 0, 3), bits("b", i32, 3, 5), bits("c", i32, 9, 7), bits("d", i32, 32, 1),
		bits("e", i64, 64, 40), member("f", i8, 104))
	w.Struct("bits_after_member", 4, member("a", i8, 0), bits("b", i32, 8, 24))
	w.Struct("straddling", 8, bits("a", i32, 0, 30), bits("b", i32, 30, 8), member("c", i8, 40))
	w.Union("bits_in_union", 4, bits("a", i32, 0, 3), bits("b", i32, 0, 31))
	old := w.IntBits("unsigned int", 4, btf.Int{Bits: 3})
	w.Struct("old_bits", 4, member("a", old, 0), member("b", old, 3), member("c", i16, 16))

	// Arrays: flexible ones, of pointers to functions, pointers to them.
	flexible := w.Array(i32, i32, 0)
	proto := w.FuncProto(i32, btf.BuildParam{Type: i32}, btf.BuildParam{Type: pi}, btf.BuildParam{})
	noArgs := w.FuncProto(0)
	pf, pn := w.Ptr(proto), w.Ptr(noArgs)
	table := w.Array(pf, i32, 4)
	getter := w.Ptr(w.FuncProto(pn, btf.BuildParam{Type: w.Ptr(table)}))
	ca := w.Const(w.Array(i8, i32, 8))
	w.Struct("arrays", 56, member("a", table, 0), member("b", getter, 256), member("c", w.Ptr(w.Array(w.Array(pi, i32, 3), i32, 2)), 320),
		member("d", ca, 384), member("e", flexible, 448))
	w.Struct("flexible_then_padding", 8, member("a", i16, 0), member("data", w.Array(i8, i32, 0), 16), member("b", i8, 48))
	w.Struct("odd_integers", 8, member("a", odd, 0), member("b", odd, 24))

	// Qualifiers on every side of a pointer.
	w.Struct("qualified", 32, member("a", w.Const(w.Ptr(w.Const(i32))), 0), member("b", w.Restrict(w.Ptr(w.Volatile(i8))), 64),
		member("c", w.Const(w.Volatile(i64)), 128), member("d", w.Ptr(w.Const(0)), 192))

	// Used before it is defined, by value and in a loop; typedefs of a struct
	// in which they occur; members without a name, nested; equal names.
	late := btf.ID(w.Len() + 2)
	w.Struct("early", 16, member("v", late, 0), member("next", late+1, 64))
	w.Struct("late", 8, member("v", i64, 0))
	w.Ptr(late - 1)
	alias := btf.ID(w.Len() + 3)
	w.Struct("aliased", 16, member("next", alias-1, 0), member("call", alias+2, 64))
	w.Ptr(alias)
	w.Typedef("aliased_t", alias-2)
	w.FuncProto(0, btf.BuildParam{Type: alias}, btf.BuildParam{Type: alias - 1})
	w.Ptr(alias + 1)
	inner := w.Struct("", 8, member("x", i32, 0), member("y", i32, 32))
	middle := w.Union("", 8, member("", inner, 0), member("z", i64, 0))
	w.Struct("nameless", 24, member("a", i64, 0), member("", middle, 64), member("", w.Const(w.Union("", 8, member("u", i64, 0))), 128))
	w.Struct("twice", 4, member("a", i32, 0))
	w.Union("twice", 8, member("a", i64, 0))
	w.Struct("twice___2", 8, member("own", i64, 0))
	w.Struct("points_to_fwd", 16, member("a", w.Ptr(w.Fwd("nowhere", false)), 0), member("b", w.Ptr(w.Fwd("twice", true)), 64))

	// Enums of every size, of values at every edge, equal enumerators.
	value := func(name string, v uint64) btf.BuildEnumerator { return btf.BuildEnumerator{Name: name, Value: v} }
	e1 := w.Enum("byte", 1, false, value("A", 0), value("B", 255))
	e2 := w.Enum("half", 2, true, value("A", 1), value("C", ^uint64(0)))
	w.Enum("word", 4, false, value("D", 0xffffffff))
	w.Enum("signed_word", 4, true, value("E", 1<<64-1<<31), value("F", 1<<31-1))
	w.Enum64("wide", 8, false, value("G", 1<<64-1))
	w.Enum64("wide_signed", 8, true, value("H", 1<<63), value("I", 1<<63-1))
	w.Enum64("wide_small", 8, false, value("J", 1))
	w.Enum("none", 4, false)
	w.Struct("enums", 8, member("a", e1, 0), member("b", e2, 16), member("c", w.Enum("", 4, false, value("K", 1)), 32))
}
