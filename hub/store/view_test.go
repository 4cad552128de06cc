package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
)

// everything is a scope of all types with a name out of "a" to "z" and some
// longer ones, looked at in every way.
func everything() *btf.Scope {
	scope := &btf.Scope{
		Alike: func(name, other string) bool { return len(other) > 2 && name[0] == other[0] },
		Nodes: []btf.ScopeNode{
			{Members: map[string][]int32{"a": {0}, "b": {1, 2}, "": {2}, "next": {0}}},
			{All: true, Flavored: true, Behind: []int32{1, 2}, Members: map[string][]int32{"a": {1}, "c": {0}}},
			{Behind: []int32{2}},
		},
	}
	names := []string{"struct", "union", "int", "enum", "typedef", "long unsigned int"}
	for c := 'a'; c <= 'z'; c++ {
		names = append(names, string(c))
	}
	for i, name := range names {
		scope.Roots = append(scope.Roots, btf.ScopeRoot{Name: name, Kinds: 1<<32 - 1, Nodes: []int32{int32(i % 3), int32(i % 2)}, Apart: i%4 == 0})
	}
	return scope
}

// viewAll looks at all kernels of a store. What is shown is BTF, or there is an
// error.
func viewAll(t *testing.T, s *Store, paths []string) error {
	t.Helper()
	start := time.Now()
	v, err := s.View(everything(), paths)
	if err != nil {
		return err
	}
	var errs []error
	for _, k := range s.Kernels() {
		if _, _, ok := v.Class(k.Path); !ok {
			if paths == nil {
				t.Errorf("%s is not in the view", k.Path)
			}
			continue
		}
		raw, err := v.Types(k.Path)
		if err == nil {
			_, err = btf.Parse(raw)
			if err != nil && !errors.Is(err, btf.ErrFormat) {
				t.Error(err)
			}
		}
		errs = append(errs, err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	return errors.Join(errs...)
}

// FuzzView looks at arbitrary strings, definitions and two kernels, as FuzzParts
// reads them.
func FuzzView(f *testing.F) {
	raw, _ := layered(f)
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		f.Fatal(err)
	}
	for i := range s.definitionBlocks {
		strs, err1 := s.expandBlock(&s.stringBlocks[0])
		defs, err2 := s.expandBlock(&s.definitionBlocks[i])
		if err1 != nil || err2 != nil {
			f.Fatal(err1, err2)
		}
		for k := range s.kernels {
			base, err1 := s.recordBytes(0)
			rec, err2 := s.recordBytes(k)
			if err1 != nil || err2 != nil {
				f.Fatal(err1, err2)
			}
			f.Add(strs, defs, uint16(s.definitionBlocks[i].count), base, rec, uint16(s.kernels[k].Types), k%2 == 0)
		}
	}
	own := record{order: binary.LittleEndian, unique: 3, changes: []variation{{2, 2, []uint32{0}, []uint32{1, 0}}}, copied: []copiedType{{2, 1, 1}}}
	of := record{order: binary.BigEndian, back: 1, unique: 3, changes: []variation{{def: 2, types: 1}}, nameless: []copyRun{{0, 1}}}
	f.Add([]byte("a\x00b\x00"), []byte{0, 41, 4, 32, 2, 41, 8, 64, 0, 48, 1, 2}, uint16(3), own.bytes([]byte{2, 0, 3}), of.bytes([]byte{0}), uint16(3), false)
	f.Fuzz(func(t *testing.T, strs, defs []byte, count uint16, base, rec []byte, types uint16, second bool) {
		e := Kernel{Types: int(types), Definitions: int(count), New: int(count), Expanded: 1 << 20}
		first, other := e, e
		first.Path, other.Path = "base", "k"
		raw := parts(strs, defs, count, written{first, base}, written{other, rec})
		s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		var paths []string
		if second {
			paths = []string{"k"}
		}
		_ = viewAll(t, s, paths)
	})
}

// Every kernel of a store of several layers can be looked at, alone or together,
// and shows the same.
func TestViewOfLayers(t *testing.T) {
	raw, _ := layered(t)
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if err := viewAll(t, s, nil); err != nil {
		t.Error(err)
	}
	all, err := s.View(everything(), nil)
	if err != nil {
		t.Fatal(err)
	}
	classes := make(map[int][]string)
	for _, k := range s.Kernels() {
		class, big, ok := all.Class(k.Path)
		classes[class] = append(classes[class], k.Path)
		if want := get(t, s, k.Path)[0] == 0xeb; !ok || big != want {
			t.Errorf("%s: big-endian %v, expected %v", k.Path, big, want)
		}
		alone, err := s.View(everything(), []string{k.Path})
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := all.Types(k.Path)
		b, err2 := alone.Types(k.Path)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if x, y := fmt.Sprint(canon(t, a)), fmt.Sprint(canon(t, b)); x != y {
			t.Errorf("%s: alone it shows %s, with others %s", k.Path, y, x)
		}
		for _, other := range s.Kernels() {
			if other.Path == k.Path {
				continue
			}
			if _, _, ok := alone.Class(other.Path); ok {
				t.Errorf("a view of %s has %s", k.Path, other.Path)
			}
			if _, err := alone.Types(other.Path); !errors.Is(err, ErrNotFound) {
				t.Errorf("a view of %s, types of %s: %v", k.Path, other.Path, err)
			}
		}
	}
	if len(classes) != 2 {
		t.Errorf("classes %v, expected one of each of two kernels' types", classes)
	}
	if _, err := s.View(everything(), []string{"none"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a view of a kernel that is not there: %v", err)
	}
}

// What is not kept is made when it is asked for, and is the same.
func TestViewIsNotKept(t *testing.T) {
	raw, _ := layered(t)
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.View(everything(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func(n int) { maxShown = n }(maxShown)
	maxShown = 1 // the first is kept
	made, err := s.View(everything(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range s.Kernels() {
		a, err1 := kept.Types(k.Path)
		b, err2 := made.Types(k.Path)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: made anew it shows something else", k.Path)
		}
	}
	if n := len(made.classes); made.classes[n-1] != nil || made.classes[0] == nil {
		t.Errorf("of %d classes other than the first are kept", n)
	}
}

// Sets of nodes, of which there can be as many as there are subsets, are made as
// types ask for them.
func TestLooksAreBounded(t *testing.T) {
	const n = 40 // the set says which of the last n members on the way here were a
	scope := &btf.Scope{Roots: []btf.ScopeRoot{{Name: "S", Kinds: 1 << btf.KindStruct, Nodes: []int32{0}}}}
	scope.Nodes = append(scope.Nodes, btf.ScopeNode{Members: map[string][]int32{"a": {0, 1}, "b": {0}}})
	for i := range int32(n) {
		next := []int32{min(i+2, n)}
		scope.Nodes = append(scope.Nodes, btf.ScopeNode{Members: map[string][]int32{"a": next, "b": next}})
	}
	raw := build(t, binary.LittleEndian, func(w *btf.Builder) {
		i := w.Int("int", 4, 0)
		inner := w.Struct("inner", 8, btf.BuildMember{Name: "a", Type: i}, btf.BuildMember{Name: "b", Type: i})
		w.Struct("S", 8, btf.BuildMember{Name: "a", Type: inner}, btf.BuildMember{Name: "b", Type: inner})
	})
	s := open(t, storeOf(t, []source{{"k", raw}}))
	v, err := s.View(scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.looks.sets) > 20 {
		t.Errorf("%d sets for two structs", len(v.looks.sets))
	}
	v.looks.spent = maxLooks + 1
	if got := v.looks.set([]int32{3, 4, 5, 6, 7}); got != 0 {
		t.Errorf("set %d past the limit, expected none", got)
	}
	for range 1 << 16 {
		scope.Roots = append(scope.Roots, scope.Roots[0])
	}
	big := make([]int32, n+1)
	for i := range big {
		big[i] = int32(i)
	}
	for i := range 1 << 16 { // a set of its own for each
		var nodes []int32
		for bit := range 16 {
			if i>>bit&1 != 0 {
				nodes = append(nodes, int32(bit))
			}
		}
		scope.Roots[i].Nodes = append(nodes, big[17:]...)
	}
	if _, err := s.View(scope, nil); !errors.Is(err, errLooks) {
		t.Errorf("a scope of %d sets: %v, expected %v", 1<<16, err, errLooks)
	}
}
