package core

import "github.com/btfgen/btfgen/btf"

// ciliumCompare compares types through pointers, so it remembers what it has
// compared.
type ciliumCompare struct {
	lt, tt  *types
	visited map[[2]btf.ID]struct{}
}

func (c *ciliumCompare) seen(l, t btf.ID) bool {
	pair := [2]btf.ID{l, t}
	if _, ok := c.visited[pair]; ok {
		return true
	}
	if c.visited == nil {
		c.visited = make(map[[2]btf.ID]struct{})
	}
	c.visited[pair] = struct{}{}
	return false
}

// pair looks through modifiers; done tells that the answer is v, f.
func (c *ciliumCompare) pair(local, target btf.ID, names bool) (l, t btf.ID, k btf.Kind, done bool, v verdict, f flaw) {
	l, lk, ok1 := c.lt.underlying(local)
	t, tk, ok2 := c.tt.underlying(target)
	switch {
	case !ok1 || !ok2:
		return 0, 0, 0, true, failed, flawBadType
	case names && !ciliumNamesMatch(c.lt.NameBytes(l), c.tt.NameBytes(t)):
		return 0, 0, 0, true, noMatch, flawNone
	case !sameKind(lk, tk):
		return 0, 0, 0, true, noMatch, flawNone
	case c.seen(l, t):
		return 0, 0, 0, true, matches, flawNone
	}
	return l, t, lk, false, noMatch, flawNone
}

// maxCompared bounds how many pairs of types one comparison may visit.
const maxCompared = 1 << 16

// compatible is coreAreTypesCompatible.
func (c *ciliumCompare) compatible(local, target btf.ID) (verdict, flaw) {
	l, t, k, done, v, f := c.pair(local, target, false)
	if done {
		return v, f
	}
	if len(c.visited) > maxCompared {
		return failed, flawTooDeep
	}
	switch k {
	case btf.KindVoid, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64, btf.KindFwd, btf.KindInt:
		return matches, flawNone
	case btf.KindPtr:
		c.tt.touch(t, ItemAll)
		return c.compatible(c.lt.Ref(l), c.tt.Ref(t))
	case btf.KindArray:
		la, ta := c.lt.Array(l), c.tt.Array(t)
		if v, f := c.compatible(la.Index, ta.Index); v != matches {
			return v, f
		}
		return c.compatible(la.Elem, ta.Elem)
	case btf.KindFuncProto:
		c.tt.touch(t, ItemAll)
		if v, f := c.compatible(c.lt.Ref(l), c.tt.Ref(t)); v != matches {
			return v, f
		}
		if c.lt.Vlen(l) != c.tt.Vlen(t) {
			return noMatch, flawNone
		}
		for i := range c.lt.Vlen(l) {
			if v, f := c.compatible(c.lt.Param(l, i).Type, c.tt.Param(t, i).Type); v != matches {
				return v, f
			}
		}
		return matches, flawNone
	}
	return failed, flawUnknown
}

// match is coreTypesMatch.
func (c *ciliumCompare) match(local, target btf.ID) (verdict, flaw) {
	l, t, k, done, v, f := c.pair(local, target, true)
	if done {
		return v, f
	}
	if len(c.visited) > maxCompared {
		return failed, flawTooDeep
	}
	switch k {
	case btf.KindVoid:
		return matches, flawNone
	case btf.KindFwd:
		return yes(c.lt.KindFlag(l) == c.tt.KindFlag(t)), flawNone
	case btf.KindEnum, btf.KindEnum64:
		return yes(c.enums(l, t)), flawNone
	case btf.KindStruct, btf.KindUnion:
		if c.lt.Kind(l) != c.tt.Kind(t) {
			return noMatch, flawNone
		}
		return c.composites(l, t)
	case btf.KindInt:
		le, te := c.lt.Int(l).Encoding, c.tt.Int(t).Encoding
		return yes(c.lt.BTF.Size(l) == c.tt.BTF.Size(t) && (le == btf.Signed) == (te == btf.Signed)), flawNone
	case btf.KindPtr:
		c.tt.touch(t, ItemAll)
		lr, tr := c.lt.Ref(l), c.tt.Ref(t)
		if c.declares(c.lt, lr, c.tt, tr) || c.declares(c.tt, tr, c.lt, lr) {
			return matches, flawNone
		}
		return c.match(lr, tr)
	case btf.KindArray:
		la, ta := c.lt.Array(l), c.tt.Array(t)
		if la.Nelems != ta.Nelems {
			return noMatch, flawNone
		}
		c.tt.touch(ta.Index, ItemSelf)
		return c.match(la.Elem, ta.Elem)
	case btf.KindFuncProto:
		c.tt.touch(t, ItemAll)
		if c.lt.Vlen(l) != c.tt.Vlen(t) {
			return noMatch, flawNone
		}
		for i := range c.lt.Vlen(l) {
			if v, f := c.match(c.lt.Param(l, i).Type, c.tt.Param(t, i).Type); v != matches {
				return v, f
			}
		}
		return c.match(c.lt.Ref(l), c.tt.Ref(t))
	}
	return failed, flawUnknown
}

// declares tells whether a is a forward declaration of b's kind, whatever the
// name.
func (c *ciliumCompare) declares(at *types, a btf.ID, bt *types, b btf.ID) bool {
	fwd, k, ok := at.underlying(a)
	if !ok || k != btf.KindFwd {
		return false
	}
	_, bk, ok := bt.underlying(b)
	return ok && (bk == btf.KindStruct && !at.KindFlag(fwd) || bk == btf.KindUnion && at.KindFlag(fwd))
}

func (c *ciliumCompare) enums(l, t btf.ID) bool {
	c.tt.touch(t, ItemAll)
	n := c.lt.Vlen(l)
	if c.lt.BTF.Size(l) != c.tt.BTF.Size(t) || n > c.tt.Vlen(t) {
		return false
	}
	for i := range n {
		name, found := c.lt.StringBytes(c.lt.Enumerator(l, i).NameOff), false
		for j := range c.tt.Vlen(t) {
			if found = ciliumNamesMatch(name, c.tt.StringBytes(c.tt.Enumerator(t, j).NameOff)); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (c *ciliumCompare) composites(l, t btf.ID) (verdict, flaw) {
	c.tt.touch(t, ItemAll)
	if c.lt.Vlen(l) > c.tt.Vlen(t) {
		return noMatch, flawNone
	}
	for i := range c.lt.Vlen(l) {
		lm, found := c.lt.Member(l, i), -1
		name := c.lt.StringBytes(lm.NameOff)
		for j := c.tt.Vlen(t) - 1; j >= 0 && found < 0; j-- { // of several, the last
			if string(name) == string(c.tt.StringBytes(c.tt.Member(t, j).NameOff)) {
				found = j
			}
		}
		if found < 0 {
			return noMatch, flawNone
		}
		if v, f := c.match(lm.Type, c.tt.Member(t, found).Type); v != matches {
			return v, f
		}
	}
	return matches, flawNone
}
