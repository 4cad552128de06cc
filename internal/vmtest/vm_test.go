package vmtest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bundle"
	"github.com/btfgen/btfgen/internal/debkernel"
	"github.com/btfgen/btfgen/internal/vmtest/machine"
	"github.com/btfgen/btfgen/internal/vmtest/script"
)

// TestGuests boots each kernel once, has it run all steps, and judges them one by one.
func TestGuests(t *testing.T) {
	l := newLab(t)
	t.Run("broken guests", func(t *testing.T) { brokenGuests(t, l) })
	for _, b := range l.guests {
		t.Run(b.Release, func(t *testing.T) {
			t.Parallel()
			files := l.guestFiles(b)
			steps := append([]script.Step{{Name: ownBTF, Argv: []string{"/bin/vmsum", bundle.KernelBTF}, Limit: time.Minute, ShowKernelBTF: true}}, l.toolSteps(t, b, files)...)
			steps = append(steps, l.objectSteps(t, b, files)...)
			report := l.boot(t, b, files, steps, 8*time.Minute)
			t.Run(ownBTF, func(t *testing.T) { checkOwnBTF(t, b, report.Steps[ownBTF]) })
			l.checkTools(t, b, report)
			if b.hasBTF {
				l.checkObjects(t, b, report)
			} else {
				l.checkObjectsOn32Bits(t, b, report)
			}
		})
	}
}

// ownBTF is the step that shows what BTF the kernel has of its own.
const ownBTF = "own BTF"

// checkOwnBTF expects that the set of kernels has the BTF of just this kernel, or that the kernel has none.
func checkOwnBTF(t *testing.T, b *booted, r *script.Result) {
	switch {
	case !b.hasBTF:
		if r.Code == 0 || len(r.Stderr) != 1 || !strings.Contains(r.Stderr[0], "no such file") {
			t.Errorf("expected no %s: %v %v", bundle.KernelBTF, r.Stdout, r.Stderr)
		}
	case len(r.Stdout) != 1 || r.Stdout[0] != fmt.Sprintf("%x", sha256.Sum256(b.btf)):
		t.Errorf("%s is not the BTF that the set of kernels has as %s: %v %v", bundle.KernelBTF, b.path, r.Stdout, r.Stderr)
	}
}

// brokenGuests shows that a guest that goes wrong is an error: soon, and in words.
func brokenGuests(t *testing.T, l *lab) {
	b := l.guests[0]
	another := *b.Kernel
	another.Release = "another"
	for name, broken := range map[string]struct {
		kernel *debkernel.Kernel
		change func(machine.Files)
		limit  time.Duration
		want   string
	}{
		"no program":     {b.Kernel, func(f machine.Files) { f["/init"] = []byte("no program") }, time.Minute, "Kernel panic - not syncing"},
		"no steps":       {b.Kernel, func(f machine.Files) { delete(f, script.StepsPath) }, time.Minute, script.StepsPath},
		"takes too long": {b.Kernel, func(machine.Files) {}, time.Second, "did not end within 1s"},
		"another kernel": {&another, func(machine.Files) {}, time.Minute, "expected another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := l.guestFiles(b)
			files[script.StepsPath] = []byte("[]")
			broken.change(files)
			_, _, err := l.tryBoot(t, &booted{build: b.build, Kernel: broken.kernel}, files, broken.limit)
			if err == nil || !strings.Contains(err.Error(), broken.want) {
				t.Fatalf("got %v, want an error with %q", err, broken.want)
			}
			t.Log(err)
		})
	}
}
