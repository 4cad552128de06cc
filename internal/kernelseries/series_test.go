package kernelseries

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
)

// bases are the kernels of a folder.
func bases(t testing.TB, dir string) []Base {
	t.Helper()
	source, err := hub.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil || len(kernels) == 0 {
		t.Fatalf("%d kernels, %v", len(kernels), err)
	}
	var list []Base
	for _, k := range kernels {
		list = append(list, Base{k.Name, func() ([]byte, error) {
			types, err := k.Load(hub.NewReader())
			return types.Vmlinux, err
		}})
	}
	return list
}

func made(t testing.TB, from []Base, n int, seed uint64) []Kernel {
	t.Helper()
	var list []Kernel
	for k, err := range Make(from, n, seed) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, k)
	}
	if len(list) != n {
		t.Fatalf("%d kernels, expected %d", len(list), n)
	}
	return list
}

// TestMake makes kernels of the few real ones, big-endian ones too: valid BTF, each kernel once, the same from the same seed.
func TestMake(t *testing.T) {
	from := bases(t, kernelsample.Tree(t))
	const n = 6
	orders, paths := map[string]bool{}, map[string]bool{}
	for _, b := range from { // whichever comes first in a series
		list := made(t, []Base{b}, n, 7)
		again := made(t, []Base{b}, n/2, 7)
		other := made(t, []Base{b}, 1, 8)
		for i, k := range list {
			b, err := btf.Parse(k.BTF)
			if err != nil {
				t.Fatalf("%s: %v", k.Path, err)
			}
			if err := b.Validate(); err != nil {
				t.Errorf("%s: %v", k.Path, err)
			}
			orders[b.ByteOrder().String()], paths[k.Path] = true, true
			if i < len(again) && (k.Path != again[i].Path || !bytes.Equal(k.BTF, again[i].BTF)) {
				t.Errorf("%s: not the same again", k.Path)
			}
			if i > 0 && bytes.Equal(k.BTF, list[i-1].BTF) {
				t.Errorf("%s: the same as the kernel before", k.Path)
			}
			if strings.Count(k.Path, "/") != 3 {
				t.Errorf("%s: not distro/version/arch/release", k.Path)
			}
		}
		if bytes.Equal(list[0].BTF, other[0].BTF) {
			t.Error("another seed makes the same kernel")
		}
	}
	if len(orders) != 2 || len(paths) != n*len(from) {
		t.Errorf("%d byte orders, %d paths of %d kernels", len(orders), len(paths), n*len(from))
	}
}

// TestRates compares what is new between kernels with what was measured on real ones (rates.go).
func TestRates(t *testing.T) {
	raw, err := bases(t, kernelsample.Tree(t))[0].Load()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBase(raw)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 0))
	f := newFamily(b, rng, 2)
	says := func(what string, from, to map[uint64]btf.Kind, low, high, lowAbsent, highAbsent int) (fresh, functions int) {
		t.Helper()
		fresh, absent, functions := newIn(to, from)
		t.Logf("%-24s %5d new, %5d of them functions, %5d absent", what, fresh, functions, absent)
		if fresh < low || fresh > high || absent < lowAbsent || absent > highAbsent {
			t.Errorf("%s: %d new, %d absent, expected %d to %d and %d to %d", what, fresh, absent, low, high, lowAbsent, highAbsent)
		}
		return fresh, functions
	}
	last, flavour := definitions(t, f.flavours[0].encode()), definitions(t, f.flavours[1].encode())
	says("another series", definitions(t, raw), last, 1000, 16000, 400, 16000)
	says("another flavour", last, flavour, 400, 3500, 800, 10000)
	const updates = 6
	sum, functions := 0, 0
	for range updates {
		f.update(rng)
		next := definitions(t, f.flavours[0].encode())
		n, m := says("update", last, next, 1, 300, 0, 300)
		sum, functions, last = sum+n, functions+m, next
	}
	next := definitions(t, f.flavours[1].encode())
	says("the flavour, updated", flavour, next, sum/4, 2*sum, 0, 2*sum)
	if mean := sum / updates; mean < 50 || mean > 250 {
		t.Errorf("%d new definitions in an update on average", mean)
	}
	if share := 100 * functions / sum; share < 25 || share > 75 {
		t.Errorf("%d%% of the new definitions are functions, about half expected", share)
	}
}

// TestMeasuredRates prints the rates of real updates that rates.go has.
func TestMeasuredRates(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	byPath := map[string]Base{}
	for _, b := range bases(t, need.Hub(t)) {
		byPath[b.Path] = b
	}
	load := func(path string) map[uint64]btf.Kind {
		b, ok := byPath[path]
		if !ok {
			t.Fatalf("no %s", path)
		}
		raw, err := b.Load()
		if err != nil {
			t.Fatal(err)
		}
		return definitions(t, raw)
	}
	for _, pair := range []struct {
		from, to  string
		low, high int // what is made is within
	}{
		{"debian/12/x86_64/6.12.43+deb12-amd64", "debian/12/x86_64/6.12.57+deb12-amd64", 1, 300},
		{"debian/12/x86_64/6.12.57+deb12-amd64", "debian/12/x86_64/6.12.73+deb12-amd64", 1, 300},
		{"debian/12/x86_64/6.12.73+deb12-amd64", "debian/12/x86_64/6.12.90+deb12-amd64", 1, 300},
		{"debian/12/x86_64/6.1.0-47-amd64", "debian/12/x86_64/6.1.0-50-amd64", 1, 300},
		{"debian/11/x86_64/5.10.0-30-amd64", "debian/11/x86_64/5.10.0-32-amd64", 1, 300},
		{"debian/12/x86_64/6.12.90+deb12-amd64", "debian/12/x86_64/6.12.90+deb12-rt-amd64", 400, 3500},
		{"debian/12/x86_64/6.1.0-50-amd64", "debian/12/x86_64/6.1.0-50-cloud-amd64", 400, 3500},
		{"debian/12/x86_64/6.12.90+deb12-amd64", "debian/13/x86_64/6.12.107+deb13-amd64", 1000, 16000},
		{"debian/12/x86_64/6.1.0-47-amd64", "debian/12/x86_64/6.12.43+deb12-amd64", 1000, 16000},
	} {
		n, absent, funcs := newIn(load(pair.to), load(pair.from))
		t.Logf("%s → %s: %d new, %d of them functions, %d absent", pair.from, pair.to, n, funcs, absent)
		if n < pair.low || n > pair.high {
			t.Errorf("%d new definitions; made kernels have %d to %d", n, pair.low, pair.high)
		}
	}
}

// TestOtherReaders has bpftool read made kernels of all bases.
func TestOtherReaders(t *testing.T) {
	need.Asked(t, "BTFGEN_STORE", "store")
	bpftool := need.Tool(t, "bpftool")
	for _, b := range bases(t, need.Hub(t)) {
		k := made(t, []Base{b}, 2, 11)[1]
		parsed, err := btf.Parse(k.BTF)
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.Validate(); err != nil {
			t.Errorf("%s, made of %s: %v", k.Path, b.Path, err)
		}
		file := filepath.Join(t.TempDir(), "made.btf")
		if err := os.WriteFile(file, k.BTF, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(bpftool, "btf", "dump", "file", file).Output()
		if err != nil {
			t.Fatalf("%s: bpftool: %v", k.Path, err)
		}
		types := bytes.Count(out, []byte("\n["))
		if bytes.HasPrefix(out, []byte("[")) {
			types++
		}
		if want := int(parsed.End()) - 1; types != want {
			t.Errorf("%s: bpftool prints %d types of %d", k.Path, types, want)
		}
	}
}

// definitions are the named types as text, by its hash; a reference to a named type is its kind and name, what has no name stands in place.
func definitions(t testing.TB, raw []byte) map[uint64]btf.Kind {
	t.Helper()
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[uint64]btf.Kind)
	var buf []byte
	for id := b.Start(); id < b.End(); id++ {
		if b.NameOff(id) != 0 && b.Kind(id) != btf.KindTypeTag {
			buf = define(b, id, true, buf[:0])
			out[maphash.Bytes(textSeed, buf)] = b.Kind(id)
		}
	}
	return out
}

var textSeed = maphash.MakeSeed()

func define(b *btf.BTF, id btf.ID, top bool, buf []byte) []byte {
	kind := b.Kind(id)
	buf = fmt.Appendf(buf, "(%d %s", kind, b.NameBytes(id))
	if !top && b.NameOff(id) != 0 && kind != btf.KindTypeTag || id == 0 {
		return append(buf, ')')
	}
	buf = fmt.Appendf(buf, " %v %d %d %d %d ", b.KindFlag(id), b.Size(id), b.Int(id), b.Linkage(id), b.ComponentIndex(id))
	for i := range b.Vlen(id) {
		m, e, p, s := b.Member(id, i), b.Enumerator(id, i), b.Param(id, i), b.Secinfo(id, i)
		buf = fmt.Appendf(buf, "%s %d %d %d %d %d", b.StringBytes(max(m.NameOff, e.NameOff, p.NameOff)), m.BitOffset, m.BitSize, e.Value, s.Offset, s.Size)
		if !kind.IsEnum() {
			buf = define(b, max(m.Type, p.Type, s.Type), false, buf)
		}
	}
	if kind == btf.KindArray {
		a := b.Array(id)
		buf = define(b, a.Index, false, define(b, a.Elem, false, fmt.Appendf(buf, "%d", a.Nelems)))
	} else if to := b.Ref(id); to != 0 {
		buf = define(b, to, false, buf)
	}
	return append(buf, ')')
}

// newIn counts the definitions of a that b lacks, how many of them are functions, and those of b that a lacks.
func newIn(a, b map[uint64]btf.Kind) (fresh, absent, functions int) {
	for d, kind := range a {
		if _, ok := b[d]; !ok {
			fresh++
			if kind == btf.KindFunc {
				functions++
			}
		}
	}
	for d := range b {
		if _, ok := a[d]; !ok {
			absent++
		}
	}
	return fresh, absent, functions
}

// BenchmarkMake is the time of one kernel of a long series.
func BenchmarkMake(b *testing.B) {
	from := bases(b, kernelsample.Hub(b))
	b.ReportAllocs()
	start := time.Now()
	bytes := 0
	for k, err := range Make(from, b.N, 1) {
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(k.BTF)
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "B/kernel")
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "kernels/s")
}
