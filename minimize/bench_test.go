package minimize_test

import (
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/kernelsample"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/minimize"
)

// benchKernel is the kernel of middle size, by its packed file, that objects of
// the example's little-endian build are for.
func benchKernel(tb testing.TB, plan *core.Plan) []byte {
	tb.Helper()
	source, err := hub.Open(kernelsample.Hub(tb))
	if err != nil {
		tb.Fatal(err)
	}
	kernels, _, err := source.Kernels()
	if err != nil {
		tb.Fatal(err)
	}
	r := hub.NewReader()
	for i := range kernels {
		types, err := kernels[(len(kernels)/2+i)%len(kernels)].Load(r)
		if err != nil {
			tb.Fatal(err)
		}
		if core.NewResolver(plan).Load(types.Vmlinux) == nil {
			return types.Vmlinux
		}
	}
	tb.Fatal("no kernel in the object's byte order")
	return nil
}

// examplePlan is the plan of the example object.
func examplePlan(tb testing.TB) *core.Plan {
	tb.Helper()
	objects, err := bpfelf.Open(filepath.Join(need.Repository(tb, "testdata", "example"), "execsnoop.bpfel.o"))
	if err != nil {
		tb.Fatal(err)
	}
	plan := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := plan.Add(o); err != nil {
			tb.Fatal(err)
		}
	}
	return plan
}

// BenchmarkKernel is a kernel's whole pass, as a worker does it for one kernel
// after the other: index, resolve, keep, emit, prove.
func BenchmarkKernel(b *testing.B) {
	plan := examplePlan(b)
	kernel := benchKernel(b, plan)
	m := minimize.New(plan)
	if _, err := m.Minimize(kernel); err != nil { // buffers grow
		b.Fatal(err)
	}
	b.SetBytes(int64(len(kernel)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Minimize(kernel); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(plan.Len()), "relocations")
}

// BenchmarkParts are those of the pass that go through the whole kernel or the
// whole plan.
func BenchmarkParts(b *testing.B) {
	plan := examplePlan(b)
	kernel := benchKernel(b, plan)
	r := core.NewResolver(plan)
	b.Run("load", func(b *testing.B) {
		b.SetBytes(int64(len(kernel)))
		b.ReportAllocs()
		for b.Loop() {
			if err := r.Load(kernel); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := r.Load(kernel); err != nil {
		b.Fatal(err)
	}
	b.Run("resolve", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Resolve(func(int, []core.Touch) {})
		}
	})
}

// A kernel's pass allocates nothing per type: a hundred thousand types cost no more
// allocations than what is kept of them.
func TestPassAllocatesNothingPerType(t *testing.T) {
	plan := examplePlan(t)
	kernel := benchKernel(t, plan)
	m := minimize.New(plan)
	allocs := testing.AllocsPerRun(3, func() {
		if _, err := m.Minimize(kernel); err != nil {
			t.Fatal(err)
		}
	})
	if types := int(m.Full().Types(0).End()); types < 20_000 || allocs > 100 {
		t.Errorf("%.0f allocations for a kernel of %d types, expected at most 100 for at least 20000", allocs, types)
	}
}
