package bundle

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/kernel"
)

// FuzzOpen reads arbitrary bytes. Few get past the checksums: FuzzSegments is for what is behind them.
func FuzzOpen(f *testing.F) {
	raw := small(f)
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte(magic))
	f.Fuzz(func(_ *testing.T, raw []byte) { _ = readAll(raw) })
}

// FuzzSegments reads a bundle of arbitrary segments whose checksums are right. What is read at all reads the same in every way.
func FuzzSegments(f *testing.F) {
	all := segments(f, small(f))
	f.Add(all[0], all[1], all[2], []byte{})
	f.Add([]byte{0, 0, 0, 0}, []byte{0}, []byte{}, []byte{})
	f.Add([]byte{1, 2, 1, 1, 'd', 0, 2, 0, 1, 0, 0, 0, 1, 'a', 0, 0}, []byte{0, 'x', 0}, []byte{3, formVerbatim, 1, 2}, []byte{9, formLittleEndian, 0, 1, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kernels, strings, group1, group2 []byte) {
		b, err := Open(reframe([][]byte{kernels, strings, group1, group2}))
		if err != nil {
			return // larger than a segment may be
		}
		list, err := b.Kernels()
		if err != nil {
			return
		}
		contents, allErr := b.All()
		n, err := b.Contents()
		if err != nil || allErr == nil && n != len(contents) {
			t.Fatalf("%d contents, %v; All gives %d", n, err, len(contents))
		}
		for i, k := range list {
			if i == 50 {
				break
			}
			btf, err := b.Content(k.Content)
			if allErr == nil && (err != nil || !bytes.Equal(btf, contents[k.Content])) {
				t.Fatalf("%q: Content(%d): %v, and not what All gives", k.Path, k.Content, err)
			}
			first, err := b.BTF(k.Path)
			if allErr == nil && (err != nil || len(list) == 1 && !bytes.Equal(first, btf)) {
				t.Fatalf("BTF(%q): %v", k.Path, err)
			}
			id := kernel.ParsePath(k.Path)
			if match, err := b.Find(kernel.Host{Release: id.Release, Machine: id.Arch}, i%2 == 0); err == nil && match.Content >= n {
				t.Fatalf("%q: found content %d of %d", k.Path, match.Content, n)
			}
		}
		if allErr != nil {
			return
		}
		// What was read can be packed again.
		w := NewBuilder()
		for _, k := range list {
			if w.Add(k.Path, contents[k.Content]) != nil {
				return // no BTF, a path twice
			}
		}
		if _, _, err := w.Bytes(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzBuild packs arbitrary bytes as BTF: what comes out is what went in.
func FuzzBuild(f *testing.F) {
	f.Add(types(f, binary.LittleEndian, true, ""), types(f, binary.BigEndian, true, ""), "debian/12/x86_64/6.1.0")
	f.Add(types(f, binary.LittleEndian, false, ""), types(f, binary.LittleEndian, true, "x"), "x")
	f.Fuzz(func(t *testing.T, one, two []byte, path string) {
		w := NewBuilder()
		if w.Add(path, one) != nil || w.Add(path+"2", two) != nil || w.Add("x/"+path, two) != nil {
			return
		}
		raw, _, err := w.Bytes() // compares all of it
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.BTF(path); err != nil || !bytes.Equal(got, one) {
			t.Fatalf("%q differs: %v", path, err)
		}
	})
}
