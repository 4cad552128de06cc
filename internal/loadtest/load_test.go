//go:build linux

package loadtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	ciliumbtf "github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/packaged"
	"github.com/btfgen/btfgen/minimize"
)

const ownBTF = "/sys/kernel/btf/vmlinux"

// kernelTypes reads the running kernel's BTF.
func kernelTypes(t *testing.T) []byte {
	t.Helper()
	need.Asked(t, "BTFGEN_LOAD", "load")
	need.Root(t)
	raw, err := os.ReadFile(ownBTF)
	if err != nil {
		need.Missing(t, "a kernel with BTF: %v", err)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	probe, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		need.Missing(t, "the right to use BPF: %v", err)
	}
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	return raw
}

// exampleObject is the example in this machine's byte order.
func exampleObject(t *testing.T) *bpfelf.Object {
	t.Helper()
	name := "execsnoop.bpfel.o"
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		name = "execsnoop.bpfeb.o"
	}
	found, err := bpfelf.Open(need.Repository(t, "testdata", "example", name))
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// relocated are the objects of Debian packages that have relocations.
func relocated(t *testing.T, packages ...string) (objects []*bpfelf.Object) {
	t.Helper()
	for _, o := range packaged.Objects(t, packages...) {
		if len(o.Relocs) > 0 {
			objects = append(objects, o)
		}
	}
	return objects
}

// minimized is the minimal BTF of the running kernel for objects.
func minimized(t *testing.T, kernel []byte, objects ...*bpfelf.Object) []byte {
	t.Helper()
	plan := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := plan.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := minimize.New(plan).Minimize(kernel)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// types is a BTF as cilium/ebpf reads it.
func types(t *testing.T, raw []byte) *ciliumbtf.Spec {
	t.Helper()
	spec, err := ciliumbtf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// load loads one program of an object, with its maps, and unloads it again. It
// returns the tag: the kernel's digest of the instructions that it was given.
// Relocations see no types but those given; what a program would be attached to
// (fentry, tp_btf) cilium/ebpf looks up in the kernel's own BTF at all times.
func load(o *bpfelf.Object, program string, kernel *ciliumbtf.Spec) (tag string, _ error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(o.Raw))
	if err != nil {
		return "", err
	}
	for name := range spec.Programs {
		if name != program {
			delete(spec.Programs, name)
		}
	}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinNone
		if m.MaxEntries == 0 {
			m.MaxEntries = 16 // which the program that the object is part of sets when it starts
		}
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{KernelTypes: kernel},
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	info, err := c.Programs[program].Info()
	if err != nil {
		return "", err
	}
	return info.Tag, nil
}

// programs are an object's entry points, none if cilium/ebpf cannot read it.
func programs(t *testing.T, o *bpfelf.Object) []string {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(o.Raw))
	if err != nil {
		t.Logf("%s is left out: cilium/ebpf does not read it: %.200v", o.Name, err)
		return nil
	}
	return slices.Sorted(maps.Keys(spec.Programs))
}

// differences lists the programs of an object that the kernel does not accept with
// min as its types, or accepts with other instructions, though it does with full.
// accepted counts those that it does accept with full.
func differences(t *testing.T, o *bpfelf.Object, full, min *ciliumbtf.Spec) (accepted int, found []string) {
	t.Helper()
	for _, name := range programs(t, o) {
		want, err := load(o, name, full)
		if err != nil {
			t.Logf("%s: program %s is left out: this kernel does not load it with its own types: %.200v", o.Name, name, err)
			continue
		}
		accepted++
		got, err := load(o, name, min)
		switch {
		case err != nil:
			found = append(found, fmt.Sprintf("%s: program %s: %v", o.Name, name, err))
		case got != want:
			found = append(found, fmt.Sprintf("%s: program %s: tag %s, with the kernel's own types %s", o.Name, name, got, want))
		}
	}
	return accepted, found
}

// TestExample loads the example with a minimal BTF made for it alone.
func TestExample(t *testing.T) {
	kernel := kernelTypes(t)
	o := exampleObject(t)
	raw := minimized(t, kernel, o)
	accepted, found := differences(t, o, types(t, kernel), types(t, raw))
	for _, d := range found {
		t.Error(d)
	}
	if want := len(programs(t, o)); accepted != want {
		t.Errorf("the kernel accepts %d of the example's %d programs", accepted, want)
	}
	t.Logf("%d programs loaded with %d bytes of types in place of %d", accepted, len(raw), len(kernel))
}

// TestPrograms loads Debian's programs, with one minimal BTF made for all.
func TestPrograms(t *testing.T) {
	kernel := kernelTypes(t)
	objects := relocated(t, "libbpf-tools", "xdp-tools")
	if len(objects) == 0 {
		t.Fatal("no objects with relocations")
	}
	raw := minimized(t, kernel, objects...)
	full, min := types(t, kernel), types(t, raw)
	loadedObjects, loadedPrograms := 0, 0
	for _, o := range objects {
		accepted, found := differences(t, o, full, min)
		for _, d := range found {
			t.Error(d)
		}
		if accepted > 0 && len(found) == 0 {
			loadedObjects++
		}
		loadedPrograms += accepted - len(found)
	}
	t.Logf("%d of %d objects with relocations, %d programs of theirs, loaded with %d bytes of types in place of %d",
		loadedObjects, len(objects), loadedPrograms, len(raw), len(kernel))
	if loadedObjects < 10 {
		t.Errorf("%d objects loaded, expected at least 10", loadedObjects)
	}
}

// TestWrongTypesAreDetected shows that the tests above can fail: programs do not
// load with BTF that lacks what they need, and are other ones with BTF that has it
// elsewhere.
func TestWrongTypesAreDetected(t *testing.T) {
	kernel := kernelTypes(t)
	o := exampleObject(t)
	raw := minimized(t, kernel, o)
	for what, wrong := range map[string][]byte{
		"no types":          rebuilt(t, raw, func(s *structure) { s.members = nil }),
		"members elsewhere": rebuilt(t, raw, func(s *structure) { s.move(64) }),
	} {
		accepted, found := differences(t, o, types(t, kernel), types(t, wrong))
		if accepted == 0 || len(found) != accepted {
			t.Errorf("%s: %d of %d programs differ, expected all", what, len(found), accepted)
		}
		for _, d := range found {
			t.Logf("%s: %.300s", what, d)
		}
	}
	// A copy without change is as good as the original.
	_, found := differences(t, o, types(t, kernel), types(t, rebuilt(t, raw, func(*structure) {})))
	for _, d := range found {
		t.Errorf("copied: %s", d)
	}
}

type structure struct{ members []btf.BuildMember }

// move moves all members by that many bits.
func (s *structure) move(bits uint32) {
	for i := range s.members {
		s.members[i].BitOffset += bits
	}
}

// rebuilt copies a BTF, its structs changed.
func rebuilt(t *testing.T, raw []byte, change func(*structure)) []byte {
	t.Helper()
	src, err := btf.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := btf.NewBuilder(src.ByteOrder())
	w.WholeStrings()
	for id := src.Start(); id < src.End(); id++ {
		if src.Kind(id) != btf.KindStruct {
			if _, err := w.Copy(src, id, btf.Copied{All: true}, func(id btf.ID) btf.ID { return id }); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var s structure
		for i := range src.Vlen(id) {
			m := src.Member(id, i)
			s.members = append(s.members, btf.BuildMember{Name: src.String(m.NameOff), Type: m.Type, BitOffset: m.BitOffset, BitSize: m.BitSize})
		}
		change(&s)
		w.Struct(src.Name(id), src.Size(id), s.members...)
	}
	out, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
