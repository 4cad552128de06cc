/* SPDX-License-Identifier: Apache-2.0 */
struct task { long pad; int a; int fresh; } task;
struct from_flavor___k5 { long pad; int a; } from_flavor;
struct ___lead { long pad; int a; } lead;
struct trail___ { long pad; int a; } trail;
struct four { long pad; int a; } four;
struct four____x { long pad[2]; int a; } four_x;
struct five { long pad; int a; } five;
struct five_____x { long pad[2]; int a; } five_x;
struct member_flavor { long pad; int a; } member_flavor_x;
struct only { int a; } only;
union un { int a; long b; } un;
typedef struct { long pad; int a; } td;
td td_var;
enum en { EN_PAD = 7, EN_A = 8, EN_B___g = 9 } en;
typedef long num;
num num_var;
