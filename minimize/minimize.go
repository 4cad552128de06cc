package minimize

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/bpfelf"
	"github.com/btfgen/btfgen/btf"
	"github.com/btfgen/btfgen/core"
)

// Minimizer makes the minimal BTFs of one plan, kernel after kernel, reusing
// its buffers. It is not safe for concurrent use: a worker has its own.
type Minimizer struct {
	plan    *core.Plan
	full    *core.Resolver
	small   *core.Resolver
	keep    keepSet
	builder *btf.Builder
	indices []uint32
	placed  []core.Ranked // see order
}

// New makes a minimizer for a plan, which must not change any more.
func New(p *core.Plan) *Minimizer {
	builder := btf.NewBuilder(p.ByteOrder())
	builder.WholeStrings() // or cilium/ebpf could not read the result
	return &Minimizer{
		plan:    p,
		full:    core.NewResolver(p),
		small:   core.NewResolver(p),
		builder: builder,
	}
}

// Full is the resolver with the whole kernel that was minimized last, for
// outcomes and reasons. It is the minimizer's, until its next call.
func (m *Minimizer) Full() *core.Resolver { return m.full }

// ErrProof is wrapped by the error for a relocation that does not come to the
// same outcome on the output, whatever is kept. It says a bug of this package
// or a kernel whose types no single BTF can stand for.
var ErrProof = errors.New("proof failed")

// maxRounds bounds how often the kept set is widened: each round widens it for
// all relocations that differ, so that more than a few are a loop.
const maxRounds = 8

// Minimize gives the minimal BTF of a kernel, and of the modules given, as one
// BTF that stands on its own, in the kernel's byte order. The result is the
// caller's. The blobs must not change while Full is in use.
//
// It is proven: for every relocation of the plan, each candidate that matches
// on the kernel's BTF matches on the result, with the same values, and no
// other does, by the rules of libbpf and of cilium/ebpf. So the instruction
// that Patch makes is the same too, being a function of the outcome; type ids
// alone are those of the result.
func (m *Minimizer) Minimize(vmlinux []byte, modules ...core.Module) ([]byte, error) {
	if err := m.full.Load(vmlinux, modules...); err != nil {
		return nil, err
	}
	m.keep.reset(m.full)
	m.full.Resolve(m.keep.add)
	for round := 0; ; round++ {
		out, err := m.emit()
		if err != nil {
			return nil, err
		}
		differs, err := m.prove(out)
		if err != nil {
			return nil, err
		}
		disordered := m.order()
		switch {
		case len(differs) == 0 && !disordered:
			return out, nil
		case round < maxRounds:
		case len(differs) > 0:
			return nil, m.proofError(differs[0])
		default:
			return nil, fmt.Errorf("%w: no order of the candidates suits all relocations", ErrProof)
		}
		for _, i := range differs {
			m.widen(i, round)
		}
	}
}

// emit writes what is kept. A reference to a type that is not becomes void, and
// so does what a pointer points to where that played no part.
func (m *Minimizer) emit() ([]byte, error) {
	m.keep.settle()
	w := m.builder
	w.Reset(m.plan.ByteOrder())
	next := btf.ID(1)
	for i := range m.keep.blobs {
		list := m.keep.blobs[i].list
		for n := range list {
			list[n].out = next
			next++
		}
	}
	for i := range m.keep.blobs {
		b := &m.keep.blobs[i]
		src := m.full.Types(i)
		ref := func(id btf.ID) btf.ID {
			if e := m.keep.find(i, id); e != nil {
				return e.out
			}
			return 0
		}
		for n := range b.list {
			e := &b.list[n]
			ref := ref
			if src.Kind(e.id) == btf.KindPtr && !e.all {
				ref = void // no decision has looked behind it
			}
			m.indices = m.indices[:0]
			for _, it := range b.items[e.lo:e.hi] {
				m.indices = append(m.indices, it.index())
			}
			id, err := w.Copy(src, e.id, btf.Copied{All: e.all, Items: m.indices, Nameless: e.nameless}, ref)
			if err != nil {
				return nil, err
			}
			if e.pin != 0 {
				w.Pin(id, e.pin)
			}
		}
	}
	m.tellPointerSize()
	ids := w.Canonicalise()
	for i := range m.keep.blobs {
		list := m.keep.blobs[i].list
		for n := range list {
			list[n].out = ids[list[n].out-1]
		}
	}
	return w.Bytes()
}

// tellPointerSize adds a long where a decision depended on a pointer's size and
// nothing else tells it, before all other types if something else tells another.
// Without one libbpf takes its own process's, which is wrong for a 32-bit loader
// on a 64-bit kernel.
func (m *Minimizer) tellPointerSize() {
	size, asked := m.full.PointerSize()
	if !asked {
		return
	}
	told, mistold := false, false
	for i := range m.keep.blobs {
		t := m.full.Types(i)
		for _, e := range m.keep.blobs[i].list {
			if t.IsLong(e.id) {
				told = told || t.Size(e.id) == size
				mistold = mistold || t.Size(e.id) != size
			}
		}
	}
	if told && !mistold {
		return
	}
	long := m.builder.Int(m.longName(), size, 0)
	if mistold {
		m.builder.Pin(long, 1)
	}
}

// longName is a name for the long that is added: one that no relocation is about,
// to which it would be a candidate that the kernel may not have.
func (m *Minimizer) longName() string {
	const usual = "long unsigned int"
	if !m.plan.Asks(usual) {
		return usual
	}
	for _, name := range btf.LongNames() {
		if !m.plan.Asks(name) {
			return name
		}
	}
	return usual
}

func void(btf.ID) btf.ID { return 0 }

// prove resolves the plan on the output, and gives the relocations whose
// outcome is another.
func (m *Minimizer) prove(out []byte) (differs []int, _ error) {
	if err := m.small.Load(out); err != nil {
		return nil, fmt.Errorf("%w: the output cannot be read back: %w", ErrProof, err)
	}
	m.small.Resolve(nil)
	for i := range m.plan.Len() {
		if !m.full.SameOutcomes(i, m.small, m.place) {
			differs = append(differs, i)
		}
	}
	return differs, nil
}

// place is where a type of the kernel is in the output, 0 if it is not.
func (m *Minimizer) place(blob int, id btf.ID) btf.ID {
	if e := m.keep.find(blob, id); e != nil {
		return e.out
	}
	return 0
}

// widen keeps more for a relocation that came out differently: first what its
// decisions looked at in vain; then, if that was not it, its candidates apart
// and in their order, where canonical form had merged or moved them. A module's
// type that is only part of another, and that no loader had considered as long as
// it was in the module, loses the name that makes it a candidate in the output.
func (m *Minimizer) widen(i, round int) {
	m.full.Retrace(i, m.keep.add)
	if round == 0 {
		return
	}
	m.pin(m.full.Ranks(i))
	for _, id := range m.small.Unexpected(i, m.full, m.place) {
		m.keep.unname(id)
	}
}

// pin has the first candidate of each rank stand behind that of the rank before,
// in whatever order other relocations want them: each round moves them further.
// Types that are the same stay so.
func (m *Minimizer) pin(ranks []core.Ranked) {
	next, known := uint32(1), uint32(0)
	firsts := make(map[btf.ID]*kept) // by place in the output
	for _, c := range ranks {
		e := m.keep.find(c.Blob, c.Type)
		switch {
		case e == nil:
		case c.Rank > known:
			known = c.Rank
			e.pin = max(e.pin, next)
			next = e.pin + 1
			firsts[e.out] = e
		case firsts[e.out] != nil && firsts[e.out].pin > e.pin:
			e.pin = firsts[e.out].pin
		}
	}
}

// order tells whether candidates whose order matters are in another one in the
// output, and pins those.
func (m *Minimizer) order() (disordered bool) {
	m.full.Orders(func(ranks []core.Ranked) {
		m.placed = append(m.placed[:0], ranks...)
		slices.SortStableFunc(m.placed, func(a, b core.Ranked) int {
			return cmp.Compare(m.place(a.Blob, a.Type), m.place(b.Blob, b.Type))
		})
		known := uint32(0)
		for _, c := range m.placed {
			if c.Rank > known+1 {
				disordered = true
				m.pin(ranks)
				return
			}
			known = max(known, c.Rank)
		}
	})
	return disordered
}

func (m *Minimizer) proofError(i int) error {
	o, record := m.plan.First(i)
	r := &o.Relocs[record]
	return fmt.Errorf("%w: %s, section %s, instruction %d, %s: another outcome on the minimal BTF",
		ErrProof, o.Name, r.Section, r.InsnOff/bpfelf.InsnSize, m.plan.Local(i).LocalPath())
}

// Types is the number of types in the last result.
func (m *Minimizer) Types() int { return m.builder.Len() }
