package core_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// A record that no loader accepts is an outcome on every kernel, never a panic,
// and says what is wrong with it.
func TestBadRecords(t *testing.T) {
	var id struct{ s, e, anon, fn, ptr, void, typedef btf.ID }
	raw, local := littleRaw(t, func(w *btf.Builder) btf.ID {
		i := w.Int("int", 4, btf.Signed)
		a := w.Array(i, i, 3)
		id.s = w.Struct("s", 32, member("x", i, 0), member("a", a, 4), member("p", w.Ptr(i), 16))
		id.e = w.Enum("e", 4, false, btf.BuildEnumerator{Name: "A"}, btf.BuildEnumerator{Name: "B"})
		id.anon = w.Struct("", 4, member("x", i, 0))
		id.fn = w.Func("f", w.FuncProto(0), 1)
		id.ptr = w.Ptr(id.s)
		id.typedef = w.Typedef("nothing", 0)
		return 0
	})
	long := strings.Repeat("0:", 64) + "0"
	for _, c := range []struct {
		name   string
		kind   core.Kind
		typ    btf.ID
		access string
		reason string
	}{
		{"empty", core.FieldExists, id.s, "", "empty access string"},
		{"colon", core.FieldExists, id.s, ":", `index "" is not a number`},
		{"colon at the end", core.FieldExists, id.s, "0:", `index "" is not a number`},
		{"two colons", core.FieldExists, id.s, "0::1", `index "" is not a number`},
		{"negative", core.FieldExists, id.s, "-1", `index "-1" is not a number`},
		{"plus", core.FieldExists, id.s, "+1", `index "+1" is not a number`},
		{"letters", core.FieldExists, id.s, "0:x", `index "x" is not a number`},
		{"trailing junk", core.FieldExists, id.s, "0:1junk", `index "1junk" is not a number`},
		{"blank", core.FieldExists, id.s, "0: 1", `index " 1" is not a number`},
		{"too large a number", core.FieldExists, id.s, "2147483648", "is not a number"},
		{"65 indices", core.FieldExists, id.s, long, "65 indices, at most 64 are allowed"},
		{"member out of range", core.FieldExists, id.s, "0:3", "member 3 of STRUCT s, which has 3"},
		{"element out of range", core.FieldByteOffset, id.s, "0:1:3", "element 3 of an array of 3"},
		{"into an int", core.FieldByteOffset, id.s, "0:0:0", "goes into INT, which has no fields"},
		{"into a pointer", core.FieldByteOffset, id.s, "0:2:0", "goes into PTR, which has no fields"},
		{"field of void", core.FieldByteOffset, 0, "0", "has no size"},
		{"field of a function", core.FieldByteOffset, id.fn, "0", "has no size"},
		{"field of a void typedef", core.FieldExists, id.typedef, "0", "has no size"},
		{"field of no type", core.FieldByteOffset, 1000, "0:0", "type 1000 is not in the object's BTF"},
		{"largest id", core.TypeExists, ^btf.ID(0), "0", "is not in the object's BTF"},
		{"local id of no type", core.TypeIDLocal, 1000, "0", "type 1000 is not in the object's BTF"},
		{"type with a path", core.TypeExists, id.s, "0:0", "expected 0 for type_exists"},
		{"type with another index", core.TypeSize, id.s, "1", "expected 0 for type_size"},
		{"local id with an index", core.TypeIDLocal, id.s, "1", "expected 0 for local_type_id"},
		{"enumerator of a struct", core.EnumvalValue, id.s, "0", "which is no enum"},
		{"enumerator with two indices", core.EnumvalExists, id.e, "0:0", "expected one index for enumval_exists"},
		{"enumerator out of range", core.EnumvalValue, id.e, "2", "enumerator 2 of e, which has 2"},
		{"anonymous struct", core.FieldByteOffset, id.anon, "0:0", "byte_off of an anonymous type is not supported"},
		{"anonymous pointer", core.FieldByteSize, id.ptr, "0", "byte_sz of an anonymous type is not supported"},
		{"anonymous type exists", core.TypeExists, id.anon, "0", "type_exists of an anonymous type"},
		{"kind 13", 13, id.s, "0", "relocation kind 13 is not known"},
		{"kind 99", 99, id.s, "0", "relocation kind 99 is not known"},
		{"largest kind", ^core.Kind(0), id.s, "0", "is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, target := range map[string][]byte{"same types": raw, "no types": encoded(t, btf.NewBuilder(binary.LittleEndian))} {
				out, reason := outcome(t, local, target, c.kind, c.typ, c.access)
				if out.Status != core.Failed || !strings.Contains(reason, c.reason) {
					t.Errorf("%s: %v, %q, expected an error with %q", name, out.Status, reason, c.reason)
				}
				if _, _, err := core.Patch([16]byte{0xb7}, out, binary.LittleEndian); err == nil {
					t.Errorf("%s: Patch takes a failed outcome", name)
				}
			}
		})
	}
	// An anonymous type's own id needs no name.
	if out, _ := outcome(t, local, raw, core.TypeIDLocal, id.anon, "0"); out.Status != core.Resolved || out.New != uint64(id.anon) {
		t.Errorf("local_type_id of an anonymous struct: %+v", out)
	}
}

// Types that no compiler writes: each must end in an outcome, fast.
func TestHostileTypes(t *testing.T) {
	// Two anonymous unions side by side, each of two more, and so on: as a tree it
	// has 2^60 nodes.
	nest := func(w *btf.Builder, leaf btf.ID) btf.ID {
		id := w.Union("", 4, member("leaf", leaf, 0))
		for range 60 {
			id = w.Union("", 4, member("", id, 0), member("", id, 0))
		}
		return w.Struct("s", 4, member("", id, 0))
	}
	wantX := func(w *btf.Builder) btf.ID {
		i := w.Int("int", 4, btf.Signed)
		return w.Struct("s", 4, member("x", i, 0))
	}
	// type_matches of a struct whose members are pairs of the same struct.
	pairs := func(w *btf.Builder) btf.ID {
		id := w.Int("int", 4, 0)
		for i := range 30 {
			id = w.Struct(string(rune('A'+i)), 4, member("a", id, 0), member("b", id, 0))
		}
		return id
	}
	for _, c := range []struct {
		name          string
		kind          core.Kind
		access        string
		local, target func(w *btf.Builder) btf.ID
		status        core.Status
		reason        string
	}{
		{"anonymous members without end", core.FieldByteOffset, "0:0", wantX,
			func(w *btf.Builder) btf.ID { return w.Struct("s", 4, member("", 1, 0)) },
			core.Failed, "nested too deeply"},
		{"exponential anonymous members", core.FieldByteOffset, "0:0", wantX,
			func(w *btf.Builder) btf.ID { return nest(w, w.Int("int", 4, btf.Signed)) },
			core.Failed, "without end"},
		// they match, but libbpf would compare a thousand million pairs to see it
		{"exponential pairs, the same", core.TypeMatches, "0", pairs, pairs, core.Failed, "without end"},
		{"exponential pairs, none", core.TypeMatches, "0", pairs, func(w *btf.Builder) btf.ID {
			id := w.Int("int", 8, 0)
			for i := range 30 {
				id = w.Struct(string(rune('A'+i)), 8, member("a", id, 0), member("b", id, 0), member("a", id, 0))
			}
			return id
		}, core.Failed, ""},
		{"modifiers without end", core.FieldByteOffset, "0:0", wantX,
			func(w *btf.Builder) btf.ID { return w.Struct("s", 4, member("x", w.Const(w.Volatile(1)), 0)) },
			core.Failed, "without end"},
		{"typedef of itself", core.TypeExists, "0", func(w *btf.Builder) btf.ID { return w.Typedef("t", w.Int("int", 4, 0)) },
			func(w *btf.Builder) btf.ID { return w.Typedef("t", 1) },
			core.Failed, "without end"},
		{"array of itself", core.FieldByteSize, "0:0", func(w *btf.Builder) btf.ID {
			i := w.Int("int", 4, 0)
			return w.Struct("s", 8, member("a", w.Array(i, i, 2), 0))
		}, func(w *btf.Builder) btf.ID {
			return w.Struct("s", 8, member("a", w.Array(1, 0, 2), 0))
		}, core.Poisoned, "of another type"},
		{"pointer to itself", core.TypeExists, "0", func(w *btf.Builder) btf.ID { return w.Typedef("t", w.Ptr(2)) },
			func(w *btf.Builder) btf.ID { return w.Typedef("t", w.Ptr(2)) },
			core.Failed, "nested too deeply"},
		{"struct that holds itself", core.TypeMatches, "0",
			func(w *btf.Builder) btf.ID { return w.Struct("s", 4, member("x", 1, 0)) },
			func(w *btf.Builder) btf.ID { return w.Struct("s", 4, member("x", 1, 0)) },
			core.Failed, "nested too deeply"},
		{"array of more than 4 GiB", core.FieldByteOffset, "0:1:1", func(w *btf.Builder) btf.ID {
			i := w.Int("int", 4, 0)
			return w.Struct("s", 12, member("x", i, 0), member("a", w.Array(i, i, 2), 4))
		}, func(w *btf.Builder) btf.ID {
			i := w.Int("int", 4, 0)
			return w.Struct("s", 12, member("x", i, 0), member("a", w.Array(w.Array(i, i, 1<<31), i, 2), 4))
		}, core.Poisoned, ""},
		{"type ids out of range", core.FieldByteOffset, "0:0", wantX,
			func(w *btf.Builder) btf.ID { return w.Struct("s", 4, member("x", 4000, 0)) },
			core.Failed, "refer to one that is not there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, id := little(t, c.local)
			if c.name == "pointer to itself" {
				id = 2
			}
			w := btf.NewBuilder(binary.LittleEndian)
			c.target(w)
			target := encoded(t, w)
			start := time.Now()
			out, reason := outcome(t, local, target, c.kind, id, c.access)
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
			if out.Status != c.status || !strings.Contains(reason, c.reason) {
				t.Errorf("%v, %q, expected %v with %q", out.Status, reason, c.status, c.reason)
			}
		})
	}
}

// The program's own types may be as hostile.
func TestHostileLocalTypes(t *testing.T) {
	for name, build := range map[string]func(w *btf.Builder) btf.ID{
		"modifiers without end": func(w *btf.Builder) btf.ID { return w.Typedef("t", w.Const(1)) },
		"array of itself":       func(w *btf.Builder) btf.ID { w.Array(1, 1, 2); return w.Typedef("t", 1) },
		"holds itself":          func(w *btf.Builder) btf.ID { return w.Struct("s", 4, member("x", 1, 0), member("", 1, 0)) },
		"exponential": func(w *btf.Builder) btf.ID {
			id := w.Int("int", 4, 0)
			for i := range 60 {
				id = w.Struct("s"+string(rune('A'+i)), 4, member("a", id, 0), member("b", id, 0))
			}
			return id
		},
		"exponential prototypes": func(w *btf.Builder) btf.ID {
			id := w.Int("int", 4, 0)
			for range 60 {
				id = w.Ptr(w.FuncProto(id, btf.BuildParam{Type: id}, btf.BuildParam{Type: id}))
			}
			return w.Typedef("t", id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var id btf.ID
			raw, local := littleRaw(t, func(w *btf.Builder) btf.ID { id = build(w); return id })
			start := time.Now()
			for kind := range core.Kind(14) {
				for _, access := range []string{"0", "0:0", "0:1:1:1:1:1:1:1:1:1:1:1", "5"} {
					outcome(t, local, raw, kind, id, access)
				}
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
