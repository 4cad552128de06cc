package conformance

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/google/go-cmp/cmp"
)

// errorTexts are libbpf's errors and what ours must say; $1, $2 are what the
// pattern's groups hold.
var errorTexts = []struct {
	libbpf *regexp.Regexp
	status core.Status
	ours   []string // all of them, in a reason, or in Patch's error if status is Resolved
}{
	{regexp.MustCompile(`field offset ambiguity: (\d+) != (\d+)`), core.Ambiguous, []string{"ambiguous", "bit $1", "bit $2"}},
	{regexp.MustCompile(`relocation decision ambiguity: success (\d+) != success (\d+)`), core.Ambiguous, []string{"ambiguous", "$1", "$2"}},
	{regexp.MustCompile(`can't be satisfied for bitfield`), core.Failed, []string{"bitfield cannot be read"}},
	{regexp.MustCompile(`can't be applied to array access`), core.Failed, []string{"of an array's element"}},
	{regexp.MustCompile(`error matching candidate`), core.Failed, []string{"nested too deeply"}},
	{regexp.MustCompile(`parsing .* struct dimensions .* failed: -22`), core.Failed, []string{"ARRAY, has no size"}}, // more than 32 dimensions
	{regexp.MustCompile(`parsing .* \+ ([0-9:]+) failed: -22`), core.Failed, []string{`access string "$1"`}},
	{regexp.MustCompile(`parsing .* failed: -7`), core.Failed, []string{"at most 64 are allowed"}},
	{regexp.MustCompile(`invalid new mem size: (\d+)`), core.Resolved, []string{"$1 bytes"}},
	{regexp.MustCompile(`value too big: (\d+)`), core.Resolved, []string{"offset $1 does not fit"}},
	{regexp.MustCompile(`unexpected insn .* value: got (\d+), exp`), core.Resolved, []string{"the immediate is $1"}},
}

// sameError tells what of our error is not as libbpf's.
func sameError(want *oracle.Error, got *result) string {
	// What precedes are warnings about instructions that were poisoned.
	lines := strings.Split(want.Text, "; ")
	for _, e := range errorTexts {
		var m []string
		for _, line := range lines {
			if m = e.libbpf.FindStringSubmatch(line); m != nil {
				break
			}
		}
		if m == nil {
			continue
		}
		text := got.reason
		if got.patched != nil {
			text = got.patched.Error()
		}
		if got.out.Status != e.status || (got.patched != nil) != (e.status == core.Resolved) {
			return fmt.Sprintf("is %v (%s), expected %v", got.out.Status, text, e.status)
		}
		for _, part := range e.ours {
			if strings.HasPrefix(part, "$") && core.Kind(got.record.Kind) == core.TypeIDTarget {
				continue // ids are those of one copy of the types, and not named
			}
			for i := range m {
				part = strings.ReplaceAll(part, fmt.Sprint("$", i), m[i])
			}
			if !strings.Contains(text, part) {
				return fmt.Sprintf("says %q, expected %q in it", text, part)
			}
		}
		return ""
	}
	return fmt.Sprintf("libbpf's error is not known here: %s", want.Text)
}

// compareRelocations holds our results of one load against libbpf's, which end
// at the first error. It gives those that were carried out without one.
func compareRelocations(t *testing.T, o *bpfelf.Object, results []result, relos []oracle.Relocation, failed *oracle.Error) []result {
	t.Helper()
	at := starts(t, o)
	bad := firstError(results)
	switch {
	case failed == nil && bad >= 0:
		t.Errorf("%v: %v %v, expected no error", &results[bad], results[bad].reason, results[bad].patched)
	case failed != nil && bad < 0:
		t.Errorf("no error, expected %v", failed)
	case failed != nil:
		if text := sameError(failed, &results[bad]); text != "" {
			t.Errorf("%v: %s; libbpf: %v", &results[bad], text, failed)
		}
		if !strings.Contains(failed.Text, "'"+results[bad].record.Program+"': relo #") {
			t.Errorf("the error is one of program %s, libbpf: %v", results[bad].record.Program, failed)
		}
	}
	carriedOut := results
	if bad >= 0 {
		carriedOut = results[:bad]
		if results[bad].patched != nil {
			results = results[:bad+1] // computed, but refused by the instruction
		} else {
			results = carriedOut
		}
	}
	if len(results) != len(relos) {
		t.Errorf("%d relocations, expected %d", len(results), len(relos))
		return nil
	}
	for i := range relos {
		if diff := cmp.Diff(relos[i], results[i].describe(o, at)); diff != "" {
			t.Errorf("%v (-libbpf +core):\n%s", &results[i], diff)
		}
	}
	return carriedOut
}

// Each relocation has libbpf's result, with each program loaded on its own and
// with all programs together, where earlier relocations narrow the later ones'
// candidates; and so has each instruction.
func TestRelocationsAreLibbpfs(t *testing.T) {
	compared, insns, errors := 0, 0, 0
	for _, c := range cases(t, "bpfel") {
		alone, together := c.want(t)
		plan := planOf(t, c.object)
		for i, target := range c.targets {
			r := resolve(t, plan, target.btf)
			object := &plan.Objects()[0]
			for _, p := range alone[i].Programs {
				t.Run(target.name+"/"+p.Name, func(t *testing.T) {
					results := compareRelocations(t, c.object, records(plan, r, object, loads(t, c.object, p.Name)), p.Relocations, p.Err)
					if p.Err == nil {
						insns += compareInsns(t, c.object, p, results)
					} else {
						errors++
					}
					compared += len(p.Relocations)
				})
			}
			t.Run(target.name+"/all", func(t *testing.T) {
				w := &together[i]
				results := compareRelocations(t, c.object, records(plan, r, object, loads(t, c.object, "")), w.Relocations, w.Err)
				compared += len(w.Relocations)
				if w.Err != nil {
					errors++
				}
				for _, p := range w.Programs {
					insns += compareInsns(t, c.object, p, results)
				}
			})
		}
	}
	t.Logf("%d relocations, %d instructions, %d errors compared with libbpf's", compared, insns, errors)
	if compared == 0 || insns == 0 || errors == 0 {
		t.Errorf("something was not compared at all")
	}
}

// compareInsns holds a program's instructions with our patches against libbpf's.
// Behind its own stand those of the subprograms that it calls. What libbpf
// itself puts into calls of subprograms and loads of map addresses is no CO-RE.
func compareInsns(t *testing.T, o *bpfelf.Object, p oracle.Program, results []result) int {
	t.Helper()
	programs, err := o.Programs()
	if err != nil {
		t.Fatal(err)
	}
	patched := func(f *bpfelf.Program) []byte {
		code := bytes.Clone(f.Insns)
		for i := range results {
			r := &results[i]
			if r.record.Program != f.Name {
				continue
			}
			n := 8
			if r.record.Insn[0] == 0x18 {
				n = 16
			}
			copy(code[uint64(r.record.InsnOff)-f.Offset:], r.insn[:n])
		}
		return code
	}
	linked := func(got, want []byte) bool { // an instruction that ELF relocations fill in
		return want[0] == got[0] && (want[0] == 0x85 && want[1]>>4 == 1 || want[0] == 0x18 && want[1]>>4 != 0)
	}
	differs := func(got, want []byte) string {
		for at := 0; at < len(got); at += 8 {
			if g, w := got[at:at+8], want[at:at+8]; !bytes.Equal(g, w) && !linked(g, w) {
				return fmt.Sprintf("instruction %d is %s, libbpf made it %s", at/8, hex.EncodeToString(g), hex.EncodeToString(w))
			}
		}
		return ""
	}
	rest, count := p.Insns, 0
	for n := 0; len(rest) > 0; n++ {
		text := "no subprogram is as long"
		for i := range programs {
			f := &programs[i]
			if (n == 0) != (f.Name == p.Name) || n > 0 && !f.Subprogram || len(f.Insns) > len(rest) {
				continue
			}
			code := patched(f)
			if text = differs(code, rest); text == "" {
				rest, count = rest[len(code):], count+len(code)/8
				break
			}
		}
		if text != "" {
			t.Errorf("%s, function %d of the program: %s", p.Name, n, text)
			return count
		}
	}
	return count
}
