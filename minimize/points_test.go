package minimize_test

import (
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// Where keeping what the first matching candidate needs, and nothing behind
// pointers, is not enough. Each case has the BTF that this rule would leave, and
// shows that it comes to another outcome; ours must come to the same.
var points = []struct {
	name    string
	program func(w *btf.Builder) []relocation
	kernel  func(w *btf.Builder)
	naive   func(w *btf.Builder)
	// Who is misled by the naive BTF.
	libbpf, cilium bool
}{
	{
		name: "1 several matching candidates",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			s := w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			return []relocation{{core.FieldByteOffset, s, "0:0"}, {core.FieldByteOffset, s, "0:1"}, {core.FieldExists, s, "0:1"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S___one", 4, member("a", i, 0))
			w.Struct("S___two", 12, member("a", i, 0), member("pad", i, 4), member("b", i, 8))
		},
		naive: func(w *btf.Builder) {
			w.Struct("S___one", 4, member("a", w.Int("int", 4, btf.Signed), 0))
		},
		libbpf: true, cilium: true,
	},
	{
		name: "2 void pointee of a typedef exists not",
		program: func(w *btf.Builder) []relocation {
			return []relocation{{core.TypeExists, w.Typedef("hnd_t", w.Ptr(0)), "0"}}
		},
		kernel: func(w *btf.Builder) { w.Typedef("hnd_t", w.Ptr(w.Int("int", 4, 0))) },
		naive:  func(w *btf.Builder) { w.Typedef("hnd_t", w.Ptr(0)) },
		libbpf: true, cilium: true,
	},
	{
		name: "2 void pointee of a member matches not",
		program: func(w *btf.Builder) []relocation {
			return []relocation{{core.TypeMatches, w.Struct("S", 8, member("p", w.Ptr(0), 0)), "0"}}
		},
		kernel: func(w *btf.Builder) {
			w.Struct("S", 8, member("p", w.Ptr(w.Struct("other", 4, member("x", w.Int("int", 4, 0), 0))), 0))
		},
		naive:  func(w *btf.Builder) { w.Struct("S", 8, member("p", w.Ptr(0), 0)) },
		libbpf: true, cilium: true,
	},
	{
		name: "3 flexible array that is not the last member",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			s := w.Struct("S", 4, member("n", i, 0), member("f", w.Array(i, i, 0), 4))
			return []relocation{{core.FieldByteOffset, s, "0:1:0"}, {core.FieldByteOffset, s, "0:1:1"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 12, member("n", i, 0), member("f", w.Array(i, i, 0), 4), member("after", i, 8))
		},
		naive: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 12, member("f", w.Array(i, i, 0), 4))
		},
		libbpf: true, cilium: true,
	},
	{
		name: "4 type tag on a pointer, matches",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			return []relocation{{core.TypeMatches, w.Struct("S", 8, member("p", w.Ptr(w.TypeTag("user", i)), 0)), "0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 8, member("p", w.Ptr(w.TypeTag("user", w.TypeTag("rcu", i))), 0))
		},
		naive:  func(w *btf.Builder) { w.Struct("S", 8, member("p", w.Ptr(w.TypeTag("user", 0)), 0)) },
		libbpf: true, cilium: true,
	},
	{
		name: "4 type tag on a pointer, exists",
		program: func(w *btf.Builder) []relocation {
			return []relocation{{core.TypeExists, w.Typedef("T", w.Ptr(w.Int("int", 4, btf.Signed))), "0"}}
		},
		kernel: func(w *btf.Builder) { w.Typedef("T", w.Ptr(w.TypeTag("user", w.Int("int", 4, btf.Signed)))) },
		naive:  func(w *btf.Builder) { w.Typedef("T", w.Ptr(0)) },
		libbpf: true, cilium: true,
	},
	{
		name: "5 recursive prototypes",
		program: func(w *btf.Builder) []relocation {
			// struct foo { void (*cb)(struct foo); }
			s := w.Struct("foo", 8, member("cb", 2, 0))
			w.Ptr(3)
			w.FuncProto(0, btf.BuildParam{Type: s})
			return []relocation{{core.TypeMatches, s, "0"}, {core.TypeExists, s, "0"}, {core.FieldByteOffset, s, "0:0"}}
		},
		kernel: func(w *btf.Builder) {
			w.Ptr(2)
			w.FuncProto(0, btf.BuildParam{Name: "f", Type: 3})
			w.Struct("foo", 16, member("cb", 1, 8))
		},
		naive:  func(w *btf.Builder) { w.Struct("foo", 16, member("cb", w.Ptr(0), 8)) },
		libbpf: true, cilium: true,
	},
	{
		name: "6 members behind pointers, which cilium/ebpf compares",
		program: func(w *btf.Builder) []relocation {
			inner := w.Struct("inner", 4, member("x", w.Int("int", 4, btf.Signed), 0))
			return []relocation{{core.TypeMatches, w.Struct("S", 8, member("p", w.Ptr(inner), 0)), "0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 8, member("p", w.Ptr(w.Struct("inner", 8, member("x", i, 0), member("y", i, 4))), 0))
		},
		naive:  func(w *btf.Builder) { w.Struct("S", 8, member("p", w.Ptr(w.Struct("inner", 8)), 0)) },
		cilium: true,
	},
	{
		name: "7 ambiguity stays ambiguous and takes nothing else with it",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			s := w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			return []relocation{{core.FieldByteOffset, s, "0:0"}, {core.FieldByteOffset, w.Struct("fine", 8, member("x", i, 4)), "0:0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S___one", 4, member("a", i, 0))
			w.Struct("S___two", 8, member("a", i, 4))
			w.Struct("fine", 16, member("x", i, 12))
		},
		naive: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S___one", 4, member("a", i, 0))
			w.Struct("fine", 16, member("x", i, 12))
		},
		libbpf: true, cilium: true,
	},
	{
		name: "7 a bitfield too wide to read stays an error",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("u64", 8, 0)
			s := w.Struct("S", 16, btf.BuildMember{Name: "f", Type: i, BitOffset: 0, BitSize: 40})
			return []relocation{{core.FieldByteOffset, s, "0:0"}, {core.FieldExists, s, "0:0"}, {core.FieldLShiftU64, s, "0:0"},
				{core.FieldByteOffset, w.Struct("fine", 8, member("x", i, 0)), "0:0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("u64", 8, 0)
			w.Struct("S", 16, btf.BuildMember{Name: "f", Type: i, BitOffset: 60, BitSize: 40})
			w.Struct("fine", 16, member("x", i, 8))
		},
		naive:  func(w *btf.Builder) { w.Struct("fine", 16, member("x", w.Int("u64", 8, 0), 8)) },
		libbpf: true, cilium: true,
	},
	{
		name: "of several candidates the first one's width counts",
		program: func(w *btf.Builder) []relocation {
			return []relocation{{core.FieldByteOffset, w.Struct("S", 8, member("f", w.Int("u32", 4, 0), 0)), "0:0"}}
		},
		kernel: func(w *btf.Builder) {
			w.Struct("S___zz", 8, member("f", w.Int("u64", 8, 0), 0))
			w.Struct("S___aa", 8, member("f", w.Int("u16", 2, 0), 0))
		},
		naive: func(w *btf.Builder) { // in the order of names
			w.Struct("S___aa", 8, member("f", w.Int("u16", 2, 0), 0))
			w.Struct("S___zz", 8, member("f", w.Int("u64", 8, 0), 0))
		},
		libbpf: true,
	},
	{
		name: "and the other way round",
		program: func(w *btf.Builder) []relocation {
			return []relocation{{core.FieldByteOffset, w.Struct("S", 8, member("f", w.Int("u32", 4, 0), 0)), "0:0"}}
		},
		kernel: func(w *btf.Builder) {
			w.Struct("S___aa", 8, member("f", w.Int("u16", 2, 0), 0))
			w.Struct("S___zz", 8, member("f", w.Int("u64", 8, 0), 0))
		},
		naive: func(w *btf.Builder) {
			w.Struct("S___zz", 8, member("f", w.Int("u64", 8, 0), 0))
			w.Struct("S___aa", 8, member("f", w.Int("u16", 2, 0), 0))
		},
		libbpf: true,
	},
	{
		name: "what tells a pointer's size",
		program: func(w *btf.Builder) []relocation {
			p := w.Ptr(0)
			s := w.Struct("S", 16, member("p", p, 0), member("q", p, 8))
			return []relocation{{core.FieldByteOffset, s, "0:1"}, {core.FieldByteSize, s, "0:1"}}
		},
		kernel: func(w *btf.Builder) {
			w.Int("long unsigned int", 4, 0)
			p := w.Ptr(0)
			w.Struct("S", 8, member("p", p, 0), member("q", p, 4))
		},
		naive:  func(w *btf.Builder) { w.Struct("S", 8, member("q", w.Ptr(0), 4)) },
		libbpf: true,
	},
	{
		name: "what tells a pointer's size, beside a long of another",
		program: func(w *btf.Builder) []relocation {
			i, p := w.Int("long", 8, 0), w.Ptr(0)
			s := w.Struct("S", 24, member("i", i, 0), member("p", p, 8), member("q", p, 16))
			return []relocation{{core.FieldByteSize, s, "0:0"}, {core.FieldByteOffset, s, "0:2"}, {core.FieldByteSize, s, "0:2"}}
		},
		kernel: func(w *btf.Builder) {
			w.Int("long unsigned int", 4, 0)
			i, p := w.Int("long", 8, 0), w.Ptr(0)
			w.Struct("S", 16, member("i", i, 0), member("p", p, 8), member("q", p, 12))
		},
		naive: func(w *btf.Builder) {
			w.Struct("S", 16, member("i", w.Int("long", 8, 0), 0), member("q", w.Ptr(0), 12))
		},
		libbpf: true,
	},
	{
		name: "what tells a pointer's size, where a relocation asks for its usual name",
		program: func(w *btf.Builder) []relocation {
			p := w.Ptr(0)
			s := w.Struct("S", 16, member("p", p, 0), member("q", p, 8))
			return []relocation{{core.FieldByteSize, s, "0:1"}, {core.TypeExists, w.Int("long unsigned int", 8, 0), "0"}}
		},
		kernel: func(w *btf.Builder) { // clang's name
			w.Int("unsigned long", 8, 0)
			p := w.Ptr(0)
			w.Struct("S", 16, member("p", p, 0), member("q", p, 8))
		},
		naive: func(w *btf.Builder) {
			w.Int("long unsigned int", 8, 0)
			w.Struct("S", 16, member("q", w.Ptr(0), 8))
		},
		libbpf: true, cilium: true,
	},
	{
		name: "a candidate of another kind, which cilium/ebpf takes for one",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			return []relocation{{core.FieldByteOffset, w.Struct("S", 8, member("a", i, 0)), "0:0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Union("S", 8, member("a", i, 0))
		},
		naive:  func(w *btf.Builder) { w.Int("int", 4, btf.Signed) },
		cilium: true,
	},
	{
		name: "two that are the same give two type ids",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			s := w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			// the first leaves the second and third candidate to the other
			return []relocation{{core.FieldByteOffset, s, "0:1"}, {core.TypeIDTarget, s, "0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 4, member("a", i, 0))
			w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
		},
		naive: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 4)
			w.Struct("S", 8, member("b", i, 4))
		},
		cilium: true,
	},
	{
		name: "two that are the same give two type ids, the other behind them",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			s := w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			// the first leaves the second and third candidate to the other
			return []relocation{{core.FieldByteOffset, s, "0:1"}, {core.TypeIDTarget, s, "0"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			w.Struct("S", 4, member("a", i, 0))
		},
		naive: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 8, member("b", i, 4))
			w.Struct("S", 4)
		},
		cilium: true,
	},
	{
		name: "a declaration stands for a struct of any name behind a pointer, for cilium/ebpf",
		program: func(w *btf.Builder) []relocation {
			return []relocation{{core.TypeMatches, w.Struct("S", 8, member("p", w.Ptr(w.Fwd("declared", false)), 0)), "0"}}
		},
		kernel: func(w *btf.Builder) {
			w.Struct("S", 8, member("p", w.Ptr(w.Struct("defined", 4, member("x", w.Int("int", 4, 0), 0))), 0))
		},
		naive:  func(w *btf.Builder) { w.Struct("S", 8, member("p", w.Ptr(0), 0)) },
		cilium: true,
	},
	{
		name: "of three candidates cilium/ebpf takes the best, or gives up before it comes",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			s := w.Struct("S", 12, member("a", i, 0), member("b", i, 4))
			return []relocation{{core.FieldByteOffset, s, "0:0"}, {core.FieldByteOffset, s, "0:1"}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S___x", 4, member("a", i, 0))
			w.Struct("S___y", 8, member("a", i, 4))
			w.Struct("S", 12, member("a", i, 0), member("b", i, 8))
		},
		naive: func(w *btf.Builder) { // in the order of names
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 12, member("a", i, 0), member("b", i, 8))
			w.Struct("S___x", 4, member("a", i, 0))
			w.Struct("S___y", 8, member("a", i, 4))
		},
		cilium: true,
	},
	{
		name: "a record that libbpf refuses, and cilium/ebpf resolves",
		program: func(w *btf.Builder) []relocation {
			i := w.Int("int", 4, btf.Signed)
			array := i
			for range 33 {
				array = w.Array(array, i, 1)
			}
			s := w.Struct("S", 8, member("a", array, 4))
			return []relocation{{core.FieldByteOffset, s, "0:0" + zeros(33)}}
		},
		kernel: func(w *btf.Builder) {
			i := w.Int("int", 4, btf.Signed)
			array := i
			for range 33 {
				array = w.Array(array, i, 1)
			}
			w.Struct("S", 16, member("a", array, 12))
		},
		naive:  func(w *btf.Builder) { w.Int("int", 4, btf.Signed) },
		cilium: true,
	},
}

func zeros(n int) (s string) {
	for range n {
		s += ":0"
	}
	return s
}

func TestPoints(t *testing.T) {
	for _, c := range points {
		t.Run(c.name, func(t *testing.T) {
			var relocs []relocation
			types := built(t, func(w *btf.Builder) {
				relocs = c.program(w)
				w.Func("function", w.FuncProto(0), 1)
			})
			o := object(t, types, relocs...)
			p := planOf(t, o)
			kernel := built(t, func(w *btf.Builder) {
				c.kernel(w)
				// a kernel has more
				i := w.Int("unrelated", 4, 0)
				w.Struct("other_struct", 8, member("x", i, 0), member("y", w.Ptr(i), 4))
			})
			min := minimal(t, p, kernel)
			if n := ciliumDifferences(t, kernel, min, o); n > 0 {
				t.Errorf("%d differences for cilium/ebpf: %v", n, names(t, min))
			}
			if b := parsed(t, min); b.End() >= parsed(t, kernel).End() {
				t.Errorf("nothing was dropped: %v", names(t, min))
			}
			naive := built(t, c.naive)
			if n := differences(t, p, kernel, naive); (n > 0) != c.libbpf {
				t.Errorf("the naive BTF misleads libbpf in %d relocations, expected some: %v", n, c.libbpf)
			}
			if n := ciliumDifferences(t, kernel, naive, o); (n > 0) != c.cilium {
				t.Errorf("the naive BTF misleads cilium/ebpf %d times, expected some: %v", n, c.cilium)
			}
		})
	}
}

// libbpf looks for an INT's encoding behind a type that is none, too, where it is
// asked for a sign: an enum keeps an enumerator, whose name stands there, or
// libbpf would take the next type's, or the strings, for it.
func TestSignOfEnumKeepsAnEnumerator(t *testing.T) {
	types := built(t, func(w *btf.Builder) {
		e := w.Enum("", 4, false, btf.BuildEnumerator{Name: "AAA"}, btf.BuildEnumerator{Name: "BBB", Value: 1})
		w.Struct("S", 4, btf.BuildMember{Name: "mode", Type: e, BitSize: 3})
	})
	min := minimal(t, planOf(t, object(t, types, relocation{core.FieldSigned, 2, "0:0"})), types)
	if b, e := find(t, min, btf.KindEnum, ""); b.Vlen(e) == 0 {
		t.Errorf("the enum has no enumerator: %v", names(t, min))
	}
}
