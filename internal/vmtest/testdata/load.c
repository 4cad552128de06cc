/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: what the guest's vmload does (guest/load.go), with libbpf in place of cilium/ebpf and the bundle's reader in C. It
 * loads objects, attaches their programs, has the worker work, and prints what they saw, in the same lines of JSON: first
 * script.Choice, then script.Loaded for each object.
 *
 *	load [-verify] BUNDLE OBJECT...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "btfgen/bundle.h"

#define MAX_PROGRAMS 128
#define MAX_EVENTS 60

struct bytes {
	char *data;
	size_t size, room;
};

static void append(struct bytes *b, const void *data, size_t size)
{
	if (b->size + size > b->room) {
		b->room = 2 * (b->size + size);
		b->data = realloc(b->data, b->room);
		if (!b->data)
			abort();
	}
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

/* What libbpf warns about while one object is loaded: the start of it. */
static char warnings[700];

static int libbpf_says(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t used = strlen(warnings);

	if (level == LIBBPF_WARN)
		vsnprintf(warnings + used, sizeof(warnings) - used, format, args);
	return 0;
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '\n')
			fputs("\\n", stdout);
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			putchar('?');
		else
			putchar(c);
	}
	putchar('"');
}

static void base64(const unsigned char *p, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	putchar('"');
	for (i = 0; i < size; i += 3) {
		unsigned v = p[i] << 16 | (i + 1 < size ? p[i + 1] << 8 : 0) | (i + 2 < size ? p[i + 2] : 0);

		putchar(digits[v >> 18]);
		putchar(digits[v >> 12 & 63]);
		putchar(i + 1 < size ? digits[v >> 6 & 63] : '=');
		putchar(i + 2 < size ? digits[v & 63] : '=');
	}
	putchar('"');
}

/* work has the worker work, as a child of a process of its own. The caller frees what it said; NULL if it failed. */
static char *work(void)
{
	struct bytes said = { 0 };
	char part[4096];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe(ends))
		return NULL;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/vmparent", "/bin/vmparent", "vmworker", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((n = read(ends[0], part, sizeof(part))) > 0)
		append(&said, part, n);
	close(ends[0]);
	append(&said, "", 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		free(said.data);
		return NULL;
	}
	said.data[strcspn(said.data, "\n")] = 0;
	return said.data;
}

/* number is the value of a member in the worker's JSON. */
static unsigned number(const char *json, const char *name)
{
	const char *at = strstr(json, name);

	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* What is kept of events: those that the worker or its child are in, by process id or comm. */
struct seen {
	struct bytes events[1000];
	int count;
};

static void keep(struct seen *seen, const void *data, size_t size)
{
	if (seen->count < (int)(sizeof(seen->events) / sizeof(seen->events[0])))
		append(&seen->events[seen->count++], data, size);
}

static void on_sample(void *context, int cpu, void *data, __u32 size)
{
	(void)cpu;
	keep(context, data, size);
}

static int on_record(void *context, void *data, size_t size)
{
	keep(context, data, size);
	return 0;
}

static int concerns(const struct bytes *event, const unsigned *pids)
{
	return memmem(event->data, event->size, "vmworker", 8) || memmem(event->data, event->size, "vmchild", 7) ||
	       memmem(event->data, event->size, &pids[0], 4) || memmem(event->data, event->size, &pids[1], 4);
}

static void print_events(struct seen *seen, const char *worked)
{
	unsigned pids[] = { number(worked, "\"PID\":"), number(worked, "\"ChildPID\":") };
	int i, printed = 0;
	size_t zeros;

	fputs(",\"Events\":[", stdout);
	for (i = 0; i < seen->count && printed < MAX_EVENTS; i++) {
		struct bytes *e = &seen->events[i];

		if (!concerns(e, pids))
			continue;
		/* Zeros at the end are left out, but for those that may be part of a number. */
		for (zeros = 0; zeros < e->size && !e->data[e->size - 1 - zeros]; zeros++)
			;
		if (zeros > 8)
			e->size -= zeros - 8;
		if (printed++)
			putchar(',');
		base64((unsigned char *)e->data, e->size);
	}
	putchar(']');
}

static void keep_entries(struct seen *seen, const struct bpf_map *map)
{
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	char *entry = calloc(1, key_size + value_size);
	int fd = bpf_map__fd(map);
	void *before = NULL;

	while (entry && !bpf_map_get_next_key(fd, before, entry)) {
		before = entry;
		if (!bpf_map_lookup_elem(fd, entry, entry + key_size))
			keep(seen, entry, key_size + value_size);
	}
	free(entry);
}

/* What the guest's vmload puts in place of the dummies that objects name. */
static const struct {
	const char *dummy, *functions[2];
} stand_ins[] = {
	{ "dummy_file_read", { "shmem_file_read_iter" } },
	{ "dummy_file_write", { "shmem_file_write_iter", "generic_file_write_iter" } },
	{ "dummy_file_open", { "shmem_file_open", "generic_file_open" } },
	{ "dummy_file_sync", { "noop_fsync" } },
	{ "dummy_getattr", { "shmem_getattr" } },
	{ "dummy_kprobe", { "vfs_read" } },
	{ "dummy_kretprobe", { "vfs_read" } },
};

static struct bpf_link *attach(struct bpf_program *program, char *note, size_t note_size)
{
	const char *section = bpf_program__section_name(program), *slash = strchr(section, '/');
	int ret = !strncmp(section, "kretprobe/", 10);
	struct bpf_link *link = NULL;
	size_t i, j;

	note[0] = 0;
	for (i = 0; slash && (ret || !strncmp(section, "kprobe/", 7)) && i < sizeof(stand_ins) / sizeof(stand_ins[0]); i++) {
		if (strcmp(slash + 1, stand_ins[i].dummy))
			continue;
		for (j = 0; j < 2 && !link && stand_ins[i].functions[j]; j++) {
			link = bpf_program__attach_kprobe(program, ret, stand_ins[i].functions[j]);
			snprintf(note, note_size, "%s %s", link ? "at" : strerror(errno), stand_ins[i].functions[j]);
		}
		return link;
	}
	link = bpf_program__attach(program);
	if (!link)
		snprintf(note, note_size, "%s", strerror(errno));
	return link;
}

struct program {
	struct bpf_program *program;
	struct bpf_link *link;
	char note[200];
};

static int program_info(const struct bpf_program *program, struct bpf_prog_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(bpf_program__fd(program), info, &size);
}

/* leave_out does not load programs that need the kernel's own BTF, unless there are no others. */
static void leave_out(struct bpf_object *object)
{
	struct bpf_program *p;
	int others = 0;

	bpf_object__for_each_program(p, object)
		others += bpf_program__type(p) != BPF_PROG_TYPE_TRACING;
	if (!others)
		return;
	fputs(",\"LeftOut\":{", stdout);
	others = 0;
	bpf_object__for_each_program(p, object) {
		if (bpf_program__type(p) != BPF_PROG_TYPE_TRACING)
			continue;
		bpf_program__set_autoload(p, false);
		printf("%s\"%s\":\"%s: needs the kernel's own BTF\"", others++ ? "," : "", bpf_program__name(p), bpf_program__section_name(p));
	}
	putchar('}');
}

/* set_up sets what the program that an object is part of sets when it starts. */
static void set_up(struct bpf_object *object)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, object) {
		bpf_map__set_pin_path(m, NULL);
		if (bpf_map__type(m) == BPF_MAP_TYPE_STACK_TRACE && bpf_map__value_size(m) == 0)
			bpf_map__set_value_size(m, 127 * 8);
		if (bpf_map__max_entries(m) == 0 && bpf_map__type(m) != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			bpf_map__set_max_entries(m, 1024);
	}
}

/* set_constant sets a read-only variable of one byte, if the object has it. */
static void set_constant(struct bpf_object *object, const char *name, char value)
{
	struct bpf_map *m = bpf_object__find_map_by_name(object, ".rodata");
	struct btf *btf = bpf_object__btf(object);
	const struct btf_var_secinfo *v;
	const struct btf_type *section;
	char *constants;
	size_t size;
	int i;

	constants = m ? (char *)bpf_map__initial_value(m, &size) : NULL;
	section = constants ? btf__type_by_id(btf, btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC)) : NULL;
	if (!section)
		return;
	for (i = 0, v = btf_var_secinfos(section); i < btf_vlen(section); i++, v++)
		if (v->size == 1 && v->offset < size && !strcmp(btf__name_by_offset(btf, btf__type_by_id(btf, v->type)->name_off), name))
			constants[v->offset] = value;
}

/* watch attaches programs, has the worker work, and collects what they saw. It returns what the worker says. */
static char *watch(struct bpf_object *object, struct program *programs, int count, struct seen *seen)
{
	struct perf_buffer *perf = NULL;
	struct ring_buffer *ring = NULL;
	struct bpf_map *m;
	char *worked;
	int i;

	bpf_object__for_each_map(m, object) {
		if (bpf_map__type(m) == BPF_MAP_TYPE_PERF_EVENT_ARRAY && !perf)
			perf = perf_buffer__new(bpf_map__fd(m), 64, on_sample, NULL, seen, NULL);
		if (bpf_map__type(m) == BPF_MAP_TYPE_RINGBUF && !ring)
			ring = ring_buffer__new(bpf_map__fd(m), on_record, seen, NULL);
	}
	for (i = 0; i < count; i++)
		programs[i].link = attach(programs[i].program, programs[i].note, sizeof(programs[i].note));
	worked = work();
	if (perf)
		perf_buffer__consume(perf);
	if (ring)
		ring_buffer__consume(ring);
	bpf_object__for_each_map(m, object)
		if (bpf_map__type(m) == BPF_MAP_TYPE_HASH || bpf_map__type(m) == BPF_MAP_TYPE_LRU_HASH)
			keep_entries(seen, m);
	perf_buffer__free(perf);
	ring_buffer__free(ring);
	return worked;
}

static void print_programs(struct program *programs, int count)
{
	struct bpf_prog_info info;
	int i, j;

	fputs(",\"Programs\":[", stdout);
	for (i = 0; i < count; i++) {
		struct program *p = &programs[i];

		program_info(p->program, &info);
		printf("%s{\"Name\":\"%s\",\"Section\":\"%s\",\"Tag\":\"", i ? "," : "", bpf_program__name(p->program),
		       bpf_program__section_name(p->program));
		for (j = 0; j < BPF_TAG_SIZE; j++)
			printf("%02x", info.tag[j]);
		printf("\",\"Attached\":%s,\"Runs\":%llu,\"Note\":", p->link ? "true" : "false", (unsigned long long)info.run_cnt);
		json_string(p->note);
		putchar('}');
	}
	putchar(']');
}

static void load(const char *path, const char *btf, int verify)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf);
	static struct program programs[MAX_PROGRAMS];
	const char *name = strrchr(path, '/');
	struct seen *seen = calloc(1, sizeof(*seen));
	struct bpf_object *object;
	struct bpf_program *p;
	char *worked = NULL;
	char error[900];
	int count = 0, err, i;

	warnings[0] = 0;
	memset(programs, 0, sizeof(programs));
	printf("{\"Object\":\"%s\"", name ? name + 1 : path);
	object = bpf_object__open_file(path, &opts);
	err = object ? 0 : -errno;
	if (!err) {
		leave_out(object);
		set_up(object);
		/* As syscount -P: what it tells of processes comes from the kernel's types. */
		set_constant(object, "count_by_process", 1);
		err = bpf_object__load(object);
	}
	if (err) {
		snprintf(error, sizeof(error), "%s: %s", strerror(-err), warnings);
		fputs(",\"Error\":", stdout);
		json_string(error);
	} else {
		bpf_object__for_each_program(p, object)
			if (bpf_program__autoload(p) && count < MAX_PROGRAMS)
				programs[count++].program = p;
		if (!verify) {
			worked = watch(object, programs, count, seen);
			if (!worked)
				fputs(",\"Error\":\"the worker failed\"", stdout);
		}
		print_programs(programs, count);
		if (worked) {
			print_events(seen, worked);
			printf(",\"Worked\":%s", worked);
		}
	}
	puts("}");
	fflush(stdout);
	for (i = 0; i < count; i++)
		bpf_link__destroy(programs[i].link);
	bpf_object__close(object);
	for (i = 0; i < seen->count; i++)
		free(seen->events[i].data);
	free(seen);
	free(worked);
}

static const char *const sources[] = { [BTFGEN_FROM_FILE] = "file", [BTFGEN_FROM_KERNEL] = "kernel", [BTFGEN_FROM_BUNDLE] = "bundle" };

int main(int argc, char **argv)
{
	struct btfgen_choice choice;
	struct bytes bundle = { 0 };
	char part[4096], err[1024];
	int verify, i;
	size_t n;
	FILE *f;

	verify = argc > 1 && !strcmp(argv[1], "-verify");
	argc -= verify;
	argv += verify;
	f = argc > 1 ? fopen(argv[1], "re") : NULL;
	if (!f) {
		fputs("usage: load [-verify] BUNDLE OBJECT...\n", stderr);
		return 2;
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		append(&bundle, part, n);
	fclose(f);
	if (btfgen_choose(&choice, bundle.data, bundle.size, getenv("BTF_FILE"), 0, err, sizeof(err))) {
		fprintf(stderr, "load: %s\n", err);
		return 1;
	}
	printf("{\"Source\":\"%s\",\"Path\":", sources[choice.source]);
	json_string(choice.source == BTFGEN_FROM_BUNDLE ? choice.kernel : choice.path);
	fputs(",\"Why\":", stdout);
	json_string(choice.why);
	puts("}");
	libbpf_set_print(libbpf_says);
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0) {
		perror("load: counting runs");
		return 1;
	}
	for (i = 2; i < argc; i++)
		load(argv[i], choice.path[0] ? choice.path : NULL, verify);
	btfgen_choice_close(&choice);
	free(bundle.data);
	return 0;
}
