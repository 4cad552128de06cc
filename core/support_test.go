package core_test

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

func encoded(t testing.TB, w *btf.Builder) []byte {
	t.Helper()
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parsed(t testing.TB, w *btf.Builder) *btf.BTF {
	t.Helper()
	b, err := btf.Parse(encoded(t, w))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// little builds little-endian BTF and gives what build returns of it.
func little(t testing.TB, build func(w *btf.Builder) btf.ID) (*btf.BTF, btf.ID) {
	t.Helper()
	w := btf.NewBuilder(binary.LittleEndian)
	id := build(w)
	return parsed(t, w), id
}

// littleRaw builds little-endian BTF, and parses it.
func littleRaw(t testing.TB, build func(w *btf.Builder) btf.ID) ([]byte, *btf.BTF) {
	t.Helper()
	w := btf.NewBuilder(binary.LittleEndian)
	build(w)
	return encoded(t, w), parsed(t, w)
}

// relo is a record without an instruction.
func relo(kind core.Kind, typ btf.ID, access string) bpfelf.CORERelo {
	return bpfelf.CORERelo{Section: "s", Program: "p", Kind: uint32(kind), TypeID: typ, Access: access}
}

// object is an object of nothing but types and relocations.
func object(local *btf.BTF, relos ...bpfelf.CORERelo) *bpfelf.Object {
	return &bpfelf.Object{Name: "object", ByteOrder: local.ByteOrder(), BTF: local, Relocs: relos}
}

// resolved is a resolver with objects' relocations resolved on a target.
func resolved(t testing.TB, target []byte, objects ...*bpfelf.Object) (*core.Plan, *core.Resolver) {
	t.Helper()
	p := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := p.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	r := core.NewResolver(p)
	if err := r.Load(target); err != nil {
		t.Fatal(err)
	}
	r.Resolve(nil)
	return p, r
}

// outcome is that of a single relocation, and its reason.
func outcome(t testing.TB, local *btf.BTF, target []byte, kind core.Kind, typ btf.ID, access string) (core.Outcome, string) {
	t.Helper()
	p, r := resolved(t, target, object(local, relo(kind, typ, access)))
	local2 := p.Uses()[p.Objects()[0].Uses[0]].Local
	out := r.Outcome(local2)
	return out, r.Reason(local2, out)
}

// member is a member at a byte offset.
func member(name string, typ btf.ID, offset uint32) btf.BuildMember {
	return btf.BuildMember{Name: name, Type: typ, BitOffset: offset * 8}
}

// bits is a bitfield at a bit offset.
func bits(name string, typ btf.ID, offset, size uint32) btf.BuildMember {
	return btf.BuildMember{Name: name, Type: typ, BitOffset: offset, BitSize: size}
}
