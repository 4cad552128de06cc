/* SPDX-License-Identifier: Apache-2.0 */
#define KEEP(t) t t##_var
enum u32 { U_A = 11, U_BIG = 0x80000001, U_FLAVOR = 44 } u32;
enum became_big { BB_A = 0x80000001 } became_big;
enum s32 { S_POS = -11, S_NEG = -12, S_MIN = -2147483647 } s32;
enum u64 { L_SMALL = 33, L_A = 1ULL << 41, L_MAX = 0xfffffffffffffffeULL } u64;
enum s64 { M_NEG = -(1LL << 41), M_MINUS = -2 } s64;
enum grew { G_A = 101, G_BIG = 1ULL << 42 } grew;
enum shrank { H_A = 5 } shrank;
enum to_signed { T_A = -7 } to_signed;
struct became_struct { int Y_A; } became_struct;
typedef enum { TD_A = 21 } td; KEEP(td);
enum two_enumerators { TWO___c = 7, TWO = 8 } two_enumerators;
