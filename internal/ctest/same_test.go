package ctest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/bundlesample"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

// pack makes a bundle and opens it with the Go reader.
func pack(t testing.TB, kernels map[string][]byte) (raw []byte, b *bundle.Bundle) {
	t.Helper()
	w := bundle.NewBuilder()
	for path, btf := range kernels {
		if err := w.Add(path, btf); err != nil {
			t.Fatal(err)
		}
	}
	raw, _, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b, err = bundle.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw, b
}

// sample is BTF of every kind.
func sample(t testing.TB, order binary.ByteOrder, prefix string, wholeStrings bool) []byte {
	t.Helper()
	w := btf.NewBuilder(order)
	if wholeStrings {
		w.WholeStrings()
	}
	btfsample.EveryKind(w, prefix)
	raw, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// expectSame has the C reader give all kernels and contents, and holds them against the Go reader's and against what was packed.
func expectSame(t *testing.T, r reader, raw []byte, packed map[string][]byte) {
	t.Helper()
	b, err := bundle.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	want, err := b.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	file := save(t, raw)
	kernels, contents := parseAll(t, r.mustRun(t, "all", file))
	all, err := b.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(kernels) != len(want) || len(kernels) != len(packed) || len(contents) != len(all) {
		t.Fatalf("C: %d kernels, %d contents; Go: %d and %d; packed: %d kernels", len(kernels), len(contents), len(want), len(all), len(packed))
	}
	for i := range all {
		if !bytes.Equal(contents[i], all[i]) {
			t.Errorf("content %d: C gives %d bytes, Go %d others", i, len(contents[i]), len(all[i]))
		}
	}
	for i, k := range want {
		if got, line := kernels[i], fmt.Sprintf("%d %s", k.Content, k.Path); got != line {
			t.Errorf("kernel %d: C gives %q, Go %q", i, got, line)
		} else if !bytes.Equal(contents[k.Content], packed[k.Path]) {
			t.Errorf("%s: not the bytes that were packed", k.Path)
		}
	}
	// By path, as a program asks: the first, the last, and some between.
	for i := 0; i < len(want); i += max(1, len(want)/4) {
		out := filepath.Join(t.TempDir(), "btf")
		r.mustRun(t, "get", file, want[i].Path, out)
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, packed[want[i].Path]) {
			t.Errorf("get %s: not the bytes that were packed (%v)", want[i].Path, err)
		}
	}
	if _, message, code := r.run(t, nil, "get", file, "no/such/kernel/1.2.3", filepath.Join(t.TempDir(), "btf")); code != exitNotFound {
		t.Errorf("get of a kernel that is not there: exit code %d, %q", code, message)
	}
}

// minimal makes the minimal BTF of each kernel of a folder for the example object.
func minimal(t *testing.T, kernels string) map[string][]byte {
	t.Helper()
	gen, err := btfgen.Open(need.Repository(t, "testdata", "example", "execsnoop.bpfel.o"), need.Repository(t, "testdata", "example", "execsnoop.bpfeb.o"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := hub.Open(kernels)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string][]byte{}
	summary, err := gen.Generate(context.Background(), source, btfgen.Options{}, func(r *btfgen.Result) error {
		if r.Err == nil {
			made[r.Kernel] = r.BTF
		}
		return nil
	})
	if err != nil || len(summary.Failures) > 0 || len(made) == 0 {
		t.Fatalf("%d kernels, %v, %v", len(made), summary.Failures, err)
	}
	return made
}

// The same bytes for every real kernel there is: some of the built-in ones, or those of BTFGEN_HUB.
func TestSameForRealKernels(t *testing.T) {
	asked(t)
	kernels := minimal(t, kernelsample.Hub(t))
	raw, _ := pack(t, kernels)
	t.Logf("%d kernels in %d bytes", len(kernels), len(raw))
	eachReader(t, func(t *testing.T, r reader) { expectSame(t, r, raw, kernels) })
}

// Every kind of type, both byte orders, and what has no form but its bytes, such as strings that share their ends.
func TestSameForEveryForm(t *testing.T) {
	asked(t)
	kernels := map[string][]byte{}
	for i := range 8 {
		prefix := fmt.Sprintf("x%d_", i/2)
		order := []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}[i%2]
		kernels[fmt.Sprintf("debian/12/x86_64/6.1.0-%d-amd64", i)] = sample(t, order, prefix, true)
		kernels[fmt.Sprintf("debian/12/arm64/6.1.0-%d-arm64", i)] = sample(t, order, prefix, false)
	}
	awkward, unsayable := btf.NewBuilder(binary.LittleEndian), btf.NewBuilder(binary.BigEndian)
	btfsample.Awkward(awkward)
	btfsample.Unsayable(unsayable)
	for name, w := range map[string]*btf.Builder{"awkward": awkward, "unsayable": unsayable} {
		raw, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		kernels["x/1/x86_64/"+name] = raw
	}
	kernels["no-folder"] = sample(t, binary.LittleEndian, "", false)
	kernels["one/1.2.3"] = sample(t, binary.BigEndian, "", true)
	kernels["a/deep/path/of/folders/centos/8/arm64/4.18.0-1.el8.aarch64"] = sample(t, binary.LittleEndian, "deep_", true)
	raw, _ := pack(t, kernels)
	eachReader(t, func(t *testing.T, r reader) { expectSame(t, r, raw, kernels) })
}

func TestSameForThousands(t *testing.T) {
	asked(t)
	series, err := bundlesample.Series(5000, 1)
	if err != nil {
		t.Fatal(err)
	}
	kernels := map[string][]byte{}
	for _, k := range series {
		kernels[k.Path] = k.BTF
	}
	raw, _ := pack(t, kernels)
	t.Logf("%d kernels in %d bytes", len(kernels), len(raw))
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			if b.valgrind {
				// All of it takes minutes there; the kernels and one BTF go the same ways.
				r, file := b.reader(t), save(t, raw)
				if got := bytes.Count(r.mustRun(t, "list", file), []byte("\n")); got != len(kernels) {
					t.Errorf("%d kernels, expected %d", got, len(kernels))
				}
				out := filepath.Join(t.TempDir(), "btf")
				r.mustRun(t, "get", file, series[4321].Path, out)
				if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, series[4321].BTF) {
					t.Errorf("%s: not the bytes that were packed (%v)", series[4321].Path, err)
				}
				return
			}
			expectSame(t, b.reader(t), raw, kernels)
		})
	}
}

// A bundle that an earlier version of this repository has written, byte for byte.
func TestSameForCommittedBundle(t *testing.T) {
	asked(t)
	raw, err := os.ReadFile(need.Repository(t, "bundle", "testdata", "version1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	kernels, err := b.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	packed := map[string][]byte{}
	for _, k := range kernels {
		if packed[k.Path], err = b.BTF(k.Path); err != nil {
			t.Fatal(err)
		}
	}
	eachReader(t, func(t *testing.T, r reader) { expectSame(t, r, raw, packed) })
}
