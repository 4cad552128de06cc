/* SPDX-License-Identifier: Apache-2.0 */
/* pointers to pointers, N deep: here and in the target the same */
typedef LIMITS_INT ****p4;
typedef p4 ****p8;
typedef p8 ****p12;
typedef p12 ****p16;
typedef p16 ****p20;
typedef p20 ****p24;
typedef p24 ****p28;
typedef p28 **p30;
typedef p28 ***p31;
typedef p28 ****p32;
typedef p32 *p33;

#define DIM8(f) f[1][1][1][1][1][1][1][1]
#define IDX8(f) f[0][0][0][0][0][0][0][0]
#define DIM32(f) DIM8(DIM8(DIM8(DIM8(f))))
#define IDX32(f) IDX8(IDX8(IDX8(IDX8(f))))
struct dimensions { int pad; int DIM32(of32); int DIM32(of33)[1]; };

/* structs in structs: m in n63 is 63 deep */
struct n0 { int pad; int m; };
#define N(outer, inner) struct n##outer { int pad; struct n##inner m; }
N(1, 0); N(2, 1); N(3, 2); N(4, 3); N(5, 4); N(6, 5); N(7, 6);
N(8, 7); N(9, 8); N(10, 9); N(11, 10); N(12, 11); N(13, 12); N(14, 13);
N(15, 14); N(16, 15); N(17, 16); N(18, 17); N(19, 18); N(20, 19); N(21, 20);
N(22, 21); N(23, 22); N(24, 23); N(25, 24); N(26, 25); N(27, 26); N(28, 27);
N(29, 28); N(30, 29); N(31, 30); N(32, 31); N(33, 32); N(34, 33); N(35, 34);
N(36, 35); N(37, 36); N(38, 37); N(39, 38); N(40, 39); N(41, 40); N(42, 41);
N(43, 42); N(44, 43); N(45, 44); N(46, 45); N(47, 46); N(48, 47); N(49, 48);
N(50, 49); N(51, 50); N(52, 51); N(53, 52); N(54, 53); N(55, 54); N(56, 55);
N(57, 56); N(58, 57); N(59, 58); N(60, 59); N(61, 60); N(62, 61); N(63, 62);
struct n64 { int pad; struct n63 m; };
#define M8(e) e.m.m.m.m.m.m.m.m
