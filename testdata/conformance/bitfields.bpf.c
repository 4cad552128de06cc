/* SPDX-License-Identifier: Apache-2.0 */
/* Bitfields: widened loads, shifts, and fields that change into bitfields and back. */
#include "conformance.h"

RELOCATED_TYPES
struct bits {
	unsigned a : 3;
	unsigned moved : 5;
	int sign : 7;
	unsigned sign_gained : 4;
	int sign_lost : 4;
	unsigned to_normal : 6;
	unsigned grows : 3;
	unsigned gone : 2;
	unsigned short from_normal;
	__u64 wide : 40;
	__u64 crosses : 33;
	bool flag : 1;
	enum { BIT_X, BIT_Y } en : 2;
	struct { unsigned in_anon : 3; };
	__u8 byte : 3;
};
struct aligned_there { __u64 v : 60; };
struct too_wide_there { __u64 v : 60; };
struct became_struct { unsigned v : 3; };
struct became_pointer { __u64 v : 30; };
struct big_normal { unsigned v : 3; };
END_RELOCATED_TYPES

#define B struct bits
// libbpf: byte_off 0 -> 0 (of a bitfield: the byte where the load begins)
CASE(offset) { return OFFSET(B, moved); }
// libbpf: byte_sz 4 -> 8 (the bytes to load)
CASE(size) { return SIZE(B, moved); }
// libbpf: lshift_u64 56 -> 39 (the bits above it in 64)
CASE(lshift) { return LSHIFT(B, moved); }
// libbpf: rshift_u64 59 -> 55 (64 less its width)
CASE(rshift) { return RSHIFT(B, moved); }
// libbpf: signed 1 -> 1
CASE(sign) { return SIGNED(B, sign); }
// libbpf: signed 0 -> 1 (signedness is the target's)
CASE(sign_gained) { return SIGNED(B, sign_gained); }
// libbpf: signed 1 -> 0
CASE(sign_lost) { return SIGNED(B, sign_lost); }
// libbpf: field_exists 1 -> 1
CASE(exists) { return EXISTS(B, moved); }
// libbpf: field_exists 1 -> 0
CASE(gone_exists) { return EXISTS(B, gone); }
// libbpf: byte_off 4 -> poison (missing)
CASE(gone_offset) { return OFFSET(B, gone); }
// libbpf: byte_sz 4 -> poison (missing)
CASE(gone_size) { return SIZE(B, gone); }
// libbpf: lshift_u64 62 -> poison (missing)
CASE(gone_lshift) { return LSHIFT(B, gone); }
// libbpf: rshift_u64 62 -> poison (missing)
CASE(gone_rshift) { return RSHIFT(B, gone); }
// libbpf: signed 0 -> poison (missing)
CASE(gone_sign) { return SIGNED(B, gone); }
// libbpf: byte_sz 4 -> 2; lshift_u64 35 -> 48; rshift_u64 58 -> 48 (became an ordinary field of two bytes)
CASE(to_normal) { return SIZE(B, to_normal) + LSHIFT(B, to_normal) + RSHIFT(B, to_normal); }
// libbpf: byte_off 0 -> 8 (and its offset)
CASE(to_normal_offset) { return OFFSET(B, to_normal); }
// libbpf: byte_sz 2 -> 4; lshift_u64 48 -> 35; rshift_u64 48 -> 52 (an ordinary field became a bitfield)
CASE(from_normal) { return SIZE(B, from_normal) + LSHIFT(B, from_normal) + RSHIFT(B, from_normal); }
// libbpf: byte_off 6 -> 12 (and its offset)
CASE(from_normal_offset) { return OFFSET(B, from_normal); }
// libbpf: byte_off 6 -> poison (a load of what became a bitfield: it has no width that the load could be adjusted to)
CASE(from_normal_load) { return LOAD(B, from_normal); }
// libbpf: byte_sz 4 -> 4; lshift_u64 32 -> 47; rshift_u64 61 -> 47 (wider than here)
CASE(grows) { return SIZE(B, grows) + LSHIFT(B, grows) + RSHIFT(B, grows); }
// libbpf: byte_off 8 -> 16; byte_sz 8 -> 8; lshift_u64 24 -> 24; rshift_u64 24 -> 24 (40 bits)
CASE(wide) { return OFFSET(B, wide) + SIZE(B, wide) + LSHIFT(B, wide) + RSHIFT(B, wide); }
// libbpf: byte_off 16 -> 24; byte_sz 8 -> 8; lshift_u64 31 -> 31; rshift_u64 31 -> 31 (33 bits in a word that begins before it)
CASE(crosses) { return OFFSET(B, crosses) + SIZE(B, crosses) + LSHIFT(B, crosses) + RSHIFT(B, crosses); }
// libbpf: rshift_u64 63 -> 63; signed 0 -> 0 (a bool of one bit)
CASE(flag) { return RSHIFT(B, flag) + SIGNED(B, flag); }
// libbpf: byte_sz 4 -> 4; rshift_u64 62 -> 62; signed 0 -> 1 (an enum of two bits)
CASE(enum_bits) { return SIZE(B, en) + RSHIFT(B, en) + SIGNED(B, en); }
// libbpf: byte_off 24 -> 32; lshift_u64 61 -> 56 (in an anonymous struct)
CASE(in_anonymous) { return OFFSET(B, in_anon) + LSHIFT(B, in_anon); }
// libbpf: byte_sz 1 -> 8; lshift_u64 61 -> 11 (in a byte that moved into a long)
CASE(byte) { return SIZE(B, byte) + LSHIFT(B, byte); }
// libbpf: byte_off 0 -> 4; byte_sz 4 -> 4; lshift_u64 49 -> 53; signed 1 -> 1; rshift_u64 57 -> 53; rshift_u64 57 -> 53 (libbpf's macro that reads through memory)
CASE(read_direct) { return BPF_CORE_READ_BITFIELD((B *)ctx, sign); }
// libbpf: byte_off 0 -> 0; byte_sz 4 -> 8; lshift_u64 56 -> 39; signed 0 -> 0; rshift_u64 59 -> 55; rshift_u64 59 -> 55 (libbpf's macro that reads through its helper)
CASE(read_probed) { return BPF_CORE_READ_BITFIELD_PROBED((B *)ctx, moved); }
// libbpf: byte_off 0 -> 8; byte_sz 4 -> 2; lshift_u64 35 -> 48; signed 0 -> 0; rshift_u64 58 -> 48; rshift_u64 58 -> 48 (what became an ordinary field)
CASE(read_probed_to_normal) { return BPF_CORE_READ_BITFIELD_PROBED((B *)ctx, to_normal); }
// libbpf: byte_off 4 -> poison; byte_sz 4 -> poison; lshift_u64 62 -> poison; signed 0 -> poison; rshift_u64 62 -> poison; rshift_u64 62 -> poison (what is missing)
CASE(read_probed_gone) { return BPF_CORE_READ_BITFIELD_PROBED((B *)ctx, gone); }
// libbpf: error: can't be satisfied for bitfield (no load of 8 bytes holds it there; clang refuses such a field here)
CASE(too_wide_there_offset) { return OFFSET(struct too_wide_there, v); }
// libbpf: error: can't be satisfied for bitfield
CASE(too_wide_there_size) { return SIZE(struct too_wide_there, v); }
// libbpf: error: can't be satisfied for bitfield (the right shift needs no load, but is refused as well)
CASE(too_wide_there_rshift) { return RSHIFT(struct too_wide_there, v); }
// libbpf: field_exists 1 -> 1 (existence is told before)
CASE(too_wide_there_exists) { return EXISTS(struct too_wide_there, v); }
// libbpf: error: can't be satisfied for bitfield (signedness)
CASE(too_wide_there_sign) { return SIGNED(struct too_wide_there, v); }
// libbpf: byte_off 0 -> 0 (aligned differently it fits)
CASE(fits_there) { return OFFSET(struct aligned_there, v); }
// libbpf: byte_off 0 -> poison (not compatible)
CASE(became_struct) { return OFFSET(struct became_struct, v); }
// libbpf: rshift_u64 34 -> poison (not compatible)
CASE(became_pointer) { return RSHIFT(struct became_pointer, v); }
// libbpf: byte_sz 4 -> 16; rshift_u64 61 -> 4294967232 (became 16 bytes)
CASE(became_huge) { return SIZE(struct big_normal, v) + RSHIFT(struct big_normal, v); }
