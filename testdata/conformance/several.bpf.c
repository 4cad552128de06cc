/* SPDX-License-Identifier: Apache-2.0 */
/* Two kernels: one with several candidates, as flavors and as true doubles (kernels
 * have structs of the same name, defined in two files), one with a single candidate. */
#include "conformance.h"

RELOCATED_TYPES
struct S { int a; int b; };
struct doubled { int first; int second; int both; };
END_RELOCATED_TYPES

// libbpf target-1: byte_off 0 -> 0 (both candidates match and agree)
// libbpf target-2: byte_off 0 -> 12 (only one candidate in this kernel)
CASE(s_a) { return OFFSET(struct S, a); }
// libbpf target-1: byte_off 4 -> 8 (only the second has it: it must be kept as well)
// libbpf target-2: byte_off 4 -> 8
CASE(s_b) { return OFFSET(struct S, b); }
// libbpf target-1: error: relocation decision ambiguity: success 12 != success 4
// libbpf target-2: type_size 8 -> 16
CASE(s_size) { return TYPE_SIZE(struct S); }
// libbpf target-1: byte_off 0 -> 0 (in the first double only)
// libbpf target-2: byte_off 0 -> 4 (no doubles: all are in one)
CASE(first) { return OFFSET(struct doubled, first); }
// libbpf target-1: byte_off 4 -> 0 (in the second double only)
// libbpf target-2: byte_off 4 -> 8
CASE(second) { return OFFSET(struct doubled, second); }
// libbpf target-1: error: field offset ambiguity: 128 != 32 (in both, at different offsets)
// libbpf target-2: byte_off 8 -> 0
CASE(both) { return OFFSET(struct doubled, both); }
// libbpf target-1: type_exists 1 -> 1
// libbpf target-2: type_exists 1 -> 1
CASE(exists) { return TYPE_EXISTS(struct doubled); }
