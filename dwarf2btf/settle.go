package dwarf2btf

import (
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// settling decides which class each is written as: declarations as what they declare,
// names as what they name, and refined classes as others that they are the same as.
type settling struct {
	in    *input
	t     *table
	first []uint64 // by class: where it came first, unit and entry
	count []int32  // by class: how often it came, unrefined
	to    []class  // by class: what it is written as
	names map[digest]namedType
	// By base: its refinements, the earliest first.
	versions map[class][]class
	state    map[class]uint8 // of a base whose versions are references: whether they have been compared
	resolved map[[2]class]bool
}

// namedType is what there is of a kind and name.
type namedType struct {
	definition, declaration class // the first of each
	several                 bool  // definitions
}

func (in *input) settle(t *table, first []uint64, count []int32) []class {
	s := &settling{in: in, t: t, first: first, count: count, to: make([]class, len(t.at)), names: map[digest]namedType{}, versions: map[class][]class{},
		state: map[class]uint8{}, resolved: map[[2]class]bool{}}
	s.nameTypes()
	if len(t.base) > 0 {
		s.mergeVersions()
	}
	for c := range s.to {
		s.to[c] = s.end(class(c))
	}
	return s.to
}

// end follows to.
func (s *settling) end(c class) class {
	for s.to[c] != c {
		c = s.to[c]
	}
	return c
}

// nameTypes finds the definitions and declarations of names.
func (s *settling) nameTypes() {
	for i := range s.to {
		s.to[i] = class(i)
	}
	for c := class(1); int(c) < len(s.to); c++ {
		r := s.t.record(c)
		kind := r.kind()
		switch kind {
		case btf.KindFwd, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
		default:
			continue
		}
		if r[recordName] == 0 || s.t.refines(c) != 0 {
			continue
		}
		key := s.in.nameKey(r)
		d := s.names[key]
		switch {
		case kind == btf.KindFwd || kind == btf.KindEnum && r[recordItems] == 0:
			if d.declaration == 0 || s.first[c] < s.first[d.declaration] {
				d.declaration = c
			}
		case d.definition == 0:
			d.definition = c
		default:
			d.several = true
			if s.first[c] < s.first[d.definition] {
				d.definition = c
			}
		}
		s.names[key] = d
	}
	for key, d := range s.names {
		if d.definition != 0 && d.declaration != 0 && !d.several {
			s.to[d.declaration] = d.definition
		}
		if name := s.t.find(key); name != 0 {
			s.to[name] = d.definition
			if d.definition == 0 || d.several && d.declaration != 0 {
				s.to[name] = d.declaration
			}
		}
	}
}

// mergeVersions merges refinements of one class that are the same after all.
//
// Structs are, if no name is defined differently for the one and the other; a
// declaration in the one is then of the other's definition, and with it everywhere.
// That is how the reference takes it. Pointers and the like are the same if what they
// refer to is.
func (s *settling) mergeVersions() {
	var bases []class
	for c := range s.t.base {
		b := s.t.base[c]
		if b == 0 {
			continue
		}
		if s.versions[b] == nil {
			bases = append(bases, b)
		}
		s.versions[b] = append(s.versions[b], class(c))
	}
	slices.SortFunc(bases, func(a, b class) int { return s.earlier(a, b) })
	for _, b := range bases {
		versions := s.versions[b]
		slices.SortFunc(versions, s.earlier)
		if s.count[b] > 0 {
			versions = append(versions, b) // of units that only declare
		} else {
			s.to[b] = versions[0]
		}
		s.versions[b] = versions
		if s.t.record(b).kind().IsComposite() {
			s.mergeStructs(versions)
		}
	}
	for _, b := range bases {
		s.mergeReferences(b)
	}
}

func (s *settling) earlier(a, b class) int { return s.t.earlier(s.first, a, b) }

// maxVersions limits with how many of a struct's refinements another one is compared.
const maxVersions = 64

func (s *settling) mergeStructs(versions []class) {
	var kept []class
	leads := map[class]map[digest]class{}
next:
	for _, v := range versions {
		mine := map[digest]class{}
		for _, c := range s.t.leads[v] {
			mine[s.in.nameKey(s.t.record(c))] = c
		}
		for _, k := range kept {
			theirs := leads[k]
			if !compatible(mine, theirs) {
				continue
			}
			for name, c := range mine {
				theirs[name] = c
			}
			s.to[v] = k
			s.resolve(v, k)
			s.resolve(k, v)
			continue next
		}
		if len(kept) < maxVersions {
			kept = append(kept, v)
			leads[v] = mine
		}
	}
}

func compatible(a, b map[digest]class) bool {
	for name, c := range a {
		if d, ok := b[name]; ok && c != d {
			return false
		}
	}
	return true
}

// resolve settles declarations that a leads to where b leads to definitions: directly, or
// through what has no name.
func (s *settling) resolve(a, b class) {
	from, with := s.t.record(a), s.t.record(b)
	if len(from) != len(with) || from.kind() != with.kind() || s.resolved[[2]class{a, b}] {
		return
	}
	s.resolved[[2]class{a, b}] = true
	from.references(func(i int) {
		x, y := from[i], with[i]
		if x == y || y == 0 {
			return
		}
		rx, ry := s.t.record(x), s.t.record(y)
		switch {
		case rx.kind() == kindName && ry.kind() != kindName:
			d := s.names[s.t.keys[x]]
			if d.several && d.declaration != 0 && s.to[d.declaration] == d.declaration {
				s.to[d.declaration] = y
			}
		case rx.kind() != kindName && (rx[recordName] == 0 || !rx.kind().IsComposite()):
			// No circle, as every one leads through a name.
			s.resolve(x, y)
		}
	})
}

// mergeReferences compares the versions of a class that is no struct.
func (s *settling) mergeReferences(b class) {
	versions := s.versions[b]
	if versions == nil || s.state[b] != 0 || s.t.record(b).kind().IsComposite() {
		return
	}
	s.state[b] = 1
	byReferences := map[digest]class{}
	for _, v := range versions {
		var own digest
		r := s.t.record(v)
		r.references(func(i int) {
			c := r[i]
			if base := s.t.refines(c); base != 0 {
				s.mergeReferences(base)
			} else {
				s.mergeReferences(c)
			}
			own = own.with(uint64(i)<<32 | uint64(s.end(c)))
		})
		if other, ok := byReferences[own]; ok {
			s.to[v] = s.end(other)
		} else {
			byReferences[own] = v
		}
	}
}

// nameKey is the key of the class of a named type's name.
func (in *input) nameKey(r record) digest {
	kind := r.kind()
	if kind == btf.KindFwd {
		kind = btf.KindUnion
		if r.flags()&flagStruct != 0 {
			kind = btf.KindStruct
		}
	}
	return nameDigest(kind, hashName(in.name(r[recordName])))
}

// finite fails if a type contains itself by value: no compiler writes that, and no
// reader of BTF takes it. Digests do not see it, because names are all that a
// reference to a named type is to them.
func (in *input) finite(t *table, order []class, to []class) error {
	const open, done = 1, 2
	state := make([]uint8, len(to))
	type frame struct {
		class class
		at    int
	}
	var path []frame
	for _, c := range order {
		if state[c] == 0 && t.record(c).kind().IsComposite() {
			path = append(path, frame{c, recordWords + 1})
			state[c] = open
		}
		for len(path) > 0 {
			f := &path[len(path)-1]
			r := t.record(f.class)
			var next class
			switch {
			case r.kind().IsComposite():
				if f.at < len(r) {
					next = r[f.at]
					f.at += itemWords
				} else {
					f.at = 0
				}
			case f.at == recordRef:
				f.at = 0
			default:
				next, f.at = r[recordRef], recordRef
			}
			if f.at == 0 {
				state[f.class] = done
				path = path[:len(path)-1]
				continue
			}
			if next = to[next]; next == 0 || state[next] == done {
				continue
			}
			if state[next] == open {
				return fmt.Errorf("%w: %v %q", errCycle, r.kind(), in.name(r[recordName]))
			}
			switch k := t.record(next).kind(); k {
			case btf.KindStruct, btf.KindUnion, btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict, btf.KindArray, btf.KindTypeTag:
				state[next] = open
				at := recordWords + 1
				if !k.IsComposite() {
					at = -1
				}
				path = append(path, frame{next, at})
			}
		}
	}
	return nil
}
