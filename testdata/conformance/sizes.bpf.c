/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, existence and signedness of fields. */
#include "conformance.h"

RELOCATED_TYPES
struct nested { int a; };
enum e { E_A };
struct sized {
	int int_grows; __u64 int_shrinks; void *ptr; struct nested nested; int array[3];
	enum e enumeration; enum e became64; float f; bool b; char c;
	int to_unsigned; unsigned to_signed; long gone; int changed_kind;
	struct { int in_anon; };
	enum { S_POS = 1 } enum_to_signed;
	enum { S_NEG = -1 } enum_to_unsigned;
	__be32 typedefed;
	unsigned char uchar;
};
struct lost { int a; };
END_RELOCATED_TYPES

#define S struct sized
// libbpf: byte_sz 4 -> 8
CASE(size_int_grows) { return SIZE(S, int_grows); }
// libbpf: byte_sz 8 -> 1
CASE(size_int_shrinks) { return SIZE(S, int_shrinks); }
// libbpf: byte_sz 8 -> 8
CASE(size_pointer) { return SIZE(S, ptr); }
// libbpf: byte_sz 4 -> 16
CASE(size_struct) { return SIZE(S, nested); }
// libbpf: byte_sz 12 -> 20
CASE(size_array) { return SIZE(S, array); }
// libbpf: byte_sz 4 -> 4
CASE(size_enum) { return SIZE(S, enumeration); }
// libbpf: byte_sz 4 -> 8
CASE(size_enum_became_64) { return SIZE(S, became64); }
// libbpf: byte_sz 4 -> 8
CASE(size_float) { return SIZE(S, f); }
// libbpf: byte_sz 1 -> 1
CASE(size_bool) { return SIZE(S, b); }
// libbpf: byte_sz 4 -> 8
CASE(size_typedef) { return SIZE(S, typedefed); }
// libbpf: byte_sz 8 -> poison
CASE(size_gone) { return SIZE(S, gone); }
// libbpf: byte_sz 4 -> poison (an incompatible type is no match)
CASE(size_changed_kind) { return SIZE(S, changed_kind); }
// libbpf: byte_sz 4 -> poison
CASE(size_type_lost) { return SIZE(struct lost, a); }
// libbpf: field_exists 1 -> 1
CASE(exists) { return EXISTS(S, int_grows); }
// libbpf: field_exists 1 -> 0
CASE(exists_gone) { return EXISTS(S, gone); }
// libbpf: field_exists 1 -> 0 (an incompatible type is no match)
CASE(exists_changed_kind) { return EXISTS(S, changed_kind); }
// libbpf: field_exists 1 -> 0
CASE(exists_type_lost) { return EXISTS(struct lost, a); }
// libbpf: field_exists 1 -> 1
CASE(exists_in_anonymous) { return EXISTS(S, in_anon); }
// libbpf: field_exists 1 -> 1
CASE(exists_nested) { return EXISTS(S, nested.a); }
// libbpf: signed 1 -> 1
CASE(signed_same) { return SIGNED(S, int_grows); }
// libbpf: signed 1 -> 0
CASE(signed_to_unsigned) { return SIGNED(S, to_unsigned); }
// libbpf: signed 0 -> 1
CASE(signed_to_signed) { return SIGNED(S, to_signed); }
// libbpf: signed 1 -> 0 (the compiler's char is signed)
CASE(signed_char) { return SIGNED(S, c); }
// libbpf: signed 0 -> 1
CASE(signed_uchar) { return SIGNED(S, uchar); }
// libbpf: signed 0 -> 0
CASE(signed_bool) { return SIGNED(S, b); }
// libbpf: signed 0 -> 0 (an enum without negative values)
CASE(signed_enum) { return SIGNED(S, enumeration); }
// libbpf: signed 0 -> 1
CASE(signed_enum_to_signed) { return SIGNED(S, enum_to_signed); }
// libbpf: signed 1 -> 0
CASE(signed_enum_to_unsigned) { return SIGNED(S, enum_to_unsigned); }
// libbpf: signed 1 -> poison
CASE(signed_gone) { return SIGNED(S, gone); }
// libbpf: lshift_u64 32 -> 0 (an ordinary field: 64 less its bits)
CASE(lshift_int) { return LSHIFT(S, int_grows); }
// libbpf: rshift_u64 32 -> 0
CASE(rshift_int) { return RSHIFT(S, int_grows); }
// libbpf: lshift_u64 0 -> 56
CASE(lshift_u64_shrinks) { return LSHIFT(S, int_shrinks); }
// libbpf: rshift_u64 56 -> 56
CASE(rshift_bool) { return RSHIFT(S, b); }
// libbpf: lshift_u64 0 -> poison
CASE(lshift_gone) { return LSHIFT(S, gone); }
// libbpf: rshift_u64 0 -> poison
CASE(rshift_gone) { return RSHIFT(S, gone); }
