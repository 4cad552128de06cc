package storetest

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

// The kinds that the tests need by name; BTF_KIND_* of include/uapi/linux/btf.h.
const (
	kindPtr       = 2
	kindStruct    = 4
	kindEnum      = 6
	kindFunc      = 12
	kindFuncProto = 13
	kindDatasec   = 15
)

// realKernel is a kernel that is always there, with variables: the built-in one of Debian 12.
func realKernel(t *testing.T) []byte {
	t.Helper()
	raw, err := kernelsample.Load(kernelsample.Debian12)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// testObjects are the objects of this repository in a byte order.
func testObjects(t testing.TB, order binary.ByteOrder) []*bpfelf.Object {
	t.Helper()
	pattern := "*.bpfel.o"
	if order == binary.ByteOrder(binary.BigEndian) {
		pattern = "*.bpfeb.o"
	}
	var objects []*bpfelf.Object
	for _, folder := range []string{"example", "conformance"} {
		files, err := filepath.Glob(filepath.Join(need.Repository(t, "testdata", folder), pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s in testdata/%s: %v", pattern, folder, err)
		}
		for _, file := range files {
			found, err := bpfelf.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, found...)
		}
	}
	return objects
}

func planOf(t testing.TB, objects []*bpfelf.Object) *core.Plan {
	t.Helper()
	plan := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := plan.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return plan
}

// encode writes what decode has read, its types in a given order: types[i] is the old id of type i+1.
func encode(b *blob, types []int) []byte {
	renamed := make([]uint32, b.types())
	for i, id := range types {
		renamed[id] = uint32(i + 1)
	}
	var words []uint32
	for _, id := range types {
		r := slices.Clone(b.record(id))
		b.each(id, func(at int, what byte) {
			if what == 't' {
				r[at] = renamed[r[at]]
			}
		})
		words = append(words, r...)
	}
	out := make([]byte, 24, 24+len(words)*4+len(b.strs))
	b.order.PutUint16(out, 0xeb9f)
	out[2] = 1
	for i, v := range []int{24, 0, len(words) * 4, len(words) * 4, len(b.strs)} {
		b.order.PutUint32(out[4+i*4:], uint32(v))
	}
	for _, w := range words {
		out = binary.LittleEndian.AppendUint32(out, w)
		b.order.PutUint32(out[len(out)-4:], w)
	}
	return append(out, b.strs...)
}

func identity(b *blob) []int {
	types := make([]int, b.types()-1)
	for i := range types {
		types[i] = i + 1
	}
	return types
}

func decoded(t testing.TB, raw []byte) *blob {
	t.Helper()
	b, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJudgePasses gives the judge what is the same: other ids in any order, and the strings at other places.
func TestJudgePasses(t *testing.T) {
	raw := realKernel(t)
	b := decoded(t, raw)
	types := identity(b)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
	shuffled := decoded(t, encode(b, types))
	for id := 1; id < shuffled.types(); id++ {
		r := shuffled.record(id)
		shuffled.each(id, func(at int, what byte) {
			if what == 'n' && r[at] != 0 {
				r[at] += 5
			}
		})
	}
	shuffled.strs = append([]byte("\x00more"), shuffled.strs...)
	again := encode(shuffled, identity(shuffled))
	if p, err := btf.Parse(again); err != nil || p.Validate() != nil {
		t.Fatalf("the shuffled BTF is none: %v", err)
	}
	g, err := CompareGraphs(raw, again)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range g.Differences {
		t.Error(d)
	}
	t.Logf("%d types, %d distinct, %d names of several types, %d of them ambiguous, %d rounds", g.Types, g.Classes, g.Names, g.Ambiguous, g.Rounds)
	if g.Types != b.types()-1 || g.Classes < g.Types/2 {
		t.Errorf("%d types and %d classes of %d", g.Types, g.Classes, b.types()-1)
	}
	n, differences, err := NewRelocations(planOf(t, testObjects(t, orderOf(raw)))).Compare(g, raw, again)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
	if n.Resolved < 10 || n.Records < n.Relocations {
		t.Errorf("suspiciously little was compared: %+v", n)
	}
}

// structNamed is the first struct of a name.
func structNamed(t *testing.T, b *blob, name string) int {
	t.Helper()
	for id := 1; id < b.types(); id++ {
		if b.kind(id) == kindStruct && b.name(id) == name && len(b.record(id)) > 3 {
			return id
		}
	}
	t.Fatalf("no struct %s", name)
	return 0
}

// firstOf is the first type of a kind with a name and at least three items.
func firstOf(t *testing.T, b *blob, kind int) int {
	t.Helper()
	for id := 1; id < b.types(); id++ {
		if b.kind(id) == kind && (kind == kindFuncProto || b.name(id) != "") && b.record(id)[1]&0xffffff >= 3 {
			return id
		}
	}
	t.Fatalf("no %s", kindNames[kind])
	return 0
}

// graphDamages are the smallest changes that the judge has to see. Each changes the decoded BTF in place and may return other
// types than all.
var graphDamages = []struct {
	name   string
	change func(t *testing.T, b *blob) []int
}{
	{"a member's offset", func(t *testing.T, b *blob) []int {
		b.record(structNamed(t, b, "task_struct"))[3+3*5+2] += 8
		return nil
	}},
	{"a struct's size", func(t *testing.T, b *blob) []int {
		b.record(structNamed(t, b, "task_struct"))[2] += 8
		return nil
	}},
	{"a member's name", func(t *testing.T, b *blob) []int {
		r := b.record(structNamed(t, b, "task_struct"))
		r[3+3*5] = r[3+3*6]
		return nil
	}},
	{"a member's type", func(t *testing.T, b *blob) []int {
		r := b.record(structNamed(t, b, "task_struct"))
		for i := 3; i < len(r); i += 3 {
			if r[i+1] != r[4] {
				r[i+1] = r[4]
				return nil
			}
		}
		return nil
	}},
	{"one enum value", func(t *testing.T, b *blob) []int {
		b.record(firstOf(t, b, kindEnum))[4]++
		return nil
	}},
	{"a parameter's name", func(t *testing.T, b *blob) []int {
		r := b.record(firstOf(t, b, kindFuncProto))
		r[3] = b.record(structNamed(t, b, "task_struct"))[0]
		return nil
	}},
	{"a function's linkage", func(t *testing.T, b *blob) []int {
		for id := 1; id < b.types(); id++ {
			if b.kind(id) == kindFunc {
				b.record(id)[1] ^= 1
				return nil
			}
		}
		t.Fatal("no function")
		return nil
	}},
	{"a variable's place", func(t *testing.T, b *blob) []int {
		b.record(firstOf(t, b, kindDatasec))[3+3*1+1] += 8
		return nil
	}},
	{"a type less", func(_ *testing.T, b *blob) []int {
		// The last type that nothing refers to.
		used := make([]bool, b.types())
		for id := 1; id < b.types(); id++ {
			r := b.record(id)
			b.each(id, func(at int, what byte) { used[r[at]%uint32(len(used))] = used[r[at]%uint32(len(used))] || what == 't' })
		}
		types := identity(b)
		for i := len(types) - 1; ; i-- {
			if !used[types[i]] {
				return slices.Delete(types, i, i+1)
			}
		}
	}},
	{"a flag that its kind does not have", func(t *testing.T, b *blob) []int {
		for id := 1; id < b.types(); id++ {
			if b.kind(id) == kindPtr {
				b.record(id)[1] |= 1 << 31
				return nil
			}
		}
		t.Fatal("no pointer")
		return nil
	}},
	{"a reference to the other type of the name", func(t *testing.T, b *blob) []int {
		g, err := CompareGraphs(encode(b, identity(b)), encode(b, identity(b)))
		if err != nil {
			t.Fatal(err)
		}
		byName := map[string][]int{}
		for id := 1; id < b.types(); id++ {
			if b.kind(id) == kindStruct && b.name(id) != "" {
				byName[b.name(id)] = append(byName[b.name(id)], id)
			}
		}
		for id := 1; id < b.types(); id++ {
			r, done := b.record(id), false
			b.each(id, func(at int, what byte) {
				if what != 't' || done || r[at] == 0 {
					return
				}
				for _, other := range byName[b.name(int(r[at]))] {
					if b.kind(int(r[at])) == kindStruct && g.class[0][other] != g.class[0][r[at]] {
						t.Logf("%s %q refers to the other struct %s", kindNames[b.kind(id)], b.name(id), b.name(other))
						r[at], done = uint32(other), true
						return
					}
				}
			})
			if done {
				return nil
			}
		}
		t.Fatal("no name has two structs")
		return nil
	}},
}

// TestJudgeSeesDamage shows that the judge can fail.
func TestJudgeSeesDamage(t *testing.T) {
	raw := realKernel(t)
	for _, d := range graphDamages {
		t.Run(d.name, func(t *testing.T) {
			b := decoded(t, raw)
			types := d.change(t, b)
			if types == nil {
				types = identity(b)
			}
			g, err := CompareGraphs(raw, encode(b, types))
			if err != nil {
				t.Fatal(err)
			}
			if len(g.Differences) == 0 {
				t.Error("not seen")
			} else {
				t.Logf("after %d rounds: %s", g.Rounds, g.Differences[0])
			}
		})
	}
}

// TestJudgeCountsCopies has a BTF with several types that are the same, some of which are lost or appear twice.
func TestJudgeCountsCopies(t *testing.T) {
	build := func(copies, other int) []byte {
		w := btf.NewBuilder(binary.LittleEndian)
		i := w.Int("int", 4, btf.Signed)
		for range copies {
			// A list's head that points to itself: only refinement can tell that they are the same.
			p := btf.ID(w.Len() + 2)
			s := w.Struct("list", 8, btf.BuildMember{Name: "next", Type: p})
			w.Ptr(s)
		}
		for range other {
			w.Struct("holder", 8, btf.BuildMember{Name: "l", Type: 2})
		}
		w.Struct("end", 4, btf.BuildMember{Name: "i", Type: i})
		raw, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		copies, other int
		same          bool
	}{{3, 2, true}, {2, 2, false}, {4, 2, false}, {3, 1, false}, {3, 3, false}} {
		g, err := CompareGraphs(build(3, 2), build(c.copies, c.other))
		if err != nil {
			t.Fatal(err)
		}
		if same := len(g.Differences) == 0; same != c.same {
			t.Errorf("%d copies of one and %d of another beside 3 and 2: same is %v: %q", c.copies, c.other, same, g.Differences)
		}
		if c.same && (g.Classes != 5 || g.Names != 2 || g.Ambiguous != 0) {
			t.Errorf("%d classes, %d names of several types, %d ambiguous; expected 5, 2, 0", g.Classes, g.Names, g.Ambiguous)
		}
	}
}

// TestJudgeSeesEachWord changes every word of a BTF with every kind of type, one at a time.
func TestJudgeSeesEachWord(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		w := btf.NewBuilder(order)
		btfsample.EveryKind(w, "p_")
		btfsample.Awkward(w)
		raw, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		for id := 1; id < decoded(t, raw).types(); id++ {
			for at := range decoded(t, raw).record(id) {
				if at == 1 {
					continue // another number of items is another BTF altogether
				}
				b := decoded(t, raw)
				r := b.record(id)
				// To the empty string or void where it is a name or a type, so that what is changed stays in range.
				what := byte(0)
				b.each(id, func(k int, w byte) {
					if k == at {
						what = w
					}
				})
				if what == 'w' {
					r[at] ^= 1
				} else if r[at] == 0 || what == 'n' && b.text(r[at]) == "" {
					r[at] = 1
				} else {
					r[at] = 0
				}
				g, err := CompareGraphs(raw, encode(b, identity(b)))
				if err != nil {
					t.Fatal(err)
				}
				changes++
				if len(g.Differences) == 0 {
					t.Errorf("%v: type %d, word %d (%c): not seen", order, id, at, what)
				}
			}
		}
		if changes < 500 {
			t.Errorf("%d changes", changes)
		}
	}
}

// TestJudgeSeesOutcomes damages what relocations look at, and has the graphs taken for the same.
func TestJudgeSeesOutcomes(t *testing.T) {
	raw := realKernel(t)
	relocations := NewRelocations(planOf(t, testObjects(t, orderOf(raw))))
	g, err := CompareGraphs(raw, raw)
	if err != nil || len(g.Differences) > 0 {
		t.Fatalf("%v %v", err, g)
	}
	for _, c := range []struct {
		name string
		at   int // word of the member
		want string
	}{{"renamed", 0, "no member"}, {"moved", 2, "byte_off"}} {
		b := decoded(t, raw)
		r := b.record(structNamed(t, b, "task_struct"))
		for at := 3; at < len(r); at += 3 {
			if name := b.text(r[at]); name == "tgid" || name == "pid" {
				if r[at+c.at] += 64; c.at == 0 {
					r[at] = r[0]
				}
			}
		}
		_, differences, err := relocations.Compare(g, raw, encode(b, identity(b)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(differences, "\n"), c.want) {
			t.Errorf("%s: not seen: %q", c.name, differences)
		} else {
			t.Logf("%s: %d differences: %s", c.name, len(differences), differences[0])
		}
	}
}
