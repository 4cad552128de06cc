// SPDX-License-Identifier: Apache-2.0
/* Asks a bundle everything: for the reader's batch command and for the fuzz target. */
#ifndef BTFGEN_EXERCISE_H
#define BTFGEN_EXERCISE_H

#include "btfgen/bundle.h"

/* Where it stops, so that a bundle of millions of entries does not take forever. */
enum { most_contents = 64, most_paths = 20 };

struct exercise {
	uint64_t hash; /* of what was read: FNV-1a, 64 bits */
	unsigned kernels;
	char path[most_paths][BTFGEN_PATH_SIZE];
	uint32_t content[most_paths];
};

static inline void exercise_add(struct exercise *x, const void *data, size_t size)
{
	const unsigned char *p = (const unsigned char *)data;
	for (size_t i = 0; i < size; i++)
		x->hash = (x->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static inline void exercise_number(struct exercise *x, uint32_t n)
{
	unsigned char b[4] = {(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16), (unsigned char)(n >> 24)};
	exercise_add(x, b, sizeof(b));
}

static inline int exercise_kernel(void *context, const char *dir, const char *release, uint32_t content)
{
	struct exercise *x = (struct exercise *)context;
	char path[BTFGEN_PATH_SIZE];
	btfgen_priv_print(path, sizeof(path), "%s%s%s", dir, dir[0] != 0 ? "/" : "", release);
	exercise_add(x, path, strlen(path) + 1);
	exercise_number(x, content);
	if (x->kernels < most_paths) {
		memcpy(x->path[x->kernels], path, sizeof(path));
		x->content[x->kernels] = content;
	}
	x->kernels++;
	return 0;
}

/* Holds an answer against what a right one looks like. */
static inline void exercise_expect(int right, const char *what)
{
	if (!right) {
		fprintf(stderr, "wrong: %s\n", what);
		abort();
	}
}

/* Returns 0 and the hash of what the bundle holds, or the first error, with its text. */
static inline int exercise_bundle(struct exercise *x, const void *data, size_t size, char *err, size_t err_size)
{
	struct btfgen_bundle b;
	void *btf;
	size_t btf_size;
	x->hash = UINT64_C(0xcbf29ce484222325);
	x->kernels = 0;
	int code = btfgen_bundle_open(&b, data, size, err, err_size);
	if (code == 0)
		code = btfgen_bundle_kernels(&b, exercise_kernel, x, err, err_size);
	if (code != 0)
		return code;
	for (uint32_t i = 0; i < most_contents && code == 0; i++) {
		code = btfgen_bundle_content(&b, i, &btf, &btf_size, err, err_size);
		exercise_expect(code == 0 ? btf != NULL : btf == NULL && btf_size == 0, "content");
		if (code == 0) {
			exercise_number(x, (uint32_t)btf_size);
			exercise_add(x, btf, btf_size);
		}
		free(btf);
	}
	if (code != 0 && code != -ENOENT) /* the number after the last one */
		return code;
	for (unsigned i = 0; i < x->kernels && i < most_paths; i++) {
		code = btfgen_bundle_get(&b, x->path[i], &btf, &btf_size, err, err_size);
		exercise_expect(code != -ENOENT, "a kernel that is listed is not there");
		if (code == 0) {
			exercise_number(x, (uint32_t)btf_size);
			exercise_add(x, btf, btf_size);
		}
		free(btf);
		if (code != 0)
			return code;
	}
	return 0;
}

/* Asks for a host, with consensus and without; the map is known to be right. */
static inline void exercise_find(const struct exercise *x, const void *data, size_t size, const struct btfgen_host *host)
{
	struct btfgen_bundle b;
	struct btfgen_match match;
	char err[1024];
	exercise_expect(btfgen_bundle_open(&b, data, size, err, sizeof(err)) == 0, "opened once, not twice");
	int plain = btfgen_bundle_find(&b, host, 0, &match, err, sizeof(err));
	exercise_expect(plain == 0 || plain == -ENOENT || plain == -EEXIST, "find");
	exercise_expect(plain == 0 ? match.path[0] != 0 && match.rule[0] != 0 && x->kernels > 0 : strchr(err, '\n') == NULL && strlen(err) < sizeof(err), "find");
	int consensus = btfgen_bundle_find(&b, host, BTFGEN_CONSENSUS, &match, err, sizeof(err));
	exercise_expect(consensus == plain || (consensus == 0 && plain == -ENOENT), "find by consensus");
}

#endif
