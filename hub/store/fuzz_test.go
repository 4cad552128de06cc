package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// FuzzOpen reads arbitrary bytes as a store.
func FuzzOpen(f *testing.F) {
	raw, ends := layered(f)
	for _, end := range ends {
		f.Add(raw[:end])
	}
	f.Add(raw[:len(raw)-1])
	with, err := os.ReadFile(storeOf(f, versions(f, 3)...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(with)
	f.Fuzz(func(_ *testing.T, raw []byte) { _ = readAll(raw) })
}

// FuzzParts reads arbitrary strings, definitions and two kernels, of which the
// first may be the second's base, behind right checksums.
func FuzzParts(f *testing.F) {
	raw, _ := layered(f)
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		f.Fatal(err)
	}
	rec := func(k int) []byte {
		b, err := s.kernelBlock(s.kernels[k].block)
		if err != nil {
			f.Fatal(err)
		}
		return b[s.kernels[k].at:][:s.kernels[k].record]
	}
	for i := range s.definitionBlocks {
		strs, err1 := s.expandBlock(&s.stringBlocks[0])
		defs, err2 := s.expandBlock(&s.definitionBlocks[i])
		if err1 != nil || err2 != nil {
			f.Fatal(err1, err2)
		}
		for k := range s.kernels {
			f.Add(strs, defs, uint16(s.definitionBlocks[i].count), rec(0), rec(k), uint16(s.kernels[k].Types))
		}
	}
	// Two INTs "a" and two kernels with a typedef "b" of either: one that says
	// which, one that takes this over.
	own := record{order: binary.LittleEndian, unique: 3, changes: []variation{{2, 2, []uint32{0}, []uint32{1, 0}}}, copied: []copiedType{{2, 1, 1}}}
	of := record{order: binary.BigEndian, back: 1, unique: 3, changes: []variation{{def: 2, types: 1}}, nameless: []copyRun{{0, 1}}}
	f.Add([]byte("a\x00b\x00"), []byte{0, 41, 4, 32, 2, 41, 8, 64, 0, 48, 1, 2}, uint16(3), own.bytes([]byte{2, 0, 3}), of.bytes([]byte{0}), uint16(3))
	f.Fuzz(func(_ *testing.T, strs, defs []byte, count uint16, base, rec []byte, types uint16) {
		// The record may have the directory's number of definitions in it.
		for _, n := range []int{int(count), int(types)} {
			e := Kernel{Types: int(types), Definitions: n, New: n, Expanded: 1 << 20}
			first, second := e, e
			first.Path, second.Path = "base", "k"
			_ = readAll(parts(strs, defs, count, written{first, base}, written{second, rec}))
		}
	})
}

// FuzzDictionary expands arbitrary bytes with arbitrary dictionaries, as a block
// of definitions of an appended layer.
func FuzzDictionary(f *testing.F) {
	raw, err := os.ReadFile(storeOf(f, versions(f, 3)...))
	if err != nil {
		f.Fatal(err)
	}
	s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range s.definitionBlocks {
		var list []byte
		if b.dictionary.count > 0 {
			list = append(binary.AppendUvarint(nil, uint64(b.dictionary.count)), b.dictionary.gaps...)
		}
		f.Add(list, raw[b.offset:][:b.packed], b.raw, uint16(b.count))
	}
	f.Fuzz(func(t *testing.T, list, packed []byte, size uint32, count uint16) {
		c := cursor{b: list}
		d := dictionary{}
		if len(list) > 0 {
			d = parseDictionary(&c)
		}
		if !c.done() || d.end > s.layers[1].definitions || size > maxBlock || uint32(count)*3 > size {
			return
		}
		of, err := read("store", bytes.NewReader(append(slices.Clip(raw), packed...)), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		last := &of.definitionBlocks[2] // now it is behind the others
		last.offset, last.packed, last.raw, last.crc = of.size, uint32(len(packed)), size, checksum(packed)
		last.count, last.dictionary = uint32(count), d
		_, _ = of.definitionBlock(2)
	})
}

// FuzzRecords reads arbitrary records of two kernels, of which the first may be
// the second's base, of the definitions of a sample: what FuzzParts does, but
// with more tries.
func FuzzRecords(f *testing.F) {
	raw, _ := layered(f)
	for k := range 4 {
		s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			f.Fatal(err)
		}
		base, err1 := s.recordBytes(0)
		rec, err2 := s.recordBytes(k)
		if err1 != nil || err2 != nil {
			f.Fatal(err1, err2)
		}
		f.Add(base, rec)
	}
	f.Fuzz(func(t *testing.T, base, rec []byte) {
		s, err := read("store", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		block := append(append([]byte{}, base...), rec...)
		s.recs[0].Store(&block)
		for i, r := range [][]byte{base, rec} {
			e := &s.kernels[i]
			e.layer, e.block, e.at, e.record = len(s.layers)-1, 0, uint32(i*len(base)), uint32(len(r))
			e.Expanded = 1 << 20
			// The directory's number of definitions is what it has.
			if chain, err := s.chain(i); err == nil {
				in := newSet(s.definitions)
				for at := len(chain) - 1; at >= 0 && err == nil; at-- {
					var r *record
					if r, err = s.record(chain[at]); err == nil {
						err = in.change(r, s.definitions)
					}
				}
				e.Definitions = in.len()
			}
			k, err := s.kernelOf(i)
			if err != nil {
				continue
			}
			if !slices.IsSortedFunc(k.variations, func(a, b variation) int { return cmp.Compare(a.def, b.def) }) {
				t.Fatalf("%+v", k.variations)
			}
			if _, err := k.expand(new(expander), e.Expanded, nil); err != nil {
				continue
			}
			again := *k.record
			if got, err := parseRecord(again.bytes(append(binary.AppendUvarint(nil, uint64(again.nruns)), again.runs...))); err != nil || !reflect.DeepEqual(got, k.record) {
				t.Fatalf("%+v, %v, expected %+v", got, err, k.record)
			}
		}
	})
}

// FuzzAnalyse takes arbitrary BTF apart: it is refused, or comes back as the
// same types.
func FuzzAnalyse(f *testing.F) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, fill := range cases {
			f.Add(build(f, order, fill))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		types, err := Analyse("k", raw)
		if err != nil {
			return
		}
		w := Writer{store: &Store{strings: 1}, content: newCollection()}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
		l := layerWriter{before: w.store, from: w.content, stringNumber: []uint32{0}}
		layer, err := l.write(w.news(), 1, func(int) (*addition, error) { return w.pending[0], nil })
		if err != nil {
			t.Fatal(err)
		}
		file := append(header(), layer...)
		s, err := read("store", bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(nil); err != nil {
			t.Fatal(err)
		}
		b, err := btf.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if b.End() < 2000 {
			sameTypes(t, get(t, s, "k"), raw)
		}
	})
}
