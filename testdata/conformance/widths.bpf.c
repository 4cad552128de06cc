/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores through memory: the access width is adjusted for pointers and
 * unsigned integers; otherwise the instruction is poisoned. */
#include "conformance.h"

RELOCATED_TYPES
struct s { int a; };
enum e { E_A };
struct widths {
	__u32 u32_u64; __u64 u64_u32; __u64 u64_u8; __u8 u8_u16; __u16 u16_u64;
	int s32_s64; long s64_s32; int s32_same; __u32 u32_s64; int s32_u64; unsigned u32_s32;
	void *ptr; void *ptr_int; bool b_int; bool b_same; char c_same; char c_u32;
	enum e en; enum e en64; float f;
	__u32 to_huge; __u32 arr[2]; __u32 arr_wide[2]; struct s st;
	__u32 to_bits; __u32 gone; __u32 far; __u32 far_end; __u32 edge;
};
END_RELOCATED_TYPES

#define W struct widths
// libbpf: byte_off 0 -> 8 (4 to 8 bytes)
CASE(load_u32_became_u64) { return LOAD(W, u32_u64); }
// libbpf: byte_off 8 -> 16 (8 to 4 bytes)
CASE(load_u64_became_u32) { return LOAD(W, u64_u32); }
// libbpf: byte_off 16 -> 20 (8 to 1 byte)
CASE(load_u64_became_u8) { return LOAD(W, u64_u8); }
// libbpf: byte_off 24 -> 22 (1 to 2 bytes)
CASE(load_u8_became_u16) { return LOAD(W, u8_u16); }
// libbpf: byte_off 26 -> 24 (2 to 8 bytes)
CASE(load_u16_became_u64) { return LOAD(W, u16_u64); }
// libbpf: byte_off 28 -> poison (a signed integer's width is not adjusted)
CASE(load_s32_became_s64) { return LOAD(W, s32_s64); }
// libbpf: byte_off 32 -> poison (nor narrowed)
CASE(load_s64_became_s32) { return LOAD(W, s64_s32); }
// libbpf: byte_off 40 -> 44 (signed, same width: nothing to adjust)
CASE(load_s32_same) { return LOAD(W, s32_same); }
// libbpf: byte_off 44 -> poison (unsigned here, signed there)
CASE(load_u32_became_s64) { return LOAD(W, u32_s64); }
// libbpf: byte_off 48 -> poison (signed here, unsigned there)
CASE(load_s32_became_u64) { return LOAD(W, s32_u64); }
// libbpf: byte_off 52 -> 64 (another sign but the same width)
CASE(load_u32_became_s32) { return LOAD(W, u32_s32); }
// libbpf: byte_off 56 -> 72 (pointers)
CASE(load_pointer) { return (long)LOAD(W, ptr); }
// libbpf: byte_off 64 -> poison (a pointer is not an int)
CASE(load_pointer_became_int) { return (long)LOAD(W, ptr_int); }
// libbpf: byte_off 72 -> 88 (bool became unsigned: both count as unsigned)
CASE(load_bool_became_unsigned) { return LOAD(W, b_int); }
// libbpf: byte_off 73 -> 92
CASE(load_bool) { return LOAD(W, b_same); }
// libbpf: byte_off 74 -> 93
CASE(load_char) { return LOAD(W, c_same); }
// libbpf: byte_off 75 -> poison (char is signed)
CASE(load_char_became_u32) { return LOAD(W, c_u32); }
// libbpf: byte_off 76 -> 100
CASE(load_enum) { return LOAD(W, en); }
// libbpf: byte_off 80 -> poison (only ints and pointers are adjusted)
CASE(load_enum_became_64) { return LOAD(W, en64); }
// libbpf: byte_off 88 -> 128; error: insn #0 (LDX/ST/STX) invalid new mem size: 16 (16 bytes: no load of that width)
CASE(load_u32_became_u128) { return LOAD(W, to_huge); }
// libbpf: byte_off 96 -> 148 (an element)
CASE(load_element) { return LOAD(W, arr[1]); }
// libbpf: byte_off 104 -> 168 (an element that is wider there)
CASE(load_element_wider) { return LOAD(W, arr_wide[1]); }
// libbpf: byte_off 112 -> poison (a bitfield there: it has no width that the load could be adjusted to)
CASE(load_became_bitfield) { return LOAD(W, to_bits); }
// libbpf: byte_off 116 -> poison (missing)
CASE(load_gone) { return LOAD(W, gone); }
// libbpf: byte_off 128 -> 32764 (32764 fits in 16 signed bits)
CASE(load_edge) { return LOAD(W, edge); }
// libbpf: byte_off 120 -> 32768; error: insn #0 (LDX/ST/STX) value too big: 32768 (an offset above 32767 does not fit into a load)
CASE(load_far) { return LOAD(W, far); }
// libbpf: byte_off 120 -> 32768 (but into a constant)
CASE(address_far) { return ADDRESS(W, far); }
// libbpf: byte_off 124 -> 98308 (and beyond 65535)
CASE(address_far_end) { return OFFSET(W, far_end); }
// libbpf: byte_off 0 -> 8 (stores: 4 to 8 bytes)
CASE(store_u32_became_u64) { STORE(W, u32_u64, (long)ctx); return 0; }
// libbpf: byte_off 16 -> 20 (stores: 8 to 1 byte)
CASE(store_u64_became_u8) { STORE(W, u64_u8, (long)ctx); return 0; }
// libbpf: byte_off 28 -> poison (signed)
CASE(store_s32_became_s64) { STORE(W, s32_s64, (long)ctx); return 0; }
// libbpf: byte_off 56 -> 72
CASE(store_pointer) { STORE(W, ptr, ctx); return 0; }
// libbpf: byte_off 120 -> 32768; error: insn #0 (LDX/ST/STX) value too big: 32768
CASE(store_far) { STORE(W, far, (long)ctx); return 0; }
// libbpf: byte_off 116 -> poison (missing)
CASE(store_gone) { STORE(W, gone, (long)ctx); return 0; }
// libbpf: byte_off 28 -> 32 (an address needs no width)
CASE(address_s32_became_s64) { return ADDRESS(W, s32_s64); }
