/* SPDX-License-Identifier: Apache-2.0 */
struct nested { int a; long b; };
enum e { E_A, E_B };
enum e___64 { E64_A = 1ULL << 40 };
struct sized {
	long int_grows; unsigned char int_shrinks; int *ptr; struct nested nested; int array[5];
	enum e enumeration; enum e___64 became64; double f; _Bool b; unsigned char c;
	unsigned to_unsigned; int to_signed; struct nested changed_kind;
	struct { long in_anon; };
	enum { S_POS = 1, S_NEG = -1 } enum_to_signed;
	enum { S_POS2 = 1 } enum_to_unsigned;
	unsigned long typedefed;
	signed char uchar;
} sized;
