/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opensnoop: who opens which file. An example of a program with libbpf that brings BTF
 * for kernels that have none: see choose_types and the first line of trace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/opensnoop.h"
#include "btf_bundle.h" /* made by btfgen bundle: BTF of many kernels, as bpf/opensnoop.bpf.c needs it */
#include "btfgen/bundle.h"

/* Room for events of one processor, in pages. */
#define BUFFER_PAGES 64

/* A signal that comes between two waits for events is noticed after this time. */
#define POLL_SECONDS 0.1

/* What a section's name of a program starts with. */
#define TRACEPOINT "tracepoint/syscalls/"

/* The eBPF object, put into the program by object.S. */
extern const char opensnoop_object[], opensnoop_object_end[];

struct options {
	int verbose, consensus;
	struct config config;
	long count;	 /* end after that many events; 0: do not */
	double duration; /* end after that many seconds; 0: do not */
};

static const char usage[] =
	"usage: opensnoop [-v] [-x] [-p PID] [-count N] [-duration SECONDS] [-consensus]\n"
	"Tells who opens which file (root).\n"
	"  -v                 say on stderr which BTF is used, and why\n"
	"  -x                 only what failed\n"
	"  -p PID             only this process\n"
	"  -count N           end after N events\n"
	"  -duration SECONDS  end after this time\n"
	"  -consensus         on a kernel unknown to this program, use the BTF on which all its relatives agree\n"
	"environment:\n"
	"  BTF_FILE=PATH      use the BTF in this file\n"
	"  BTF_BUNDLE=only    pass over the kernel's own BTF, to try out what this program brings\n";

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* what tells in one line what failed; error is an errno's value, of either sign */
static int failed(const char *what, int error)
{
	fprintf(stderr, "opensnoop: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

static int verbose;

/* libbpf takes many lines to say why a program does not load. */
static int libbpf_says(enum libbpf_print_level level, const char *format, va_list args)
{
	return verbose && level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* escape writes what would break a line or move a cursor as \xNN. out has room for 4 bytes for each of s, and one more. */
static const char *escape(char *out, const char *s, size_t size)
{
	char *end = out;
	size_t i;

	for (i = 0; i < size && s[i]; i++) {
		unsigned char c = s[i];

		if (c < ' ' || c == 0x7f || c == '\\')
			end += sprintf(end, "\\x%02x", c);
		else
			*end++ = c;
	}
	*end = 0;
	return out;
}

struct printing {
	long printed, count;
	int error; /* an errno's value */
};

static void print_event(void *context, int cpu, void *sample, __u32 size)
{
	struct printing *p = context;
	const struct event *e = sample;
	char comm[4 * COMM_SIZE + 1], path[4 * PATH_SHOWN + 1], number[12];
	const char *result = e->result < 0 ? strerrorname_np(-e->result) : NULL;

	(void)cpu;
	if (size < sizeof(*e) || (p->count && p->printed == p->count))
		return;
	if (!result) {
		snprintf(number, sizeof(number), "%d", e->result);
		result = number;
	}
	if (printf("%-7d %-7d %-16s %-8s %s%s\n", e->pid, e->parent, escape(comm, e->comm, COMM_SIZE), result,
		   e->path_size > 0 ? escape(path, e->path, PATH_SHOWN) : "?", e->path_size > PATH_SHOWN + 1 ? "..." : "") < 0)
		p->error = errno;
	p->printed++;
}

static void print_lost(void *context, int cpu, __u64 lost)
{
	(void)context, (void)cpu;
	fprintf(stderr, "opensnoop: lost %llu events\n", (unsigned long long)lost);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int print_events(struct perf_buffer *buffer, struct printing *p, double duration)
{
	double end = now() + duration;

	if (puts("PID     PPID    COMM             RESULT   PATH") < 0)
		p->error = errno;
	while (!p->error && !stopped && !(p->count && p->printed >= p->count)) {
		double left = duration ? end - now() : POLL_SECONDS;
		int err;

		if (left <= 0)
			break;
		err = perf_buffer__poll(buffer, (left < POLL_SECONDS ? left : POLL_SECONDS) * 1000);
		if (err < 0 && err != -EINTR)
			return failed("perf events", err);
	}
	perf_buffer__consume(buffer); /* what came in since */
	return p->error ? failed("standard output", p->error) : 0;
}

/* A tracepoint that the kernel does not have is no error: its directory is missing where the others are. */
static int has_tracepoint(const char *event)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/syscalls/%s", event);
	if (!access(path, F_OK))
		return 1;
	snprintf(path, sizeof(path), "/sys/kernel/debug/tracing/events/syscalls/%s", event);
	return !access(path, F_OK);
}

/* More than there are programs. */
#define MAX_LINKS 16

/* attach attaches the programs whose system call this kernel has. Links are the kernel's to remove, too, when the process ends. */
static int attach(struct bpf_object *object, struct bpf_link *links[MAX_LINKS])
{
	struct bpf_program *program;
	int attached = 0;

	bpf_object__for_each_program(program, object) {
		const char *event = bpf_program__section_name(program) + strlen(TRACEPOINT);

		if (!has_tracepoint(event) || attached == MAX_LINKS)
			continue;
		links[attached] = bpf_program__attach_tracepoint(program, "syscalls", event);
		if (!links[attached++])
			return failed(event, errno);
	}
	if (!attached) {
		fputs("opensnoop: no tracepoints of system calls: is tracefs mounted at /sys/kernel/tracing, and does the kernel have CONFIG_FTRACE_SYSCALLS?\n", stderr);
		return -1;
	}
	return 0;
}

/* choose_types finds the BTF to load the eBPF programs with. */
static int choose_types(struct btfgen_choice *choice, int consensus)
{
	const char *only = getenv("BTF_BUNDLE");
	unsigned flags = consensus ? BTFGEN_CONSENSUS : 0;
	char err[1024];
	struct btf *btf;

	if (only && !strcmp(only, "only"))
		flags |= BTFGEN_NO_KERNEL_BTF;
	if (btfgen_choose(choice, btf_bundle, sizeof(btf_bundle), getenv("BTF_FILE"), flags, err, sizeof(err))) {
		fprintf(stderr, "opensnoop: %s\n", err);
		return -1;
	}
	if (verbose)
		fprintf(stderr, "%s\n", choice->why);
	if (choice->source == BTFGEN_FROM_FILE) {
		/* libbpf would tell in four lines, without the file's name */
		btf = btf__parse(choice->path, NULL);
		if (!btf) {
			fprintf(stderr, "opensnoop: %s: no BTF that libbpf can read: %s\n", choice->path, strerror(errno));
			return -1;
		}
		btf__free(btf);
	}
	return 0;
}

static int trace(const struct options *o, const struct btfgen_choice *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "opensnoop", .btf_custom_path = types->path[0] ? types->path : NULL);
	struct printing printing = { .count = o->count };
	struct bpf_link *links[MAX_LINKS] = { 0 };
	struct perf_buffer *buffer;
	struct bpf_object *object;
	int i, err, zero = 0;

	object = bpf_object__open_mem(opensnoop_object, opensnoop_object_end - opensnoop_object, &opts);
	if (!object)
		return failed("the eBPF object built into this program", errno);
	err = bpf_object__load(object);
	if (err)
		return failed(verbose ? "loading eBPF programs" : "loading eBPF programs (-v tells what libbpf says)", err);
	buffer = perf_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), BUFFER_PAGES, print_event, print_lost,
				  &printing, NULL);
	if (!buffer)
		return failed("perf events", errno);
	if (attach(object, links))
		return -1;
	/* This starts it: what was opened for attaching is not to be reported. */
	err = bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "config"), &zero, &o->config, BPF_ANY);
	if (err)
		return failed("settings of the eBPF programs", err);
	err = print_events(buffer, &printing, o->duration);
	for (i = 0; i < MAX_LINKS; i++)
		bpf_link__destroy(links[i]);
	perf_buffer__free(buffer);
	bpf_object__close(object);
	return err;
}

/* number reads all of s as a number from 0 to max. */
static int number(const char *s, double max, double *n)
{
	char *end;

	*n = strtod(s, &end);
	return end != s && !*end && *n >= 0 && *n <= max;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "v", no_argument, NULL, 'v' },	      { "x", no_argument, NULL, 'x' },
		{ "p", required_argument, NULL, 'p' },	      { "count", required_argument, NULL, 'c' },
		{ "duration", required_argument, NULL, 'd' }, { "consensus", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },	      { 0 },
	};
	double n;
	int c;

	opterr = 0;
	while ((c = getopt_long_only(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'v':
			o->verbose = 1;
			continue;
		case 'x':
			o->config.failed_only = 1;
			continue;
		case 'C':
			o->consensus = 1;
			continue;
		case 'p':
			if (!number(optarg, INT_MAX, &n) || n != (int)n || !n)
				return 2;
			o->config.pid = n;
			continue;
		case 'c':
			if (!number(optarg, INT_MAX, &n) || n != (long)n)
				return 2;
			o->count = n;
			continue;
		case 'd':
			if (!number(optarg, 1e9, &o->duration))
				return 2;
			continue;
		case 'h':
			return 0;
		}
		return 2;
	}
	return optind == argc ? -1 : 2;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct options o = { .config.pid = ALL_PROCESSES };
	struct btfgen_choice types;
	int code = parse(argc, argv, &o);

	if (code >= 0) {
		fputs(usage, code ? stderr : stdout);
		return code;
	}
	verbose = o.verbose;
	libbpf_set_print(libbpf_says);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (choose_types(&types, o.consensus))
		return 1;
	code = trace(&o, &types);
	btfgen_choice_close(&types);
	return code ? 1 : 0;
}
