package conformance

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/conformance/randbtf"
	"github.com/btfgen/btfgen/internal/elftest"
	"github.com/btfgen/btfgen/internal/need"
	"github.com/btfgen/btfgen/internal/oracle"
	"github.com/google/go-cmp/cmp"
)

// On random types, too, every relocation has libbpf's result, alone and jointly,
// and a minimal BTF changes nothing of what libbpf makes of them.
func TestRandomTypesAreLibbpfs(t *testing.T) {
	need.Asked(t, "BTFGEN_CONFORMANCE", "conformance")
	need.Tool(t, "cc")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	program, err := oracle.Build(ctx, need.Repository(t, "internal", "oracle"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	compared, errors := 0, 0
	samples := uint64(400)
	if text := os.Getenv("BTFGEN_SEEDS"); text != "" { // more of them
		if samples, err = strconv.ParseUint(text, 10, 32); err != nil {
			t.Fatalf("BTFGEN_SEEDS: %v", err)
		}
	}
	for seed := range samples {
		// tame ones: libbpf follows a typedef of itself without end
		sample, err := randbtf.Make(1e6+seed, randbtf.Options{Tame: true, Relocs: 12})
		if err != nil {
			t.Fatal(err)
		}
		object := randomObject(t, sample, seed%4 < 2)
		write := func(name string, raw []byte) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		path, full := write("object.o", object.Raw), write("full.btf", sample.Target)
		plan := planOf(t, object)
		small := write("min.btf", minimal(t, plan, sample.Target))
		r := resolve(t, plan, sample.Target)
		what := fmt.Sprint("seed ", 1e6+seed)

		// libbpf gives each relocation's result where its program is alone
		alone := ask(ctx, t, program, full, path, "-r", "-p")
		if alone.Err != nil {
			t.Logf("%s: libbpf does not open the object: %v", what, alone.Err)
			continue
		}
		for _, p := range alone.Programs {
			results := records(plan, r, &plan.Objects()[0], loads(t, object, p.Name))
			compareRandom(t, what+", "+p.Name, object, results, p.Relocations, p.Err)
			compared++
			if p.Err != nil {
				errors++
			}
		}
		together := ask(ctx, t, program, full, path, "-r", "-a")
		compareRandom(t, what+", all", object, records(plan, r, &plan.Objects()[0], loads(t, object, "")), together.Relocations, together.Err)

		for i, flag := range []string{"-p", "-a"} {
			a := []oracle.Object{alone, together}[i]
			b := ask(ctx, t, program, small, path, "-r", flag)
			for _, o := range []*oracle.Object{&a, &b} {
				withoutIDs(t, &conformanceCase{name: what}, o)
				withoutTargetIDs(object, o)
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s, %s (-full +minimal):\n%s", what, flag, diff)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d relocations, %d errors compared", compared, errors)
	if compared == 0 || errors == 0 {
		t.Error("something was not compared at all")
	}
}

// compareRandom compares results up to the first error, and whether there is one.
func compareRandom(t *testing.T, what string, o *bpfelf.Object, results []result, relos []oracle.Relocation, failed *oracle.Error) {
	t.Helper()
	at := starts(t, o)
	bad := firstError(results)
	if (bad >= 0) != (failed != nil) {
		t.Errorf("%s: our first error is %d of %d (%s), libbpf's: %v", what, bad, len(results), reasonOf(results, bad), failed)
		return
	}
	if bad >= 0 {
		if results[bad].patched != nil {
			bad++
		}
		results = results[:bad]
	}
	if len(results) != len(relos) {
		t.Errorf("%s: %d relocations, expected %d (%v)", what, len(results), len(relos), failed)
		return
	}
	for i := range relos {
		// A plan has one local type for all that are the same.
		want, got := relos[i], results[i].describe(o, at)
		want.OriginalType, got.OriginalType = 0, 0
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %v (-libbpf +core):\n%s", what, &results[i], diff)
		}
	}
}

func reasonOf(results []result, i int) string {
	if i < 0 {
		return "none"
	}
	return fmt.Sprint(&results[i], " ", results[i].reason, " ", results[i].patched)
}

// withoutTargetIDs takes the type ids out of errors about target type ids that
// are ambiguous, and what tells of candidates that do not match.
func withoutTargetIDs(o *bpfelf.Object, verdict *oracle.Object) {
	clean := func(e *oracle.Error) {
		if e == nil {
			return
		}
		e.Text = floatWarning.ReplaceAllString(e.Text, "")
		e.Text = candidateNumber.ReplaceAllString(e.Text, "candidate")
		for _, r := range o.Relocs {
			if core.Kind(r.Kind) == core.TypeIDTarget && strings.Contains(e.Text, "'"+r.Program+"': relo #") {
				e.Text = successes.ReplaceAllString(e.Text, "success")
			}
		}
	}
	clean(verdict.Err)
	for i := range verdict.Programs {
		clean(verdict.Programs[i].Err)
	}
}

// floatWarning is no error: it comes once for each candidate that does not match.
var floatWarning = regexp.MustCompile(`libbpf: unexpected kind float relocated, local , target ; `)

// candidateNumber counts candidates that do not match, too.
var candidateNumber = regexp.MustCompile(`candidate #\d+`)

var successes = regexp.MustCompile(`success \d+`)

// randomObject has one program for each of a sample's relocations, whose
// instruction holds what is recorded, so that patching it succeeds. Sound ones
// leave out relocations that are an error by themselves, so that a load of all
// programs gets further.
func randomObject(t *testing.T, s randbtf.Sample, sound bool) *bpfelf.Object {
	t.Helper()
	draft := randomPrograms(t, s, make([]uint64, len(s.Relocs)))
	plan := planOf(t, draft)
	r := resolve(t, plan, s.Target)
	recorded := make([]uint64, 0, len(s.Relocs))
	relocs := s.Relocs
	s.Relocs = nil
	for i, use := range plan.Objects()[0].Uses {
		out := r.Outcome(plan.Uses()[use].Local)
		if sound && (out.Status == core.Failed || out.Status == core.Ambiguous) {
			continue
		}
		s.Relocs = append(s.Relocs, relocs[i])
		recorded = append(recorded, out.Orig)
	}
	return randomPrograms(t, s, recorded)
}

func randomPrograms(t *testing.T, s randbtf.Sample, recorded []uint64) *bpfelf.Object {
	t.Helper()
	order := binary.LittleEndian
	types, err := btf.Parse(s.Local)
	if err != nil {
		t.Fatal(err)
	}
	var code [][]byte
	ext := &elftest.Ext{}
	var symbols []elftest.Symbol
	for i, r := range s.Relocs {
		at := uint32(16 * i)
		insn := elftest.Insn(order, 0xb7, 1, 0, 0, int32(recorded[i]))
		if core.Kind(r.Kind) == core.FieldByteOffset && i%2 == 0 { // a load of a width that is right now and then
			insn = elftest.Insn(order, []byte{0x61, 0x79, 0x69, 0x71}[i/2%4], 1, 1, int16(recorded[i]), 0)
		}
		code = append(code, insn, elftest.Exit(order))
		ext.Relocs = append(ext.Relocs, elftest.CORERelo{Section: "kprobe", InsnOff: at, TypeID: r.Type, Access: r.Access, Kind: r.Kind})
		symbols = append(symbols, elftest.Func(fmt.Sprintf("p%d", i), "kprobe", uint64(at), 16))
		for id := btf.ID(1); id < types.End(); id++ {
			if types.Kind(id) == btf.KindFunc {
				ext.Funcs = append(ext.Funcs, elftest.FuncInfo{Section: "kprobe", InsnOff: at, TypeID: id})
			}
		}
	}
	if len(code) == 0 { // libbpf wants a program
		code = append(code, elftest.Exit(order))
		symbols = append(symbols, elftest.Func("none", "kprobe", 0, 8))
	}
	raw := (&elftest.Object{Order: order, BTF: s.Local, Ext: ext, License: "GPL",
		Sections: []elftest.Section{elftest.Code("kprobe", code...)}, Symbols: symbols}).MustBytes(t)
	o, err := bpfelf.Parse("object", raw)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
