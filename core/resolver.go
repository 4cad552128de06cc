package core

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btf"
)

// Resolver carries out a plan against one kernel's types after the other,
// reusing its buffers. It is not safe for concurrent use; plans are.
type Resolver struct {
	plan    *Plan
	blobs   []types // vmlinux, then modules
	storage []btf.BTF
	picked  []btf.ID

	cands []candidate // sorted by name
	first []int32     // per name: where its candidates start; one more at the end

	// Per local, by libbpf's rules: the candidates that match or fail.
	matches    []match
	matchStart []int32
	// The same by cilium/ebpf's.
	fixups     []candFixup
	fixupStart []int32

	spec   spec
	images []bool  // see newImages
	traits []trait // per candidate: see Orders
}

// candidate is a target type with the essential name of a root.
type candidate struct {
	id   btf.ID
	name int32
	blob uint16
	kind btf.Kind
	lib  bool // it has the name by libbpf's notion
	cil  bool // by cilium/ebpf's
}

// match is what came of one candidate that was not dropped.
type match struct {
	cand      int32
	failed    bool // value.flaw says why
	bitOffset uint32
	value     value
	kind      btf.Kind        // of the field
	encoding  btf.IntEncoding // and its sign, if it is an INT
}

type candFixup struct {
	cand int32
	fix  fixup
}

// NewResolver makes a resolver for a plan, which must not change any more.
func NewResolver(p *Plan) *Resolver { return &Resolver{plan: p} }

// Module is a kernel module's split BTF.
type Module struct {
	Name string
	BTF  []byte
}

// ErrByteOrder says that a kernel's types are not in the plan's byte order.
var ErrByteOrder = errors.New("byte orders differ")

// Load reads a kernel's BTF and those of its modules, and finds all candidates.
// The blobs must not change until the next Load.
func (r *Resolver) Load(vmlinux []byte, modules ...Module) error {
	n := 1 + len(modules)
	if cap(r.storage) < n {
		r.storage = append(r.storage[:cap(r.storage)], make([]btf.BTF, n-cap(r.storage))...)
	}
	r.storage = r.storage[:n]
	r.blobs = slices.Grow(r.blobs[:0], n)[:n]
	r.cands = r.cands[:0]
	for i := range n {
		raw, base, what := vmlinux, (*btf.BTF)(nil), ""
		if i > 0 {
			raw, base, what = modules[i-1].BTF, &r.storage[0], "module "+modules[i-1].Name+": "
		}
		b := &r.storage[i]
		var err error
		if r.picked, err = b.ResetPick(raw, base, &r.plan.names, r.picked[:0]); err != nil {
			return fmt.Errorf("%s%w", what, err)
		}
		if b.ByteOrder() != r.plan.order {
			return fmt.Errorf("%s%w: types are %v, the objects %v", what, ErrByteOrder, b.ByteOrder(), r.plan.order)
		}
		r.blobs[i].reset(b)
		r.candidates(uint16(i))
	}
	r.sortCandidates()
	return nil
}

// candidates adds those of the picked types that have the name of a root.
func (r *Resolver) candidates(blob uint16) {
	b := &r.blobs[blob]
	for _, id := range r.picked {
		name := b.NameBytes(id)
		lib, cil := len(name), len(name)
		if hasFlavorSign(name) {
			lib, cil = essentialLen(name), ciliumEssentialLen(name)
		}
		i, ok := r.plan.byName[string(name[:lib])]
		kind := b.Kind(id)
		if ok && r.plan.tried[i]>>kind&1 != 0 {
			r.cands = append(r.cands, candidate{id: id, name: i, blob: blob, kind: kind, lib: true, cil: lib == cil})
		}
		if lib != cil {
			if i, ok := r.plan.byName[string(name[:cil])]; ok && r.plan.tried[i]>>kind&1 != 0 {
				r.cands = append(r.cands, candidate{id: id, name: i, blob: blob, kind: kind, cil: true})
			}
		}
	}
}

// sortCandidates groups them by name, in the order of the blobs and ids.
func (r *Resolver) sortCandidates() {
	slices.SortStableFunc(r.cands, func(a, b candidate) int { return int(a.name) - int(b.name) })
	names := len(r.plan.byName)
	r.first = slices.Grow(r.first[:0], names+1)[:names+1]
	k := 0
	for i := range r.first {
		for k < len(r.cands) && int(r.cands[k].name) < i {
			k++
		}
		r.first[i] = int32(k)
	}
}

// byName is the candidates of a name.
func (r *Resolver) byName(name int32) (lo, hi int32) { return r.first[name], r.first[name+1] }

// Types is a kernel's own BTF (0) or that of its i-th module, as loaded last.
func (r *Resolver) Types(i int) *btf.BTF { return r.blobs[i].BTF }

// Blobs is how many BTFs were loaded: one and the modules.
func (r *Resolver) Blobs() int { return len(r.blobs) }

// Strayed tells that a relocation has looked at a type whose id is not in its
// BTF. Where Plan.Scope has decided what is in it, that is a type that the scope
// should have had; the outcomes are worth nothing then.
func (r *Resolver) Strayed() bool {
	return slices.ContainsFunc(r.blobs, func(t types) bool { return t.strayed })
}

// PointerSize is the size of a kernel's pointer in bytes, if a decision that
// Keep was told of depended on it and the kernel's types say it.
func (r *Resolver) PointerSize() (size uint32, asked bool) {
	for i := range r.blobs {
		if t := &r.blobs[i]; t.pointerAsked && t.hasLong {
			return t.pointerSize, true
		}
	}
	return 0, false
}

// Keep is told what a decision depended on: types of the i-th blob. The slice
// is the resolver's.
type Keep func(blob int, touched []Touch)

// Resolve holds every relocation of the plan against its candidates, by both
// loaders' rules. keep, which may be nil, is called for every candidate that
// matches or is an error, with what that was seen by.
func (r *Resolver) Resolve(keep Keep) {
	n := len(r.plan.locals)
	r.matchStart = slices.Grow(r.matchStart[:0], n+1)[:0]
	r.fixupStart = slices.Grow(r.fixupStart[:0], n+1)[:0]
	r.matches, r.fixups = r.matches[:0], r.fixups[:0]
	for i := range r.blobs {
		r.blobs[i].tracing, r.blobs[i].exhaustive = keep != nil, false
	}
	for i := range n {
		r.matchStart = append(r.matchStart, int32(len(r.matches)))
		r.fixupStart = append(r.fixupStart, int32(len(r.fixups)))
		r.resolve(i, keep)
	}
	r.matchStart = append(r.matchStart, int32(len(r.matches)))
	r.fixupStart = append(r.fixupStart, int32(len(r.fixups)))
}

// Retrace tells keep everything that the i-th relocation's decisions looked
// at, of candidates that do not match as well. Results stay as they are.
func (r *Resolver) Retrace(i int, keep Keep) {
	m, f := len(r.matches), len(r.fixups)
	for i := range r.blobs {
		r.blobs[i].tracing, r.blobs[i].exhaustive = true, true
	}
	r.resolve(i, keep)
	r.matches, r.fixups = r.matches[:m], r.fixups[:f]
}

func (r *Resolver) resolve(i int, keep Keep) {
	l, root := r.plan.locals[i], r.plan.roots[i]
	if root.lib >= 0 {
		r.resolveLib(l, root.lib, keep)
	}
	if root.cil >= 0 {
		r.resolveCil(l, root.cil, keep)
	}
}

func (r *Resolver) resolveLib(l *Local, name int32, keep Keep) {
	r.eachLib(name, l.rootKind, func(c int32) {
		cand := &r.cands[c]
		t := &r.blobs[cand.blob]
		t.begin()
		if m, ok := r.try(t, l, cand.id); ok {
			m.cand = c
			r.matches = append(r.matches, m)
		} else if !t.exhaustive {
			return
		}
		if keep != nil {
			keep(int(cand.blob), t.touched)
		}
	})
}

func (r *Resolver) resolveCil(l *Local, name int32, keep Keep) {
	r.eachCil(name, func(c int32) {
		cand := &r.cands[c]
		t := &r.blobs[cand.blob]
		t.begin()
		t.touch(cand.id, ItemSelf)
		if f := t.ciliumFixup(l, cand.id, r.plan.order); f.flaw != flawNone || !f.missing(l.Kind) {
			r.fixups = append(r.fixups, candFixup{c, f})
		} else if !t.exhaustive {
			return
		}
		if keep != nil {
			keep(int(cand.blob), t.touched)
		}
	})
}

// eachLib goes through libbpf's candidates: those of the root's kind in
// vmlinux or, if there is none, in modules.
func (r *Resolver) eachLib(name int32, kind btf.Kind, f func(c int32)) {
	lo, hi := r.byName(name)
	found := false
	for c := lo; c < hi; c++ {
		cand := &r.cands[c]
		if cand.blob > 0 && found {
			return
		}
		if cand.lib && sameKind(cand.kind, kind) {
			found = found || cand.blob == 0
			f(c)
		}
	}
}

// eachCil goes through cilium/ebpf's candidates. Modules count where vmlinux
// has no more than a forward declaration.
func (r *Resolver) eachCil(name int32, f func(c int32)) {
	lo, hi := r.byName(name)
	found := false
	for c := lo; c < hi; c++ {
		cand := &r.cands[c]
		if cand.blob > 0 && found {
			return
		}
		if cand.cil {
			found = found || cand.blob == 0 && cand.kind != btf.KindFwd
			f(c)
		}
	}
}

// try holds a relocation against a candidate. ok is false if it is to be
// dropped.
func (r *Resolver) try(t *types, l *Local, id btf.ID) (m match, ok bool) {
	s := &r.spec
	v, f := t.matchSpec(l, id, s)
	switch v {
	case noMatch:
		return match{}, false
	case failed:
		return match{failed: true, value: value{flaw: f}}, true
	}
	m.value = t.value(l.Kind, s, r.plan.order)
	m.failed = m.value.flaw != flawNone
	m.bitOffset = s.bitOffset
	if m.value.typ != 0 {
		m.kind = t.Kind(m.value.typ)
		m.encoding = t.Int(m.value.typ).Encoding
	}
	return m, true
}

// matchSpec is bpf_core_spec_match: s becomes the path on the target.
func (t *types) matchSpec(l *Local, id btf.ID, s *spec) (verdict, flaw) {
	switch {
	case l.Kind == TypeMatches:
		s.reset(id)
		t.touch(id, ItemSelf)
		return typesMatch(l.types, l.Type, t, id, false, maxTypeDepth)
	case l.Kind.isType():
		s.reset(id)
		return compatible(l.types, l.Type, t, id, maxTypeDepth)
	case l.Kind.isEnumval():
		return t.matchEnumval(l, id, s)
	}
	return t.matchField(l, id, s)
}
