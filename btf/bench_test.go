package btf_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btf"
)

// benched is the kernel of BTFGEN_HUB whose archive is of middle size, or a
// made-up one of 100,000 types.
var benched struct {
	once sync.Once
	raw  []byte
}

func kernel(tb testing.TB) []byte {
	tb.Helper()
	benched.once.Do(func() {
		if os.Getenv("BTFGEN_HUB") == "" {
			benched.raw = encode(tb, madeUpKernel(100_000))
			return
		}
		files := hubFiles(tb)
		slices.SortFunc(files, func(a, b string) int { return int(fileSize(tb, a) - fileSize(tb, b)) })
		benched.raw = hubKernel(tb, files[len(files)/2])
	})
	return benched.raw
}

func fileSize(tb testing.TB, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// madeUpKernel has n types in about a kernel's proportions.
func madeUpKernel(n int) *btf.Builder {
	w := btf.NewBuilder(binary.LittleEndian)
	w.Int("int", 4, btf.Signed)
	for i := 1; i < n; {
		s := w.Struct(structName(i), 24,
			btf.BuildMember{Name: "next", Type: btf.ID(i + 2)},
			btf.BuildMember{Name: fmt.Sprintf("count_%d", i%1000), Type: 1, BitOffset: 64},
			btf.BuildMember{Name: "of", Type: btf.ID(i), BitOffset: 128})
		p := w.Ptr(s)
		f := w.FuncProto(1, btf.BuildParam{Name: "s", Type: p}, btf.BuildParam{Name: "flags", Type: 1})
		w.Func(fmt.Sprintf("function_%d", i), f, btf.LinkageStatic)
		w.Typedef(fmt.Sprintf("typedef_%d", i), s)
		i += 5
	}
	return w
}

// structName is the made-up name of a struct, with a beginning of its own.
func structName(i int) string {
	return strconv.FormatUint(uint64(i)*0x9e3779b1&0xffffffff, 36) + "_struct"
}

// tenNames are the roots that a middling object asks for.
func tenNames() *btf.Names {
	names := new(btf.Names)
	for _, name := range []string{"task_struct", "file", "sock", "sk_buff", "request", "inode", "dentry", "mm_struct", "nsproxy", structName(1)} {
		names.Add(name, btf.KindStruct)
	}
	return names
}

func TestIndexAllocatesNothing(t *testing.T) {
	for _, order := range orders {
		w := madeUpKernel(5000)
		little := parse(t, encode(t, w))
		w = btf.NewBuilder(order)
		for id := little.Start(); id < little.End(); id++ {
			if _, err := w.Copy(little, id, btf.Copied{All: true}, same); err != nil {
				t.Fatal(err)
			}
		}
		raw := encode(t, w)
		b, names, ids := parse(t, raw), tenNames(), make([]btf.ID, 0, 1000)
		var err error
		n := testing.AllocsPerRun(10, func() {
			if e := b.Reset(raw, nil); e != nil {
				err = e
			}
			if ids, e := b.ResetPick(raw, nil, names, ids); e != nil || len(ids) == cap(ids) {
				err = fmt.Errorf("%d ids: %w", len(ids), e)
			}
		})
		if n != 0 || err != nil {
			t.Errorf("%v: %v allocations, %v; expected none", order, n, err)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	raw, v := kernel(b), new(btf.BTF)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Reset(raw, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndexAndPick(b *testing.B) {
	raw, v, names := kernel(b), new(btf.BTF), tenNames()
	var ids []btf.ID
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if ids, err = v.ResetPick(raw, nil, names, ids[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(ids)), "picked")
}

func BenchmarkValidate(b *testing.B) {
	v := parse(b, kernel(b))
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

// Copies 500 types, merges and orders them, and writes them.
func BenchmarkCanonicaliseAndBytes(b *testing.B) {
	src := parse(b, kernel(b))
	const first, count = 1, 500
	w := btf.NewBuilder(src.ByteOrder())
	ref := func(id btf.ID) btf.ID {
		if id < first || id >= first+count {
			return 0
		}
		return id - first + 1
	}
	var size int
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(src.ByteOrder())
		for id := btf.ID(first); id < first+count; id++ {
			if _, err := w.Copy(src, id, btf.Copied{All: true}, ref); err != nil {
				b.Fatal(err)
			}
		}
		w.Canonicalise()
		raw, err := w.Bytes()
		if err != nil {
			b.Fatal(err)
		}
		size = len(raw)
	}
	b.ReportMetric(float64(size), "bytes")
}
