package core

import (
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// Scope is what of a kernel's types the plan's relocations can look at, by the
// rules of both loaders. It may be more than any one kernel's outcome depends
// on, never less: see Resolver.Strayed.
func (p *Plan) Scope() *btf.Scope {
	s := scopeMaker{scope: &btf.Scope{Alike: alike}, roots: make(map[string]int), paths: make(map[string]int32)}
	for i, l := range p.locals {
		nodes := func(name string) []int32 {
			switch {
			case l.Kind.isField():
				return s.path(name, l)
			case l.Kind == TypeMatches:
				return []int32{s.match(l.types, l.Type, make(map[btf.ID]int32))}
			case l.Kind.isEnumval():
				return []int32{s.enum()}
			}
			return []int32{s.asType()}
		}
		root := p.roots[i]
		if root.lib >= 0 {
			name := EssentialName(l.rootName)
			s.root(name, uint32(p.tried[root.lib]), l.Kind == TypeIDTarget, nodes(name))
		}
		if root.cil >= 0 && root.cil != root.lib {
			name := l.rootName[:ciliumEssentialLen([]byte(l.rootName))]
			s.root(name, uint32(p.tried[root.cil]), l.Kind == TypeIDTarget, nodes(name))
		}
	}
	// A pointer's size is that of a long.
	for _, name := range btf.LongNames() {
		s.root(name, 1<<btf.KindInt, false, nil)
	}
	return s.scope
}

type scopeMaker struct {
	scope *btf.Scope
	roots map[string]int
	paths map[string]int32 // per root name: the node that its fields' paths start from
	types int32            // 1 + the node of types as a whole
	enums int32            // 1 + the node of enumerators
}

func (s *scopeMaker) node(n btf.ScopeNode) int32 {
	s.scope.Nodes = append(s.scope.Nodes, n)
	return int32(len(s.scope.Nodes)) - 1
}

func (s *scopeMaker) root(name string, kinds uint32, apart bool, nodes []int32) {
	i, ok := s.roots[name]
	if !ok {
		i = len(s.scope.Roots)
		s.roots[name] = i
		s.scope.Roots = append(s.scope.Roots, btf.ScopeRoot{Name: name})
	}
	r := &s.scope.Roots[i]
	r.Kinds |= kinds
	r.Apart = r.Apart || apart
	for _, n := range nodes {
		if !slices.Contains(r.Nodes, n) {
			r.Nodes = append(r.Nodes, n)
		}
	}
}

// asType looks at a type as type_exists, type_size and the type ids do: through
// pointers and prototypes, not at members.
func (s *scopeMaker) asType() int32 {
	if s.types == 0 {
		n := s.node(btf.ScopeNode{})
		s.scope.Nodes[n].Behind = []int32{n}
		s.types = n + 1
	}
	return s.types - 1
}

func (s *scopeMaker) enum() int32 {
	if s.enums == 0 {
		s.enums = s.node(btf.ScopeNode{All: true}) + 1
	}
	return s.enums - 1
}

// path adds the names that a field's path goes through.
func (s *scopeMaker) path(root string, l *Local) []int32 {
	at, ok := s.paths[root]
	if !ok {
		at = s.node(btf.ScopeNode{Members: make(map[string][]int32)})
		s.paths[root] = at
	}
	start := []int32{at}
	raw := l.cilium.raw
	if len(raw) == 0 {
		raw = l.spec.raw
	}
	if len(raw) == 0 {
		return start
	}
	t, id := l.types, l.Type
	for _, idx := range raw[1:] {
		c, k, ok := t.skip(id)
		switch {
		case ok && k.IsComposite() && int(idx) < t.Vlen(c):
			m := t.Member(c, int(idx))
			if m.NameOff != 0 {
				at = s.member(at, t.String(m.NameOff))
			}
			id = m.Type
		case ok && k == btf.KindArray:
			id = t.Array(c).Elem
		default:
			return start
		}
	}
	return start
}

func (s *scopeMaker) member(at int32, name string) int32 {
	if next := s.scope.Nodes[at].Members[name]; next != nil {
		return next[0]
	}
	next := s.node(btf.ScopeNode{Members: make(map[string][]int32)})
	s.scope.Nodes[at].Members[name] = []int32{next}
	return next
}

// match looks at a type as type_matches does: as far as the local type goes,
// behind pointers too, as cilium/ebpf has it.
func (s *scopeMaker) match(t *types, id btf.ID, nodes map[btf.ID]int32) int32 {
	id, k, ok := t.skip(id)
	if n, known := nodes[id]; known {
		return n
	}
	for range maxTypeDepth { // an array's element is looked at as the array is
		if k != btf.KindArray {
			break
		}
		id, k, ok = t.skip(t.Array(id).Elem)
		if n, known := nodes[id]; known {
			return n
		}
	}
	n := s.node(btf.ScopeNode{All: true, Flavored: true})
	nodes[id] = n
	var behind []int32
	switch {
	case !ok:
	case k.IsComposite():
		members := make(map[string][]int32)
		for i := range t.Vlen(id) {
			m := t.Member(id, i)
			next, name := s.match(t, m.Type, nodes), t.String(m.NameOff)
			members[name] = append(members[name], next)
			if short := EssentialName(name); short != name {
				members[short] = append(members[short], next)
			}
		}
		s.scope.Nodes[n].Members = members
	case k == btf.KindPtr:
		behind = append(behind, s.match(t, t.Ref(id), nodes))
	case k == btf.KindFuncProto:
		behind = append(behind, s.match(t, t.Ref(id), nodes))
		for i := range t.Vlen(id) {
			behind = append(behind, s.match(t, t.Param(id, i).Type, nodes))
		}
	}
	s.scope.Nodes[n].Behind = behind
	return n
}
