package seriesstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/kernelseries"
)

// The same options make the same bytes, whatever an earlier run has left.
func TestMake(t *testing.T) {
	const kernels = 3
	tree := t.TempDir()
	if err := kernelsample.Write(tree, kernelsample.Debian11); err != nil {
		t.Fatal(err)
	}
	source, err := hub.Open(tree)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "made.store")
	var lock sync.Mutex
	paths, done := map[int]string{}, 0
	o := Options{
		Kernels: kernels, Seed: 1, Progress: func(n int) { done = n },
		Each: func(number int, k kernelseries.Kernel) error {
			lock.Lock()
			defer lock.Unlock()
			paths[number] = k.Path
			return nil
		},
	}
	var first []byte
	for _, left := range []string{"", "no store"} {
		if left != "" {
			if err := os.WriteFile(out+".layers", []byte(left), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := Make(out, source, o); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		}
		if !bytes.Equal(raw, first) {
			t.Error("the second store is another one")
		}
		if _, err := os.Stat(out + ".layers"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("layers are left: %v", err)
		}
	}
	if len(paths) != kernels || done != kernels {
		t.Errorf("%d kernels were given, %d done, expected %d", len(paths), done, kernels)
	}
	s, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, path := range paths {
		if _, err := s.Get(path, nil); err != nil {
			t.Error(err)
		}
	}
	if n := s.Stats(); n.Kernels != kernels || n.Layers != 1 {
		t.Errorf("%+v", n)
	}
}

// A kernel that is refused ends it, and nothing is left.
func TestMakeFails(t *testing.T) {
	tree, dir := t.TempDir(), t.TempDir()
	if err := kernelsample.Write(tree, kernelsample.Debian11); err != nil {
		t.Fatal(err)
	}
	source, err := hub.Open(tree)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err = Make(filepath.Join(dir, "made.store"), source, Options{Kernels: 9, Seed: 1, Each: func(int, kernelseries.Kernel) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, expected %v", err, broken)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
