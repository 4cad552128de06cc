package core

import (
	"encoding/binary"

	"github.com/btfgen/btfgen/btf"
)

// flaw is why a relocation fails for good, or why a value is not to be had.
type flaw uint8

const (
	flawNone flaw = iota
	flawPoison
	flawArrayAspect  // signed, lshift, rshift of an array's element
	flawBitfieldWide // a bitfield that no load of 8 bytes holds
	flawNoSize
	flawTooDeep
	flawBadType // an id out of range, or a chain without end
	flawUnknown

	// Errors of cilium/ebpf alone, told apart since its texts do.
	flawIntoBitfield
	flawLocalFlexible
	flawTargetFlexible
	flawLocalIndex
	flawAnonymousMember
)

var flawTexts = map[flaw]string{
	flawArrayAspect:  "cannot be asked of an array's element",
	flawBitfieldWide: "the bitfield cannot be read with a load of 8 bytes",
	flawNoSize:       "the type has no size",
	flawTooDeep:      "the types are nested too deeply",
	flawBadType:      "the types refer to one that is not there, or to each other without end",
	flawUnknown:      "the relocation is not supported for these types",
}

// value is what a relocation comes to on one side.
type value struct {
	val      uint64
	size     uint32 // of the field in bytes, where the instruction's access follows it
	typ      btf.ID // of that field
	validate bool   // local side: the instruction must hold val
	flaw     flaw
}

// value is bpf_core_calc_field_relo, _type_relo and _enumval_relo: the value
// of a path that was found.
func (t *types) value(kind Kind, s *spec, order binary.ByteOrder) value {
	switch {
	case kind.isField():
		return t.fieldValue(kind, s, order)
	case kind.isEnumval():
		if kind == EnumvalExists {
			return value{val: 1, validate: true}
		}
		acc := s.acc[0]
		e := t.Enumerator(acc.typ, int(acc.idx))
		if t.Kind(acc.typ) == btf.KindEnum {
			// libbpf sign-extends whatever the enum says of its sign.
			e.Value = uint64(int64(int32(e.Value)))
		}
		return value{val: e.Value, validate: true}
	}
	switch kind {
	case TypeIDLocal:
		return value{val: uint64(s.root)}
	case TypeIDTarget:
		return value{val: uint64(s.root)}
	case TypeExists, TypeMatches:
		return value{val: 1, validate: true}
	case TypeSize:
		size, ok := t.size(s.root)
		if !ok {
			return value{flaw: flawNoSize}
		}
		return value{val: uint64(size), validate: true}
	}
	return value{flaw: flawUnknown}
}

func (t *types) fieldValue(kind Kind, s *spec, order binary.ByteOrder) value {
	if kind == FieldExists {
		return value{val: 1, validate: true}
	}
	acc := s.acc[len(s.acc)-1]
	if !acc.named {
		return t.elementValue(kind, s, acc.typ)
	}

	m := t.Member(acc.typ, int(acc.idx))
	id, k, ok := t.skip(m.Type)
	if !ok {
		return value{flaw: flawBadType}
	}
	bitOff, bitSize := s.bitOffset, m.BitSize
	var byteOff, byteSize uint32
	bitfield := bitSize > 0
	if bitfield {
		byteSize = t.BTF.Size(id)
		if byteSize == 0 {
			return value{flaw: flawNoSize}
		}
		byteOff = bitOff / 8 / byteSize * byteSize
		for bitOff+bitSize-byteOff*8 > byteSize*8 {
			if byteSize >= 8 {
				return value{flaw: flawBitfieldWide}
			}
			byteSize *= 2
			byteOff = bitOff / 8 / byteSize * byteSize
		}
	} else {
		if byteSize, ok = t.size(id); !ok {
			return value{flaw: flawNoSize}
		}
		byteOff, bitSize = bitOff/8, byteSize*8
	}

	v := value{validate: !bitfield}
	switch kind {
	case FieldByteOffset:
		v.val = uint64(byteOff)
		if !bitfield {
			v.size, v.typ = byteSize, id
		}
	case FieldByteSize:
		v.val = uint64(byteSize)
	case FieldSigned:
		if k.IsEnum() && t.Vlen(id) > 0 {
			// libbpf looks for an INT's encoding behind any type, an enum's first
			// enumerator here. Without one it would take what comes next.
			t.touch(id, 0)
		}
		if k.IsEnum() && t.KindFlag(id) || k == btf.KindInt && t.Int(id).Encoding&btf.Signed != 0 {
			v.val = 1
		}
		v.validate = true
	case FieldLShiftU64:
		// 32-bit arithmetic that may wrap, as in libbpf, then widened.
		if order == binary.LittleEndian {
			v.val = uint64(64 - (bitOff + bitSize - byteOff*8))
		} else {
			v.val = uint64((8-byteSize)*8 + (bitOff - byteOff*8))
		}
	case FieldRShiftU64:
		v.val = uint64(64 - bitSize)
		v.validate = true
	}
	return v
}

// elementValue is that of a path that ends in an index.
func (t *types) elementValue(kind Kind, s *spec, id btf.ID) value {
	switch kind {
	case FieldByteOffset, FieldByteSize:
	default:
		return value{flaw: flawArrayAspect}
	}
	size, ok := t.size(id)
	if !ok {
		return value{flaw: flawNoSize}
	}
	if kind == FieldByteSize {
		return value{val: uint64(size), validate: true}
	}
	return value{val: uint64(s.bitOffset / 8), size: size, typ: id, validate: true}
}
