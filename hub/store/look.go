package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// looks are the sets of a scope's nodes that types are looked at with, numbered
// as they come up. Number 0 is the empty set: the type's own record and no more.
type looks struct {
	scope *btf.Scope
	str   func(uint32) ([]byte, error)
	sets  []look
	index map[string]int32
	spent int // of maxLooks
}

// maxLooks bounds the sets, by the nodes and names in all of them: where
// type_matches asks for much of a kernel there can be as many as subsets of it.
const maxLooks = 1 << 20

var errLooks = errors.New("the scope is too large to be looked at type by type")

const unseen = int32(-1) // not looked at

// look is a set of nodes.
type look struct {
	nodes    []int32
	all      bool
	behind   []int32            // nodes
	names    map[string][]int32 // members' names that are looked for, and the nodes that their types are looked at by
	flavored bool
	members  map[uint32]member // by number of the name
}

// member is what of a struct's member is looked at.
type member struct {
	look  int32 // of its type, unseen if it is not looked for
	alike bool  // its name is like one that is
}

func newLooks(scope *btf.Scope, str func(uint32) ([]byte, error)) *looks {
	l := &looks{scope: scope, str: str, index: make(map[string]int32)}
	l.set(nil)
	return l
}

// set is the number of a set of nodes, which may be in any order and twice.
func (l *looks) set(nodes []int32) int32 {
	nodes = slices.Clone(nodes)
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	var key []byte
	for _, n := range nodes {
		key = binary.AppendUvarint(key, uint64(n))
	}
	if i, ok := l.index[string(key)]; ok {
		return i
	}
	if l.spent > maxLooks {
		return 0
	}
	i := int32(len(l.sets))
	l.index[string(key)] = i
	own := look{nodes: nodes, names: make(map[string][]int32), members: make(map[uint32]member)}
	for _, n := range nodes {
		node := &l.scope.Nodes[n]
		own.all = own.all || node.All
		own.flavored = own.flavored || node.Flavored
		own.behind = append(own.behind, node.Behind...)
		for name, next := range node.Members {
			own.names[name] = append(own.names[name], next...)
			l.spent += 1 + len(next)
		}
		l.spent += 1 + len(node.Behind)
	}
	l.sets = append(l.sets, own)
	return i
}

// behind is what is looked at with behind a pointer.
func (l *looks) behind(set int32) int32 {
	if len(l.sets[set].behind) == 0 {
		return unseen
	}
	return l.set(l.sets[set].behind)
}

// union is the number of what two sets have together.
func (l *looks) union(a, b int32) int32 {
	switch {
	case a == b || b == 0:
		return a
	case a == 0:
		return b
	}
	return l.set(append(slices.Clone(l.sets[a].nodes), l.sets[b].nodes...))
}

// member tells what a set looks at of a member; one without a name is looked
// through, and at as others where that is asked for.
func (l *looks) member(set int32, name uint32) (member, error) {
	if set == unseen {
		return member{look: set}, nil
	}
	s := &l.sets[set]
	m, ok := s.members[name]
	if ok {
		return m, nil
	}
	if name == 0 {
		m.look = set
		if next, ok := s.names[""]; ok {
			m.look = l.union(set, l.set(next))
		}
		l.sets[set].members[0] = m
		return m, nil
	}
	text, err := l.str(name)
	if err != nil {
		return member{}, err
	}
	m.look = unseen
	if next, ok := s.names[string(text)]; ok {
		m.look = l.set(next)
		s = &l.sets[set] // which may have moved
	}
	if at := bytes.Index(text, []byte("___")); s.flavored && at > 0 {
		for want, next := range s.names {
			if len(want) >= at && bytes.HasPrefix(text, []byte(want+"___")) {
				m.look = l.union(max(m.look, 0), l.set(next))
				s = &l.sets[set]
			}
		}
	}
	if m.look == unseen && l.scope.Alike != nil {
		for want := range s.names {
			if m.alike = want != "" && l.scope.Alike(want, string(text)); m.alike {
				break
			}
		}
	}
	s.members[name] = m
	return m, nil
}
