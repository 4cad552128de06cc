package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/btfsample"
)

var orders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

// build makes a BTF.
func build(t testing.TB, order binary.ByteOrder, fill func(w *btf.Builder)) []byte {
	t.Helper()
	w := btf.NewBuilder(order)
	fill(w)
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// source is a kernel to be stored.
type source struct {
	path string
	raw  []byte
}

// add analyses kernels and adds them.
func add(t testing.TB, w *Writer, kernels ...source) {
	t.Helper()
	for _, k := range kernels {
		types, err := Analyse(k.path, k.raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
	}
}

// storeOf writes kernels as one layer for each batch.
func storeOf(t testing.TB, batches ...[]source) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		add(t, w, batch...)
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func get(t testing.TB, s *Store, path string) []byte {
	t.Helper()
	b, err := s.Get(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// canon is a BTF's graph by other code than this package's: how many types of
// each kind and name have which hash, after as many rounds of hashing what they
// refer to as tell all of them apart that can be told apart.
func canon(t testing.TB, raw []byte) map[string]int {
	t.Helper()
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	n := int(b.End())
	hash, next := make([]uint64, n), make([]uint64, n)
	var seen []uint64
	names := make(map[string]uint64)
	mix := func(h, v uint64) uint64 {
		h = (h ^ v) * 0x9e3779b97f4a7c15
		return h ^ h>>29
	}
	text := func(b []byte) uint64 {
		h, ok := names[string(b)]
		if !ok {
			for _, c := range b {
				h = mix(h, uint64(c)+1)
			}
			names[string(b)] = h
		}
		return h
	}
	for round, distinct := 0, 0; ; round++ {
		for id := btf.ID(1); id < b.End(); id++ {
			h := mix(uint64(b.Kind(id)), text(b.NameBytes(id)))
			ref := func(to btf.ID) { h = mix(h, hash[to]+1) }
			h = mix(h, uint64(b.Size(id))<<32|uint64(b.Vlen(id)))
			if b.KindFlag(id) {
				h = mix(h, 1)
			}
			ref(b.Ref(id))
			for i := range b.Vlen(id) { // of the four, three are zero
				m, e, p, s := b.Member(id, i), b.Enumerator(id, i), b.Param(id, i), b.Secinfo(id, i)
				h = mix(h, text(b.StringBytes(m.NameOff|e.NameOff|p.NameOff)))
				h = mix(h, uint64(m.BitOffset)<<32|uint64(m.BitSize))
				h = mix(h, e.Value)
				h = mix(h, uint64(s.Offset)<<32|uint64(s.Size))
				ref(m.Type)
				ref(p.Type)
				ref(s.Type)
			}
			a := b.Array(id)
			ref(a.Elem)
			ref(a.Index)
			h = mix(h, uint64(a.Nelems))
			h = mix(h, uint64(b.Linkage(id))<<32|uint64(uint32(b.ComponentIndex(id))))
			in := b.Int(id)
			next[id] = mix(h, uint64(in.Encoding)<<16|uint64(in.BitOffset)<<8|uint64(in.Bits))
		}
		hash, next = next, hash
		seen = append(seen[:0], hash...)
		slices.Sort(seen)
		n := len(slices.Compact(seen))
		if n <= distinct && round > 1 {
			break
		}
		distinct = n
	}
	types := make(map[string]int)
	for id := btf.ID(1); id < b.End(); id++ {
		types[fmt.Sprintf("%v %q %x", b.Kind(id), b.Name(id), hash[id])]++
	}
	return types
}

// sameTypes compares what a store gives with what was added.
func sameTypes(t testing.TB, got, want []byte) {
	t.Helper()
	if got[0] != want[0] {
		t.Errorf("byte order of %x, expected %x", got[:2], want[:2])
	}
	g, w := canon(t, got), canon(t, want)
	for k, n := range w {
		if g[k] != n {
			t.Errorf("%d of %s, expected %d", g[k], k, n)
		}
	}
	for k, n := range g {
		if w[k] == 0 {
			t.Errorf("%d of %s, expected none", n, k)
		}
	}
}

// cases are BTFs that are awkward to store, by what makes them so.
var cases = map[string]func(w *btf.Builder){
	"nothing":    func(w *btf.Builder) {},
	"every kind": func(w *btf.Builder) { btfsample.EveryKind(w, "") },
	"awkward":    btfsample.Awkward,
	"twice": func(w *btf.Builder) { // every copy of the second refers to ids of its own
		for range 2 {
			// Builder ids go on, so that the second is a copy with other ids.
			i := w.Int("int", 4, btf.Signed)
			at := btf.ID(w.Len() + 1)
			w.Struct("list_head", 16, btf.BuildMember{Name: "next", Type: at + 1}, btf.BuildMember{Name: "prev", Type: at + 1, BitOffset: 64})
			w.Ptr(at)
			w.Const(w.Ptr(w.Array(i, i, 3)))
			w.Enum("", 4, false, btf.BuildEnumerator{Name: "A", Value: 1})
		}
	},
	"ambiguous, by value": func(w *btf.Builder) {
		// Two structs of one name; each is embedded in a struct of its own, and
		// in a struct of the same name that only differs in which it embeds.
		i, l := w.Int("int", 4, btf.Signed), w.Int("long", 8, btf.Signed)
		small := w.Struct("state", 8, btf.BuildMember{Name: "a", Type: i})
		large := w.Struct("state", 8, btf.BuildMember{Name: "a", Type: l})
		for k, s := range []btf.ID{small, large, large, small} {
			w.Struct(fmt.Sprint("holder", k), 8, btf.BuildMember{Name: "s", Type: s})
			h := w.Struct("holder", 8, btf.BuildMember{Name: "s", Type: s})
			w.Typedef("holder_t", h)
			w.Struct("points", 16, btf.BuildMember{Name: "p", Type: w.Ptr(h)}, btf.BuildMember{Name: "q", Type: w.Ptr(s), BitOffset: 64})
		}
	},
	"mutually recursive of the same names": func(w *btf.Builder) {
		// a and b refer to each other, three times; only c tells them apart.
		i, l, s := w.Int("int", 4, btf.Signed), w.Int("long", 8, btf.Signed), w.Int("short", 2, btf.Signed)
		for k, leaf := range []btf.ID{i, l, s, l} {
			at := btf.ID(w.Len() + 1) // a, b, *a, *b, *c, c
			w.Struct("a", 16, btf.BuildMember{Name: "b", Type: at + 3}, btf.BuildMember{Name: "k", Type: i, BitOffset: 64})
			w.Struct("b", 16, btf.BuildMember{Name: "a", Type: at + 2}, btf.BuildMember{Name: "c", Type: at + 4, BitOffset: 64})
			w.Ptr(at)
			w.Ptr(at + 1)
			w.Ptr(at + 5)
			w.Struct("c", 8, btf.BuildMember{Name: "leaf", Type: leaf}, btf.BuildMember{Name: "a", Type: at + 2})
			w.Func("f", w.FuncProto(0, btf.BuildParam{Name: "a", Type: at + 2}), uint32(k%2))
		}
	},
	"one name, every kind": func(w *btf.Builder) {
		i := w.Int("x", 4, btf.Signed)
		s := w.Struct("x", 4, btf.BuildMember{Name: "x", Type: i})
		u := w.Union("x", 4, btf.BuildMember{Name: "x", Type: s})
		e := w.Enum("x", 4, false, btf.BuildEnumerator{Name: "x"})
		f := w.Fwd("x", false)
		g := w.Fwd("x", true)
		y := w.Typedef("x", u)
		p := w.FuncProto(e, btf.BuildParam{Name: "x", Type: y}, btf.BuildParam{Name: "x", Type: w.Ptr(f)}, btf.BuildParam{Type: w.Ptr(g)})
		fn := w.Func("x", p, btf.LinkageGlobal)
		v := w.Var("x", w.TypeTag("x", i), btf.LinkageGlobal)
		w.Datasec("x", 4, btf.BuildSecinfo{Type: v, Size: 4})
		w.Float("x", 4)
		w.DeclTag("x", fn, 0)
		w.DeclTag("x", fn, -1)
		w.DeclTag("x", s, 0)
	},
	"roots without a name": func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		one := w.Struct("of", 4, btf.BuildMember{Name: "a", Type: i})
		two := w.Struct("of", 8, btf.BuildMember{Name: "a", Type: i})
		w.Enum("", 4, false, btf.BuildEnumerator{Name: "A"})
		w.Enum("", 4, false, btf.BuildEnumerator{Name: "B"})
		inner := w.Struct("", 4, btf.BuildMember{Name: "x", Type: i})
		w.Struct("", 4, btf.BuildMember{Name: "y", Type: inner})
		w.Struct("", 4, btf.BuildMember{Name: "x", Type: i}) // a copy of what another has
		for _, s := range []btf.ID{one, two, two} {          // the same but for which
			w.Ptr(w.Const(s))
			w.TypeTag("user", s)
		}
		w.Var("", i, 0)
		w.Datasec("", 4, btf.BuildSecinfo{Type: i, Size: 4})
	},
	"numbers at their ends": func(w *btf.Builder) {
		i := w.Int("int", 0xffffffff, btf.Signed)
		w.Struct("max", 0xffffffff, btf.BuildMember{Name: "a", Type: i, BitOffset: 0xffffffff}, btf.BuildMember{Name: "b", Type: i})
		w.Struct("bits", 9, btf.BuildMember{Name: "a", Type: i, BitOffset: 0xffffff, BitSize: 255}, btf.BuildMember{Name: "b", Type: i, BitSize: 1},
			btf.BuildMember{Name: "c", Type: i, BitOffset: 5})
		w.Enum("e", 4, true, btf.BuildEnumerator{Name: "a", Value: 0x7fffffff}, btf.BuildEnumerator{Name: "b", Value: 0x80000000}, btf.BuildEnumerator{Name: "c"})
		w.Enum64("f", 8, false, btf.BuildEnumerator{Name: "a", Value: 1<<64 - 1}, btf.BuildEnumerator{Name: "b"}, btf.BuildEnumerator{Name: "c", Value: 1 << 63})
		w.Array(i, i, 0xffffffff)
		v := w.Var("v", i, 0xffffffff)
		w.Datasec("d", 0, btf.BuildSecinfo{Type: v, Offset: 0xffffffff, Size: 0xffffffff}, btf.BuildSecinfo{Type: v})
		w.DeclTag("t", i, -1<<31)
	},
	"deep, as far as it goes": func(w *btf.Builder) {
		id := w.Int("int", 4, btf.Signed)
		for range maxDepth - 1 {
			id = w.Ptr(id)
		}
		w.Typedef("deep", id)
	},
}

// Every case comes back as the same types, alone and beside all the others.
func TestRoundTrip(t *testing.T) {
	var all []source
	for _, order := range orders {
		for name, fill := range cases {
			all = append(all, source{fmt.Sprint(name, " ", order), build(t, order, fill)})
		}
	}
	slices.SortFunc(all, func(a, b source) int { return strings.Compare(a.path, b.path) })
	together := open(t, storeOf(t, all))
	if err := together.Verify(nil); err != nil {
		t.Error(err)
	}
	for _, k := range all {
		t.Run(k.path, func(t *testing.T) {
			alone := get(t, open(t, storeOf(t, []source{k})), k.path)
			sameTypes(t, alone, k.raw)
			if beside := get(t, together, k.path); !bytes.Equal(beside, alone) {
				t.Error("what comes back depends on the other kernels")
			}
		})
	}
}

// What a store gives back is canonical: added again, it comes back byte for
// byte.
func TestGetIsCanonical(t *testing.T) {
	for name, fill := range cases {
		first := get(t, open(t, storeOf(t, []source{{"k", build(t, binary.LittleEndian, fill)}})), "k")
		second := get(t, open(t, storeOf(t, []source{{"k", first}})), "k")
		if !bytes.Equal(first, second) {
			t.Errorf("%s: differs", name)
		}
	}
}

// The judge of these tests sees what it is meant to see.
func TestCanonTellsApart(t *testing.T) {
	seen := map[string]string{}
	for name, fill := range cases {
		key := fmt.Sprint(canon(t, build(t, binary.LittleEndian, fill)))
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[key] = name
	}
	by := func(swap bool) map[string]int {
		return canon(t, build(t, binary.LittleEndian, func(w *btf.Builder) {
			a := w.Struct("s", 4, btf.BuildMember{Name: "x"})
			b := w.Struct("s", 4, btf.BuildMember{Name: "y"})
			if swap {
				a, b = b, a
			}
			w.Typedef("a", w.Ptr(a))
			w.Typedef("b", w.Ptr(b))
		}))
	}
	if fmt.Sprint(by(false)) == fmt.Sprint(by(true)) {
		t.Error("which of two structs a typedef leads to is not seen")
	}
}

// series is a few kernels that have most types in common.
func series(t testing.TB, n int) []source {
	var list []source
	for k := range n {
		raw := build(t, orders[k/5%2], func(w *btf.Builder) {
			r := rand.New(rand.NewPCG(1, 1))
			ids := []btf.ID{w.Int("int", 4, btf.Signed), w.Int("long", 8, btf.Signed)}
			for i := range 400 {
				size := uint32(r.IntN(64))
				if i%60 == k {
					size++
				}
				ids = append(ids, w.Struct(fmt.Sprint("s", i%380), size, btf.BuildMember{Name: fmt.Sprint("m", i%50), Type: ids[r.IntN(len(ids))]},
					btf.BuildMember{Name: "p", Type: w.Ptr(ids[r.IntN(len(ids))]), BitOffset: 64}))
			}
			for i := range 100 + k {
				w.Func(fmt.Sprint("f", i), w.FuncProto(0, btf.BuildParam{Name: "a", Type: ids[r.IntN(len(ids))]}), btf.LinkageStatic)
				w.Enum("", 4, false, btf.BuildEnumerator{Name: fmt.Sprint("E", i), Value: uint64(i)})
			}
			if k%2 == 1 {
				btfsample.EveryKind(w, "")
			}
		})
		list = append(list, source{fmt.Sprintf("d/%d/x86_64/6.%d", k/4, k), raw})
	}
	return list
}

// The bytes of a compacted store depend on its kernels alone.
func TestCompactIsCanonical(t *testing.T) {
	kernels := series(t, 12)
	dir := t.TempDir()
	compact := func(name string, batches ...[]source) []byte {
		to := filepath.Join(dir, name)
		if err := Compact(storeOf(t, batches...), to); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	want := compact("one", kernels)
	direct, err := os.ReadFile(storeOf(t, kernels))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(direct, want) {
		t.Error("a store written at once is not what it is compacted to")
	}
	shuffled := slices.Clone(kernels)
	r := rand.New(rand.NewPCG(2, 3))
	for range 3 {
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if !bytes.Equal(compact("shuffled", shuffled), want) {
			t.Error("another order gives other bytes")
		}
		var batches [][]source
		for rest := shuffled; len(rest) > 0; {
			n := min(1+r.IntN(3), len(rest))
			batches = append(batches, rest[:n])
			rest = rest[n:]
		}
		path := storeOf(t, batches...)
		layered := open(t, path)
		if layered.Stats().Layers != len(batches) {
			t.Errorf("%d layers, expected %d", layered.Stats().Layers, len(batches))
		}
		if err := layered.Verify(nil); err != nil {
			t.Error(err)
		}
		compacted := open(t, filepath.Join(dir, "one"))
		for _, k := range kernels {
			if !bytes.Equal(get(t, layered, k.path), get(t, compacted, k.path)) {
				t.Errorf("%s: what comes back depends on layers", k.path)
			}
		}
		if !bytes.Equal(compact("batches", batches...), want) {
			t.Error("batches give other bytes")
		}
		// In its own place, and once more.
		for range 2 {
			if err := Compact(path, path); err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(path); err != nil || !bytes.Equal(raw, want) {
				t.Error("compacted in place, other bytes:", err)
			}
		}
	}
}

// Blocks of what names are looked up in are small, and hold nothing else.
func TestBlockSizes(t *testing.T) {
	raw := build(t, binary.LittleEndian, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		proto := w.FuncProto(i)
		for n := range 60_000 {
			w.Typedef(fmt.Sprint("typedef", n), i)
			w.Func(fmt.Sprint("func", n), proto, btf.LinkageStatic)
		}
	})
	s := open(t, storeOf(t, []source{{"k", raw}}))
	var blocks [2][]block // of definitions, by group
	var ends [2]uint32    // of strings
	for _, b := range s.definitionBlocks {
		blocks[b.group] = append(blocks[b.group], b)
		ends[b.group] = b.firstString + b.newStrings
	}
	var strs [2][]block
	for _, b := range s.stringBlocks {
		group := 0
		if b.first >= ends[0] {
			group = 1
		}
		if b.first+b.count > ends[group] {
			t.Errorf("strings %d to %d are in one block, those up to %d new in group %d", b.first, b.first+b.count, ends[group], group)
		}
		strs[group] = append(strs[group], b)
	}
	for group, size := range []uint32{64 << 10, 256 << 10} {
		for _, list := range [][]block{blocks[group], strs[group]} {
			if len(list) < 2 {
				t.Errorf("group %d: %d blocks, expected several", group, len(list))
			}
			for i, b := range list {
				if b.raw >= size+100 || b.raw < size && i < len(list)-1 {
					t.Errorf("group %d: block %d of %v has %d bytes, expected %d", group, i, b.kind, b.raw, size)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	le := binary.LittleEndian
	valid := build(t, le, func(w *btf.Builder) { btfsample.EveryKind(w, "") })
	base, err := btf.Parse(valid)
	if err != nil {
		t.Fatal(err)
	}
	split := btf.NewSplitBuilder(base)
	split.Struct("module", 4, btf.BuildMember{Name: "a", Type: 1})
	module, err := split.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		raw        []byte
		want       string
	}{
		{"too deep", "k", build(t, le, func(w *btf.Builder) {
			id := w.Int("int", 4, btf.Signed)
			for range maxDepth {
				id = w.Ptr(id)
			}
			w.Typedef("deep", id)
		}), "nested deeper than 64"},
		{"a circle without a name", "k", build(t, le, btfsample.Unsayable), "in a circle"},
		{"a circle that no name leads to", "k", build(t, le, func(w *btf.Builder) { w.Ptr(2); w.Ptr(1) }), "in a circle"},
		{"wide and deep", "k", build(t, le, func(w *btf.Builder) {
			id := w.Struct("", 4)
			for range 40 {
				id = w.Struct("", 4, btf.BuildMember{Type: id}, btf.BuildMember{Type: id})
			}
			w.Typedef("wide", id)
		}), "takes more than 1048576 bytes"},
		{"wide and deep, and no name leads to it", "k", build(t, le, func(w *btf.Builder) {
			id := w.Struct("", 4)
			for range 40 {
				id = w.Struct("", 4, btf.BuildMember{Type: id}, btf.BuildMember{Type: id})
			}
		}), "takes more than 1048576 bytes"},
		{"split", "k", module, "malformed BTF"},
		{"a reference to nothing", "k", build(t, le, func(w *btf.Builder) { w.Ptr(7) }), "but there are 1 types"},
		{"empty", "k", nil, "malformed BTF"},
		{"cut off", "k", valid[:len(valid)-20], "malformed BTF"},
		{"no path", "", valid, "no name"},
		{"a long path", strings.Repeat("x", maxPath+1), valid, "at most 4096 fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Analyse(c.path, c.raw)
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Path != c.path {
				t.Fatalf("not refused by name: %v", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, expected %q", err, c.want)
			}
		})
	}
}

// A store in memory is the same as in a file, its errors have the name that it was given.
func TestOpenBytes(t *testing.T) {
	path := storeOf(t, series(t, 3))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenBytes("in memory", raw)
	if err != nil {
		t.Fatal(err)
	}
	of := open(t, path)
	if got, want := s.Kernels(), of.Kernels(); !slices.Equal(got, want) || len(got) != 3 {
		t.Fatalf("kernels %v, in the file %v", got, want)
	}
	for _, k := range s.Kernels() {
		if !bytes.Equal(get(t, s, k.Path), get(t, of, k.Path)) {
			t.Errorf("%s: not what the file has", k.Path)
		}
	}
	if err := errors.Join(s.Verify(nil), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := OpenBytes("in memory", raw[:len(raw)-8]); !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), "in memory: ") {
		t.Errorf("a store that is cut off: %v", err)
	}
}
