package btf

import "fmt"

// ID is a type id. 0 is void; the types of a BTF that stands on its own count
// from 1, those of a split BTF from where its base ends.
type ID uint32

// Kind is the kind of a type: BTF_KIND_* of include/uapi/linux/btf.h.
type Kind uint8

// The kinds. KindVoid is that of type id 0, which has no record.
const (
	KindVoid      Kind = 0
	KindInt       Kind = 1
	KindPtr       Kind = 2
	KindArray     Kind = 3
	KindStruct    Kind = 4
	KindUnion     Kind = 5
	KindEnum      Kind = 6
	KindFwd       Kind = 7
	KindTypedef   Kind = 8
	KindVolatile  Kind = 9
	KindConst     Kind = 10
	KindRestrict  Kind = 11
	KindFunc      Kind = 12
	KindFuncProto Kind = 13
	KindVar       Kind = 14
	KindDatasec   Kind = 15
	KindFloat     Kind = 16
	KindDeclTag   Kind = 17
	KindTypeTag   Kind = 18
	KindEnum64    Kind = 19

	// KindInvalid is what Kind answers for an id that is out of range.
	KindInvalid Kind = 0xff

	lastKind = KindEnum64
)

var kindNames = [...]string{
	"VOID", "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "TYPEDEF",
	"VOLATILE", "CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR", "DATASEC",
	"FLOAT", "DECL_TAG", "TYPE_TAG", "ENUM64",
}

// String is the kind as bpftool prints it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	if k == KindInvalid {
		return "INVALID"
	}
	return fmt.Sprintf("KIND_%d", uint8(k))
}

// IsComposite tells structs and unions.
func (k Kind) IsComposite() bool { return k == KindStruct || k == KindUnion }

// IsEnum tells both widths of enum.
func (k Kind) IsEnum() bool { return k == KindEnum || k == KindEnum64 }

// IsModifier tells the kinds that change nothing about a value's layout and
// that CO-RE looks through, typedefs included.
func (k Kind) IsModifier() bool {
	switch k {
	case KindTypedef, KindVolatile, KindConst, KindRestrict, KindTypeTag:
		return true
	}
	return false
}

// A record is a header of headerSize bytes, then fixedSize[kind] bytes, then
// vlen times itemSize[kind] bytes. The tables have 128 entries because a kind
// has 7 bits, which spares the hot loop its bounds checks.
const headerSize = 12

var fixedSize = [128]uint8{
	KindInt:     4,
	KindArray:   12,
	KindVar:     4,
	KindDeclTag: 4,
}

var itemSize = [128]uint8{
	KindStruct:    12,
	KindUnion:     12,
	KindEnum:      8,
	KindFuncProto: 8,
	KindDatasec:   12,
	KindEnum64:    12,
}

// IntEncoding is the set of flags of an INT.
type IntEncoding uint8

// The flags of an INT.
const (
	Signed IntEncoding = 1
	Char   IntEncoding = 2
	Bool   IntEncoding = 4
)

// Linkages of FUNC and VAR.
const (
	LinkageStatic uint32 = 0
	LinkageGlobal uint32 = 1
	LinkageExtern uint32 = 2
)

// Int is what an INT has beside its name and size. The bit offset is a relic
// of compilers that encoded bitfields in the integer's type.
type Int struct {
	Encoding  IntEncoding
	BitOffset uint8
	Bits      uint8
}

// Array is what an ARRAY has.
type Array struct {
	Elem   ID
	Index  ID
	Nelems uint32
}

// Member is a member of a struct or union. BitOffset is from the start of the
// struct. BitSize is 0 but for bitfields of a struct whose kind flag is set;
// a legacy bitfield has its size in the INT that it refers to.
type Member struct {
	NameOff   uint32
	Type      ID
	BitOffset uint32
	BitSize   uint32
}

// Enumerator is a value of an ENUM or ENUM64. A 32-bit value is sign-extended
// where the enum says that it is signed, and zero-extended otherwise.
type Enumerator struct {
	NameOff uint32
	Value   uint64
}

// Param is a parameter of a FUNC_PROTO. A last one of type 0 without a name
// means variable arguments.
type Param struct {
	NameOff uint32
	Type    ID
}

// Secinfo is a variable of a DATASEC; Offset and Size are in bytes.
type Secinfo struct {
	Type   ID
	Offset uint32
	Size   uint32
}
