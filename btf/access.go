package btf

import (
	"bytes"
	"encoding/binary"
)

// ByteOrder is that of the blob that was parsed.
func (b *BTF) ByteOrder() binary.ByteOrder { return b.order }

// Base is the BTF that a split one stands on, nil for one on its own.
func (b *BTF) Base() *BTF { return b.base }

// Start is the first id of b's own types.
func (b *BTF) Start() ID { return b.start }

// End is the id after b's last type.
func (b *BTF) End() ID { return b.start + ID(len(b.offs)) }

// rec is the type section from a type's record on; nil for void and ids out
// of range. The index has checked that the record is whole.
func (b *BTF) rec(id ID) []byte {
	if i := uint32(id - b.start); i < uint32(len(b.offs)) {
		return b.types[b.offs[i]:]
	}
	if b.base != nil && id < b.start {
		return b.base.rec(id)
	}
	return nil
}

func le(rec []byte, off int) uint32 { return binary.LittleEndian.Uint32(rec[off:]) }

// Kind is a type's kind: KindVoid for id 0, KindInvalid for an id out of range.
func (b *BTF) Kind(id ID) Kind {
	rec := b.rec(id)
	if rec == nil {
		if id == 0 {
			return KindVoid
		}
		return KindInvalid
	}
	return Kind(rec[7] & 0x7f)
}

// NameOff is the string offset of a type's name, 0 if it has none.
func (b *BTF) NameOff(id ID) uint32 {
	rec := b.rec(id)
	if rec == nil {
		return 0
	}
	return le(rec, 0)
}

// Name is a type's name, "" if it has none.
func (b *BTF) Name(id ID) string { return string(b.NameBytes(id)) }

// NameBytes is Name without a copy: it aliases the blob.
func (b *BTF) NameBytes(id ID) []byte { return b.StringBytes(b.NameOff(id)) }

// String is the string at an offset, "" if that is out of range.
func (b *BTF) String(off uint32) string { return string(b.StringBytes(off)) }

// StringBytes is String without a copy: it aliases the blob.
func (b *BTF) StringBytes(off uint32) []byte {
	s := b.from(off)
	if i := bytes.IndexByte(s, 0); i >= 0 {
		return s[:i:i]
	}
	return nil
}

// Text is the string section from an offset on: the string there, a zero
// byte, and whatever follows. nil if the offset is out of range.
func (b *BTF) Text(off uint32) []byte { return b.from(off) }

// from is the string section from an offset on, nil if that is out of range.
func (b *BTF) from(off uint32) []byte {
	if off >= b.startStr {
		if i := off - b.startStr; i < uint32(len(b.strs)) {
			return b.strs[i:]
		}
		return nil
	}
	return b.base.from(off)
}

// ValidString tells whether a string offset is in range.
func (b *BTF) ValidString(off uint32) bool { return b.from(off) != nil }

// info is a record's second word with its kind checked against a set.
func (b *BTF) info(id ID, kinds uint32) (rec []byte, info uint32) {
	rec = b.rec(id)
	if rec == nil {
		return nil, 0
	}
	info = le(rec, 4)
	if kinds>>(info>>24&0x1f)&1 == 0 {
		return nil, 0
	}
	return rec, info
}

const (
	listKinds = 1<<KindStruct | 1<<KindUnion | 1<<KindEnum | 1<<KindFuncProto | 1<<KindDatasec | 1<<KindEnum64
	sizeKinds = 1<<KindInt | 1<<KindEnum | 1<<KindEnum64 | 1<<KindStruct | 1<<KindUnion | 1<<KindDatasec | 1<<KindFloat
	refKinds  = 1<<KindPtr | 1<<KindTypedef | 1<<KindConst | 1<<KindVolatile | 1<<KindRestrict | 1<<KindFunc |
		1<<KindFuncProto | 1<<KindVar | 1<<KindDeclTag | 1<<KindTypeTag
)

// Vlen is the number of members, enumerators, parameters or variables.
func (b *BTF) Vlen(id ID) int {
	_, info := b.info(id, listKinds)
	return int(info & 0xffffff)
}

// KindFlag is the flag whose meaning depends on the kind: bitfield sizes in a
// struct's members, a signed enum, a FWD of a union.
func (b *BTF) KindFlag(id ID) bool {
	rec := b.rec(id)
	return rec != nil && rec[7]&0x80 != 0
}

// Size is a type's own size in bytes: INT, ENUM, ENUM64, STRUCT, UNION,
// DATASEC and FLOAT have one.
func (b *BTF) Size(id ID) uint32 {
	rec, _ := b.info(id, sizeKinds)
	if rec == nil {
		return 0
	}
	return le(rec, 8)
}

// Ref is the type that a PTR, TYPEDEF, CONST, VOLATILE, RESTRICT, FUNC, VAR,
// DECL_TAG or TYPE_TAG refers to, and what a FUNC_PROTO returns.
func (b *BTF) Ref(id ID) ID {
	rec, _ := b.info(id, refKinds)
	if rec == nil {
		return 0
	}
	return ID(le(rec, 8))
}

// Member is the i-th member of a struct or union.
func (b *BTF) Member(id ID, i int) Member {
	rec, info := b.info(id, 1<<KindStruct|1<<KindUnion)
	if rec == nil || uint(i) >= uint(info&0xffffff) {
		return Member{}
	}
	m := rec[headerSize+i*12:]
	off := le(m, 8)
	if info>>31 == 0 {
		return Member{NameOff: le(m, 0), Type: ID(le(m, 4)), BitOffset: off}
	}
	return Member{NameOff: le(m, 0), Type: ID(le(m, 4)), BitOffset: off & 0xffffff, BitSize: off >> 24}
}

// FindMember gives the first member of a struct or union, from the i-th on,
// that has the name or has none: its index, or -1.
func (b *BTF) FindMember(id ID, i int, name string) int {
	rec, info := b.info(id, 1<<KindStruct|1<<KindUnion)
	n := int(info & 0xffffff)
	if rec == nil || i >= n {
		return -1
	}
	items := rec[headerSize : headerSize+n*12]
	for ; i < n; i++ {
		off := le(items, i*12)
		if off == 0 {
			return i
		}
		s := b.from(off)
		if len(s) == 0 || s[0] == 0 {
			return i
		}
		if len(name) > 0 && s[0] == name[0] && len(s) > len(name) && s[len(name)] == 0 && string(s[:len(name)]) == name {
			return i
		}
	}
	return -1
}

// Array is an array's element, index and length.
func (b *BTF) Array(id ID) Array {
	rec, _ := b.info(id, 1<<KindArray)
	if rec == nil {
		return Array{}
	}
	return Array{Elem: ID(le(rec, 12)), Index: ID(le(rec, 16)), Nelems: le(rec, 20)}
}

// Int is an INT's encoding.
func (b *BTF) Int(id ID) Int {
	rec, _ := b.info(id, 1<<KindInt)
	if rec == nil {
		return Int{}
	}
	v := le(rec, 12)
	return Int{Encoding: IntEncoding(v >> 24 & 0xf), BitOffset: uint8(v >> 16), Bits: uint8(v)}
}

// Enumerator is the i-th value of an ENUM or ENUM64.
func (b *BTF) Enumerator(id ID, i int) Enumerator {
	rec, info := b.info(id, 1<<KindEnum|1<<KindEnum64)
	if rec == nil || uint(i) >= uint(info&0xffffff) {
		return Enumerator{}
	}
	if Kind(info>>24&0x7f) == KindEnum64 {
		e := rec[headerSize+i*12:]
		return Enumerator{NameOff: le(e, 0), Value: uint64(le(e, 8))<<32 | uint64(le(e, 4))}
	}
	e := rec[headerSize+i*8:]
	v := uint64(le(e, 4))
	if info>>31 != 0 {
		v = uint64(int64(int32(v)))
	}
	return Enumerator{NameOff: le(e, 0), Value: v}
}

// Param is the i-th parameter of a FUNC_PROTO.
func (b *BTF) Param(id ID, i int) Param {
	rec, info := b.info(id, 1<<KindFuncProto)
	if rec == nil || uint(i) >= uint(info&0xffffff) {
		return Param{}
	}
	p := rec[headerSize+i*8:]
	return Param{NameOff: le(p, 0), Type: ID(le(p, 4))}
}

// Linkage is that of a FUNC or VAR: LinkageStatic and so on.
func (b *BTF) Linkage(id ID) uint32 {
	rec, info := b.info(id, 1<<KindFunc|1<<KindVar)
	switch {
	case rec == nil:
		return 0
	case Kind(info>>24&0x7f) == KindFunc:
		return info & 0xffffff
	}
	return le(rec, 12)
}

// Secinfo is the i-th variable of a DATASEC.
func (b *BTF) Secinfo(id ID, i int) Secinfo {
	rec, info := b.info(id, 1<<KindDatasec)
	if rec == nil || uint(i) >= uint(info&0xffffff) {
		return Secinfo{}
	}
	s := rec[headerSize+i*12:]
	return Secinfo{Type: ID(le(s, 0)), Offset: le(s, 4), Size: le(s, 8)}
}

// ComponentIndex is the member or parameter that a DECL_TAG is about, -1 for
// the whole.
func (b *BTF) ComponentIndex(id ID) int32 {
	rec, _ := b.info(id, 1<<KindDeclTag)
	if rec == nil {
		return 0
	}
	return int32(le(rec, 12))
}

// SkipModifiers follows typedefs, const, volatile, restrict and type tags from
// id to the type behind them. ok is false if they never end.
func (b *BTF) SkipModifiers(id ID) (_ ID, ok bool) {
	for range maxModifiers {
		if !b.Kind(id).IsModifier() {
			return id, true
		}
		id = b.Ref(id)
	}
	return 0, false
}

// maxModifiers bounds a chain of modifiers: the longest in real kernels has
// fewer than ten, a longer one is taken for a loop.
const maxModifiers = 256
