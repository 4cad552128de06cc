package store

import (
	"bytes"
	"encoding/binary"
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
		{order: binary.LittleEndian, copies: []copyRun{{1, 0}}, unique: 1},
		{order: binary.BigEndian, back: 7, sum: 0xdeadbeef, unique: 30, copies: []copyRun{{10, 3}, {20, 0}},
			variations: []variation{{0, 0, 1, []uint32{5}}, {1, 2, 2, []uint32{1, 0, 1, 9, 2, 300}}, {40, 0, 3, []uint32{0, 0, 1}}}},
	} {
		got, err := parseRecord(r.bytes([]byte{2, 5, 6}))
		if err != nil {
			t.Fatal(err)
		}
		r.nruns, r.runs = 2, []byte{5, 6}
		if r.variations == nil {
			r.variations = []variation{}
		}
		if !reflect.DeepEqual(*got, r) {
			t.Errorf("%+v, expected %+v", *got, r)
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
