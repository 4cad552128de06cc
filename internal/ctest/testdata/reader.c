// SPDX-License-Identifier: Apache-2.0
/* btfgen/bundle.h on the command line, for the tests beside it. */
#include "exercise.h"

static const char usage[] = "usage: reader list|all BUNDLE; get BUNDLE PATH OUT; find BUNDLE RELEASE MACHINE ID VERSION_ID CODENAME ID_LIKE [consensus];\n"
			    "       host ROOT; choose BUNDLE|- FILE|- [consensus]; batch < sizes and bundles\n";

static char err[2048];

/* Exit codes tell the kinds of errors apart. */
static int fail(int code)
{
	fprintf(stderr, "%s\n", err);
	switch (code) {
	case -ENOENT:
		return 3;
	case -EEXIST:
		return 4;
	case -EINVAL:
		return 5;
	default:
		return 6;
	}
}

static int wrong(const char *what, const char *name)
{
	fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
	return 1;
}

/* Reads a file into memory of exactly its size, so that a sanitizer sees each byte read too much. */
static unsigned char *read_file(const char *name, size_t *size)
{
	FILE *f = fopen(name, "rb");
	long n;
	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
		exit(wrong("read", name));
	unsigned char *p = (unsigned char *)malloc(n != 0 ? (size_t)n : 1);
	if (p == NULL || fread(p, 1, (size_t)n, f) != (size_t)n)
		exit(wrong("read", name));
	fclose(f);
	*size = (size_t)n;
	return p;
}

static int print_kernel(void *context, const char *dir, const char *release, uint32_t content)
{
	(void)context;
	printf("%lu %s%s%s\n", (unsigned long)content, dir, dir[0] != 0 ? "/" : "", release);
	return 0;
}

/* Prints each content's number and size on a line, then its bytes. */
static int print_contents(const struct btfgen_bundle *b)
{
	for (uint32_t i = 0;; i++) {
		void *btf;
		size_t size;
		int code = btfgen_bundle_content(b, i, &btf, &size, err, sizeof(err));
		if (code != 0)
			return code == -ENOENT ? 0 : code;
		printf("content %lu %lu\n", (unsigned long)i, (unsigned long)size);
		fwrite(btf, 1, size, stdout);
		free(btf);
	}
}

static int get(const struct btfgen_bundle *b, const char *path, const char *out)
{
	void *btf;
	size_t size;
	int code = btfgen_bundle_get(b, path, &btf, &size, err, sizeof(err));
	if (code != 0)
		return fail(code);
	FILE *f = fopen(out, "wb");
	if (f == NULL || fwrite(btf, 1, size, f) != size || fclose(f) != 0)
		return wrong("write", out);
	free(btf);
	return 0;
}

static void field(char *to, size_t size, const char *from)
{
	if (strlen(from) >= size) {
		fprintf(stderr, "too long for a host: %s\n", from);
		exit(1);
	}
	memcpy(to, from, strlen(from) + 1);
}

static int find(const struct btfgen_bundle *b, char **arg, unsigned flags)
{
	struct btfgen_host h;
	struct btfgen_match m;
	field(h.release, sizeof(h.release), arg[0]);
	field(h.machine, sizeof(h.machine), arg[1]);
	field(h.id, sizeof(h.id), arg[2]);
	field(h.version_id, sizeof(h.version_id), arg[3]);
	field(h.codename, sizeof(h.codename), arg[4]);
	field(h.id_like, sizeof(h.id_like), arg[5]);
	int code = btfgen_bundle_find(b, &h, flags, &m, err, sizeof(err));
	if (code != 0)
		return fail(code);
	printf("%s\n%lu\n%s\n", m.path, (unsigned long)m.content, m.rule);
	return 0;
}

static int host(const char *root)
{
	struct btfgen_host h;
	int code = btfgen_host_read(&h, root, err, sizeof(err));
	if (code != 0)
		return fail(code);
	printf("%s\n%s\n%s\n%s\n%s\n%s\n", h.release, h.machine, h.id, h.version_id, h.codename, h.id_like);
	return 0;
}

/* Prints the choice, and what reading its path gives: the size, and whether the memfd could be changed. */
static int choose(const void *bundle, size_t size, const char *file, unsigned flags)
{
	struct btfgen_choice c;
	int code = btfgen_choose(&c, bundle, size, file, flags, err, sizeof(err));
	if (code != 0) {
		btfgen_choice_close(&c);
		return fail(code);
	}
	printf("source %d\nwhy %s\nkernel %s\n", (int)c.source, c.why, c.kernel);
	if (c.path[0] != 0) {
		size_t btf_size;
		unsigned char *btf = read_file(c.path, &btf_size);
		printf("size %lu\n", (unsigned long)btf_size);
		fwrite(btf, 1, btf_size, stdout);
		free(btf);
	}
	if (c.fd >= 0 && (write(c.fd, "x", 1) >= 0 || (fcntl(c.fd, F_GETFD) & FD_CLOEXEC) == 0)) {
		fprintf(stderr, "the memfd can be written to, or is left open on exec\n");
		return 1;
	}
	btfgen_choice_close(&c);
	return 0;
}

/* Reads bundles from stdin, each after its size (4 bytes, little-endian), and prints a line for each: 0 and a hash, or an error. */
static int batch(void)
{
	static struct exercise x;
	unsigned char size_bytes[4];
	struct btfgen_host h;
	memset(&h, 0, sizeof(h));
	strcpy(h.release, "6.1.0-49-amd64");
	strcpy(h.machine, "x86_64");
	strcpy(h.id, "debian");
	strcpy(h.version_id, "12");
	strcpy(h.id_like, "centos");
	while (fread(size_bytes, 1, 4, stdin) == 4) {
		size_t size = btfgen_priv_get32(size_bytes);
		unsigned char *p = (unsigned char *)malloc(size != 0 ? size : 1);
		if (p == NULL || fread(p, 1, size, stdin) != size)
			return wrong("read", "a bundle");
		int code = exercise_bundle(&x, p, size, err, sizeof(err));
		if (code == 0) {
			exercise_find(&x, p, size, &h);
			printf("0 %016llx\n", (unsigned long long)x.hash);
		} else {
			printf("%d %s\n", -code, err);
		}
		free(p);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct btfgen_bundle b;
	unsigned char *bundle = NULL;
	size_t size = 0;
	const char *command = argc > 1 ? argv[1] : "";
	int status, code = 0, consensus = argc > 2 && strcmp(argv[argc - 1], "consensus") == 0;
	unsigned flags = consensus ? BTFGEN_CONSENSUS : 0;
	argc -= consensus;
	if (argc == 2 && strcmp(command, "batch") == 0)
		return batch();
	if (argc == 3 && strcmp(command, "host") == 0)
		return host(argv[2]);
	if (argc > 2 && strcmp(argv[2], "-") != 0)
		bundle = read_file(argv[2], &size);
	if (argc == 4 && strcmp(command, "choose") == 0) {
		status = choose(bundle, size, strcmp(argv[3], "-") != 0 ? argv[3] : NULL, flags | BTFGEN_NO_KERNEL_BTF);
	} else if (bundle == NULL) {
		fputs(usage, stderr);
		return 2;
	} else if (btfgen_bundle_open(&b, bundle, size, err, sizeof(err)) != 0) {
		status = fail(-EINVAL);
	} else if (argc == 3 && (strcmp(command, "list") == 0 || strcmp(command, "all") == 0)) {
		code = btfgen_bundle_kernels(&b, print_kernel, NULL, err, sizeof(err));
		if (code == 0 && strcmp(command, "all") == 0)
			code = print_contents(&b);
		status = code == 0 ? 0 : fail(code);
	} else if (argc == 5 && strcmp(command, "get") == 0) {
		status = get(&b, argv[3], argv[4]);
	} else if (argc == 9 && strcmp(command, "find") == 0) {
		status = find(&b, argv + 3, flags);
	} else {
		fputs(usage, stderr);
		status = 2;
	}
	free(bundle);
	if (fflush(stdout) != 0)
		return wrong("write", "stdout");
	return status;
}
