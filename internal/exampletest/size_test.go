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

// TestProgramGrowth builds the Go example as it is, and with the file in which it chooses BTF replaced by one that knows no bundle.
func TestProgramGrowth(t *testing.T) {
	need.Long(t)
	dir := t.TempDir()
	folder := need.Repository(t, "examples", "opensnoop-go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(folder, "types_linux.go"): need.Repository(t, "internal", "exampletest", "testdata", "types_without_bundle.go"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	build := func(name string, flags ...string) int64 {
		t.Helper()
		out := filepath.Join(dir, name)
		cmd := exec.Command(need.Tool(t, "go"), append(append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", out}, flags...), ".")...)
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
	with, without := build("with"), build("without", "-overlay", overlayFile)
	t.Logf("with a bundle %d bytes, without %d: %d more", with, without, with-without)
	if grown := with - without; grown <= 0 || grown > maxGrowth {
		t.Errorf("the program grows by %d bytes for its bundle, expected at most %d, and more than none", grown, maxGrowth)
	}
}
