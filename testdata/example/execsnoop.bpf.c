/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execsnoop: reports every program that is started, and how each process ended.
 *
 * A small but complete CO-RE program. What it reads lies elsewhere from kernel to
 * kernel, under another name, or not at all:
 *
 *   task_struct.state       became __state in 5.14, narrower
 *   task_struct.real_start_time  became start_boottime in 5.5
 *   linux_binprm.secureexec a bitfield; bits beside it came and went
 *   linux_binprm.fdpath     exists since 5.8
 *   cgroup_subsys_id        its values depend on the kernel's configuration
 *   kernfs_node.id          was a union kernfs_node_id before 5.5
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
typedef _Bool bool;

enum bpf_map_type { BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4 };
#define BPF_F_CURRENT_CPU 0xffffffffULL

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Of the kernel's types only what is read, in any order and without gaps: the
 * loader looks each member up in the kernel's BTF. A name after ___ is a flavor:
 * another shape of the same type. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum cgroup_subsys_id { memory_cgrp_id = 4 };

struct kernfs_node {
	__u64 id;
};
union kernfs_node_id {
	__u64 id;
};
struct kernfs_node___before_5_5 {
	union kernfs_node_id id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
struct css_set {
	struct cgroup_subsys_state *subsys[8];
};
struct task_struct {
	__u32 __state;
	__s32 pid;
	__s32 tgid;
	struct task_struct *real_parent;
	__s32 exit_code;
	__u64 start_boottime;
	unsigned int sched_reset_on_fork : 1;
	char comm[16];
	struct css_set *cgroups;
};
struct task_struct___before_5_14 {
	long state;
};
struct task_struct___before_5_5 {
	__u64 real_start_time;
};
struct linux_binprm {
	unsigned int secureexec : 1;
	int argc;
	const char *filename;
	const char *fdpath;
};

#pragma clang attribute pop

struct event {
	__u64 cgroup;  /* of the memory controller; 0: there is none */
	__u64 started; /* nanoseconds after the boot */
	__s32 pid, parent;
	__s32 argc;      /* -1: the process has ended */
	__s32 exit_code; /* as wait() has it */
	__u32 state;
	__u8 secure; /* started with more rights than its parent */
	__u8 by_descriptor; /* fexecve() */
	__u8 reset_on_fork;
	char comm[16];
	char filename[128];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} events SEC(".maps");

static __u64 memory_cgroup(struct task_struct *task)
{
	struct kernfs_node *node;
	__u32 i;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	i = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	node = BPF_CORE_READ(task, cgroups, subsys[i & 7], cgroup, kn);
	if (bpf_core_type_exists(union kernfs_node_id))
		return BPF_CORE_READ((struct kernfs_node___before_5_5 *)node, id.id);
	return BPF_CORE_READ(node, id);
}

static void describe(struct event *e, struct task_struct *task)
{
	struct task_struct___before_5_14 *wide = (void *)task;
	struct task_struct___before_5_5 *old = (void *)task;

	e->pid = BPF_CORE_READ(task, tgid);
	e->parent = BPF_CORE_READ(task, real_parent, tgid);
	e->cgroup = memory_cgroup(task);
	e->reset_on_fork = BPF_CORE_READ_BITFIELD_PROBED(task, sched_reset_on_fork);
	BPF_CORE_READ_STR_INTO(&e->comm, task, comm);

	if (bpf_core_field_exists(task->__state))
		e->state = BPF_CORE_READ(task, __state);
	else
		e->state = BPF_CORE_READ(wide, state);

	if (bpf_core_field_exists(task->start_boottime))
		e->started = BPF_CORE_READ(task, start_boottime);
	else
		e->started = BPF_CORE_READ(old, real_start_time);
}

SEC("raw_tp/sched_process_exec")
int started(__u64 *args)
{
	struct task_struct *task = (void *)args[0];
	struct linux_binprm *bprm = (void *)args[2];
	struct event e = {};

	describe(&e, task);
	e.argc = BPF_CORE_READ(bprm, argc);
	e.secure = BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec);
	if (bpf_core_field_exists(bprm->fdpath))
		e.by_descriptor = BPF_CORE_READ(bprm, fdpath) != 0;
	BPF_CORE_READ_STR_INTO(&e.filename, bprm, filename);
	bpf_perf_event_output(args, &events, BPF_F_CURRENT_CPU, &e, sizeof(e));
	return 0;
}

SEC("raw_tp/sched_process_exit")
int ended(__u64 *args)
{
	struct task_struct *task = (void *)args[0];
	struct event e = {};

	/* threads end too */
	if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	describe(&e, task);
	e.argc = -1;
	e.exit_code = BPF_CORE_READ(task, exit_code);
	bpf_perf_event_output(args, &events, BPF_F_CURRENT_CPU, &e, sizeof(e));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
