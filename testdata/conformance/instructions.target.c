/* SPDX-License-Identifier: Apache-2.0 */
struct s {
	long shift; unsigned long long u64; unsigned u32; unsigned short u16; unsigned char u8;
	long s64; int s32; short s16; signed char s8;
	unsigned long grows; int s8_grows; unsigned counter; unsigned long counter64;
} s;
enum e { E_A = 77 } e;
