package dwarf2btf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/btfgen/btfgen/btf"
)

// maxChain limits how many types lead to one another without a name in between,
// maxAliases how many types stand for one another that BTF does not know, and
// maxModifiers how many typedefs and the like are before a type whose size is asked for.
const (
	maxChain     = 2048
	maxAliases   = 64
	maxModifiers = 256
)

// digest is 128 bits by which a type is known.
type digest struct{ a, b uint64 }

const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xd6e8feb86659fd93
	mulC = 0xa0761d6478bd642f
	mulD = 0xe7037ed1a0b428db
)

// with mixes in a word.
func (h digest) with(w uint64) digest {
	hi, lo := bits.Mul64(h.a^w^mulC, mulA)
	hi2, lo2 := bits.Mul64(h.b^bits.RotateLeft64(w, 32)^mulD, mulB)
	return digest{hi ^ lo ^ bits.RotateLeft64(h.b, 23), hi2 ^ lo2}
}

// and mixes in a digest.
func (h digest) and(o digest) digest {
	hi, lo := bits.Mul64(h.a^o.a^mulC, mulA)
	hi2, lo2 := bits.Mul64(h.b^o.b^mulD, mulB)
	return digest{hi ^ lo ^ bits.RotateLeft64(h.b, 23), hi2 ^ lo2 ^ bits.RotateLeft64(o.a, 41)}
}

func (h digest) zero() bool { return h.a|h.b == 0 }

// hashName hashes a name.
func hashName(name []byte) uint64 {
	h := uint64(len(name)) * mulA
	for len(name) > 8 {
		hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(name)^mulC, mulB)
		h = hi ^ lo
		name = name[8:]
	}
	var w uint64
	if len(name) == 8 {
		w = binary.LittleEndian.Uint64(name)
	} else {
		for i, b := range name {
			w |= uint64(b) << (8 * i)
		}
	}
	hi, lo := bits.Mul64(h^w^mulD, mulC)
	return hi ^ lo
}

// nameDigest is what a reference to a named type is hashed as, and the key of the
// class that stands for all types of that kind and name.
func nameDigest(kind btf.Kind, hash uint64) digest {
	if kind == btf.KindEnum64 {
		kind = btf.KindEnum
	}
	return digest{uint64(kind) * mulB, mulC}.with(hash)
}

var (
	errReference = errors.New("reference to what is not a type")
	errCycle     = errors.New("a type that contains itself")
	errNumber    = errors.New("more than BTF has room for")
)

// hasher makes the digests of the types that a decoder holds.
type hasher struct {
	digests []digest
	state   []uint8
}

const (
	hashNone = iota
	hashOpen
	hashDone
)

// typeError says which type is in error: by its offset in its unit's section.
func (d *decoder) typeError(t *typ, err error) error {
	return d.inUnit(t.at, fmt.Errorf("%w: type at offset 0x%x", err, t.at-d.sectionAt(t.at)))
}

// sectionAt is where the section of a place begins.
func (d *decoder) sectionAt(at place) place {
	if u := d.unitAt(at); u != nil {
		return u.at
	}
	return 0
}

// inUnit adds the unit's offset to an error, where many units are dealt with at once.
func (d *decoder) inUnit(at place, err error) error {
	if u := d.unitAt(at); u != nil && d.linked {
		return u.wrap(err)
	}
	return err
}

// resolve follows a reference through types that stand for others; -1 is void.
func (d *decoder) resolve(at place) (int32, error) {
	for range maxAliases {
		if at == 0 {
			return -1, nil
		}
		id := d.find(at)
		if id < 0 {
			return 0, d.inUnit(at, fmt.Errorf("%w: to offset 0x%x", errReference, at-d.sectionAt(at)))
		}
		switch t := &d.types[id]; t.kind {
		case kindVoid:
			return -1, nil
		case kindAlias:
			at = t.ref
		default:
			return id, nil
		}
	}
	return 0, errCycle
}

// reference is what a reference is hashed as.
func (d *decoder) reference(h *hasher, at place, depth int) (digest, error) {
	id, err := d.resolve(at)
	if err != nil || id < 0 {
		return digest{}, err
	}
	if h.state[id] == hashDone {
		if t := &d.types[id]; t.named() {
			return nameDigest(t.kind, t.hash), nil
		}
		return h.digests[id], nil
	}
	if t := &d.types[id]; t.named() {
		return nameDigest(t.kind, t.hash), nil
	}
	return d.digest(h, id, depth+1)
}

// digest makes a type's digest.
func (d *decoder) digest(h *hasher, id int32, depth int) (digest, error) {
	t := &d.types[id]
	switch h.state[id] {
	case hashDone:
		return h.digests[id], nil
	case hashOpen:
		return digest{}, d.typeError(t, errCycle)
	}
	if depth > maxChain {
		return digest{}, d.typeError(t, errCycle)
	}
	h.state[id] = hashOpen
	sum := digest{uint64(t.kind)*mulA + mulD, uint64(t.n) + mulA}
	var err error
	var ref digest
	switch t.kind {
	case kindVoid, kindAlias:
	case btf.KindInt, btf.KindFloat:
		sum = sum.with(t.hash).with(uint64(t.size) | uint64(t.flags&(flagSigned|flagBool))<<32)
	case btf.KindStruct, btf.KindUnion:
		sum, err = d.structDigest(h, t, sum, depth)
	case btf.KindEnum:
		sum, err = d.enumDigest(t, sum)
	case btf.KindFuncProto:
		sum, err = d.protoDigest(h, t, sum, depth)
	case btf.KindFunc:
		var proto int32
		if proto, err = d.prototype(id); err != nil {
			return digest{}, err
		}
		if ref, err = d.digest(h, proto, depth+1); err == nil {
			sum = sum.with(t.hash).and(ref)
		}
	case btf.KindVar:
		var empty bool
		if empty, err = d.empty(t.ref); empty {
			t.kind = kindVoid
			break
		}
		if ref, err = d.reference(h, t.ref, depth); err == nil {
			sum = sum.with(t.hash).and(ref).with(uint64(t.size) | uint64(t.flags&flagGlobal)<<32)
		}
	case btf.KindArray:
		if t.flags&flagZero != 0 {
			t.size = 0
		} else if t.flags&flagHuge != 0 {
			return digest{}, d.typeError(t, fmt.Errorf("%w: an array's elements", errNumber))
		}
		fallthrough
	default:
		if ref, err = d.reference(h, t.ref, depth); err == nil {
			sum = sum.with(t.hash).and(ref).with(uint64(t.size))
		}
	}
	if err != nil {
		return digest{}, err
	}
	h.state[id], h.digests[id] = hashDone, sum
	return sum, nil
}

func (d *decoder) structDigest(h *hasher, t *typ, sum digest, depth int) (digest, error) {
	sum = sum.with(t.hash).with(uint64(t.flags & flagDeclared))
	for i := t.first; i >= 0; {
		m := &d.items[i]
		ref, err := d.reference(h, m.ref, depth)
		if err != nil {
			return digest{}, err
		}
		if m.flags&itemAddStorage != 0 {
			size, err := d.storage(m.ref)
			if err != nil {
				return digest{}, err
			}
			m.value += 8 * size
			m.flags &^= itemAddStorage
		}
		if m.value > math.MaxUint32 || m.bits != 0 && m.value > 0xffffff {
			return digest{}, d.typeError(t, fmt.Errorf("%w: a member at bit %d", errNumber, int64(m.value)))
		}
		if m.value > uint64(t.size)*8 && t.flags&flagDeclared == 0 {
			// Readers refuse it. Of local variables of variable size nobody says how large they are.
			if t.flags&flagUnsized == 0 {
				return digest{}, d.typeError(t, fmt.Errorf("a member at bit %d of %d bytes", m.value, t.size))
			}
			t.size = uint32((m.value + 7) / 8)
		}
		var name uint64
		if m.name != 0 {
			if s := d.name(m.name); len(s) > 0 {
				name = hashName(s)
			} else {
				m.name = 0
			}
		}
		sum = sum.with(name).with(m.value | uint64(m.bits)<<32).and(ref)
		i = m.next
	}
	return sum.with(uint64(t.size)), nil
}

// storage is the size in bytes of a bitfield's type.
func (d *decoder) storage(at place) (uint64, error) {
	for range maxModifiers {
		id, err := d.resolve(at)
		if err != nil || id < 0 {
			return 0, err
		}
		switch t := &d.types[id]; t.kind {
		case btf.KindTypedef, btf.KindConst, btf.KindVolatile, btf.KindRestrict:
			at = t.ref
		default:
			return uint64(t.size), nil
		}
	}
	return 0, errCycle
}

// enumDigest also settles what kind of enum it is.
func (d *decoder) enumDigest(t *typ, sum digest) (digest, error) {
	if t.size > 4 && !d.options.NoEnum64 {
		t.kind = btf.KindEnum64
		signed, err := d.signed(t.ref)
		if err != nil {
			return digest{}, err
		}
		if signed {
			t.flags |= flagSigned
		}
	}
	sum = sum.with(t.hash)
	for i := t.first; i >= 0; {
		v := &d.items[i]
		if t.kind == btf.KindEnum {
			if int64(v.value) < 0 && !d.options.NoEnum64 { // in a base only if it is marked so already
				t.flags |= flagSigned
			}
			v.value = uint64(uint32(v.value))
		}
		var name uint64
		if v.name != 0 {
			name = hashName(d.name(v.name))
		}
		sum = sum.with(name).with(v.value)
		i = v.next
	}
	return sum.with(uint64(t.size) | uint64(t.flags&flagSigned)<<32), nil
}

// signed tells whether an enum's underlying type is.
func (d *decoder) signed(at place) (bool, error) {
	for range maxModifiers {
		id, err := d.resolve(at)
		if err != nil || id < 0 {
			return false, err
		}
		switch t := &d.types[id]; t.kind {
		case btf.KindTypedef, btf.KindConst, btf.KindVolatile:
			at = t.ref
		default:
			return t.kind == btf.KindInt && t.flags&flagSigned != 0, nil
		}
	}
	return false, errCycle
}

func (d *decoder) protoDigest(h *hasher, t *typ, sum digest, depth int) (digest, error) {
	ref, err := d.reference(h, t.ref, depth)
	if err != nil {
		return digest{}, err
	}
	sum = sum.and(ref).with(uint64(t.flags & flagVarargs))
	for i := t.first; i >= 0; {
		p := &d.items[i]
		if ref, err = d.reference(h, p.ref, depth); err != nil {
			return digest{}, err
		}
		var name uint64
		if p.name != 0 {
			name = hashName(d.name(p.name))
		}
		sum = sum.with(name).and(ref)
		i = p.next
	}
	return sum, nil
}

// digestAll makes the digests of all types.
func (d *decoder) digestAll(h *hasher) error {
	n := len(d.types)
	h.digests, h.state = sized(h.digests, n), sized(h.state, n)
	for id := range int32(n) {
		if h.state[id] != hashNone {
			continue
		}
		if _, err := d.digest(h, id, 0); err != nil {
			return err
		}
	}
	return nil
}
