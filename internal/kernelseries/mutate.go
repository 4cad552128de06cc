package kernelseries

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// A mutation is one change, the same to every flavour of a kernel that has what it changes.
type mutation struct {
	seed  uint64
	limit int // definitions that it may make new
}

// apply carries a mutation out and tells how many definitions of named types are new, or about as many. What it changes is drawn from
// the base's types, so that it depends on the mutation alone.
func (k *kernel) apply(m mutation) int {
	rng := rand.New(rand.NewPCG(m.seed, 1))
	switch n := rng.IntN(100); {
	case n < 70:
		return k.changeFunc(rng)
	case n < 92:
		return k.changeStruct(rng, m.limit)
	case n < 96:
		return k.addEnumerator(rng)
	default:
		return k.addTypes(rng)
	}
}

// changeTo draws mutations until about so many definitions are new.
func (k *kernel) changeTo(rng *rand.Rand, fresh int) []mutation {
	var list []mutation
	for n := 0; n < fresh && len(list) < 20*fresh+100; {
		m := mutation{rng.Uint64(), fresh - n}
		n += k.apply(m)
		list = append(list, m)
	}
	return list
}

func pick[T any](rng *rand.Rand, list []T) T {
	if len(list) == 0 {
		var none T
		return none
	}
	return list[rng.IntN(len(list))]
}

// name makes a name of words of the kernel's own, as new names are.
func (k *kernel) name(rng *rand.Rand, first string, words int) uint32 {
	list := []string{first}
	if first == "" {
		list = nil
	}
	for range words {
		list = append(list, pick(rng, k.words))
	}
	return k.strs.number(strings.Join(list, "_"))
}

// field is the name of a new member or parameter: mostly one that the kernel has.
func (k *kernel) field(rng *rand.Rand) uint32 {
	if rng.IntN(3) == 0 || len(k.fields) == 0 {
		return k.name(rng, "", 2)
	}
	return pick(rng, k.fields)
}

// scalar is a type of 4 bytes or of a pointer's size that the kernel still has.
func (k *kernel) scalar(rng *rand.Rand) (s scalar, ok bool) {
	s = pick(rng, k.scalars)
	return s, s.id != 0 && k.records[s.id] != nil
}

// changeFunc adds, removes or changes a function.
func (k *kernel) changeFunc(rng *rand.Rand) int {
	id := pick(rng, k.funcs)
	r := k.records[id]
	n := rng.IntN(100)
	if r == nil || id == 0 {
		return 0
	}
	if n < 25 {
		k.put(id, nil)
		return 0
	}
	proto := r[2]
	if n >= 35 { // a new function often has the type of one that there is
		if proto = k.changedProto(rng, id, proto); proto == 0 {
			return 0
		}
	}
	if n < 60 {
		area, _, _ := strings.Cut(k.strs.list[r[0]], "_")
		k.add(id, record{k.name(rng, area, 2), r[1], proto})
		return 1
	}
	k.put(id, record{r[0], r[1], proto})
	return 1
}

// changedProto is a function type that differs in a parameter from another, a function's. 0: there is no such thing.
func (k *kernel) changedProto(rng *rand.Rand, function, proto uint32) uint32 {
	r := slices.Clone(k.records[proto])
	s, ok := k.scalar(rng)
	params := r.vlen()
	n, at := rng.IntN(4), 3
	if params > 0 {
		at += 2 * rng.IntN(params)
	}
	switch {
	case !ok:
		return 0
	case n == 0 && params > 1:
		r = slices.Delete(r, at, at+2)
		r[1]--
	case n == 1 || params == 0:
		r = slices.Insert(r, at, k.field(rng), s.id)
		r[1]++
	case n == 2 && r[at+1] != 0:
		r[at] = k.field(rng)
	default:
		r[at+1] = s.id
		if r[at] == 0 {
			r[at] = k.field(rng)
		}
	}
	return k.proto(function, r)
}

// addEnumerator adds one before the last, which mostly is the number of them.
func (k *kernel) addEnumerator(rng *rand.Rand) int {
	id := pick(rng, k.enums)
	name := k.strs.number(strings.ToUpper(k.strs.list[k.name(rng, "", 3)]))
	if id == 0 || k.records[id] == nil {
		return 0
	}
	r := slices.Clone(k.records[id])
	item := layouts[r.kind()].item
	last := slices.Clone(r[len(r)-item:])
	last[0] = name
	r = slices.Insert(r, len(r)-item, last...)
	r[len(r)-item+1]++
	r[1]++
	k.put(id, r)
	return 1
}

// addTypes adds a struct, a pointer to it and a function with such a parameter, or a typedef.
func (k *kernel) addTypes(rng *rand.Rand) int {
	behind := pick(rng, k.structs)
	if rng.IntN(4) == 0 {
		s, ok := k.scalar(rng)
		if !ok {
			return 0
		}
		k.add(behind, record{k.name(rng, "", 3), uint32(btf.KindTypedef) << 24, s.id})
		return 1
	}
	r := record{k.name(rng, "", 3), uint32(btf.KindStruct) << 24, 0}
	for range between(rng, 3, 9) {
		if s, ok := k.scalar(rng); ok {
			r[2] = (r[2] + s.size - 1) / s.size * s.size
			r = append(r, k.field(rng), s.id, 8*r[2])
			r[1]++
			r[2] += s.size
		}
	}
	r[2] = (r[2] + 7) / 8 * 8
	id := k.add(behind, r)
	ptr := k.add(behind, record{0, uint32(btf.KindPtr) << 24, id})
	proto := k.proto(behind, record{0, uint32(btf.KindFuncProto)<<24 | 1, 0, k.field(rng), ptr})
	k.add(behind, record{k.name(rng, "", 3), uint32(btf.KindFunc) << 24, proto})
	return 2
}

// moveSections is what every build does: variables are at other places, and once in a while one comes or goes.
func (k *kernel) moveSections(rng *rand.Rand) {
	for _, id := range k.sections {
		r := slices.Clone(k.records[id])
		for range between(rng, 1, 3) {
			at := 3 + 3*rng.IntN(max(r.vlen(), 1))
			if at >= len(r) {
				continue
			}
			by := uint32(8 << rng.IntN(4))
			// Back, if there is room.
			back := rng.IntN(2) == 0 && at > 3 && r[at+1] >= r[at-2]+r[at-1]+by
			for i := at; i < len(r); i += 3 {
				if back {
					r[i+1] -= by
				} else {
					r[i+1] += by
				}
			}
		}
		switch s, ok := k.scalar(rng); {
		case r.vlen() < 2:
		case ok && rng.IntN(2) == 0:
			v := k.add(k.lastOf(r), record{k.name(rng, "", 2), uint32(btf.KindVar) << 24, s.id, btf.LinkageGlobal})
			end := r[len(r)-2] + r[len(r)-1]
			r = append(r, v, (end+7)/8*8, s.size)
			r[1]++
		case rng.IntN(3) == 0:
			at := 3 + 3*rng.IntN(r.vlen())
			if v := r[at]; k.refs[v] == 1 {
				r = slices.Delete(r, at, at+3)
				r[1]--
				defer k.put(v, nil)
			}
		}
		if n := len(r); n > 5 {
			r[2] = max(r[2], (r[n-2]+r[n-1]+4095)/4096*4096)
		}
		k.put(id, r)
	}
}

// lastOf is a variable of a section that the real kernel has, 0 if there is none left.
func (k *kernel) lastOf(section record) uint32 {
	for at := len(section) - 3; at > 2; at -= 3 {
		if id := section[at]; int(id) < len(k.base.records) {
			return id
		}
	}
	return 0
}
