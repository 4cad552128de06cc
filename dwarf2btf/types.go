package dwarf2btf

import "github.com/btfgen/btfgen/btf"

// Kinds beside those of BTF.
const (
	kindVoid  = btf.Kind(0)
	kindAlias = btf.Kind(100 + iota) // stands for the type that it refers to
	kindName                         // a class only: a named type, whichever
)

// typ is a type as a unit has it, decoded and flat: no pointers, so that there is
// nothing for the garbage collector to look through.
type typ struct {
	at    place
	name  uint32 // a place among the strings, 0: none
	ref   place  // the type that it refers to, 0: void
	size  uint32 // bytes; of an array elements; of a declaration tag the member, or -1
	hash  uint64 // of the name
	first int32  // of its items, -1: none
	last  int32
	n     uint32 // how many items
	kind  btf.Kind
	flags uint8
}

const (
	flagDeclared = 1 << iota // a struct, union or enum that is declared only
	flagSigned
	flagBool
	flagUnsized // a struct or union whose size is not said, or not constant
	flagZero    // one of its dimensions is 0
	flagHuge    // more than 32 bits can tell
	flagVarargs
	flagStruct // a FWD of a struct, not of a union
)

// item is a member, an enumerator or a parameter.
type item struct {
	name  uint32
	ref   place
	value uint64 // a member's offset in bits, an enumerator's value
	next  int32  // of the same type, -1: none
	bits  uint8  // a bitfield's size, 0: none
	flags uint8
}

// Flags whose bits have another meaning for other kinds.
const (
	flagOfFunction = flagDeclared // a prototype that is no type of the program's own
	flagGlobal     = flagSigned   // a variable
)

const (
	// The offset is without the size of the bitfield's storage, which is its
	// type's: DWARF 2 and 3 on little-endian machines.
	itemAddStorage = 1 << iota
)

// named tells whether references to the type are by kind and name.
func (t *typ) named() bool {
	if t.name == 0 {
		return false
	}
	switch t.kind {
	case btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindEnum64:
		return true
	}
	return false
}

// isOfFunction tells a prototype that a function has for itself.
func (t *typ) isOfFunction() bool {
	return t.kind == btf.KindFuncProto && t.flags&flagOfFunction != 0
}

// kindOf maps tags to kinds, but for base types and tags.
func kindOf(tag uint16) btf.Kind {
	switch tag {
	case tagPointerType, tagReferenceType, tagRvalueReferenceType, tagPtrToMemberType:
		return btf.KindPtr
	case tagConstType:
		return btf.KindConst
	case tagVolatileType:
		return btf.KindVolatile
	case tagRestrictType:
		return btf.KindRestrict
	case tagTypedef:
		return btf.KindTypedef
	case tagStructureType, tagClassType, tagInterfaceType:
		return btf.KindStruct
	case tagUnionType:
		return btf.KindUnion
	case tagEnumerationType:
		return btf.KindEnum
	case tagArrayType:
		return btf.KindArray
	case tagSubroutineType:
		return btf.KindFuncProto
	case tagUnspecifiedType:
		return kindVoid
	}
	// _Atomic and the like: BTF has no word for them. pahole 1.24 makes them void,
	// later ones what they qualify.
	return kindAlias
}
