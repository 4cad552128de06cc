package btf_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/mikelolasagasti/xz"
)

// hubFiles are the paths of the real kernels that BTFGEN_HUB names, a checkout
// of BTFHub's archive: one .btf.tar.xz a kernel.
func hubFiles(tb testing.TB) []string {
	tb.Helper()
	var files []string
	err := filepath.WalkDir(os.Getenv("BTFGEN_HUB"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".btf.tar.xz") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		tb.Fatal("BTFGEN_HUB holds no .btf.tar.xz")
	}
	return files
}

// hubKernel is the BTF in one of them.
func hubKernel(tb testing.TB, path string) []byte {
	tb.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	expanded, err := xz.NewReader(bytes.NewReader(packed), 0)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	archive := tar.NewReader(expanded)
	for {
		h, err := archive.Next()
		if err != nil {
			tb.Fatalf("%s: no .btf in it: %v", path, err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".btf") {
			continue
		}
		var raw bytes.Buffer
		raw.Grow(int(h.Size))
		if _, err := raw.ReadFrom(archive); err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		return raw.Bytes()
	}
}

// Real kernels are valid, and a copy of everything in them is as well and has
// what the original has.
func TestRealKernels(t *testing.T) {
	need.Hub(t)
	b := new(btf.BTF)
	for _, path := range hubFiles(t) {
		raw := hubKernel(t, path)
		section, err := btf.FindELF(raw)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := errors.Join(b.Reset(section, nil), b.Validate()); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if b.End() < 10_000 {
			t.Errorf("%s: %d types, which is too few for a kernel", path, b.End()-1)
		}
		again := parse(t, encode(t, copied(t, b)))
		for id := range b.End() {
			if is, was := again.Kind(id), b.Kind(id); is != was || again.Name(id) != b.Name(id) || again.Vlen(id) != b.Vlen(id) {
				t.Fatalf("%s: type %d, %v %q, was copied as %v %q", path, id, was, b.Name(id), is, again.Name(id))
			}
		}
	}
}
