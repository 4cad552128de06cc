// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer's target for btfgen/bundle.h; scripts/fuzz-c builds and runs it. Bytes at random die at the checksums, so the
 * input's first byte says what is made of the rest:
 *
 *	even	a bundle whose header's fixed fields and all checksums are put right;
 *	odd	the segments before they are packed, each after its size (4 bytes, little-endian), of which a bundle is made.
 *
 * The segments' mutator changes one of them, so that sizes stay right.
 */
#include "exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum { most_segments = 5, most_bytes = 1 << 20 };

struct segments {
	const uint8_t *at[most_segments];
	size_t size[most_segments];
	unsigned n; /* at least the map and the strings, which may be empty */
};

static void split(const uint8_t *data, size_t size, struct segments *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t at = 1; at + 4 <= size && s->n < most_segments; s->n++) {
		size_t length = btfgen_priv_get32(data + at);
		at += 4;
		if (length > size - at)
			length = size - at;
		s->at[s->n] = data + at;
		s->size[s->n] = length;
		at += length;
	}
	for (; s->n < 2; s->n++)
		s->at[s->n] = data;
}

static size_t join(const struct segments *s, uint8_t *out)
{
	size_t n = 0;
	out[n++] = 1;
	for (unsigned i = 0; i < s->n; i++) {
		btfgen_priv_put32(out + n, (uint32_t)s->size[i], 0);
		n += 4;
		if (s->size[i] != 0)
			memcpy(out + n, s->at[i], s->size[i]);
		n += s->size[i];
	}
	return n;
}

/* Packs a segment into stored blocks. */
static size_t store(const uint8_t *p, size_t size, uint8_t *out)
{
	size_t n = 0;
	int last;
	do {
		size_t block = size < 65535 ? size : 65535;
		last = block == size;
		out[n++] = (uint8_t)last;
		out[n++] = (uint8_t)block;
		out[n++] = (uint8_t)(block >> 8);
		out[n++] = (uint8_t)~block;
		out[n++] = (uint8_t)(~block >> 8);
		if (block != 0)
			memcpy(out + n, p, block);
		n += block;
		p += block;
		size -= block;
	} while (!last);
	return n;
}

/* Puts right what a reader checks before it looks at segments. */
static void repair(uint8_t *b, size_t size)
{
	static const uint8_t start[10] = {0x89, 'b', 't', 'f', 'g', 'e', 'n', '\n', 1, 0};
	if (size < 16 + 2 * 12 + 4)
		return;
	memcpy(b, start, sizeof(start));
	uint32_t groups = (uint32_t)b[10] | (uint32_t)b[11] << 8;
	while (btfgen_priv_header_size(groups) + 4 > size)
		groups /= 2;
	b[10] = (uint8_t)groups;
	b[11] = (uint8_t)(groups >> 8);
	btfgen_priv_put32(b + 12, (uint32_t)size, 0);
	size_t header = btfgen_priv_header_size(groups), at = header + 4;
	for (size_t record = 16; record < header; record += 12) {
		uint32_t packed = btfgen_priv_get32(b + record);
		if (packed > size - at || record + 12 == header)
			packed = (uint32_t)(size - at);
		btfgen_priv_put32(b + record, packed, 0);
		btfgen_priv_put32(b + record + 8, btfgen_priv_crc(b + at, packed), 0);
		at += packed;
	}
	btfgen_priv_put32(b + header, btfgen_priv_crc(b, header), 0);
}

static uint8_t *make_bundle(const uint8_t *data, size_t size, size_t *bundle_size)
{
	uint8_t *b;
	if ((data[0] & 1) == 0) {
		*bundle_size = size - 1;
		b = (uint8_t *)malloc(size > 1 ? size - 1 : 1);
		exercise_expect(b != NULL, "no memory");
		memcpy(b, data + 1, size - 1);
		repair(b, size - 1);
		return b;
	}
	struct segments s;
	split(data, size, &s);
	uint8_t *big = (uint8_t *)malloc(size + 1000 + size / 1000);
	exercise_expect(big != NULL, "no memory");
	memset(big, 0, 100);
	big[10] = (uint8_t)(s.n - 2);
	size_t at = btfgen_priv_header_size(s.n - 2) + 4;
	for (unsigned i = 0; i < s.n; i++) {
		size_t packed = store(s.at[i], s.size[i], big + at);
		btfgen_priv_put32(big + 16 + 12 * (size_t)i, (uint32_t)packed, 0);
		btfgen_priv_put32(big + 16 + 12 * (size_t)i + 4, (uint32_t)s.size[i], 0);
		at += packed;
	}
	repair(big, at);
	/* Of exactly its size, so that each byte read too much is seen. */
	b = (uint8_t *)malloc(at);
	exercise_expect(b != NULL, "no memory");
	memcpy(b, big, at);
	free(big);
	*bundle_size = at;
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct exercise x;
	char err[512];
	size_t bundle_size;
	if (size == 0 || size > most_bytes)
		return 0;
	uint8_t *b = make_bundle(data, size, &bundle_size);
	if (exercise_bundle(&x, b, bundle_size, err, sizeof(err)) == 0) {
		struct btfgen_host h;
		memset(&h, 0, sizeof(h));
		strcpy(h.release, "6.1.0-49-amd64");
		strcpy(h.machine, "x86_64");
		exercise_find(&x, b, bundle_size, &h);
		/* A host that is in the bundle, of a distribution that may be. */
		if (x.kernels > 0) {
			const char *path = x.path[data[size - 1] % (x.kernels < most_paths ? x.kernels : most_paths)];
			const char *slash = strrchr(path, '/');
			strncpy(h.release, slash != NULL ? slash + 1 : path, sizeof(h.release) - 1);
			strncpy(h.id, path, sizeof(h.id) - 1);
			strncpy(h.id_like, path, sizeof(h.id_like) - 1);
			for (char *c = h.id_like; *c != 0; c++)
				*c = *c == '/' ? ' ' : *c;
			strcpy(h.version_id, "12");
			exercise_find(&x, b, bundle_size, &h);
		}
	} else {
		exercise_expect(err[0] != 0 && strchr(err, '\n') == NULL, "an error without a line");
	}
	free(b);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct segments s;
	if (size == 0 || (data[0] & 1) == 0 || seed % 16 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	split(data, size, &s);
	size_t others = 1 + 4 * (size_t)s.n;
	unsigned which = seed / 16 % s.n;
	for (unsigned i = 0; i < s.n; i++)
		others += i == which ? 0 : s.size[i];
	if (others + s.size[which] + 1 > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	size_t room = max_size - others;
	uint8_t *changed = (uint8_t *)malloc(room), *all = (uint8_t *)malloc(max_size);
	if (changed != NULL && all != NULL) {
		if (s.size[which] != 0)
			memcpy(changed, s.at[which], s.size[which]);
		s.size[which] = LLVMFuzzerMutate(changed, s.size[which], room);
		s.at[which] = changed;
		size = join(&s, all);
		memcpy(data, all, size);
	}
	free(changed);
	free(all);
	return size;
}
