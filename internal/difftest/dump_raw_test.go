package difftest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/need"
)

var byteOrders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

// eachKernel runs a test for each real kernel, with its types in a file.
func eachKernel(t *testing.T, run func(t *testing.T, b *btf.BTF, file string)) {
	t.Helper()
	someKernels(t, func(*hub.Kernel) bool { return true }, run)
}

// oneOfAKind is a filter of kernels: the last of each distribution, version and
// architecture.
func oneOfAKind() func(*hub.Kernel) bool {
	seen := make(map[string]bool)
	return func(k *hub.Kernel) bool {
		kind := path.Dir(k.Name)
		first := !seen[kind]
		seen[kind] = true
		return first
	}
}

func someKernels(t *testing.T, wanted func(*hub.Kernel) bool, run func(t *testing.T, b *btf.BTF, file string)) {
	t.Helper()
	source, err := hub.Open(need.Hub(t))
	if err != nil {
		t.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	if len(kernels) < 20 {
		t.Fatalf("%d kernels, expected the large set of at least 20", len(kernels))
	}
	r := hub.NewReader()
	for _, k := range slices.Backward(kernels) {
		if !wanted(k) {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			types, err := k.Load(r)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "kernel.btf")
			if err := os.WriteFile(file, types.Vmlinux, 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, mustParse(t, types.Vmlinux, nil), file)
		})
	}
}

func mustParse(t *testing.T, raw []byte, base *btf.BTF) *btf.BTF {
	t.Helper()
	b, err := btf.ParseSplit(raw, base)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// output is what a program prints; it fails the test if the program fails.
func output(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%.4000s", program, args, err, stderr.Bytes())
	}
	return out
}

// sameLines fails the test at the first line that differs.
func sameLines(t *testing.T, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			t.Fatalf("line %d is %q, bpftool prints %q", i+1, g[i], w[i])
		}
	}
	t.Fatalf("%d lines, bpftool prints %d", len(g), len(w))
}

func TestRawLikeBpftool(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	bpftool := need.Tool(t, "bpftool")
	check := func(t *testing.T, b *btf.BTF, file string) {
		var got bytes.Buffer
		if err := b.DumpRaw(&got, nil); err != nil {
			t.Fatal(err)
		}
		sameLines(t, got.Bytes(), output(t, bpftool, "btf", "dump", "file", file))
	}
	eachKernel(t, check)
	for name, b := range everyKindOnDisk(t) {
		t.Run(name, func(t *testing.T) { check(t, b.types, b.file) })
	}
	t.Run("objects", func(t *testing.T) { eachObject(t, check) })
}

// eachObject runs a check for each of the repository's eBPF objects.
func eachObject(t *testing.T, check func(t *testing.T, b *btf.BTF, file string)) {
	t.Helper()
	var objects []string
	err := filepath.WalkDir(need.Repository(t, "testdata"), func(file string, _ os.DirEntry, err error) error {
		if filepath.Ext(file) == ".o" {
			objects = append(objects, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) == 0 {
		t.Fatal("the repository holds no eBPF objects")
	}
	for _, file := range objects {
		object, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := btf.FindELF(object)
		if err != nil {
			continue // objects without BTF are among them
		}
		t.Run(filepath.Base(file), func(t *testing.T) { check(t, mustParse(t, raw, nil), file) })
	}
}

func TestRawOfSplitLikeBpftool(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	bpftool := need.Tool(t, "bpftool")
	for name, on := range everyKindOnDisk(t) {
		t.Run(name, func(t *testing.T) {
			w := btf.NewSplitBuilder(on.types)
			btfsample.EveryKind(w, "mod_")
			raw, err := w.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "module.btf")
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := mustParse(t, raw, on.types).DumpRaw(&got, nil); err != nil {
				t.Fatal(err)
			}
			sameLines(t, got.Bytes(), output(t, bpftool, "-B", on.file, "btf", "dump", "file", file))
		})
	}
}

// bpftool 7.1 extends the sign of 32-bit values of unsigned enums in JSON, and
// not in its other output; a value of a BTF's that says that it is unsigned is
// so in ours. All else must be equal.
func TestJSONLikeBpftool(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	bpftool := need.Tool(t, "bpftool")
	check := func(t *testing.T, b *btf.BTF, file string) {
		var got bytes.Buffer
		if err := b.DumpJSON(&got, nil); err != nil {
			t.Fatal(err)
		}
		ours, theirs := decoded(t, got.Bytes()), decoded(t, output(t, bpftool, "-j", "btf", "dump", "file", file))
		if len(ours) != len(theirs) {
			t.Fatalf("%d types, bpftool prints %d", len(ours), len(theirs))
		}
		for i := range theirs {
			unextend(theirs[i])
			if !reflect.DeepEqual(ours[i], theirs[i]) {
				t.Fatalf("is %v,\nbpftool prints %v", ours[i], theirs[i])
			}
		}
	}
	someKernels(t, oneOfAKind(), check)
	for name, b := range everyKindOnDisk(t) {
		t.Run(name, func(t *testing.T) { check(t, b.types, b.file) })
	}
	t.Run("objects", func(t *testing.T) { eachObject(t, check) })
}

func decoded(t *testing.T, text []byte) []map[string]any {
	t.Helper()
	var doc struct{ Types []map[string]any }
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.Types
}

// unextend undoes the wrong sign extension in a type that bpftool printed.
func unextend(typ map[string]any) {
	if typ["kind"] != "ENUM" || typ["encoding"] != "UNSIGNED" {
		return
	}
	for _, v := range typ["values"].([]any) {
		v := v.(map[string]any)
		var n uint64
		if _, err := fmt.Sscan(v["val"].(json.Number).String(), &n); err == nil && n>>31 == 1<<33-1 {
			v["val"] = json.Number(fmt.Sprint(uint32(n)))
		}
	}
}

// onDisk is a BTF and the file that holds it.
type onDisk struct {
	types *btf.BTF
	file  string
}

// everyKindOnDisk is a BTF with all kinds in both byte orders.
func everyKindOnDisk(t *testing.T) map[string]onDisk {
	t.Helper()
	all := make(map[string]onDisk)
	for _, order := range byteOrders {
		w := btf.NewBuilder(order)
		btfsample.EveryKind(w, "")
		raw, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), order.String())
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		all["every kind "+order.String()] = onDisk{mustParse(t, raw, nil), file}
	}
	return all
}
