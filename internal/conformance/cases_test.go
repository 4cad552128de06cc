package conformance

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
)

// A case is an object with the target types that it is for, in one byte order.
type conformanceCase struct {
	name    string
	object  *bpfelf.Object
	path    string // of the object
	targets []target
}

type target struct {
	name string // of the file
	path string
	btf  []byte
}

var orders = map[string]binary.ByteOrder{"bpfel": binary.LittleEndian, "bpfeb": binary.BigEndian}

// cases reads all cases of a byte order: "bpfel" or "bpfeb".
func cases(t testing.TB, order string) []conformanceCase {
	t.Helper()
	dir := need.Repository(t, "testdata", "conformance")
	paths, err := filepath.Glob(filepath.Join(dir, "*."+order+".o"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases of %s: %v", order, err)
	}
	var list []conformanceCase
	for _, path := range paths {
		objects, err := bpfelf.Open(path)
		if err != nil || len(objects) != 1 {
			t.Fatalf("%d objects, error %v, expected one object", len(objects), err)
		}
		c := conformanceCase{name: strings.TrimSuffix(filepath.Base(path), "."+order+".o"), object: objects[0], path: path}
		files, err := filepath.Glob(filepath.Join(dir, c.name+".target*."+order+".btf"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no targets: %v", c.name, err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			c.targets = append(c.targets, target{filepath.Base(f), f, raw})
		}
		list = append(list, c)
	}
	return list
}

// want reads what libbpf said of a case: for each target in the order of
// c.targets, with each program on its own and with all together.
func (c *conformanceCase) want(t testing.TB) (alone, together []oracle.Object) {
	t.Helper()
	f, err := os.Open(need.Repository(t, "testdata", "conformance", c.name+".want"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := oracle.Parse(f)
	if err != nil {
		t.Fatalf("%s.want: %v", c.name, err)
	}
	if len(list) != 2*len(c.targets) {
		t.Fatalf("%s.want has %d verdicts, expected two for each of %d targets", c.name, len(list), len(c.targets))
	}
	for i, o := range list {
		if o.Target != c.targets[i/2].name || o.Together != (i%2 == 1) {
			t.Fatalf("%s.want: verdict %d is on %s, together %v", c.name, i, o.Target, o.Together)
		}
		if o.Together {
			together = append(together, o)
		} else {
			alone = append(alone, o)
		}
	}
	return alone, together
}

// planOf is a plan for some objects of one byte order.
func planOf(t testing.TB, objects ...*bpfelf.Object) *core.Plan {
	t.Helper()
	p := core.NewPlan(objects[0].ByteOrder)
	for _, o := range objects {
		if err := p.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// resolve resolves a plan on a kernel's types.
func resolve(t testing.TB, p *core.Plan, btf []byte) *core.Resolver {
	t.Helper()
	r := core.NewResolver(p)
	if err := r.Load(btf); err != nil {
		t.Fatal(err)
	}
	r.Resolve(nil)
	return r
}

// result is what we make of one relocation record in its place.
type result struct {
	record  *bpfelf.CORERelo
	local   int // in the plan
	out     core.Outcome
	insn    [16]byte // patched
	patched error
	// err and the reason that the relocation cannot be computed for.
	reason string
}

func (r *result) isError() bool {
	return r.out.Status == core.Failed || r.out.Status == core.Ambiguous || r.patched != nil
}

// records computes the results for those of an object's relocations that a
// load carries out, in their order. It goes on after an error, where libbpf stops.
func records(p *core.Plan, r *core.Resolver, o *core.Object, load func(*bpfelf.CORERelo) bool) []result {
	// The simulation of a load that leaves programs out: without their records.
	object := *o.Object
	object.Relocs = nil
	part := core.Object{Object: &object}
	for i := range o.Object.Relocs {
		if load(&o.Object.Relocs[i]) {
			object.Relocs = append(object.Relocs, o.Object.Relocs[i])
			part.Uses = append(part.Uses, o.Uses[i])
		}
	}
	results := make([]result, 0, len(object.Relocs))
	r.ObjectOutcomes(&part, func(i int, out core.Outcome) {
		use := p.Uses()[part.Uses[i]]
		res := result{record: &object.Relocs[i], local: use.Local, out: out}
		if out.Status == core.Failed || out.Status == core.Ambiguous {
			res.reason = r.Reason(use.Local, out)
		} else {
			res.insn, _, res.patched = core.Patch(use.Insn, out, p.ByteOrder())
		}
		results = append(results, res)
	})
	return results
}

// loads tells which records libbpf carries out: those of one entry program and
// all subprograms; "" stands for all programs.
func loads(t testing.TB, o *bpfelf.Object, program string) func(*bpfelf.CORERelo) bool {
	t.Helper()
	programs, err := o.Programs()
	if err != nil {
		t.Fatal(err)
	}
	sub := map[string]bool{}
	for _, p := range programs {
		sub[p.Name] = p.Subprogram
	}
	return func(r *bpfelf.CORERelo) bool {
		return r.Program != "" && (program == "" || r.Program == program || sub[r.Program])
	}
}

// describe is a result in the words of oracle's Relocation.
func (r *result) describe(o *bpfelf.Object, starts map[string]uint64) oracle.Relocation {
	return oracle.Relocation{
		Program:      r.record.Program,
		Insn:         int((uint64(r.record.InsnOff) - starts[r.record.Program]) / bpfelf.InsnSize),
		Kind:         int(r.record.Kind),
		Original:     r.out.Orig,
		New:          r.out.New,
		Poison:       r.out.Poison,
		Validate:     r.out.Validate,
		KeepsWidth:   r.out.FailMemSize,
		OriginalSize: r.out.OrigSize, NewSize: r.out.NewSize,
		OriginalType: uint32(r.out.OrigType), NewType: uint32(r.out.NewType),
	}
}

// starts is where an object's functions begin in their sections, in bytes.
func starts(t testing.TB, o *bpfelf.Object) map[string]uint64 {
	t.Helper()
	programs, err := o.Programs()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]uint64{}
	for _, p := range programs {
		if _, twice := at[p.Name]; twice {
			t.Fatalf("%s: two functions %s: the verdicts cannot tell them apart", o.Name, p.Name)
		}
		at[p.Name] = p.Offset
	}
	return at
}

// firstError is the index of the first error among results, -1 if there is none.
func firstError(results []result) int {
	return slices.IndexFunc(results, func(r result) bool { return r.isError() })
}

func (r *result) String() string {
	return fmt.Sprintf("%s+%d kind %d type %d access %s", r.record.Section, r.record.InsnOff/8, r.record.Kind, r.record.TypeID, r.record.Access)
}
