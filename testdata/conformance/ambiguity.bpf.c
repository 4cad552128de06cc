/* SPDX-License-Identifier: Apache-2.0 */
/* Several candidates of one name: those that match must agree. */
#include "conformance.h"

RELOCATED_TYPES
struct differ { int a; };
struct agree { int a; long b; };
struct one_matches { int a; int b; };
struct offset_agrees_size_differs { int a; };
struct width_differs { __u32 a; };
struct none_matches { int a; };
struct sign_differs { int a; };
struct bits_differ { unsigned a : 3; unsigned b : 4; };
struct reloc_value_differs { int x; int a[4]; };
struct kind_differs { int a; };
struct incompatible_other { int a; };
struct three { int a; };
struct several { int a; int b; };
struct too_wide_in_one { int a; };
struct fresh { int a; int b; };
struct fresh___again { int a; int b; };
END_RELOCATED_TYPES
enum values_differ { E_A = 1, E_ONLY_ONE, E_SAME };
typedef int td_differs;
typedef struct agree td_agrees;

// libbpf: error: field offset ambiguity: 64 != 0 (offset 0 in one, 8 in the other)
CASE(offsets_differ) { return OFFSET(struct differ, a); }
// libbpf: byte_off 0 -> 4 (both at 4)
CASE(offsets_agree) { return OFFSET(struct agree, a); }
// libbpf: error: field offset ambiguity: 128 != 64 (agree on one field, not on another)
CASE(offsets_of_other_field) { return OFFSET(struct agree, b); }
// libbpf: byte_off 4 -> 12 (only one has it)
CASE(one_matches) { return OFFSET(struct one_matches, b); }
// libbpf: error: field offset ambiguity: 64 != 0 (both have it, at different offsets)
CASE(one_matches_not) { return OFFSET(struct one_matches, a); }
// libbpf: byte_off 0 -> 4 (same offset; the size differs but is not asked)
CASE(offset_agrees) { return OFFSET(struct offset_agrees_size_differs, a); }
// libbpf: error: relocation decision ambiguity: success 2 != success 4 (the size is asked)
CASE(size_differs) { return SIZE(struct offset_agrees_size_differs, a); }
// libbpf: byte_off 0 -> 4 (a load: same offset, another width; the first candidate's width is taken)
CASE(load_width_differs) { return LOAD(struct width_differs, a); }
// libbpf: byte_off 0 -> poison
CASE(none_matches) { return OFFSET(struct none_matches, a); }
// libbpf: field_exists 1 -> 0
CASE(none_exists) { return EXISTS(struct none_matches, a); }
// libbpf: error: field offset ambiguity: 64 != 0 (existence: offsets must agree nevertheless)
CASE(exists_offsets_differ) { return EXISTS(struct differ, a); }
// libbpf: field_exists 1 -> 1
CASE(exists_offsets_agree) { return EXISTS(struct agree, a); }
// libbpf: field_exists 1 -> 1
CASE(exists_in_one) { return EXISTS(struct one_matches, b); }
// libbpf: error: relocation decision ambiguity: success 0 != success 1 (same offset, another sign)
CASE(sign_differs) { return SIGNED(struct sign_differs, a); }
// libbpf: error: relocation decision ambiguity: success 58 != success 59 (same bit, another width)
CASE(bits_rshift_differs) { return RSHIFT(struct bits_differ, a); }
// libbpf: error: field offset ambiguity: 6 != 5 (another bit of the same byte)
CASE(bits_offset_differs) { return OFFSET(struct bits_differ, b); }
// libbpf: error: field offset ambiguity: 64 != 96 (an element)
CASE(element_differs) { return OFFSET(struct reloc_value_differs, a[2]); }
// libbpf: byte_off 4 -> 4 (the array itself)
CASE(element_agrees) { return OFFSET(struct reloc_value_differs, a); }
// libbpf: byte_off 0 -> 4 (a union of the name is no candidate; cilium/ebpf takes it for one)
CASE(kind_differs) { return OFFSET(struct kind_differs, a); }
// libbpf: byte_off 0 -> 4 (the other's member is incompatible)
CASE(incompatible_other) { return OFFSET(struct incompatible_other, a); }
// libbpf: error: field offset ambiguity: 64 != 32 (two agree, the third differs)
CASE(third_differs) { return OFFSET(struct three, a); }
// libbpf: error: can't be satisfied for bitfield (one candidate's bitfield cannot be loaded: an error, though the other would do)
CASE(too_wide_in_one) { return OFFSET(struct too_wide_in_one, a); }
// libbpf: type_exists 1 -> 1 (both exist)
CASE(type_exists) { return TYPE_EXISTS(struct differ); }
// libbpf: error: relocation decision ambiguity: success 16 != success 4
CASE(type_size_differs) { return TYPE_SIZE(struct differ); }
// libbpf: error: relocation decision ambiguity: success 24 != success 16
CASE(type_size_agrees) { return TYPE_SIZE(struct agree); }
// libbpf: error: relocation decision ambiguity: success 9 != success 7 (two types have two ids)
CASE(type_id_differs) { return TYPE_ID_TARGET(struct agree); }
// libbpf: type_matches 1 -> 1 (one of the two matches)
CASE(type_matches_one) { return TYPE_MATCHES(struct one_matches); }
// libbpf: type_matches 1 -> 1
CASE(type_matches_both) { return TYPE_MATCHES(struct agree); }
// libbpf: error: relocation decision ambiguity: success 11 != success 10
CASE(enum_value_differs) { return ENUM_VALUE(enum values_differ, E_A); }
// libbpf: enumval_value 2 -> 7
CASE(enum_value_in_one) { return ENUM_VALUE(enum values_differ, E_ONLY_ONE); }
// libbpf: enumval_value 3 -> 5
CASE(enum_value_agrees) { return ENUM_VALUE(enum values_differ, E_SAME); }
// libbpf: enumval_exists 1 -> 1
CASE(enum_exists_in_both) { return ENUM_EXISTS(enum values_differ, E_A); }
// libbpf: type_size 4 -> 8 (one int, one struct: only the int is compatible)
CASE(typedef_one_compatible) { return TYPE_SIZE(td_differs); }
// libbpf: byte_off 4 -> 8 (b is in the second candidate only)
CASE(several_second) { return OFFSET(struct several, b); }
// libbpf: byte_off 0 -> 0 (a is in both)
CASE(several_both) { return OFFSET(struct several, a); }
// libbpf: byte_off 4 -> 12; error: field offset ambiguity: 64 != 32 (the local types of two flavors are two: what one drops the other keeps)
CASE(flavors_narrow_apart) { return OFFSET(struct fresh, b) + OFFSET(struct fresh___again, a); }
