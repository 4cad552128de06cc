package exampletest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/internal/need"
)

// maxGrowth is by how many bytes a program may grow for having a bundle, the bundle itself included.
const maxGrowth = 400_000

// TestProgramGrowth builds programs with a bundle and without: the Go example, with the file in which it chooses BTF replaced by one that knows
// no bundle, and a program that shares next to nothing with what a bundle needs.
func TestProgramGrowth(t *testing.T) {
	need.Long(t)
	testdata := func(elem ...string) string {
		return need.Repository(t, append([]string{"internal", "exampletest", "testdata"}, elem...)...)
	}
	example, smallest := need.Repository(t, "examples", "opensnoop-go"), testdata("smallest")
	for _, c := range []struct {
		name, folder, file, other string
		otherHasBundle            bool
	}{
		{"opensnoop-go", example, "types_linux.go", testdata("types_without_bundle.go"), false},
		{"smallest", smallest, "without.go", testdata("smallest_with_bundle.go"), true},
	} {
		asItIs := size(t, c.folder, nil)
		replaced := size(t, c.folder, map[string]string{filepath.Join(c.folder, c.file): c.other})
		grown := asItIs - replaced
		if c.otherHasBundle {
			grown = -grown
		}
		t.Logf("%s: a bundle adds %d bytes", c.name, grown)
		if grown <= 0 || grown > maxGrowth {
			t.Errorf("%s grows by %d bytes for its bundle, expected at most %d, and more than none", c.name, grown, maxGrowth)
		}
	}
}

// size builds the program in a folder, with some of its files replaced by others, and returns its size in bytes.
func size(t *testing.T, folder string, replace map[string]string) int64 {
	t.Helper()
	dir := t.TempDir()
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, out := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need.Tool(t, "go"), "build", "-trimpath", "-ldflags", "-s -w", "-overlay", overlayFile, "-o", out, ".")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
