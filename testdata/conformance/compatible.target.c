/* SPDX-License-Identifier: Apache-2.0 */
struct s { int y; };
struct t { long y; };
enum e { E_A, E_B };
enum g { G_A };
enum e64 { E64_A = 1ULL << 40 };
enum e___big { EBIG_A = 1ULL << 40 };
typedef unsigned int u32_t;
typedef int i1;
typedef const volatile i1 i2;
typedef i2 i3;
struct kinds {
	int shift;
	long wider; unsigned char narrower; unsigned unsigned_there; int signed_there;
	int from_bool; unsigned char from_char; _Bool to_bool;
	struct t *ptr_to_other; void *ptr_to_int; long ptr_became_int; int *int_became_ptr;
	double float_wider; int float_became_int; float int_became_float;
	enum e same_enum; enum e flavored_enum; enum g other_enum;
	enum g anon_here; enum { ANON_B } anon_there; enum e___big became_enum64;
	enum e int_became_enum; int enum_became_int;
	union { int x; } to_union; struct t to_other_struct; int to_int; struct s to_struct;
	struct t to_array[3]; u32_t via_typedef; i3 via_chain; volatile int via_const;
	void (*fn)(void); char *fn_became_ptr;
	enum e enum_array[3]; enum g enum_array_other[2]; int *ptr_array[5];
	__int128 huge;
} kinds;
