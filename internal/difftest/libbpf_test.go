package difftest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/internal/oracle"
)

// verdicts has libbpf relocate all objects with a BTF file as the kernel's.
func (s *set) verdicts(btfFile string) ([]oracle.Object, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return oracle.Relocate(ctx, s.relocate, btfFile, s.files, "-r")
}

// allRelocations are those of an object, whether its programs were loaded
// together or each on its own.
func allRelocations(o *oracle.Object) []oracle.Relocation {
	list := slices.Clone(o.Relocations)
	for i := range o.Programs {
		list = append(list, o.Programs[i].Relocations...)
	}
	return list
}

// compareVerdicts lists where libbpf does something else on two BTFs of one
// kernel: other results, other errors, other instructions. Target type ids alone
// may differ: that of a relocation's value (kind target_type_id) if both lead to a
// type of one name and kind, and those of fields, which no instruction holds.
func compareVerdicts(full, min []oracle.Object, fullTypes, minTypes *btf.BTF) (relocations, instructions int, differences []string) {
	differ := func(o *oracle.Object, format string, args ...any) {
		differences = append(differences, filepath.Base(o.File)+": "+fmt.Sprintf(format, args...))
	}
	for i := range full {
		a, b := &full[i], &min[i]
		if x, y := errorText(a.Err), errorText(b.Err); x != y {
			differ(a, "libbpf on the full BTF: %s; on the minimal one: %s", x, y)
			continue
		}
		if a.Together != b.Together {
			differ(a, "loads as a whole on one BTF only")
			continue
		}
		ra, rb := allRelocations(a), allRelocations(b)
		if len(ra) != len(rb) {
			differ(a, "%d relocations on the full BTF, %d on the minimal one", len(ra), len(rb))
			continue
		}
		relocations += len(ra)
		ids := map[[2]uint64]bool{} // target type ids, full and minimal
		for k := range ra {
			x, y := ra[k], rb[k]
			x.NewType, y.NewType = 0, 0
			if core.Kind(x.Kind) == core.TypeIDTarget && x.New != y.New && sameType(fullTypes, btf.ID(x.New), minTypes, btf.ID(y.New)) {
				ids[[2]uint64{x.New, y.New}] = true
				x.New, y.New = 0, 0
			}
			if x != y {
				differ(a, "relocation %d: libbpf on the full BTF: %+v; on the minimal one: %+v", k, ra[k], rb[k])
			}
		}
		if len(a.Programs) != len(b.Programs) {
			differ(a, "%d programs on the full BTF, %d on the minimal one", len(a.Programs), len(b.Programs))
			continue
		}
		for k := range a.Programs {
			p, q := &a.Programs[k], &b.Programs[k]
			if x, y := errorText(p.Err), errorText(q.Err); x != y {
				differ(a, "program %s: libbpf on the full BTF: %s; on the minimal one: %s", p.Name, x, y)
			}
			if len(p.Insns) != len(q.Insns) {
				differ(a, "program %s: %d bytes on the full BTF, %d on the minimal one", p.Name, len(p.Insns), len(q.Insns))
				continue
			}
			instructions += len(p.Insns) / bpfelf.InsnSize
			for at := 0; at < len(p.Insns); at += bpfelf.InsnSize {
				x, y := p.Insns[at:at+bpfelf.InsnSize], q.Insns[at:at+bpfelf.InsnSize]
				held := [2]uint64{uint64(binary.LittleEndian.Uint32(x[4:])), uint64(binary.LittleEndian.Uint32(y[4:]))}
				if !bytes.Equal(x, y) && (!bytes.Equal(x[:4], y[:4]) || !ids[held]) {
					differ(a, "program %s, instruction %d: %x on the full BTF, %x on the minimal one", p.Name, at/bpfelf.InsnSize, x, y)
				}
			}
		}
	}
	return relocations, instructions, differences
}

func sameType(a *btf.BTF, x btf.ID, b *btf.BTF, y btf.ID) bool {
	return x != 0 && y != 0 && a.Name(x) == b.Name(y) && a.Kind(x) == b.Kind(y)
}

// errorText is an error of libbpf without target type ids and candidates' numbers.
func errorText(e *oracle.Error) string {
	if e == nil {
		return "no error"
	}
	text := inError.ReplaceAllString(e.Text, "")
	return fmt.Sprintf("error %d: %s", e.Code, text)
}

var inError = regexp.MustCompile(`\[\d+\] |#\d+ `)

// patched is the instructions of an object's records after relocation, by our
// own resolution.
type patched struct {
	insn [16]byte
	err  error
	out  core.Outcome
}

func patchAll(r *core.Resolver, o *core.Object) []patched {
	list := make([]patched, len(o.Uses))
	r.ObjectOutcomes(o, func(i int, out core.Outcome) {
		p := &list[i]
		p.out = out
		p.insn, _, p.err = core.Patch(o.Object.Relocs[i].Insn, out, o.Object.ByteOrder)
	})
	return list
}

// compareOurs lists where our outcomes and patched instructions are not libbpf's,
// both on the same BTF. records counts the relocations whose result was compared,
// patches those whose instruction was found in a relocated program, too.
func compareOurs(r *core.Resolver, o *core.Object, verdict *oracle.Object) (records, patches int, differences []string) {
	differ := func(format string, args ...any) {
		differences = append(differences, o.Object.Name+": "+fmt.Sprintf(format, args...))
	}
	programs, err := o.Object.Programs()
	if err != nil {
		return 0, 0, []string{err.Error()}
	}
	ours := patchAll(r, o)
	if verdict.Err != nil || !verdict.Together {
		// As a whole libbpf refuses it, which is because of a relocation: ours say so too.
		for i := range ours {
			if ours[i].err != nil {
				return 0, 0, nil
			}
		}
		if len(ours) > 0 {
			differ("libbpf does not load it as a whole, though each of our relocations succeeds: %s", errorText(verdict.Err))
		}
		return 0, 0, differences
	}
	type place struct {
		program string
		insn    int
	}
	theirs := map[place]oracle.Relocation{}
	for _, rel := range verdict.Relocations {
		theirs[place{rel.Program, rel.Insn}] = rel
	}
	code := relocatedCode(o.Object, programs, verdict)
	for i := range o.Object.Relocs {
		rec := &o.Object.Relocs[i]
		at := place{rec.Program, 0}
		for k := range programs {
			if p := &programs[k]; p.Section == rec.Section && p.Name == rec.Program {
				at.insn = (int(rec.InsnOff) - int(p.Offset)) / bpfelf.InsnSize
			}
		}
		rel, ok := theirs[at]
		if !ok {
			continue // of a function that is not there: libbpf skips it
		}
		records++
		where := fmt.Sprintf("program %s, instruction %d, %v", at.program, at.insn, core.Kind(rec.Kind))
		if ours[i].err != nil {
			differ("%s: %v, libbpf has %+v", where, ours[i].err, rel)
			continue
		}
		if d := compareOutcome(&ours[i].out, &rel, core.Kind(rec.Kind)); d != "" {
			differ("%s: %s: ours %+v, libbpf's %+v", where, d, ours[i].out, rel)
		}
		insns, ok := code[at.program]
		if !ok {
			continue // no program calls it: libbpf relocates it all the same, and drops it
		}
		patches++
		n := bpfelf.InsnSize
		if rec.Insn[0] == 0x18 { // LDIMM64
			n *= 2
		}
		if got, want := ours[i].insn[:n], insns[at.insn*bpfelf.InsnSize:][:n]; !bytes.Equal(got, want) {
			differ("%s: patched to %x, by libbpf to %x", where, got, want)
		}
	}
	if records < len(verdict.Relocations) {
		differ("%d of libbpf's %d relocations are in our records", records, len(verdict.Relocations))
	}
	return records, patches, differences
}

// compareOutcome says which value of an outcome is not libbpf's.
func compareOutcome(out *core.Outcome, rel *oracle.Relocation, kind core.Kind) string {
	switch {
	case core.Kind(rel.Kind) != kind:
		return "kind"
	case out.Orig != rel.Original:
		return "original value"
	case out.Poison != rel.Poison:
		return "poison"
	case !out.Poison && out.New != rel.New:
		return "new value"
	case !out.Poison && out.Validate != rel.Validate:
		return "validation"
	case !out.Poison && out.FailMemSize != rel.KeepsWidth:
		return "adjustable width"
	case !out.Poison && out.OrigSize != rel.OriginalSize, !out.Poison && out.NewSize != rel.NewSize:
		return "access width"
	case !out.Poison && uint32(out.NewType) != rel.NewType:
		return "type of the field"
	}
	return ""
}

// relocatedCode finds each function's instructions in the relocated programs:
// a program's own come first, the subprograms that it calls follow, which calls
// lead to: before relocation by the ELF file, after it by the immediate.
func relocatedCode(o *bpfelf.Object, programs []bpfelf.Program, verdict *oracle.Object) map[string][]byte {
	elf, err := o.ELFRelocs()
	if err != nil {
		return nil
	}
	type place struct {
		section string
		offset  uint64
	}
	relocs := map[place]*bpfelf.ELFReloc{}
	for i := range elf {
		relocs[place{elf[i].Section, elf[i].Offset}] = &elf[i]
	}
	byPlace, byName := map[place]*bpfelf.Program{}, map[string]*bpfelf.Program{}
	for i := range programs {
		p := &programs[i]
		byPlace[place{p.Section, p.Offset}], byName[p.Name] = p, p
	}
	code := map[string][]byte{}
	var walk func(whole []byte, at int, p *bpfelf.Program)
	walk = func(whole []byte, at int, p *bpfelf.Program) {
		if _, done := code[p.Name]; done || at < 0 || at+int(p.Size) > len(whole) {
			return
		}
		own := whole[at : at+int(p.Size)]
		code[p.Name] = own
		for i := 0; i < len(p.Insns); i += bpfelf.InsnSize {
			if p.Insns[i] != 0x85 || p.Insns[i+1]>>4 != 1 || own[i] != 0x85 { // a call of a subprogram
				continue
			}
			from := place{p.Section, p.Offset + uint64(i)}
			to := place{p.Section, from.offset + uint64((int64(int32(binary.LittleEndian.Uint32(p.Insns[i+4:])))+1)*bpfelf.InsnSize)}
			if r := relocs[from]; r != nil {
				to = place{r.SymbolSection, r.SymbolValue + uint64(r.Addend)}
			}
			if callee := byPlace[to]; callee != nil {
				walk(whole, at+i+(int(int32(binary.LittleEndian.Uint32(own[i+4:])))+1)*bpfelf.InsnSize, callee)
			}
		}
	}
	for i := range verdict.Programs {
		v := &verdict.Programs[i]
		if p := byName[v.Name]; p != nil && v.Err == nil {
			walk(v.Insns, 0, p)
		}
	}
	return code
}
