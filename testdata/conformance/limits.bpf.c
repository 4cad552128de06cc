/* SPDX-License-Identifier: Apache-2.0 */
/* Limits: 64 indices in an access string, 32 levels in a comparison of types, 32
 * types in the computation of a size. Beyond them: an error, not a mismatch. */
#include "conformance.h"

RELOCATED_TYPES
#define LIMITS_INT int
#include "limits.h"
END_RELOCATED_TYPES

// libbpf: type_exists 1 -> 1 (31 pointers)
CASE(exists_31) { return TYPE_EXISTS(p31); }
// libbpf: error: error matching candidate #0 <type_exists> typedef p32: -22 (32)
CASE(exists_32) { return TYPE_EXISTS(p32); }
// libbpf: error: error matching candidate #0 <type_exists> typedef p33: -22 (33)
CASE(exists_33) { return TYPE_EXISTS(p33); }
// libbpf: type_matches 1 -> 1 (30 pointers)
CASE(matches_30) { return TYPE_MATCHES(p30); }
// libbpf: type_matches 1 -> 1 (31)
CASE(matches_31) { return TYPE_MATCHES(p31); }
// libbpf: error: error matching candidate #0 <type_matches> typedef p32: -22 (32)
CASE(matches_32) { return TYPE_MATCHES(p32); }
// libbpf: error: error matching candidate #0 <type_matches> typedef p33: -22 (33)
CASE(matches_33) { return TYPE_MATCHES(p33); }
// libbpf: byte_off 4 -> 4 (32 dimensions: sizes are computed through 32 types)
CASE(dimensions_32) { return OFFSET(struct dimensions, IDX32(of32)); }
// libbpf: error: parsing struct dimensions + 0:2:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0 failed: -22 (33: the local array's size cannot be computed)
CASE(dimensions_33) { return OFFSET(struct dimensions, IDX32(of33)[0]); }
// libbpf: byte_off 252 -> 252 (64 indices, the first one being that of the struct itself)
CASE(indices_64) { return OFFSET(struct n62, M8(M8(M8(M8(M8(M8(M8(m))))))).m.m.m.m.m.m); }
// libbpf: error: parsing struct n63 + 0:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1 failed: -7 (65)
CASE(indices_65) { return OFFSET(struct n63, M8(M8(M8(M8(M8(M8(M8(m))))))).m.m.m.m.m.m.m); }
