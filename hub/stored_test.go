package hub

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/btfsample"
)

// writeStore makes a store of kernels, all of the same types.
func writeStore(t *testing.T, names ...string) string {
	t.Helper()
	b := btf.NewBuilder(binary.LittleEndian)
	btfsample.EveryKind(b, "")
	raw, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kernels.store")
	w, err := store.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		types, err := store.Analyse(name, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(types); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Commit(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A store is known by its first bytes, and its kernels load like any others.
func TestOpenStore(t *testing.T) {
	path := writeStore(t, "b/1/x86_64/6.1", "a/1/x86_64/6.1")
	source, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	kernels, problems, err := source.Kernels()
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if len(kernels) != 2 || kernels[0].Name != "a/1/x86_64/6.1" || kernels[1].Name != "b/1/x86_64/6.1" {
		t.Fatalf("kernels %v", kernels)
	}
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := NewReader()
	for _, k := range kernels {
		types, err := k.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Get(k.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if string(types.Vmlinux) != string(want) || len(types.Modules) != 0 {
			t.Errorf("%s: not the store's types", k.Name)
		}
		if k.Path != path || len(k.Modules()) != 0 {
			t.Errorf("%s: path %s, modules %v", k.Name, k.Path, k.Modules())
		}
	}
	if _, err := kernels[0].Load(NewReader(MaxBytes(100))); err == nil || !strings.Contains(err.Error(), "larger than the limit of 100 bytes") {
		t.Errorf("a limit of 100 bytes: %v", err)
	}
	if _, err := Open(path, WithModules("m.btf")); err == nil || !strings.Contains(err.Error(), "a kernel store has none") {
		t.Errorf("with modules: %v", err)
	}
}

func TestOpenDamagedStore(t *testing.T) {
	path := writeStore(t, "a")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[40] ^= 1
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, store.ErrFormat) || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged store: %v", err)
	}
}
