/* SPDX-License-Identifier: Apache-2.0 */
/* Type matches: as exists, and names, sizes, members as well. */
#include "conformance.h"

#define TAG __attribute__((btf_type_tag("user")))
struct same { int a; long b; };
struct less { int a; };
struct more { int a; int gone; };
struct reordered { int a; long b; };
struct member_renamed { int a; };
struct member_type { int a; };
struct member_width { int a; };
struct member_sign { unsigned a; };
struct member_name { long a; };
struct member_pointer { struct same *p; };
struct member_pointer_other { struct same *p; };
struct member_pointer_fwd { struct gone_here *p; };
struct member_pointer_deep { struct less *p; };
struct member_pointer_changed { struct more *p; };
struct member_pointer_kind { struct same *p; };
struct member_pointer_fwd_kind { struct fwd_to_union *p; };
struct member_void_pointer { void *p; };
struct member_void_pointer_typed { void *p; };
struct member_typed_pointer_void { int *p; };
struct member_pointer_pointer { struct same **p; };
struct member_pointer_typedef { struct member_nested *p; };
struct member_struct { struct less in; };
struct member_struct_more { struct more in; };
struct member_array { int a[4]; };
struct member_array_nelems { int a[4]; };
struct member_array_elem { int a[4]; };
struct member_fn { int (*f)(int, struct same *); };
struct member_fn_params { int (*f)(int); };
struct member_fn_type { int (*f)(int); };
struct member_anon { union { int a; long b; }; };
struct member_anon_less { struct { int a; }; };
struct member_bits { unsigned a : 3; };
struct member_const { const int a; };
struct member_float { float a; };
struct tagged { int TAG *p; };
struct tagged_there { int *p; };
struct recursive { void (*cb)(struct recursive); struct recursive *next; };
struct list { struct list *next, *prev; };
union u { int a; };
union u_became_struct { int a; };
enum e { E_A, E_B };
enum e_less { L_A };
enum e_more { M_A, M_GONE };
enum e_values { V_A = 1, V_B = 2 };
enum e_flavored { F_A___mine };
enum e_size { S_A };
enum e64 { E64_A = 1ULL << 40, E64_B };
enum e64_became_32 { N_A = 1ULL << 40 };
enum e_sign { SIGN_A = -1 };
struct has_enum { enum e_more e; };
typedef int num;
typedef int num_width;
typedef unsigned num_sign;
typedef struct same same_t;
typedef struct more more_t;
typedef void *handle;
typedef void *handle_typed;
typedef int (*fn_t)(int);
typedef int (*fn_more_t)(int);
typedef struct more *ptr_t;
typedef struct same *ptr_other_t;
typedef int arr_t[3];
typedef int arr_nelems_t[3];
typedef struct { int a; } anon_t;
typedef int TAG *tagged_t;
typedef int *tagged_there_t;
typedef void (*cb_t)(struct recursive);
typedef float f32;
typedef const int cv_t;
struct missing { int a; };
struct same___flavored { int a; };
struct member_flavor { struct same___flavored in; };
struct member_pointer_flavor { struct same___flavored *p; };

#define MATCH(name, type) CASE(name) { return TYPE_MATCHES(type); }
// libbpf: type_matches 1 -> 1
MATCH(same, struct same)
// libbpf: type_matches 1 -> 1 (local members are a subset)
MATCH(subset, struct less)
// libbpf: type_matches 1 -> 0 (one is missing there)
MATCH(superset, struct more)
// libbpf: type_matches 1 -> 1 (order and offset do not count)
MATCH(reordered, struct reordered)
// libbpf: type_matches 1 -> 0
MATCH(member_renamed, struct member_renamed)
// libbpf: type_matches 1 -> 0 (a member's kind)
MATCH(member_type, struct member_type)
// libbpf: type_matches 1 -> 0 (an int's width)
MATCH(member_width, struct member_width)
// libbpf: type_matches 1 -> 0 (an int's sign)
MATCH(member_sign, struct member_sign)
// libbpf: type_matches 1 -> 0 (an int's name: long long is not long)
MATCH(member_name, struct member_name)
// libbpf: type_matches 1 -> 1
MATCH(member_pointer, struct member_pointer)
// libbpf: type_matches 1 -> 0 (the name behind a pointer counts)
MATCH(member_pointer_other, struct member_pointer_other)
// libbpf: type_matches 1 -> 1 (a forward declaration here)
MATCH(member_pointer_forward, struct member_pointer_fwd)
// libbpf: type_matches 1 -> 1 (members behind a pointer do not count)
MATCH(member_pointer_deep, struct member_pointer_deep)
// libbpf: type_matches 1 -> 1 (though one is missing; cilium/ebpf compares them)
MATCH(member_pointer_changed, struct member_pointer_changed)
// libbpf: type_matches 1 -> 0 (a struct here, a union of the name there)
MATCH(member_pointer_kind, struct member_pointer_kind)
// libbpf: type_matches 1 -> 0 (a forward declaration of a struct here, a union there)
MATCH(member_pointer_forward_kind, struct member_pointer_fwd_kind)
// libbpf: type_matches 1 -> 1
MATCH(member_void_pointer, struct member_void_pointer)
// libbpf: type_matches 1 -> 0 (void * here, int * there)
MATCH(member_void_pointer_typed, struct member_void_pointer_typed)
// libbpf: type_matches 1 -> 0 (int * here, void * there)
MATCH(member_typed_pointer_void, struct member_typed_pointer_void)
// libbpf: type_matches 1 -> 1 (pointers to pointers)
MATCH(member_pointer_pointer, struct member_pointer_pointer)
// libbpf: type_matches 1 -> 1 (a nested struct with fewer members)
MATCH(member_struct, struct member_struct)
// libbpf: type_matches 1 -> 0 (a nested struct with a member that is missing there)
MATCH(member_struct_more, struct member_struct_more)
// libbpf: type_matches 1 -> 1
MATCH(member_array, struct member_array)
// libbpf: type_matches 1 -> 0 (the number of elements)
MATCH(member_array_nelems, struct member_array_nelems)
// libbpf: type_matches 1 -> 0 (the elements' type)
MATCH(member_array_element, struct member_array_elem)
// libbpf: type_matches 1 -> 1
MATCH(member_function, struct member_fn)
// libbpf: type_matches 1 -> 0 (the number of parameters)
MATCH(member_function_parameters, struct member_fn_params)
// libbpf: type_matches 1 -> 0 (a parameter's type)
MATCH(member_function_type, struct member_fn_type)
// libbpf: type_matches 1 -> 1 (an anonymous union)
MATCH(member_anonymous, struct member_anon)
// libbpf: type_matches 1 -> 0 (an anonymous struct matches by its members; the target's field is not in one)
MATCH(member_anonymous_less, struct member_anon_less)
// libbpf: type_matches 1 -> 1 (a bitfield's width does not count)
MATCH(member_bitfield, struct member_bits)
// libbpf: type_matches 1 -> 1 (modifiers)
MATCH(member_const, struct member_const)
// libbpf: type_matches 1 -> 0 (floats cannot be compared)
MATCH(member_float, struct member_float)
// libbpf: type_matches 1 -> 1 (a tag in both)
MATCH(tagged, struct tagged)
// libbpf: type_matches 1 -> 1 (a tag there only)
MATCH(tagged_there, struct tagged_there)
// libbpf: type_matches 1 -> 1 (a prototype that takes the struct itself)
MATCH(recursive, struct recursive)
// libbpf: type_matches 1 -> 1
MATCH(list, struct list)
// libbpf: type_matches 1 -> 1
MATCH(union_same, union u)
// libbpf: type_matches 1 -> 0
MATCH(union_became_struct, union u_became_struct)
// libbpf: type_matches 1 -> 1
MATCH(enum_same, enum e)
// libbpf: type_matches 1 -> 1 (fewer enumerators here)
MATCH(enum_subset, enum e_less)
// libbpf: type_matches 1 -> 0 (one is missing there)
MATCH(enum_superset, enum e_more)
// libbpf: type_matches 1 -> 1 (values do not count)
MATCH(enum_values, enum e_values)
// libbpf: type_matches 1 -> 1 (enumerators are compared by essential name)
MATCH(enum_flavored, enum e_flavored)
// libbpf: type_matches 1 -> 0 (the size counts)
MATCH(enum_size, enum e_size)
// libbpf: type_matches 1 -> 1
MATCH(enum64, enum e64)
// libbpf: type_matches 1 -> 0 (the size counts)
MATCH(enum64_became_32, enum e64_became_32)
// libbpf: type_matches 1 -> 1 (the sign does not count)
MATCH(enum_sign, enum e_sign)
// libbpf: type_matches 1 -> 0 (an enum in a struct, an enumerator missing)
MATCH(member_enum_more, struct has_enum)
// libbpf: type_matches 1 -> 1
MATCH(typedef_same, num)
// libbpf: type_matches 1 -> 0
MATCH(typedef_width, num_width)
// libbpf: type_matches 1 -> 0
MATCH(typedef_sign, num_sign)
// libbpf: type_matches 1 -> 1
MATCH(typedef_struct, same_t)
// libbpf: type_matches 1 -> 0
MATCH(typedef_struct_more, more_t)
// libbpf: type_matches 1 -> 1
MATCH(typedef_void_pointer, handle)
// libbpf: type_matches 1 -> 0 (void * here, struct * there)
MATCH(typedef_void_pointer_typed, handle_typed)
// libbpf: type_matches 1 -> 1
MATCH(typedef_function, fn_t)
// libbpf: type_matches 1 -> 0
MATCH(typedef_function_more, fn_more_t)
// libbpf: type_matches 1 -> 1 (behind a pointer only kind and name)
MATCH(typedef_pointer, ptr_t)
// libbpf: type_matches 1 -> 0 (another name)
MATCH(typedef_pointer_other, ptr_other_t)
// libbpf: type_matches 1 -> 1
MATCH(typedef_array, arr_t)
// libbpf: type_matches 1 -> 0
MATCH(typedef_array_nelems, arr_nelems_t)
// libbpf: type_matches 1 -> 1 (no names on both sides)
MATCH(typedef_anonymous, anon_t)
// libbpf: type_matches 1 -> 1 (a tag in both)
MATCH(typedef_tagged, tagged_t)
// libbpf: type_matches 1 -> 1 (a tag there)
MATCH(typedef_tagged_there, tagged_there_t)
// libbpf: type_matches 1 -> 1 (recursion by value)
MATCH(typedef_recursive, cb_t)
// libbpf: type_matches 1 -> 0
MATCH(typedef_float, f32)
// libbpf: type_matches 1 -> 1
MATCH(typedef_const, cv_t)
// libbpf: type_matches 1 -> 0
MATCH(missing, struct missing)
// libbpf: type_matches 1 -> 1 (names are compared by their essence)
MATCH(flavored, struct same___flavored)
// libbpf: type_matches 1 -> 1 (in a member too)
MATCH(member_flavored, struct member_flavor)
// libbpf: type_matches 1 -> 1 (and behind a pointer)
MATCH(member_pointer_flavored, struct member_pointer_flavor)
// libbpf: type_exists 1 -> 1 (existence of a typedef to a tagged pointer)
CASE(exists_tagged) { return TYPE_EXISTS(tagged_t); }
// libbpf: type_exists 1 -> 1 (the tag there only)
CASE(exists_tagged_there) { return TYPE_EXISTS(tagged_there_t); }
// libbpf: type_exists 1 -> 1 (recursion by value)
CASE(exists_recursive) { return TYPE_EXISTS(cb_t); }
// libbpf: byte_off 0 -> 0 (an offset behind a tagged pointer)
CASE(offset_tagged) { return OFFSET(struct tagged, p); }
