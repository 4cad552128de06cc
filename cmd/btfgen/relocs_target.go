package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/btfgen/btfgen"
	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/hub"
)

// objectTargets is what an object's relocations come to on a kernel.
type objectTargets struct {
	Object string `json:"object"`
	// NotApplicable: the object is not of the kernel's byte order.
	NotApplicable bool           `json:"notApplicable,omitempty"`
	Relocations   []targetReport `json:"relocations"`
}

type targetReport struct {
	Status string `json:"status"`
	Target string `json:"target,omitempty"` // the first type that matches, as libbpf prints it
	Module string `json:"module,omitempty"` // where that type is, if not in vmlinux
	Reason string `json:"reason,omitempty"`
	// The value that the instruction has, and the one that takes its place; of a
	// relocation that fails or is poisoned there is none.
	Old *uint64 `json:"old,omitempty"`
	New *uint64 `json:"new,omitempty"`
	// The access's width in bytes, where it changes.
	OldBytes uint32 `json:"oldBytes,omitempty"`
	NewBytes uint32 `json:"newBytes,omitempty"`

	signed bool // of the values
}

// targets computes what objects' relocations come to.
type targets struct {
	gen       *btfgen.Generator
	locals    []objectReport // per object
	resolvers map[binary.ByteOrder]*core.Resolver
}

func newTargets(objects []*bpfelf.Object) (*targets, error) {
	gen, err := btfgen.New(objects...)
	if err != nil {
		return nil, err
	}
	t := &targets{gen: gen, resolvers: make(map[binary.ByteOrder]*core.Resolver)}
	for _, o := range gen.Objects() {
		t.locals = append(t.locals, reportObject(o))
	}
	return t, nil
}

// on is what the objects' relocations come to on a kernel.
func (t *targets) on(k *hub.Kernel, reader *hub.Reader) ([]objectTargets, error) {
	types, err := k.Load(reader)
	if err != nil {
		return nil, err
	}
	b, err := btf.Parse(types.Vmlinux)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Path, err)
	}
	order := b.ByteOrder()
	plan := t.gen.Plan(order)
	var r *core.Resolver
	var modules []core.Module
	if plan != nil {
		if r = t.resolvers[order]; r == nil {
			r = core.NewResolver(plan)
			t.resolvers[order] = r
		}
		for _, m := range types.Modules {
			modules = append(modules, core.Module{Name: m.Name, BTF: m.BTF})
		}
		if err := r.Load(types.Vmlinux, modules...); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Path, err)
		}
		r.Resolve(nil)
	}
	var results []objectTargets
	planned := 0
	for _, o := range t.gen.Objects() {
		res := objectTargets{Object: o.Name, Relocations: []targetReport{}}
		if o.ByteOrder != order {
			res.NotApplicable = true
		} else {
			obj := &plan.Objects()[planned]
			planned++
			r.ObjectOutcomes(obj, func(record int, out core.Outcome) {
				res.Relocations = append(res.Relocations, reportTarget(r, plan, obj, record, out, modules))
			})
		}
		results = append(results, res)
	}
	return results, nil
}

func reportTarget(r *core.Resolver, plan *core.Plan, obj *core.Object, record int, out core.Outcome, modules []core.Module) targetReport {
	use := &plan.Uses()[obj.Uses[record]]
	i := use.Local
	t := targetReport{Status: out.Status.String(), Target: r.TargetPath(i, out)}
	if out.Blob > 0 && t.Target != "" {
		t.Module = modules[out.Blob-1].Name
	}
	if out.Status > core.Zero {
		t.Reason = r.Reason(i, out)
		return t
	}
	insn, poisoned, err := core.Patch(use.Insn, out, plan.ByteOrder())
	switch {
	case err != nil:
		t.Status, t.Reason = core.Failed.String(), err.Error()
		return t
	case poisoned:
		t.Status, t.Reason = core.Poisoned.String(), r.Reason(i, out)
		return t
	}
	if out.Status == core.Zero {
		t.Reason = r.Reason(i, out)
	}
	t.Old, t.New = &out.Orig, &out.New
	t.signed = core.Kind(obj.Object.Relocs[record].Kind) == core.EnumvalValue
	if insn[0] != use.Insn[0] {
		t.OldBytes, t.NewBytes = out.OrigSize, out.NewSize
	}
	return t
}

// value is the change in the instruction, in words.
func (t *targetReport) value() string {
	if t.Old == nil {
		return "-"
	}
	s := fmt.Sprintf("%d -> %d", *t.Old, *t.New)
	if t.signed {
		s = fmt.Sprintf("%d -> %d", int64(*t.Old), int64(*t.New))
	}
	if t.OldBytes != t.NewBytes {
		s += fmt.Sprintf(" (%d -> %d bytes wide)", t.OldBytes, t.NewBytes)
	}
	return s
}

// found is the target, or why there is none.
func (t *targetReport) found() string {
	switch {
	case t.Status != core.Resolved.String():
	case t.Target == "":
		return "(the object's own)" // a local type id
	case t.Module != "":
		return t.Target + " in " + t.Module
	default:
		return t.Target
	}
	return t.Status + ": " + t.Reason
}

// targetTable prints a table for each kernel and object.
type targetTable struct {
	out    io.Writer
	locals []objectReport
	n      int
}

func (p *targetTable) begin([]objectReport) error { return nil }
func (p *targetTable) end([]failureReport) error  { return nil }
func (p *targetTable) count() int                 { return p.n }

func (p *targetTable) kernel(name string, results []objectTargets) error {
	for i, res := range results {
		if p.n > 0 || i > 0 {
			fmt.Fprintln(p.out)
		}
		local := &p.locals[i]
		head := oneLine(name + ": " + res.Object)
		if len(local.Relocations) == 0 || res.NotApplicable {
			note := local.Note
			if res.NotApplicable {
				note = "not applicable: the object is " + local.ByteOrder + "-endian, the kernel is not"
			}
			if _, err := fmt.Fprintf(p.out, "%s: %s\n", head, note); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(p.out, "%s: %s\n", head, counted(len(res.Relocations), "relocation"))
		t := newTable(p.out, "PROGRAM", "SECTION", "INSN", "KIND", "LOCAL", "VALUE", "TARGET")
		for n, l := range local.Relocations {
			r := &res.Relocations[n]
			t.row(programName(l.Program), l.Section, fmt.Sprint(l.Insn), l.Kind, withoutKind(l.Local), r.value(), r.found())
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	p.n++
	return nil
}

// targetJSON writes one document, a kernel at a time: all of them may be large.
type targetJSON struct {
	out io.Writer
	n   int
}

func (p *targetJSON) count() int { return p.n }

func (p *targetJSON) begin(objects []objectReport) error {
	fmt.Fprint(p.out, "{\"objects\":")
	if err := p.encode(objects); err != nil {
		return err
	}
	_, err := fmt.Fprint(p.out, ",\"kernels\":[")
	return err
}

func (p *targetJSON) kernel(name string, results []objectTargets) error {
	if p.n > 0 {
		fmt.Fprint(p.out, ",")
	}
	p.n++
	return p.encode(struct {
		Kernel  string          `json:"kernel"`
		Objects []objectTargets `json:"objects"`
	}{name, results})
}

func (p *targetJSON) end(failures []failureReport) error {
	fmt.Fprint(p.out, "],\"failures\":")
	if err := p.encode(failures); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.out, "}")
	return err
}

// encode writes v and a newline.
func (p *targetJSON) encode(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
