// SPDX-License-Identifier: Apache-2.0
/*
 * btfgen/bundle.h: the BTF that fits this kernel, out of a bundle made by "btfgen bundle".
 *
 * One header to copy into a program; C99 or C++11, Linux, zlib (-lz). It is written from docs/bundle-format.md, which has
 * the format and the rules of the look-up. docs/using-a-bundle.md shows a program around it:
 *
 *	struct btfgen_choice choice;
 *	char err[1024];
 *	if (btfgen_choose(&choice, bundle, bundle_size, getenv("BTF_FILE"), 0, err, sizeof(err)) != 0)
 *		return fprintf(stderr, "%s\n", err), 1;
 *	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = choice.path[0] ? choice.path : NULL);
 *	... open and load ...
 *	btfgen_choice_close(&choice);
 *
 * Functions that can fail return 0 or a negative errno and then leave one line in err (which may be NULL): what is wrong
 * and what to do. -EINVAL: the bundle is damaged or malformed. -ENOENT: no BTF for this kernel, or no such path.
 * -EEXIST: several kernels of the bundle could be this one, and they differ. -ENOMEM.
 *
 * A bundle is not trusted: sizes are checked before memory is taken, so that the most hostile one makes a call take some
 * 430 MB and seconds, whatever it states. For an honest one, a look-up takes the size of the inflated map (about 10 bytes a
 * kernel) and 8 KB of heap, and 20 KB of stack. Nothing is kept between calls, so threads may share a bundle.
 * Names that start with btfgen_priv_ are not for use by others.
 */
#ifndef BTFGEN_BUNDLE_H
#define BTFGEN_BUNDLE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

/* A strict -std=c99 hides it: glibc has it only where __USE_MISC is set. */
#if !defined(__cplusplus) && !defined(__USE_MISC)
extern long syscall(long number, ...);
#endif

/* The most bytes that segments may inflate to: the map and the strings, and a group. A program that knows its bundle may lower them. */
#ifndef BTFGEN_MAP_LIMIT
#define BTFGEN_MAP_LIMIT (16u << 20)
#endif
#ifndef BTFGEN_GROUP_LIMIT
#define BTFGEN_GROUP_LIMIT (64u << 20)
#endif
/* Where a kernel shows its own BTF. */
#ifndef BTFGEN_KERNEL_BTF
#define BTFGEN_KERNEL_BTF "/sys/kernel/btf/vmlinux"
#endif

#define BTFGEN_PATH_SIZE 1280 /* a kernel's path: 1023 bytes of directory, '/', 255 of release, 0 */

/* Flags of btfgen_bundle_find and btfgen_choose. */
#define BTFGEN_CONSENSUS 1u     /* a release that is not in the bundle: use what its whole series agrees on */
#define BTFGEN_NO_KERNEL_BTF 2u /* act as if the kernel had no BTF of its own */

/* What a kernel is told apart by: uname(2) and os-release(5), as written there, unquoted; "" where not known. */
struct btfgen_host {
	char release[256];
	char machine[72];
	char id[72];
	char version_id[72];
	char codename[72]; /* VERSION_CODENAME */
	char id_like[264]; /* separated by blanks */
};

/* A bundle in memory. The bytes stay the caller's and have to outlive it; there is nothing to close. */
struct btfgen_bundle {
	const unsigned char *data;
	size_t size;
	uint32_t groups;
};

/* A kernel of the bundle that was found for a host. */
struct btfgen_match {
	char path[BTFGEN_PATH_SIZE];
	uint32_t content;
	char rule[512]; /* why this one, in words */
};

enum btfgen_source { BTFGEN_FROM_FILE = 1, BTFGEN_FROM_KERNEL, BTFGEN_FROM_BUNDLE };

struct btfgen_choice {
	enum btfgen_source source;
	char path[4096];               /* for libbpf's btf_custom_path; empty for the kernel's own BTF */
	char kernel[BTFGEN_PATH_SIZE]; /* from a bundle: the kernel's path in it */
	char why[2048];                /* one line for a log */
	int fd;                        /* the memfd behind path, or -1 */
};

/* ---- texts ---- */

/* snprintf, where it is meant that what does not fit is cut. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline void btfgen_priv_print(char *text, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (vsnprintf(text, size, format, args) < 0 && size != 0)
		text[0] = 0;
	va_end(args);
}

/* Names come from the bundle: they must not break a line, nor reach a terminal as commands. */
static inline void btfgen_priv_one_line(char *text)
{
	for (; *text != 0; text++) {
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
	}
}

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static inline int btfgen_priv_fail(int code, char *err, size_t err_size, const char *format, ...)
{
	va_list args;
	if (err == NULL || err_size == 0)
		return -code;
	va_start(args, format);
	if (vsnprintf(err, err_size, format, args) < 0)
		err[0] = 0;
	va_end(args);
	btfgen_priv_one_line(err);
	return -code;
}

/* ---- the file: header and segments ---- */

static inline uint32_t btfgen_priv_get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Length of the header with its records, without its CRC-32. */
static inline size_t btfgen_priv_header_size(uint32_t groups)
{
	return 16 + 12 * ((size_t)groups + 2);
}

static inline uint32_t btfgen_priv_crc(const unsigned char *p, size_t size)
{
	return (uint32_t)crc32(crc32(0, Z_NULL, 0), p, (uInt)size); /* size is below 4 GiB, see btfgen_bundle_open */
}

/* Checks the header and its checksum; segments are checked when they are read. Keeps data, which stays the caller's. */
static inline int btfgen_bundle_open(struct btfgen_bundle *b, const void *data, size_t size, char *err, size_t err_size)
{
	static const unsigned char magic[8] = {0x89, 'b', 't', 'f', 'g', 'e', 'n', '\n'};
	const unsigned char *p = (const unsigned char *)data;
	b->data = p;
	b->size = size;
	b->groups = 0;
	if (p == NULL || size < 16 || memcmp(p, magic, sizeof(magic)) != 0)
		return btfgen_priv_fail(EINVAL, err, err_size, "not a bundle: it does not start with btfgen's magic; make one with btfgen bundle");
	uint32_t version = (uint32_t)p[8] | (uint32_t)p[9] << 8;
	if (version != 1)
		return btfgen_priv_fail(EINVAL, err, err_size, "bundle has format version %u, this reader knows version 1; use a newer bundle.h", (unsigned)version);
	b->groups = (uint32_t)p[10] | (uint32_t)p[11] << 8;
	uint32_t stated = btfgen_priv_get32(p + 12);
	if (stated != size)
		return btfgen_priv_fail(EINVAL, err, err_size, "bundle is damaged: it states %lu bytes and has %llu; copy it again", (unsigned long)stated,
					(unsigned long long)size);
	size_t header = btfgen_priv_header_size(b->groups);
	if (size < header + 4)
		return btfgen_priv_fail(EINVAL, err, err_size, "bundle is damaged: %lu bytes cannot hold its %u groups; copy it again", (unsigned long)stated,
					(unsigned)b->groups);
	if (btfgen_priv_crc(p, header) != btfgen_priv_get32(p + header))
		return btfgen_priv_fail(EINVAL, err, err_size, "bundle is damaged: wrong checksum of the header; copy it again");
	uint64_t end = header + 4;
	for (size_t record = 16; record < header; record += 12) {
		uint32_t packed = btfgen_priv_get32(p + record), inflated = btfgen_priv_get32(p + record + 4);
		uint32_t limit = record < 16 + 2 * 12 ? BTFGEN_MAP_LIMIT : BTFGEN_GROUP_LIMIT;
		if (inflated > limit || inflated > (uint64_t)packed * 1032)
			return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: segment %lu states %lu bytes inflated from %lu", (unsigned long)(record - 16) / 12,
						(unsigned long)inflated, (unsigned long)packed);
		end += packed;
	}
	if (end != size)
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: its segments end at byte %llu of %llu", (unsigned long long)end, (unsigned long long)size);
	return 0;
}

static inline uint32_t btfgen_priv_inflated_size(const struct btfgen_bundle *b, uint32_t segment)
{
	return btfgen_priv_get32(b->data + 16 + 12 * (size_t)segment + 4);
}

/* Inflates the first want bytes of a segment, or all of it, into memory that the caller frees. */
static inline int btfgen_priv_inflate(const struct btfgen_bundle *b, uint32_t segment, uint32_t want, unsigned char **out, char *err, size_t err_size)
{
	const unsigned char *record = b->data + 16 + 12 * (size_t)segment;
	uint32_t packed = btfgen_priv_get32(record);
	size_t offset = btfgen_priv_header_size(b->groups) + 4;
	for (uint32_t i = 0; i < segment; i++)
		offset += btfgen_priv_get32(b->data + 16 + 12 * (size_t)i);
	if (btfgen_priv_crc(b->data + offset, packed) != btfgen_priv_get32(record + 8))
		return btfgen_priv_fail(EINVAL, err, err_size, "bundle is damaged: wrong checksum of segment %lu; copy it again", (unsigned long)segment);
	int all = want == btfgen_priv_inflated_size(b, segment);
	unsigned char *p = (unsigned char *)malloc(want != 0 ? want : 1);
	if (p == NULL)
		return btfgen_priv_fail(ENOMEM, err, err_size, "no memory for %lu bytes of a bundle", (unsigned long)want);
	z_stream z;
	memset(&z, 0, sizeof(z));
	if (inflateInit2(&z, -MAX_WBITS) != Z_OK) {
		free(p);
		return btfgen_priv_fail(ENOMEM, err, err_size, "zlib cannot start to inflate a bundle");
	}
	z.next_in = (Bytef *)(uintptr_t)(b->data + offset); /* const where zlib.h was included with ZLIB_CONST, else not */
	z.avail_in = packed;
	z.next_out = p;
	z.avail_out = want;
	int result = inflate(&z, Z_FINISH);
	int good = z.avail_out == 0 && (all ? result == Z_STREAM_END && z.avail_in == 0 : result == Z_BUF_ERROR || result == Z_OK || result == Z_STREAM_END);
	inflateEnd(&z);
	if (!good) {
		free(p);
		if (result == Z_MEM_ERROR)
			return btfgen_priv_fail(ENOMEM, err, err_size, "no memory to inflate a bundle");
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: segment %lu does not inflate to the %lu bytes that it states", (unsigned long)segment,
					(unsigned long)btfgen_priv_inflated_size(b, segment));
	}
	*out = p;
	return 0;
}

/* Bytes that are yet to be read. */
struct btfgen_priv_bytes {
	const unsigned char *at, *end;
};

static inline size_t btfgen_priv_left(const struct btfgen_priv_bytes *b)
{
	return (size_t)(b->end - b->at);
}

static inline int btfgen_priv_varint(struct btfgen_priv_bytes *b, uint32_t *value)
{
	uint32_t v = 0;
	for (unsigned shift = 0; b->at != b->end; shift += 7) {
		uint32_t byte = *b->at++;
		if (shift == 28 && byte > 15)
			return 0; /* a sixth byte, or above 32 bits */
		v |= (byte & 127) << shift;
		if (byte < 128) {
			*value = v;
			return 1;
		}
	}
	return 0;
}

/* Takes the next size bytes off. */
static inline int btfgen_priv_take(struct btfgen_priv_bytes *b, size_t size, struct btfgen_priv_bytes *taken)
{
	if (size > btfgen_priv_left(b))
		return 0;
	taken->at = b->at;
	taken->end = b->at += size;
	return 1;
}

/* Takes a string off, which a zero byte ends. */
static inline int btfgen_priv_string(struct btfgen_priv_bytes *b, const char **s, size_t *length)
{
	const void *zero = memchr(b->at, 0, btfgen_priv_left(b));
	if (zero == NULL)
		return 0;
	*s = (const char *)b->at;
	*length = (size_t)((const unsigned char *)zero - b->at);
	b->at += *length + 1;
	return 1;
}

/* ---- segment 0: the map ---- */

/* The numbers at the start of the map. */
struct btfgen_priv_counts {
	uint32_t directories, kernels;
	uint64_t contents;
	uint32_t group, first, in_group; /* of the content that was asked for: its group, that group's first content and number of contents */
};

static inline int btfgen_priv_read_counts(const struct btfgen_bundle *b, struct btfgen_priv_bytes *map, uint32_t find, struct btfgen_priv_counts *c)
{
	memset(c, 0, sizeof(*c));
	if (!btfgen_priv_varint(map, &c->directories) || !btfgen_priv_varint(map, &c->kernels))
		return 0;
	for (uint32_t g = 0; g < b->groups; g++) {
		uint32_t n = 0;
		/* A content takes two bytes at least. */
		if (!btfgen_priv_varint(map, &n) || n > btfgen_priv_inflated_size(b, g + 2) / 2)
			return 0;
		if (find >= c->contents && find - c->contents < n) {
			c->group = g;
			c->first = (uint32_t)c->contents;
			c->in_group = n;
		}
		c->contents += n;
	}
	return 1;
}

/* A walk over the kernels of the map. Columns are read side by side, so the map is inflated as a whole. */
struct btfgen_priv_walk {
	unsigned char *map; /* owned; btfgen_priv_walk_close frees it */
	struct btfgen_priv_counts counts;
	struct btfgen_priv_bytes directories, prefix, suffix, content, middle; /* what is not read yet */
	uint32_t left, left_here; /* kernels that are to come, in all and in this directory */
	const char *dir;          /* the directory of the kernel, ended by 0 */
	size_t dir_length;
	int dir_is_new; /* the kernel is the first of its directory */
	char release[256];
	size_t release_length;
	uint32_t number; /* of the kernel's content */
};

static inline void btfgen_priv_walk_close(struct btfgen_priv_walk *w)
{
	free(w->map);
	w->map = NULL;
}

static inline int btfgen_priv_walk_fail(const char *what, char *err, size_t err_size)
{
	return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: map: %s", what);
}

/* Passes over a column of varints, so that the next one can be found. */
static inline int btfgen_priv_column(struct btfgen_priv_bytes *map, uint32_t n, struct btfgen_priv_bytes *column)
{
	column->at = map->at;
	for (uint32_t v = 0; n > 0; n--) {
		if (!btfgen_priv_varint(map, &v))
			return 0;
	}
	column->end = map->at;
	return 1;
}

/* Starts a walk, which the caller closes, also where this fails. A copy of its start starts it again. */
static inline int btfgen_priv_walk_open(struct btfgen_priv_walk *w, const struct btfgen_bundle *b, char *err, size_t err_size)
{
	memset(w, 0, sizeof(*w));
	uint32_t size = btfgen_priv_inflated_size(b, 0);
	int code = btfgen_priv_inflate(b, 0, size, &w->map, err, err_size);
	if (code != 0)
		return code;
	struct btfgen_priv_bytes map = {w->map, w->map + size};
	if (!btfgen_priv_read_counts(b, &map, 0, &w->counts))
		return btfgen_priv_walk_fail("wrong counts", err, err_size);
	uint32_t kernels = w->counts.kernels;
	if (kernels > size / 4 || w->counts.directories > size / 2)
		return btfgen_priv_walk_fail("too small for the kernels that it states", err, err_size);
	uint64_t sum = 0;
	w->directories.at = map.at;
	for (uint32_t i = 0; i < w->counts.directories; i++) {
		const char *name = NULL;
		size_t length = 0;
		uint32_t n = 0;
		if (!btfgen_priv_string(&map, &name, &length) || length > 1023 || !btfgen_priv_varint(&map, &n))
			return btfgen_priv_walk_fail("wrong directory", err, err_size);
		sum += n;
	}
	w->directories.end = map.at;
	if (sum != kernels)
		return btfgen_priv_walk_fail("the directories' kernels do not add up", err, err_size);
	if (!btfgen_priv_column(&map, kernels, &w->prefix) || !btfgen_priv_column(&map, kernels, &w->suffix) || !btfgen_priv_column(&map, kernels, &w->content))
		return btfgen_priv_walk_fail("column of numbers ends early", err, err_size);
	w->middle = map;
	w->left = kernels;
	return 0;
}

/* Goes to the next kernel: 1, 0 at the end, a negative errno. */
static inline int btfgen_priv_walk_next(struct btfgen_priv_walk *w, char *err, size_t err_size)
{
	if (w->left == 0) {
		if (btfgen_priv_left(&w->middle) != 0)
			return btfgen_priv_walk_fail("bytes after its end", err, err_size);
		return 0;
	}
	w->dir_is_new = 0;
	/* Directories and columns have been read once, by btfgen_priv_walk_open. */
	while (w->left_here == 0) {
		if (!btfgen_priv_string(&w->directories, &w->dir, &w->dir_length) || !btfgen_priv_varint(&w->directories, &w->left_here))
			return btfgen_priv_walk_fail("wrong directory", err, err_size);
		w->dir_is_new = 1;
	}
	uint32_t prefix = 0, suffix = 0;
	const char *middle = NULL;
	size_t length = 0;
	if (!btfgen_priv_varint(&w->prefix, &prefix) || !btfgen_priv_varint(&w->suffix, &suffix) || !btfgen_priv_varint(&w->content, &w->number) ||
	    !btfgen_priv_string(&w->middle, &middle, &length))
		return btfgen_priv_walk_fail("release without an end", err, err_size);
	if (prefix > w->release_length || suffix > w->release_length - prefix)
		return btfgen_priv_walk_fail("release takes more of the one before than there is", err, err_size);
	if (length > 255 || prefix + suffix + length > 255 || prefix + suffix + length == 0)
		return btfgen_priv_walk_fail("release does not have 1 to 255 bytes", err, err_size);
	if (w->number >= w->counts.contents)
		return btfgen_priv_walk_fail("content number that there is not", err, err_size);
	memmove(w->release + prefix + length, w->release + w->release_length - suffix, suffix);
	memcpy(w->release + prefix, middle, length);
	w->release_length = prefix + length + suffix;
	w->release[w->release_length] = 0;
	w->left--;
	w->left_here--;
	return 1;
}

/* Writes the kernel's path, which fits into BTFGEN_PATH_SIZE. */
static inline void btfgen_priv_path(const struct btfgen_priv_walk *w, char *path)
{
	size_t n = w->dir_length;
	memcpy(path, w->dir, n);
	if (n != 0)
		path[n++] = '/';
	memcpy(path + n, w->release, w->release_length + 1);
}

/*
 * Calls each for every kernel, in the order of the map, until it returns something else than 0, which is then returned.
 * dir and release are valid during the call. The path is dir, '/', release, or release alone where dir is empty.
 */
static inline int btfgen_bundle_kernels(const struct btfgen_bundle *b, int (*each)(void *context, const char *dir, const char *release, uint32_t content),
					void *context, char *err, size_t err_size)
{
	struct btfgen_priv_walk w;
	int code = btfgen_priv_walk_open(&w, b, err, err_size);
	while (code == 0 && (code = btfgen_priv_walk_next(&w, err, err_size)) > 0)
		code = each(context, w.dir, w.release, w.number);
	btfgen_priv_walk_close(&w);
	return code;
}

/* ---- segments 1 and following: strings and contents ---- */

/* The string pool. Every 16th string is noted, the others are found from there. */
struct btfgen_priv_strings {
	unsigned char *bytes;
	uint32_t size, count;
	uint32_t *mark;
	uint32_t *placed; /* by number: the offset in the string section that is being written, 0 where not in it yet */
};

static inline void btfgen_priv_strings_close(struct btfgen_priv_strings *s)
{
	free(s->bytes);
	free(s->mark);
	free(s->placed);
	memset(s, 0, sizeof(*s));
}

/* Reads the string pool, which the caller closes, also where this fails. */
static inline int btfgen_priv_strings_open(struct btfgen_priv_strings *s, const struct btfgen_bundle *b, char *err, size_t err_size)
{
	memset(s, 0, sizeof(*s));
	s->size = btfgen_priv_inflated_size(b, 1);
	int code = btfgen_priv_inflate(b, 1, s->size, &s->bytes, err, err_size);
	if (code != 0)
		return code;
	if (s->size == 0 || s->bytes[0] != 0 || s->bytes[s->size - 1] != 0)
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: strings: the first is not empty, or the last has no end");
	for (uint32_t i = 0; i < s->size; i++)
		s->count += s->bytes[i] == 0;
	s->mark = (uint32_t *)malloc(((size_t)s->count / 16 + 1) * sizeof(uint32_t));
	s->placed = (uint32_t *)calloc(s->count, sizeof(uint32_t));
	if (s->mark == NULL || s->placed == NULL)
		return btfgen_priv_fail(ENOMEM, err, err_size, "no memory for the %lu strings of a bundle", (unsigned long)s->count);
	uint32_t number = 0, start = 0;
	for (uint32_t i = 0; i < s->size; i++) {
		if (s->bytes[i] == 0) {
			if (number % 16 == 0)
				s->mark[number / 16] = start;
			number++;
			start = i + 1;
		}
	}
	return 0;
}

/* One content in form 1 or 2 on its way back to BTF. */
struct btfgen_priv_unpack {
	struct btfgen_priv_bytes info, name, size, type, value, offset; /* the columns */
	struct btfgen_priv_strings *strings;
	unsigned char *at, *types_end; /* the type section */
	unsigned char *string_section, *strings_at, *strings_end;
	uint32_t member; /* the offset of the struct member before */
	int big_endian;
};

static inline void btfgen_priv_put32(unsigned char *p, uint32_t v, int big_endian)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * (big_endian ? 3 - i : i));
}

/* Reads a name and gives its offset in the string section, to which it is appended where it is new. */
static inline int btfgen_priv_name(struct btfgen_priv_unpack *u, uint32_t *offset)
{
	struct btfgen_priv_strings *s = u->strings;
	uint32_t number = 0;
	if (!btfgen_priv_varint(&u->name, &number) || number >= s->count)
		return 0;
	if (number != 0 && s->placed[number] == 0) {
		const unsigned char *from = s->bytes + s->mark[number / 16];
		for (uint32_t skip = number % 16; skip > 0; skip--)
			from += strlen((const char *)from) + 1;
		size_t size = strlen((const char *)from) + 1;
		if (size > (size_t)(u->strings_end - u->strings_at))
			return 0;
		memcpy(u->strings_at, from, size);
		s->placed[number] = (uint32_t)(u->strings_at - u->string_section);
		u->strings_at += size;
	}
	*offset = s->placed[number];
	return 1;
}

/* Writes one word for each letter of words, as docs/bundle-format.md has them: N, S, T, V, O. */
static inline int btfgen_priv_words(struct btfgen_priv_unpack *u, const char *words)
{
	for (; *words != 0; words++) {
		uint32_t v = 0;
		int good;
		switch (*words) {
		case 'N':
			good = btfgen_priv_name(u, &v);
			break;
		case 'S':
			good = btfgen_priv_varint(&u->size, &v);
			break;
		case 'T':
			good = btfgen_priv_varint(&u->type, &v);
			break;
		case 'V':
			good = btfgen_priv_varint(&u->value, &v);
			break;
		default: /* 'O', a difference in zigzag form */
			good = btfgen_priv_varint(&u->offset, &v);
			v = u->member += (v >> 1) ^ (0u - (v & 1u));
			break;
		}
		if (!good || u->types_end - u->at < 4)
			return 0;
		btfgen_priv_put32(u->at, v, u->big_endian);
		u->at += 4;
	}
	return 1;
}

/* Writes one type. */
static inline int btfgen_priv_type(struct btfgen_priv_unpack *u)
{
	/* By kind: the third word, then fixed words; the words that come vlen times. */
	static const char *const kinds[20][2] = {
		{NULL, NULL}, {"SV", ""},  {"T", ""},   {"STTV", ""}, {"S", "NTO"}, {"S", "NTO"}, {"S", "NV"},  {"S", ""}, {"T", ""},  {"T", ""},
		{"T", ""},    {"T", ""},   {"T", ""},   {"T", "NT"},  {"TV", ""},   {"S", "TVV"}, {"S", ""},    {"TV", ""}, {"T", ""}, {"S", "NVV"},
	};
	uint32_t info = 0, name = 0;
	if (!btfgen_priv_varint(&u->info, &info) || u->types_end - u->at < 12)
		return 0;
	info = info >> 8 | info << 24;
	uint32_t kind = info >> 24 & 31;
	if (kind == 0 || kind > 19 || !btfgen_priv_name(u, &name))
		return 0;
	btfgen_priv_put32(u->at, name, u->big_endian);
	btfgen_priv_put32(u->at + 4, info, u->big_endian);
	u->at += 8;
	u->member = 0;
	if (!btfgen_priv_words(u, kinds[kind][0]))
		return 0;
	if (kinds[kind][1][0] == 0)
		return 1;
	for (uint32_t i = info & 0xffff; i > 0; i--) {
		if (!btfgen_priv_words(u, kinds[kind][1]))
			return 0;
	}
	return 1;
}

/* Turns a content of form 1 or 2 back to BTF, which the caller frees. strings are used up by it. */
static inline int btfgen_priv_to_btf(struct btfgen_priv_bytes in, int big_endian, struct btfgen_priv_strings *strings, unsigned char **btf, size_t *size, char *err,
				     size_t err_size)
{
	struct btfgen_priv_unpack u;
	uint32_t types = 0, names = 0, column[5] = {0, 0, 0, 0, 0};
	memset(&u, 0, sizeof(u));
	int good = btfgen_priv_varint(&in, &types) && btfgen_priv_varint(&in, &names);
	for (int i = 0; good && i < 5; i++)
		good = btfgen_priv_varint(&in, &column[i]);
	/* Each byte of a column is at most one word, and each string is there once: no more is allocated for a lie. */
	if (!good || types % 4 != 0 || types / 4 > btfgen_priv_left(&in) || names == 0 || names > strings->size)
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: content states wrong sizes");
	if (!btfgen_priv_take(&in, column[0], &u.info) || !btfgen_priv_take(&in, column[1], &u.name) || !btfgen_priv_take(&in, column[2], &u.size) ||
	    !btfgen_priv_take(&in, column[3], &u.type) || !btfgen_priv_take(&in, column[4], &u.value))
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: content states columns that are longer than it is");
	u.offset = in;
	*size = (size_t)24 + types + names;
	unsigned char *p = (unsigned char *)malloc(*size);
	if (p == NULL)
		return btfgen_priv_fail(ENOMEM, err, err_size, "no memory for %lu bytes of BTF", (unsigned long)*size);
	p[0] = big_endian ? 0xeb : 0x9f;
	p[1] = big_endian ? 0x9f : 0xeb;
	p[2] = 1; /* version */
	p[3] = 0; /* flags */
	btfgen_priv_put32(p + 4, 24, big_endian);
	btfgen_priv_put32(p + 8, 0, big_endian);
	btfgen_priv_put32(p + 12, types, big_endian);
	btfgen_priv_put32(p + 16, types, big_endian);
	btfgen_priv_put32(p + 20, names, big_endian);
	u.strings = strings;
	u.big_endian = big_endian;
	u.at = p + 24;
	u.types_end = u.string_section = u.at + types;
	u.strings_end = u.string_section + names;
	u.string_section[0] = 0;
	u.strings_at = u.string_section + 1;
	while (good && u.at != u.types_end)
		good = btfgen_priv_type(&u);
	if (!good || u.strings_at != u.strings_end || btfgen_priv_left(&u.info) != 0 || btfgen_priv_left(&u.name) != 0 || btfgen_priv_left(&u.size) != 0 ||
	    btfgen_priv_left(&u.type) != 0 || btfgen_priv_left(&u.value) != 0 || btfgen_priv_left(&u.offset) != 0) {
		free(p);
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: content does not make the BTF that it states");
	}
	*btf = p;
	return 0;
}

/* Finds a content in its inflated group: its form and its bytes. All of the group is looked at, n contents. */
static inline int btfgen_priv_in_group(struct btfgen_priv_bytes group, uint32_t n, uint32_t index, unsigned *form, struct btfgen_priv_bytes *content)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t size = 0;
		struct btfgen_priv_bytes bytes = {NULL, NULL};
		if (!btfgen_priv_varint(&group, &size) || size == 0 || !btfgen_priv_take(&group, size, &bytes))
			return 0;
		if (i == index) {
			*form = *bytes.at++;
			*content = bytes;
		}
	}
	return btfgen_priv_left(&group) == 0;
}

/* Gives the BTF with this number as btfgen_bundle_kernels names it. The caller frees it. */
static inline int btfgen_bundle_content(const struct btfgen_bundle *b, uint32_t index, void **btf, size_t *size, char *err, size_t err_size)
{
	unsigned char *inflated = NULL, *p = NULL;
	struct btfgen_priv_counts counts;
	/* Only the numbers at the start of the map are needed, 5 bytes at most each. */
	uint32_t want = btfgen_priv_inflated_size(b, 0);
	if (want > 5 * (b->groups + 2))
		want = 5 * (b->groups + 2);
	*btf = NULL;
	*size = 0;
	int code = btfgen_priv_inflate(b, 0, want, &inflated, err, err_size);
	if (code != 0)
		return code;
	struct btfgen_priv_bytes bytes = {inflated, inflated + want};
	int good = btfgen_priv_read_counts(b, &bytes, index, &counts);
	free(inflated);
	if (!good)
		return btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: map: wrong counts");
	if (index >= counts.contents)
		return btfgen_priv_fail(ENOENT, err, err_size, "no content %lu in a bundle of %llu", (unsigned long)index, (unsigned long long)counts.contents);

	uint32_t group_size = btfgen_priv_inflated_size(b, counts.group + 2);
	code = btfgen_priv_inflate(b, counts.group + 2, group_size, &inflated, err, err_size);
	if (code != 0)
		return code;
	struct btfgen_priv_bytes group = {inflated, inflated + group_size}, content = {NULL, NULL};
	unsigned form = 3;
	struct btfgen_priv_strings strings;
	memset(&strings, 0, sizeof(strings));
	if (!btfgen_priv_in_group(group, counts.in_group, index - counts.first, &form, &content) || form > 2) {
		code = btfgen_priv_fail(EINVAL, err, err_size, "malformed bundle: content %lu or one of its group", (unsigned long)index);
	} else if (form == 0) {
		*size = btfgen_priv_left(&content);
		p = (unsigned char *)malloc(*size + 1);
		if (p != NULL)
			memcpy(p, content.at, *size);
		else
			code = btfgen_priv_fail(ENOMEM, err, err_size, "no memory for %lu bytes of BTF", (unsigned long)*size);
	} else {
		code = btfgen_priv_strings_open(&strings, b, err, err_size);
		if (code == 0)
			code = btfgen_priv_to_btf(content, form == 2, &strings, &p, size, err, err_size);
	}
	btfgen_priv_strings_close(&strings);
	free(inflated);
	if (code != 0)
		*size = 0;
	*btf = p;
	return code;
}

/* Gives the BTF of the kernel with exactly this path. The caller frees it. -ENOENT where there is none. */
static inline int btfgen_bundle_get(const struct btfgen_bundle *b, const char *path, void **btf, size_t *size, char *err, size_t err_size)
{
	struct btfgen_priv_walk w;
	char here[BTFGEN_PATH_SIZE];
	*btf = NULL;
	*size = 0;
	int code = btfgen_priv_walk_open(&w, b, err, err_size), found = 0;
	while (code == 0 && !found && (code = btfgen_priv_walk_next(&w, err, err_size)) > 0) {
		btfgen_priv_path(&w, here);
		found = strcmp(here, path) == 0;
		code = 0;
	}
	btfgen_priv_walk_close(&w);
	if (code < 0)
		return code;
	if (!found)
		return btfgen_priv_fail(ENOENT, err, err_size, "no kernel %s in the bundle; btfgen bundle list shows which there are", path);
	return btfgen_bundle_content(b, w.number, btf, size, err, err_size);
}

/* ---- names: architectures, distributions, versions, releases ---- */

/* Part of a string. */
struct btfgen_priv_text {
	const char *at;
	size_t length;
};

static inline struct btfgen_priv_text btfgen_priv_cstring(const char *s)
{
	struct btfgen_priv_text t;
	t.at = s;
	t.length = strlen(s);
	return t;
}

static inline int btfgen_priv_equal(struct btfgen_priv_text a, struct btfgen_priv_text b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static inline char btfgen_priv_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline int btfgen_priv_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A normalised name. Longer ones are cut, which equals no host's name: those have at most 71 bytes. */
struct btfgen_priv_name_buffer {
	char s[128];
	size_t length;
};

/* Writes t in lower case and without quotes. */
static inline void btfgen_priv_plain(struct btfgen_priv_text t, struct btfgen_priv_name_buffer *name)
{
	name->length = 0;
	for (size_t i = 0; i < t.length && name->length < sizeof(name->s) - 1; i++) {
		if (t.at[i] != '"' && t.at[i] != '\'')
			name->s[name->length++] = btfgen_priv_lower(t.at[i]);
	}
	name->s[name->length] = 0;
}

/* Looks a name up in a table whose entries are the normalised name and then its other names, each between blanks. */
static inline int btfgen_priv_rename(struct btfgen_priv_name_buffer *name, const char *const *table)
{
	if (name->length == 0 || memchr(name->s, ' ', name->length) != NULL)
		return 0;
	for (; *table != NULL; table++) {
		const char *found = *table;
		while ((found = strstr(found, name->s)) != NULL) {
			if ((found == *table || found[-1] == ' ') && (found[name->length] == ' ' || found[name->length] == 0)) {
				name->length = strcspn(*table, " ");
				memcpy(name->s, *table, name->length);
				name->s[name->length] = 0;
				return 1;
			}
			found++;
		}
	}
	return 0;
}

/* Normalises the name of an architecture. Returns 1 if it is a known one. */
static inline int btfgen_priv_arch(struct btfgen_priv_text t, struct btfgen_priv_name_buffer *arch)
{
	static const char *const known[] = {
		"x86_64 amd64 x64 x86-64",
		"x86 i386 i486 i586 i686",
		"arm64 aarch64 aarch64_be armv8l armv8b",
		"arm armel armhf",
		"ppc64le ppc64el powerpc64le",
		"ppc64 powerpc64",
		"loongarch64 loong64",
		"s390x",
		"riscv64",
		"mips",
		"mips64",
		"mipsel",
		"mips64el",
		NULL,
	};
	arch->length = 0;
	for (; arch->length < t.length && arch->length < sizeof(arch->s) - 1; arch->length++)
		arch->s[arch->length] = btfgen_priv_lower(t.at[arch->length]);
	arch->s[arch->length] = 0;
	if (btfgen_priv_rename(arch, known))
		return 1;
	if (arch->length < 4 || memcmp(arch->s, "armv", 4) != 0)
		return 0;
	arch->length = 3;
	arch->s[3] = 0;
	return 1;
}

static inline void btfgen_priv_distro(struct btfgen_priv_text t, struct btfgen_priv_name_buffer *distro)
{
	static const char *const known[] = {
		"rhel redhat redhatenterpriseserver rhel-server",
		"centos centos-stream centosstream",
		"ol oracle oraclelinux oracle-linux",
		"amzn amazon amazonlinux amazon-linux",
		"sles sle suse sles_sap sled sle-hpc sle_hpc sle-micro",
		"opensuse-leap opensuse",
		"almalinux alma",
		"rocky rockylinux",
		NULL,
	};
	btfgen_priv_plain(t, distro);
	btfgen_priv_rename(distro, known);
}

static inline void btfgen_priv_version(struct btfgen_priv_text t, struct btfgen_priv_name_buffer *version)
{
	btfgen_priv_plain(t, version);
	version->length = strcspn(version->s, " \t");
	version->s[version->length] = 0;
}

static inline int btfgen_priv_same_name(const struct btfgen_priv_name_buffer *a, const struct btfgen_priv_name_buffer *b)
{
	return a->length != 0 && a->length == b->length && memcmp(a->s, b->s, a->length) == 0;
}

/* Whether one of two versions is the other, or goes on with a part of its own: 8 and 8.1. */
static inline int btfgen_priv_versions_agree(const struct btfgen_priv_name_buffer *a, const struct btfgen_priv_name_buffer *b)
{
	size_t n = a->length < b->length ? a->length : b->length;
	char next = a->length < b->length ? b->s[n] : a->s[n];
	return n != 0 && memcmp(a->s, b->s, n) == 0 && (next == 0 || next == '.' || next == '-');
}

/* The release without an architecture as its last part. */
static inline struct btfgen_priv_text btfgen_priv_release(const char *release, size_t length)
{
	struct btfgen_priv_text t;
	t.at = release;
	t.length = length;
	for (size_t dot = length; dot-- > 0;) {
		if (release[dot] == '.') {
			struct btfgen_priv_name_buffer arch;
			struct btfgen_priv_text last;
			last.at = release + dot + 1;
			last.length = length - dot - 1;
			/* Most last parts, as the 0-50-amd64 of Debian's 6.1.0-50-amd64, are seen not to be one by their first letter. */
			if (last.length != 0 && strchr("xiaplsrmXIAPLSRM", last.at[0]) != NULL && btfgen_priv_arch(last, &arch))
				t.length = dot;
			break;
		}
	}
	return t;
}

/* Whether a release is the host's after dropping a build counter: R.N-F where the host has R-F. */
static inline int btfgen_priv_equal_but_counter(struct btfgen_priv_text release, struct btfgen_priv_text host)
{
	size_t flavour = release.length, digits;
	while (flavour > 0 && release.at[flavour - 1] != '-')
		flavour--;
	if (flavour == 0 || flavour == release.length)
		return 0;
	char first = btfgen_priv_lower(release.at[flavour]);
	if (first < 'a' || first > 'z')
		return 0;
	flavour--; /* with its '-' */
	for (digits = flavour; digits > 0 && btfgen_priv_digit(release.at[digits - 1]); digits--)
		;
	if (digits == flavour || digits == 0 || release.at[digits - 1] != '.')
		return 0;
	size_t before = digits - 1, after = release.length - flavour;
	return before + after == host.length && memcmp(release.at, host.at, before) == 0 && memcmp(release.at + flavour, host.at + before, after) == 0;
}

/* ---- this host ---- */

static inline int btfgen_priv_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Copies an os-release value as a shell would take it: 'verbatim', "with \" and \$ escaped", or bare, where a backslash
 * makes any byte an ordinary one. Blanks around it do not count; those inside a bare value do, as with systemd. A # after a
 * blank starts a comment. A value that does not fit is left out: half a name would be another name.
 */
static inline void btfgen_priv_unquote(const char *s, const char *end, char *out, size_t out_size)
{
	char quote = 0;
	size_t n = 0, kept = 0; /* bytes that stay though blanks at the end are dropped */
	const char *const start = s;
	while (s != end && btfgen_priv_blank(*s))
		s++;
	for (; s != end; s++) {
		char c = *s;
		int escaped = 0;
		if (quote == 0 ? c == '"' || c == '\'' : c == quote) {
			quote = quote == 0 ? c : (char)0;
			kept = n;
			continue;
		}
		if (quote == 0 && c == '#' && s != start && btfgen_priv_blank(s[-1]))
			break;
		if (c == '\\' && quote != '\'' && end - s > 1 && (quote == 0 || memchr("\"$`\\", s[1], 4) != NULL)) {
			c = *++s;
			escaped = 1;
		}
		if (n + 1 == out_size) {
			out[0] = 0;
			return;
		}
		out[n++] = c;
		if (quote != 0 || escaped || !btfgen_priv_blank(c))
			kept = n;
	}
	out[kept] = 0;
}

/* Reads what os-release(5) says: the last assignment of a name counts. Fields that it does not set stay as they are. */
static inline void btfgen_priv_os_release(struct btfgen_host *host, const char *s, size_t size)
{
	const char *const all = s + size;
	if (size >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
		s += 3; /* a byte order mark */
	for (const char *end; s != all; s = end == all ? all : end + 1) {
		for (end = s; end != all && *end != '\n' && *end != '\r'; end++)
			;
		struct btfgen_priv_text name;
		const char *value = (const char *)memchr(s, '=', (size_t)(end - s));
		if (value == NULL)
			continue;
		name.at = s;
		name.length = (size_t)(value - s);
		while (name.length != 0 && btfgen_priv_blank(name.at[0])) {
			name.at++;
			name.length--;
		}
		while (name.length != 0 && btfgen_priv_blank(name.at[name.length - 1]))
			name.length--;
		value++;
		if (btfgen_priv_equal(name, btfgen_priv_cstring("ID")))
			btfgen_priv_unquote(value, end, host->id, sizeof(host->id));
		else if (btfgen_priv_equal(name, btfgen_priv_cstring("ID_LIKE")))
			btfgen_priv_unquote(value, end, host->id_like, sizeof(host->id_like));
		else if (btfgen_priv_equal(name, btfgen_priv_cstring("VERSION_ID")))
			btfgen_priv_unquote(value, end, host->version_id, sizeof(host->version_id));
		else if (btfgen_priv_equal(name, btfgen_priv_cstring("VERSION_CODENAME")))
			btfgen_priv_unquote(value, end, host->codename, sizeof(host->codename));
	}
}

/* Opens a file below root for reading. Links are followed as if root were "/". System calls by number: a strict -std=c99 hides them. */
static inline int btfgen_priv_open_below(const char *root, const char *file)
{
	char path[4096], target[4096];
	int flags = O_RDONLY | O_NONBLOCK; /* does not wait for somebody to write where it is a pipe */
#ifdef O_CLOEXEC
	flags |= O_CLOEXEC;
#endif
	if (root[0] == 0)
		return open(file, flags);
#ifdef SYS_openat2
	struct {
		uint64_t flags, mode, resolve;
	} how = {(uint64_t)flags, 0, 0x10 /* RESOLVE_IN_ROOT */};
	int dir = open(root, flags);
	long fd = dir < 0 ? -1 : syscall(SYS_openat2, dir, file + 1, &how, sizeof(how));
	int why = errno;
	if (dir >= 0)
		close(dir);
	if (fd >= 0 || (why != ENOSYS && why != EPERM)) /* before Linux 5.6; refused by an old container's filter */
		return (int)fd;
#endif
	/* Without it: a link with an absolute target at the end of the path, which is what there is on most. */
	int n = snprintf(path, sizeof(path), "%s%s", root, file);
	for (int links = 0; n > 0 && (size_t)n < sizeof(path) && links < 8; links++) {
		long length = syscall(SYS_readlinkat, -100 /* AT_FDCWD */, path, target, sizeof(target) - 1);
		if (length <= 0 || target[0] != '/')
			return open(path, flags);
		target[length] = 0;
		n = snprintf(path, sizeof(path), "%s%s", root, target);
	}
	return -1;
}

/*
 * Reads what this host is: uname(2), and os-release below root, which is NULL or "", or where a container has the host's
 * file system mounted. A host without os-release is fine: it only decides between kernels of equal releases.
 */
static inline int btfgen_host_read(struct btfgen_host *host, const char *root, char *err, size_t err_size)
{
	struct utsname u;
	memset(host, 0, sizeof(*host));
	if (uname(&u) != 0)
		return btfgen_priv_fail(errno, err, err_size, "uname: %s", strerror(errno));
	btfgen_priv_print(host->release, sizeof(host->release), "%s", u.release);
	btfgen_priv_print(host->machine, sizeof(host->machine), "%s", u.machine);
	if (root == NULL || strcmp(root, "/") == 0)
		root = "";
	if (root[0] != 0 && access(root, R_OK | X_OK) != 0)
		return btfgen_priv_fail(errno, err, err_size, "os-release of the host below %s: %s", root, strerror(errno));
	int fd = btfgen_priv_open_below(root, "/etc/os-release");
	if (fd < 0)
		fd = btfgen_priv_open_below(root, "/usr/lib/os-release");
	if (fd < 0)
		return 0;
	const size_t limit = 64 << 10; /* real ones have a few hundred bytes */
	size_t size = 0;
	ssize_t n = 0;
	char *text = (char *)malloc(limit);
	if (text != NULL) {
		while (size < limit && ((n = read(fd, text + size, limit - size)) > 0 || (n < 0 && errno == EINTR)))
			size += n > 0 ? (size_t)n : 0;
		btfgen_priv_os_release(host, text, size);
		free(text);
	}
	close(fd);
	return text != NULL ? 0 : btfgen_priv_fail(ENOMEM, err, err_size, "no memory to read os-release");
}

/* ---- the look-up: which kernel is this host's? ---- */

/* The host in normalised form. */
struct btfgen_priv_wanted {
	struct btfgen_priv_text release;
	struct btfgen_priv_name_buffer arch, id, version, codename;
	struct btfgen_priv_name_buffer like[16];
	unsigned likes;
};

static inline void btfgen_priv_want(struct btfgen_priv_wanted *w, const struct btfgen_host *host)
{
	w->release = btfgen_priv_release(host->release, strlen(host->release));
	btfgen_priv_arch(btfgen_priv_cstring(host->machine), &w->arch);
	btfgen_priv_distro(btfgen_priv_cstring(host->id), &w->id);
	btfgen_priv_version(btfgen_priv_cstring(host->version_id), &w->version);
	btfgen_priv_version(btfgen_priv_cstring(host->codename), &w->codename);
	w->likes = 0;
	for (const char *s = host->id_like; *s != 0 && w->likes < sizeof(w->like) / sizeof(w->like[0]);) {
		struct btfgen_priv_text entry;
		s += strspn(s, " \t");
		entry.at = s;
		entry.length = strcspn(s, " \t");
		s += entry.length;
		if (entry.length != 0)
			btfgen_priv_distro(entry, &w->like[w->likes++]);
	}
}

/* What a directory says of its kernels, held against the host. */
struct btfgen_priv_place {
	int arch_fits;  /* it is the host's, or not stated */
	int arch_known; /* it is one of the table's */
	struct btfgen_priv_text distro, version; /* empty where not known */
};

static inline void btfgen_priv_read_place(struct btfgen_priv_place *p, const struct btfgen_priv_walk *w, const struct btfgen_priv_wanted *want)
{
	struct btfgen_priv_text part[3]; /* the last three, from the end */
	struct btfgen_priv_name_buffer arch;
	unsigned parts = 0;
	size_t end = w->dir_length;
	for (size_t i = end + 1; i-- > 0 && parts < 3;) {
		if (i == 0 || w->dir[i - 1] == '/') {
			part[parts].at = w->dir + i;
			part[parts].length = end - i;
			parts++;
			end = i == 0 ? 0 : i - 1;
		}
	}
	memset(p, 0, sizeof(*p));
	p->distro = p->version = btfgen_priv_cstring("");
	p->arch_known = btfgen_priv_arch(part[0], &arch);
	if (parts == 3) {
		p->version = part[1];
		p->distro = part[2];
	}
	int any = arch.length == 0 || (parts < 3 && !p->arch_known);
	p->arch_fits = any || (arch.length == want->arch.length && memcmp(arch.s, want->arch.s, arch.length) == 0);
}

/* How well a candidate's distribution or version fits, 0 best; a step passes those that fit best. */
#define BTFGEN_PRIV_NO_FIT 1000u

static inline unsigned btfgen_priv_distro_fit(const struct btfgen_priv_place *p, const struct btfgen_priv_wanted *want)
{
	struct btfgen_priv_name_buffer distro;
	btfgen_priv_distro(p->distro, &distro);
	if (btfgen_priv_same_name(&distro, &want->id))
		return 0;
	for (unsigned i = 0; i < want->likes; i++) {
		if (btfgen_priv_same_name(&distro, &want->like[i]))
			return i + 1;
	}
	return BTFGEN_PRIV_NO_FIT;
}

static inline unsigned btfgen_priv_version_fit(const struct btfgen_priv_place *p, const struct btfgen_priv_wanted *want)
{
	struct btfgen_priv_name_buffer version;
	btfgen_priv_version(p->version, &version);
	if (btfgen_priv_same_name(&version, &want->version))
		return 0;
	if (btfgen_priv_same_name(&version, &want->codename))
		return 1;
	return btfgen_priv_versions_agree(&version, &want->version) ? 2 : BTFGEN_PRIV_NO_FIT;
}

/* The candidates that are left after some steps: the first one, and whether all have its content. */
struct btfgen_priv_left_over {
	uint32_t n;
	int differ;
	uint32_t content;
	char path[BTFGEN_PATH_SIZE];
	unsigned best; /* how well the best of them fits in the next step */
};

static inline void btfgen_priv_left_over_add(struct btfgen_priv_left_over *l, const struct btfgen_priv_walk *w, unsigned fit)
{
	if (l->n == 0) {
		l->content = w->number;
		btfgen_priv_path(w, l->path);
		l->best = fit;
	}
	l->n++;
	l->differ |= w->number != l->content;
	if (fit < l->best)
		l->best = fit;
}

/* Appends to a text that may be full; ", " comes between. */
static inline void btfgen_priv_list(char *list, size_t size, const char *item)
{
	size_t n = strlen(list);
	btfgen_priv_print(list + n, size - n, "%s%s", n != 0 ? ", " : "", item);
}

/* How a candidate's release fits: 1 equal, 2 after dropping a build counter, 0 no candidate. */
static inline unsigned btfgen_priv_tier(const struct btfgen_priv_walk *w, const struct btfgen_priv_wanted *want)
{
	struct btfgen_priv_text release = btfgen_priv_release(w->release, w->release_length);
	return btfgen_priv_equal(release, want->release) ? 1 : btfgen_priv_equal_but_counter(release, want->release) ? 2 : 0;
}

/* Fills in the match, and adds a step to its rule. */
static inline int btfgen_priv_matched(struct btfgen_match *match, const struct btfgen_priv_left_over *l, const char *step, const char *name)
{
	size_t n = strlen(match->rule);
	memcpy(match->path, l->path, sizeof(match->path));
	match->content = l->content;
	btfgen_priv_print(match->rule + n, sizeof(match->rule) - n, "%s%s", step, name);
	return 0;
}

/*
 * Rules 1 to 4: 0 and a match, 1 if there is no candidate, or a negative errno. A walk is cheap, so candidates are walked
 * over once for each step, and not stored: there may be millions of them.
 */
static inline int btfgen_priv_narrow(const struct btfgen_priv_walk *start, const struct btfgen_priv_wanted *want, const struct btfgen_host *host, struct btfgen_match *match,
				     char *err, size_t err_size)
{
	struct btfgen_priv_left_over all[3], by_distro, by_version;
	struct btfgen_priv_place place;
	struct btfgen_priv_walk w = *start;
	int code;
	memset(&place, 0, sizeof(place));
	memset(all, 0, sizeof(all));
	while ((code = btfgen_priv_walk_next(&w, err, err_size)) > 0) {
		if (w.dir_is_new)
			btfgen_priv_read_place(&place, &w, want);
		unsigned tier = place.arch_fits ? btfgen_priv_tier(&w, want) : 0;
		if (tier != 0)
			btfgen_priv_left_over_add(&all[tier], &w, btfgen_priv_distro_fit(&place, want));
	}
	if (code < 0)
		return code;
	unsigned tier = all[1].n != 0 ? 1 : 2;
	if (all[tier].n == 0)
		return 1;
	btfgen_priv_print(match->rule, sizeof(match->rule), "%s", tier == 1 ? "release and architecture" : "release without SUSE's build counter, and architecture");
	if (!all[tier].differ)
		return btfgen_priv_matched(match, &all[tier], all[tier].n > 1 ? "; several kernels have it, with one and the same BTF" : "", "");

	memset(&by_distro, 0, sizeof(by_distro));
	w = *start;
	while (btfgen_priv_walk_next(&w, err, err_size) > 0) {
		if (w.dir_is_new)
			btfgen_priv_read_place(&place, &w, want);
		if (place.arch_fits && btfgen_priv_tier(&w, want) == tier && btfgen_priv_distro_fit(&place, want) == all[tier].best)
			btfgen_priv_left_over_add(&by_distro, &w, btfgen_priv_version_fit(&place, want));
	}
	if (all[tier].best != BTFGEN_PRIV_NO_FIT) {
		const char *distro = all[tier].best == 0 ? want->id.s : want->like[all[tier].best - 1].s;
		btfgen_priv_matched(match, &by_distro, all[tier].best == 0 ? "; of different BTFs the one for distribution " : "; of different BTFs the one for, by ID_LIKE, distribution ", distro);
		if (!by_distro.differ)
			return 0;
	}

	char names[BTFGEN_PATH_SIZE] = "", path[BTFGEN_PATH_SIZE];
	uint32_t content[8]; /* the error names the first kernel of each, of so many */
	unsigned contents = 0;
	memset(&by_version, 0, sizeof(by_version));
	w = *start;
	while (btfgen_priv_walk_next(&w, err, err_size) > 0) {
		if (w.dir_is_new)
			btfgen_priv_read_place(&place, &w, want);
		if (place.arch_fits && btfgen_priv_tier(&w, want) == tier && btfgen_priv_distro_fit(&place, want) == all[tier].best &&
		    btfgen_priv_version_fit(&place, want) == by_distro.best) {
			btfgen_priv_left_over_add(&by_version, &w, 0);
			unsigned i = 0;
			while (i < contents && content[i] != w.number)
				i++;
			if (i < contents || contents == sizeof(content) / sizeof(content[0]))
				continue;
			content[contents++] = w.number;
			btfgen_priv_path(&w, path);
			btfgen_priv_list(names, sizeof(names), path);
		}
	}
	if (by_distro.best != BTFGEN_PRIV_NO_FIT && !by_version.differ) {
		static const char *const how[3] = {", version ", ", version ", ", version like "};
		return btfgen_priv_matched(match, &by_version, how[by_distro.best], by_distro.best == 1 ? want->codename.s : want->version.s);
	}
	return btfgen_priv_fail(EEXIST, err, err_size,
				"no BTF found for kernel version %s (%s, distribution %s %s): the bundle has different ones for it: %s; name the file of the right BTF",
				host->release, host->machine, host->id[0] != 0 ? host->id : "unknown", host->version_id, names);
}

/* Parts of a release: its numbers, and its flavour, the other parts. */
struct btfgen_priv_parts {
	uint64_t number[128]; /* a release has at most 255 bytes */
	unsigned numbers;
	char flavour[257]; /* each part followed by '.' */
	size_t flavour_length;
};

static inline void btfgen_priv_cut(struct btfgen_priv_parts *p, struct btfgen_priv_text release)
{
	p->numbers = 0;
	p->flavour_length = 0;
	for (size_t start = 0, end; start <= release.length; start = end + 1) {
		uint64_t number = 0;
		int is_number = 1;
		for (end = start; end < release.length && memchr(".-_+~", release.at[end], 5) == NULL; end++) {
			char c = release.at[end];
			if (!btfgen_priv_digit(c)) {
				is_number = 0;
				continue;
			}
			unsigned digit = (unsigned)(c - '0');
			number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
		}
		if (end != start && is_number && p->numbers < 128) {
			p->number[p->numbers++] = number;
		} else {
			memcpy(p->flavour + p->flavour_length, release.at + start, end - start);
			p->flavour_length += end - start;
			p->flavour[p->flavour_length++] = '.';
		}
	}
}

static inline int btfgen_priv_compare(const struct btfgen_priv_parts *a, const struct btfgen_priv_parts *b)
{
	for (unsigned i = 0; i < a->numbers && i < b->numbers; i++) {
		if (a->number[i] != b->number[i])
			return a->number[i] < b->number[i] ? -1 : 1;
	}
	return a->numbers < b->numbers ? -1 : a->numbers > b->numbers;
}

/* The consensus of the host's series: 0 and a match, 1 if there is none, or a negative errno. */
static inline int btfgen_priv_consensus(const struct btfgen_priv_walk *start, const struct btfgen_priv_wanted *want, struct btfgen_match *match, char *err, size_t err_size)
{
	struct btfgen_priv_parts host, here, nearest;
	struct btfgen_priv_left_over all, below;
	struct btfgen_priv_place place;
	struct btfgen_priv_walk w = *start;
	int code, above = 0;
	btfgen_priv_cut(&host, want->release);
	if (host.numbers < 2)
		return 1;
	memset(&place, 0, sizeof(place));
	memset(&all, 0, sizeof(all));
	memset(&below, 0, sizeof(below));
	nearest.numbers = 0;
	while ((code = btfgen_priv_walk_next(&w, err, err_size)) > 0) {
		if (w.dir_is_new)
			btfgen_priv_read_place(&place, &w, want);
		if (!place.arch_fits || !place.arch_known)
			continue;
		btfgen_priv_cut(&here, btfgen_priv_release(w.release, w.release_length));
		if (here.numbers < 2 || here.number[0] != host.number[0] || here.number[1] != host.number[1] || here.flavour_length != host.flavour_length ||
		    memcmp(here.flavour, host.flavour, host.flavour_length) != 0)
			continue;
		btfgen_priv_left_over_add(&all, &w, 0);
		int side = btfgen_priv_compare(&here, &host);
		above |= side > 0;
		if (side < 0 && (below.n == 0 || btfgen_priv_compare(&here, &nearest) > 0)) {
			below.n = 0;
			btfgen_priv_left_over_add(&below, &w, 0);
			nearest = here;
		}
	}
	if (code < 0)
		return code;
	if (!above || below.n == 0 || all.differ)
		return 1;
	btfgen_priv_print(match->rule, sizeof(match->rule), "consensus: the %lu kernels of this series and flavour have one and the same BTF", (unsigned long)all.n);
	return btfgen_priv_matched(match, &below, "", "");
}

/* The error for a host that is not in the bundle, with the nearest kernels. */
static inline int btfgen_priv_not_found(const struct btfgen_priv_walk *start, const struct btfgen_priv_wanted *want, const struct btfgen_host *host, char *err, size_t err_size)
{
	enum { most = 5 };
	struct {
		size_t shared;
		char path[BTFGEN_PATH_SIZE];
	} nearest[most];
	struct btfgen_priv_place place;
	struct btfgen_priv_walk w = *start;
	unsigned n = 0;
	char names[most * 300] = "";
	memset(&place, 0, sizeof(place));
	while (btfgen_priv_walk_next(&w, err, err_size) > 0) {
		if (w.dir_is_new)
			btfgen_priv_read_place(&place, &w, want);
		if (!place.arch_fits)
			continue;
		struct btfgen_priv_text release = btfgen_priv_release(w.release, w.release_length);
		size_t shared = 0;
		while (shared < release.length && shared < want->release.length && release.at[shared] == want->release.at[shared])
			shared++;
		unsigned at = n;
		while (at > 0 && nearest[at - 1].shared < shared)
			at--;
		if (at == most)
			continue;
		if (n < most)
			n++;
		memmove(&nearest[at + 1], &nearest[at], (n - at - 1) * sizeof(nearest[0]));
		nearest[at].shared = shared;
		btfgen_priv_path(&w, nearest[at].path);
	}
	for (unsigned i = 0; i < n; i++)
		btfgen_priv_list(names, sizeof(names), nearest[i].path);
	return btfgen_priv_fail(ENOENT, err, err_size,
				"no BTF found for kernel version %s (%s, distribution %s %s): none of the bundle's %lu kernels has this release; nearest: %s; "
				"name a file with its BTF, or get a build of this program that includes it",
				host->release, host->machine, host->id[0] != 0 ? host->id : "unknown", host->version_id, (unsigned long)start->counts.kernels,
				n != 0 ? names : "none of this architecture");
}

/*
 * Finds the host's kernel by the rules of docs/bundle-format.md. flags: BTFGEN_CONSENSUS, or 0.
 * -ENOENT: not in the bundle; -EEXIST: several could be it, and they differ.
 */
static inline int btfgen_bundle_find(const struct btfgen_bundle *b, const struct btfgen_host *host, unsigned flags, struct btfgen_match *match, char *err, size_t err_size)
{
	struct btfgen_priv_walk start;
	struct btfgen_priv_wanted want;
	memset(match, 0, sizeof(*match));
	int code = btfgen_priv_walk_open(&start, b, err, err_size);
	if (code == 0) {
		btfgen_priv_want(&want, host);
		code = btfgen_priv_narrow(&start, &want, host, match, err, err_size);
	}
	if (code == 1 && (flags & BTFGEN_CONSENSUS) != 0)
		code = btfgen_priv_consensus(&start, &want, match, err, err_size);
	if (code == 1)
		code = btfgen_priv_not_found(&start, &want, host, err, err_size);
	btfgen_priv_walk_close(&start);
	return code;
}

/* ---- the choice at start-up ---- */

/* Writes BTF to a sealed memfd, closed on exec. Returns it or a negative errno. */
static inline int btfgen_priv_memfd(const void *btf, size_t size, char *err, size_t err_size)
{
#ifdef SYS_memfd_create
	/* The headers of an old system, or a strict -std=c99, do not name these. */
	enum { cloexec = 1, allow_sealing = 2, noexec_seal = 8, add_seals = 1024 + 9, seal_shrink_grow_write = 1 | 2 | 4 | 8 };
	int fd = (int)syscall(SYS_memfd_create, "btf", cloexec | allow_sealing | noexec_seal); /* some hosts insist on the last: vm.memfd_noexec */
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "btf", cloexec | allow_sealing); /* before Linux 6.3 */
	if (fd < 0)
		return btfgen_priv_fail(errno, err, err_size, "memfd_create: %s; name a BTF file of this kernel instead", strerror(errno));
	const char *p = (const char *)btf;
	int code = 0;
	while (size > 0 && code == 0) {
		ssize_t n = write(fd, p, size);
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			code = n == 0 ? EIO : errno;
		}
	}
	if (code == 0 && fcntl(fd, add_seals, seal_shrink_grow_write) != 0)
		code = errno;
	if (code != 0) {
		close(fd);
		return btfgen_priv_fail(code, err, err_size, "memfd for BTF: %s; name a BTF file of this kernel instead", strerror(code));
	}
	return fd;
#else
	(void)btf;
	(void)size;
	return btfgen_priv_fail(ENOSYS, err, err_size, "built without memfd_create; name a BTF file of this kernel instead");
#endif
}

/* Closes the memfd of a choice, once the object is loaded. It may be called on any choice that was made, or failed. */
static inline void btfgen_choice_close(struct btfgen_choice *choice)
{
	if (choice->fd >= 0)
		close(choice->fd);
	choice->fd = -1;
}

/* As btfgen_choose, for a host that the caller has read, as from below another root. */
static inline int btfgen_choose_for(struct btfgen_choice *choice, const struct btfgen_host *host, const void *bundle, size_t size, const char *file, unsigned flags, char *err,
				    size_t err_size)
{
	struct btfgen_bundle b;
	struct btfgen_match match;
	void *btf = NULL;
	size_t btf_size = 0;
	memset(choice, 0, sizeof(*choice));
	choice->fd = -1;
	if (file != NULL && file[0] != 0) {
		if (strlen(file) >= sizeof(choice->path))
			return btfgen_priv_fail(ENAMETOOLONG, err, err_size, "the BTF file named has a path of %lu bytes; use a shorter one", (unsigned long)strlen(file));
		if (access(file, R_OK) != 0)
			return btfgen_priv_fail(errno, err, err_size, "the BTF file named, %s: %s; name one that can be read, or none", file, strerror(errno));
		choice->source = BTFGEN_FROM_FILE;
		memcpy(choice->path, file, strlen(file) + 1);
		btfgen_priv_print(choice->why, sizeof(choice->why), "BTF: file %.1024s (named by the user)", file);
		return 0;
	}
	if ((flags & BTFGEN_NO_KERNEL_BTF) == 0 && access(BTFGEN_KERNEL_BTF, R_OK) == 0) {
		choice->source = BTFGEN_FROM_KERNEL;
		btfgen_priv_print(choice->why, sizeof(choice->why), "BTF: the kernel's own, %s (this kernel has BTF)", BTFGEN_KERNEL_BTF);
		return 0;
	}
	if (bundle == NULL || size == 0)
		return btfgen_priv_fail(ENOENT, err, err_size, "no BTF found for kernel version %s (%s): this kernel has none of its own and this program brings none: name a file with its BTF",
					host->release, host->machine);
	int code = btfgen_bundle_open(&b, bundle, size, err, err_size);
	if (code == 0)
		code = btfgen_bundle_find(&b, host, flags, &match, err, err_size);
	if (code == 0)
		code = btfgen_bundle_content(&b, match.content, &btf, &btf_size, err, err_size);
	if (code != 0)
		return code;
	int fd = btfgen_priv_memfd(btf, btf_size, err, err_size);
	free(btf);
	if (fd < 0)
		return fd;
	choice->source = BTFGEN_FROM_BUNDLE;
	choice->fd = fd;
	memcpy(choice->kernel, match.path, sizeof(choice->kernel));
	btfgen_priv_print(choice->path, sizeof(choice->path), "/proc/self/fd/%d", fd);
	btfgen_priv_print(choice->why, sizeof(choice->why), "BTF: %s of the bundle, %lu bytes (%s)", match.path, (unsigned long)btf_size, match.rule);
	btfgen_priv_one_line(choice->why);
	return 0;
}

/*
 * Chooses the BTF for this host: the file that the user named, which may be NULL or ""; else the kernel's own; else the
 * bundle's, which may be NULL; else -ENOENT. flags: BTFGEN_CONSENSUS, BTFGEN_NO_KERNEL_BTF. The caller closes the
 * choice when the object is loaded: choice->path leads to a memfd for BTF from the bundle.
 */
static inline int btfgen_choose(struct btfgen_choice *choice, const void *bundle, size_t size, const char *file, unsigned flags, char *err, size_t err_size)
{
	struct btfgen_host host;
	memset(choice, 0, sizeof(*choice));
	choice->fd = -1;
	int code = btfgen_host_read(&host, NULL, err, err_size);
	return code != 0 ? code : btfgen_choose_for(choice, &host, bundle, size, file, flags, err, err_size);
}

#endif /* BTFGEN_BUNDLE_H */
