package main

import (
	"bufio"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/hub"
)

type relocsFlags struct {
	kernelFlags
	elf, json bool
}

func newRelocs() *cobra.Command {
	var f relocsFlags
	cmd := &cobra.Command{
		Use:   "relocs [flags] OBJECT...",
		Short: "List relocations, and what they come to on kernels",
		Long: `List the CO-RE relocations of each OBJECT: program, section, instruction (its
number in the section), kind, and the object's side as libbpf prints it.

With kernels, list what each relocation comes to there, by libbpf's rules when it
loads all programs of the object: the value in the instruction and the one that
takes its place, and the kernel's type that it was found in, or what it came to
and why. The kernels are those of --hub; with --kernel alone, built-in ones (see
"btfgen help hub").

With --elf, list the objects' ELF relocations (R_BPF_*) instead.

With --json, "objects" lists the relocations; "kernels", if there are any, has for
each kernel and object the results in the same order.`,
		Example: `  btfgen relocs opensnoop.bpf.o
  btfgen relocs --kernel 'debian/12/*' opensnoop.bpf.o
  btfgen relocs --hub btfhub-archive --kernel 'debian/12/*' opensnoop.bpf.o
  btfgen relocs --elf opensnoop.bpf.o`,
		Args: objectArgs,
		RunE: func(cmd *cobra.Command, objects []string) error { return f.run(cmd, objects) },
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.elf, "elf", false, "list the ELF relocations")
	cmd.Flags().BoolVar(&f.json, "json", false, "print as JSON")
	return cmd
}

func (f *relocsFlags) run(cmd *cobra.Command, paths []string) error {
	if f.elf && f.given() {
		return usagef("--elf lists what does not depend on a kernel: no --hub, --kernel or --module with it")
	}
	var kernels listed
	if f.given() {
		var err error
		if kernels, err = f.list(); err != nil {
			return err
		}
	}
	objects, err := openObjects(paths)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	switch {
	case f.elf:
		err = listELF(out, objects, f.json)
	case !f.given():
		err = listLocal(out, objects, f.json)
	default:
		err = f.onKernels(out, cmd.ErrOrStderr(), objects, kernels)
	}
	if flushed := out.Flush(); flushed != nil {
		return flushed
	}
	return err
}

// onKernels prints kernel after kernel. One that cannot be read is named on
// stderr and left out.
func (f *relocsFlags) onKernels(out *bufio.Writer, stderr io.Writer, objects []*bpfelf.Object, kernels listed) error {
	t, err := newTargets(objects)
	if err != nil {
		return err
	}
	failures := []failureReport{}
	fail := func(kernel string, err error) {
		failures = append(failures, failureReport{kernel, err.Error()})
		if kernel != "" {
			kernel += ": "
		}
		fmt.Fprintf(stderr, "btfgen: skipped: %s\n", oneLine(kernel+err.Error()))
	}
	for _, p := range kernels.problems {
		fail(p.Kernel, p.Err)
	}
	printUsed(stderr, kernels)
	var p kernelPrinter = &targetTable{out: out, locals: t.locals}
	if f.json {
		p = &targetJSON{out: out}
	}
	if err := p.begin(t.locals); err != nil {
		return err
	}
	reader := hub.NewReader()
	for _, k := range kernels.kernels {
		results, err := t.on(k, reader)
		if err != nil {
			fail(k.Name, err)
			continue
		}
		if err := p.kernel(k.Name, results); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if err := p.end(failures); err != nil {
		return err
	}
	if len(failures) > 0 {
		return fmt.Errorf("%s, named above: %d of %d kernels are listed", counted(len(failures), "failure"), p.count(), len(kernels.kernels))
	}
	return nil
}

// kernelPrinter prints what relocations come to, kernel after kernel.
type kernelPrinter interface {
	begin([]objectReport) error
	kernel(name string, results []objectTargets) error
	end([]failureReport) error
	count() int
}

func listLocal(w io.Writer, objects []*bpfelf.Object, asJSON bool) error {
	var reports []objectReport
	for _, o := range objects {
		reports = append(reports, reportObject(o))
	}
	if asJSON {
		return printJSON(w, map[string]any{"objects": reports})
	}
	for i := range reports {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printLocals(w, &reports[i]); err != nil {
			return err
		}
	}
	return nil
}

// elfReport is an object of relocs --elf --json.
type elfReport struct {
	Object      string           `json:"object"`
	Relocations []elfRelocReport `json:"relocations"`
}

type elfRelocReport struct {
	Section       string `json:"section"`
	Offset        uint64 `json:"offset"`
	Type          string `json:"type"`
	Symbol        string `json:"symbol"`
	SymbolSection string `json:"symbolSection"`
	SymbolValue   uint64 `json:"symbolValue"`
	Addend        int64  `json:"addend"`
}

func listELF(w io.Writer, objects []*bpfelf.Object, asJSON bool) error {
	var reports []elfReport
	for _, o := range objects {
		relocs, err := o.ELFRelocs()
		if err != nil {
			return err
		}
		r := elfReport{Object: o.Name, Relocations: []elfRelocReport{}}
		for _, e := range relocs {
			r.Relocations = append(r.Relocations, elfRelocReport{
				e.Section, e.Offset, e.Type.String(), e.Symbol, e.SymbolSection, e.SymbolValue, e.Addend,
			})
		}
		reports = append(reports, r)
	}
	if asJSON {
		return printJSON(w, map[string]any{"objects": reports})
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if len(r.Relocations) == 0 {
			fmt.Fprintf(w, "%s: no ELF relocations\n", oneLine(r.Object))
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", oneLine(r.Object), counted(len(r.Relocations), "ELF relocation"))
		t := newTable(w, "SECTION", "OFFSET", "TYPE", "SYMBOL")
		for _, e := range r.Relocations {
			symbol := e.Symbol
			if e.Addend != 0 {
				symbol += fmt.Sprintf("%+#x", e.Addend)
			}
			t.row(e.Section, fmt.Sprintf("%#06x", e.Offset), e.Type, symbol)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return nil
}
