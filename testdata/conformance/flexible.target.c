/* SPDX-License-Identifier: Apache-2.0 */
struct last { long n; int f[]; };
struct last *last;
struct zero { long n; int f[5]; } zero;
struct one { long n; int f[1]; } one;
struct sized { long n; int f[1]; } sized;
struct not_last { long n; int f[0]; int after; } not_last;
struct local_not_last { long n; int f[0]; } local_not_last;
struct behind_anon { long n; struct { int m; int f[]; }; };
struct behind_anon *behind_anon;
struct behind_anon_not_last { long n; struct { int m; int f[0]; }; int after; } behind_anon_not_last;
struct inner { long k; int f[0]; };
struct nested_last { long n; struct inner in; } nested_last;
struct nested_not_last { long n; struct inner in; int after; } nested_not_last;
union in_union { long n; int f[0]; } in_union;
union in_union_not_last { int f[0]; long n; } in_union_not_last;
struct two_dims { long n; int f[0][3]; } two_dims;
struct of_structs { long n; struct inner f[0]; } of_structs;

/* so that the types above are written whole */
void use(struct last *, struct behind_anon *);
long whole(struct last *a, struct behind_anon *b) { return a->n + a->f[0] + b->n + b->f[0]; }
