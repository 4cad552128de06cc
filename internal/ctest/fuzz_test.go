package ctest

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/internal/bundlesample"
	"github.com/btfgen/btfgen/internal/need"
)

// realBundles are what fuzzing starts from.
func realBundles(t testing.TB) [][]byte {
	t.Helper()
	committed, err := os.ReadFile(need.Repository(t, "bundle", "testdata", "version1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	all := [][]byte{committed, small(t)}
	for _, n := range []int{1, 10, 100} {
		series, err := bundlesample.Series(n, uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		kernels := map[string][]byte{}
		for _, k := range series {
			kernels[k.Path] = k.BTF
		}
		raw, _ := pack(t, kernels)
		all = append(all, raw)
	}
	return all
}

// seeds gives each bundle, and each lie, in both forms that testdata/fuzz_bundle.c takes.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	for _, raw := range realBundles(t) {
		all = append(all, append([]byte{0}, raw...), unpacked(inside(t, raw)))
	}
	for _, l := range lies(t) {
		if len(l.bundle) < 4096 {
			all = append(all, append([]byte{0}, l.bundle...))
		}
		if u := unpacked(l.segments); l.segments != nil && len(u) < 4096 {
			all = append(all, u)
		}
	}
	return all
}

func unpacked(segments [][]byte) []byte {
	out := []byte{1}
	for _, s := range segments {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(s)))
		out = append(out, s...)
	}
	return out
}

func writeSeeds(t testing.TB, dir string) int {
	t.Helper()
	all := seeds(t)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("seed%03d", i)), s, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return len(all)
}

// TestWriteSeeds is how scripts/fuzz-c gets the inputs that fuzzing starts from.
func TestWriteSeeds(t *testing.T) {
	asked(t)
	dir := os.Getenv("BTFGEN_C_SEEDS")
	if dir == "" {
		dir = t.TempDir()
	}
	t.Logf("%d seeds in %s", writeSeeds(t, dir), dir)
}

// The fuzz target takes all seeds, and what fuzzing has found before; scripts/fuzz-c goes on from there.
func TestFuzzTarget(t *testing.T) {
	asked(t)
	fuzz := build{"fuzz", "clang-19", []string{"-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"}, false}
	program := fuzz.program(t, "fuzz_bundle.c", "-DBTFGEN_MAP_LIMIT=(1u<<20)", "-DBTFGEN_GROUP_LIMIT=(1u<<20)")
	dir := t.TempDir()
	writeSeeds(t, dir)
	args := []string{"-runs=2000", "-timeout=20", "-artifact_prefix=" + t.TempDir() + "/", dir}
	if _, err := os.Stat(filepath.Join("testdata", "fuzz")); err == nil {
		args = append(args, filepath.Join("testdata", "fuzz"))
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
