package difftest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/btfgen/btfgen/internal/packaged"
)

// packages are the Debian packages whose eBPF objects are the real programs:
// embedded in libbpf-tools' and xdp-tools' programs, as files in libxdp1, which
// xdp-tools depends on.
var packages = []string{"libbpf-tools", "xdp-tools", "libxdp1"}

// set is what every kernel is checked with.
type set struct {
	objects []*bpfelf.Object
	files   []string // the objects as files, for other programs
	plan    *core.Plan

	bpftool, relocate string // programs
	scratch           string // a folder
}

// newSet reads the objects of the packages, and our own example, which has what
// they lack: enumerators' values, types' existence.
func newSet(t *testing.T) *set {
	t.Helper()
	objects, err := bpfelf.Open(need.Repository(t, "testdata", "example", "execsnoop.bpfel.o"))
	if err != nil {
		t.Fatal(err)
	}
	return setOf(t, append(objects, packaged.Objects(t, packages...)...))
}

func setOf(t *testing.T, objects []*bpfelf.Object) *set {
	t.Helper()
	s := &set{
		objects: objects, plan: core.NewPlan(objects[0].ByteOrder),
		bpftool: need.Tool(t, "bpftool"), relocate: relocateProgram(t), scratch: t.TempDir(),
	}
	for i, o := range objects {
		if err := s.plan.Add(o); err != nil {
			t.Fatal(err)
		}
		// Objects of two packages may have one name.
		file := filepath.Join(s.scratch, fmt.Sprintf("%03d-%s", i, o.Name))
		if !strings.HasSuffix(file, ".o") {
			file += ".o"
		}
		if err := os.WriteFile(file, o.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
	}
	return s
}

// relocateProgram builds the oracle around libbpf.
func relocateProgram(t *testing.T) string {
	t.Helper()
	need.Tool(t, "make")
	need.Tool(t, "gcc")
	if _, err := os.Stat("/usr/include/bpf/libbpf.h"); err != nil {
		need.Missing(t, "libbpf's development files: %v (scripts/test-setup installs them)", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	program, err := oracle.Build(ctx, need.Repository(t, "internal", "oracle"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// largeSet lists all kernels of BTFGEN_HUB.
func largeSet(t *testing.T) []*hub.Kernel {
	t.Helper()
	source, err := hub.Open(need.Hub(t))
	if err != nil {
		t.Fatal(err)
	}
	kernels, problems, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Log(p)
	}
	if len(kernels) < 20 {
		t.Fatalf("%d kernels, expected the large set of at least 20", len(kernels))
	}
	return kernels
}

// blobOrder is the byte order of a BTF blob by its magic.
func blobOrder(raw []byte) binary.ByteOrder {
	if bytes.HasPrefix(raw, []byte{0xeb, 0x9f}) {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// write puts a BTF into a file of the scratch folder.
func (s *set) write(t *testing.T, name string, raw []byte) string {
	t.Helper()
	file := filepath.Join(s.scratch, strings.ReplaceAll(name, "/", "_")+".btf")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// report fails the test for each of a check's differences, or for the first few.
func report(t *testing.T, differences []string) {
	t.Helper()
	const enough = 10
	for i, d := range differences {
		if i == enough {
			t.Errorf("… and %d more", len(differences)-enough)
			return
		}
		t.Error(d)
	}
}
