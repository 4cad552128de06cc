/* SPDX-License-Identifier: Apache-2.0 */
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned u32; typedef unsigned long u64;
struct s { int more; int a; };
enum e { E_A, E_B };
enum e___64 { E64_A = 1ULL << 40 };
struct widths {
	int shift;
	u64 u32_u64; u32 u64_u32; u8 u64_u8; u16 u8_u16; u64 u16_u64;
	long s32_s64; int s64_s32; int s32_same; long u32_s64; u64 s32_u64; int u32_s32;
	struct s *ptr; u64 ptr_int; u32 b_int; _Bool b_same; char c_same; u32 c_u32;
	enum e en; enum e___64 en64; double f;
	unsigned __int128 to_huge; u32 arr[4]; u64 arr_wide[2]; struct s st;
	u32 pad : 3; u32 to_bits : 9;
	u8 fill[32576]; u32 edge; u32 far; u8 fill2[65536]; u32 far_end;
} widths;
_Static_assert(__builtin_offsetof(struct widths, edge) == 32764, "the last offset that fits");
