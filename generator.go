package btfgen

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
	"github.com/btfgen/btfgen/minimize"
)

// ErrNoObjects is returned when there is nothing to generate for.
var ErrNoObjects = errors.New("no eBPF objects")

// ErrNotApplicable says that no object is of the kernel's byte order.
var ErrNotApplicable = errors.New("no object is of the kernel's byte order")

// Generator holds the relocations of a set of objects. It may be used by
// several goroutines.
type Generator struct {
	objects []*bpfelf.Object
	plans   [2]*core.Plan // little- and big-endian; nil without such objects
}

// Open makes a generator of files: eBPF objects, or programs and libraries
// that have such objects built in, of which all count.
func Open(paths ...string) (*Generator, error) {
	var objects []*bpfelf.Object
	for _, path := range paths {
		found, err := bpfelf.Open(path)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return New(objects...)
}

// New makes a generator of objects, which it keeps. They may be of both byte
// orders: each applies to the kernels of its own.
func New(objects ...*bpfelf.Object) (*Generator, error) {
	if len(objects) == 0 {
		return nil, ErrNoObjects
	}
	g := &Generator{objects: objects}
	for _, o := range objects {
		i := planOf(o.ByteOrder)
		if g.plans[i] == nil {
			g.plans[i] = core.NewPlan(o.ByteOrder)
		}
		if err := g.plans[i].Add(o); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func planOf(order binary.ByteOrder) int {
	if order == binary.BigEndian {
		return 1
	}
	return 0
}

// Objects are the generator's, in the order given. The slice is its own.
func (g *Generator) Objects() []*bpfelf.Object { return g.objects }

// Plan is the objects' relocations of one byte order, nil if there are none.
func (g *Generator) Plan(order binary.ByteOrder) *core.Plan { return g.plans[planOf(order)] }

// Minimize makes one kernel's minimal BTF, of its BTF (or an ELF file with a
// .BTF section) and of those of its modules, as one BTF on its own.
func (g *Generator) Minimize(vmlinux []byte, modules ...core.Module) ([]byte, error) {
	raw, err := btf.FindELF(vmlinux)
	if err != nil {
		return nil, err
	}
	i, err := orderOf(raw)
	if err != nil {
		return nil, err
	}
	if g.plans[i] == nil {
		return nil, ErrNotApplicable
	}
	return minimize.New(g.plans[i]).Minimize(raw, modules...)
}

// orderOf tells by the magic which plan a BTF is for.
func orderOf(raw []byte) (int, error) {
	switch {
	case len(raw) < 2 || !btf.IsBTF(raw):
		return 0, fmt.Errorf("%w: starts with % x, not with the magic 0xeb9f", btf.ErrFormat, raw[:min(len(raw), 2)])
	case raw[0] == 0xeb:
		return 1, nil
	}
	return 0, nil
}
