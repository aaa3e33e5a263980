/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static size_t identity(const char *path, char *text, size_t cap)
{
	struct stat st;
	int n;

	if (stat(path, &st) < 0)
		return 0;
	n = snprintf(text, cap, "%jd %jd.%09ld %ju %s\n", (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
	             (uintmax_t)st.st_ino, path);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

void source_begin(const char *path, char *text, size_t cap)
{
	if (!identity(path, text, cap))
		text[0] = '\0';
}

void source_add_includes(const struct content *c, const char *path, char *text, size_t cap)
{
	const char *file;

	for (uint32_t i = 0; text[0] && (file = content_file(c, i)) != NULL; i++) {
		size_t len = strlen(text), more;

		if (strcmp(file, path) == 0)
			continue;
		more = identity(file, text + len, cap - len);
		if (!more)
			text[0] = '\0';
	}
}

bool source_unchanged(const char *text, size_t len, const char *path)
{
	const char *end = text + len;
	bool first = true;

	if (!len)
		return false;
	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const char *name = text;
		char file[1024], now[1200];
		size_t n, line;

		if (!eol)
			return false;
		line = (size_t)(eol - text) + 1;
		for (int field = 0; field < 3; field++) {
			name = memchr(name, ' ', (size_t)(eol - name));
			if (!name)
				return false;
			name++;
		}
		n = (size_t)(eol - name);
		if (n >= sizeof(file))
			return false;
		memcpy(file, name, n);
		file[n] = '\0';
		if (first && strcmp(file, path) != 0)
			return false;
		first = false;
		if (identity(file, now, sizeof(now)) != line || memcmp(now, text, line) != 0)
			return false;
		text = eol + 1;
	}
	return true;
}
