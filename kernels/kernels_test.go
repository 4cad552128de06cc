package kernels_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/kernels"
)

// names are the kernels that were built in; there may be more.
var names = []string{
	"android/5.10/arm64/a13-5.10-2023-04-arm64",
	"bclinux/21.10U3/x86_64/4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64",
	"centos/8/arm64/4.18.0-147.5.1.el8_1.aarch64",
	"debian/11/x86_64/5.10.0-32-amd64",
	"debian/12/x86_64/6.1.0-50-amd64",
	"debian/12/ppc64le/6.12.95+deb12-powerpc64le-64k",
	"debian/13/riscv64/6.12.107+deb13-riscv64",
	"debian/13/x86_64/6.12.107+deb13-amd64",
	kernelsample.Debian11, kernelsample.Debian12, kernelsample.Kylin,
}

func TestKernels(t *testing.T) {
	source, err := kernels.Source()
	if err != nil {
		t.Fatal(err)
	}
	list, problems, err := source.Kernels()
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(k *hub.Kernel) bool { return k.Name == name && k.Path == kernels.Name }) {
			t.Errorf("%s is not built in", name)
		}
	}
}

// TestWhole checks all of it; see TestCommitted for what it should be.
func TestWhole(t *testing.T) {
	need.Long(t)
	s, err := kernels.Store()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	if again, err := kernels.Store(); again != s || err != nil {
		t.Errorf("another store the second time, %v", err)
	}
}

// TestCommitted makes the store anew: its bytes depend on the kernels alone.
func TestCommitted(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	dir, out := need.Hub(t), filepath.Join(t.TempDir(), "kernels.store")
	cmd := exec.Command(need.Tool(t, "go"), "run", "./cmd/btfgen", "hub", "pack", "--quiet", "--out", out, dir)
	cmd.Dir = need.Repository(t)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	made, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(need.Repository(t, "kernels", "kernels.store"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, committed) {
		t.Errorf("kernels/kernels.store, %d bytes, is not what is packed of %s, %d bytes: make kernels HUB=%s", len(committed), dir, len(made), dir)
	}
}

// TestProgramGrowth builds the command as it is, and with an empty file in place of the store.
func TestProgramGrowth(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	file := need.Repository(t, "kernels", "kernels.store")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	empty, overlay := filepath.Join(dir, "empty"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: empty}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{empty: nil, overlay: replace} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	with, without := commandSize(t), commandSize(t, "-overlay", overlay)
	fmt.Printf("kernels: the built-in store of %d bytes adds %d bytes to the command, which then has %d\n", info.Size(), with-without, with)
	if more := with - without - info.Size(); more < 0 || more > 64<<10 {
		t.Errorf("the command grows by %d bytes more than the store has, expected 64 KiB at most", more)
	}
}

// commandSize builds the command and returns its size in bytes.
func commandSize(t *testing.T, flags ...string) int64 {
	t.Helper()
	out := filepath.Join(t.TempDir(), "btfgen")
	cmd := exec.Command(need.Tool(t, "go"), slices.Concat([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", out}, flags, []string{"./cmd/btfgen"})...)
	cmd.Dir = need.Repository(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
