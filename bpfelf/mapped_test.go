package bpfelf

import (
	"os"
	"path/filepath"
	"testing"
)

// TestScanCutShort looks through a file that ends before its size says, as one
// does that is cut short while it is looked at: that must not end the process.
func TestScanCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := scanner{name: "program", file: f, size: 1 << 20, budget: headerBudget(1 << 20)}
	if scanned, err := s.scanMapped(f); scanned || err != nil {
		t.Errorf("scanned %v, error %v; expected to be given up", scanned, err)
	}
}
