/* SPDX-License-Identifier: BSD-2-Clause */
/* Optimal string alignment distance over three rows; words are short, so nothing cleverer is needed. */
#include "base/suggest.h"

#include "base/attr.h"

#include <ctype.h>
#include <string.h>

static unsigned distance(const char *a, size_t al, const char *b, size_t bl)
{
	unsigned rows[3][SUGGEST_WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= bl; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= al; i++) {
		unsigned *spare;
		int ca = tolower((unsigned char)a[i - 1]);

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= bl; j++) {
			int cb = tolower((unsigned char)b[j - 1]);
			unsigned d = MIN(last[j] + 1, now[j - 1] + 1);

			d = MIN(d, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]))
				d = MIN(d, before[j - 2] + 1);
			now[j] = d;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[bl];
}

const char *suggest_closest(const char *word, const char *const *words, size_t count)
{
	size_t len = strlen(word);
	/* Long words may hold more slips; very short ones would match anything. */
	unsigned best = len < 3 ? 2 : (unsigned)(len / 3) + 2;
	const char *found = NULL;

	if (len == 0 || len > SUGGEST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t wl = words[i] ? strlen(words[i]) : 0;
		unsigned d;

		if (wl == 0 || wl > SUGGEST_WORD_MAX)
			continue;
		/* "prefix" for "prefixes": what was begun right counts as close. */
		if (len >= 3 && wl > len && strncasecmp(word, words[i], len) == 0)
			d = 1;
		else
			d = distance(word, len, words[i], wl);
		if (d < best && d < wl) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
