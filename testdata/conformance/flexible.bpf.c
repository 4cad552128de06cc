/* SPDX-License-Identifier: Apache-2.0 */
/* Flexible arrays: an index out of bounds is allowed if the array is a named
 * member, holds no elements, and is the last one of its struct. */
#include "conformance.h"

RELOCATED_TYPES
struct last { int n; int f[]; };
struct zero { int n; int f[0]; };
struct one { int n; int f[1]; };
struct sized { int n; int f[8]; };
struct not_last { int n; int f[4]; int after; };
struct local_not_last { int n; struct { int f[0]; int after; }; };
struct behind_anon { int n; struct { int f[4]; }; };
struct behind_anon_not_last { int n; struct { int f[4]; }; int after; };
struct inner { int k; int f[4]; };
struct nested_last { int n; struct inner in; };
struct nested_not_last { int n; struct inner in; int after; };
union in_union { int n; int f[4]; };
union in_union_not_last { int f[4]; int n; };
struct two_dims { int n; int f[4][4]; };
struct of_structs { int n; struct inner f[4]; };
END_RELOCATED_TYPES

// libbpf: byte_off 4 -> 8 (flexible in both)
CASE(last_element) { return OFFSET(struct last, f[0]); }
// libbpf: byte_off 404 -> 408 (any index)
CASE(last_element_far) { return OFFSET(struct last, f[100]); }
// libbpf: byte_sz 0 -> 0 (the whole array, of no size)
CASE(last_size) { return SIZE(struct last, f); }
// libbpf: byte_off 20 -> 24 (flexible here, five elements there: within)
CASE(zero_within) { return OFFSET(struct zero, f[4]); }
// libbpf: byte_off 24 -> poison (and outside)
CASE(zero_outside) { return OFFSET(struct zero, f[5]); }
// libbpf: byte_off 4 -> 8 (one element in the target: an ordinary array)
CASE(one_first) { return OFFSET(struct one, f[0]); }
// libbpf: byte_off 8 -> poison (so the second is out of bounds)
CASE(one_second) { return OFFSET(struct sized, f[1]); }
// libbpf: byte_off 4 -> poison (no elements but not the last member, first index)
CASE(not_last_first) { return OFFSET(struct not_last, f[0]); }
// libbpf: byte_off 8 -> poison (second index)
CASE(not_last_second) { return OFFSET(struct not_last, f[1]); }
// libbpf: error: parsing struct local_not_last + 0:1:0:1 failed: -22 (the local array is checked by the same rule: not the last here)
CASE(local_is_not_last) { return OFFSET(struct local_not_last, f[1]); }
// libbpf: byte_off 12 -> 20 (the last of an anonymous struct that is the last)
CASE(anonymous_last) { return OFFSET(struct behind_anon, f[2]); }
// libbpf: byte_off 12 -> 20 (last of its own struct counts, though the anonymous struct is not the last)
CASE(anonymous_not_last) { return OFFSET(struct behind_anon_not_last, f[2]); }
// libbpf: byte_off 16 -> 24 (last of a nested struct)
CASE(nested_is_last) { return OFFSET(struct nested_last, in.f[2]); }
// libbpf: byte_off 16 -> 24 (the same, with members behind the struct)
CASE(nested_is_not_last) { return OFFSET(struct nested_not_last, in.f[2]); }
// libbpf: byte_off 8 -> 8 (last of a union)
CASE(union_last) { return OFFSET(union in_union, f[2]); }
// libbpf: byte_off 8 -> poison (not the last of a union)
CASE(union_not_last) { return OFFSET(union in_union_not_last, f[2]); }
// libbpf: byte_off 40 -> 36 (two dimensions: only the outer is directly a member)
CASE(two_dimensions) { return OFFSET(struct two_dims, f[2][1]); }
// libbpf: byte_off 48 -> poison (the inner bound holds)
CASE(two_dimensions_inner) { return OFFSET(struct two_dims, f[2][3]); }
// libbpf: byte_off 64 -> 32 (elements that are structs)
CASE(struct_element) { return OFFSET(struct of_structs, f[3].k); }
// libbpf: field_exists 1 -> 1 (existence)
CASE(exists_far) { return EXISTS(struct last, f[100]); }
// libbpf: field_exists 1 -> 0 (existence out of bounds)
CASE(exists_not) { return EXISTS(struct not_last, f[1]); }
