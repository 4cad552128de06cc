package xz

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	uxz "github.com/ulikunitz/xz"
)

func TestExtent(t *testing.T) {
	x86, err := os.ReadFile(filepath.Join("testdata", "bcj", "x86.xz"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		packed   []byte
		expanded int64
	}{
		"nothing":      {pack(t, uxz.WriterConfig{}, nil), 0},
		"one block":    {pack(t, uxz.WriterConfig{}, sample(100_000)), 100_000},
		"three blocks": {pack(t, uxz.WriterConfig{BlockSize: 1000}, sample(2500)), 2500},
		"a filter":     {x86, 1001},
	} {
		b := append(bytes.Clone(test.packed), 1, 2, 3, 4, 5)
		size, expanded, err := Extent(b)
		if err != nil || size != int64(len(test.packed)) || expanded != test.expanded {
			t.Errorf("%s: %d bytes expand to %d, %v; expected %d and %d", name, size, expanded, err, len(test.packed), test.expanded)
		}
		for n := range test.packed {
			if _, _, err := Extent(b[:n:n]); err == nil {
				t.Errorf("%s: accepted with %d bytes of %d", name, n, len(test.packed))
			}
		}
	}
}

func FuzzExtent(f *testing.F) {
	f.Add(pack(f, uxz.WriterConfig{BlockSize: 10}, sample(25)))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, expanded, err := Extent(b)
		if err == nil && (size > int64(len(b)) || expanded < 0) {
			t.Fatalf("%d bytes of %d expand to %d", size, len(b), expanded)
		}
		// What is sound to the decoder has that extent, if it is one stream.
		var d Decoder
		if n, err2 := d.Size(b); err2 == nil && n < 1<<20 && d.Expand(make([]byte, n), b) == nil {
			if err != nil || size == int64(len(b)) && expanded != n {
				t.Fatalf("%d bytes that expand to %d: extent %d, %d, %v", len(b), n, size, expanded, err)
			}
		}
	})
}
