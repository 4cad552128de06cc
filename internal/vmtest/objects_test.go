package vmtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/packaged"
	"github.com/btfgen/btfgen/internal/vmtest/machine"
	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// How many of Debian's objects have to load, be attached and run in each kernel, with each loader.
const (
	atLeast         = 20
	atLeastOn32Bits = 12
)

// loaders are the programs that load objects in the guest, by the library that they are made of.
var loaders = map[string]string{"cilium/ebpf": "/bin/vmload", "libbpf": "/vmload-libbpf"}

// loadersFor are the libraries whose loaders run on a kernel. That of libbpf is built for this machine alone.
func loadersFor(b *booted) []string {
	if b.goarch == "386" {
		return []string{"cilium/ebpf"}
	}
	return slices.Sorted(maps.Keys(loaders))
}

// Steps with objects are called by loader and case.
const (
	objectsWithBundle = ": objects with the bundle"
	objectsWithKernel = ": objects with the kernel's own BTF"
	objectsWithWhole  = ": objects with all the BTF that its debug information gives"
	objectsWithWrong  = ": objects with another kernel's BTF, forced"
)

const (
	wrongForObjects = "/wrong-objects.btf"
	wholeBTF        = "/whole.btf"
	allBundle       = "/all.bundle"
)

// relocatedObjects are those of libbpf-tools that have relocations.
func relocatedObjects(t *testing.T) []*bpfelf.Object {
	objects := packaged.Objects(t, "libbpf-tools")
	return slices.DeleteFunc(objects, func(o *bpfelf.Object) bool { return len(o.Relocs) == 0 })
}

// objectName is the name of the tool that an object is part of.
func objectName(o *bpfelf.Object) string {
	name := o.Name[strings.LastIndexByte(o.Name, '/')+1:]
	name, _, _ = strings.Cut(name, "#")
	return name
}

// buildLoader builds the loader that is made of libbpf.
func (l *lab) buildLoader() []byte {
	out := l.dir + "/vmload-libbpf"
	l.run("", nil, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-I"+need.Repository(l.t, "include"), "-static", "-o", out, "testdata/load.c", "-lbpf", "-lelf", "-lz")
	return l.read(out)
}

// objectSteps adds the steps and files for Debian's objects.
func (l *lab) objectSteps(t *testing.T, b *booted, files machine.Files) (steps []script.Step) {
	files[allBundle], files[wrongForObjects], files["/vmload-libbpf"] = l.all, l.wrongFor(t, b, l.allBundle), l.libbpf
	var all, watched []string
	for _, o := range l.objects {
		path := "/objects/" + objectName(o)
		files[path] = o.Raw
		all = append(all, path)
		if _, ok := sightings[objectName(o)]; ok {
			watched = append(watched, path)
		}
	}
	for _, library := range loadersFor(b) {
		program := loaders[library]
		whole := script.Step{Name: library + objectsWithKernel, Argv: append([]string{program, "-verify", allBundle}, all...), Limit: 3 * time.Minute, ShowKernelBTF: true}
		if !b.hasBTF {
			files[wholeBTF] = b.btf
			whole.Name, whole.Env = library+objectsWithWhole, []string{"BTF_FILE=" + wholeBTF}
		}
		steps = append(steps, whole,
			script.Step{Name: library + objectsWithBundle, Argv: append([]string{program, allBundle}, all...), Limit: 3 * time.Minute},
			script.Step{Name: library + objectsWithWrong, Argv: append([]string{program, allBundle}, watched...), Env: []string{"BTF_FILE=" + wrongForObjects}, Limit: time.Minute},
		)
	}
	return steps
}

// wrongFor is the BTF that a bundle has for a kernel of another series than b's, one that is booted as well.
func (l *lab) wrongFor(t *testing.T, b *booted, from *bundle.Bundle) []byte {
	for _, other := range l.guests {
		if other.arch != "x86_64" || other.Series == b.Series {
			continue
		}
		raw, err := from.BTF(other.path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	t.Fatalf("no other kernel than %s has BTF", b.path)
	return nil
}

// loaded reads what a loader printed.
func loaded(t *testing.T, r *script.Result) (script.Choice, map[string]*script.Loaded) {
	var choice script.Choice
	objects := map[string]*script.Loaded{}
	if r.Code != 0 || r.Stopped != "" || len(r.Stdout) == 0 {
		t.Fatalf("exit status %d, stopped: %q, stderr: %s", r.Code, r.Stopped, strings.Join(r.Stderr, "\n"))
	}
	if err := json.Unmarshal([]byte(r.Stdout[0]), &choice); err != nil {
		t.Fatalf("%.200q: %v", r.Stdout[0], err)
	}
	for _, line := range r.Stdout[1:] {
		o := new(script.Loaded)
		if err := json.Unmarshal([]byte(line), o); err != nil {
			t.Fatalf("%.200q: %v", line, err)
		}
		objects[o.Object] = o
	}
	return choice, objects
}

// checkObjects judges the loaders' steps.
func (l *lab) checkObjects(t *testing.T, b *booted, report *script.Report) {
	for _, library := range loadersFor(b) {
		t.Run(library, func(t *testing.T) {
			choice, objects := loaded(t, report.Steps[library+objectsWithBundle])
			if choice.Source != bundle.FromBundle.String() || choice.Path != b.path {
				t.Errorf("the loader chose %+v, expected %s of the bundle", choice, b.path)
			}
			own, full := loaded(t, report.Steps[library+objectsWithKernel])
			if own.Source != bundle.FromKernel.String() {
				t.Errorf("where the kernel shows its BTF the loader chose %+v", own)
			}
			l.sameAs(t, objects, full, "the kernel's own BTF")
			l.ran(t, objects, atLeast)
			asked, missed := missing(b, objects)
			for _, m := range missed {
				if full[m.object].Error != "" {
					t.Logf("%s: the kernel does not load it with its own BTF either: %s", m.object, firstLine(full[m.object].Error))
					continue
				}
				t.Error(m)
			}
			if stderr := report.Steps[library+objectsWithBundle].Stderr; t.Failed() && len(stderr) > 0 {
				t.Logf("stderr:\n%s", strings.Join(stderr, "\n"))
			}
			t.Logf("what really happened was seen by %d of %d watched objects", asked-len(missed), asked)

			gone := 0
			for _, m := range misled(t, b, report.Steps[library+objectsWithWrong]) {
				if s := sightings[m.object]; s.relocated && objects[m.object].Error == "" {
					gone++
					t.Logf("as it should be, with another kernel's BTF: %v", m)
				}
			}
			if gone < 3 {
				t.Errorf("with another kernel's BTF only %d objects went wrong: that the others saw the truth may say little", gone)
			}
		})
	}
}

// misled lists what objects did not see with another kernel's BTF.
func misled(t *testing.T, b *booted, r *script.Result) []miss {
	choice, wrong := loaded(t, r)
	if choice.Source != bundle.FromFile.String() {
		t.Errorf("with a file named the loader chose %+v", choice)
	}
	_, list := missing(b, wrong)
	return list
}

// sameAs expects that an object's programs are those that all of the kernel's BTF gives, instruction by instruction.
// source is where that BTF comes from, in words.
func (l *lab) sameAs(t *testing.T, objects, full map[string]*script.Loaded, source string) {
	same := 0
	for _, o := range l.objects {
		name := objectName(o)
		got, want := objects[name], full[name]
		switch {
		case got == nil || want == nil:
			t.Errorf("%s: the loader did not come to it", name)
		case (got.Error == "") != (want.Error == ""):
			if needsKernelBTF(want) {
				t.Logf("%s: all its programs need the kernel's own BTF to be attached: %s", name, firstLine(got.Error))
				continue
			}
			t.Errorf("%s: %q with the bundle, %q with %s", name, got.Error, want.Error, source)
		default:
			differ := false
			for i, p := range got.Programs {
				if i >= len(want.Programs) || want.Programs[i].Name != p.Name || want.Programs[i].Tag != p.Tag {
					differ = true
					t.Errorf("%s: program %s has other instructions than with %s", name, p.Name, source)
				}
			}
			if !differ && got.Error == "" {
				same += len(got.Programs)
			}
		}
	}
	t.Logf("%d programs have the tags that they have with %s", same, source)
	if same == 0 {
		t.Error("no program was compared")
	}
}

// needsKernelBTF tells whether all programs of an object do.
func needsKernelBTF(o *script.Loaded) bool {
	for _, p := range o.Programs {
		kind, _, _ := strings.Cut(p.Section, "/")
		if !slices.Contains([]string{"fentry", "fexit", "tp_btf"}, kind) {
			return false
		}
	}
	return len(o.Programs) > 0
}

// ran says of each object what happened, and expects that enough of them ran.
func (l *lab) ran(t *testing.T, objects map[string]*script.Loaded, want int) {
	counts := [3]int{}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		o := objects[name]
		if o.Error != "" {
			t.Logf("%-15s not loaded: %s", name, firstLine(o.Error))
			continue
		}
		attached, ran := 0, 0
		var notes []string
		for _, p := range o.Programs {
			if p.Attached {
				attached++
			}
			if p.Runs > 0 {
				ran++
			}
			if p.Note != "" {
				notes = append(notes, p.Name+": "+p.Note)
			}
		}
		if len(o.LeftOut) > 0 {
			notes = append(notes, fmt.Sprintf("left out, since they need the kernel's own BTF: %s", strings.Join(slices.Sorted(maps.Keys(o.LeftOut)), ", ")))
		}
		t.Logf("%-15s programs: %d loaded, %d attached, %d ran; %d events of the worker; %s", name, len(o.Programs), attached, ran, len(o.Events), strings.Join(notes, "; "))
		counts[0]++
		if attached > 0 {
			counts[1]++
		}
		if ran > 0 {
			counts[2]++
		}
	}
	t.Logf("of %d objects %d loaded, %d were attached, %d ran", len(l.objects), counts[0], counts[1], counts[2])
	if counts[2] < want {
		t.Errorf("%d objects loaded, were attached and ran, expected at least %d", counts[2], want)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
