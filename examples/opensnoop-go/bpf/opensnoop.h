/* SPDX-License-Identifier: Apache-2.0 */
/* What the eBPF program and the one that loads it tell each other. */
#ifndef OPENSNOOP_H
#define OPENSNOOP_H

#define COMM_SIZE 16
/* A path of up to this many bytes is shown whole. */
#define PATH_SHOWN 256

/* The only entry of the map "config". All zero, as it is at first, nothing is reported. */
struct config {
	int pid;         /* report this process alone; ALL_PROCESSES: all */
	int failed_only; /* report only what failed */
};
#define ALL_PROCESSES -1

struct event {
	int pid;
	int parent;    /* the parent's process id */
	int result;    /* a file descriptor, or the negative error number */
	int path_size; /* bytes of path with the final zero, or negative if it could not be read */
	char comm[COMM_SIZE];
	char path[PATH_SHOWN + 4]; /* one byte more than is shown tells that a path is cut; then the zero, and no gap at the end */
};

#endif
