package btf_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// described says all of a type in words, its references as ref names them.
func described(b *btf.BTF, id btf.ID, ref func(btf.ID) string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v %q flag %v size %d linkage %d component %d %+v",
		b.Kind(id), b.Name(id), b.KindFlag(id), b.Size(id), b.Linkage(id), b.ComponentIndex(id), b.Int(id))
	switch k := b.Kind(id); k {
	case btf.KindArray:
		a := b.Array(id)
		fmt.Fprintf(&s, " %d of %s by %s", a.Nelems, ref(a.Elem), ref(a.Index))
	case btf.KindInt, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64, btf.KindFwd, btf.KindDatasec, btf.KindFloat:
	default:
		fmt.Fprintf(&s, " to %s", ref(b.Ref(id)))
	}
	for i := range b.Vlen(id) {
		switch b.Kind(id) {
		case btf.KindStruct, btf.KindUnion:
			m := b.Member(id, i)
			fmt.Fprintf(&s, " (%q %s at %d of %d)", b.String(m.NameOff), ref(m.Type), m.BitOffset, m.BitSize)
		case btf.KindEnum, btf.KindEnum64:
			e := b.Enumerator(id, i)
			fmt.Fprintf(&s, " (%q %d)", b.String(e.NameOff), e.Value)
		case btf.KindFuncProto:
			p := b.Param(id, i)
			fmt.Fprintf(&s, " (%q %s)", b.String(p.NameOff), ref(p.Type))
		case btf.KindDatasec:
			v := b.Secinfo(id, i)
			fmt.Fprintf(&s, " (%s at %d of %d)", ref(v.Type), v.Offset, v.Size)
		}
	}
	return s.String()
}

// classesOf is the number of types that differ, the slow way: types of one
// description are of one class, where references are described by the class
// that they had in the round before.
func classesOf(b *btf.BTF, pins []uint32) int {
	class := make(map[btf.ID]int)
	count := 0
	for {
		seen := make(map[string]int)
		next := make(map[btf.ID]int)
		for id := b.Start(); id < b.End(); id++ {
			text := fmt.Sprint(pins[id], described(b, id, func(to btf.ID) string {
				if to == 0 {
					return "void"
				}
				return fmt.Sprint(class[to])
			}))
			if _, ok := seen[text]; !ok {
				seen[text] = len(seen)
			}
			next[id] = seen[text]
		}
		class = next
		if len(seen) == count {
			return count
		}
		count = len(seen)
	}
}

// graph is a BTF and the pins of its types, by id.
type graph struct {
	b    *btf.BTF
	pins []uint32
}

// randomGraph has n types, with so few names and items that many are alike.
func randomGraph(t *testing.T, r *rand.Rand, n int) graph {
	w := btf.NewBuilder(binary.LittleEndian)
	any := func() btf.ID { return btf.ID(r.IntN(n + 1)) }
	name := func() string { return []string{"", "a", "b"}[r.IntN(3)] }
	pins := []uint32{0}
	for range n {
		var id btf.ID
		switch r.IntN(12) {
		case 0:
			id = w.Int(name(), 4<<r.IntN(2), btf.Signed)
		case 1, 2, 3:
			id = w.Ptr(any())
		case 4:
			id = w.Array(any(), any(), uint32(r.IntN(2)))
		case 5, 6, 7:
			var members []btf.BuildMember
			for i := range r.IntN(3) {
				members = append(members, btf.BuildMember{Name: name(), Type: any(), BitOffset: uint32(32 * i), BitSize: uint32(r.IntN(2))})
			}
			id = w.Struct(name(), 8, members...)
		case 8:
			id = w.Enum("e", 4, r.IntN(2) == 0, btf.BuildEnumerator{Name: name(), Value: uint64(r.IntN(2))})
		case 9:
			id = w.FuncProto(any(), btf.BuildParam{Name: name(), Type: any()})
		case 10:
			id = w.Const(any())
		case 11:
			id = w.Datasec("d", 4, btf.BuildSecinfo{Type: any()})
		}
		pin := uint32(0)
		if r.IntN(8) == 0 {
			pin = uint32(r.IntN(3))
		}
		w.Pin(id, pin)
		pins = append(pins, pin)
	}
	return graph{parse(t, encode(t, w)), pins}
}

// shuffled is a builder with copies of g's types in random order, and where
// each type went.
func (g graph) shuffled(t *testing.T, r *rand.Rand, copies int) (*btf.Builder, [][]btf.ID) {
	n := int(g.b.End()) - 1
	place := make([][]btf.ID, copies) // per copy: new id of each type
	for c := range place {
		place[c] = make([]btf.ID, n+1)
	}
	w := btf.NewBuilder(binary.LittleEndian)
	order := r.Perm(n * copies)
	for at, k := range order {
		place[k/n][k%n+1] = btf.ID(at + 1)
	}
	for _, k := range order {
		id := btf.ID(k%n + 1)
		to, err := w.Copy(g.b, id, btf.Copied{All: true}, func(ref btf.ID) btf.ID { return place[k/n][ref] })
		if err != nil {
			t.Fatal(err)
		}
		w.Pin(to, g.pins[id])
	}
	return w, place
}

func TestCanonicalGraphs(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 0))
		g := randomGraph(t, r, 1+r.IntN(40))
		w, place := g.shuffled(t, r, 1)
		ids := w.Canonicalise()
		want := encode(t, w)
		checkMerged(t, fmt.Sprintf("seed %d", seed), g, parse(t, want), func(id btf.ID) btf.ID { return ids[place[0][id]-1] })

		for i, id := range w.Canonicalise() {
			if id != btf.ID(i+1) {
				t.Errorf("seed %d: type %d became %d the second time", seed, i+1, id)
			}
		}
		if !bytes.Equal(encode(t, w), want) {
			t.Errorf("seed %d: a second time changes it", seed)
		}
		for copies := range 3 {
			again, _ := g.shuffled(t, r, copies+1)
			again.Canonicalise()
			if !bytes.Equal(encode(t, again), want) {
				t.Errorf("seed %d: %d shuffled copies: differs", seed, copies+1)
			}
		}
	}
}

// checkMerged says that got is g with its like types merged: each type is what
// it was but for references, these went where their types went, no type is
// left that none went to, and no two are left that are the same.
func checkMerged(t *testing.T, what string, g graph, got *btf.BTF, to func(btf.ID) btf.ID) {
	t.Helper()
	met := make(map[btf.ID]bool)
	for id := g.b.Start(); id < g.b.End(); id++ {
		met[to(id)] = true
		was := described(g.b, id, func(ref btf.ID) string {
			if ref == 0 {
				return "0"
			}
			return fmt.Sprint(to(ref))
		})
		is := described(got, to(id), func(ref btf.ID) string { return fmt.Sprint(ref) })
		if was != is {
			t.Errorf("%s: type %d became type %d,\n%s, expected\n%s", what, id, to(id), is, was)
		}
	}
	if n := classesOf(g.b, g.pins); int(got.End())-1 != n || len(met) != n {
		t.Errorf("%s: %d types, %d of them met; expected %d", what, got.End()-1, len(met), n)
	}
}

func TestCanonicalMergesRecursiveTypes(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	listHead := func() btf.ID {
		id := btf.ID(w.Len() + 1)
		w.Struct("list_head", 16, btf.BuildMember{Name: "next", Type: id + 1}, btf.BuildMember{Name: "prev", Type: id + 1, BitOffset: 64})
		w.Ptr(id)
		return id
	}
	pair := func() btf.ID { // struct a { struct b *b; }; struct b { struct a *a; };
		id := btf.ID(w.Len() + 1)
		w.Struct("a", 8, btf.BuildMember{Name: "b", Type: id + 1})
		w.Ptr(id + 2)
		w.Struct("b", 8, btf.BuildMember{Name: "a", Type: id + 3})
		w.Ptr(id)
		return id
	}
	lists, pairs := []btf.ID{listHead(), listHead(), listHead()}, []btf.ID{pair(), pair()}
	ids := w.Canonicalise()
	b := parse(t, encode(t, w))
	if b.End() != 1+2+4 {
		t.Errorf("%d types, expected 6", b.End()-1)
	}
	for what, copies := range map[string][]btf.ID{"list_head": lists, "a": pairs} {
		for _, id := range copies {
			if to := ids[id-1]; to != ids[copies[0]-1] || b.Name(to) != what {
				t.Errorf("%s, once type %d, is type %d, %q", what, id, to, b.Name(to))
			}
		}
	}
}

// A type and the pointer to it, which refer to nothing but each other, are two.
func TestCanonicalTellsTypeFromItsPointer(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.Ptr(2)
	w.Struct("llist_node", 8, btf.BuildMember{Name: "next", Type: 1})
	w.Const(4)
	w.Ptr(3)
	to := w.Canonicalise()
	slices.Sort(to)
	if !slices.Equal(to, []btf.ID{1, 2, 3, 4}) {
		t.Errorf("new ids %v, expected four", to)
	}
}

func TestCanonicalKeepsPinsApart(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	var ids []btf.ID
	for _, pin := range []uint32{2, 1, 0, 1, 0} {
		id := w.Struct("s", 4)
		w.Pin(id, pin)
		ids = append(ids, id)
	}
	w.Typedef("to_first", ids[0])
	w.Typedef("to_first", ids[1])
	if to := w.Canonicalise(); !slices.Equal(to, []btf.ID{2, 1, 3, 1, 3, to[5], to[6]}) || to[5] == to[6] {
		t.Errorf("%v, expected the structs by pin, the one without last, and two typedefs", to)
	}
}

// Pinned types come first, by pin, whatever they are named and refer to.
func TestCanonicalPutsPinnedFirst(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.Struct("a", 4)
	w.Pin(w.Ptr(1), 7)
	w.Pin(w.Struct("z", 8, btf.BuildMember{Name: "p", Type: 2}), 3)
	w.Pin(w.Struct("b", 4), 9)
	if got, want := w.Canonicalise(), []btf.ID{4, 2, 1, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}

// Two types that differ four pointers further down are two types.
func TestCanonicalTellsDeepDifferences(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	chain := func(size uint32) btf.ID {
		id := w.Int("int", size, 0)
		for _, name := range []string{"d", "c", "b", "a"} {
			id = w.Struct(name, 8, btf.BuildMember{Name: "to", Type: w.Ptr(id)})
		}
		return id
	}
	four, eight, again := chain(4), chain(8), chain(4)
	to := w.Canonicalise()
	if to[four-1] == to[eight-1] || to[four-1] != to[again-1] || w.Len() != 2*9 {
		t.Errorf("types %d, %d, %d of %d; expected the second to differ, 18 in all", to[four-1], to[eight-1], to[again-1], w.Len())
	}
}

// The named come by name, each before what it alone refers to.
func TestCanonicalOrder(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.Const(0)
	w.Struct("b", 4)
	w.Typedef("a", 5)
	w.Union("b", 4)
	w.Ptr(6)
	w.Volatile(0)
	if got, want := w.Canonicalise(), []btf.ID{6, 4, 1, 5, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}

// On a base, and with references to types that are not there: those stay.
func TestCanonicalSplitAndDangling(t *testing.T) {
	base := parse(t, encode(t, everyKind(binary.LittleEndian)))
	w := btf.NewSplitBuilder(base)
	for _, ref := range []btf.ID{4, 5, 4, 1000} {
		w.Typedef("t", w.Ptr(ref))
	}
	to := w.Canonicalise()
	b, err := btf.ParseSplit(encode(t, w), base)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []btf.ID{4, 5, 4, 1000} {
		typedef := to[2*i+1]
		if got := b.Ref(b.Ref(typedef)); b.Kind(typedef) != btf.KindTypedef || b.Ref(typedef) != to[2*i] || got != want {
			t.Errorf("typedef %d is type %d, of a pointer to %d; expected one to %d", i, typedef, got, want)
		}
	}
	if b.End() != 20+6 {
		t.Errorf("%d types of its own, expected 6", b.End()-b.Start())
	}
}

func TestCanonicaliseNothing(t *testing.T) {
	w := btf.NewBuilder(binary.BigEndian)
	if ids := w.Canonicalise(); len(ids) != 0 {
		t.Errorf("%v of no types", ids)
	}
	if b := parse(t, encode(t, w)); b.End() != 1 {
		t.Errorf("%d types", b.End()-1)
	}
}
