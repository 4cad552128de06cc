package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/need"
)

// versions is a kernel after each of n updates: structs get other sizes, one
// gets a second of its name, and there are new ones.
func versions(t testing.TB, n int) (batches [][]source) {
	t.Helper()
	for k := range n {
		raw := build(t, binary.LittleEndian, func(w *btf.Builder) {
			in := w.Int("int", 4, btf.Signed)
			members := func(i, last int) (list []btf.BuildMember) {
				for m := range 20 {
					list = append(list, btf.BuildMember{Name: fmt.Sprint("member", (i*13+m*m)%400), Type: in, BitOffset: uint32(m * 32)})
				}
				return append(list, btf.BuildMember{Name: fmt.Sprint("last", last), Type: in, BitOffset: 640})
			}
			for i := range 60 {
				last := 0
				if i%3 == 0 {
					last = k
				}
				w.Struct(fmt.Sprint("s", i), 84, members(i, last)...)
			}
			w.Struct("s0", 84, members(0, -1-k)...)
			w.Struct(fmt.Sprint("new", k), 84, members(k, 0)...)
		})
		batches = append(batches, []source{{fmt.Sprintf("d/1/x86_64/6.%d", k), raw}})
	}
	return batches
}

// An update's block has what it is a new version of as its dictionary, which
// never has one itself, and expands by the tool of those who made zstd.
func TestDictionaries(t *testing.T) {
	tool := need.Tool(t, "zstd")
	batches := versions(t, 4)
	path := storeOf(t, batches...)
	s := open(t, path)
	if len(s.definitionBlocks) != len(batches) {
		t.Fatalf("%d blocks of definitions, expected %d", len(s.definitionBlocks), len(batches))
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names := func(b *block) (list []string) {
		c := cursor{b: b.dictionary.gaps}
		number := uint32(0)
		for range b.dictionary.count {
			number += c.word()
			d, k, err := s.definition(number)
			if err != nil || number >= s.layers[0].definitions {
				t.Fatal(number, err)
			}
			name, err := s.str(d.name[k])
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, string(name))
			number++
		}
		return list
	}
	for i := range s.definitionBlocks {
		b := &s.definitionBlocks[i]
		text, err := s.dictionaryText(b)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.expandBlock(b)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		packed, dictionary := filepath.Join(dir, "packed.zst"), filepath.Join(dir, "dictionary")
		if err := errors.Join(os.WriteFile(packed, file[b.offset:][:b.packed], 0o666), os.WriteFile(dictionary, text, 0o666)); err != nil {
			t.Fatal(err)
		}
		args := []string{"-d", "-c", packed}
		if i > 0 {
			args = append(args, "-D", dictionary)
		}
		got, err := exec.Command(tool, args...).Output()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("layer %d: zstd expands other bytes: %v", i, err)
		}
		list := names(b)
		if i == 0 {
			if list != nil || text != nil {
				t.Errorf("the first layer has the dictionary %q", list)
			}
			continue
		}
		// 20 structs have changed; there are two named s0 in the first layer already.
		if without, err := pack(want); err != nil || len(list) != 21 || list[0] != "s0" || list[1] != "s0" || len(without) < 2*int(b.packed) {
			t.Errorf("layer %d: %d bytes with the dictionary %q, %d without, %v", i, b.packed, list, len(without), err)
		}
	}
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	for _, batch := range batches {
		sameTypes(t, get(t, open(t, path), batch[0].path), batch[0].raw)
	}
	if err := Compact(path, path); err != nil {
		t.Fatal(err)
	}
	for _, b := range open(t, path).definitionBlocks {
		if b.dictionary.count > 0 {
			t.Error("a store of one layer has a dictionary")
		}
	}
}

// Where a dictionary does not help, there is none.
func TestNoDictionary(t *testing.T) {
	one := func(name string, members int) source {
		return source{"d/1/x86_64/" + name, build(t, binary.LittleEndian, func(w *btf.Builder) {
			in := w.Int("int", 4, btf.Signed)
			for i := range members {
				w.Struct(fmt.Sprint("s", i), uint32(1000*len(name)), btf.BuildMember{Name: fmt.Sprint(name, "member", i), Type: in})
			}
			w.Typedef(name, in)
		})}
	}
	s := open(t, storeOf(t, []source{one("a", 40)}, []source{one("bc", 0)}, []source{one("def", 1)}))
	for _, b := range s.definitionBlocks {
		if b.dictionary.count > 0 {
			t.Errorf("a block of %d definitions has a dictionary of %d", b.count, b.dictionary.count)
		}
	}
}

// forged is a store whose last layer, which starts at a place, has another
// directory, behind right checksums.
func forged(t testing.TB, raw []byte, at int64, change func(d *directory)) []byte {
	t.Helper()
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseHead(raw[at:][:headLen], len(s.layers)-1, int64(len(raw))-at)
	if err != nil {
		t.Fatal(err)
	}
	old, err := unpack(raw[at+headLen:][:h.dirLen], h.dirCRC, int(h.dirRaw), nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDirectory(old)
	if err != nil {
		t.Fatal(err)
	}
	blocks := raw[at+headLen+int64(h.dirLen):]
	size := 0
	for i := range d.blocks {
		size += int(d.blocks[i].packed)
	}
	change(d)
	plain := d.bytes()
	dir, err := pack(plain)
	if err != nil {
		t.Fatal(err)
	}
	layer := append(append(make([]byte, headLen), dir...), blocks[:size]...)
	layer = append(layer, make([]byte, (alignment-len(layer)%alignment)%alignment)...)
	head := layerHead{number: h.number, length: uint64(len(layer)), dirLen: uint32(len(dir)), dirRaw: uint32(len(plain)), dirCRC: checksum(dir)}
	copy(layer, head.bytes())
	return append(bytes.Clone(raw[:at]), layer...)
}

// Dictionaries that no writer makes.
func TestDictionaryLies(t *testing.T) {
	batches := versions(t, 3)
	raw, err := os.ReadFile(storeOf(t, batches...))
	if err != nil {
		t.Fatal(err)
	}
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	first, all := s.layers[0].definitions, s.layers[1].definitions
	good := s.definitionBlocks[2].dictionary
	of := func(numbers ...uint32) (d dictionary) {
		for _, n := range numbers {
			d.add(n)
		}
		return d
	}
	long := of()
	for n := range uint32(maxDictionary + 1) {
		long.add(n)
	}
	for _, lie := range []struct {
		name, want string
		dictionary dictionary
	}{
		{"the truth", "", good},
		{"none", "zstd", of()},
		{"another", "zstd", of(3)},
		{"one with a dictionary", fmt.Sprintf("definition %d of its dictionary lies in a block that has one itself", first), of(1, first)},
		{"one of its own layer", fmt.Sprintf("a dictionary has definition %d, earlier layers have %d", all, all), of(1, all)},
		{"one past the last", fmt.Sprintf("a dictionary has definition %d", maxDefinitions-1), of(maxDefinitions - 1)},
		{"one past the last that there can be", "directory does not make sense", of(maxDefinitions)},
		{"more than there may be", "directory does not make sense", long},
		{"numbers around", "directory does not make sense", dictionary{2, binary.AppendUvarint([]byte{5}, 1<<64-3), 0}},
		{"one more than there is", "directory does not make sense", dictionary{1 << 15, []byte{1}, 0}},
	} {
		file := forged(t, raw, s.layers[2].offset, func(d *directory) {
			for i := range d.blocks {
				if d.blocks[i].kind == definitionBlock {
					d.blocks[i].dictionary = lie.dictionary
				}
			}
		})
		err := readAll(file)
		if lie.want == "" {
			if err != nil {
				t.Errorf("%s: %v", lie.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), lie.want) {
			t.Errorf("%s: %v, expected %q", lie.name, err, lie.want)
		}
	}
}

// One that is said to be there has something in it.
func TestEmptyDictionary(t *testing.T) {
	for _, b := range [][]byte{{}, {0}, {0, 0}} {
		c := cursor{b: b}
		if parseDictionary(&c); !c.bad {
			t.Errorf("% x: no error", b)
		}
	}
}

// What a dictionary is made of is bounded, and checked.
func TestDictionaryText(t *testing.T) {
	text := func(count int, defs []byte, numbers ...uint32) error {
		raw := crafted(count, defs, &record{unique: 1})
		s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		b := new(block)
		for _, n := range numbers {
			b.dictionary.add(n)
		}
		_, err = s.dictionaryText(b)
		return err
	}
	// A struct of so many members "a", void.
	large := func(members uint32) []byte {
		b := binary.AppendUvarint([]byte{2, 64}, uint64(members)*2)
		return append(append(b, 0), bytes.Repeat([]byte{2, 0, 0}, int(members))...)
	}
	most := uint32(maxDictionaryText/3 - 4)
	for _, c := range []struct {
		name, want string
		count      int
		defs       []byte
		numbers    []uint32
	}{
		{"well-formed", "", 2, append([]byte{0, 41, 4, 32}, 2, 41, 8, 32), []uint32{0, 1}},
		{"a number of more than 32 bits", "definition 1 is malformed", 2, append([]byte{0, 41, 4, 32, 2, 41}, binary.AppendUvarint(binary.AppendUvarint(nil, 1<<33), 32)...), []uint32{1}},
		{"large", "", 2, append([]byte{0, 41, 4, 32}, large(most)...), []uint32{0, 1}},
		{"too large", "more than 4194304 bytes", 2, append([]byte{0, 41, 4, 32}, large(most+4)...), []uint32{1}},
		{"too large together", "more than 4194304 bytes", 3, append(append([]byte{0, 41, 4, 32}, large(most/2)...), large(most/2+4)...), []uint32{1, 2}},
	} {
		if err := text(c.count, c.defs, c.numbers...); (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, expected %q", c.name, err, c.want)
		}
	}
}
