/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays: bounds, dimensions, elements, whole arrays. */
#include "conformance.h"

RELOCATED_TYPES
struct elem { int k; int v; };
struct arrays {
	int plain[8];
	struct elem structs[4];
	int two[4][6];
	int became_scalar[2];
	int scalar_became;
	int *pointer_became;
	int became_pointer[2];
	char narrower[4];
	float floats[4];
	struct { int in_anon[4]; };
};
END_RELOCATED_TYPES

// libbpf: byte_off 12 -> 16 (an index within the target's bounds)
CASE(element) { return OFFSET(struct arrays, plain[3]); }
// libbpf: byte_off 16 -> 20 (the last element)
CASE(element_last) { return OFFSET(struct arrays, plain[4]); }
// libbpf: byte_off 20 -> poison (one behind the target's last)
CASE(element_out_of_bounds) { return OFFSET(struct arrays, plain[5]); }
// libbpf: byte_off 0 -> 4 (the array itself; its size may differ)
CASE(whole_array) { return OFFSET(struct arrays, plain); }
// libbpf: byte_sz 32 -> 20 (the size of a whole array)
CASE(whole_array_size) { return SIZE(struct arrays, plain); }
// libbpf: byte_sz 8 -> 16 (the size of an element)
CASE(element_size) { return SIZE(struct arrays, structs[1]); }
// libbpf: byte_off 52 -> 68 (an element's member: the index counts in the target's element size)
CASE(element_member) { return OFFSET(struct arrays, structs[2].v); }
// libbpf: byte_off 60 -> poison (outside)
CASE(element_member_out_of_bounds) { return OFFSET(struct arrays, structs[3].v); }
// libbpf: byte_off 124 -> 124 (two dimensions)
CASE(two_dimensions) { return OFFSET(struct arrays, two[2][3]); }
// libbpf: byte_off 108 -> poison (the inner bound is checked as well)
CASE(two_dimensions_inner_bound) { return OFFSET(struct arrays, two[1][5]); }
// libbpf: byte_off 136 -> poison (the outer bound)
CASE(two_dimensions_outer_bound) { return OFFSET(struct arrays, two[3][0]); }
// libbpf: byte_off 112 -> 112 (a row)
CASE(two_dimensions_row) { return OFFSET(struct arrays, two[2]); }
// libbpf: byte_sz 24 -> 20 (a row's size)
CASE(two_dimensions_row_size) { return SIZE(struct arrays, two[2]); }
// libbpf: byte_off 160 -> poison (an array and an int are not compatible)
CASE(array_became_scalar) { return OFFSET(struct arrays, became_scalar); }
// libbpf: byte_off 168 -> poison (nor an int and an array)
CASE(scalar_became_array) { return OFFSET(struct arrays, scalar_became); }
// libbpf: byte_off 176 -> poison (nor a pointer and an array)
CASE(pointer_became_array) { return OFFSET(struct arrays, pointer_became); }
// libbpf: byte_off 184 -> poison (nor an array and a pointer)
CASE(array_became_pointer) { return OFFSET(struct arrays, became_pointer); }
// libbpf: byte_off 194 -> 164 (ints of any width are compatible; the target's width counts)
CASE(element_widened) { return OFFSET(struct arrays, narrower[2]); }
// libbpf: byte_off 204 -> 184 (floats)
CASE(element_float) { return OFFSET(struct arrays, floats[2]); }
// libbpf: byte_off 216 -> 208 (an array in an anonymous struct)
CASE(in_anonymous) { return OFFSET(struct arrays, in_anon[1]); }
// libbpf: field_exists 1 -> 1 (existence of an element)
CASE(element_exists) { return EXISTS(struct arrays, plain[4]); }
// libbpf: field_exists 1 -> 0 (an element that does not exist)
CASE(element_exists_not) { return EXISTS(struct arrays, plain[5]); }
// libbpf: error: can't be applied to array access (signedness cannot be asked of an element)
CASE(element_signed) { return SIGNED(struct arrays, plain[3]); }
// libbpf: error: can't be applied to array access (nor a shift)
CASE(element_lshift) { return LSHIFT(struct arrays, plain[3]); }
// libbpf: error: can't be applied to array access (nor the other)
CASE(element_rshift) { return RSHIFT(struct arrays, plain[3]); }
// libbpf: byte_off 44 -> 52 (a load of an element)
CASE(element_load) { return LOAD(struct arrays, structs[1].v); }
