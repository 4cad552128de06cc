package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/internal/btfsample"
	"github.com/btfgen/btfgen/internal/bundlesample"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
)

// types is BTF of every kind; with whole strings it is of the sort that has a form of its own.
func types(t testing.TB, order binary.ByteOrder, wholeStrings bool, prefix string) []byte {
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

// build makes a bundle and opens it.
func build(t testing.TB, kernels map[string][]byte) ([]byte, *Bundle) {
	t.Helper()
	w := NewBuilder()
	for path, btf := range kernels {
		if err := w.Add(path, btf); err != nil {
			t.Fatal(err)
		}
	}
	raw, stats, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if stats.Kernels != len(kernels) || stats.Bytes != len(raw) {
		t.Fatalf("stats %+v for %d kernels, %d bytes", stats, len(kernels), len(raw))
	}
	b, err := Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw, b
}

// expectAll compares everything that a bundle gives with what was put in.
func expectAll(t *testing.T, b *Bundle, want map[string][]byte) {
	t.Helper()
	kernels, err := b.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	contents, err := b.All()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.Contents(); err != nil || n != len(contents) {
		t.Errorf("Contents() is %d, %v; All() gives %d", n, err, len(contents))
	}
	if len(kernels) != len(want) {
		t.Errorf("%d kernels, want %d", len(kernels), len(want))
	}
	for _, k := range kernels {
		if !bytes.Equal(contents[k.Content], want[k.Path]) {
			t.Errorf("%q: content %d differs", k.Path, k.Content)
		}
	}
	for path := range want {
		got, err := b.BTF(path)
		if err != nil || !bytes.Equal(got, want[path]) {
			t.Errorf("BTF(%q) differs: %v", path, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	little, big := types(t, binary.LittleEndian, true, ""), types(t, binary.BigEndian, true, "")
	longHeader := slices.Concat(little[:4], []byte{32, 0, 0, 0}, little[8:24], make([]byte, 8), little[24:])
	long := string(bytes.Repeat([]byte("r"), maxRelease))
	_, b := build(t, map[string][]byte{
		"debian/12/x86_64/6.1.0-50-amd64":        little,
		"debian/12/x86_64/6.1.0-50-cloud-amd64":  little,
		"debian/12/s390x/6.1.0-50-s390x":         big,
		"debian/12/x86_64/6.1.0-5-amd64":         types(t, binary.LittleEndian, true, "other_"),
		"x/y/z/shared-suffixes":                  types(t, binary.LittleEndian, false, ""),
		"x/y/z/longer-header":                    longHeader,
		"x/y/z/cut-short":                        little[:len(little)-1],
		"x/y/z/" + long:                          append(slices.Clone(little), 0),
		"no-directory":                           little[:24],
		"a/deep/tree/debian/12/x86_64/6.1.0":     little,
		"debian/12/x86_64/6.1.0-50-amd64 é \xff": little,
	})
	want := map[string][]byte{}
	kernels, err := b.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(kernels, func(a, b Kernel) int {
		x, y := filepath.Dir(a.Path), filepath.Dir(b.Path)
		if x == y {
			x, y = a.Path, b.Path
		}
		return bytes.Compare([]byte(x), []byte(y))
	}) && kernels[0].Path != "no-directory" {
		t.Errorf("not in the order of directory and release: %v", kernels)
	}
	for _, k := range kernels {
		if want[k.Path], err = b.BTF(k.Path); err != nil {
			t.Fatal(err)
		}
	}
	expectAll(t, b, want)
	if _, err := b.BTF("debian/12/x86_64/6.1.0-50"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a kernel that is not there: %v", err)
	}
	for _, i := range []int{-1, 8} {
		if _, err := b.Content(i); err == nil {
			t.Errorf("Content(%d) of 8 contents is no error", i)
		}
	}
}

// What the forms are for: BTF of any of our own making has one, and what they cannot give back is kept verbatim.
func TestForms(t *testing.T) {
	little := types(t, binary.LittleEndian, true, "")
	unknownKind := slices.Clone(little)
	unknownKind[24+4+3] = 20
	unused := slices.Clone(little)
	unused = append(unused, 'x', 0)
	binary.LittleEndian.PutUint32(unused[20:], binary.LittleEndian.Uint32(unused[20:])+2)
	for _, c := range []struct {
		name string
		btf  []byte
		form byte
	}{
		{"little-endian", little, formLittleEndian},
		{"big-endian", types(t, binary.BigEndian, true, ""), formBigEndian},
		{"suffixes shared", types(t, binary.LittleEndian, false, ""), formVerbatim},
		{"unknown kind", unknownKind, formVerbatim},
		{"unused string", unused, formVerbatim},
		{"header only", little[:24], formVerbatim},
		{"flags", append([]byte{0x9f, 0xeb, 1, 1}, little[4:]...), formVerbatim},
	} {
		stored := encode(c.btf, newPool())
		_, n := binary.Uvarint(stored)
		if stored[n] != c.form {
			t.Errorf("%s: form %d, want %d", c.name, stored[n], c.form)
		}
		_, b := build(t, map[string][]byte{"k": c.btf})
		expectAll(t, b, map[string][]byte{"k": c.btf})
	}
}

func TestRandomTypes(t *testing.T) {
	kernels := map[string][]byte{}
	for seed := range uint64(200) {
		order := binary.ByteOrder(binary.LittleEndian)
		if seed%5 == 0 {
			order = binary.BigEndian
		}
		s, err := randbtf.Make(seed, randbtf.Options{Order: order})
		if err != nil {
			t.Fatal(err)
		}
		kernels[fmt.Sprintf("a/1/x/%d", seed)] = s.Local
		kernels[fmt.Sprintf("b/1/x/%d", seed)] = s.Target
	}
	_, b := build(t, kernels)
	expectAll(t, b, kernels)
}

// Thousands of kernels need several groups.
func TestManyKernels(t *testing.T) {
	series, err := bundlesample.Series(2000, 1)
	if err != nil {
		t.Fatal(err)
	}
	kernels := map[string][]byte{}
	for _, k := range series {
		kernels[k.Path] = k.BTF
	}
	_, b := build(t, kernels)
	if b.groups < 2 {
		t.Errorf("%d groups of contents, expected several", b.groups)
	}
	list, err := b.Kernels()
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.All()
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range list {
		if !bytes.Equal(all[k.Content], kernels[k.Path]) {
			t.Errorf("%s differs", k.Path)
		}
		if i%97 == 0 {
			if one, err := b.Content(k.Content); err != nil || !bytes.Equal(one, all[k.Content]) {
				t.Errorf("Content(%d) is not All()[%d]: %v", k.Content, k.Content, err)
			}
		}
	}
}

func TestOrderOfAddingDoesNotMatter(t *testing.T) {
	series, err := bundlesample.Series(300, 2)
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for round := range uint64(3) {
		rand.New(rand.NewPCG(round, 0)).Shuffle(len(series), func(i, j int) { series[i], series[j] = series[j], series[i] })
		w := NewBuilder()
		for _, k := range series {
			if err := w.Add(k.Path, k.BTF); err != nil {
				t.Fatal(err)
			}
		}
		raw, _, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		} else if !bytes.Equal(raw, first) {
			t.Error("another order of adding gives another bundle")
		}
	}
}

func TestAddRefuses(t *testing.T) {
	btf := types(t, binary.LittleEndian, true, "")
	for _, path := range []string{"", "debian/", "/etc/x", "a\x00b", string(bytes.Repeat([]byte("x"), 256)), string(bytes.Repeat([]byte("x/"), 600)) + "y"} {
		if err := NewBuilder().Add(path, btf); err == nil {
			t.Errorf("the path %.40q was taken", path)
		}
	}
	for _, content := range [][]byte{nil, []byte("\x7fELF and so on, which is not BTF at all"), btf[:20]} {
		if err := NewBuilder().Add("a/b/c/d", content); err == nil {
			t.Errorf("%d bytes that are not BTF were taken", len(content))
		}
	}
	w := NewBuilder()
	if err := errors.Join(w.Add("k", btf), w.Add("k", bytes.Clone(btf))); err != nil {
		t.Errorf("the same twice: %v", err)
	}
	if err := w.Add("k", types(t, binary.LittleEndian, true, "x_")); err == nil {
		t.Error("a path was taken twice with different BTF")
	}
	if err := w.Add("l", types(t, binary.LittleEndian, true, "x_")); err != nil {
		t.Error(err)
	}
}

func TestEmptyBundle(t *testing.T) {
	_, b := build(t, nil)
	expectAll(t, b, nil)
}

// A bundle that an earlier version of this package wrote: version 1 stays readable. BTFGEN_UPDATE=1 writes it anew, which is for a new version of the format only.
func TestReadsVersion1(t *testing.T) {
	want := map[string][]byte{
		"debian/12/x86_64/6.1.0-50-amd64": types(t, binary.LittleEndian, true, ""),
		"debian/12/x86_64/6.1.0-47-amd64": types(t, binary.LittleEndian, true, ""),
		"debian/12/s390x/6.1.0-50-s390x":  types(t, binary.BigEndian, true, ""),
		"centos/8/arm64/4.18.0":           types(t, binary.LittleEndian, false, ""),
	}
	const file = "testdata/version1.bundle"
	if os.Getenv("BTFGEN_UPDATE") != "" {
		raw, _ := build(t, want)
		if err := os.WriteFile(file, raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	expectAll(t, b, want)
}

func TestUvarint(t *testing.T) {
	for _, v := range []uint32{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<28 - 1, 1 << 28, 1<<32 - 1} {
		raw := binary.AppendUvarint(nil, uint64(v))
		if got, n := uvarint(append(raw, 0xff)); got != v || n != len(raw) {
			t.Errorf("%d reads as %d, %d bytes", v, got, n)
		}
		if _, n := uvarint(raw[:len(raw)-1]); n != 0 {
			t.Errorf("%d cut short is taken for %d bytes", v, n)
		}
	}
	for _, raw := range [][]byte{{0xff, 0xff, 0xff, 0xff, 0x10}, {0x80, 0x80, 0x80, 0x80, 0x80, 0}, {}} {
		if v, n := uvarint(raw); n != 0 {
			t.Errorf("% x is taken for %d", raw, v)
		}
	}
}
