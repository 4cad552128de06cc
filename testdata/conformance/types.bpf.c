/* SPDX-License-Identifier: Apache-2.0 */
/* Types: existence, size, local and target id. Clang takes structs, unions, enums
 * and typedefs only: no bare int, pointer or float. */
#include "conformance.h"

struct s { int a; };
struct s_changed { int a; void *b; };
struct became_union { int a; };
struct fwd_here;
struct fwd_there { int a; };
struct missing { int a; };
union u { int a; };
enum e { E_A };
enum e_became_64 { B_A };
enum e64 { L_A = 1ULL << 40 };
enum e64_became_32 { M_A = 1ULL << 40 };
typedef int num;
typedef long num_became_struct;
typedef struct s s_t;
typedef void *handle;
typedef void *handle_typed;
typedef struct s *handle_void;
typedef struct s *ptr_t;
typedef struct s *ptr_to_int_t;
typedef int **ptr_ptr_t;
typedef int arr_t[4];
typedef int arr_of_ptr_t[4];
typedef int (*fn_t)(int, struct s *);
typedef int (*fn_more_t)(int);
typedef int (*fn_arg_t)(int);
typedef int (*fn_ret_t)(int);
typedef void (*fn_void_t)(void);
typedef int proto_t(int);
typedef float float_t;
typedef float f32;
typedef const volatile int cv_t;
typedef num chain_t;
typedef enum e enum_t;
typedef union u union_t;
typedef struct { int a; } anon_t;
typedef struct s became_int_t;
typedef __u64 grew_t;
typedef bool bool_t;

// libbpf: type_exists 1 -> 1
CASE(exists_struct) { return TYPE_EXISTS(struct s); }
// libbpf: type_exists 1 -> 1 (members are not compared)
CASE(exists_struct_changed) { return TYPE_EXISTS(struct s_changed); }
// libbpf: type_exists 1 -> 0 (the kind must be the same)
CASE(exists_became_union) { return TYPE_EXISTS(struct became_union); }
// libbpf: type_exists 1 -> 0 (a forward declaration there is not the struct)
CASE(exists_forward_there) { return TYPE_EXISTS(struct fwd_there); }
// libbpf: type_exists 1 -> 0 (a forward declaration here never matches a full struct)
CASE(exists_forward_here) { return TYPE_EXISTS(struct fwd_here); }
// libbpf: type_exists 1 -> 0
CASE(exists_missing) { return TYPE_EXISTS(struct missing); }
// libbpf: type_exists 1 -> 1
CASE(exists_union) { return TYPE_EXISTS(union u); }
// libbpf: type_exists 1 -> 1
CASE(exists_enum) { return TYPE_EXISTS(enum e); }
// libbpf: type_exists 1 -> 1 (enum and enum64 count as one)
CASE(exists_enum_became_64) { return TYPE_EXISTS(enum e_became_64); }
// libbpf: type_exists 1 -> 1
CASE(exists_enum64) { return TYPE_EXISTS(enum e64); }
// libbpf: type_exists 1 -> 1 (enum and enum64 count as one)
CASE(exists_enum64_became_32) { return TYPE_EXISTS(enum e64_became_32); }
// libbpf: type_exists 1 -> 1
CASE(exists_typedef) { return TYPE_EXISTS(num); }
// libbpf: type_exists 1 -> 0 (what a typedef names is compared by kind)
CASE(exists_typedef_became_struct) { return TYPE_EXISTS(num_became_struct); }
// libbpf: type_exists 1 -> 1
CASE(exists_typedef_struct) { return TYPE_EXISTS(s_t); }
// libbpf: type_exists 1 -> 1
CASE(exists_typedef_anonymous) { return TYPE_EXISTS(anon_t); }
// libbpf: type_exists 1 -> 1 (typedef void * in both)
CASE(exists_void_pointer) { return TYPE_EXISTS(handle); }
// libbpf: type_exists 1 -> 0 (void * here, struct * there)
CASE(exists_void_pointer_typed) { return TYPE_EXISTS(handle_typed); }
// libbpf: type_exists 1 -> 0 (struct * here, void * there)
CASE(exists_pointer_became_void) { return TYPE_EXISTS(handle_void); }
// libbpf: type_exists 1 -> 1 (names behind a pointer are not compared)
CASE(exists_pointer) { return TYPE_EXISTS(ptr_t); }
// libbpf: type_exists 1 -> 0 (kinds behind a pointer are)
CASE(exists_pointer_to_other) { return TYPE_EXISTS(ptr_to_int_t); }
// libbpf: type_exists 1 -> 1 (pointers to pointers)
CASE(exists_pointer_pointer) { return TYPE_EXISTS(ptr_ptr_t); }
// libbpf: type_exists 1 -> 1 (the number of elements is not compared)
CASE(exists_array) { return TYPE_EXISTS(arr_t); }
// libbpf: type_exists 1 -> 0 (the elements are)
CASE(exists_array_of_other) { return TYPE_EXISTS(arr_of_ptr_t); }
// libbpf: type_exists 1 -> 1 (prototypes: kinds of parameters and result)
CASE(exists_function) { return TYPE_EXISTS(fn_t); }
// libbpf: type_exists 1 -> 0 (the number of parameters)
CASE(exists_function_more) { return TYPE_EXISTS(fn_more_t); }
// libbpf: type_exists 1 -> 0 (a parameter's kind)
CASE(exists_function_parameter) { return TYPE_EXISTS(fn_arg_t); }
// libbpf: type_exists 1 -> 0 (the result's kind)
CASE(exists_function_result) { return TYPE_EXISTS(fn_ret_t); }
// libbpf: type_exists 1 -> 1 (void results)
CASE(exists_function_void) { return TYPE_EXISTS(fn_void_t); }
// libbpf: type_exists 1 -> 1 (a prototype without a pointer)
CASE(exists_prototype) { return TYPE_EXISTS(proto_t); }
// libbpf: type_exists 1 -> 0 (floats cannot be compared: never compatible)
CASE(exists_float_typedef) { return TYPE_EXISTS(f32); }
// libbpf: type_exists 1 -> 1 (modifiers are skipped)
CASE(exists_modified) { return TYPE_EXISTS(cv_t); }
// libbpf: type_exists 1 -> 1 (a chain of typedefs)
CASE(exists_chain) { return TYPE_EXISTS(chain_t); }
// libbpf: type_exists 1 -> 1
CASE(exists_enum_typedef) { return TYPE_EXISTS(enum_t); }
// libbpf: type_exists 1 -> 0 (a union there a struct)
CASE(exists_union_typedef) { return TYPE_EXISTS(union_t); }
// libbpf: type_exists 1 -> 1 (int sizes are not compared)
CASE(exists_grew) { return TYPE_EXISTS(grew_t); }
// libbpf: type_exists 1 -> 1
CASE(exists_bool_typedef) { return TYPE_EXISTS(bool_t); }

// libbpf: type_size 4 -> 16
CASE(size_struct) { return TYPE_SIZE(struct s); }
// libbpf: type_size 16 -> 56
CASE(size_struct_changed) { return TYPE_SIZE(struct s_changed); }
// libbpf: type_size 4 -> 0 (zero; cilium/ebpf poisons)
CASE(size_missing) { return TYPE_SIZE(struct missing); }
// libbpf: type_size 4 -> 8
CASE(size_union) { return TYPE_SIZE(union u); }
// libbpf: type_size 4 -> 8
CASE(size_enum_became_64) { return TYPE_SIZE(enum e_became_64); }
// libbpf: type_size 4 -> 4
CASE(size_typedef) { return TYPE_SIZE(num); }
// libbpf: type_size 8 -> 8
CASE(size_pointer) { return TYPE_SIZE(ptr_t); }
// libbpf: type_size 16 -> 36
CASE(size_array) { return TYPE_SIZE(arr_t); }
// libbpf: type_size 8 -> 1
CASE(size_grew) { return TYPE_SIZE(grew_t); }
// libbpf: type_size 4 -> 0 (incompatible, so as if missing)
CASE(size_incompatible) { return TYPE_SIZE(became_int_t); }

// libbpf: local_type_id 5 -> 5 (never looked for in the target)
CASE(local_id_struct) { return TYPE_ID_LOCAL(struct s); }
// libbpf: local_type_id 21 -> 21 (so missing there makes no difference)
CASE(local_id_missing) { return TYPE_ID_LOCAL(struct missing); }
// libbpf: local_type_id 45 -> 45
CASE(local_id_typedef) { return TYPE_ID_LOCAL(s_t); }
// libbpf: target_type_id 5 -> 7
CASE(target_id_struct) { return TYPE_ID_TARGET(struct s); }
// libbpf: target_type_id 21 -> 0 (zero; cilium/ebpf poisons)
CASE(target_id_missing) { return TYPE_ID_TARGET(struct missing); }
// libbpf: target_type_id 45 -> 36
CASE(target_id_typedef) { return TYPE_ID_TARGET(s_t); }
// libbpf: target_type_id 27 -> 25
CASE(target_id_enum) { return TYPE_ID_TARGET(enum e); }
// libbpf: target_type_id 6 -> 5
CASE(target_id_int) { return TYPE_ID_TARGET(int); }
// libbpf: target_type_id 12 -> 0 (incompatible)
CASE(target_id_incompatible) { return TYPE_ID_TARGET(struct became_union); }
