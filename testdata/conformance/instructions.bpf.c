/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions that carry a relocation. */
#include "conformance.h"

RELOCATED_TYPES
struct s {
	__u64 u64; __u32 u32; __u16 u16; __u8 u8; __s64 s64; __s32 s32; __s16 s16; __s8 s8;
	__u32 grows; __s8 s8_grows; int gone; __u32 counter; __u64 counter64;
};
END_RELOCATED_TYPES
enum e { E_A = 5, E_GONE };

// libbpf: byte_off 0 -> 8 (LDX of 8 bytes)
CASE(ldx_u64) { return LOAD(struct s, u64); }
// libbpf: byte_off 8 -> 16 (LDX of 4 bytes)
CASE(ldx_u32) { return LOAD(struct s, u32); }
// libbpf: byte_off 12 -> 20 (LDX of 2 bytes)
CASE(ldx_u16) { return LOAD(struct s, u16); }
// libbpf: byte_off 14 -> 22 (LDX of a byte)
CASE(ldx_u8) { return LOAD(struct s, u8); }
// libbpf: byte_off 24 -> 32 (sign-extending LDX, 4 bytes)
CASE(ldsx_s32) { return LOAD(struct s, s32); }
// libbpf: byte_off 28 -> 36 (sign-extending LDX, 2 bytes)
CASE(ldsx_s16) { return LOAD(struct s, s16); }
// libbpf: byte_off 30 -> 38 (sign-extending LDX, a byte)
CASE(ldsx_s8) { return LOAD(struct s, s8); }
// libbpf: byte_off 36 -> poison (sign-extending, and wider there)
CASE(ldsx_grows) { return LOAD(struct s, s8_grows); }
// libbpf: byte_off 0 -> 8 (STX)
CASE(stx) { STORE(struct s, u64, (long)ctx); return 0; }
// libbpf: byte_off 32 -> 40 (STX, wider there)
CASE(stx_grows) { STORE(struct s, grows, (long)ctx); return 0; }
// libbpf: byte_off 8 -> 16 (ST: the constant stays)
CASE(st) { STORE(struct s, u32, 7); return 0; }
// libbpf: byte_off 32 -> 40 (ST, wider there)
CASE(st_grows) { STORE(struct s, grows, 7); return 0; }
// libbpf: byte_off 0 -> 8 (ST of 8 bytes)
CASE(st_u64) { STORE(struct s, u64, 7); return 0; }
// libbpf: byte_off 40 -> poison (ST to what is missing)
CASE(st_gone) { STORE(struct s, gone, 7); return 0; }
// libbpf: byte_off 48 -> 56 (an atomic addition)
CASE(atomic) { __sync_fetch_and_add(&((struct s *)ctx)->counter64, 1); return 0; }
// libbpf: byte_off 48 -> 56 (an atomic addition that yields the old value)
CASE(atomic_fetch) { return __sync_fetch_and_add(&((struct s *)ctx)->counter64, 3); }
// libbpf: byte_off 12 -> 20 (ALU64: the offset is added)
CASE(alu_add) { return ADDRESS(struct s, u16); }
// libbpf: byte_off 12 -> 20 (ALU: a constant is moved)
CASE(alu_mov) { return OFFSET(struct s, u16); }
// libbpf: byte_off 40 -> poison (ALU, missing)
CASE(alu_gone) { return OFFSET(struct s, gone); }
// libbpf: enumval_value 5 -> 77 (LDIMM64)
CASE(ldimm64) { return ENUM_VALUE(enum e, E_A); }
// libbpf: enumval_value 6 -> poison (LDIMM64, missing: both halves are poisoned)
CASE(ldimm64_gone) { return ENUM_VALUE(enum e, E_GONE); }
// libbpf: local_type_id 5 -> 5 (LDIMM64 of a type id)
CASE(ldimm64_local_id) { return TYPE_ID_LOCAL(struct s); }
