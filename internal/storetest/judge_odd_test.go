package storetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/need"
)

// built is a BTF of a few types.
func built(t testing.TB, order binary.ByteOrder, types func(w *btf.Builder)) []byte {
	t.Helper()
	w := btf.NewBuilder(order)
	types(w)
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// twice has every type of a BTF a second time, which refers to the first ones or to the second ones.
func twice(t testing.TB, raw []byte, apart bool) []byte {
	t.Helper()
	b := decoded(t, raw)
	n := b.types() - 1
	for _, at := range b.at[2:] {
		b.at = append(b.at, uint32(len(b.words))+at)
	}
	b.words = append(b.words, b.words...)
	for id := n + 1; id < b.types() && apart; id++ {
		r := b.record(id)
		b.each(id, func(at int, what byte) {
			if what == 't' && r[at] != 0 {
				r[at] += uint32(n)
			}
		})
	}
	return encode(b, identity(b))
}

// list adds struct list {struct list *next} as many times as there are loops, each of so many structs.
func list(w *btf.Builder, loops ...int) {
	for _, n := range loops {
		first := btf.ID(w.Len() + 1)
		for i := range n {
			next := first + btf.ID((i+1)%n*2)
			s := w.Struct("list", 8, btf.BuildMember{Name: "next", Type: btf.ID(w.Len() + 2)})
			if w.Ptr(next) != s+1 {
				panic("ids are not consecutive")
			}
		}
	}
}

// TestStoreKeepsOddGraphs stores what no compiler makes, or only by a mistake: every kind in every form, the same types several
// times, names whose types differ only far away.
func TestStoreKeepsOddGraphs(t *testing.T) {
	graphs := make(map[string][]byte)
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for name, types := range map[string]func(w *btf.Builder){
			"nothing":    func(*btf.Builder) {},
			"an integer": func(w *btf.Builder) { w.Int("int", 4, btf.Signed) },
			"every kind": func(w *btf.Builder) { btfsample.EveryKind(w, "") },
			"awkward":    btfsample.Awkward,
			"unsayable":  btfsample.Unsayable,
			"both":       func(w *btf.Builder) { btfsample.EveryKind(w, "a_"); btfsample.Awkward(w); btfsample.EveryKind(w, "a_") },
			// Loops of any length unroll to the same.
			"lists": func(w *btf.Builder) { list(w, 1, 2, 3, 1) },
			// Structs of one name, told apart by what is at the end of a chain of pointers.
			"far away": func(w *btf.Builder) {
				for i := range 3 {
					at := w.Int("end", 4, btf.IntEncoding(i))
					for range 30 {
						at = w.Ptr(w.Struct("link", 8, btf.BuildMember{Name: "next", Type: at}))
					}
					w.Struct("chain", 16, btf.BuildMember{Name: "c", Type: at}, btf.BuildMember{Name: "d", Type: at, BitOffset: 64})
				}
			},
			// Two structs of a name, each of which holds the other's holder by pointer; and what has no name and nobody needs.
			"crossed": func(w *btf.Builder) {
				i, l := w.Int("int", 4, btf.Signed), w.Int("long", 8, btf.Signed)
				at := btf.ID(w.Len() + 1)
				w.Struct("s", 16, btf.BuildMember{Name: "p", Type: at + 2}, btf.BuildMember{Name: "v", Type: i, BitOffset: 64})
				w.Struct("s", 16, btf.BuildMember{Name: "p", Type: at + 3}, btf.BuildMember{Name: "v", Type: l, BitOffset: 64})
				w.Ptr(at + 1)
				w.Ptr(at)
				w.Struct("t", 8, btf.BuildMember{Name: "s", Type: at + 2})
				w.Struct("t", 8, btf.BuildMember{Name: "s", Type: at + 3})
				w.Struct("", 8, btf.BuildMember{Name: "lone", Type: at + 2})
				w.Struct("", 8, btf.BuildMember{Name: "lone", Type: at + 3})
				w.Const(w.Const(w.Const(i)))
				w.Const(w.Const(w.Const(i)))
				w.TypeTag("user", w.TypeTag("user", w.Ptr(at)))
				w.Enum("", 4, false, btf.BuildEnumerator{Name: "A"})
				w.Enum("", 4, false, btf.BuildEnumerator{Name: "A"})
			},
			// Types without a name that refer to each other and to nothing that has one.
			"nameless loop": func(w *btf.Builder) {
				for range 2 {
					at := btf.ID(w.Len() + 1)
					w.Struct("", 8, btf.BuildMember{Name: "next", Type: at + 1})
					w.Ptr(at)
				}
			},
		} {
			graphs[name+", "+order.String()] = built(t, order, types)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(graphs)) {
		t.Run(name, func(t *testing.T) { storeOne(t, graphs[name], true) })
	}
}

// TestStoreKeepsCopies stores a kernel that has each of its types twice, as linking without deduplication gives it, and one of
// which the second half refers to the first.
func TestStoreKeepsCopies(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	kernel := realKernel(t)
	for _, apart := range []bool{true, false} {
		raw := twice(t, kernel, apart)
		g := storeOne(t, raw, false)
		if types := decoded(t, raw).types() - 1; g.Types != types || g.Classes > types/2 {
			t.Errorf("%d types, %d distinct", g.Types, g.Classes)
		}
	}
}

// storeOne puts a BTF into a store of its own and has what comes back judged. A BTF that nothing real looks like may be refused, not
// silently changed.
func storeOne(t *testing.T, raw []byte, mayRefuse bool) *Graphs {
	t.Helper()
	const path = "a/b/c/odd"
	types, err := store.Analyse(path, raw)
	var refused *store.RefusedError
	if errors.As(err, &refused) && mayRefuse {
		t.Logf("refused: %v", err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "store")
	w, err := store.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add(types); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	got, err := opened(t, file).Get(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := CompareGraphs(raw, got)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range g.Differences {
		t.Error(d)
	}
	t.Logf("%d types, %d distinct, %d ambiguous names", g.Types, g.Classes, g.Ambiguous)
	return g
}

// random is a valid BTF of a few types with very few names, so that most names have several types, many of them nearly the same, in
// circles.
func random(t testing.TB, rng *rand.Rand) []byte {
	t.Helper()
	order := binary.ByteOrder(binary.LittleEndian)
	if rng.IntN(4) == 0 {
		order = binary.BigEndian
	}
	w := btf.NewBuilder(order)
	n := 2 + rng.IntN(28)
	name := func() string { return []string{"", "a", "a", "b", "c"}[rng.IntN(5)] }
	// Pointers and function types lead anywhere; by value only to earlier types, so that nothing contains itself.
	any := func() btf.ID { return btf.ID(rng.IntN(n + 1)) }
	before := func() btf.ID { return btf.ID(rng.IntN(w.Len() + 1)) }
	for w.Len() < n {
		switch rng.IntN(16) {
		case 0:
			w.Int([]string{"int", "a", ""}[rng.IntN(3)], 4, btf.IntEncoding(rng.IntN(2)))
		case 1, 2, 3, 4:
			w.Ptr(any())
		case 5, 6, 7, 8:
			var members []btf.BuildMember
			for i := range uint32(rng.IntN(3)) {
				members = append(members, btf.BuildMember{Name: name(), Type: before(), BitOffset: 32 * i})
			}
			if rng.IntN(4) == 0 {
				w.Union(name(), 16, members...)
			} else {
				w.Struct(name(), 16, members...)
			}
		case 9:
			w.Typedef(name()+"t", before())
		case 10:
			w.Const(before())
		case 11:
			w.Array(before(), before(), uint32(rng.IntN(2)))
		case 12:
			w.Enum(name(), 4, false, btf.BuildEnumerator{Name: "A", Value: uint64(rng.IntN(2))})
		case 13:
			w.Func(name()+"f", w.FuncProto(any(), btf.BuildParam{Name: name(), Type: any()}), btf.LinkageStatic)
		case 14:
			w.Datasec(".d", 8, btf.BuildSecinfo{Type: w.Var(name()+"v", before(), btf.LinkageGlobal), Size: 4})
		default:
			w.DeclTag(name()+"tag", any(), -1)
			w.Fwd(name(), rng.IntN(2) == 0)
			w.TypeTag("user", before())
		}
	}
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestStoreKeepsRandomGraphs puts many random graphs into one store in two layers, where they share definitions, and has all of them
// judged, from the layers and compacted.
func TestStoreKeepsRandomGraphs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store")
	w, err := store.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	graphs := make(map[string][]byte)
	refused, invalid := 0, 0
	const n = 600
	for i := range n {
		raw := random(t, rng)
		if b, err := btf.Parse(raw); err != nil || b.Validate() != nil {
			invalid++
			continue
		}
		path := fmt.Sprintf("random/1/x/%03d", i)
		types, err := store.Analyse(path, raw)
		var no *store.RefusedError
		if errors.As(err, &no) && strings.Contains(err.Error(), "circle") {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
		graphs[path] = raw
		if i == n/2 {
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Compact(file + ".compact"); err != nil {
		t.Fatal(err)
	}
	ambiguous, copies := 0, 0
	layers, compact := opened(t, file), opened(t, file+".compact")
	for _, path := range slices.Sorted(maps.Keys(graphs)) {
		got, err := layers.Get(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		g, err := CompareGraphs(graphs[path], got)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range g.Differences {
			t.Errorf("%s: %s", path, d)
		}
		ambiguous, copies = ambiguous+g.Ambiguous, copies+g.Types-g.Classes
		if again, err := compact.Get(path, nil); err != nil || !bytes.Equal(got, again) {
			t.Errorf("%s: another BTF from the compacted store: %v", path, err)
		}
	}
	t.Logf("%d graphs, %d refused, %d not valid; %d ambiguous names, %d copies", len(graphs), refused, invalid, ambiguous, copies)
	if len(graphs) < n/4 || ambiguous < n/2 || copies < n/4 {
		t.Error("suspiciously little was stored")
	}
}
