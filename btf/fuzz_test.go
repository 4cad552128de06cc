package btf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
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
	names := new(btf.Names)
	names.Add("s", btf.KindStruct, btf.KindUnion)
	names.Add("list_head", btf.KindStruct)
	base := parse(f, encode(f, everyKind(binary.LittleEndian)))
	split := new(btf.BTF)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
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
	})
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
