package dwarftest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btf"
)

// Two are the BTFs that are compared, with what they are called in words.
type Two struct {
	Names [2]string
	BTF   [2]*btf.BTF
	// Of says which types count; nil is all. Those of a base never do.
	Of func(b *btf.BTF, id btf.ID) bool
}

// A Difference is a class that has more types in one of two BTFs than in the other.
type Difference struct {
	Kind  btf.Kind
	Name  string
	Text  string // of a type of the class
	Count [2]int
	// Within: both BTFs have types of this text, so they differ by what they contain.
	Within bool
	names  [2]string
}

func (d Difference) String() string {
	text := fmt.Sprintf("%v %q: %d in %s, %d in %s", d.Kind, d.Name, d.Count[0], d.names[0], d.Count[1], d.names[1])
	if d.Within {
		text += ", which differ by what they contain"
	}
	return text + ": " + d.Text
}

// Compare lists the differences, those first that are not by what a type contains. Kinds counts the types compared, of each kind.
func (j *Judge) Compare(two Two) (kinds map[btf.Kind]int, differences []Difference, err error) {
	type found struct {
		count [2]int
		id    [2]btf.ID
	}
	classes := map[int32]*found{}
	kinds = map[btf.Kind]int{}
	for side, b := range two.BTF {
		if err := b.Validate(); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", two.Names[side], err)
		}
		s, err := j.sort(b)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", two.Names[side], err)
		}
		for id := b.Start(); id < b.End(); id++ {
			if two.Of != nil && !two.Of(b, id) {
				continue
			}
			f := classes[s.whole[id]]
			if f == nil {
				f = new(found)
				classes[s.whole[id]] = f
			}
			f.count[side]++
			f.id[side] = id
			if side == 0 {
				kinds[b.Kind(id)]++
			}
		}
	}
	texts := map[string]int{} // which BTFs have it among the differences, as bits
	for _, f := range classes {
		if f.count[0] == f.count[1] {
			continue
		}
		side := 0
		if f.count[0] == 0 {
			side = 1
		}
		b, id := two.BTF[side], f.id[side]
		d := Difference{Kind: b.Kind(id), Name: b.Name(id), Text: Text(b, id), Count: f.count, names: two.Names}
		for side, n := range f.count {
			if n > 0 {
				texts[d.Text] |= 1 << side
			}
		}
		differences = append(differences, d)
	}
	for i := range differences {
		d := &differences[i]
		d.Within = texts[d.Text] == 3 && (d.Count[0] == 0 || d.Count[1] == 0)
	}
	slices.SortFunc(differences, func(a, b Difference) int {
		if a.Within != b.Within {
			if a.Within {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(kindOrder(a.Kind), kindOrder(b.Kind)), strings.Compare(a.Name, b.Name), strings.Compare(a.Text, b.Text),
			cmp.Compare(b.Count[0], a.Count[0]), cmp.Compare(b.Count[1], a.Count[1]))
	})
	return kinds, differences, nil
}

// kindOrder puts the kinds first that others are made of.
func kindOrder(k btf.Kind) int {
	order := []btf.Kind{btf.KindInt, btf.KindFloat, btf.KindEnum, btf.KindEnum64, btf.KindFwd, btf.KindStruct, btf.KindUnion, btf.KindTypedef}
	if i := slices.Index(order, k); i >= 0 {
		return i
	}
	return len(order) + int(k)
}

// TypesOnly makes a filter that leaves out functions and variables, and prototypes that only functions have.
func TypesOnly() func(b *btf.BTF, id btf.ID) bool {
	others := map[*btf.BTF][]bool{}
	return func(b *btf.BTF, id btf.ID) bool {
		switch b.Kind(id) {
		case btf.KindFunc, btf.KindVar, btf.KindDatasec:
			return false
		case btf.KindDeclTag:
			k := b.Kind(b.Ref(id))
			return k != btf.KindFunc && k != btf.KindVar
		case btf.KindFuncProto:
			used := others[b]
			if used == nil {
				used = usedByTypes(b)
				others[b] = used
			}
			return used[id]
		}
		return true
	}
}

// usedByTypes tells of each type whether one refers to it that is neither a function nor a variable.
func usedByTypes(b *btf.BTF) []bool {
	used := make([]bool, b.End())
	for id := range b.End() {
		switch k := b.Kind(id); k {
		case btf.KindPtr, btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindTypeTag:
			used[b.Ref(id)] = true
		case btf.KindFuncProto:
			used[b.Ref(id)] = true
			for i := range b.Vlen(id) {
				used[b.Param(id, i).Type] = true
			}
		case btf.KindArray:
			used[b.Array(id).Elem] = true
		case btf.KindStruct, btf.KindUnion:
			for i := range b.Vlen(id) {
				used[b.Member(id, i).Type] = true
			}
		}
	}
	return used
}

// Repeated tells of each of a split BTF's own types whether its base has it too.
func (j *Judge) Repeated(b *btf.BTF) (repeated map[btf.ID]bool, err error) {
	s, err := j.sort(b)
	if err != nil {
		return nil, err
	}
	base := map[int32]bool{}
	for id := range b.Start() {
		base[s.whole[id]] = true
	}
	repeated = map[btf.ID]bool{}
	for id := b.Start(); id < b.End(); id++ {
		if base[s.whole[id]] {
			repeated[id] = true
		}
	}
	return repeated, nil
}

// Pair gives for types of a types of b of the same class: different ones for different ones, 0 for those that b lacks.
func (j *Judge) Pair(a, b *btf.BTF) (pair []btf.ID, err error) {
	var sorted [2]*sorting
	for side, types := range []*btf.BTF{a, b} {
		if sorted[side], err = j.sort(types); err != nil {
			return nil, err
		}
	}
	of := map[int32][]btf.ID{}
	for id, class := range sorted[1].whole {
		of[class] = append(of[class], btf.ID(id))
	}
	pair = make([]btf.ID, a.End())
	for id, class := range sorted[0].whole {
		if list := of[class]; len(list) > 0 {
			pair[id], of[class] = list[0], list[1:]
		}
	}
	return pair, nil
}
