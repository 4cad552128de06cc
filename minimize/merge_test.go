package minimize_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/elftest"
	"github.com/btfgen/btfgen/minimize"
)

// Point 8: the output has the kernel's byte order, and objects of the other one
// are refused.
func TestPoint8ByteOrder(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		build := func(extra bool) []byte {
			w := btf.NewBuilder(order)
			i := w.Int("int", 4, btf.Signed)
			w.Struct("S", 8, member("a", i, 0), member("b", i, 4))
			if extra {
				w.Struct("other", 8, member("c", i, 0))
			}
			return encoded(t, w)
		}
		p := planOf(t, object(t, build(false), relocation{core.FieldByteOffset, 2, "0:1"}))
		min := minimal(t, p, build(true))
		if got := order.Uint16(min); got != btf.Magic {
			t.Errorf("%v: starts with % x", order, min[:2])
		}
		b, s := find(t, min, btf.KindStruct, "S")
		if m := b.Member(s, 0); b.Vlen(s) != 1 || b.String(m.NameOff) != "b" || m.BitOffset != 32 {
			t.Errorf("%v: %d members, the first is %q at %d", order, b.Vlen(s), b.String(m.NameOff), m.BitOffset)
		}
		other := binary.ByteOrder(binary.LittleEndian)
		if order == other {
			other = binary.BigEndian
		}
		w := btf.NewBuilder(other)
		w.Int("int", 4, 0)
		if _, err := minimize.New(p).Minimize(encoded(t, w)); !errors.Is(err, core.ErrByteOrder) {
			t.Errorf("%v objects, %v kernel: error %v", order, other, err)
		}
	}
}

// split is a module's BTF on a kernel's.
func split(t *testing.T, vmlinux []byte, name string, build func(w *btf.Builder)) core.Module {
	t.Helper()
	w := btf.NewSplitBuilder(parsed(t, vmlinux))
	build(w)
	return core.Module{Name: name, BTF: encoded(t, w)}
}

// Point 9: a kernel and its modules become one BTF.
func TestPoint9Modules(t *testing.T) {
	var listHead btf.ID
	vmlinux := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed) // 1
		p := w.Ptr(0)                    // 2
		listHead = w.Struct("list_head", 16, member("next", p, 0), member("prev", p, 8))
		w.Struct("both", 8, member("a", i, 0))
		w.Struct("task_struct", 32, member("pid", i, 0), member("tasks", listHead, 8))
	})
	one := split(t, vmlinux, "one", func(w *btf.Builder) {
		w.Struct("conn", 40, member("id", 1, 4), member("list", listHead, 8)) // embeds a type of vmlinux
		w.Struct("both", 8, member("a", 1, 4))
		w.Struct("same", 8, member("x", 1, 0))
		w.Struct("differs", 8, member("x", 1, 0))
	})
	two := split(t, vmlinux, "two", func(w *btf.Builder) {
		w.Struct("same", 8, member("x", 1, 0))
		w.Struct("differs", 8, member("x", 1, 4))
	})
	local := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed) // 1
		l := w.Struct("list_head", 16, member("next", w.Ptr(0), 0), member("prev", 2, 8))
		w.Struct("conn", 40, member("id", i, 0), member("list", l, 8)) // 4
		w.Struct("both", 8, member("a", i, 0))                         // 5
		w.Struct("same", 8, member("x", i, 0))                         // 6
		w.Struct("differs", 8, member("x", i, 0))                      // 7
		w.Struct("task_struct", 8, member("pid", i, 0))                // 8
	})
	relocs := []relocation{
		{core.FieldByteOffset, 4, "0:0"}, {core.FieldByteOffset, 4, "0:1:1"}, {core.FieldByteOffset, 5, "0:0"},
		{core.FieldByteOffset, 6, "0:0"}, {core.FieldByteOffset, 7, "0:0"}, {core.FieldByteOffset, 8, "0:0"},
		{core.TypeMatches, 5, "0"},
	}
	if find := parsed(t, local); find.Name(4) != "conn" || find.Name(8) != "task_struct" {
		t.Fatalf("the program's types are %v", names(t, local))
	}
	p := planOf(t, object(t, local, relocs...))
	alone, merged := resolved(t, p, vmlinux), resolved(t, p, vmlinux, one, two)
	for i, want := range []struct {
		alone, merged core.Status
		new           uint64
	}{
		{core.Poisoned, core.Resolved, 4},  // only in a module
		{core.Poisoned, core.Resolved, 16}, // through a type of vmlinux
		{core.Resolved, core.Resolved, 0},  // vmlinux has it: the module's does not count
		{core.Poisoned, core.Resolved, 0},  // two modules agree
		{core.Poisoned, core.Ambiguous, 0}, // two modules differ
		{core.Resolved, core.Resolved, 0},
		{core.Resolved, core.Resolved, 1},
	} {
		if got := alone.Outcome(i).Status; got != want.alone {
			t.Errorf("relocation %d without modules: %v, expected %v", i, got, want.alone)
		}
		if out := merged.Outcome(i); out.Status != want.merged || out.Status == core.Resolved && out.New != want.new {
			t.Errorf("relocation %d with modules: %v %d, expected %v %d", i, out.Status, out.New, want.merged, want.new)
		}
	}
	min := minimal(t, p, vmlinux, one, two)
	list := names(t, min)
	if n := strings.Count(strings.Join(list, "\n"), "STRUCT list_head"); n != 1 {
		t.Errorf("list_head is there %d times: %v", n, list)
	}
	if strings.Count(strings.Join(list, "\n"), "STRUCT same") != 1 {
		t.Errorf("what two modules have the same is there more than once: %v", list)
	}
	if strings.Count(strings.Join(list, "\n"), "STRUCT both") != 1 {
		t.Errorf("the module's struct that vmlinux has as well was kept: %v", list)
	}
	// Without the modules there is less.
	if less := minimal(t, p, vmlinux); len(less) >= len(min) {
		t.Errorf("%d bytes without modules, %d with them", len(less), len(min))
	}
	// In either order of the modules, the same bytes.
	if other := minimal(t, p, vmlinux, two, one); len(other) != len(min) {
		t.Errorf("%d bytes with the modules the other way round, %d before", len(other), len(min))
	}
}

// A module's struct by value in another is no candidate as long as it is in the
// module and vmlinux has one of the name; in the merged BTF it must not become one.
func TestPoint9NoNewCandidates(t *testing.T) {
	vmlinux := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		w.Struct("inner", 8, member("x", i, 0))
	})
	module := split(t, vmlinux, "m", func(w *btf.Builder) {
		inner := w.Struct("inner", 16, member("x", 1, 12))
		w.Struct("outer", 32, member("in", inner, 8))
	})
	local := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		inner := w.Struct("inner", 8, member("x", i, 0))
		w.Struct("outer", 32, member("in", inner, 8))
	})
	p := planOf(t, object(t, local, relocation{core.FieldByteOffset, 2, "0:0"}, relocation{core.FieldByteOffset, 3, "0:0:0"}))
	r := resolved(t, p, vmlinux, module)
	if a, b := r.Outcome(0), r.Outcome(1); a.Status != core.Resolved || a.New != 0 || b.Status != core.Resolved || b.New != 20 {
		t.Fatalf("with the module: %+v, %+v", a, b)
	}
	minimal(t, p, vmlinux, module) // compares
	// Merged as they are, they would be ambiguous.
	naive := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		w.Struct("inner", 8, member("x", i, 0))
		w.Struct("outer", 32, member("in", w.Struct("inner", 16, member("x", i, 12)), 8))
	})
	if out := resolved(t, p, naive).Outcome(0); out.Status != core.Ambiguous {
		t.Errorf("merged as they are: %v, expected ambiguous", out.Status)
	}
}

// Point 11: what is the same is there once, and so is every name. Names are not
// shared as ends of others, which cilium/ebpf would refuse to read.
func TestPoint11Duplicates(t *testing.T) {
	kernel := built(t, func(w *btf.Builder) {
		for range 5 { // as in a kernel that was not deduplicated
			i := w.Int("int", 4, btf.Signed)
			in := w.Struct("in", 4, member("x", i, 0))
			w.Struct("S", 16, member("in", in, 4), member("xin", i, 8), member("p", w.Ptr(i), 8))
		}
	})
	once := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		in := w.Struct("in", 4, member("x", i, 0))
		w.Struct("S", 16, member("in", in, 4), member("xin", i, 8), member("p", w.Ptr(i), 8))
	})
	p := planOf(t, object(t, once, relocation{core.FieldByteOffset, 4, "0:0:0"}, relocation{core.FieldByteSize, 4, "0:1"},
		relocation{core.TypeSize, 4, "0"}))
	min := minimal(t, p, kernel)
	if want := minimal(t, p, once); !bytes.Equal(min, want) {
		t.Errorf("not the same as of the deduplicated kernel: %v and %v", names(t, min), names(t, want))
	}
	if list := names(t, min); len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) {
		t.Errorf("something is there twice: %v", list)
	}
	strs := min[len(min)-int(binary.LittleEndian.Uint32(min[20:])):]
	for _, name := range []string{"int", "in", "xin", "S"} {
		if n := bytes.Count(strs, []byte("\x00"+name+"\x00")); n != 1 {
			t.Errorf("name %q stands %d times behind a zero byte, expected once: %q", name, n, strs)
		}
	}
}

// Point 12: objects that have no CO-RE records are ordinary: an empty BTF that is
// valid comes of them.
func TestPoint12NoRecords(t *testing.T) {
	types := built(t, func(w *btf.Builder) { w.Func("function", w.FuncProto(0), 1) })
	kernel := built(t, func(w *btf.Builder) { w.Struct("S", 4, member("x", w.Int("int", 4, 0), 0)) })
	for name, o := range map[string]*elftest.Object{
		"no BTF":      {},
		"no .BTF.ext": {BTF: types},
		"header of 24 bytes": {BTF: types, Ext: &elftest.Ext{HeaderSize: 24,
			Funcs: []elftest.FuncInfo{{Section: "kprobe", TypeID: 2}}}},
		"no records": {BTF: types, Ext: &elftest.Ext{Funcs: []elftest.FuncInfo{{Section: "kprobe", TypeID: 2}}}},
	} {
		t.Run(name, func(t *testing.T) {
			exit := elftest.Exit(binary.LittleEndian)
			o.Sections = []elftest.Section{elftest.Code("kprobe", exit)}
			o.Symbols = []elftest.Symbol{elftest.Func("function", "kprobe", 0, 8)}
			parsedObject, err := bpfelf.Parse("object", o.MustBytes(t))
			if err != nil {
				t.Fatal(err)
			}
			p := planOf(t, parsedObject)
			if p.Len() != 0 || p.Records() != 0 {
				t.Fatalf("%d relocations", p.Len())
			}
			min := minimal(t, p, kernel)
			if list := names(t, min); len(list) != 0 || len(min) > 25 {
				t.Errorf("%d bytes with %v", len(min), list)
			}
			if n := ciliumDifferences(t, kernel, min, parsedObject); n > 0 { // it must be readable
				t.Errorf("%d differences", n)
			}
		})
	}
}
