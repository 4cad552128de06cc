package minimize_test

import (
	"encoding/binary"
	"errors"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/btfgen/btfgen/minimize"
)

// seeds is how many random samples are tried; BTFGEN_SEEDS asks for more.
func seeds(t *testing.T) (from, to uint64) {
	t.Helper()
	text := os.Getenv("BTFGEN_SEEDS")
	if text == "" {
		return 0, 3000
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("BTFGEN_SEEDS: %v", err)
	}
	return 3000, 3000 + n
}

var alignment = regexp.MustCompile(`alignment of \*btf\.\w+`)

// Whatever the types are, a minimal BTF is found and proven, is no larger than
// what it was made from, and comes to the same: by our own resolver, and as
// cilium/ebpf sees it.
func TestRandomTypes(t *testing.T) {
	from, to := seeds(t)
	status := map[core.Status]int{}
	for seed := from; seed < to && !t.Failed(); seed++ {
		o := randbtf.Options{Tame: seed%2 == 0}
		if seed%8 > 5 {
			o.Order = binary.BigEndian
		}
		sample, err := randbtf.Make(seed, o)
		if err != nil {
			t.Fatal(err)
		}
		var relocs []relocation
		for _, r := range sample.Relocs {
			relocs = append(relocs, relocation{core.Kind(r.Kind), r.Type, r.Access})
		}
		obj := object(t, sample.Local, relocs...)
		p := planOf(t, obj)
		min, err := minimize.New(p).Minimize(sample.Target)
		if err != nil {
			what := "error"
			if errors.Is(err, minimize.ErrProof) {
				what = "no proof"
			}
			t.Errorf("seed %d: %s: %v", seed, what, err)
			continue
		}
		if len(min) > len(sample.Target) {
			t.Errorf("seed %d: %d bytes, larger than the %d that it was made from", seed, len(min), len(sample.Target))
		}
		full, small := resolved(t, p, sample.Target), resolved(t, p, min)
		for i := range p.Len() {
			a, b := answer(p, full, i), answer(p, small, i)
			if a != b {
				t.Errorf("seed %d: %s: %+v on the minimal BTF, expected %+v", seed, p.Local(i).LocalPath(), b, a)
			}
			status[a.status]++
		}
		// The joint outcomes of a load, in which relocations narrow each other's
		// candidates.
		var together []answered
		full.ObjectOutcomes(&p.Objects()[0], func(i int, out core.Outcome) {
			together = append(together, answerOf(p, full, p.Uses()[p.Objects()[0].Uses[i]].Local, out))
		})
		small.ObjectOutcomes(&p.Objects()[0], func(i int, out core.Outcome) {
			if b := answerOf(p, small, p.Uses()[p.Objects()[0].Uses[i]].Local, out); b != together[i] {
				t.Errorf("seed %d: jointly, record %d: %+v on the minimal BTF, expected %+v", seed, i, b, together[i])
			}
		})
		if seed%2 == 0 && (seed%16 == 0 || from > 0) { // it is slow, and reads tame types only
			found, err := oracle.Cilium(sample.Target, min, obj)
			if err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			for _, d := range found {
				// which of two candidates of no use is named
				if alignment.ReplaceAllString(d.Full, "") != alignment.ReplaceAllString(d.Min, "") {
					t.Errorf("seed %d: cilium/ebpf: %v", seed, d)
				}
			}
		}
	}
	t.Logf("outcomes: %v", status)
	for s := core.Resolved; s <= core.Failed && !t.Failed(); s++ {
		if status[s] == 0 {
			t.Errorf("no relocation was %v", s)
		}
	}
}
