package dwarftest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/debkernel"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/packaged"
)

const (
	// enoughCPU and enoughMemory are the parts of pahole's that ours may take at most.
	enoughCPU, enoughMemory = 1.0 / 4, 1.0 / 2
)

var (
	// cloud is a kernel with a vmlinux of 587 MB and 2,170 units, and BTF of its own.
	cloud = debkernel.Wanted{Suite: "bookworm", Version: "12", Series: "6.1", Flavour: "cloud-amd64", Arch: "amd64", Debug: true, DebugModules: modules}
	// i686 is a kernel of 32 bits, and without BTF.
	i686 = debkernel.Wanted{Suite: "bookworm", Version: "12", Series: "6.1", Flavour: "686", Arch: "i386", Debug: true}
)

// debugKernel is a real kernel with its DWARF.
func debugKernel(t *testing.T, wanted debkernel.Wanted) *debkernel.Kernel {
	t.Helper()
	for _, tool := range []string{"apt-get", "dpkg-deb", "tar"} {
		need.Tool(t, tool)
	}
	cache := debkernel.Shared(t)
	k, err := cache.Get(context.Background(), wanted, nil)
	if err != nil {
		need.Missing(t, "the debug package of the kernel %v, in %s or through apt: %v", wanted, cache.Dir, err)
	}
	t.Logf("the kernel is %s", k.Release)
	return k
}

// TestDebugKernel is the real thing: a kernel's DWARF through dwarf2btf and through pahole, in one run.
func TestDebugKernel(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	k := debugKernel(t, cloud)
	vmlinux := k.Vmlinux()
	btfgen := buildCommand(t)
	dir := t.TempDir()
	out := func(name string) string { return filepath.Join(dir, name+".btf") }

	own := carriedBTF(t, vmlinux) // which also brings the file into the page cache, where both find it

	oursCost := measure(t, extract(btfgen, vmlinux, out("ours")))
	theirsCost := measure(t, exec.Command(need.Tool(t, "pahole"), "--btf_gen_floats", "--btf_encode_detached="+out("pahole"), vmlinux))
	cpu, memory := oursCost.cpu.Seconds()/theirsCost.cpu.Seconds(), float64(oursCost.memory)/float64(theirsCost.memory)
	t.Logf("ours: %v", oursCost)
	t.Logf("pahole's: %v", theirsCost)
	t.Logf("ours is %.3f of its CPU time and %.3f of its memory", cpu, memory)
	if cpu > enoughCPU {
		t.Errorf("%.3f of pahole's CPU time, expected %.3f at most", cpu, enoughCPU)
	}
	if memory > enoughMemory {
		t.Errorf("%.3f of pahole's memory, expected %.3f at most", memory, enoughMemory)
	}
	ours, theirs := readBTF(t, out("ours")), readBTF(t, out("pahole"))

	t.Run("types", func(t *testing.T) {
		compareKernels(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours.BTF, theirs.BTF}})
	})
	t.Run("types that the kernel carries", func(t *testing.T) {
		carried, err := btf.Parse(own)
		if err != nil {
			t.Fatal(err)
		}
		compareKernels(t, Two{Names: [2]string{"ours", "its own"}, BTF: [2]*btf.BTF{ours.BTF, carried}})
	})
	t.Run("vmlinuz", func(t *testing.T) {
		measure(t, exec.Command(btfgen, "extract", "--quiet", "--out", out("vmlinuz"), k.Image()))
		if booted := readBTF(t, out("vmlinuz")); !bytes.Equal(booted.raw, own) {
			t.Errorf("the package's vmlinuz has another BTF, of %d bytes, than the debug package's vmlinux, of %d", len(booted.raw), len(own))
		}
	})
	t.Run("relocations", func(t *testing.T) { compareRelocations(t, ours, theirs) })
	c := measure(t, extract(btfgen, vmlinux, out("functions"), "--functions"))
	t.Logf("with functions: %v", c)
	functions := readBTF(t, out("functions"))
	t.Run("functions", func(t *testing.T) { compareFunctions(t, functions, theirs) })
	t.Run("modules", func(t *testing.T) { compareModules(t, k, own) })
	t.Run("workers", func(t *testing.T) {
		for _, workers := range []int{1, 2, 7} {
			c := measure(t, extract(btfgen, vmlinux, out("workers"), "--functions", "--jobs", strconv.Itoa(workers)))
			t.Logf("%d workers: %v", workers, c)
			if again := readBTF(t, out("workers")); !bytes.Equal(again.raw, functions.raw) {
				t.Errorf("with %d workers the output is another: %d bytes, without a number %d", workers, len(again.raw), len(functions.raw))
			}
		}
	})
	t.Run("dwz", func(t *testing.T) {
		packed := filepath.Join(dir, "vmlinux-dwz")
		defer os.Remove(packed)
		// dwz leaves a file alone that has more entries than its default limit.
		measured := measure(t, exec.Command(need.Tool(t, "dwz"), "-l", "100000000", "-L", "100000000", "-o", packed, vmlinux))
		t.Logf("dwz: %v", measured)
		c := measure(t, extract(btfgen, packed, out("dwz")))
		t.Logf("ours: %v", c)
		again := readBTF(t, out("dwz"))
		compareKernels(t, Two{Names: [2]string{"of dwz's file", "of the plain one"}, BTF: [2]*btf.BTF{again.BTF, ours.BTF}})
		measure(t, exec.Command(need.Tool(t, "pahole"), "--btf_gen_floats", "--btf_encode_detached="+out("pahole-dwz"), packed))
		few := readBTF(t, out("pahole-dwz"))
		t.Logf("of dwz's file pahole makes BTF of %d bytes with %d types, we %d bytes with %d types", len(few.raw), few.End()-1, len(again.raw), again.End()-1)
	})
}

// A kernel of 32 bits, which has no BTF that its build made.
func TestDebugKernelOf32Bits(t *testing.T) {
	need.Asked(t, askedBy, "dwarf")
	vmlinux := debugKernel(t, i686).Vmlinux()
	dir := t.TempDir()
	out := func(name string) string { return filepath.Join(dir, name+".btf") }
	t.Logf("ours: %v", measure(t, extract(buildCommand(t), vmlinux, out("ours"), "--functions")))
	t.Logf("pahole's: %v", measure(t, exec.Command(need.Tool(t, "pahole"), "--btf_gen_floats", "--btf_encode_detached="+out("pahole"), vmlinux)))
	ours, theirs := readBTF(t, out("ours")), readBTF(t, out("pahole"))
	compareKernels(t, Two{Names: [2]string{"ours", "pahole's"}, BTF: [2]*btf.BTF{ours.BTF, theirs.BTF}})
	compareFunctions(t, ours, theirs)
}

// carriedBTF is what the kernel's build put into it.
func carriedBTF(t *testing.T, vmlinux string) []byte {
	t.Helper()
	content, err := os.ReadFile(vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	own, err := btf.FindELF(content)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(own)
}

// A blob is BTF with its bytes.
type blob struct {
	*btf.BTF
	raw []byte
}

func readBTF(t testing.TB, file string) blob {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return blob{b, raw}
}

// compareKernels compares the types of two BTFs of a kernel: there have to be many of most kinds.
func compareKernels(t *testing.T, two Two) {
	t.Helper()
	two.Of = TypesOnly()
	kinds, differences, err := NewJudge().Compare(two)
	if err != nil {
		t.Fatal(err)
	}
	fail(t, differences)
	t.Logf("types compared: %v", kinds)
	for kind, least := range map[btf.Kind]int{
		btf.KindInt: 10, btf.KindPtr: 10000, btf.KindArray: 2000, btf.KindStruct: 7000, btf.KindUnion: 1000, btf.KindEnum: 1500, btf.KindEnum64: 5,
		btf.KindFwd: 50, btf.KindTypedef: 1500, btf.KindConst: 2000, btf.KindVolatile: 10, btf.KindRestrict: 1, btf.KindFuncProto: 2000, btf.KindFloat: 1,
	} {
		if kinds[kind] < least {
			t.Errorf("%d types of kind %v, expected %d", kinds[kind], kind, least)
		}
	}
}

// compareRelocations holds all relocations of real programs against both BTFs.
func compareRelocations(t *testing.T, ours, theirs blob) {
	objects := packaged.Objects(t, "libbpf-tools")
	plan := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := plan.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	a, b := core.NewResolver(plan), core.NewResolver(plan)
	for _, side := range []struct {
		r   *core.Resolver
		raw []byte
	}{{a, ours.raw}, {b, theirs.raw}} {
		if err := side.r.Load(side.raw); err != nil {
			t.Fatal(err)
		}
		side.r.Resolve(nil)
	}
	pair, err := NewJudge().Pair(ours.BTF, theirs.BTF)
	if err != nil {
		t.Fatal(err)
	}
	to := func(_ int, id btf.ID) btf.ID { return pair[id] }
	var different []string
	resolved := 0
	for i := range plan.Len() {
		if !a.SameOutcomes(i, b, to) {
			l := plan.Local(i)
			different = append(different, fmt.Sprintf("%v %s: ours %s %s, pahole's %s %s", l.Kind, l.LocalPath(),
				a.TargetPath(i, a.Outcome(i)), a.Reason(i, a.Outcome(i)), b.TargetPath(i, b.Outcome(i)), b.Reason(i, b.Outcome(i))))
		}
		if a.Outcome(i).Status == core.Resolved {
			resolved++
		}
	}
	records := 0
	for k := range plan.Objects() {
		o := &plan.Objects()[k]
		var patched [][16]byte
		patch := func(record int, out core.Outcome) [16]byte {
			rec := &o.Object.Relocs[record]
			if core.Kind(rec.Kind) == core.TypeIDTarget {
				out.New = 0
			}
			insn, _, err := core.Patch(rec.Insn, out, o.Object.ByteOrder)
			if err != nil {
				copy(insn[:], err.Error())
			}
			return insn
		}
		a.ObjectOutcomes(o, func(record int, out core.Outcome) { patched = append(patched, patch(record, out)) })
		b.ObjectOutcomes(o, func(record int, out core.Outcome) {
			records++
			if patch(record, out) != patched[record] {
				different = append(different, fmt.Sprintf("%s: record %d is another instruction", o.Object.Name, record))
			}
		})
	}
	fail(t, different)
	t.Logf("%d distinct relocations, %d of them resolved, %d records of %d objects", plan.Len(), resolved, records, len(objects))
	if resolved < 100 || records < 500 || len(objects) < 40 {
		t.Error("that is too few")
	}
}
