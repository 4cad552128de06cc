package packaged

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/internal/need"
)

// Objects opens all objects of installed Debian packages: those built into their programs, and those that are files of their own.
func Objects(t testing.TB, packages ...string) []*bpfelf.Object {
	t.Helper()
	var all []*bpfelf.Object
	for _, name := range packages {
		var objects []*bpfelf.Object
		for _, path := range Programs(t, name) {
			found, err := bpfelf.Open(path)
			if err != nil && !errors.Is(err, bpfelf.ErrNotObject) { // a program without eBPF
				t.Fatal(err)
			}
			objects = append(objects, found...)
		}
		if len(objects) == 0 {
			t.Fatalf("the Debian package %s yields no eBPF objects", name)
		}
		all = append(all, objects...)
	}
	return all
}

// Programs lists the files of an installed Debian package that may hold eBPF objects: its programs, and .o files.
func Programs(t testing.TB, name string) []string {
	t.Helper()
	out, err := exec.Command("dpkg", "-L", name).Output()
	if err != nil {
		need.Missing(t, "the Debian package %s, which is not installed (scripts/test-setup installs it): %v", name, err)
	}
	var files []string
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSuffix(path, "\n")
		folder := filepath.Base(filepath.Dir(path))
		if folder != "bin" && folder != "sbin" && filepath.Ext(path) != ".o" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
	}
	return files
}
