package minimize_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
	"github.com/btfgen/btfgen/internal/kernelsample"
)

// shuffled is a BTF with its types in a random order; duplicates is how many
// times everything is in it, each copy referring to types of its own.
func shuffled(t testing.TB, raw []byte, seed uint64, duplicates int) []byte {
	t.Helper()
	src := parsed(t, raw)
	n := int(src.End()) - 1
	rng := rand.New(rand.NewPCG(seed, 1))
	order := rng.Perm(n * duplicates) // order[k] is the copy and type that gets id k+1
	ids := make([]btf.ID, n*duplicates)
	for k, i := range order {
		ids[i] = btf.ID(k + 1)
	}
	w := btf.NewBuilder(src.ByteOrder())
	for _, i := range order {
		copyOf := i / n * n
		_, err := w.Copy(src, btf.ID(i%n+1), btf.Copied{All: true}, func(id btf.ID) btf.ID {
			if id == 0 {
				return 0
			}
			return ids[copyOf+int(id)-1]
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return encoded(t, w)
}

// realKernel is the first little-endian kernel there is.
func realKernel(t testing.TB) []byte {
	t.Helper()
	source, err := hub.Open(kernelsample.Hub(t))
	if err != nil {
		t.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	r := hub.NewReader()
	for _, k := range kernels {
		types, err := k.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		if parsed(t, types.Vmlinux).ByteOrder() == binary.ByteOrder(binary.LittleEndian) {
			return bytes.Clone(types.Vmlinux)
		}
	}
	t.Fatal("no little-endian kernel")
	return nil
}

// ownRelocations makes relocations out of a kernel's own types: fields of structs
// that there is one of, by random paths, and the types as a whole.
func ownRelocations(t testing.TB, raw []byte, seed uint64, count int) *bpfelf.Object {
	t.Helper()
	b := parsed(t, raw)
	byName := map[string]int{}
	var structs []btf.ID
	for id := btf.ID(1); id < b.End(); id++ {
		if b.Name(id) != "" {
			byName[b.Name(id)]++
		}
		if b.Kind(id) == btf.KindStruct && b.Vlen(id) > 0 {
			structs = append(structs, id)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	o := &bpfelf.Object{Name: "own", ByteOrder: b.ByteOrder(), BTF: b}
	add := func(kind core.Kind, id btf.ID, access string) {
		o.Relocs = append(o.Relocs, bpfelf.CORERelo{Section: "s", Program: "p", Kind: uint32(kind), TypeID: id, Access: access})
	}
	for len(o.Relocs) < count {
		id := structs[rng.IntN(len(structs))]
		if byName[b.Name(id)] != 1 {
			continue
		}
		switch rng.IntN(8) {
		case 0:
			add(core.TypeExists, id, "0")
		case 1:
			add(core.TypeSize, id, "0")
		case 2:
			add(core.TypeIDTarget, id, "0")
		case 3:
			add(core.TypeMatches, id, "0")
		default:
			access := "0"
			for at := id; b.Kind(at).IsComposite() && b.Vlen(at) > 0; {
				i := rng.IntN(b.Vlen(at))
				access += fmt.Sprint(":", i)
				at = b.Member(at, i).Type
			}
			add([]core.Kind{core.FieldByteOffset, core.FieldByteSize, core.FieldExists, core.FieldRShiftU64}[rng.IntN(4)], id, access)
		}
	}
	return o
}

// In whatever order a kernel's types come, the minimal BTF is the same bytes.
func TestOrderOfTypesDoesNotMatter(t *testing.T) {
	kernel := realKernel(t)
	p := planOf(t, ownRelocations(t, kernel, 1, 120))
	want := minimal(t, p, kernel)
	r, found := resolved(t, p, kernel), 0
	for i := range p.Len() {
		if r.Outcome(i).Status == core.Resolved {
			found++
		}
	}
	if found < p.Len()/2 {
		t.Errorf("%d of %d relocations resolve on the kernel that they were made of", found, p.Len())
	}
	for seed := range uint64(2) {
		other := shuffled(t, kernel, seed, 1)
		if bytes.Equal(other, kernel) {
			t.Fatal("nothing was shuffled")
		}
		if got := minimal(t, p, other); !bytes.Equal(got, want) {
			t.Errorf("seed %d: another result, of %d bytes and %d types; expected %d and %d",
				seed, len(got), len(names(t, got)), len(want), len(names(t, want)))
		}
	}
	t.Logf("%d types of %d", len(names(t, want)), parsed(t, kernel).End()-1)
}

// Nor does it matter whether a kernel was deduplicated, for types that there is
// one of.
func TestDuplicatesDoNotMatter(t *testing.T) {
	kernel := built(t, func(w *btf.Builder) {
		i := w.Int("int", 4, btf.Signed)
		p := w.Ptr(5) // S
		in := w.Union("", 8, member("u", i, 0), member("v", p, 0))
		w.Struct("S", 48, member("a", i, 0), member("", in, 8), member("self", p, 16), member("arr", w.Array(i, i, 4), 24))
	})
	b, s := find(t, kernel, btf.KindStruct, "S")
	if b.Ref(2) != s {
		t.Fatalf("the pointer is one to type %d, expected %d", b.Ref(2), s)
	}
	p := planOf(t, object(t, kernel,
		relocation{core.FieldByteOffset, s, "0:0"}, relocation{core.FieldByteOffset, s, "0:1:1"}, relocation{core.FieldByteSize, s, "0:3"},
		relocation{core.TypeMatches, s, "0"}, relocation{core.TypeSize, s, "0"}, relocation{core.FieldByteOffset, s, "0:3:2"}))
	want := minimal(t, p, kernel)
	for seed := range uint64(20) {
		if got := minimal(t, p, shuffled(t, kernel, seed, 1+int(seed%4))); !bytes.Equal(got, want) {
			t.Errorf("seed %d: %v, expected %v", seed, names(t, got), names(t, want))
		}
	}
}

// Random types in another order give the same bytes, too, where no relocation
// depends on the order of candidates.
func TestRandomTypesInAnyOrder(t *testing.T) {
	same := 0
	for seed := range uint64(400) {
		sample, err := randbtf.Make(seed, randbtf.Options{Tame: true})
		if err != nil {
			t.Fatal(err)
		}
		// Relocations of types that there is one candidate for.
		var relocs []relocation
		for _, r := range sample.Relocs {
			relocs = append(relocs, relocation{core.Kind(r.Kind), r.Type, r.Access})
		}
		p := planOf(t, object(t, sample.Local, relocs...))
		if ambiguousNames(t, sample.Target) {
			continue
		}
		same++
		a, b := minimal(t, p, sample.Target), minimal(t, p, shuffled(t, sample.Target, seed, 1))
		if !bytes.Equal(a, b) {
			t.Errorf("seed %d: %v, in another order %v", seed, names(t, a), names(t, b))
		}
	}
	if same < 10 {
		t.Errorf("%d samples compared, expected more", same)
	}
	t.Logf("%d samples compared", same)
}

// ambiguousNames tells whether two types have the same essential name.
func ambiguousNames(t *testing.T, raw []byte) bool {
	t.Helper()
	b := parsed(t, raw)
	seen := map[string]bool{}
	for id := btf.ID(1); id < b.End(); id++ {
		name := core.EssentialName(b.Name(id))
		if name != "" && seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
