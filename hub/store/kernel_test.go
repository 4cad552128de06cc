package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// Runs say what they are made of, whatever the sets.
func TestRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	random := func(n uint32) set {
		s := newSet(n)
		for at := uint32(0); at < n; {
			next := min(n, at+1+uint32(r.IntN(1+r.IntN(200))))
			if r.IntN(2) == 0 {
				s.toggle(at, next)
			}
			at = next
		}
		return s
	}
	for range 2000 {
		n := uint32(r.IntN(500))
		own, base := random(n), random(uint32(r.IntN(int(n)+1)))
		if r.IntN(3) == 0 {
			base = nil
		}
		c := cursor{b: own.appendRuns(nil, base, n)}
		count := c.count(1)
		if want := own.runs(base); count != want && count != want+1 { // one that ends with the last word is not counted
			t.Fatalf("%d runs, counted as %d", count, want)
		}
		got := newSet(n)
		copy(got, base)
		at, on := uint32(0), false
		for range count {
			next := at + c.word()
			if on {
				got.toggle(at, next)
			}
			at, on = next, !on
		}
		if !c.done() || !slices.Equal(got, own) {
			t.Fatalf("%x is not %x", got, own)
		}
		seen := 0
		own.each(func(i uint32) {
			if own[i/64]>>(i%64)&1 == 0 {
				t.Fatalf("%d is not in it", i)
			}
			seen++
		})
		if seen != own.len() {
			t.Fatalf("%d of %d seen", seen, own.len())
		}
	}
}

func TestRecord(t *testing.T) {
	for _, r := range []record{
		{order: binary.LittleEndian, unique: 1},
		{order: binary.BigEndian, back: 7, sum: 0xdeadbeef, unique: 30,
			changes: []variation{
				{0, 1, []uint32{0}, []uint32{5}}, {1, 3, []uint32{7, 300}, []uint32{1, 0, 1, 9, 2, 300}}, {def: 2, types: 1},
				{40, 1, []uint32{0, 1, 2}, []uint32{1, 1<<32 - 1, 1}}, {def: maxDefinitions - 1, types: 1},
			},
			copied:   []copiedType{{0, 0, 1}, {0, 1, 2}, {0, 9, 1}, {1, 0, 1}, {1, 3, 300}, {maxDefinitions - 1, maxTypes - 1, maxTypes}},
			nameless: []copyRun{{0, 1}, {1, 2}, {maxTypes - 1, maxTypes}}},
		{order: binary.LittleEndian, unique: maxTypes, copied: []copiedType{{0, 4, 1}}, nameless: []copyRun{{4, 1}}},
		{order: binary.LittleEndian, unique: maxTypes, copied: []copiedType{{3, 4, 1}, {3, 5, 1}, {5, 5, 1}}},
	} {
		got, err := parseRecord(r.bytes([]byte{2, 5, 6}))
		if err != nil {
			t.Fatal(err)
		}
		r.nruns, r.runs = 2, []byte{5, 6}
		if !reflect.DeepEqual(*got, r) {
			t.Errorf("%+v, expected %+v", *got, r)
		}
	}
}

// Reading a record takes a few allocations, however many numbers it has.
func TestRecordAllocations(t *testing.T) {
	r := record{order: binary.LittleEndian, back: 1, unique: 1}
	for i := range uint32(1000) {
		r.changes = append(r.changes, variation{2 * i, 2, []uint32{i, i + 1, i + 4}, []uint32{1, 1, 1, 2, i, 3}})
		r.copied = append(r.copied, copiedType{i, i, 1})
		r.nameless = append(r.nameless, copyRun{i, i + 1})
	}
	raw := r.bytes([]byte{0})
	if n := testing.AllocsPerRun(10, func() {
		if _, err := parseRecord(raw); err != nil {
			t.Fatal(err)
		}
	}); n > 5 {
		t.Errorf("%v allocations", n)
	}
}

// Who asks for some changes gets these and reads no more.
func TestRecordOf(t *testing.T) {
	r := record{order: binary.LittleEndian, back: 1, unique: 1, nruns: 1, runs: []byte{7}, copied: []copiedType{{3, 4, 1}}, nameless: []copyRun{{4, 1}}, changes: []variation{
		{0, 1, []uint32{0}, []uint32{5}}, {1, 3, []uint32{7, 300}, []uint32{1, 0, 1, 9, 2, 300}}, {def: 2, types: 1},
		{40, 1, []uint32{0, 1, 2}, []uint32{1, 1<<32 - 1, 1}}, {def: 90, types: 1},
	}}
	raw := r.bytes([]byte{1, 7})
	for asked := range 1 << len(r.changes) {
		want := r
		want.changes = nil
		for i, v := range r.changes {
			if asked>>i&1 != 0 {
				want.changes = append(want.changes, v)
			}
		}
		isAsked := func(def uint32) bool {
			return slices.ContainsFunc(want.changes, func(v variation) bool { return v.def == def })
		}
		got, err := parseRecordOf(raw, isAsked)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%05b: %+v, %v, expected %+v", asked, got, err, want)
		}
		torn := bytes.Clone(raw)
		torn[len(torn)-1] |= 0x80
		got, err = parseRecordOf(torn, isAsked)
		if read := asked>>3&1 != 0; read != (err != nil) || !read && !reflect.DeepEqual(*got, want) {
			t.Errorf("%05b: the last ordinal has no end: %+v, %v", asked, got, err)
		}
		if _, err := parseRecordOf(raw[:len(raw)-2], isAsked); err == nil {
			t.Errorf("%05b: fewer bytes than ordinals: no error", asked)
		}
	}
}

// Numbers are skipped as they are read.
func TestSkip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 3))
	for range 2000 {
		var b []byte
		for range r.IntN(40) {
			b = binary.AppendUvarint(b, r.Uint64()>>r.IntN(64))
		}
		b = b[:len(b)-min(len(b), r.IntN(3))]
		n := r.IntN(42)
		read, skipped := cursor{b: b}, cursor{b: b}
		for range n {
			read.uvarint()
		}
		if skipped.skip(n); skipped.bad != read.bad || skipped.i != read.i {
			t.Fatalf("% x: %d numbers end at %d, %v, expected %d, %v", b, n, skipped.i, skipped.bad, read.i, read.bad)
		}
	}
}

// Records that no writer makes.
func TestRecordRefused(t *testing.T) {
	u := func(values ...uint64) (b []byte) {
		for _, v := range values {
			b = binary.AppendUvarint(b, v)
		}
		return b
	}
	whole := func(back uint64, rest []byte) []byte { return append(append(u(back, 0), 1, 2, 3, 4, 0, 9), rest...) }
	for _, c := range []struct {
		name string
		back uint64
		rest []byte
		good bool
	}{
		{"nothing", 0, u(0, 0, 0), true},
		{"more behind", 0, u(0, 0, 0, 0), false},
		{"less", 0, u(0, 0), false},
		{"a base too far", maxKernels + 1, u(0, 0, 0), false},
		{"a change", 0, u(1, 4, 1, 0, 2, 0, 0, 2), true},
		{"a change of the last definition", 0, u(1, maxDefinitions-1, 1, 0, 2, 0, 0, 2), true},
		{"a change past the last definition", 0, u(1, maxDefinitions, 1, 0, 2, 0, 0, 2), false},
		{"changes up to the last definition", 1, u(2, 4, maxDefinitions-6, 0, 0, 0, 0), true},
		{"changes past the last definition", 1, u(2, 4, maxDefinitions-5, 0, 0, 0, 0), false},
		{"definitions around", 1, u(2, 4, 1<<64-3, 0, 0, 0, 0), false},
		{"no variation without a base", 0, u(1, 4, 0, 0, 0), false},
		{"more changes than bytes", 1, u(200, 4, 0, 0, 0), false},
		{"more slots than bytes", 0, u(1, 4, 100, 0, 2, 2, 0, 0), false},
		{"slots of which all ordinals are 0", 0, u(1, 4, 1, 0, 2, 0, 0, 0), false},
		{"one of two of which all ordinals are 0", 0, u(1, 4, 2, 0, 2, 0, 0, 0, 2, 0), false},
		{"two of two types", 0, u(1, 4, 2, 1, 2, 0, 0, 0, 2, 0, 0, 1), true},
		{"ordinals that are 0 again", 0, u(1, 4, 1, 1, 2, 0, 0, 2, 1), true},
		{"the last reference", 0, u(1, 4, 1, 0, maxRefs-1, 0, 0, 2), true},
		{"a reference past the last", 0, u(1, 4, 1, 0, maxRefs, 0, 0, 2), false},
		{"the second past the last", 0, u(1, 4, 2, 0, 7, maxRefs-8, 0, 0, 2, 2), false},
		{"the second at the last", 0, u(1, 4, 2, 0, 7, maxRefs-9, 0, 0, 2, 2), true},
		{"references around", 0, u(1, 4, 2, 0, 7, 1<<64-3, 0, 0, 2, 2), false},
		{"more types than bytes", 0, u(1, 4, 1, 200, 2, 0, 0, 2), false},
		{"more types than there can be", 0, u(1, 4, 1, maxTypes, 2, 0, 0, 2), false},
		{"numbers without end, many times", 0, u(3, 0, 0, 0, 1, 1, 1, maxTypes-1, maxTypes-1, maxTypes-1, 0, 0, 0, 0, 0, 2, 2, 2), false},
		{"two changes", 1, u(3, 4, 5, 6, 1, 0, 2, 0, 1, 7, 8, 9, 0, 0, 2, 2, 1, 0, 4), true},
		{"an ordinal less", 1, u(3, 4, 5, 6, 1, 0, 2, 0, 1, 7, 8, 9, 0, 0, 2, 2, 1, 0), false},
		{"an ordinal more", 1, u(3, 4, 5, 6, 1, 0, 2, 0, 1, 7, 8, 9, 0, 0, 2, 2, 1, 0, 4, 0), false},
		{"an ordinal too large", 0, u(1, 4, 1, 0, 2, 0, 0, 1<<32), false},
		{"copies", 0, u(0, 2, 3, 4, 1, 0, 0, 2, 1, 5, 6), true},
		{"no copies of a named type", 0, u(0, 1, 3, 4, 0, 0), false},
		{"no copies of one without a name", 0, u(0, 0, 1, 5, 0), false},
		{"copies of the last definition", 0, u(0, 1, maxDefinitions-1, 4, 1, 0), true},
		{"copies past the last definition", 0, u(0, 1, maxDefinitions, 4, 1, 0), false},
		{"copies past the last definition, by a gap", 0, u(0, 2, 7, 0, 1, maxDefinitions-7, 4, 1, 0), false},
		{"copies past the last type", 0, u(0, 1, 3, maxTypes, 1, 0), false},
		{"copies past the last type, by a gap", 0, u(0, 2, 3, 4, 1, 0, maxTypes-5, 1, 0), false},
		{"copies past the last without a name", 0, u(0, 0, 1, maxTypes, 1), false},
		{"copies past the last without a name, by a gap", 0, u(0, 0, 2, 4, 1, maxTypes-5, 1), false},
		{"more copies than there can be", 0, u(0, 1, 3, 4, maxTypes+1, 0), false},
		{"more copies of one without a name than there can be", 0, u(0, 0, 1, 4, maxTypes+1), false},
		{"more copied types than bytes", 0, u(0, 100, 3, 4, 1, 0), false},
		{"more copied types without a name than bytes", 0, u(0, 0, 100, 3, 4), false},
	} {
		raw := whole(c.back, c.rest)
		r, err := parseRecord(raw)
		switch {
		case (err == nil) != c.good:
			t.Errorf("%s: %v", c.name, err)
		case err != nil && !errors.Is(err, ErrFormat):
			t.Errorf("%s: %v", c.name, err)
		case err == nil && !bytes.Equal(r.bytes([]byte{0}), raw):
			t.Errorf("%s: written again, it is % x, was % x", c.name, r.bytes([]byte{0}), raw)
		}
	}
}

// A kernel's variations are those of its base and its changes to them.
func TestChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	const n = 60
	random := func(of []variation) (in set, vary []variation) {
		in = newSet(n)
		for def := range uint32(n) {
			at := slices.IndexFunc(of, func(v variation) bool { return v.def == def })
			switch r.IntN(4) {
			case 0: // it does not have the definition
				continue
			case 1: // it says something of its own
				v := variation{def: def, types: 1 + uint32(r.IntN(2)), refs: []uint32{uint32(r.IntN(2))}, ordinals: []uint32{1}}
				if v.types == 2 {
					v.ordinals = append(v.ordinals, uint32(r.IntN(2)))
				}
				vary = append(vary, v)
			case 2:
				if at >= 0 {
					vary = append(vary, of[at])
				}
			}
			in.add(def)
		}
		return in, vary
	}
	same := func(a, b []variation) bool {
		return slices.EqualFunc(a, b, func(v, w variation) bool { return v.def == w.def && v.equal(&w) })
	}
	taken := 0
	for range 2000 {
		_, base := random(nil)
		own, vary := random(base)
		before := slices.Clone(base)
		changes := changesTo(own, vary, base)
		got, err := change(own, base, changes, nil)
		if err != nil || !same(got, vary) {
			t.Fatalf("%+v, %v, expected %+v", got, err, vary)
		}
		if !same(base, before) {
			t.Fatal("the base's have changed")
		}
		for _, v := range changes {
			if i := slices.IndexFunc(base, func(b variation) bool { return b.def == v.def }); i >= 0 && base[i].equal(&v) {
				t.Fatalf("%+v is as the base has it", v)
			}
		}
		if len(vary) > len(changes) {
			taken++
		}
	}
	if taken == 0 {
		t.Error("nothing was ever taken over")
	}
}

// An update of a kernel in which thousands of references are not to the first of
// a name costs what is new in it.
func TestUpdateRepeatsNothing(t *testing.T) {
	kernel := func(more int) []byte {
		return build(t, binary.LittleEndian, func(w *btf.Builder) {
			for i := range 3 {
				s := w.Struct("twin", uint32(8+i))
				for k := range 1000 {
					w.Struct(fmt.Sprint("holder", k), 8, btf.BuildMember{Name: "t", Type: w.Ptr(s)})
				}
			}
			for i := range more {
				w.Int(fmt.Sprint("more", i), 4, 0)
			}
		})
	}
	for _, batches := range [][][]source{
		{{{"a/1", kernel(0)}}, {{"a/2", kernel(3)}}},
		{{{"a/1", kernel(0)}, {"a/2", kernel(3)}}},
	} {
		s := open(t, storeOf(t, batches...))
		for n, most := range map[int]uint32{0: 20_000, 1: 30} {
			if size := s.kernels[n].record; size > most || n == 0 && size < 3000 {
				t.Errorf("%s: %d bytes of a record", s.kernels[n].Path, size)
			}
		}
		if _, vary, _, r, err := s.set(1); err != nil || len(vary) != 1000 || len(r.changes) != 0 || r.back != 1 {
			t.Errorf("%d variations, %d changes, base %d, %v", len(vary), len(r.changes), r.back, err)
		}
	}
}

// What comes back does not depend on the ids of what was added.
func TestIdsDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	for name, fill := range cases {
		for _, order := range orders {
			raw := build(t, order, fill)
			want := get(t, open(t, storeOf(t, []source{{"k", raw}})), "k")
			b, err := btf.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				perm := r.Perm(int(b.End()) - 1) // the type that comes at a place
				newID := make([]btf.ID, b.End())
				for at, id := range perm {
					newID[id+1] = btf.ID(at + 1)
				}
				shuffled := build(t, order, func(w *btf.Builder) {
					for _, id := range perm {
						if _, err := w.Copy(b, btf.ID(id+1), btf.Copied{All: true}, func(to btf.ID) btf.ID { return newID[to] }); err != nil {
							t.Fatal(err)
						}
					}
				})
				if got := get(t, open(t, storeOf(t, []source{{"k", shuffled}})), "k"); !bytes.Equal(got, want) {
					t.Error(fmt.Sprint(name, " ", order), ": other ids, other types")
				}
			}
		}
	}
}
