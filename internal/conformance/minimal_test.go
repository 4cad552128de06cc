package conformance

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/btfgen/btfgen/minimize"
	"github.com/google/go-cmp/cmp"
)

// minimal is a target's minimal BTF for a plan.
func minimal(t testing.TB, p *core.Plan, full []byte) []byte {
	t.Helper()
	out, err := minimize.New(p).Minimize(full)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > len(full) {
		t.Errorf("%d bytes, the full BTF has %d", len(out), len(full))
	}
	b, err := btf.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Validate(); err != nil && validated(full) {
		t.Errorf("the minimal BTF is not valid: %v", err)
	}
	if b.ByteOrder() != p.ByteOrder() {
		t.Errorf("the minimal BTF is %v, the plan %v", b.ByteOrder(), p.ByteOrder())
	}
	return out
}

func validated(raw []byte) bool {
	b, err := btf.Parse(raw)
	return err == nil && b.Validate() == nil
}

// forms is the two ways that minimal BTFs are made: for a case's object
// alone, and for the objects of all cases together.
func forms(t testing.TB, c *conformanceCase, all []conformanceCase, full []byte) map[string][]byte {
	t.Helper()
	objects := []*bpfelf.Object{c.object}
	for i := range all {
		if all[i].object.Name != c.object.Name {
			objects = append(objects, all[i].object)
		}
	}
	return map[string][]byte{
		"for it alone":  minimal(t, planOf(t, c.object), full),
		"for all cases": minimal(t, planOf(t, objects...), full),
	}
}

// plain is a result without what is renumbered on a minimal BTF: type ids
// are replaced with names and kinds.
type plain struct {
	Outcome                                core.Status
	Orig, New                              uint64
	OrigSize, NewSize                      uint32
	NewType, TargetType                    string
	Validate, Poison, FailMemSize, Patched bool
	Insn, Error                            string
}

func plainly(r *core.Resolver, res *result) plain {
	out := res.out
	p := plain{
		Outcome: out.Status, Orig: out.Orig, New: out.New, OrigSize: out.OrigSize, NewSize: out.NewSize,
		Validate: out.Validate, Poison: out.Poison, FailMemSize: out.FailMemSize,
		Insn: hex.EncodeToString(res.insn[:]), Error: typeIDs.ReplaceAllString(res.reason, ""),
	}
	if res.patched != nil {
		p.Error = res.patched.Error()
	}
	if core.Kind(res.record.Kind) == core.TypeIDTarget && out.Status == core.Ambiguous {
		p.New, p.Error = 0, "the candidates' type ids differ"
	}
	types := r.Types(out.Blob)
	p.NewType = fmt.Sprint(types.Kind(out.NewType), types.Name(out.NewType))
	if core.Kind(res.record.Kind) == core.TypeIDTarget && out.Status == core.Resolved {
		p.TargetType = fmt.Sprint(types.Kind(btf.ID(out.New)), types.Name(btf.ID(out.New)))
		p.New, p.Insn = 0, ""
	}
	return p
}

// Our own outcomes are the same on the full and on the minimal BTF, in every
// way that a load can go: each program alone, and all together.
func TestMinimalHasOurOutcomes(t *testing.T) {
	for order := range orders {
		all := cases(t, order)
		compared := 0
		for _, c := range all {
			for _, target := range c.targets {
				for form, min := range forms(t, &c, all, target.btf) {
					plan := planOf(t, c.object)
					full, small := resolve(t, plan, target.btf), resolve(t, plan, min)
					object := &plan.Objects()[0]
					programs := starts(t, c.object)
					programs[""] = 0 // all together
					for p := range programs {
						load := loads(t, c.object, p)
						a, b := records(plan, full, object, load), records(plan, small, object, load)
						if len(a) == 0 && len(c.object.Relocs) > 0 && p == "" {
							t.Fatalf("%s: nothing to compare", target.name)
						}
						for i := range a {
							if diff := cmp.Diff(plainly(full, &a[i]), plainly(small, &b[i])); diff != "" {
								t.Errorf("%s, %s, program %q: %v (-full +minimal):\n%s", target.name, form, p, &a[i], diff)
							}
							compared++
						}
					}
				}
			}
		}
		t.Logf("%s: %d outcomes compared", order, compared)
	}
}

// cilium/ebpf comes to the same fixups and errors, for each relocation alone
// and for those of a function, a section and an object jointly.
func TestMinimalHasCiliumsFixups(t *testing.T) {
	for order := range orders {
		all := cases(t, order)
		relocations := 0
		for _, c := range all {
			for _, target := range c.targets {
				for form, min := range forms(t, &c, all, target.btf) {
					differences, err := oracle.Cilium(target.btf, min, c.object)
					if err != nil {
						t.Fatalf("%s, %s: %v", target.name, form, err)
					}
					for _, d := range differences {
						t.Errorf("%s, %s: %v", target.name, form, d)
					}
					relocations += len(c.object.Relocs)
				}
			}
		}
		if relocations == 0 {
			t.Errorf("%s: nothing compared", order)
		}
		t.Logf("%s: %d relocations compared", order, relocations)
	}
}

// typeIDs are type ids as libbpf and we print them.
var typeIDs = regexp.MustCompile(`\[\d+\] ?`)

// libbpf itself comes to the same with a minimal BTF, each program alone and all
// together: the same results, instructions and errors.
func TestMinimalHasLibbpfsVerdicts(t *testing.T) {
	need.Asked(t, "BTFGEN_CONFORMANCE", "conformance")
	need.Tool(t, "cc")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	program, err := oracle.Build(ctx, need.Repository(t, "internal", "oracle"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all := cases(t, "bpfel")
	compared := 0
	for _, c := range all {
		for _, target := range c.targets {
			for form, min := range forms(t, &c, all, target.btf) {
				path := filepath.Join(t.TempDir(), "min.btf")
				if err := os.WriteFile(path, min, 0o600); err != nil {
					t.Fatal(err)
				}
				for _, together := range []string{"-p", "-a"} {
					full := ask(ctx, t, program, target.path, c.path, "-r", together)
					small := ask(ctx, t, program, path, c.path, "-r", together)
					n := withoutIDs(t, &c, &full)
					if m := withoutIDs(t, &c, &small); n != m {
						t.Errorf("%s, %s, %s: %d relocations, expected %d", target.name, form, together, m, n)
					}
					compared += n
					if diff := cmp.Diff(full, small); diff != "" {
						t.Errorf("%s, %s, %s (-full +minimal):\n%s", target.name, form, together, diff)
					}
				}
			}
		}
	}
	t.Logf("%d relocations compared", compared)
	if compared == 0 {
		t.Error("nothing compared")
	}
}

func ask(ctx context.Context, t *testing.T, program, btf, object string, flags ...string) oracle.Object {
	t.Helper()
	objects, err := oracle.Relocate(ctx, program, btf, []string{object}, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return objects[0]
}

// withoutIDs takes out of a verdict what differs by nature: the target's type
// ids, in texts, in results and in the instructions that hold one. It counts
// the relocations.
func withoutIDs(t *testing.T, c *conformanceCase, o *oracle.Object) int {
	t.Helper()
	o.Target = ""
	count := 0
	clean := func(relos []oracle.Relocation) {
		count += len(relos)
		for i := range relos {
			relos[i].NewType = 0
			if core.Kind(relos[i].Kind) == core.TypeIDTarget && relos[i].New != 0 {
				relos[i].New = 1
			}
		}
	}
	cleanError := func(e *oracle.Error) {
		if e == nil {
			return
		}
		e.Text = typeIDs.ReplaceAllString(e.Text, "")
		e.Text = ambiguousIDs.ReplaceAllString(e.Text, "type id differs")
	}
	cleanError(o.Err)
	clean(o.Relocations)
	for i := range o.Programs {
		p := &o.Programs[i]
		cleanError(p.Err)
		relos := p.Relocations
		if o.Together {
			relos = o.Relocations
		}
		clean(p.Relocations)
		for _, r := range relos {
			if core.Kind(r.Kind) != core.TypeIDTarget || r.New == 0 || len(p.Insns) == 0 {
				continue
			}
			if !slices.ContainsFunc(o.Programs, func(p oracle.Program) bool { return p.Name == r.Program }) {
				t.Fatalf("%s: a target type id in subprogram %s: which instruction holds it is not known here", c.name, r.Program)
			}
			if r.Program != p.Name {
				continue
			}
			insn := p.Insns[8*r.Insn:]
			copy(insn[4:8], bytes.Repeat([]byte{0xee}, 4))
			if insn[0] == 0x18 {
				copy(insn[12:16], bytes.Repeat([]byte{0xee}, 4))
			}
		}
	}
	return count
}

// ambiguousIDs is the error of two candidates for a target type id.
var ambiguousIDs = regexp.MustCompile(`(prog 'type_id_\w+'): relo #\d+: relocation decision ambiguity: success \d+ != success \d+`)
