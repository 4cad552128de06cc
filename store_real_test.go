package btfgen_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/kernels"
)

// Random relocations of a kernel's own types, and what is made of a store's
// kernels without expanding them beside what is made of them expanded. Some of
// the built-in kernels do for every go test; all of them, and many more
// relocations, are tried where BTFGEN_DIFF asks for it.
func TestRandomRelocations(t *testing.T) {
	all, _ := strconv.ParseBool(os.Getenv("BTFGEN_DIFF"))
	globs, rounds, relocs := []string{"debian/11/x86_64/*-cloud-*", "debian/12/s390x/*", "kylin/V10/arm64/*-52*", "debian/12/x86_64/6.1.0-5*"}, uint64(3), 60
	if all {
		globs, rounds = []string{"*"}, seeds(t, 60)
	}
	filter, err := hub.NewFilter(globs)
	if err != nil {
		t.Fatal(err)
	}
	builtIn, err := kernels.Source()
	if err != nil {
		t.Fatal(err)
	}
	stored := hub.Filtered(builtIn, filter)
	list, _, err := stored.Kernels()
	if err != nil || len(list) < 4 {
		t.Fatal(len(list), err)
	}
	s, err := kernels.Store()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, k := range list {
		raw, err := s.Get(k.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		writeKernel(t, dir, k.Name, raw)
	}
	tree := source(t, dir)
	var counts btfgen.Counts
	for seed := range rounds {
		k := list[(seed*7+1)%uint64(len(list))]
		raw, err := s.Get(k.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		o := ownRelocations(t, rng, raw, 1+rng.IntN(relocs))
		g, err := btfgen.New(o)
		if err != nil {
			t.Fatal(err)
		}
		a := said(t, g, stored, btfgen.Options{})
		for _, d := range differences(a, said(t, g, tree, btfgen.Options{})) {
			t.Errorf("seed %d, types of %s: %s", seed, k.Name, d)
		}
		for _, u := range a {
			var c btfgen.Counts
			if _, err := fmt.Sscanf(u, "%d", &c.Resolved); err == nil {
				counts.Resolved++
			}
		}
		if t.Failed() {
			for _, r := range o.Relocs {
				t.Log(core.Kind(r.Kind), r.TypeID, o.BTF.Kind(r.TypeID), o.BTF.Name(r.TypeID), r.Access)
			}
			return
		}
	}
	if counts.Resolved == 0 {
		t.Error("nothing was compared")
	}
}

// ownRelocations makes relocations of all kinds out of a kernel's own types,
// rather of names that there are several types of.
func ownRelocations(t *testing.T, rng *rand.Rand, raw []byte, count int) *bpfelf.Object {
	t.Helper()
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	byKind, several := make(map[btf.Kind][]btf.ID), make(map[btf.Kind][]btf.ID)
	type key struct {
		kind btf.Kind
		name string
	}
	seen := make(map[key]btf.ID)
	for id := btf.ID(1); id < b.End(); id++ {
		k := key{b.Kind(id), b.Name(id)}
		if k.name == "" || k.kind == btf.KindFunc || k.kind == btf.KindVar || k.kind == btf.KindTypeTag || k.kind == btf.KindDeclTag {
			continue
		}
		byKind[k.kind] = append(byKind[k.kind], id)
		if other := seen[k]; other != 0 {
			several[k.kind] = append(several[k.kind], other, id)
		}
		seen[k] = id
	}
	pick := func(kinds ...btf.Kind) btf.ID {
		for {
			kind := kinds[rng.IntN(len(kinds))]
			list := byKind[kind]
			if len(several[kind]) > 0 && rng.IntN(2) == 0 {
				list = several[kind]
			}
			if len(list) > 0 {
				return list[rng.IntN(len(list))]
			}
		}
	}
	o := &bpfelf.Object{Name: "own", ByteOrder: b.ByteOrder(), BTF: b}
	for len(o.Relocs) < count {
		kind := core.Kind(rng.IntN(int(core.TypeMatches) + 1))
		var id btf.ID
		access := "0"
		switch kind {
		case core.EnumvalExists, core.EnumvalValue:
			id = pick(btf.KindEnum, btf.KindEnum64, btf.KindTypedef)
			e := behind(b, id)
			if !b.Kind(e).IsEnum() || b.Vlen(e) == 0 {
				continue
			}
			access = strconv.Itoa(rng.IntN(b.Vlen(e)))
		case core.TypeIDLocal, core.TypeIDTarget, core.TypeExists, core.TypeSize, core.TypeMatches:
			id = pick(btf.KindStruct, btf.KindUnion, btf.KindTypedef, btf.KindInt, btf.KindEnum, btf.KindFwd)
		default:
			id = pick(btf.KindStruct, btf.KindStruct, btf.KindUnion, btf.KindTypedef)
			access = fieldPath(rng, b, id)
			// Several of one type are what a program has.
			for range rng.IntN(3) {
				o.Relocs = append(o.Relocs, reloc(core.Kind(rng.IntN(6)), id, fieldPath(rng, b, id)))
			}
		}
		o.Relocs = append(o.Relocs, reloc(kind, id, access))
	}
	return o
}

func reloc(kind core.Kind, id btf.ID, access string) bpfelf.CORERelo {
	return bpfelf.CORERelo{Section: "s", Program: "p", Kind: uint32(kind), TypeID: id, Access: access}
}

// behind is a type without modifiers and typedefs.
func behind(b *btf.BTF, id btf.ID) btf.ID {
	for b.Kind(id).IsModifier() {
		id = b.Ref(id)
	}
	return id
}

// fieldPath is a random access string, through nameless members and arrays.
func fieldPath(rng *rand.Rand, b *btf.BTF, id btf.ID) string {
	access := "0"
	for {
		id = behind(b, id)
		switch k := b.Kind(id); {
		case k.IsComposite() && b.Vlen(id) > 0:
			i := rng.IntN(b.Vlen(id))
			access += fmt.Sprint(":", i)
			m := b.Member(id, i)
			id = m.Type
			if m.NameOff != 0 && rng.IntN(3) == 0 {
				return access
			}
		case k == btf.KindArray && rng.IntN(3) > 0:
			a := b.Array(id)
			access += fmt.Sprint(":", rng.IntN(int(min(a.Nelems, 1<<20))+1))
			id = a.Elem
		default:
			return access
		}
	}
}
