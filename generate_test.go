package btfgen_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

func generator(t *testing.T, objects ...string) *btfgen.Generator {
	t.Helper()
	for i, o := range objects {
		objects[i] = need.Repository(t, "testdata", "example", o)
	}
	g, err := btfgen.Open(objects...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func source(t *testing.T, path string) hub.Source {
	t.Helper()
	s, err := hub.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t *testing.T, g *btfgen.Generator, s hub.Source, opt btfgen.Options) (map[string][]byte, []string, *btfgen.Summary) {
	t.Helper()
	files := make(map[string][]byte)
	var order []string
	sum, err := g.Generate(context.Background(), s, opt, func(r *btfgen.Result) error {
		files[r.Kernel] = r.BTF
		order = append(order, r.Kernel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, order, sum
}

func TestSameBytesWhateverTheJobs(t *testing.T) {
	g, s := generator(t, "execsnoop.bpfel.o", "execsnoop.bpfeb.o"), source(t, kernelsample.Hub(t))
	one, order, sum := run(t, g, s, btfgen.Options{Jobs: 1})
	many, manyOrder, _ := run(t, g, s, btfgen.Options{Jobs: 4})
	if len(one) < 3 || sum.Generated != len(one) || len(sum.Failures) != 0 {
		t.Fatalf("%d kernels, summary %+v", len(one), sum)
	}
	if strings.Join(order, " ") != strings.Join(manyOrder, " ") {
		t.Errorf("order of results: %v, with one job %v", manyOrder, order)
	}
	for kernel, raw := range one {
		if !bytes.Equal(raw, many[kernel]) {
			t.Errorf("%s: other bytes with four jobs than with one", kernel)
		}
	}
}

func TestByteOrders(t *testing.T) {
	s := source(t, kernelsample.Tree(t))
	const big = "debian/12/s390x/6.12.95+deb12-s390x"
	files, _, sum := run(t, generator(t, "execsnoop.bpfel.o"), s, btfgen.Options{})
	if len(sum.NotApplicable) != 1 || sum.NotApplicable[0] != big || files[big] != nil || len(files) != 2 {
		t.Errorf("a little-endian object: %d files, not applicable: %v", len(files), sum.NotApplicable)
	}
	files, _, sum = run(t, generator(t, "execsnoop.bpfeb.o"), s, btfgen.Options{})
	if len(sum.NotApplicable) != 2 || len(files) != 1 || files[big] == nil {
		t.Fatalf("a big-endian object: %d files, not applicable: %v", len(files), sum.NotApplicable)
	}
	types, err := btf.Parse(files[big])
	if err != nil {
		t.Fatal(err)
	}
	if types.ByteOrder() != binary.BigEndian {
		t.Errorf("the minimal BTF of a big-endian kernel is %v", types.ByteOrder())
	}
}

func TestDamagedKernelIsSkippedAndNamed(t *testing.T) {
	dir := kernelsample.Tree(t)
	bad := filepath.Join(dir, "debian", "11", "x86_64", "5.10.0-32-cloud-amd64.btf")
	raw, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, raw[:len(raw)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	g := generator(t, "execsnoop.bpfel.o", "execsnoop.bpfeb.o")
	files, _, sum := run(t, g, source(t, dir), btfgen.Options{})
	if len(files) != 2 || len(sum.Failures) != 1 || sum.Failures[0].Kernel != "debian/11/x86_64/5.10.0-32-cloud-amd64" ||
		!strings.Contains(sum.Failures[0].Err.Error(), bad) {
		t.Errorf("%d files, failures %v", len(files), sum.Failures)
	}
	files, _, sum = run(t, g, source(t, dir), btfgen.Options{FailFast: true, Jobs: 1})
	if len(files) != 0 || len(sum.Failures) != 1 {
		t.Errorf("fail-fast: %d files, failures %v", len(files), sum.Failures)
	}
}

func TestSinkErrorIsTheKernelsFailure(t *testing.T) {
	full := errors.New("no space left")
	n := 0
	g := generator(t, "execsnoop.bpfel.o", "execsnoop.bpfeb.o")
	sum, err := g.Generate(context.Background(), source(t, kernelsample.Tree(t)), btfgen.Options{}, func(*btfgen.Result) error {
		if n++; n == 1 {
			return full
		}
		return nil
	})
	if len(sum.Unresolved) == 0 {
		t.Error("everything resolved")
	}
	for _, u := range sum.Unresolved { // on the other kernels, the failed one's reasons do as well
		if u.Reason == "" {
			t.Errorf("%s: no reason", u.Path)
		}
	}
	if err != nil || n != 3 || sum.Generated != 2 || len(sum.Failures) != 1 || !errors.Is(sum.Failures[0].Err, full) {
		t.Errorf("error %v after %d results; %d generated, failures %v", err, n, sum.Generated, sum.Failures)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	g := generator(t, "execsnoop.bpfel.o", "execsnoop.bpfeb.o")
	sum, err := g.Generate(ctx, source(t, kernelsample.Tree(t)), btfgen.Options{Jobs: 1}, func(*btfgen.Result) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || sum.Generated == 3 {
		t.Errorf("error %v, %d generated", err, sum.Generated)
	}
}

func TestTreeLinksEqualContents(t *testing.T) {
	dir := t.TempDir()
	tr, err := btfgen.NewTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time over what the first has left
		if tr, err = btfgen.NewTree(dir); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*btfgen.Result{
			{Kernel: "a/1/x86_64/one", BTF: []byte("same"), SHA256: [32]byte{1}},
			{Kernel: "b/2/arm64/two", BTF: []byte("same"), SHA256: [32]byte{1}},
			{Kernel: "b/2/arm64/three", BTF: []byte("other"), SHA256: [32]byte{2}},
		} {
			if err := tr.Add(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	link, err := os.Readlink(tr.Path("b/2/arm64/two"))
	if err != nil || filepath.ToSlash(link) != "../../../a/1/x86_64/one.btf" {
		t.Errorf("link %q, %v", link, err)
	}
	for kernel, want := range map[string]string{"a/1/x86_64/one": "same", "b/2/arm64/two": "same", "b/2/arm64/three": "other"} {
		if got, err := os.ReadFile(tr.Path(kernel)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", kernel, got, err)
		}
	}
	if err := tr.Add(&btfgen.Result{Kernel: "../../outside"}); err == nil {
		t.Error("a kernel's name led out of the folder")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*", "*", ".btfgen-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
