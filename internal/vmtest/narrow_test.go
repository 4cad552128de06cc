package vmtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// Debian's objects are compiled for x86-64. On a 32-bit kernel those serve that take no argument out of the processor's
// registers and read no word of 8 bytes where the kernel has one of 4.

// onNarrow are the objects that have to load, be attached and run on a 32-bit kernel, and whether they can see the truth there.
var onNarrow = map[string]bool{
	"exitsnoop": true,
	"syscount":  true,
	// It loads and runs, but takes the socket from the register that has it on x86-64: di, not ax.
	"tcpconnect": false,
}

type refusal struct {
	says *regexp.Regexp
	why  string
}

// refusals are the reasons for which an object is not loaded on a 32-bit kernel without BTF, by what the error says.
var refusals = []refusal{
	{regexp.MustCompile(`invalid bpf_context access off=\d+ size=8`), "the verifier: it reads a word of 8 bytes from a context whose words have 4"},
	{regexp.MustCompile(`bad CO-RE relocation`), "the verifier: it uses a register that the 32-bit kernel's pt_regs does not have"},
	{regexp.MustCompile(`attach Tracing/`), "all its programs need the kernel's own BTF to be attached"},
	{regexp.MustCompile(`unsupported binding: STB_WEAK|LINUX_KERNEL_VERSION must be`), "cilium/ebpf does not read this object, on whatever kernel"},
	{regexp.MustCompile(`map create: cannot allocate memory`), "one of its maps is too large for the 32-bit kernel's memory"},
}

// checkObjectsOn32Bits judges the loader's steps on a kernel that has no BTF, so that there is nothing to compare with but what the
// whole of the converted BTF gives, and what really happened.
func (l *lab) checkObjectsOn32Bits(t *testing.T, b *booted, report *script.Report) {
	for _, library := range loadersFor(b) {
		t.Run(library, func(t *testing.T) {
			choice, objects := loaded(t, report.Steps[library+objectsWithBundle])
			if choice.Source != bundle.FromBundle.String() || choice.Path != b.path {
				t.Errorf("the loader chose %+v, expected %s of the bundle", choice, b.path)
			}
			choice, whole := loaded(t, report.Steps[library+objectsWithWhole])
			if choice.Source != bundle.FromFile.String() {
				t.Errorf("with a file named the loader chose %+v", choice)
			}
			l.sameAs(t, objects, whole, "all the BTF that the debug information gives")
			l.ran(t, objects, atLeastOn32Bits)
			checkRefusals(t, objects)
			wrong := misled(t, b, report.Steps[library+objectsWithWrong])
			for _, name := range slices.Sorted(maps.Keys(onNarrow)) {
				t.Run(name, func(t *testing.T) { checkNarrow(t, name, objects[name], wrong) })
			}
			_, missed := missing(b, objects)
			for _, m := range missed {
				if o := objects[m.object]; o != nil && o.Error == "" {
					t.Logf("loaded, and compiled for x86-64, so no wonder: %v", m)
				}
			}
		})
	}
}

// checkRefusals says why objects were not loaded, and expects that the reason is a known one. (ran has the words of each error.)
func checkRefusals(t *testing.T, objects map[string]*script.Loaded) {
	refused := map[string][]string{} // names, by reason
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		o := objects[name]
		if o.Error == "" {
			continue
		}
		i := slices.IndexFunc(refusals, func(r refusal) bool { return r.says.MatchString(o.Error) })
		if i < 0 {
			t.Errorf("%s is not loaded, for no reason that is known: %s", name, o.Error)
			continue
		}
		refused[refusals[i].why] = append(refused[refusals[i].why], name)
	}
	for _, r := range refusals {
		if names := refused[r.why]; len(names) > 0 {
			t.Logf("%d not loaded: %s: %s", len(names), r.why, strings.Join(names, ", "))
		}
	}
}

// checkNarrow expects that an object ran on a 32-bit kernel and, if it can, saw the truth; and that it does not with the BTF
// of another kernel.
func checkNarrow(t *testing.T, name string, o *script.Loaded, wrong []miss) {
	if o == nil {
		t.Fatal("there is no such object")
	}
	if o.Error != "" {
		t.Fatalf("not loaded: %s", o.Error)
	}
	if !slices.ContainsFunc(o.Programs, func(p script.Program) bool { return p.Attached && p.Runs > 0 }) {
		t.Errorf("no program of it was attached and ran: %+v", o.Programs)
	}
	if onNarrow[name] {
		if why := sightings[name].missed(o); why != "" {
			t.Errorf("it did not see what really happened: %s", why)
		}
	}
	i := slices.IndexFunc(wrong, func(m miss) bool { return m.object == name })
	if i < 0 {
		t.Fatal("it sees what really happened with another kernel's BTF as well: that it does so here says nothing")
	}
	t.Logf("as it should be, with another kernel's BTF: %v", wrong[i])
}
