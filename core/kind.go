package core

import "fmt"

// Kind is the kind of a relocation: enum bpf_core_relo_kind.
type Kind uint32

// The kinds.
const (
	FieldByteOffset Kind = iota
	FieldByteSize
	FieldExists
	FieldSigned
	FieldLShiftU64
	FieldRShiftU64
	TypeIDLocal
	TypeIDTarget
	TypeExists
	TypeSize
	EnumvalExists
	EnumvalValue
	TypeMatches

	numKinds
)

var kindNames = [numKinds]string{
	"byte_off", "byte_sz", "field_exists", "signed", "lshift_u64", "rshift_u64",
	"local_type_id", "target_type_id", "type_exists", "type_size",
	"enumval_exists", "enumval_value", "type_matches",
}

// String is the kind as libbpf prints it.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("unknown(%d)", uint32(k))
}

// isField tells the kinds whose access string is a path to a field.
func (k Kind) isField() bool { return k <= FieldRShiftU64 }

// isEnumval tells the kinds whose access string is the index of an enumerator.
func (k Kind) isEnumval() bool { return k == EnumvalExists || k == EnumvalValue }

// isType tells the kinds that are about a type as a whole.
func (k Kind) isType() bool {
	return k >= TypeIDLocal && k <= TypeSize || k == TypeMatches
}

// asksExistence tells the kinds whose answer is yes or no.
func (k Kind) asksExistence() bool {
	return k == FieldExists || k == TypeExists || k == EnumvalExists || k == TypeMatches
}
