package storetest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/hub/store"
)

// TestSecondWriter has a store locked: whoever else wants to write is told so, and readers do not mind.
func TestSecondWriter(t *testing.T) {
	c := newCrash(t)
	at := filepath.Join(t.TempDir(), "store")
	write(t, at, c.before)
	w, err := store.Append(at)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, args ...string) {
		t.Helper()
		code, stderr := c.run(args...)
		if code != 1 || !strings.Contains(stderr, store.ErrLocked.Error()) || !strings.Contains(stderr, name) {
			t.Errorf("%q: exit code %d, want 1 and a mention of %s: %s", args, code, name, stderr)
		}
	}
	refused(at, "hub", "add", at, c.all)
	c.must("hub", "verify", at)
	c.must("hub", "list", at)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, at), c.before) {
		t.Error("the store has changed")
	}
	if w, err = store.Create(at + ".partial"); err != nil {
		t.Fatal(err)
	}
	refused(at+".partial", "hub", "pack", "--out", at, c.all)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.must("hub", "pack", "--out", at, c.all)
	if !bytes.Equal(read(t, at), c.packed) {
		t.Error("once the lock was gone, pack came to other bytes")
	}
	only(t, at)
}

// TestWritersRace starts several writers at once. Each does all of its work or, told so, none.
func TestWritersRace(t *testing.T) {
	c := newCrash(t)
	done, locked := 0, 0
	for range 10 {
		at := filepath.Join(t.TempDir(), "store")
		write(t, at, c.before)
		var wg sync.WaitGroup
		codes, said := make([]int, 4), make([]string, 4)
		for i := range codes {
			wg.Go(func() {
				codes[i], said[i] = c.run("hub", "add", at, c.all, "--kernel", fmt.Sprintf("*.%d-amd64", 7+i))
			})
		}
		wg.Wait()
		kernels := 6
		for i := range codes {
			switch {
			case codes[i] == 0:
				kernels++
				done++
			case codes[i] == 1 && strings.Contains(said[i], store.ErrLocked.Error()):
				locked++
			default:
				t.Errorf("exit code %d: %s", codes[i], said[i])
			}
		}
		verified(t, at, kernels)
		only(t, at)
	}
	packed := 0
	for range 10 {
		at := filepath.Join(t.TempDir(), "store")
		write(t, at, c.before)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if code, stderr := c.run("hub", "pack", "--out", at, c.all); code != 0 && !strings.Contains(stderr, store.ErrLocked.Error()) {
					t.Errorf("exit code %d: %s", code, stderr)
				}
			})
		}
		wg.Wait()
		if bytes.Equal(read(t, at), c.packed) {
			packed++
		}
		if _, err := os.Stat(at + ".partial"); err == nil {
			t.Error("a partial store is left behind")
		}
		only(t, at)
	}
	t.Logf("add: %d done, %d told to wait; pack: %d of 10 stores made", done, locked, packed)
	if done < 10 || packed != 10 {
		t.Errorf("add: %d done, expected one a round at least; pack: %d of 10 stores made", done, packed)
	}
}
