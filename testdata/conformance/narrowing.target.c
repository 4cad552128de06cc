/* SPDX-License-Identifier: Apache-2.0 */
struct n { int c; int a; } n;
struct n___two { long pad; int a; int b; } n_two;
struct order { int pad; int a; } order;
struct order___two { long pad; int a; int b; } order_two;
struct typed { int pad; int a; } typed;
struct typed___two { long pad; int a; int b; } typed_two;
struct lost_all { int pad; int a; } lost_all;
enum e { E_A = 1 } e;
enum e___two { E_A___2 = 2, E_B = 3 } e2;
