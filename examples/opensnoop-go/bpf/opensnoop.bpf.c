/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opensnoop: who opens which file, with what result.
 *
 * Compiled once for all kernels. What it reads lies elsewhere from kernel to kernel:
 *
 *   task_struct.tgid, .real_parent, .comm   at almost any offset; a dozen options move them
 *   the arguments of a system call          behind a header that real-time kernels make longer
 *   long, pointers                          are 4 bytes in a 32-bit kernel
 *
 * It keeps to what a kernel 4.18 has: a perf event array, not a ring buffer (5.8); a map
 * for the settings, not global variables (5.2); helpers that copy memory under their new
 * names, since libbpf and cilium/ebpf put in the old ones where those are missing (5.5).
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_LRU_HASH = 9,
};
#define BPF_ANY 0
#define BPF_F_CURRENT_CPU 0xffffffffULL

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "opensnoop.h"

/* Of the kernel's types only what is read, in any order and without gaps: the loader looks
 * each member up in the kernel's BTF. What follows ___ is a flavor, no part of the name. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
	char comm[COMM_SIZE];
};

/* What the tracepoints of system calls say they hand to a program … */
struct trace_event_raw_sys_enter {
	unsigned long args[6];
};
struct trace_event_raw_sys_exit {
	long ret;
};
/* … and what they do hand over: two types of this one name. They are no longer the same in
 * real-time kernels before 6.6, where args lies at 24 by the types above, but is at 16. */
struct syscall_tp_t___enter {
	unsigned long args[6];
};
struct syscall_tp_t___exit {
	unsigned long ret;
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* By thread: the path that an open under way was called with, as an address in the thread's memory.
 * It is read when the call is done, since the kernel has brought it into memory by then. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} events SEC(".maps");

static __always_inline int wanted(__s32 pid, __s64 result)
{
	__u32 zero = 0;
	struct config *c = bpf_map_lookup_elem(&config, &zero);

	return c && (c->pid == ALL_PROCESSES || c->pid == pid) && (!c->failed_only || result < 0);
}

static __always_inline void started(__u64 path)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 thread = id;

	if (wanted(id >> 32, -1))
		bpf_map_update_elem(&paths, &thread, &path, BPF_ANY);
}

/* Argument n of the system call that starts. A macro: an access that is to be relocated has to
 * have its index in it. */
#define ARGUMENT(ctx, n) ({							\
	struct syscall_tp_t___enter *handed = (ctx);				\
	struct trace_event_raw_sys_enter *said = (ctx);				\
	bpf_core_field_exists(handed->args) ? BPF_CORE_READ(handed, args[n])	\
					    : BPF_CORE_READ(said, args[n]);	\
})

/* The low half of what the system call returned holds all of a file descriptor or error number,
 * also where it is 4 bytes wide and what is read beyond them is something else. */
static __always_inline int returned(void *ctx)
{
	struct syscall_tp_t___exit *handed = ctx;
	struct trace_event_raw_sys_exit *said = ctx;

	if (bpf_core_field_exists(handed->ret))
		return BPF_CORE_READ(handed, ret);
	return BPF_CORE_READ(said, ret);
}

static __always_inline int ended(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 thread = id;
	__u64 *path = bpf_map_lookup_elem(&paths, &thread);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct event e = {};

	if (!path)
		return 0;
	e.result = returned(ctx);
	if (wanted(id >> 32, e.result)) {
		e.pid = BPF_CORE_READ(task, tgid);
		e.parent = BPF_CORE_READ(task, real_parent, tgid);
		BPF_CORE_READ_STR_INTO(&e.comm, task, comm);
		e.path_size = bpf_probe_read_user_str(e.path, PATH_SHOWN + 2, (void *)*path);
		bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &e, sizeof(e));
	}
	bpf_map_delete_elem(&paths, &thread);
	return 0;
}

/* Not every kernel has all of them: arm64 never had open, and openat2 came with 5.6. What is there
 * is attached. */

SEC("tracepoint/syscalls/sys_enter_open")
int enter_open(void *ctx)
{
	started(ARGUMENT(ctx, 0));
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int enter_openat(void *ctx)
{
	started(ARGUMENT(ctx, 1));
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat2")
int enter_openat2(void *ctx)
{
	started(ARGUMENT(ctx, 1));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_open")
int exit_open(void *ctx)
{
	return ended(ctx);
}

SEC("tracepoint/syscalls/sys_exit_openat")
int exit_openat(void *ctx)
{
	return ended(ctx);
}

SEC("tracepoint/syscalls/sys_exit_openat2")
int exit_openat2(void *ctx)
{
	return ended(ctx);
}

char LICENSE[] SEC("license") = "GPL";
