package core_test

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// Reasons in words, as a user reads them.
func TestReasons(t *testing.T) {
	task := func(w *btf.Builder) btf.ID {
		i := w.Int("int", 4, btf.Signed)
		inner := w.Struct("inner", 4, member("deep", i, 0))
		return w.Struct("task_struct", 64, member("state", i, 0), member("arr", w.Array(i, i, 8), 8),
			member("in", inner, 40), member("p", w.Ptr(i), 48))
	}
	enum := func(w *btf.Builder) btf.ID {
		return w.Enum("color", 4, false, btf.BuildEnumerator{Name: "RED"}, btf.BuildEnumerator{Name: "GREEN", Value: 1})
	}
	void := func(w *btf.Builder) btf.ID { return w.Typedef("handle_t", w.Ptr(0)) }
	for _, c := range []struct {
		name   string
		kind   core.Kind
		access string
		local  func(w *btf.Builder) btf.ID
		target func(w *btf.Builder, i btf.ID)
		status core.Status
		want   string
	}{
		{"renamed", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("flags", i, 0), member("__state", i, 4))
		}, core.Poisoned, "struct task_struct has no member state; it has __state"},
		{"renamed, in an anonymous union", core.FieldExists, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("", w.Union("", 8, member("exit_state", i, 0), member("state_", i, 0)), 0))
		}, core.Zero, "struct task_struct has no member state; it has state_"},
		{"gone", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("flags", i, 0))
		}, core.Poisoned, "struct task_struct has no member state"},
		{"gone further down", core.FieldByteOffset, "0:2:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("in", w.Struct("inner", 4, member("deeper", i, 0)), 4))
		}, core.Poisoned, "struct task_struct.in has no member deep; it has deeper"},
		{"no such type", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {},
			core.Poisoned, "no struct task_struct"},
		{"typedef of that name", core.TypeExists, "0", task, func(w *btf.Builder, i btf.ID) {
			w.Typedef("task_struct", i)
		}, core.Zero, "no struct task_struct; there is a typedef of that name"},
		{"forward declaration", core.TypeSize, "0", task, func(w *btf.Builder, i btf.ID) {
			w.Fwd("task_struct", false)
		}, core.Zero, "no struct task_struct; there is a fwd of that name"},
		{"union of that name", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Union("task_struct", 4, member("state", i, 0))
		}, core.Poisoned, "no struct task_struct; there is a union of that name"},
		{"shorter array", core.FieldByteOffset, "0:1:6", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 32, member("arr", w.Array(i, i, 4), 8))
		}, core.Poisoned, "struct task_struct.arr has 4 elements, not one of index 6"},
		{"array became a pointer", core.FieldByteOffset, "0:1:6", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 32, member("arr", w.Ptr(i), 8))
		}, core.Poisoned, "member arr of struct task_struct is of another type than in the program (a pointer, there an array)"},
		{"int became a struct", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("state", w.Struct("atomic", 4, member("v", i, 0)), 0))
		}, core.Poisoned, "member state of struct task_struct is of another type than in the program (struct atomic, there int int)"},
		{"struct became an int", core.FieldExists, "0:2:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("in", i, 4))
		}, core.Zero, "member in of struct task_struct is of another type than in the program (int int, there struct inner)"},
		{"width that cannot follow", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("state", w.Int("long", 8, btf.Signed), 0))
		}, core.Resolved, "struct task_struct.state has 8 bytes here and 4 in the program: only pointers and unsigned integers may differ"},
		{"ambiguous place", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("state", i, 0))
			w.Struct("task_struct___old", 8, member("state", i, 4))
		}, core.Ambiguous, "struct task_struct.state is ambiguous: one struct task_struct has it at bit 0 (value 0), another struct task_struct___old has it at bit 32 (value 4)"},
		{"ambiguous size", core.TypeSize, "0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8)
			w.Struct("task_struct", 16)
		}, core.Ambiguous, "struct task_struct is ambiguous: one struct task_struct gives 8, another struct task_struct gives 16"},
		{"no enumerator", core.EnumvalValue, "1", enum, func(w *btf.Builder, i btf.ID) {
			w.Enum("color", 4, false, btf.BuildEnumerator{Name: "RED"}, btf.BuildEnumerator{Name: "DARK_GREEN", Value: 4})
		}, core.Poisoned, "enum color has no enumerator GREEN; it has DARK_GREEN"},
		{"does not match", core.TypeMatches, "0", enum, func(w *btf.Builder, i btf.ID) {
			w.Enum("color", 8, false, btf.BuildEnumerator{Name: "RED"}, btf.BuildEnumerator{Name: "GREEN"})
		}, core.Zero, "enum color does not match the program's definition"},
		{"of another sort", core.TypeExists, "0", void, func(w *btf.Builder, i btf.ID) {
			w.Typedef("handle_t", i)
		}, core.Zero, "typedef handle_t is of another sort than the program's"},
		{"found", core.FieldByteOffset, "0:0", task, func(w *btf.Builder, i btf.ID) {
			w.Struct("task_struct", 8, member("state", i, 4))
		}, core.Resolved, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, id := little(t, c.local)
			w := btf.NewBuilder(binary.LittleEndian)
			c.target(w, w.Int("int", 4, btf.Signed))
			out, reason := outcome(t, local, encoded(t, w), c.kind, id, c.access)
			if out.Status != c.status || reason != c.want {
				t.Errorf("%v: %q\nexpected %v: %q", out.Status, reason, c.status, c.want)
			}
		})
	}
}

// Paths as libbpf's logs have them.
func TestPaths(t *testing.T) {
	build := func(w *btf.Builder, anonymous bool) btf.ID {
		i := w.Int("int", 4, btf.Signed)
		inner := w.Struct("in", 8, member("a", i, 0), member("b", w.Array(i, i, 4), 4))
		if anonymous {
			inner = w.Struct("", 24, member("pad", i, 0), member("in", inner, 4))
		}
		return w.Struct("S", 32, member("first", i, 0), member(map[bool]string{false: "in"}[anonymous], inner, 4))
	}
	local, id := little(t, func(w *btf.Builder) btf.ID { return build(w, false) })
	w := btf.NewBuilder(binary.LittleEndian)
	build(w, true)
	p, r := resolved(t, encoded(t, w), object(local,
		relo(core.FieldByteOffset, id, "0:1:1:3"), relo(core.FieldExists, id, "2:0"), relo(core.TypeSize, id, "0")))
	for i, want := range [][2]string{
		{"<byte_off> [4] struct S.in.b[3] (0:1:1:3 @ offset 20)", "[5] struct S.in.b[3] (0:1:1:1:3 @ offset 24)"},
		{"<field_exists> [4] struct S[2].first (2:0 @ offset 64)", "[5] struct S[2].first (2:0 @ offset 64)"},
		{"<type_size> [4] struct S", "[5] struct S"},
	} {
		if got := p.Local(i).LocalPath(); got != want[0] {
			t.Errorf("local path %q, expected %q", got, want[0])
		}
		if got := r.TargetPath(i, r.Outcome(i)); got != want[1] {
			t.Errorf("target path %q, expected %q", got, want[1])
		}
	}
	// bits and enumerators
	local, id = little(t, func(w *btf.Builder) btf.ID {
		i := w.Int("u32", 4, 0)
		w.Enum64("E", 8, true, btf.BuildEnumerator{Name: "V", Value: ^uint64(1)})
		return w.Struct("B", 16, bits("x", i, 0, 3), bits("y", i, 99, 4))
	})
	p, _ = resolved(t, encoded(t, w), object(local, relo(core.FieldByteOffset, id, "0:1"), relo(core.EnumvalValue, 2, "0"), relo(core.TypeIDLocal, id, "0")))
	for i, want := range []string{
		"<byte_off> [3] struct B.y (0:1 @ offset 12.3)",
		"<enumval_value> [2] enum64 E::V = -2",
		"<local_type_id> [3] struct B",
	} {
		if got := p.Local(i).LocalPath(); got != want {
			t.Errorf("local path %q, expected %q", got, want)
		}
	}
}
