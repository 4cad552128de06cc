package randbtf

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// Relocation is a CO-RE relocation: enum bpf_core_relo_kind, a local type id and
// an access string.
type Relocation struct {
	Kind   uint32
	Type   btf.ID
	Access string
}

// Sample is a program's types with relocations, and a kernel's types that are
// like them here and there.
type Sample struct {
	Local  []byte
	Relocs []Relocation
	Target []byte
	// More are further kernels' types, see Options.More.
	More [][]byte
}

// Options restrict what is made.
type Options struct {
	Order binary.ByteOrder // nil: little-endian
	// Tame leaves out what no compiler makes: types that contain themselves by
	// value, anonymous members that are no structs, records that are malformed.
	Tame   bool
	Relocs int // how many; 0: 8
	// More is how many further kernels are made. Every second has the types of
	// two, as one that was not deduplicated has several of each name.
	More int
}

// Make makes a sample; equal seeds make equal samples.
func Make(seed uint64, o Options) (Sample, error) {
	if o.Order == nil {
		o.Order = binary.LittleEndian
	}
	if o.Relocs == 0 {
		o.Relocs = 8
	}
	rng := rand.New(rand.NewPCG(seed, 0x62746667656e))
	plan := makePlan(rng, o.Tame)
	var s Sample
	var err error
	if s.Local, err = encode(plan, o.Order, nil); err != nil {
		return s, err
	}
	target := plan.changed(rng)
	if s.Target, err = encode(target, o.Order, rng); err != nil {
		return s, err
	}
	local, err := btf.Parse(s.Local)
	if err != nil {
		return s, err
	}
	for range o.Relocs {
		s.Relocs = append(s.Relocs, relocation(rng, local, o.Tame))
	}
	for i := range o.More {
		kernel := plan.changed(rng)
		if i%2 == 1 {
			kernel.join(plan.changed(rng))
		}
		raw, err := encode(kernel, o.Order, rng)
		if err != nil {
			return s, err
		}
		s.More = append(s.More, raw)
	}
	return s, nil
}

// join adds another plan's types, which refer to each other.
func (p *plan) join(q *plan) {
	n := btf.ID(len(p.types))
	moved := func(id btf.ID) btf.ID {
		if id == 0 {
			return 0
		}
		return id + n
	}
	for _, t := range q.types {
		t.ref = moved(t.ref)
		t.members = append([]btf.BuildMember(nil), t.members...)
		for i := range t.members {
			t.members[i].Type = moved(t.members[i].Type)
		}
		p.types = append(p.types, t)
	}
}

// typ is a type before it is encoded; ids count from 1.
type typ struct {
	kind    btf.Kind
	name    string
	size    uint32
	ref     btf.ID
	members []btf.BuildMember // or parameters
	values  []btf.BuildEnumerator
	nelems  uint32
	enc     btf.IntEncoding
	bits    btf.Int // of an INT, if Bits is not 0
	flag    bool    // union, signed
}

type plan struct {
	types []typ
	tame  bool
	// long is the size of all that is called long, in bytes, which tells that of a
	// pointer. They never differ within a kernel.
	long uint32
}

var (
	rootNames   = []string{"S", "T", "S___x", "T___new", "S___x___y", "U____z", ""}
	memberNames = []string{"a", "b", "c", "d", "", "", "f"}
	enumNames   = []string{"A", "B", "C", "A___v2", "D"}
)

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func makePlan(rng *rand.Rand, tame bool) *plan {
	p := &plan{tame: tame, long: pick(rng, []uint32{4, 8, 8})}
	n := 6 + rng.IntN(14)
	for range n {
		p.types = append(p.types, p.random(rng, n))
	}
	return p
}

// by is an id that a type contains by value: an earlier one, if the plan is tame.
func (p *plan) by(rng *rand.Rand, n int) btf.ID {
	if p.tame || rng.IntN(8) > 0 {
		if len(p.types) == 0 {
			return 0
		}
		return btf.ID(1 + rng.IntN(len(p.types)))
	}
	return btf.ID(rng.IntN(n + 2)) // itself, void, or none at all
}

// at is an id that a pointer leads to.
func at(rng *rand.Rand, n int) btf.ID { return btf.ID(rng.IntN(n + 1)) }

func (p *plan) random(rng *rand.Rand, n int) typ {
	sized := func() btf.ID {
		for range 4 {
			if id := p.by(rng, n); !p.tame || id != 0 && p.hasSize(id) {
				return id
			}
		}
		return 0
	}
	if len(p.types) == 0 {
		return typ{kind: btf.KindInt, name: "int", size: 4, enc: btf.Signed}
	}
	switch k := rng.IntN(20); k {
	case 0, 1:
		t := typ{kind: btf.KindInt, name: pick(rng, []string{"int", "u32", "long", "long unsigned int", "S"}),
			size: pick(rng, []uint32{1, 2, 4, 8, 16}), enc: pick(rng, []btf.IntEncoding{0, btf.Signed, btf.Bool, btf.Char})}
		if strings.HasPrefix(t.name, "long") {
			t.size = p.long
		}
		return t
	case 2:
		if p.tame {
			return typ{kind: btf.KindFloat, name: "double", size: 8}
		}
		return typ{kind: btf.KindInt, name: "int", size: 4, bits: btf.Int{BitOffset: uint8(rng.IntN(9)), Bits: uint8(1 + rng.IntN(20))}}
	case 3, 4, 5:
		return typ{kind: btf.KindPtr, ref: at(rng, n)}
	case 6, 7:
		if id := sized(); id != 0 || !p.tame {
			return typ{kind: btf.KindArray, ref: id, nelems: pick(rng, []uint32{0, 1, 3, 4})}
		}
		return typ{kind: btf.KindPtr, ref: at(rng, n)}
	case 8:
		return typ{kind: btf.KindFloat, name: pick(rng, []string{"double", "float"}), size: pick(rng, []uint32{4, 8})}
	case 9, 10:
		t := typ{kind: pick(rng, []btf.Kind{btf.KindEnum, btf.KindEnum64}), name: pick(rng, rootNames), flag: rng.IntN(2) == 0, size: 4}
		if t.kind == btf.KindEnum64 {
			t.size = 8
		}
		for range rng.IntN(4) + map[bool]int{true: 1}[p.tame] { // no compiler leaves one empty
			t.values = append(t.values, btf.BuildEnumerator{Name: pick(rng, enumNames), Value: uint64(rng.IntN(5)) - 1})
			if t.kind == btf.KindEnum {
				t.values[len(t.values)-1].Value &= 0xffffffff
			}
		}
		return t
	case 11:
		return typ{kind: btf.KindFwd, name: pick(rng, []string{"S", "T", "S___x"}), flag: rng.IntN(3) == 0}
	case 12:
		return typ{kind: btf.KindTypedef, name: pick(rng, []string{"S", "T", "S___x", "t"}), ref: p.by(rng, n)}
	case 13:
		return typ{kind: pick(rng, []btf.Kind{btf.KindConst, btf.KindVolatile, btf.KindRestrict}), ref: p.by(rng, n)}
	case 14:
		if rng.IntN(2) == 0 {
			return typ{kind: btf.KindTypeTag, name: "user", ref: p.by(rng, n)}
		}
		t := typ{kind: btf.KindFuncProto, ref: at(rng, n)}
		for range rng.IntN(3) {
			t.members = append(t.members, btf.BuildMember{Type: at(rng, n)})
		}
		return t
	}
	t := typ{kind: btf.KindStruct, name: pick(rng, rootNames)}
	if rng.IntN(4) == 0 {
		t.kind = btf.KindUnion
	}
	p.fill(rng, n, &t, sized)
	return t
}

func (p *plan) hasSize(id btf.ID) bool {
	switch t := p.types[id-1]; t.kind {
	case btf.KindFwd, btf.KindFuncProto:
		return false
	case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
		return t.ref != 0 && p.hasSize(t.ref)
	}
	return true
}

// base is a type behind modifiers.
func (p *plan) base(id btf.ID) typ {
	for range 40 {
		if id == 0 || int(id) > len(p.types) {
			break
		}
		switch t := p.types[id-1]; t.kind {
		case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
			id = t.ref
		default:
			return t
		}
	}
	return typ{}
}

// fill gives a struct or union its members.
func (p *plan) fill(rng *rand.Rand, n int, t *typ, sized func() btf.ID) {
	off := uint32(0)
	for range rng.IntN(5) {
		m := btf.BuildMember{Name: pick(rng, memberNames), Type: sized()}
		if m.Type == 0 && p.tame {
			continue
		}
		b := p.base(m.Type)
		composite := b.kind == btf.KindStruct || b.kind == btf.KindUnion
		if m.Name == "" && !composite && (p.tame || rng.IntN(6) > 0) {
			m.Name = "g"
		}
		m.BitOffset = off
		switch b.kind {
		case btf.KindInt, btf.KindEnum:
			if rng.IntN(4) == 0 {
				m.BitOffset += uint32(rng.IntN(70))
				m.BitSize = 1 + uint32(rng.IntN(int(min(b.size*8, 64))))
			}
		}
		if t.kind == btf.KindStruct {
			off += 8 * uint32(1<<rng.IntN(5))
		}
		t.members = append(t.members, m)
	}
	t.size = off/8 + 8
}

// changed is the kernel's side: the same types, each changed a little or not,
// some twice, in another order.
func (p *plan) changed(rng *rand.Rand) *plan {
	q := &plan{tame: p.tame, long: p.long, types: append([]typ(nil), p.types...)}
	n := len(q.types)
	for i := range n {
		t := &q.types[i]
		t.members = append([]btf.BuildMember(nil), t.members...)
		t.values = append([]btf.BuildEnumerator(nil), t.values...)
		if rng.IntN(3) > 0 {
			continue
		}
		q.mutate(rng, t, i)
	}
	// Second candidates: copies under another flavor, changed as well.
	for range rng.IntN(4) {
		i := rng.IntN(n)
		t := q.types[i]
		t.members = append([]btf.BuildMember(nil), t.members...)
		t.values = append([]btf.BuildEnumerator(nil), t.values...)
		if t.name != "" {
			t.name, _, _ = strings.Cut(t.name, "___")
			t.name += pick(rng, []string{"", "___a", "___b", "___", "____c"})
		}
		if rng.IntN(2) == 0 {
			q.mutate(rng, &t, i)
		}
		q.types = append(q.types, t)
	}
	return q
}

func (p *plan) mutate(rng *rand.Rand, t *typ, i int) {
	switch t.kind {
	case btf.KindStruct, btf.KindUnion:
		switch m := rng.IntN(7); {
		case m == 0 && len(t.members) > 0: // a member less
			k := rng.IntN(len(t.members))
			t.members = append(t.members[:k:k], t.members[k+1:]...)
		case m == 1 && len(t.members) > 0:
			t.members[rng.IntN(len(t.members))].BitOffset += 8 * uint32(rng.IntN(9))
		case m == 2 && len(t.members) > 0:
			t.members[rng.IntN(len(t.members))].Name = pick(rng, []string{"a", "b", "c", "z"})
		case m == 3 && i > 0: // of an earlier type
			t.members = append(t.members, btf.BuildMember{Name: pick(rng, []string{"a", "z", "y"}), Type: btf.ID(1 + rng.IntN(i)), BitOffset: t.size * 8})
		case m == 4 && len(t.members) > 0 && i > 0:
			k := rng.IntN(len(t.members))
			t.members[k].Type, t.members[k].BitSize = btf.ID(1+rng.IntN(i)), 0
			if t.members[k].Name == "" {
				t.members[k].Name = "e"
			}
		case m == 5:
			t.size += 8
		case t.kind == btf.KindStruct:
			t.kind = btf.KindUnion
		default:
			t.kind = btf.KindStruct
		}
	case btf.KindInt:
		t.enc = pick(rng, []btf.IntEncoding{0, btf.Signed})
		if !strings.HasPrefix(t.name, "long") {
			t.size = pick(rng, []uint32{1, 2, 4, 8})
		}
		if t.bits.Bits > 0 {
			t.size, t.bits.BitOffset = 4, uint8(rng.IntN(3))
		}
	case btf.KindEnum, btf.KindEnum64:
		for k := range t.values {
			t.values[k].Value = uint64(rng.IntN(3))
		}
		if len(t.values) > 1 && rng.IntN(2) == 0 {
			t.values = t.values[1:]
		}
	case btf.KindArray:
		t.nelems = uint32(rng.IntN(4))
	case btf.KindPtr:
		t.ref = btf.ID(rng.IntN(len(p.types) + 1))
	case btf.KindFwd:
		t.flag = !t.flag
	case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict:
		if i > 0 && rng.IntN(3) > 0 {
			t.ref = btf.ID(1 + rng.IntN(i))
		}
	}
}

// encode writes a plan; with rng, in a random order.
func encode(p *plan, order binary.ByteOrder, rng *rand.Rand) ([]byte, error) {
	n := len(p.types)
	places := make([]int, n) // type i+1 gets id places[i]+1
	for i := range places {
		places[i] = i
	}
	if rng != nil {
		rng.Shuffle(n, func(i, j int) { places[i], places[j] = places[j], places[i] })
	}
	back := make([]int, n)
	for i, at := range places {
		back[at] = i
	}
	to := func(id btf.ID) btf.ID {
		if id == 0 || int(id) > n {
			return id
		}
		return btf.ID(places[id-1] + 1)
	}
	w := btf.NewBuilder(order)
	w.WholeStrings()
	for at := range n {
		t := p.types[back[at]]
		members := make([]btf.BuildMember, len(t.members))
		for i, m := range t.members {
			m.Type = to(m.Type)
			members[i] = m
		}
		switch t.kind {
		case btf.KindInt:
			if t.bits.Bits > 0 {
				w.IntBits(t.name, t.size, t.bits)
			} else {
				w.Int(t.name, t.size, t.enc)
			}
		case btf.KindPtr:
			w.Ptr(to(t.ref))
		case btf.KindArray:
			w.Array(to(t.ref), to(1), t.nelems)
		case btf.KindStruct:
			w.Struct(t.name, t.size, members...)
		case btf.KindUnion:
			w.Union(t.name, t.size, members...)
		case btf.KindEnum:
			w.Enum(t.name, t.size, t.flag, t.values...)
		case btf.KindEnum64:
			w.Enum64(t.name, t.size, t.flag, t.values...)
		case btf.KindFwd:
			w.Fwd(t.name, t.flag)
		case btf.KindTypedef:
			w.Typedef(t.name, to(t.ref))
		case btf.KindConst:
			w.Const(to(t.ref))
		case btf.KindVolatile:
			w.Volatile(to(t.ref))
		case btf.KindRestrict:
			w.Restrict(to(t.ref))
		case btf.KindTypeTag:
			w.TypeTag(t.name, to(t.ref))
		case btf.KindFloat:
			w.Float(t.name, t.size)
		case btf.KindFuncProto:
			var params []btf.BuildParam
			for _, m := range members {
				params = append(params, btf.BuildParam{Type: m.Type})
			}
			w.FuncProto(to(t.ref), params...)
		default:
			return nil, fmt.Errorf("type %d: %v is not made here", at+1, t.kind)
		}
	}
	w.Func("function", w.FuncProto(0), 1)
	return w.Bytes()
}

// relocation makes one on a local type, mostly with a path that exists.
func relocation(rng *rand.Rand, b *btf.BTF, tame bool) Relocation {
	r := Relocation{Kind: uint32(rng.IntN(13))}
	if !tame && rng.IntN(40) == 0 {
		r.Kind = 13
	}
	// a named root, most of the time
	for range 10 {
		r.Type = btf.ID(1 + rng.IntN(int(b.End())-1))
		k := b.Kind(r.Type)
		enum := k.IsEnum()
		if (r.Kind == 10 || r.Kind == 11) != enum && rng.IntN(10) > 0 {
			continue
		}
		if b.Name(r.Type) != "" && k != btf.KindFunc && k != btf.KindTypeTag {
			break
		}
	}
	if k := b.Kind(r.Type); k == btf.KindTypeTag || k == btf.KindFunc { // no compiler makes those a root
		r.Type = 1
	}
	switch {
	case !tame && rng.IntN(30) == 0:
		r.Access = pick(rng, []string{"", ":", "1:", "x", "0:0:0:0", "7"})
	case r.Kind == 10 || r.Kind == 11:
		r.Access = fmt.Sprint(rng.IntN(max(1, b.Vlen(r.Type))))
	case r.Kind > 5:
		r.Access = "0"
	default:
		var field btf.ID
		r.Access, field = path(rng, b, r.Type)
		if k := b.Kind(field); tame && r.Kind == 3 && k != btf.KindInt && !k.IsEnum() {
			// libbpf takes whatever stands behind any other type for its sign
			r.Kind = 2
		}
	}
	return r
}

// path makes an access string that starts at a type; field is the type, without
// modifiers, that it ends at.
func path(rng *rand.Rand, b *btf.BTF, id btf.ID) (s string, field btf.ID) {
	skip := func() {
		for range 40 {
			if !b.Kind(id).IsModifier() {
				break
			}
			id = b.Ref(id)
		}
	}
	s = pick(rng, []string{"0", "0", "0", "0", "2"})
	for range 6 {
		skip()
		switch k := b.Kind(id); {
		case k.IsComposite() && b.Vlen(id) > 0:
			i := rng.IntN(b.Vlen(id))
			s += fmt.Sprint(":", i)
			m := b.Member(id, i)
			id = m.Type
			if m.NameOff != 0 && rng.IntN(4) == 0 {
				skip()
				return s, id
			}
		case k == btf.KindArray:
			if rng.IntN(3) == 0 {
				return s, id
			}
			s += fmt.Sprint(":", rng.IntN(int(b.Array(id).Nelems)+1+rng.IntN(2)))
			id = b.Array(id).Elem
		default:
			return s, id
		}
	}
	skip()
	return s, id
}
