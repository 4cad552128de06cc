package btf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// FuzzParse reads a blob every way there is and writes it anew.
func FuzzParse(f *testing.F) {
	for _, order := range orders {
		raw := encode(f, everyKind(order))
		f.Add(raw)
		f.Add(raw[:len(raw)-5])
		f.Add(withHeader(raw, order, 32))
		f.Add(encode(f, btf.NewBuilder(order)))
		list := btf.NewBuilder(order)
		list.Struct("list_head", 16, btf.BuildMember{Name: "next", Type: 2}, btf.BuildMember{Name: "prev", Type: 3, BitOffset: 64})
		list.Ptr(1)
		list.Ptr(1)
		f.Add(encode(f, list))
	}
	read := everyWay(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) <= 1<<16 {
			read(t, raw)
		}
	})
}

// The same for blobs whose frame is right and of whose types a few words are
// wrong, which random bytes seldom are.
func TestWrongWords(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	read := everyWay(t)
	for n := range 5000 {
		order := orders[n%2]
		raw := encode(t, everyKind(order))
		words := int(order.Uint32(raw[12:])) / 4
		for range 1 + r.IntN(4) {
			word := raw[24+4*r.IntN(words):]
			switch r.IntN(4) {
			case 0:
				order.PutUint32(word, uint32(r.IntN(25)))
			case 1:
				order.PutUint32(word, uint32(1+r.IntN(19))<<24|uint32(r.IntN(2))<<31|uint32(r.IntN(4)))
			case 2:
				order.PutUint32(word, r.Uint32())
			case 3:
				order.PutUint32(word, order.Uint32(word)^1<<r.IntN(32))
			}
		}
		read(t, raw)
		if t.Failed() {
			t.Fatalf("blob %d", n)
		}
	}
}

// everyWay makes what FuzzParse does with a blob.
func everyWay(tb testing.TB) func(t *testing.T, raw []byte) {
	names := new(btf.Names)
	names.Add("s", btf.KindStruct, btf.KindUnion)
	names.Add("list_head", btf.KindStruct)
	base := parse(tb, encode(tb, everyKind(binary.LittleEndian)))
	split := new(btf.BTF)
	return func(t *testing.T, raw []byte) {
		if err := split.Reset(raw, base); err == nil {
			_ = split.Validate()
			accessAll(split)
		}
		b := new(btf.BTF)
		ids, err := b.ResetPick(raw, nil, names, nil)
		if err != nil {
			if !errors.Is(err, btf.ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			accessAll(b)
			return
		}
		for _, id := range ids {
			if id < b.Start() || id >= b.End() {
				t.Fatalf("picked type %d of [%d, %d)", id, b.Start(), b.End())
			}
		}
		valid := b.Validate()
		accessAll(b)
		rewrite(t, b, valid == nil)
	}
}

// rewrite copies a BTF, canonicalises the copy and reads it again.
func rewrite(t *testing.T, b *btf.BTF, valid bool) {
	w := copied(t, b)
	ids := w.Canonicalise()
	raw, err := w.Bytes()
	if errors.Is(err, btf.ErrTooLarge) {
		return // more items than are written: the input's vlen has more bits
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := btf.Parse(raw)
	if err != nil {
		t.Fatalf("what was written is malformed: %v", err)
	}
	if err := again.Validate(); valid && err != nil {
		t.Fatalf("what was written is not valid, what was read is: %v", err)
	}
	for i, to := range ids {
		id := b.Start() + btf.ID(i)
		if b.Kind(id) != again.Kind(to) || !bytes.Equal(b.NameBytes(id), again.NameBytes(to)) || b.Vlen(id) != again.Vlen(to) {
			t.Fatalf("type %d, %v %q, became type %d, %v %q", id, b.Kind(id), b.Name(id), to, again.Kind(to), again.Name(to))
		}
	}
	w.Canonicalise()
	if twice, err := w.Bytes(); err != nil || !bytes.Equal(twice, raw) {
		t.Fatalf("canonicalised twice: differs (%v)", err)
	}
}
