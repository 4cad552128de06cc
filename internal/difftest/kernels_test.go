package difftest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/btfgen/btfgen/minimize"
)

// worker checks one kernel at a time.
type worker struct {
	*set
	reader    *hub.Reader
	minimizer *minimize.Minimizer
	cilium    []*oracle.CiliumObject // one per object; nil: it has no relocations
}

func newWorker(t *testing.T, s *set) *worker {
	t.Helper()
	w := &worker{set: s, reader: hub.NewReader(), minimizer: minimize.New(s.plan)}
	for _, o := range s.objects {
		object, err := oracle.NewCiliumObject(o)
		if err != nil {
			t.Fatal(err)
		}
		w.cilium = append(w.cilium, object)
	}
	return w
}

// tally is what the checks of all kernels have compared.
type tally struct {
	sync.Mutex
	kernels, foreign int

	logged, resolved                 int   // (a) relocations in bpftool's logs
	ourBytes, theirBytes, comparable int64 // (e) and kernels that both sides did
	relocated, instructions          int   // (b)
	records, patches                 int   // (c)
	relocations                      int   // (d)
}

// checked is a kernel and its minimal BTF, in memory and as files.
type checked struct {
	name                string
	full, min           []byte
	fullFile, minFile   string
	fullTypes, minTypes *btf.BTF
	libbpf              []oracle.Object // verdicts on the full BTF
}

// TestPrograms holds every kernel's minimal BTF for all objects of the packages
// against the full one, with three loaders, and our resolution against libbpf's.
func TestPrograms(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	s := newSet(t)
	kernels := largeSet(t)
	workers := make(chan *worker, 2)
	for range cap(workers) {
		workers <- newWorker(t, s)
	}
	sum := &tally{}
	t.Run("kernels", func(t *testing.T) {
		for _, k := range kernels {
			t.Run(k.Name, func(t *testing.T) {
				t.Parallel()
				w := <-workers
				defer func() { workers <- w }()
				w.kernel(t, k, sum)
			})
		}
	})
	t.Logf("%d kernels, %d of them of the other byte order, %d objects, %d relocations, %d of them distinct",
		sum.kernels, sum.foreign, len(s.objects), s.plan.Records(), s.plan.Len())
	t.Logf("(a) bpftool's log: %d relocations the same, %d of them resolved", sum.logged, sum.resolved)
	t.Logf("(b) libbpf: %d relocations, %d instructions the same", sum.relocated, sum.instructions)
	t.Logf("(c) ours beside libbpf's: %d outcomes, %d patched instructions the same", sum.records, sum.patches)
	t.Logf("(d) cilium/ebpf: %d relocations, alone and jointly, the same", sum.relocations)
	t.Logf("(e) proven; %d bytes, bpftool's %d, over %d kernels", sum.ourBytes, sum.theirBytes, sum.comparable)
	if sum.ourBytes >= sum.theirBytes {
		t.Errorf("our minimal BTFs have %d bytes together, expected fewer than bpftool's %d", sum.ourBytes, sum.theirBytes)
	}
	// Of what every kernel was to be compared in, at least so much.
	native := sum.kernels - sum.foreign
	for _, count := range []struct {
		what    string
		n, want int
	}{
		{"kernels", sum.kernels, len(kernels)},
		{"kernels in this byte order", native, 20},
		{"objects", len(s.objects), 100},
		{"relocations in bpftool's logs", sum.logged, native * s.plan.Records() / 2},
		{"relocations that bpftool resolved", sum.resolved, native * s.plan.Records() / 4},
		{"relocations of libbpf", sum.relocated, native * s.plan.Records() / 2},
		{"outcomes of our own", sum.records, native * s.plan.Records() / 2},
		{"patched instructions of our own", sum.patches, native * s.plan.Records() / 2},
		{"relocations of cilium/ebpf", sum.relocations, native * s.plan.Records()},
		{"kernels with sizes of both sides", int(sum.comparable), native / 2},
	} {
		if count.n < count.want {
			t.Errorf("only %d %s, expected at least %d: the comparison is not what it should be", count.n, count.what, count.want)
		}
	}
}

// kernel makes one kernel's minimal BTF and carries out all checks.
func (w *worker) kernel(t *testing.T, k *hub.Kernel, sum *tally) {
	types, err := k.Load(w.reader)
	if err != nil {
		t.Fatal(err)
	}
	sum.Lock()
	sum.kernels++
	sum.Unlock()
	if blobOrder(types.Vmlinux) != binary.ByteOrder(binary.LittleEndian) {
		t.Log("big-endian, which none of these objects is for: see TestBigEndian")
		sum.Lock()
		sum.foreign++
		sum.Unlock()
		return
	}
	c, err := w.check(t, k.Name, types.Vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("bpftool", func(t *testing.T) {
		log, n, differences, err := w.checkBpftool(c.fullFile, c.minFile)
		if err != nil {
			t.Fatal(err)
		}
		report(t, differences)
		sum.Lock()
		defer sum.Unlock()
		sum.logged += n
		if log == nil {
			t.Log("bpftool refuses the objects together; their sizes are not compared")
			return
		}
		sum.resolved += log.resolved()
		sum.ourBytes += int64(len(c.min))
		sum.theirBytes += log.size
		sum.comparable++
	})
	t.Run("libbpf", func(t *testing.T) {
		c.libbpf, err = w.verdicts(c.fullFile)
		if err != nil {
			t.Fatal(err)
		}
		min, err := w.verdicts(c.minFile)
		if err != nil {
			t.Fatal(err)
		}
		relocated, instructions, differences := compareVerdicts(c.libbpf, min, c.fullTypes, c.minTypes)
		report(t, differences)
		sum.Lock()
		defer sum.Unlock()
		sum.relocated += relocated
		sum.instructions += instructions
	})
	t.Run("ours", func(t *testing.T) {
		records, patches, differences := w.compareAllOurs(w.minimizer.Full(), c.libbpf)
		report(t, differences)
		sum.Lock()
		defer sum.Unlock()
		sum.records += records
		sum.patches += patches
	})
	t.Run("cilium", func(t *testing.T) {
		kernel, err := oracle.NewCiliumKernel(w.plan.ByteOrder(), c.full)
		if err != nil {
			t.Fatal(err)
		}
		n, differences, err := w.compareCilium(kernel, c.min)
		if err != nil {
			t.Fatal(err)
		}
		report(t, differences)
		sum.Lock()
		defer sum.Unlock()
		sum.relocations += n
	})
}

// check minimizes, which includes the proof, and writes both BTFs to files.
func (w *worker) check(t *testing.T, name string, full []byte) (*checked, error) {
	t.Helper()
	c := &checked{name: name, full: full}
	var err error
	if c.min, err = w.minimizer.Minimize(full); err != nil {
		return nil, err
	}
	if c.fullTypes, err = btf.Parse(full); err != nil {
		return nil, err
	}
	if c.minTypes, err = btf.Parse(c.min); err != nil {
		return nil, err
	}
	if err := c.minTypes.Validate(); err != nil {
		return nil, fmt.Errorf("the minimal BTF: %w", err)
	}
	c.fullFile, c.minFile = w.write(t, name, full), w.write(t, name+".min", c.min)
	return c, nil
}

// compareAllOurs is compareOurs for all objects, whose verdicts are libbpf's.
func (s *set) compareAllOurs(r *core.Resolver, verdicts []oracle.Object) (records, patches int, differences []string) {
	for i := range s.plan.Objects() {
		n, m, d := compareOurs(r, &s.plan.Objects()[i], &verdicts[i])
		records, patches, differences = records+n, patches+m, append(differences, d...)
	}
	return records, patches, differences
}

// compareCilium compares what cilium/ebpf makes of all objects.
func (w *worker) compareCilium(kernel *oracle.CiliumKernel, min []byte) (relocations int, differences []string, _ error) {
	for i, o := range w.cilium {
		if o.Len() == 0 {
			continue
		}
		found, err := kernel.Compare(min, o)
		if err != nil {
			return 0, nil, err
		}
		relocations += o.Len()
		for _, d := range found {
			differences = append(differences, w.objects[i].Name+": "+d.String())
		}
	}
	return relocations, differences, nil
}
