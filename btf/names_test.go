package btf_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// pickable are the names that the tests below look for, some of them shorter
// than the four bytes that a Names looks at.
var pickable = []string{"a", "ab", "abc", "abcd", "abcde", "task_struct", "task_struct_longer", "_", "__", "___x"}

func pick(t *testing.T, raw []byte, base *btf.BTF, names *btf.Names) (*btf.BTF, []btf.ID) {
	t.Helper()
	b := new(btf.BTF)
	ids, err := b.ResetPick(raw, base, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, ids
}

func TestPickFindsNamesAndFlavors(t *testing.T) {
	for _, name := range pickable {
		w := btf.NewBuilder(binary.LittleEndian)
		for _, other := range []string{"zzz", "yyyy"} {
			w.Struct(other, 0)
		}
		want := []btf.ID{w.Struct(name, 0), w.Struct(name+"___x", 0), w.Struct(name+"___another", 0)}
		w.Ptr(want[0])
		names := new(btf.Names)
		names.Add(name, btf.KindStruct)
		if _, got := pick(t, encode(t, w), nil, names); !slices.Equal(got, want) {
			t.Errorf("%s: types %v, expected %v", name, got, want)
		}
	}
}

func TestPickLooksAtKindsGiven(t *testing.T) {
	w := everyKind(binary.LittleEndian)
	raw := encode(t, w)
	names := new(btf.Names)
	for _, name := range []string{"s", "t", "fn", "e64", "tag"} {
		names.Add(name, btf.KindStruct, btf.KindEnum64)
	}
	if _, got := pick(t, raw, nil, names); !slices.Equal(got, []btf.ID{4, 19}) {
		t.Errorf("types %v, expected the struct and the enum64", got)
	}
	if _, got := pick(t, raw, nil, new(btf.Names)); len(got) != 0 {
		t.Errorf("types %v for no names", got)
	}
}

// The last names of the string section have fewer than four bytes left to read.
func TestPickAtTheEndOfTheStrings(t *testing.T) {
	for _, name := range []string{"a", "ab", "abc", "abcd"} {
		w := btf.NewBuilder(binary.LittleEndian)
		w.Struct("longer_than_four", 0)
		want := w.Struct(name, 0)
		raw := encode(t, w)
		if !strings.HasSuffix(string(raw), "\x00"+name+"\x00") {
			t.Fatalf("%q is not the last string", name)
		}
		names := new(btf.Names)
		names.Add(name, btf.KindStruct)
		if _, got := pick(t, raw, nil, names); !slices.Equal(got, []btf.ID{want}) {
			t.Errorf("%q: types %v, expected [%d]", name, got, want)
		}
	}
}

// A split BTF's type can have its name among the base's strings.
func TestPickNamesOfTheBase(t *testing.T) {
	base := parse(t, encode(t, everyKind(binary.LittleEndian)))
	for off := uint32(1); base.ValidString(off); off++ {
		name := base.String(off)
		if name == "" {
			continue
		}
		w := btf.NewSplitBuilder(base)
		id := w.Struct("", 0)
		raw := patched(encode(t, w), 24, off)
		names := new(btf.Names)
		names.Add(name, btf.KindStruct)
		b, got := pick(t, raw, base, names)
		if !slices.Equal(got, []btf.ID{id}) || b.Name(id) != name {
			t.Errorf("%q at %d: types %v named %q", name, off, got, b.Name(id))
		}
	}
}

// What is picked of many types is every wanted one, and few others.
func TestPickOfManyNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w := btf.NewBuilder(binary.BigEndian)
	names := new(btf.Names)
	wanted := make(map[string]bool)
	for range 10 {
		name := randomName(r)
		wanted[name] = true
		names.Add(name, btf.KindStruct)
	}
	for range 5000 {
		w.Struct(randomName(r), 0)
	}
	for name := range wanted {
		w.Struct(name+"___flavor", 0)
	}
	b, got := pick(t, encode(t, w), nil, names)
	for id := b.Start(); id < b.End(); id++ {
		essential, _, _ := strings.Cut(b.Name(id), "___")
		if wanted[essential] && !slices.Contains(got, id) {
			t.Errorf("type %d, %q, was not picked", id, b.Name(id))
		}
	}
	if len(got) > 500 {
		t.Errorf("%d of 5000 types picked for 10 names", len(got))
	}
}

func randomName(r *rand.Rand) string {
	name := make([]byte, 1+r.IntN(12))
	for i := range name {
		name[i] = byte('a' + r.IntN(26))
	}
	return string(name)
}

// Picked ids are appended; those of a blob that turns out malformed are not.
func TestPickAppends(t *testing.T) {
	raw := encode(t, everyKind(binary.LittleEndian))
	names := new(btf.Names)
	names.Add("s", btf.KindStruct)
	b := new(btf.BTF)
	ids, err := b.ResetPick(raw, nil, names, []btf.ID{77})
	if err != nil || fmt.Sprint(ids) != "[77 4]" {
		t.Errorf("%v, %v; expected [77 4]", ids, err)
	}
	end := 24 + binary.LittleEndian.Uint32(raw[12:])
	ids, err = b.ResetPick(patched(raw, int(end)-24, 0xffff), nil, names, ids[:1]) // the name of the last type
	if !errors.Is(err, btf.ErrFormat) || fmt.Sprint(ids) != "[77]" {
		t.Errorf("%v, %v; expected [77] and an error", ids, err)
	}
}
