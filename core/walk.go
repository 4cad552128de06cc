package core

import "github.com/btfgen/btfgen/btf"

// Item numbers of a Touch that are not an index.
const (
	// ItemSelf: the record itself, without items.
	ItemSelf int32 = -1
	// ItemAll: every member, enumerator or parameter; what a pointer points to.
	ItemAll int32 = -2
)

// Touch is something that a decision has looked at: a type's own record, or
// one of its items (its own record included).
type Touch struct {
	Type btf.ID
	Item int32
}

// types is a BTF as the matching rules walk it. Every step goes through it, so
// that what a decision has looked at is written down in one place.
type types struct {
	*btf.BTF
	tracing bool
	touched []Touch
	// exhaustive keeps what was looked at in vain, too.
	exhaustive bool
	// steps is how many more types may be looked through until the decision is
	// given up; only counted where limited is set. Types that nest in each other
	// without name could otherwise be walked for ever.
	limited bool
	steps   int
	// pointerSize caches ptrSize; 0: not looked for.
	pointerSize  uint32
	pointerAsked bool // while tracing
	hasLong      bool // pointerSize is not a guess
	// end is the id after the last. strayed: something behind it was looked at.
	end     btf.ID
	strayed bool
}

func (t *types) reset(b *btf.BTF) {
	t.BTF, t.pointerSize, t.pointerAsked, t.hasLong = b, 0, false, false
	t.touched, t.limited = t.touched[:0], true
	t.end, t.strayed = b.End(), false
}

// maxSteps is far above what any relocation of a real program takes.
const maxSteps = 1 << 17

// begin starts a decision.
func (t *types) begin() { t.touched, t.steps = t.touched[:0], maxSteps }

func (t *types) touch(id btf.ID, item int32) {
	if id >= t.end {
		t.strayed = true
	}
	if t.tracing {
		t.touched = append(t.touched, Touch{id, item})
	}
}

// skip follows modifiers and typedefs. ok is false for an id out of range and
// for a chain without end.
func (t *types) skip(id btf.ID) (_ btf.ID, _ btf.Kind, ok bool) {
	if t.limited {
		if t.steps--; t.steps < 0 {
			return 0, btf.KindInvalid, false
		}
	}
	for range 256 {
		k := t.Kind(id)
		t.touch(id, ItemSelf)
		if !k.IsModifier() {
			return id, k, k != btf.KindInvalid
		}
		id = t.Ref(id)
	}
	return 0, btf.KindInvalid, false
}

// maxSizeDepth is how many types libbpf and cilium/ebpf follow for a size.
const maxSizeDepth = 32

// size is that of a type in bytes, as btf__resolve_size has it.
func (t *types) size(id btf.ID) (_ uint32, ok bool) {
	n := uint64(1)
	for range maxSizeDepth {
		k := t.Kind(id)
		t.touch(id, ItemSelf)
		var size uint32
		switch {
		case k.IsModifier(), k == btf.KindVar, k == btf.KindDeclTag:
			id = t.Ref(id)
			continue
		case k == btf.KindArray:
			a := t.Array(id)
			t.touch(a.Index, ItemSelf)
			if n *= uint64(a.Nelems); n > 1<<32-1 {
				return 0, false
			}
			id = a.Elem
			continue
		case k == btf.KindPtr:
			size = t.ptrSize()
		case k == btf.KindInt, k.IsComposite(), k.IsEnum(), k == btf.KindDatasec, k == btf.KindFloat:
			size = t.Size(id)
		default:
			return 0, false
		}
		if n *= uint64(size); n > 1<<32-1 {
			return 0, false
		}
		return uint32(n), true
	}
	return 0, false
}

// ptrSize is the size of a target's pointer in bytes. libbpf takes it from
// "long", and falls back to its own process's.
func (t *types) ptrSize() uint32 {
	t.pointerAsked = t.pointerAsked || t.tracing
	if t.pointerSize == 0 {
		t.pointerSize = 8
		b := t.BTF
		for b.Base() != nil {
			b = b.Base()
		}
		if id := b.LongType(); id != 0 {
			t.pointerSize, t.hasLong = b.Size(id), true
		}
	}
	return t.pointerSize
}

// isNamed compares a string of the target with a name without copying it.
func (t *types) isNamed(off uint32, name string) bool {
	s := t.Text(off)
	return len(s) > len(name) && s[len(name)] == 0 && string(s[:len(name)]) == name
}
