package btfsample

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// What it is said to hold, it holds.
func TestEveryKindHasEveryKind(t *testing.T) {
	w := btf.NewBuilder(binary.LittleEndian)
	EveryKind(w, "")
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[btf.Kind]bool)
	for id := b.Start(); id < b.End(); id++ {
		seen[b.Kind(id)] = true
	}
	for k := btf.KindInt; k <= btf.KindEnum64; k++ {
		if !seen[k] {
			t.Errorf("no %v", k)
		}
	}
}
