/* SPDX-License-Identifier: Apache-2.0 */
struct S___one { int a; } one;
struct S___two { int a; int pad; int b; } two;

int f(void) { static volatile struct doubled { int first; int both; } d; return d.both; }
int g(void) { static volatile struct doubled { int second; long pad; int both; } d; return d.both; }
