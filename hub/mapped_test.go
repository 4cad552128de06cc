package hub

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A file that is cut short while its types are in use is an error about it.
func TestMappedFileCutShort(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // files are copied there
	}
	want := fakeBTF(1 << 20)
	path := write(t, t.TempDir(), "k.btf", want)
	r := NewReader(MapFiles())
	k := open(t, path)
	kernels, _, err := k.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	types, err := kernels[0].Load(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(types.Vmlinux, want) {
		t.Fatal("not the file's bytes")
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	sum := 0
	err = r.Guard(func() error {
		for _, b := range types.Vmlinux {
			sum += int(b)
		}
		return nil
	})
	if !errors.Is(err, ErrChanged) || !bytes.Contains([]byte(err.Error()), []byte(filepath.Base(path))) {
		t.Errorf("error %v, expected %v", err, ErrChanged)
	}
	if _, err := kernels[0].Load(r); err != nil {
		t.Errorf("the reader is of no use afterwards: %v", err)
	}
}

// A panic that no change of a file explains stays one.
func TestGuardPassesPanicsOn(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	r := NewReader(MapFiles())
	_ = r.Guard(func() error {
		var none []byte
		_ = none[len(none)]
		return nil
	})
}
