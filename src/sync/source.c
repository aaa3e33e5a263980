/* SPDX-License-Identifier: BSD-2-Clause */
/* Text of a fixed length for the zone file, whose path the asker knows; then for each included file the same with its path and a line feed. The
 * text is kept once for each zone, so it says what the files are by 120 bits of checksums of it. */
#include "sync/source.h"

#include "base/hash.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum { HALF = 10 /* characters of 6 bits */, IDENTITY = 2 * HALF };

static void put_bits(uint64_t bits, char *text)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

	for (int i = 0; i < HALF; i++, bits >>= 6)
		text[i] = digits[bits & 63];
}

/* IDENTITY characters. */
static void identity_of(const struct stat *st, const char *path, char *text)
{
	uint64_t facts[5], sum;

	facts[0] = (uint64_t)st->st_size;
	facts[1] = (uint64_t)st->st_mtim.tv_sec;
	facts[2] = (uint64_t)st->st_mtim.tv_nsec;
	facts[3] = st->st_ino;
	facts[4] = hash_checksum(path, strlen(path), 1);
	sum = hash_checksum(facts, sizeof(facts), 2);
	put_bits(sum, text);
	put_bits(hash_checksum(facts, sizeof(facts), sum ^ facts[4]), text + HALF);
}

/* False: cannot be looked at. */
static bool identity(const char *path, char *text)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	identity_of(&st, path, text);
	return true;
}

void source_begin(const struct stat *st, const char *path, char *text, size_t cap)
{
	bool good = cap > IDENTITY;

	if (good)
		identity_of(st, path, text);
	text[good ? IDENTITY : 0] = '\0';
}

void source_add_includes(const struct content *c, const char *path, char *text, size_t cap)
{
	const char *file;

	for (uint32_t i = 0; text[0] && (file = content_file(c, i)) != NULL; i++) {
		size_t len = strlen(text), path_len = strlen(file);

		if (strcmp(file, path) == 0)
			continue;
		if (len + IDENTITY + path_len + 2 > cap || !identity(file, text + len)) {
			text[0] = '\0';
			return;
		}
		memcpy(text + len + IDENTITY, file, path_len);
		memcpy(text + len + IDENTITY + path_len, "\n", 2);
	}
}

static bool same(const char *text, const char *path)
{
	char now[IDENTITY];

	return identity(path, now) && memcmp(text, now, IDENTITY) == 0;
}

/* The path of the included file that stands at *at, which moves on; false: it is not as we write it. */
static bool next_include(const char **at, const char *end, char *file, size_t cap)
{
	const char *text = *at, *eol = memchr(text, '\n', (size_t)(end - text));
	size_t n;

	if (!eol || eol - text <= IDENTITY)
		return false;
	n = (size_t)(eol - text) - IDENTITY;
	if (n >= cap)
		return false;
	memcpy(file, text + IDENTITY, n);
	file[n] = '\0';
	*at = eol + 1;
	return true;
}

bool source_unchanged(const char *text, size_t len, const char *path)
{
	const char *end = text + len, *at;

	if (len < IDENTITY || !same(text, path))
		return false;
	at = text + IDENTITY;
	while (at < end) {
		const char *line = at;
		char file[1024];

		if (!next_include(&at, end, file, sizeof(file)) || !same(line, file))
			return false;
	}
	return true;
}

void source_each_include(const char *text, size_t len, const uint8_t *apex, void (*fn)(void *ctx, const uint8_t *apex, const char *path), void *ctx)
{
	const char *end = text + len, *at = text + MIN(len, (size_t)IDENTITY);
	char file[1024];

	while (at < end && next_include(&at, end, file, sizeof(file)))
		fn(ctx, apex, file);
}
