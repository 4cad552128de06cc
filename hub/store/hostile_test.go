package store

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/btfsample"
)

// readAll reads a store through: everything that it says is asked for.
func readAll(raw []byte) error {
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	s.Stats()
	var errs []error
	for _, k := range s.Kernels() {
		_, err := s.Get(k.Path, nil)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.Verify(nil))...)
}

// layered is a store of three layers and where they end.
func layered(t testing.TB) (raw []byte, ends []int64) {
	t.Helper()
	small := build(t, binary.LittleEndian, func(w *btf.Builder) { btfsample.EveryKind(w, "") })
	large := build(t, binary.BigEndian, func(w *btf.Builder) { btfsample.EveryKind(w, ""); btfsample.Awkward(w) })
	path := storeOf(t, []source{{"a/6.1", small}, {"b/6.1", small}}, []source{{"a/6.2", large}}, []source{{"a/6.3", small}})
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := readAll(raw); err != nil {
		t.Fatal(err)
	}
	ends = []int64{headerLen}
	for _, l := range open(t, path).layers {
		ends = append(ends, l.offset+l.length)
	}
	return raw, ends
}

// Every bit counts.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	raw, _ := layered(t)
	for i := range raw {
		for bit := range 8 {
			if bit != i%8 && i >= headerLen+headLen {
				continue // all bits of the first heads, one of every other byte
			}
			raw[i] ^= 1 << bit
			if readAll(raw) == nil {
				t.Errorf("bit %d of byte %d is flipped: no error", bit, i)
			}
			raw[i] ^= 1 << bit
		}
	}
}

// A store that was cut off is an error, but between layers: then it is the store
// that it was before.
func TestCutOff(t *testing.T) {
	raw, ends := layered(t)
	for n := range raw {
		err := readAll(raw[:n])
		if whole := slices.Contains(ends, int64(n)); whole != (err == nil) {
			t.Errorf("the first %d bytes of %d: %v", n, len(raw), err)
		}
	}
}

// What an interrupted writer leaves is not seen, and cut off by the next.
func TestInterrupted(t *testing.T) {
	raw, ends := layered(t)
	before := raw[:ends[2]]
	last := slices.Clone(raw[ends[2]:])
	clear(last[:headLen]) // the head is written last
	sample := build(t, binary.LittleEndian, func(w *btf.Builder) { btfsample.EveryKind(w, "") })
	for n := 0; n <= len(last); n += 7 {
		left := append(slices.Clone(before), last[:n]...)
		if err := readAll(left); err != nil {
			t.Fatalf("%d bytes of a layer are left: %v", n, err)
		}
		path := filepath.Join(t.TempDir(), "store")
		if err := os.WriteFile(path, left, 0o666); err != nil {
			t.Fatal(err)
		}
		w, err := Append(path)
		if err != nil {
			t.Fatal(err)
		}
		add(t, w, source{"a/6.3", sample})
		if err := errors.Join(w.Commit(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, raw) {
			t.Fatalf("%d bytes of a layer were left: after the next add the store is not as if they had not been: %v", n, err)
		}
	}
}

// A Create that was interrupted leaves less than a header.
func TestInterruptedCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for n := range headerLen {
		if err := os.WriteFile(path, header()[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Errorf("%d bytes of a header open", n)
		}
		w, err := Append(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if s := open(t, path); s.Stats() != (Stats{Strings: 1, Bytes: headerLen, OtherBytes: headerLen}) {
			t.Errorf("%+v", s.Stats())
		}
	}
	if err := os.WriteFile(path, []byte("something else"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Append(path); err == nil || !strings.Contains(err.Error(), "not a kernel store") {
		t.Errorf("appending to something else: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "something else" {
		t.Errorf("now it is %q, %v", b, err)
	}
}

func TestWriter(t *testing.T) {
	sample := build(t, binary.LittleEndian, func(w *btf.Builder) { btfsample.EveryKind(w, "") })
	types, err := Analyse("k", sample)
	if err != nil {
		t.Fatal(err)
	}
	types.Mark("seen on Monday")
	path := filepath.Join(t.TempDir(), "store")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	if err := w.Add(types); err != nil {
		t.Fatal(err)
	}
	var refused *RefusedError
	if err := w.Add(types); !errors.As(err, &refused) {
		t.Errorf("added twice: %v", err)
	}
	if list := w.Kernels(); len(list) != 1 || list[0].Mark != "seen on Monday" {
		t.Errorf("kernels %+v", list)
	}
	if got := open(t, path).Kernels(); len(got) != 0 {
		t.Errorf("before the commit there are %v", got)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(types); !errors.As(err, &refused) {
		t.Errorf("added again: %v", err)
	}
	s := open(t, path)
	b, err := btf.Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	k := s.Kernels()[0]
	st := s.Stats()
	if k.Types != int(b.End())-1 || k.Bytes != int64(len(sample)) || k.New != k.Definitions || k.New != st.Definitions || k.Mark != "seen on Monday" ||
		k.Expanded != int64(len(get(t, s, "k"))) || k.Added != st.Bytes-headerLen {
		t.Errorf("%+v", k)
	}
	if st.StringBytes+st.DefinitionBytes+st.KernelBytes+st.OtherBytes != st.Bytes || st.Kernels != 1 || st.Layers != 1 || st.Original != k.Bytes {
		t.Errorf("%+v", st)
	}
	if _, err := s.Get("x", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a kernel that is not there: %v", err)
	}
	buf := make([]byte, 1<<20)
	if got, err := s.Get("k", buf); err != nil || &got[0] != &buf[0] {
		t.Errorf("a buffer with room is not used: %v", err)
	}
	if _, err := Append(path); !errors.Is(err, ErrLocked) {
		t.Errorf("two writers: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if w, err = Append(path); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Compact(path), w.Close()); err != nil {
		t.Fatal(err)
	}
	if mark := open(t, path).Kernels()[0].Mark; mark != "" {
		t.Errorf("compacted, there is a mark %q", mark)
	}
}

// written is a kernel as a directory lists it, and its record.
type written struct {
	Kernel
	record []byte
}

// parts is a store of one layer with one block of each kind, whose checksums and
// directory are right.
func parts(strs, defs []byte, count uint16, kernels ...written) []byte {
	w := layerWriter{before: &Store{strings: 1}}
	if len(strs) > 0 {
		w.block(block{kind: stringBlock, count: uint32(bytes.Count(strs, []byte{0}))}, strs)
	}
	walk := textWalker{cursor: cursor{b: defs}}
	b := block{kind: definitionBlock, count: uint32(count)}
	for i := range count {
		kind, name, err := walk.definition()
		if all := append([]string{""}, strings.Split(string(strs), "\x00")...); i == 0 && err == nil {
			// Its number, or it is the first new one.
			b.firstKind, b.group, b.firstName = uint8(kind), groupOf(kind), all[min(max(int(name)-1, 0), len(all)-1)]
			if name == 0 {
				b.firstName = all[1]
			}
		}
	}
	b.newStrings = walk.zeros
	w.block(b, defs)
	var records []byte
	for _, k := range kernels {
		records = append(records, k.record...)
		w.dir.kernels = append(w.dir.kernels, entry{Kernel: k.Kernel, record: uint32(len(k.record))})
	}
	w.block(block{kind: kernelBlock, count: uint32(len(kernels))}, records)
	w.dir.strings, w.dir.definitions = uint32(bytes.Count(strs, []byte{0})), uint32(count)
	raw, err := w.finish()
	if err != nil {
		panic(err)
	}
	return append(header(), raw...)
}

// crafted is a store of the definitions given, strings "a", "b", … and one
// kernel that has them all.
func crafted(count int, defs []byte, r *record) []byte {
	return craftedAs(count, defs, Kernel{Types: 1, Expanded: 1 << 20}, r)
}

// craftedAs is one of several kernels, the last of them "k", of which the
// directory says the same but for definitions. One without runs has all definitions, or those of its base.
func craftedAs(count int, defs []byte, e Kernel, records ...*record) []byte {
	walk := textWalker{cursor: cursor{b: defs}}
	for range count {
		_, _, _ = walk.definition()
	}
	strs := []byte("a\x00b\x00c\x00")[:2*walk.zeros]
	var kernels []written
	var sets []set
	for i, r := range records {
		if r.order == nil {
			r.order = binary.LittleEndian
		}
		own := newSet(uint32(count))
		if r.back > 0 && int(r.back) <= i {
			copy(own, sets[i-int(r.back)])
		} else if r.nruns == 0 {
			r.nruns, r.runs = 2, []byte{0, byte(count)}
		}
		_ = own.change(r, uint32(count)) // an error is the reader's to find
		sets = append(sets, own)
		k := e
		k.Path, k.Definitions, k.New = fmt.Sprint("base", i), own.len(), own.len()
		if i == len(records)-1 {
			k.Path = "k"
		}
		kernels = append(kernels, written{k, r.bytes(append([]byte{byte(r.nruns)}, r.runs...))})
	}
	return parts(strs, defs, uint16(count), kernels...)
}

// Lies behind right checksums are errors.
func TestLies(t *testing.T) {
	// Typedefs with a head of 48, INTs of 41 or 61.
	int4 := func(name byte) []byte { return []byte{name, 41, 4, 32} }
	deep := []byte{0, 48}
	for range maxDepth + 1 {
		deep = append(deep, 42) // PTR
	}
	deep = append(deep, 0)
	two := append(append(int4(0), 2, 41, 8, 64), 0, 48, 1, 2) // two INTs "a", a typedef "b" of one
	second := []variation{{2, 1, []uint32{0}, []uint32{1}}}   // of the second of the INTs
	lies := func(records ...*record) []byte {
		for _, r := range records {
			if r.unique == 0 {
				r.unique = 3
			}
		}
		return craftedAs(3, two, Kernel{Types: 3, Expanded: 1 << 20}, records...)
	}
	for _, lie := range []struct {
		name, want string
		raw        []byte
	}{
		{"not defined", "malformed definition, of TYPEDEF", crafted(1, []byte{0, 48, 1, 3}, &record{unique: 1})},
		{"deep", "definition 0 is malformed", crafted(1, deep, &record{unique: 1})},
		{"no such string", "definition 0 is malformed", crafted(1, int4(200), &record{unique: 1})},
		{"kind 0", "definition 0 is malformed", crafted(1, []byte{0, 40, 0}, &record{unique: 1})},
		{"kind 20", "definition 0 is malformed", crafted(1, []byte{0, 80, 0}, &record{unique: 1})},
		{"a reference of kind 30", "definition 0 is malformed", crafted(1, []byte{0, 48, 30, 3}, &record{unique: 1})},
		{"items without end", "definition 0 is malformed", crafted(1, []byte{0, 64, 0xfe, 0xff, 0xff, 0x0f, 8}, &record{unique: 1})},
		{"more definitions than told", "does not end with its last", crafted(1, append(int4(0), int4(0)...), &record{unique: 1})},
		{"types without end", "more bytes than it should", crafted(1, int4(0), &record{unique: 1, copied: []copiedType{{0, 0, 40_000_000}}})},
		{"more unique types", "1 types, its record says 2", crafted(1, int4(0), &record{unique: 2})},
		{"a base that is not there", "difference from a kernel that is not there", crafted(1, int4(0), &record{back: 1, unique: 1})},
		{"more types than fit", "87382 types cannot be in 1048576 bytes", crafted(1, int4(0), &record{unique: 87382})},
		{"definitions past the last", "definitions past the last one", crafted(1, int4(0), &record{unique: 1, nruns: 2, runs: []byte{0, 2}})},
		{"ordinals that nobody asks for", "malformed definition, of INT", crafted(1, int4(0), &record{unique: 1, changes: []variation{{0, 1, []uint32{0}, []uint32{1}}}})},
		{"ordinals of no definition", "ordinals for definition 7, which it does not have", crafted(1, int4(0), &record{unique: 1, changes: []variation{{7, 1, []uint32{0}, []uint32{1}}}})},
		{"ordinals of no definition at all", "ordinals for definition 16777215, which it does not have", crafted(1, int4(0), &record{unique: 1, changes: []variation{{maxDefinitions - 1, 1, []uint32{0}, []uint32{1}}}})},
		{"an ordinal past the last", "malformed definition, of TYPEDEF", crafted(3, two, &record{unique: 3, changes: []variation{{2, 1, []uint32{0}, []uint32{2}}}})},
		{"an ordinal as large as it gets", "malformed definition, of TYPEDEF", crafted(3, two, &record{unique: 3, changes: []variation{{2, 1, []uint32{0}, []uint32{1<<32 - 1}}}})},
		{"a reference past the last", "malformed definition, of TYPEDEF", crafted(3, two, &record{unique: 3, changes: []variation{{2, 1, []uint32{1}, []uint32{1}}}})},
		{"one more reference than there are", "malformed definition, of TYPEDEF", crafted(3, two, &record{unique: 3, changes: []variation{{2, 1, []uint32{0, 9}, []uint32{1, 1}}}})},
		{"a root's reference past the last", "malformed definition, of PTR", crafted(2, append(int4(0), 1, 42, 1, 2), &record{unique: 2, changes: []variation{{1, 1, []uint32{1}, []uint32{1}}}})},
		{"more types of definitions than there are", "4 types, its record says 3", crafted(3, two, &record{unique: 3, changes: []variation{{2, 2, []uint32{0}, []uint32{0, 1}}}})},
		{"no ordinals, without a base", "record does not make sense", crafted(3, two, &record{unique: 3, changes: []variation{{def: 2, types: 1}}})},
		{"no ordinals where the base has none", "no ordinals for definition 2, for which its base has none", lies(&record{}, &record{back: 1, changes: []variation{{def: 2, types: 1}}})},
		{"no ordinals where nobody has the definition", "ordinals for definition 3, which it does not have", lies(&record{changes: second}, &record{back: 1, changes: []variation{{def: 3, types: 1}}})},
		{"no ordinals twice", "no ordinals for definition 2, for which its base has none", lies(&record{changes: second}, &record{back: 1, changes: []variation{{def: 2, types: 1}}}, &record{back: 1, changes: []variation{{def: 2, types: 1}}})},
		{"no ordinals for what only the base has", "ordinals for definition 2, which it does not have", lies(&record{changes: second}, &record{back: 1, nruns: 2, runs: []byte{2, 1}, changes: []variation{{def: 2, types: 1}}})},
		{"ordinals for what only the base has", "ordinals for definition 2, which it does not have", lies(&record{}, &record{back: 1, nruns: 2, runs: []byte{2, 1}, changes: second})},
		{"a base with ordinals of no definition", "kernel base0: damaged store: ordinals for definition 7", lies(&record{changes: []variation{{7, 1, []uint32{0}, []uint32{1}}}}, &record{back: 1})},
		{"copies of no definition", "copies of named types that it does not have", crafted(1, int4(0), &record{unique: 1, copied: []copiedType{{7, 0, 1}}})},
		{"copies of the second of one", "copies of named types that it does not have", crafted(1, int4(0), &record{unique: 1, copied: []copiedType{{0, 1, 1}}})},
		{"copies of one without a name among those with", "copies of named types that it does not have", crafted(1, []byte{1, 42, 0}, &record{unique: 1, copied: []copiedType{{0, 0, 1}}})},
		{"copies of one that only the base has", "copies of named types that it does not have", lies(&record{}, &record{back: 1, unique: 2, nruns: 2, runs: []byte{2, 1}, copied: []copiedType{{2, 0, 1}}})},
		{"copies of one without a name that is not there", "copies of type 2, there are 1", crafted(1, int4(0), &record{unique: 1, nameless: []copyRun{{0, 1}}})},
		{"copies of one far beyond", "copies of type 44739243, there are 1", crafted(1, int4(0), &record{unique: 1, nameless: []copyRun{{maxTypes - 1, 1}}})},
		{"copies of one without a name without end", "more bytes than it should", crafted(1, []byte{1, 42, 0}, &record{unique: 1, nameless: []copyRun{{0, 40_000_000}}})},
		{"the wrong sum", "something else than what was added", crafted(1, int4(0), &record{unique: 1})},
	} {
		s, err := read("store", bytes.NewReader(lie.raw), int64(len(lie.raw)))
		if err != nil {
			t.Errorf("%s: %v", lie.name, err)
			continue
		}
		if _, err := s.Get("k", nil); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), lie.want) {
			t.Errorf("%s: %v, expected %q", lie.name, err, lie.want)
		}
		if s.Verify(nil) == nil {
			t.Errorf("%s: verified", lie.name)
		}
	}
}

// The same ways lead to good stores: what a kernel takes over from its base, and
// what it does not.
func TestNoLies(t *testing.T) {
	// Two INTs "a", an enum without a name, and a typedef "b" of one of the INTs.
	defs := []byte{0, 41, 4, 32, 2, 41, 8, 64, 1, 46, 4, 0, 48, 1, 2}
	is := func(ordinals ...uint32) []variation {
		return []variation{{3, uint32(len(ordinals)), []uint32{0}, ordinals}}
	}
	first := []variation{{def: 3, types: 1}}
	without, with := record{back: 1, nruns: 2, runs: []byte{3, 1}}, record{back: 1, nruns: 2, runs: []byte{3, 1}}
	for _, c := range []struct {
		name, want string // INTs by their sizes, typedefs by what they are of
		records    []*record
	}{
		{"alone", "4 8 b2 e", []*record{{changes: is(1)}}},
		{"two types", "4 8 b2 b1 e", []*record{{changes: is(1, 0)}}},
		{"as its base", "4 8 b2 e", []*record{{changes: is(1)}, {back: 1}}},
		{"as its base's base", "4 8 b2 b1 e", []*record{{changes: is(1, 0)}, {back: 1}, {back: 1}}},
		{"not as the one between", "4 8 b2 e", []*record{{changes: is(1)}, {back: 1, changes: first}, {back: 2}}},
		{"the first again", "4 8 b1 e", []*record{{changes: is(1)}, {back: 1, changes: first}}},
		{"the first again, of two types", "4 8 b1 e", []*record{{changes: is(0, 1)}, {back: 1, changes: first}}},
		{"fewer types", "4 8 b2 e", []*record{{changes: is(1, 0)}, {back: 1, changes: is(1)}}},
		{"where the base has none", "4 8 b1 b2 e", []*record{{}, {back: 1, changes: is(0, 1)}}},
		{"the same as the base has", "4 8 b2 e", []*record{{changes: is(1)}, {back: 1, changes: is(1)}}},
		{"without the base's definition", "4 8 e", []*record{{changes: is(1)}, &without}},
		{"with it again, but not its ordinals", "4 8 b1 e", []*record{{changes: is(1)}, &without, &with}},
		{"copies", "4 8 b2 b1 e 8 8 b2 b1 b1 b1 e e",
			[]*record{{changes: is(1, 0), copied: []copiedType{{1, 0, 2}, {3, 0, 1}, {3, 1, 3}}, nameless: []copyRun{{0, 2}}}}},
		{"not its base's copies", "4 8 b1 e 4", []*record{{nameless: []copyRun{{0, 2}}}, {back: 1, copied: []copiedType{{0, 0, 1}}}}},
	} {
		words := strings.Fields(c.want)
		want := build(t, binary.LittleEndian, func(w *btf.Builder) {
			for _, word := range words {
				switch word[0] {
				case 'b':
					w.Typedef("b", btf.ID(word[1]-'0'))
				case 'e':
					w.Enum("", 4, false)
				default:
					w.Int("a", uint32(word[0]-'0'), 0)
				}
			}
		})
		last := c.records[len(c.records)-1]
		last.sum, last.unique = checksum(want), uint32(slices.Index(words, "e"))+1
		raw := craftedAs(4, defs, Kernel{Types: len(words), Expanded: int64(len(want))}, c.records...)
		s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get("k", nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: % x, %v, expected % x", c.name, got, err, want)
		}
		if len(c.records) == 1 {
			if err := s.Verify(nil); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// A difference from a difference from … ends.
func TestChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for k := range 3 * maxChain {
		add(t, w, source{fmt.Sprintf("d/%03d", k), build(t, binary.LittleEndian, func(w *btf.Builder) {
			for i := range 2*k + 1 {
				w.Int(fmt.Sprint("i", i%7, k-k%9, i), 4, 0)
			}
		})})
		if k%5 == 0 {
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Commit(), w.Compact(path+"2"), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "2"} {
		s := open(t, p)
		deepest := 0
		for n := range s.kernels {
			_, _, depth, _, err := s.set(n)
			if err != nil {
				t.Fatal(err)
			}
			deepest = max(deepest, depth)
		}
		if deepest > maxChain || deepest < 2 {
			t.Errorf("%d differences in a row", deepest)
		}
		if err := s.Verify(nil); err != nil {
			t.Error(err)
		}
	}
}

// Layers of every length modulo the alignment, in memory, where a read at the
// end is an error.
func TestPadding(t *testing.T) {
	sample := build(t, binary.LittleEndian, func(w *btf.Builder) { w.Int("int", 4, 0) })
	exact := false
	for n := range 3 * alignment {
		raw, err := os.ReadFile(storeOf(t, []source{{fmt.Sprintf("%x", sha512.Sum512([]byte{byte(n)}))[:n+1], sample}}))
		if err != nil {
			t.Fatal(err)
		}
		if err := readAll(raw); err != nil {
			t.Errorf("a path of %d bytes: %v", n+1, err)
		}
		s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		last := s.kernelBlocks[0]
		exact = exact || last.offset+int64(last.packed) == s.size
	}
	if !exact {
		t.Error("none of the layers ended without padding")
	}
}
