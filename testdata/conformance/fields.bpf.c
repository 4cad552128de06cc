/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that move, go, and are nested: section 3, "field search". */
#include "conformance.h"

RELOCATED_TYPES
struct inner { int x; int y; };
struct moved { int a; int b; struct inner in; };
struct local_anon { int pad; union { struct { int deep; }; int other; }; };
struct target_anon { int deep; int direct; };
struct named_there { struct { int x; }; };
struct first_wins { int v; };
union u { int a; long b; };
struct becomes_union { int a; };
struct has_union { struct inner in; };
struct elem { long k; int v; };
struct gone { int a; };
struct only_fwd;
struct only_fwd_there { int a; };
struct quals { const volatile struct inner in; const int *p; };
typedef struct { int a; int b; } anon_t;
END_RELOCATED_TYPES
typedef anon_t chain1_t;
typedef const chain1_t chain2_t;

// libbpf: byte_off 4 -> 8 (the member moved)
CASE(field_moved) { return ADDRESS(struct moved, b); }
// libbpf: byte_off 12 -> 24 (the path's members moved both)
CASE(field_nested) { return ADDRESS(struct moved, in.y); }
// libbpf: byte_off 4 -> 8 (the local path leads through an anonymous union and struct, which count for nothing)
CASE(anonymous_locally) { return ADDRESS(struct local_anon, deep); }
// libbpf: byte_off 0 -> 12 (the target's path leads through two anonymous members)
CASE(anonymous_in_target) { return ADDRESS(struct target_anon, deep); }
// libbpf: byte_off 0 -> poison (a named member in the target is not searched)
CASE(anonymous_became_named) { return ADDRESS(struct named_there, x); }
// libbpf: byte_off 0 -> poison (the first member of the name decides, and its type is not compatible; the later one is not tried)
CASE(first_of_name_decides) { return ADDRESS(struct first_wins, v); }
// libbpf: byte_off 0 -> 0 (a union as the root)
CASE(union_root) { return ADDRESS(union u, b); }
// libbpf: byte_off 0 -> poison (the root's kind must be the same: a union is no candidate)
CASE(root_kind_differs) { return ADDRESS(struct becomes_union, a); }
// libbpf: byte_off 4 -> 4 (behind the root, struct and union are compatible)
CASE(nested_kind_differs) { return ADDRESS(struct has_union, in.y); }
// libbpf: byte_off 56 -> 88 (a pointer used as an array: the index counts in the target's size)
CASE(pointer_as_array) {
	return (long)__builtin_preserve_access_index(&((struct elem *)ctx)[3].v);
}
// libbpf: byte_off 32 -> 48 (the element as a whole)
CASE(pointer_as_array_whole) {
	return (long)__builtin_preserve_access_index(&((struct elem *)ctx)[2]);
}
// libbpf: byte_off 0 -> poison (a member that the target lacks)
CASE(member_missing) { return ADDRESS(struct gone, a); }
// libbpf: byte_off 0 -> poison (no type of that name)
CASE(type_missing) { return ADDRESS(struct only_fwd_there, a); }
// libbpf: byte_off 4 -> 16 (modifiers are skipped)
CASE(modifiers) { return OFFSET(struct quals, in.y); }
// libbpf: byte_off 8 -> 24 (pointers are compatible, whatever they point to)
CASE(pointer_member) { return OFFSET(struct quals, p); }
// libbpf: byte_off 4 -> 8 (the root is a typedef: candidates are typedefs of that name)
CASE(typedef_root) { return ADDRESS(anon_t, b); }
// libbpf: byte_off 4 -> 16 (the compiler records the outermost typedef: candidates are typedefs of that name)
CASE(typedef_chain) { return ADDRESS(chain1_t, b); }
// libbpf: byte_off 4 -> 20 (a qualified typedef)
CASE(typedef_qualified) { return OFFSET(chain2_t, b); }
// libbpf: byte_off 0 -> 12; byte_off 4 -> 8 (two in one program)
CASE(two_fields) { return ADDRESS(struct moved, a) + ADDRESS(struct moved, b); }
