package storetest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Graphs is the verdict on two BTFs' type graphs.
type Graphs struct {
	// Differences is empty if the graphs are the same: at most a few lines, those nearest to the cause, and how many there are.
	Differences []string
	// Types is how many types the first has, Classes how many of them are distinct, Names how many pairs of kind and name have
	// several types, Ambiguous those of them that have several distinct ones.
	Types, Classes, Names, Ambiguous int
	// Rounds is how many rounds of refinement it took.
	Rounds int

	pair  []int // of a type of the first, one of the second that is the same
	class [2][]int32
}

// union is both BTFs' types side by side, void once for each.
type union struct {
	blobs [2]*blob
	first [2]int    // where the types of each begin
	own   []string  // per type: all that its record says by itself
	refs  [][]int32 // per type: what it refers to, in the record's order
}

// CompareGraphs tells whether two BTFs are the same type graph: for every type of one there is one of the other that no walk over
// names, kinds, sizes, values and references tells from it, and there are as many of each. Order, ids and the layout of
// strings do not count; every other bit of the type section does.
//
// Both graphs are put together and their types sorted into classes, first by what a record says itself, then again and again by
// the classes of what it refers to, until nothing splits (partition refinement). The texts by which types are classed are
// compared whole.
func CompareGraphs(a, b []byte) (*Graphs, error) {
	u, err := unite(a, b)
	if err != nil {
		return nil, err
	}
	g := new(Graphs)
	class, n := classesOf(len(u.own), func(i int, _ []byte) []byte { return []byte(u.own[i]) })
	for {
		if g.Differences = u.unbalanced(class, n); len(g.Differences) > 0 {
			return g, nil
		}
		next, m := classesOf(len(u.own), func(i int, key []byte) []byte {
			key = binary.LittleEndian.AppendUint32(key, uint32(class[i]))
			for _, to := range u.refs[i] {
				key = binary.LittleEndian.AppendUint32(key, uint32(class[to]))
			}
			return key
		})
		g.Rounds++
		if m == n {
			break
		}
		class, n = next, m
	}
	g.class = [2][]int32{class[:u.first[1]], class[u.first[1]:]}
	g.Types, g.Classes = u.blobs[0].types()-1, n-1
	g.pairUp(n)
	u.duplicates(g)
	return g, nil
}

// classesOf numbers n things by their keys, in the order in which a key is first met. key may use the buffer that it is given.
func classesOf(n int, key func(i int, buf []byte) []byte) (class []int32, classes int) {
	class = make([]int32, n)
	seen := make(map[string]int32, n/2)
	var buf []byte
	for i := range class {
		buf = key(i, buf[:0])
		c, ok := seen[string(buf)]
		if !ok {
			c = int32(len(seen))
			seen[string(buf)] = c
		}
		class[i] = c
	}
	return class, len(seen)
}

func unite(a, b []byte) (*union, error) {
	u := new(union)
	for side, raw := range [][]byte{a, b} {
		d, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("BTF %d: %w", side+1, err)
		}
		u.blobs[side] = d
	}
	if a, b := u.blobs[0].order, u.blobs[1].order; a != b {
		return nil, fmt.Errorf("one BTF is %v, the other %v", a, b)
	}
	u.first = [2]int{0, u.blobs[0].types()}
	for side, d := range u.blobs {
		for id := range d.types() {
			u.add(side, d, id)
		}
	}
	return u, nil
}

func (u *union) add(side int, d *blob, id int) {
	var own []byte
	var refs []int32
	r := d.record(id)
	d.each(id, func(at int, what byte) {
		switch what {
		case 'n':
			own = append(own, d.text(r[at])...)
			own = append(own, 0)
		case 'w':
			own = binary.LittleEndian.AppendUint32(own, r[at])
		case 't':
			to := int(r[at])
			if to >= d.types() {
				own = fmt.Appendf(own, "type %d of BTF %d is out of range", to, side)
				to = 0
			}
			refs = append(refs, int32(u.first[side]+to))
		}
	})
	u.own, u.refs = append(u.own, string(own)), append(u.refs, refs)
}

// unbalanced says which classes have not as many types of one BTF as of the other.
func (u *union) unbalanced(class []int32, classes int) []string {
	counts := make([][2]int, classes)
	sample := make([]int, classes)
	for i, c := range class {
		counts[c][u.side(i)]++
		sample[c] = i
	}
	var out []string
	for c, n := range counts {
		if n[0] != n[1] {
			out = append(out, fmt.Sprintf("%s: %d in the first, %d in the second", u.describe(sample[c]), n[0], n[1]))
		}
	}
	sort.Strings(out)
	const enough = 8
	if len(out) > enough {
		out = append(out[:enough], fmt.Sprintf("… and %d more", len(out)-enough))
	}
	return out
}

func (u *union) side(i int) int {
	if i >= u.first[1] {
		return 1
	}
	return 0
}

// describe names a type by what its record says.
func (u *union) describe(i int) string {
	side := u.side(i)
	d, id := u.blobs[side], i-u.first[side]
	text := fmt.Sprintf("%s %q", kindNames[d.kind(id)], d.name(id))
	r := d.record(id)
	var items []string
	d.each(id, func(at int, what byte) {
		switch {
		case at < 2 || len(items) == 12:
		case what == 'n':
			items = append(items, d.text(r[at]))
		case what == 't':
			if to := int(r[at]); to < d.types() {
				items = append(items, fmt.Sprintf("(%s %q)", kindNames[d.kind(to)], d.name(to)))
			}
		default:
			items = append(items, fmt.Sprintf("%#x", r[at]))
		}
	})
	return text + " {" + strings.Join(items, " ") + "}"
}

// pairUp gives each type of the first BTF one of the second of the same class.
func (g *Graphs) pairUp(classes int) {
	members := make([][]int32, classes)
	for id, c := range g.class[1] {
		members[c] = append(members[c], int32(id))
	}
	g.pair = make([]int, len(g.class[0]))
	for id, c := range g.class[0] {
		g.pair[id] = int(members[c][0])
		members[c] = members[c][1:]
	}
}

// duplicates compares, for each kind and name, how many types there are and how many of them are distinct.
func (u *union) duplicates(g *Graphs) {
	type key struct {
		kind int
		name string
	}
	type count struct {
		types    [2]int
		distinct [2][]int32
	}
	names := make(map[key]*count)
	for side, d := range u.blobs {
		for id := 1; id < d.types(); id++ {
			k := key{d.kind(id), d.name(id)}
			if k.name == "" {
				continue
			}
			c := names[k]
			if c == nil {
				c = new(count)
				names[k] = c
			}
			c.types[side]++
			if !slices.Contains(c.distinct[side], g.class[side][id]) {
				c.distinct[side] = append(c.distinct[side], g.class[side][id])
			}
		}
	}
	for k, c := range names {
		if c.types[0] != c.types[1] || len(c.distinct[0]) != len(c.distinct[1]) {
			g.Differences = append(g.Differences, fmt.Sprintf("%s %q: %d types, %d distinct in the first; %d types, %d distinct in the second",
				kindNames[k.kind], k.name, c.types[0], len(c.distinct[0]), c.types[1], len(c.distinct[1])))
		}
		if c.types[0] > 1 {
			g.Names++
		}
		if len(c.distinct[0]) > 1 {
			g.Ambiguous++
		}
	}
	sort.Strings(g.Differences)
}
