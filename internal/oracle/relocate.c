//go:build ignore

// SPDX-License-Identifier: Apache-2.0
//
// relocate: libbpf's own verdict on the CO-RE relocations of eBPF objects.
//
//   relocate [-a|-p] [-r] [-v] BTF OBJECT...
//
// Every OBJECT is loaded by libbpf with BTF as the kernel's types, and the
// programs' instructions are printed as libbpf would hand them to the kernel.
// The kernel is never asked anything: the bpf system call is faked (see
// __wrap_syscall), so that no root, no BPF and no kernel types are needed, and
// the output depends on nothing but the two files.
//
//   (default)  all programs of an object together, as a normal load does it;
//              when that load fails, each program on its own
//   -a         all programs together only; a failure is one error for the object
//   -p         each program on its own only
//   -r         also print the result of each relocation
//   -v         also print libbpf's log lines about each relocation, as "# LINE"
//
// Output, line by line (NAMEs are C strings; fields are divided by one blank):
//
//   target BTF               once, as given on the command line
//   object FILE              likewise
//   order all|program        the programs together, or each on its own
//   program SECTION NAME     in the order of the object, subprograms left out
//   relo PROG INSN KIND ORIG NEW POISON VALIDATE MEMSZ ORIGSZ NEWSZ ORIGTYPE NEWTYPE
//                            (-r) PROG: program or subprogram that holds the
//                            instruction; INSN: its index there; KIND: 0-12;
//                            ORIG, NEW: values, unsigned decimal; POISON,
//                            VALIDATE: 0|1; MEMSZ: 1 if an access width cannot be
//                            adjusted; ORIGSZ, NEWSZ: access widths in bytes and
//                            ORIGTYPE, NEWTYPE: type ids, for byte offsets (else 0).
//                            In "order all" these lines precede the first program.
//   insns HEX HEX...         the program after relocation, 8 bytes (16 digits) each,
//                            in the object's byte order, subprograms appended
//   error CODE "TEXT"        instead of insns: libbpf's error code and its
//                            warnings, divided by "; "
//   error after an object's line: the object cannot be opened, or (-a) not loaded.
//
// In instructions, the imm of a map reference (src_reg 1 and 2) is the map's
// index in the object in place of a file descriptor; external kernel symbols
// count as absent. Exit code: 0 if all objects were opened, 1 otherwise, 2 usage.
//
// Build: see the Makefile. libbpf must be linked statically, so that --wrap reaches
// the calls inside it. The line at the top keeps the go command away from this file.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <bpf/libbpf_legacy.h>
#include <gelf.h>

#if LIBBPF_MAJOR_VERSION != 1 || LIBBPF_MINOR_VERSION != 1
#error "written for libbpf 1.1: compare struct bpf_core_relo_res first"
#endif

// Mirror of libbpf 1.1's relo_core.h, which is not installed.
struct bpf_core_relo_res {
	__u64 orig_val;
	__u64 new_val;
	bool poison;
	bool validate;
	bool fail_memsz_adjust;
	__u32 orig_sz;
	__u32 orig_type_id;
	__u32 new_sz;
	__u32 new_type_id;
};

static const char *btf_path;
static struct btf *target;
static bool verbose, print_relos;

// ---- output that a failed load takes back -------------------------------

// lines of relocations, printed only once it is known in which order they stand
static char *trace;
static size_t trace_len;
static char *warnings;
static size_t warnings_len;

static void append(char **buf, size_t *len, const char *fmt, va_list ap)
{
	char *line;
	int n = vasprintf(&line, fmt, ap);

	if (n < 0)
		exit(3);
	*buf = realloc(*buf, *len + n + 1);
	if (!*buf)
		exit(3);
	memcpy(*buf + *len, line, n + 1);
	*len += n;
	free(line);
}

static void tracef(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(&trace, &trace_len, fmt, ap);
	va_end(ap);
}

static void forget_log(void)
{
	trace_len = 0;
	warnings_len = 0;
}

static int on_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	va_list copy;
	char *line;
	int n;

	if (level == LIBBPF_WARN) {
		va_copy(copy, ap);
		append(&warnings, &warnings_len, fmt, copy);
		va_end(copy);
	}
	if (!verbose)
		return 0;
	n = vasprintf(&line, fmt, ap);
	if (n < 0)
		exit(3);
	// "insn #N against 'x'" is an ELF relocation, numbered on its own
	if (strstr(line, "relo #") && !strstr(line, " against '"))
		tracef("# %s", line);
	free(line);
	return 0;
}

static void print_trace(void)
{
	fwrite(trace, 1, trace_len, stdout);
}

static void print_error(int err)
{
	bool fresh = false;

	printf("error %d \"", err);
	while (warnings_len && warnings[warnings_len - 1] == '\n')
		warnings_len--;
	for (size_t i = 0; i < warnings_len; i++) {
		char c = warnings[i];

		if (fresh)
			fputs("; ", stdout);
		fresh = c == '\n';
		if (c == '"' || c == '\\')
			putchar('\\');
		if (!fresh)
			putchar(c);
	}
	puts("\"");
}

// ---- what of libbpf is replaced -----------------------------------------

// File descriptors are made up, above what close() could hit.
enum { FAKE_FD = 0x40000000 };

// The kernel agrees to everything and hands out descriptors; it has no objects
// pinned and no modules.
long __wrap_syscall(long nr, ...);
long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...)
{
	static int next_fd = FAKE_FD;
	long arg[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (nr != SYS_bpf)
		return __real_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	switch (arg[0]) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
	case BPF_RAW_TRACEPOINT_OPEN:
		if (next_fd == 0x7fffffff)
			next_fd = FAKE_FD;
		return next_fd++;
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	}
	errno = ENOENT;
	return -1;
}

// The target is parsed once, not once per load: parsing is most of a load's time.
struct btf *__wrap_btf__parse(const char *path, struct btf_ext **ext);
struct btf *__real_btf__parse(const char *path, struct btf_ext **ext);
struct btf *__wrap_btf__parse(const char *path, struct btf_ext **ext)
{
	if (target && !ext && !strcmp(path, btf_path))
		return target;
	return __real_btf__parse(path, ext);
}

void __wrap_btf__free(struct btf *btf);
void __real_btf__free(struct btf *btf);
void __wrap_btf__free(struct btf *btf)
{
	if (btf != target)
		__real_btf__free(btf);
}

// The running kernel's types serve external symbols only; there are none.
struct btf *__wrap_btf__load_vmlinux_btf(void);
struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	return btf__new_empty();
}

FILE *__wrap_fopen64(const char *path, const char *mode);
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	if (!strcmp(path, "/proc/kallsyms"))
		path = "/dev/null";
	return __real_fopen64(path, mode);
}

int __wrap_bpf_core_patch_insn(const char *prog, struct bpf_insn *insn, int insn_idx,
			       const struct bpf_core_relo *relo, int relo_idx,
			       const struct bpf_core_relo_res *res);
int __real_bpf_core_patch_insn(const char *prog, struct bpf_insn *insn, int insn_idx,
			       const struct bpf_core_relo *relo, int relo_idx,
			       const struct bpf_core_relo_res *res);
int __wrap_bpf_core_patch_insn(const char *prog, struct bpf_insn *insn, int insn_idx,
			       const struct bpf_core_relo *relo, int relo_idx,
			       const struct bpf_core_relo_res *res)
{
	if (print_relos)
		tracef("relo %s %d %d %llu %llu %d %d %d %u %u %u %u\n", prog, insn_idx,
		       relo->kind, res->orig_val, res->new_val, res->poison, res->validate,
		       res->fail_memsz_adjust, res->orig_sz, res->new_sz,
		       res->orig_type_id, res->new_type_id);
	return __real_bpf_core_patch_insn(prog, insn, insn_idx, relo, relo_idx, res);
}

// ---- an object, made ready to be loaded anywhere ------------------------

struct image {
	char *bytes;
	size_t size;
	char *kconfig; // a value for every CONFIG_ the object asks for
};

static bool read_file(const char *path, struct image *img)
{
	FILE *f = fopen(path, "rb");
	long size = -1;

	memset(img, 0, sizeof(*img));
	if (!f)
		return false;
	if (!fseek(f, 0, SEEK_END))
		size = ftell(f);
	rewind(f);
	if (size >= 0) {
		img->bytes = malloc(size + 1);
		img->size = size;
	}
	if (!img->bytes || fread(img->bytes, 1, img->size, f) != img->size) {
		fclose(f);
		return false;
	}
	fclose(f);
	return true;
}

// libbpf looks program sections up in this table before its own: a plain type, so
// that nothing is looked for that a program would be attached to. Programs of
// struct_ops are checked for their type while the object is opened.
static bool plain_section(const char *name)
{
	static char **known;
	static int count;

	if (*name == '?')
		name++;
	if (!strncmp(name, "struct_ops", strlen("struct_ops")))
		return true;
	for (int i = 0; i < count; i++)
		if (!strcmp(known[i], name))
			return true;
	known = realloc(known, (count + 1) * sizeof(*known));
	if (!known || !(known[count++] = strdup(name)))
		exit(3);
	return libbpf_register_prog_handler(name, BPF_PROG_TYPE_KPROBE, 0, NULL) >= 0;
}

// External symbols become weak: a missing one is no error then.
static void weaken_symbols(struct image *img, const GElf_Shdr *sh)
{
	Elf64_Sym *sym = (void *)(img->bytes + sh->sh_offset);

	if (sh->sh_offset > img->size || sh->sh_size > img->size - sh->sh_offset)
		return;
	for (size_t i = 1; i < sh->sh_size / sizeof(*sym); i++)
		if (sym[i].st_shndx == SHN_UNDEF && ELF64_ST_BIND(sym[i].st_info) == STB_GLOBAL)
			sym[i].st_info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(sym[i].st_info));
}

static void prepare_sections(struct image *img)
{
	Elf *elf = elf_memory(img->bytes, img->size);
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	size_t names;

	if (!elf)
		return;
	if (!elf_getshdrstrndx(elf, &names)) {
		while ((scn = elf_nextscn(elf, scn))) {
			const char *name;

			if (!gelf_getshdr(scn, &sh))
				continue;
			name = elf_strptr(elf, names, sh.sh_name);
			if (sh.sh_type == SHT_SYMTAB)
				weaken_symbols(img, &sh);
			else if (sh.sh_type == SHT_PROGBITS && (sh.sh_flags & SHF_EXECINSTR) && name)
				plain_section(name);
		}
	}
	elf_end(elf);
}

// Kernel configuration is off, zero and empty; the object's types say which word
// libbpf takes for that.
static void prepare_kconfig(struct image *img, const char *path)
{
	struct btf *btf = btf__parse_elf(path, NULL);
	const struct btf_type *sec, *t;
	size_t len = 0;
	FILE *out;
	int id;

	if (!btf)
		return;
	id = btf__find_by_name_kind(btf, ".kconfig", BTF_KIND_DATASEC);
	out = id > 0 ? open_memstream(&img->kconfig, &len) : NULL;
	if (out) {
		sec = btf__type_by_id(btf, id);
		for (int i = 0; i < btf_vlen(sec); i++) {
			const char *name, *value = "n";

			t = btf__type_by_id(btf, btf_var_secinfos(sec)[i].type);
			name = btf__name_by_offset(btf, t->name_off);
			t = btf__type_by_id(btf, btf__resolve_type(btf, t->type));
			if (btf_is_array(t))
				value = "\"\"";
			else if (btf_is_int(t) && t->size > 1)
				value = "0";
			if (!strncmp(name, "CONFIG_", 7))
				fprintf(out, "%s=%s\n", name, value);
		}
		fclose(out);
	}
	btf__free(btf);
}

static struct bpf_object *open_image(const struct image *img)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		.object_name = "object",
		.btf_custom_path = btf_path,
		.kconfig = img->kconfig,
	);
	struct bpf_object *obj = bpf_object__open_mem(img->bytes, img->size, &opts);
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!obj)
		return NULL;
	bpf_object__for_each_map(map, obj) {
		bpf_map__set_pin_path(map, NULL);
		// else the kernel's type of that name is looked up
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			bpf_map__set_type(map, BPF_MAP_TYPE_ARRAY);
	}
	bpf_object__for_each_program(prog, obj) {
		bpf_program__set_type(prog, BPF_PROG_TYPE_KPROBE);
		bpf_program__set_expected_attach_type(prog, 0);
		bpf_program__set_autoload(prog, true);
	}
	return obj;
}

// ---- verdicts -----------------------------------------------------------

static int map_index(const struct bpf_object *obj, int fd)
{
	struct bpf_map *map;
	int i = 0;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__fd(map) == fd)
			return i;
		i++;
	}
	return fd;
}

static void print_program(const struct bpf_program *prog)
{
	printf("program %s %s\n", bpf_program__section_name(prog), bpf_program__name(prog));
}

static void print_insns(const struct bpf_object *obj, const struct bpf_program *prog)
{
	const struct bpf_insn *insns = bpf_program__insns(prog);
	size_t cnt = bpf_program__insn_cnt(prog);

	fputs("insns", stdout);
	for (size_t i = 0; i < cnt; i++) {
		struct bpf_insn insn = insns[i];
		unsigned char b[sizeof(insn)];
		bool first_half = insn.code == (BPF_LD | BPF_IMM | BPF_DW);

		if (first_half && (insn.src_reg == BPF_PSEUDO_MAP_FD ||
				   insn.src_reg == BPF_PSEUDO_MAP_VALUE))
			insn.imm = map_index(obj, insn.imm);
		memcpy(b, &insn, sizeof(b));
		putchar(' ');
		for (size_t j = 0; j < sizeof(b); j++)
			printf("%02x", b[j]);
	}
	putchar('\n');
}

static int load_together(const struct image *img, bool report_error)
{
	struct bpf_object *obj;
	struct bpf_program *prog;
	int err;

	forget_log();
	obj = open_image(img);
	if (!obj) {
		print_error(-errno);
		return 1;
	}
	err = bpf_object__load(obj);
	if (!err || report_error) {
		puts("order all");
		print_trace();
	}
	if (err && report_error)
		print_error(err);
	if (!err) {
		bpf_object__for_each_program(prog, obj) {
			print_program(prog);
			print_insns(obj, prog);
		}
	}
	bpf_object__close(obj);
	return err;
}

static void load_one_by_one(const struct image *img)
{
	bool more = true;

	for (int n = 0; more; n++) {
		struct bpf_program *prog, *only = NULL;
		struct bpf_object *obj;
		int err, i = 0;

		forget_log();
		obj = open_image(img);
		if (!obj) {
			print_error(-errno);
			return;
		}
		bpf_object__for_each_program(prog, obj) {
			bpf_program__set_autoload(prog, i == n);
			if (i == n)
				only = prog;
			i++;
		}
		if (n == 0)
			puts("order program");
		if (only) {
			err = bpf_object__load(obj);
			print_program(only);
			print_trace();
			if (err)
				print_error(err);
			else
				print_insns(obj, only);
		}
		more = n + 1 < i;
		bpf_object__close(obj);
	}
}

static int judge(const char *path, bool together, bool one_by_one)
{
	struct image img;
	struct bpf_object *obj;
	int err = 0;

	printf("object %s\n", path);
	forget_log();
	if (!read_file(path, &img)) {
		printf("error %d \"%s\"\n", -errno, strerror(errno));
		return 1;
	}
	prepare_sections(&img);
	prepare_kconfig(&img, path);
	forget_log();
	obj = open_image(&img);
	if (!obj) {
		print_error(-errno);
		err = 1;
	} else {
		bpf_object__close(obj);
		if (together && load_together(&img, !one_by_one) && one_by_one)
			load_one_by_one(&img);
		else if (!together)
			load_one_by_one(&img);
	}
	free(img.bytes);
	free(img.kconfig);
	return err;
}

int main(int argc, char **argv)
{
	bool together = true, one_by_one = true, usage = false;
	int c, status = 0;

	while ((c = getopt(argc, argv, "aprv")) != -1) {
		switch (c) {
		case 'a': one_by_one = false; break;
		case 'p': together = false; break;
		case 'r': print_relos = true; break;
		case 'v': verbose = true; break;
		default: usage = true;
		}
	}
	if (usage || argc - optind < 2 || (!together && !one_by_one)) {
		fprintf(stderr, "usage: relocate [-a|-p] [-r] [-v] BTF OBJECT...\n");
		return 2;
	}
	libbpf_set_print(on_log);
	libbpf_set_memlock_rlim(0);
	elf_version(EV_CURRENT);
	btf_path = argv[optind];
	target = btf__parse(btf_path, NULL);
	if (!target) {
		fprintf(stderr, "relocate: %s: %s\n", btf_path, strerror(errno));
		return 1;
	}
	printf("target %s\n", btf_path);
	for (int i = optind + 1; i < argc; i++)
		status |= judge(argv[i], together, one_by_one);
	return status;
}
