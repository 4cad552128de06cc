/* SPDX-License-Identifier: Apache-2.0 */
struct S { long pad; int b; int a; } s;
struct doubled { int both; int first; int second; } doubled;
