package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// objectReport is an object's side of its relocations, in their order.
type objectReport struct {
	Object      string             `json:"object"`
	ByteOrder   string             `json:"byteOrder"` // little or big
	Note        string             `json:"note,omitempty"`
	Relocations []relocationReport `json:"relocations"`
}

type relocationReport struct {
	Program string `json:"program"`
	Section string `json:"section"`
	Insn    uint32 `json:"insn"` // its number in the section
	Kind    string `json:"kind"`
	Local   string `json:"local"`
}

func reportObject(o *bpfelf.Object) objectReport {
	r := objectReport{Object: o.Name, ByteOrder: "little", Relocations: []relocationReport{}}
	if o.ByteOrder == binary.BigEndian {
		r.ByteOrder = "big"
	}
	switch {
	case len(o.Relocs) > 0:
	case o.BTF == nil:
		r.Note = "no CO-RE relocations (no .BTF)"
	case !o.HasExt:
		r.Note = "no CO-RE relocations (no .BTF.ext)"
	default:
		r.Note = "no CO-RE relocations"
	}
	// Many records are about the same.
	type side struct {
		kind   uint32
		typ    btf.ID
		access string
	}
	paths := make(map[side]string)
	for i := range o.Relocs {
		rec := &o.Relocs[i]
		s := side{rec.Kind, rec.TypeID, rec.Access}
		path, ok := paths[s]
		if !ok {
			path = core.Compile(o.BTF, core.Kind(rec.Kind), rec.TypeID, rec.Access).LocalPath()
			paths[s] = path
		}
		r.Relocations = append(r.Relocations, relocationReport{
			rec.Program, rec.Section, rec.InsnOff / bpfelf.InsnSize, core.Kind(rec.Kind).String(), path,
		})
	}
	return r
}

// withoutKind is a path without the "<byte_off> " that it starts with, for
// where the kind stands beside it.
func withoutKind(path string) string {
	if _, rest, ok := strings.Cut(path, "> "); ok && strings.HasPrefix(path, "<") {
		return rest
	}
	return path
}

func printLocals(w io.Writer, o *objectReport) error {
	if len(o.Relocations) == 0 {
		_, err := fmt.Fprintf(w, "%s: %s\n", oneLine(o.Object), o.Note)
		return err
	}
	fmt.Fprintf(w, "%s: %s\n", oneLine(o.Object), counted(len(o.Relocations), "relocation"))
	t := newTable(w, "PROGRAM", "SECTION", "INSN", "KIND", "LOCAL")
	for _, r := range o.Relocations {
		t.row(programName(r.Program), r.Section, fmt.Sprint(r.Insn), r.Kind, withoutKind(r.Local))
	}
	return t.flush()
}

// programName stands for a function that the linker has dropped, too.
func programName(name string) string {
	if name == "" {
		return "-"
	}
	return name
}

// table writes columns that are aligned, with two blanks between them.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = oneLine(c)
	}
	_, _ = io.WriteString(t.w, strings.Join(cells, "\t")+"\n") // kept until flush
}

func (t table) flush() error { return t.w.Flush() }
