/* SPDX-License-Identifier: Apache-2.0 */
typedef _Bool bool;
typedef unsigned long long u64;
struct bits {
	u64 shift : 13;
	unsigned a : 3;
	u64 moved : 9;
	int sign : 11;
	int sign_gained : 4;
	unsigned sign_lost : 4;
	unsigned short to_normal;
	unsigned grows : 17;
	unsigned from_normal : 12;
	u64 wide : 40;
	unsigned more : 20;
	u64 crosses : 33;
	bool flag : 1;
	enum { BIT_X, BIT_Y = -1 } en : 2;
	union { struct { unsigned more_in_anon : 5; unsigned in_anon : 3; }; };
	u64 pad : 50;
	u64 byte : 3;
} bits;
struct aligned_there { u64 pad : 4; u64 v : 60; } aligned_there;
struct __attribute__((packed)) too_wide_there { u64 pad : 7; u64 v : 60; } too_wide_there;
struct became_struct { struct { int v; } v; } became_struct;
struct became_pointer { void *v; } became_pointer;
struct big_normal { __int128 v; } big_normal;
