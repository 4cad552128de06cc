/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates that do not match a relocation are dropped for the later ones of the
 * same local type: in one program, and over all programs of an object ("libbpf all:"
 * says what a load of all programs together does). */
#include "conformance.h"

RELOCATED_TYPES
struct n { int a; int b; int c; };
struct order { int a; int b; };
struct lost_all { int a; int gone; };
struct typed { int a; int b; };
END_RELOCATED_TYPES
enum e { E_A, E_B };

// libbpf: byte_off 4 -> 12; byte_off 0 -> 8 (b drops the candidate without b, so a is not ambiguous any more)
// libbpf all: byte_off 4 -> 12; byte_off 0 -> 8
CASE(narrowed) { return OFFSET(struct n, b) + OFFSET(struct n, a); }
// libbpf: error: field offset ambiguity: 64 != 32 (the other way round: ambiguous, nothing was dropped before)
// libbpf all: byte_off 0 -> 8; byte_off 4 -> 12 (the program before has dropped it)
CASE(other_order) { return OFFSET(struct n, a) + OFFSET(struct n, b); }
// libbpf: error: field offset ambiguity: 64 != 32 (alone ambiguous)
// libbpf all: byte_off 0 -> 8
CASE(by_another_program) { return OFFSET(struct n, a); }
// libbpf: byte_off 8 -> 0 (c is in the one candidate only)
// libbpf all: byte_off 8 -> poison (which is dropped)
CASE(dropped) { return OFFSET(struct n, c); }
// libbpf: field_exists 1 -> 0; byte_off 0 -> 4 (no candidate has it: then none is dropped)
// libbpf all: field_exists 1 -> 0; byte_off 0 -> 4
CASE(none_left) { return EXISTS(struct lost_all, gone) + OFFSET(struct lost_all, a); }
// libbpf: byte_off 0 -> 4
// libbpf all: byte_off 0 -> 4
CASE(none_left_after) { return OFFSET(struct lost_all, a); }
// libbpf: enumval_exists 1 -> 1; enumval_value 0 -> 2 (enumerators drop enums)
// libbpf all: enumval_exists 1 -> 1; enumval_value 0 -> 2
CASE(enum_narrowed) { return ENUM_EXISTS(enum e, E_B) + ENUM_VALUE(enum e, E_A); }
// libbpf: field_exists 1 -> 1; byte_off 0 -> 8 (existence drops like an offset)
// libbpf all: field_exists 1 -> 1; byte_off 0 -> 8
CASE(exists_narrows) { return EXISTS(struct order, b) + OFFSET(struct order, a); }
// libbpf: type_matches 1 -> 1; byte_off 0 -> 8 (a match of the type drops the candidate that does not match)
// libbpf all: type_matches 1 -> 1; byte_off 0 -> 8
CASE(match_narrows) { return TYPE_MATCHES(struct typed) + OFFSET(struct typed, a); }
// libbpf: type_exists 1 -> 1; error: field offset ambiguity: 64 != 32 (existence of the type does not)
// libbpf all: type_exists 1 -> 1; byte_off 0 -> 8 (but the program before has)
CASE(type_exists_narrows_not) { return TYPE_EXISTS(struct typed) + OFFSET(struct typed, a); }
