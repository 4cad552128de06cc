/* SPDX-License-Identifier: Apache-2.0 */
/* Enumerators: value and existence, 32 and 64 bits, signs, flavors, typedefs. */
#include "conformance.h"

enum u32 { U_A = 1, U_GONE = 2, U_BIG = 0x80000000, U_FLAVOR___x = 4 };
enum s32 { S_NEG = -1, S_POS = 1, S_MIN = -2147483647 - 1 };
enum became_big { BB_A = 1 };
enum u64 { L_A = 1ULL << 40, L_MAX = 0xffffffffffffffffULL, L_SMALL = 3 };
enum s64 { M_NEG = -(1LL << 40), M_MINUS = -1 };
enum grew { G_A = 1, G_BIG = 2 };
enum shrank { H_A = 1ULL << 40, H_B };
enum to_signed { T_A = 7 };
enum lost { X_A };
enum became_struct { Y_A };
typedef enum { TD_A = 1, TD_GONE } td;
typedef enum u32 td_named;
enum { ANON_A = 3 };
enum two_enumerators { TWO___one = 1, TWO___two = 2 };
enum u32___mine { U_A___mine = 9 };

// libbpf: enumval_value 1 -> 11
CASE(value) { return ENUM_VALUE(enum u32, U_A); }
// libbpf: enumval_value 2 -> poison
CASE(value_gone) { return ENUM_VALUE(enum u32, U_GONE); }
// libbpf: enumval_value -2147483648 -> -2147483647; error: unexpected insn #0 (LDIMM64) value: got 2147483648, exp 18446744071562067968 -> 18446744071562067969 (unsigned, the highest bit set: clang records 0x80000000, libbpf sign-extends and finds the instruction unexpected; cilium/ebpf does neither)
CASE(value_unsigned_big) { return ENUM_VALUE(enum u32, U_BIG); }
// libbpf: enumval_value 1 -> -2147483647 (unsigned there, the highest bit set: sign-extended to 64 bits; cilium/ebpf extends by zero)
CASE(value_became_big) { return ENUM_VALUE(enum became_big, BB_A); }
// libbpf: enumval_value 4 -> 44 (an enumerator's flavor)
CASE(value_flavor) { return ENUM_VALUE(enum u32, U_FLAVOR___x); }
// libbpf: enumval_value 9 -> 11 (flavors of both)
CASE(value_flavored_enum) { return ENUM_VALUE(enum u32___mine, U_A___mine); }
// libbpf: enumval_value -1 -> -12
CASE(value_negative) { return ENUM_VALUE(enum s32, S_NEG); }
// libbpf: enumval_value 1 -> -11
CASE(value_signed_positive) { return ENUM_VALUE(enum s32, S_POS); }
// libbpf: enumval_value -2147483648 -> -2147483647
CASE(value_minimum) { return ENUM_VALUE(enum s32, S_MIN); }
// libbpf: enumval_value 1099511627776 -> 2199023255552
CASE(value64) { return ENUM_VALUE(enum u64, L_A); }
// libbpf: enumval_value -1 -> -2
CASE(value64_max) { return ENUM_VALUE(enum u64, L_MAX); }
// libbpf: enumval_value 3 -> 33
CASE(value64_small) { return ENUM_VALUE(enum u64, L_SMALL); }
// libbpf: enumval_value -1099511627776 -> -2199023255552
CASE(value64_negative) { return ENUM_VALUE(enum s64, M_NEG); }
// libbpf: enumval_value -1 -> -2
CASE(value64_minus_one) { return ENUM_VALUE(enum s64, M_MINUS); }
// libbpf: enumval_value 1 -> 101 (enum here, enum64 there)
CASE(value_grew) { return ENUM_VALUE(enum grew, G_A); }
// libbpf: enumval_value 2 -> 4398046511104 (beyond 32 bits there)
CASE(value_grew_big) { return ENUM_VALUE(enum grew, G_BIG); }
// libbpf: enumval_value 1099511627776 -> 5 (enum64 here, enum there)
CASE(value_shrank) { return ENUM_VALUE(enum shrank, H_A); }
// libbpf: enumval_value 7 -> -7
CASE(value_to_signed) { return ENUM_VALUE(enum to_signed, T_A); }
// libbpf: enumval_value 0 -> poison (no such enum)
CASE(value_lost) { return ENUM_VALUE(enum lost, X_A); }
// libbpf: enumval_value 0 -> poison (another kind of the name)
CASE(value_became_struct) { return ENUM_VALUE(enum became_struct, Y_A); }
// libbpf: enumval_value 1 -> 21 (through a typedef: candidates are typedefs)
CASE(value_typedef) { return ENUM_VALUE(td, TD_A); }
// libbpf: enumval_value 2 -> poison
CASE(value_typedef_gone) { return ENUM_VALUE(td, TD_GONE); }
// libbpf: enumval_value 1 -> poison (a typedef that the target has not, though it has the enum)
CASE(value_typedef_named) { return ENUM_VALUE(td_named, U_A); }
// libbpf: enumval_value 2 -> 7 (two enumerators with the same essential name: the first of the target)
CASE(value_two_flavors) { return ENUM_VALUE(enum two_enumerators, TWO___two); }
// libbpf: enumval_exists 1 -> 1
CASE(exists) { return ENUM_EXISTS(enum u32, U_A); }
// libbpf: enumval_exists 1 -> 0
CASE(exists_gone) { return ENUM_EXISTS(enum u32, U_GONE); }
// libbpf: enumval_exists 1 -> 1
CASE(exists_flavor) { return ENUM_EXISTS(enum u32, U_FLAVOR___x); }
// libbpf: enumval_exists 1 -> 1
CASE(exists64) { return ENUM_EXISTS(enum u64, L_A); }
// libbpf: enumval_exists 1 -> 0
CASE(exists_lost) { return ENUM_EXISTS(enum lost, X_A); }
// libbpf: enumval_exists 1 -> 0
CASE(exists_became_struct) { return ENUM_EXISTS(enum became_struct, Y_A); }
// libbpf: enumval_exists 1 -> 1
CASE(exists_typedef) { return ENUM_EXISTS(td, TD_A); }
// libbpf: enumval_exists 1 -> 0
CASE(exists_typedef_gone) { return ENUM_EXISTS(td, TD_GONE); }
// libbpf: enumval_exists 1 -> 0
CASE(exists_shrank) { return ENUM_EXISTS(enum shrank, H_B); }
// libbpf: enumval_exists 1 -> 0; enumval_value 2 -> poison (guarded)
CASE(guarded) { return ENUM_EXISTS(enum u32, U_GONE) ? ENUM_VALUE(enum u32, U_GONE) : 0; }
