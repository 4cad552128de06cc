/* SPDX-License-Identifier: Apache-2.0 */
/* Essential names: up to the last ___ that has another character on both sides. */
#include "conformance.h"

RELOCATED_TYPES
struct task { int a; };
struct task___v1 { int old; };
struct task___v2 { int fresh; };
struct task___v1___again { int fresh; };
struct from_flavor { int a; };
struct from_flavor___mine { int a; };
struct ___lead { int a; };
struct trail___ { int a; };
struct four____x { int a; };
struct five_____x { int a; };
struct member_flavor { int a___x; };
struct member_flavor___y { int a; };
struct only___here { int a; };
union un___f { int a; };
typedef struct { int a; } td___f;
END_RELOCATED_TYPES
enum en___f { EN_A___f, EN_B };
typedef int num___f;

// libbpf: byte_off 0 -> 8 (no flavor)
CASE(plain) { return ADDRESS(struct task, a); }
// libbpf: byte_off 0 -> poison (a flavor whose field is gone)
CASE(flavor_of_old) { return ADDRESS(struct task___v1, old); }
// libbpf: byte_off 0 -> 12 (a flavor whose field is there)
CASE(flavor_of_new) { return ADDRESS(struct task___v2, fresh); }
// libbpf: byte_off 0 -> poison (only the last ___ divides: the essential name is task___v1, which the target has not; its flavors neither)
CASE(flavor_twice) { return ADDRESS(struct task___v1___again, fresh); }
// libbpf: byte_off 0 -> 8 (only the target is a flavor)
CASE(target_flavor) { return ADDRESS(struct from_flavor, a); }
// libbpf: byte_off 0 -> 8 (both are, and differ in their flavor)
CASE(both_flavors) { return ADDRESS(struct from_flavor___mine, a); }
// libbpf: byte_off 0 -> 8 (nothing stands before ___: part of the name)
CASE(leading) { return ADDRESS(struct ___lead, a); }
// libbpf: byte_off 0 -> 8 (nothing stands behind ___: part of the name)
CASE(trailing) { return ADDRESS(struct trail___, a); }
// libbpf: byte_off 0 -> 16 (four: a _ on one side, not a flavor)
CASE(four_underscores) { return ADDRESS(struct four____x, a); }
// libbpf: byte_off 0 -> 16 (five: no ___ with another character on both sides)
CASE(five_underscores) { return ADDRESS(struct five_____x, a); }
// libbpf: byte_off 0 -> poison (members' names have no flavors)
CASE(member_name_here) { return ADDRESS(struct member_flavor, a___x); }
// libbpf: byte_off 0 -> 8 (nor those of the target)
CASE(member_name_there) { return ADDRESS(struct member_flavor___y, a); }
// libbpf: type_exists 1 -> 1 (the target has the essential name alone)
CASE(flavor_exists) { return TYPE_EXISTS(struct only___here); }
// libbpf: byte_off 0 -> 0 (unions)
CASE(union_flavor) { return ADDRESS(union un___f, a); }
// libbpf: byte_off 0 -> 8 (typedefs)
CASE(typedef_flavor) { return ADDRESS(td___f, a); }
// libbpf: type_size 4 -> 8 (typedefs of ints)
CASE(typedef_int_flavor) { return TYPE_SIZE(num___f); }
// libbpf: enumval_value 0 -> 8 (enums, and enumerators are compared by essential name as well)
CASE(enumerator_flavor) { return ENUM_VALUE(enum en___f, EN_A___f); }
// libbpf: enumval_value 1 -> 9 (the target's enumerator is a flavor)
CASE(enumerator_target_flavor) { return ENUM_VALUE(enum en___f, EN_B); }
