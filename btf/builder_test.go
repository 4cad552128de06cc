package btf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// stringBytes is the size of a blob's string section.
func stringBytes(raw []byte, order binary.ByteOrder) int { return int(order.Uint32(raw[20:])) }

func same(id btf.ID) btf.ID { return id }

// copied is a builder with every type of b at its own id.
func copied(t testing.TB, b *btf.BTF) *btf.Builder {
	t.Helper()
	w := btf.NewBuilder(b.ByteOrder())
	for id := b.Start(); id < b.End(); id++ {
		if got, err := w.Copy(b, id, btf.Copied{All: true}, same); err != nil || got != id {
			t.Fatalf("copy of type %d: %d, %v", id, got, err)
		}
	}
	return w
}

func TestStringsAreShared(t *testing.T) {
	cases := map[string]struct {
		names []string
		bytes int // with the empty string's zero byte
	}{
		"none":            {nil, 1},
		"exact":           {[]string{"abc", "abc", "abc"}, 1 + 4},
		"suffix":          {[]string{"abc", "bc", "c"}, 1 + 4},
		"suffix first":    {[]string{"c", "bc", "abc"}, 1 + 4},
		"prefix is not":   {[]string{"abc", "ab", "a"}, 1 + 4 + 3 + 2},
		"two hosts":       {[]string{"xbc", "abc", "bc", "c"}, 1 + 4 + 4},
		"suffix of other": {[]string{"zc", "xbc", "bc", "ac"}, 1 + 3 + 4 + 3},
		"high bytes":      {[]string{"\xff\x80", "\x80", "\x7f\x80"}, 1 + 3 + 3},
	}
	for what, c := range cases {
		for _, order := range orders {
			w := btf.NewBuilder(order)
			for _, name := range c.names {
				w.Struct(name, 0)
			}
			raw := encode(t, w)
			if got := stringBytes(raw, order); got != c.bytes {
				t.Errorf("%s: %d bytes of strings, expected %d", what, got, c.bytes)
			}
			b := parse(t, raw)
			for i, name := range c.names {
				if got := b.Name(btf.ID(i + 1)); got != name {
					t.Errorf("%s: name %d is %q, expected %q", what, i, got, name)
				}
			}
		}
	}
}

// cilium/ebpf wants every name to start behind a zero byte.
func TestWholeStrings(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	w.WholeStrings()
	w.Reset(binary.BigEndian)
	for _, name := range []string{"abc", "bc", "c", "bc"} {
		w.Struct(name, 0)
	}
	raw := encode(t, w)
	if got, want := stringBytes(raw, binary.BigEndian), 1+4+3+2; got != want {
		t.Errorf("%d bytes of strings, expected %d", got, want)
	}
	b := parse(t, raw)
	if got := b.Name(1) + b.Name(2) + b.Name(3) + b.Name(4); got != "abcbccbc" {
		t.Errorf("names %q, expected abcbccbc", got)
	}
}

// Strings left over from what a builder held before are not written.
func TestBuilderReset(t *testing.T) {
	w := everyKind(binary.BigEndian)
	encode(t, w)
	w.Reset(binary.LittleEndian)
	w.Struct("only", 0)
	fresh := btf.NewBuilder(binary.LittleEndian)
	fresh.Struct("only", 0)
	if got, want := encode(t, w), encode(t, fresh); !bytes.Equal(got, want) {
		t.Errorf("%q, expected that of a new builder, %q", got, want)
	}
	for i := range 1<<16 + 10 { // more strings than are kept
		w.Struct("name"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/182), 0)
	}
	w.Reset(binary.LittleEndian)
	w.Struct("only", 0)
	w.Canonicalise()
	if got, want := encode(t, w), encode(t, fresh); !bytes.Equal(got, want) {
		t.Errorf("%q, expected that of a new builder, %q", got, want)
	}
}

func TestBytesTwice(t *testing.T) {
	w := everyKind(binary.LittleEndian)
	first := encode(t, w)
	if !bytes.Equal(first, encode(t, w)) {
		t.Error("a second encoding differs")
	}
	w.Struct("later", 0)
	if b := parse(t, encode(t, w)); b.End() != 21 || b.Name(20) != "later" {
		t.Error("what was added after encoding is not there")
	}
}

func TestCopyEverything(t *testing.T) {
	for _, order := range orders {
		raw := encode(t, everyKind(order))
		if !bytes.Equal(encode(t, copied(t, parse(t, raw))), raw) {
			t.Errorf("%v: the copy differs", order)
		}
	}
	// The copy's order is the builder's.
	b := parse(t, encode(t, everyKind(binary.BigEndian)))
	w := btf.NewBuilder(binary.LittleEndian)
	for id := b.Start(); id < b.End(); id++ {
		if _, err := w.Copy(b, id, btf.Copied{All: true}, same); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(encode(t, w), encode(t, everyKind(binary.LittleEndian))) {
		t.Error("copied from big-endian BTF: differs from what was built little-endian")
	}
}

func TestCopyOfSomeItems(t *testing.T) {
	src := parse(t, encode(t, everyKind(binary.LittleEndian)))
	w := btf.NewBuilder(binary.LittleEndian)
	var asked []btf.ID
	void := func(id btf.ID) btf.ID { asked = append(asked, id); return 0 }
	for _, c := range []struct {
		id   btf.ID
		keep btf.Copied
		refs []btf.ID
	}{
		{4, btf.Copied{Items: []uint32{0, 2}}, []btf.ID{1, 2}},
		{4, btf.Copied{Nameless: true}, nil},
		{5, btf.Copied{Items: []uint32{1}}, []btf.ID{16}},
		{6, btf.Copied{Items: []uint32{1}}, nil},
		{13, btf.Copied{Items: []uint32{0}}, []btf.ID{1, 2}},
		{13, btf.Copied{All: true}, []btf.ID{1, 2, 0}},
		{15, btf.Copied{}, nil},
		{3, btf.Copied{}, []btf.ID{1, 1}}, // an array has no items
		{19, btf.Copied{Nameless: true, All: true}, nil},
	} {
		asked = nil
		if _, err := w.Copy(src, c.id, c.keep, void); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asked, c.refs) {
			t.Errorf("copy of type %d, %+v asked for %v, expected %v", c.id, c.keep, asked, c.refs)
		}
	}
	b := parse(t, encode(t, w))
	if b.Vlen(1) != 2 || b.String(b.Member(1, 1).NameOff) != "next" || b.Member(1, 1).BitOffset != 64 || b.Size(1) != 16 {
		t.Errorf("struct of members 0 and 2: %d members, the last %+v", b.Vlen(1), b.Member(1, 1))
	}
	if b.Name(2) != "" || b.Vlen(2) != 0 || b.Size(2) != 16 || !b.KindFlag(2) {
		t.Errorf("struct without name and members: %q, %d members, %d bytes", b.Name(2), b.Vlen(2), b.Size(2))
	}
	if b.Vlen(4) != 1 || b.String(b.Enumerator(4, 0).NameOff) != "ONE" {
		t.Errorf("enum of its second value has %d, the first %+v", b.Vlen(4), b.Enumerator(4, 0))
	}
	if b.Name(9) != "" || b.Enumerator(9, 0).Value != 1<<40|7 {
		t.Errorf("enum64 without its name: %q, %+v", b.Name(9), b.Enumerator(9, 0))
	}
}

// A copy that is refused leaves the builder as it was.
func TestCopyRefuses(t *testing.T) {
	src := parse(t, encode(t, everyKind(binary.LittleEndian)))
	w := everyKind(binary.LittleEndian)
	before := encode(t, w)
	for _, c := range []struct {
		id    btf.ID
		items []uint32
	}{{0, nil}, {20, nil}, {1<<32 - 1, nil}, {4, []uint32{0, 3}}, {6, []uint32{1<<32 - 1}}} {
		if id, err := w.Copy(src, c.id, btf.Copied{Items: c.items}, same); err == nil {
			t.Errorf("copy of type %d, items %v gave type %d", c.id, c.items, id)
		}
	}
	if !bytes.Equal(encode(t, w), before) {
		t.Error("the builder has changed")
	}
}

// ref can copy what it is asked for on the spot.
func TestCopyFromWithinRef(t *testing.T) {
	src := parse(t, encode(t, everyKind(binary.LittleEndian)))
	w := btf.NewBuilder(binary.LittleEndian)
	done := map[btf.ID]btf.ID{0: 0}
	var deep func(id btf.ID) btf.ID
	deep = func(id btf.ID) btf.ID {
		if to, ok := done[id]; ok {
			return to
		}
		done[id] = btf.ID(w.Len() + 1)
		to, err := w.Copy(src, id, btf.Copied{All: true}, deep)
		if err != nil || to != done[id] {
			t.Fatalf("type %d: copied to %d, %v; expected %d", id, to, err, done[id])
		}
		return to
	}
	deep(13)
	b := parse(t, encode(t, w))
	if err := b.Validate(); err != nil {
		t.Error(err)
	}
	for from, to := range done {
		if src.Kind(from) != b.Kind(to) || src.Name(from) != b.Name(to) || src.Vlen(from) != b.Vlen(to) {
			t.Errorf("type %d became %v %q of %d", from, b.Kind(to), b.Name(to), b.Vlen(to))
		}
	}
}

func TestTooLarge(t *testing.T) {
	members := make([]btf.BuildMember, 1<<16)
	cases := map[string]func(w *btf.Builder){
		"65536 members":     func(w *btf.Builder) { w.Struct("s", 4, members...) },
		"2^24 members":      func(w *btf.Builder) { w.Struct("s", 4, members...) },
		"linkage past vlen": func(w *btf.Builder) { w.Func("f", 0, 1<<24) },
		"greatest linkage":  func(w *btf.Builder) { w.Func("f", 0, 1<<32-1) },
		"bitfield's size":   func(w *btf.Builder) { w.Struct("s", 4, btf.BuildMember{BitSize: 256}) },
		"offset beside bits": func(w *btf.Builder) {
			w.Struct("s", 4, btf.BuildMember{BitSize: 1}, btf.BuildMember{BitOffset: 1 << 24})
		},
	}
	for what, build := range cases {
		w := btf.NewBuilder(binary.LittleEndian)
		w.Int("int", 4, 0)
		build(w)
		w.Canonicalise()
		if _, err := w.Bytes(); !errors.Is(err, btf.ErrTooLarge) {
			t.Errorf("%s: %v, expected ErrTooLarge", what, err)
		}
		w.Reset(binary.LittleEndian)
		if _, err := w.Bytes(); err != nil {
			t.Errorf("%s: after Reset: %v", what, err)
		}
	}
	w := btf.NewBuilder(binary.LittleEndian)
	w.Struct("s", 4, members[:1<<16-1]...)
	if b := parse(t, encode(t, w)); b.Vlen(1) != 1<<16-1 {
		t.Errorf("%d members, expected 65535", b.Vlen(1))
	}
}
