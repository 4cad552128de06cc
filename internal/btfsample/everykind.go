package btfsample

import "github.com/btfgen/btfgen/btf"

// EveryKind adds types of every kind with every form that dumps tell apart,
// their names after a prefix.
func EveryKind(w *btf.Builder, prefix string) {
	name := func(s string) string { return prefix + s }
	i32 := w.Int(name("int"), 4, btf.Signed)
	w.Int(name("unsigned int"), 4, 0)
	w.Int(name("_Bool"), 1, btf.Bool)
	w.Int(name("char"), 1, btf.Char)
	w.Int(name("odd"), 1, btf.Signed|btf.Char)
	w.Int("", 4, 0)
	w.IntBits(name("three"), 4, btf.Int{BitOffset: 5, Bits: 3})
	w.Int(name("unsigned __int128"), 16, 0)
	w.Ptr(0)
	ptr := w.Ptr(i32)
	w.Array(i32, i32, 16)
	w.Array(i32, i32, 0xffffffff)
	w.Struct(name("plain"), 8, btf.BuildMember{Name: "a", Type: i32}, btf.BuildMember{Name: "b", Type: i32, BitOffset: 32})
	w.Struct(name("bits"), 4, btf.BuildMember{Name: "a", Type: i32, BitSize: 3},
		btf.BuildMember{Name: "b", Type: i32, BitOffset: 3, BitSize: 29}, btf.BuildMember{Name: "", Type: i32, BitOffset: 8})
	w.Struct("", 0)
	w.Union(name("either"), 8, btf.BuildMember{Name: "a", Type: i32}, btf.BuildMember{Name: "p", Type: ptr})
	w.Union("", 4, btf.BuildMember{Type: i32})
	w.Enum(name("unsigned_values"), 4, false, btf.BuildEnumerator{Name: "A", Value: 1}, btf.BuildEnumerator{Name: "B", Value: 0xffffffff})
	w.Enum(name("signed_values"), 4, true, btf.BuildEnumerator{Name: "C", Value: ^uint64(6)})
	w.Enum("", 1, false, btf.BuildEnumerator{Name: "D", Value: 200})
	w.Enum(name("no_values"), 4, false)
	w.Enum64(name("wide"), 8, false, btf.BuildEnumerator{Name: "E", Value: 1<<64 - 1})
	w.Enum64(name("wide_signed"), 8, true, btf.BuildEnumerator{Name: "F", Value: 1 << 63}, btf.BuildEnumerator{Name: "G", Value: 5})
	w.Fwd(name("later"), false)
	w.Fwd(name("later_union"), true)
	w.Typedef(name("number"), i32)
	w.Volatile(i32)
	w.Const(i32)
	w.Restrict(ptr)
	proto := w.FuncProto(i32, btf.BuildParam{Name: "a", Type: i32}, btf.BuildParam{Type: ptr}, btf.BuildParam{})
	w.FuncProto(0)
	w.Func(name("hidden"), proto, btf.LinkageStatic)
	w.Func(name("shared"), proto, btf.LinkageGlobal)
	w.Func(name("elsewhere"), proto, btf.LinkageExtern)
	w.Func(name("strange"), proto, 9)
	v := w.Var(name("v"), i32, btf.LinkageStatic)
	g := w.Var(name("g"), i32, btf.LinkageGlobal)
	w.Var(name("x"), i32, btf.LinkageExtern)
	w.Var(name("y"), i32, 7)
	w.Datasec(name(".data"), 8, btf.BuildSecinfo{Type: v, Size: 4}, btf.BuildSecinfo{Type: g, Offset: 4, Size: 4})
	w.Datasec(name(".odd"), 0, btf.BuildSecinfo{Type: i32, Size: 4}, btf.BuildSecinfo{Type: 0}, btf.BuildSecinfo{Type: proto})
	w.Float(name("double"), 8)
	w.DeclTag(name("tag"), i32, -1)
	w.DeclTag(name("tag of a parameter"), proto, 1)
	tag := w.TypeTag(name("user"), i32)
	w.Ptr(tag)
	// No backslash: bpftool's JSON has a line feed in its place.
	w.Typedef(name(`quote " tab	done`), i32)
}
