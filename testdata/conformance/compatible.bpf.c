/* SPDX-License-Identifier: Apache-2.0 */
/* Field compatibility, kind against kind. */
#include "conformance.h"

RELOCATED_TYPES
struct s { int x; };
struct s___other { int x; };
enum e { E_A };
enum e___fl { EF_A };
enum f { F_A };
struct kinds {
	int wider; __u64 narrower; int unsigned_there; unsigned signed_there;
	bool from_bool; char from_char; __u8 to_bool;
	struct s *ptr_to_other; int *ptr_to_int; struct s *ptr_became_int; int int_became_ptr;
	float float_wider; float float_became_int; int int_became_float;
	enum e same_enum; enum e___fl flavored_enum; enum f other_enum;
	enum { ANON_A } anon_here; enum e anon_there; enum e became_enum64;
	int int_became_enum; enum e enum_became_int;
	struct s to_union; struct s to_other_struct; struct s to_int; int to_struct;
	struct s to_array[2]; __u32 via_typedef; int via_chain; const int via_const;
	int (*fn)(int); int (*fn_became_ptr)(int);
	enum e enum_array[2]; enum f enum_array_other[2]; struct s *ptr_array[2];
	__int128 huge;
};
END_RELOCATED_TYPES

// libbpf: byte_off 0 -> 8 (ints of any width)
CASE(int_wider) { return OFFSET(struct kinds, wider); }
// libbpf: byte_off 8 -> 16 (or narrower)
CASE(int_narrower) { return OFFSET(struct kinds, narrower); }
// libbpf: byte_off 16 -> 20 (and of any sign)
CASE(int_unsigned) { return OFFSET(struct kinds, unsigned_there); }
// libbpf: byte_off 20 -> 24 (the other way)
CASE(int_signed) { return OFFSET(struct kinds, signed_there); }
// libbpf: byte_off 24 -> 28 (bool is an int)
CASE(from_bool) { return OFFSET(struct kinds, from_bool); }
// libbpf: byte_off 25 -> 32 (and char)
CASE(from_char) { return OFFSET(struct kinds, from_char); }
// libbpf: byte_off 26 -> 33 (an int became a bool)
CASE(to_bool) { return OFFSET(struct kinds, to_bool); }
// libbpf: byte_off 32 -> 40 (pointers, whatever they point to)
CASE(pointer_to_other) { return OFFSET(struct kinds, ptr_to_other); }
// libbpf: byte_off 40 -> 48 (even to void)
CASE(pointer_to_void) { return OFFSET(struct kinds, ptr_to_int); }
// libbpf: byte_off 48 -> poison (a pointer is not an int)
CASE(pointer_became_int) { return OFFSET(struct kinds, ptr_became_int); }
// libbpf: byte_off 56 -> poison (nor an int a pointer)
CASE(int_became_pointer) { return OFFSET(struct kinds, int_became_ptr); }
// libbpf: byte_off 60 -> 72 (floats of any width)
CASE(float_wider) { return OFFSET(struct kinds, float_wider); }
// libbpf: byte_off 64 -> poison (a float is not an int)
CASE(float_became_int) { return OFFSET(struct kinds, float_became_int); }
// libbpf: byte_off 68 -> poison (nor an int a float)
CASE(int_became_float) { return OFFSET(struct kinds, int_became_float); }
// libbpf: byte_off 72 -> 88 (an enum of the same name)
CASE(enum_same) { return OFFSET(struct kinds, same_enum); }
// libbpf: byte_off 76 -> 92 (names are compared by their essence)
CASE(enum_flavored) { return OFFSET(struct kinds, flavored_enum); }
// libbpf: byte_off 80 -> poison (another name)
CASE(enum_other) { return OFFSET(struct kinds, other_enum); }
// libbpf: byte_off 84 -> 100 (no name here)
CASE(enum_anonymous_here) { return OFFSET(struct kinds, anon_here); }
// libbpf: byte_off 88 -> 104 (no name there)
CASE(enum_anonymous_there) { return OFFSET(struct kinds, anon_there); }
// libbpf: byte_off 92 -> 112 (enum and enum64 count as one)
CASE(enum_became_enum64) { return OFFSET(struct kinds, became_enum64); }
// libbpf: byte_off 96 -> poison (an int is no enum)
CASE(int_became_enum) { return OFFSET(struct kinds, int_became_enum); }
// libbpf: byte_off 100 -> poison (nor an enum an int)
CASE(enum_became_int) { return OFFSET(struct kinds, enum_became_int); }
// libbpf: byte_off 104 -> 128 (struct and union are compatible)
CASE(struct_became_union) { return OFFSET(struct kinds, to_union); }
// libbpf: byte_off 108 -> 136 (names of structs are not compared)
CASE(struct_became_other) { return OFFSET(struct kinds, to_other_struct); }
// libbpf: byte_off 112 -> poison (a struct is no int)
CASE(struct_became_int) { return OFFSET(struct kinds, to_int); }
// libbpf: byte_off 116 -> poison (nor an int a struct)
CASE(int_became_struct) { return OFFSET(struct kinds, to_struct); }
// libbpf: byte_off 120 -> 152 (arrays of other structs)
CASE(array_of_other) { return OFFSET(struct kinds, to_array); }
// libbpf: byte_off 128 -> 176 (a typedef there)
CASE(typedef_there) { return OFFSET(struct kinds, via_typedef); }
// libbpf: byte_off 132 -> 180 (a chain of typedefs and modifiers there)
CASE(typedef_chain_there) { return OFFSET(struct kinds, via_chain); }
// libbpf: byte_off 136 -> 184 (const here, volatile there)
CASE(modifiers_differ) { return OFFSET(struct kinds, via_const); }
// libbpf: byte_off 144 -> 192 (pointers to functions of other prototypes)
CASE(function_pointer) { return OFFSET(struct kinds, fn); }
// libbpf: byte_off 152 -> 200 (or to no function)
CASE(function_pointer_became_pointer) { return OFFSET(struct kinds, fn_became_ptr); }
// libbpf: byte_off 160 -> 208 (arrays of enums of the same name)
CASE(array_of_enum) { return OFFSET(struct kinds, enum_array); }
// libbpf: byte_off 168 -> poison (arrays of enums of another)
CASE(array_of_other_enum) { return OFFSET(struct kinds, enum_array_other); }
// libbpf: byte_off 176 -> 232 (arrays of pointers)
CASE(array_of_pointers) { return OFFSET(struct kinds, ptr_array); }
// libbpf: byte_off 192 -> 272 (an int of 16 bytes)
CASE(int_of_16_bytes) { return OFFSET(struct kinds, huge); }
