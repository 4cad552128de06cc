/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cases share. Every function made by CASE is one program and so one
 * case. The comment in front of it says what libbpf 1.1 does with it, one phrase
 * for each of its relocations in their order, divided by "; ":
 *
 *   KIND ORIGINAL -> NEW     a value is found, or there is a default (0)
 *   KIND ORIGINAL -> poison  the instruction becomes call 0xbad2310
 *   error: TEXT              the program is not loaded
 *
 * then, in parentheses, why. "libbpf target-2:" is for the second of several
 * targets, "libbpf all:" for a load of all programs together (else each is loaded on
 * its own). Type ids and numbers of relocations are left out of the TEXT. The phrases agree with the .want file; the oracle's test compares them.
 */
typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

/* enough of the kernel's headers for libbpf's */
enum bpf_map_type { BPF_MAP_TYPE_UNSPEC };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CASE(name) CASE_IN("raw_tp", name)
#define CASE_IN(section, name) SEC(section) long name(void *ctx)
/* called by a CASE; its relocations are its own, whoever calls it */
#define SUBPROGRAM(name) __attribute__((noinline)) long name(void *ctx)

/* all types in between are accessed by relocation */
#define RELOCATED_TYPES \
	_Pragma("clang attribute push(__attribute__((preserve_access_index)), apply_to = record)")
#define END_RELOCATED_TYPES _Pragma("clang attribute pop")

#define FIELD_INFO(type, field, info) __builtin_preserve_field_info(((type *)0)->field, info)
#define OFFSET(type, field) FIELD_INFO(type, field, BPF_FIELD_BYTE_OFFSET)
#define SIZE(type, field) FIELD_INFO(type, field, BPF_FIELD_BYTE_SIZE)
#define EXISTS(type, field) FIELD_INFO(type, field, BPF_FIELD_EXISTS)
#define SIGNED(type, field) FIELD_INFO(type, field, BPF_FIELD_SIGNED)
#define LSHIFT(type, field) FIELD_INFO(type, field, BPF_FIELD_LSHIFT_U64)
#define RSHIFT(type, field) FIELD_INFO(type, field, BPF_FIELD_RSHIFT_U64)

/* the address of a field, by an instruction that holds its offset */
#define ADDRESS(type, field) ((long)&((type *)ctx)->field)
/* a load through memory, by an instruction that holds offset and width */
#define LOAD(type, field) (((type *)ctx)->field)
#define STORE(type, field, value) (((type *)ctx)->field = (value))

#define TYPE_EXISTS(type) bpf_core_type_exists(type)
#define TYPE_SIZE(type) bpf_core_type_size(type)
#define TYPE_MATCHES(type) bpf_core_type_matches(type)
#define TYPE_ID_LOCAL(type) bpf_core_type_id_local(type)
#define TYPE_ID_TARGET(type) bpf_core_type_id_kernel(type)
#define ENUM_EXISTS(type, value) bpf_core_enum_value_exists(type, value)
#define ENUM_VALUE(type, value) bpf_core_enum_value(type, value)

char _license[] SEC("license") = "GPL";
