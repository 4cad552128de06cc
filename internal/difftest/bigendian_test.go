package difftest

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
)

// bigEndianObjects are of our own, since Debian's packages hold none: the example
// and, for every rule, the conformance cases, most of which find nothing of theirs
// in a real kernel.
func bigEndianObjects(t *testing.T) []*bpfelf.Object {
	t.Helper()
	var objects []*bpfelf.Object
	for _, folder := range []string{"example", "conformance"} {
		files, err := filepath.Glob(filepath.Join(need.Repository(t, "testdata", folder), "*.bpfeb.o"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no big-endian objects in testdata/%s: %v", folder, err)
		}
		for _, file := range files {
			found, err := bpfelf.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, found...)
		}
	}
	return objects
}

// TestBigEndian does for big-endian kernels what can be done of TestPrograms.
// This libbpf opens no big-endian object on a little-endian machine. It does read
// big-endian kernels, though: the little-endian twin of the example has the same
// relocations, so bpftool's log of it is to be the same on the full BTF and on the
// minimal one for the big-endian example.
func TestBigEndian(t *testing.T) {
	need.Asked(t, "BTFGEN_DIFF", "diff")
	s := setOf(t, bigEndianObjects(t))
	w := newWorker(t, s)
	twin := need.Repository(t, "testdata", "example", "execsnoop.bpfel.o")
	kernels, patches, resolved, relocations, logged := 0, 0, 0, 0, 0
	for _, k := range largeSet(t) {
		types, err := k.Load(w.reader)
		if err != nil {
			t.Fatal(err)
		}
		if blobOrder(types.Vmlinux) != binary.ByteOrder(binary.BigEndian) {
			continue
		}
		kernels++
		t.Run(k.Name, func(t *testing.T) {
			c, err := w.check(t, k.Name, types.Vmlinux)
			if err != nil {
				t.Fatal(err)
			}
			if got := blobOrder(c.min); got != binary.ByteOrder(binary.BigEndian) {
				t.Errorf("the minimal BTF is %v, expected the kernel's order", got)
			}
			n, m, differences := comparePatched(t, s.plan, w.minimizer.Full(), c.min)
			patches, resolved = patches+n, resolved+m
			report(t, differences)

			kernel, err := oracle.NewCiliumKernel(s.plan.ByteOrder(), c.full)
			if err != nil {
				t.Fatal(err)
			}
			n, differences, err = w.compareCilium(kernel, c.min)
			if err != nil {
				t.Fatal(err)
			}
			relocations += n
			report(t, differences)

			full, err := s.bpftoolLog(c.fullFile, twin)
			if err != nil {
				t.Fatal(err)
			}
			min, err := s.bpftoolLog(c.minFile, twin)
			if err != nil {
				t.Fatal(err)
			}
			logged += full.resolved()
			report(t, full.compare(min))

			// The comparisons can fail: of a member's offset, too.
			raw := damaged(t, c.min, "task_struct", damages[1].change, false)
			if _, _, differences := comparePatched(t, s.plan, w.minimizer.Full(), raw); len(differences) == 0 {
				t.Error("ours: a damaged BTF is not detected")
			}
			if _, differences, err := w.compareCilium(kernel, raw); err != nil || len(differences) == 0 {
				t.Errorf("cilium/ebpf: a damaged BTF is not detected (%v)", err)
			}
			if min, err = s.bpftoolLog(s.write(t, "damaged", raw), twin); err != nil || len(full.compare(min)) == 0 {
				t.Errorf("bpftool: a damaged BTF is not detected (%v)", err)
			}
		})
	}
	t.Logf("%d big-endian kernels, %d objects: %d patched instructions the same, %d of them resolved; %d relocations of cilium/ebpf; %d resolved in bpftool's log",
		kernels, len(s.objects), patches, resolved, relocations, logged)
	if kernels == 0 || patches < s.plan.Records()/2 || resolved < 20 || relocations == 0 || logged < 20 {
		t.Error("suspiciously little was compared")
	}
}

// comparePatched lists the records whose instruction we patch otherwise on a
// minimal BTF than on the full one, which is loaded in r.
func comparePatched(t *testing.T, plan *core.Plan, r *core.Resolver, min []byte) (patches, resolved int, differences []string) {
	t.Helper()
	small := core.NewResolver(plan)
	if err := small.Load(min); err != nil {
		t.Fatal(err)
	}
	small.Resolve(nil)
	for i := range plan.Objects() {
		o := &plan.Objects()[i]
		full, ours := patchAll(r, o), patchAll(small, o)
		for k := range full {
			a, b := &full[k], &ours[k]
			kind := core.Kind(o.Object.Relocs[k].Kind)
			patches++
			if a.out.Status == core.Resolved && kind != core.TypeIDLocal {
				resolved++
			}
			if kind == core.TypeIDTarget && a.out.Status == b.out.Status {
				continue // by nature another value
			}
			if x, y := text(a), text(b); x != y {
				differences = append(differences, strings.Join([]string{o.Object.Name, kind.String(), x, y}, ": "))
			}
		}
	}
	return patches, resolved, differences
}

func text(p *patched) string {
	if p.err != nil {
		return p.out.Status.String() + " " + p.err.Error()
	}
	return fmt.Sprintf("%v %x", p.out.Status, p.insn)
}
