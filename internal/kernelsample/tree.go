package kernelsample

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/kernels"
)

// The kernels, by their paths.
const (
	// Debian11 is the common case: x86_64, from before ENUM64 and type tags.
	Debian11 = "debian/11/x86_64/5.10.0-32-cloud-amd64"
	// Debian12 is big-endian, and recent: with ENUM64 and type tags; task_struct.state has become __state.
	Debian12 = "debian/12/s390x/6.12.95+deb12-s390x"
	// Kylin is a vendor's 4.19, from before kernels carried BTF.
	Kylin = "kylin/V10/arm64/4.19.90-52.22.v2207.ky10.aarch64"
)

// Paths lists them in their order in a tree.
func Paths() []string { return []string{Debian11, Debian12, Kylin} }

// Load gives a built-in kernel's BTF, which is the caller's.
func Load(path string) ([]byte, error) {
	s, err := kernels.Store()
	if err != nil {
		return nil, fmt.Errorf("%w; \"make kernels\" makes it anew", err)
	}
	return s.Get(path, nil)
}

// Write writes the kernels below a folder, as path.btf.
func Write(dir string, paths ...string) error {
	for _, path := range paths {
		raw, err := Load(path)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(path)+".btf")
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, raw, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// Tree is a temporary archive tree of the kernels, which is the test's own: it may do damage there.
func Tree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := Write(dir, Paths()...); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Hub is the large set of kernels, if BTFGEN_HUB names one, and else a Tree.
func Hub(t testing.TB) string {
	t.Helper()
	if dir, ok := need.HubIfAny(t); ok {
		return dir
	}
	return Tree(t)
}
