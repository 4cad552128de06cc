package btfsample

import "github.com/btfgen/btfgen/btf"

// Unsayable adds types that are valid BTF and that C has no way to say as they
// are: from other languages, from generators, from hostile hands.
func Unsayable(w *btf.Builder) {
	member := func(name string, id btf.ID, at uint32) btf.BuildMember {
		return btf.BuildMember{Name: name, Type: id, BitOffset: at}
	}
	next := func() btf.ID { return btf.ID(w.Len() + 1) }
	i8, i32, i64 := w.Int("unsigned char", 1, 0), w.Int("int", 4, btf.Signed), w.Int("long", 8, btf.Signed)

	// Names: of other languages, of C's own, of compilers.
	w.Struct("core::option::Option<u8>", 2, member("0", i8, 0), member("__0", w.Int("u8", 1, 0), 8))
	w.Struct("int", 4, member("int", i32, 0), member("for", i32, 0))
	w.Struct("core__option__Option_u8_", 1, member("clash", i8, 0))
	w.Typedef("__builtin_va_list", w.Array(w.Struct("__va_list_tag", 4, member("gp", i32, 0)), i32, 1))
	w.Typedef("bool", w.Int("_Bool", 1, btf.Bool))
	w.Enum("", 4, false, btf.BuildEnumerator{Name: "false"}, btf.BuildEnumerator{Name: "true", Value: 1})
	w.Typedef("u8", i8) // the INT has taken the name

	// Integers and floats that C does not have, or not of this size.
	w.Struct("numbers", 64, member("a", w.Int("", 4, 0), 0), member("b", w.Int("int", 8, btf.Signed), 64),
		member("c", w.Float("long double", 16), 128), member("d", w.Float("_Float16", 2), 256),
		member("e", w.IntBits("odd", 3, btf.Int{Bits: 17}), 272), member("f", w.Float("float", 4), 320))

	// Recursion without a name to break it.
	nameless := next()
	w.Struct("", 8, member("self", nameless+1, 0))
	w.Ptr(nameless)
	w.Struct("holds_nameless", 8, member("first", nameless, 0))
	loop := next()
	w.Typedef("callback_t", loop+1)
	w.Ptr(loop + 2)
	w.FuncProto(0, btf.BuildParam{Name: "self", Type: loop}, btf.BuildParam{Name: "arg", Type: loop + 3})
	w.Typedef("argument_t", loop+4)
	w.Struct("", 8, member("call", loop, 0))
	array := next()
	w.Struct("array_of_itself", 8, member("p", array+1, 0))
	w.Ptr(array + 2)
	w.Array(array, i32, 4)

	// Types that no value can have, where a value is.
	fwd := w.Fwd("never", false)
	void := w.Typedef("nothing", 0)
	w.Struct("no_values", 32, member("a", fwd, 0), member("b", void, 64), member("c", w.FuncProto(0), 128),
		member("d", w.Array(fwd, i32, 3), 192), member("e", w.Enum("no_enumerators", 4, false), 224))
	w.Typedef("takes_nothing", w.Ptr(w.FuncProto(w.Array(i32, i32, 2), btf.BuildParam{Name: "a", Type: void},
		btf.BuildParam{Name: "int", Type: w.Const(0)}, btf.BuildParam{Name: "last"})))
	w.Typedef("variadic", w.FuncProto(i32, btf.BuildParam{}))
	w.Struct("restricted", 8, member("a", w.Restrict(i64), 0))

	// Members on top of one another, and a union whose members do not start
	// with it.
	w.Struct("overlapping", 16, member("a", i64, 0), member("b", i64, 32), member("c", i64, 64))
	w.Union("shifted", 8, member("a", i32, 32), member("b", i8, 0))
	w.Struct("unaligned_bits", 4, btf.BuildMember{Name: "p", Type: w.Ptr(0), BitSize: 3}, btf.BuildMember{Name: "q", Type: i32, BitOffset: 3, BitSize: 29})

	// Type tags, which only clang knows, with text to be escaped.
	w.Struct("tagged", 8, member("p", w.Ptr(w.TypeTag("user", w.TypeTag("a \"b\" \\", w.Const(i32)))), 0))
}
