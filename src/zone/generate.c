/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool generate_range(const struct rdata_token *t, struct generate_range *out)
{
	char text[64], rest = 0;
	struct generate_range r = {.step = 1};
	int n;

	if (t->len >= sizeof(text))
		return false;
	memcpy(text, t->text, t->len);
	text[t->len] = '\0';
	if (strspn(text, "0123456789-/") != t->len)
		return false;
	n = sscanf(text, "%" SCNu64 "-%" SCNu64 "/%" SCNu64 "%c", &r.start, &r.stop, &r.step, &rest);
	if ((n != 2 && n != 3) || !r.step || r.step > INT32_MAX || r.stop < r.start || r.stop > INT32_MAX)
		return false;
	*out = r;
	return true;
}

/* Nibbles, least significant first, separated by dots (BIND's n and N). */
static size_t put_nibbles(char *out, size_t cap, uint32_t v, int width, bool upper)
{
	size_t at = 0;

	do {
		if (at + 2 >= cap)
			return 0;
		out[at++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v & 15];
		v >>= 4;
		width--;
		if (width > 0 || v) {
			out[at++] = '.';
			width--;
		}
	} while (v || width > 0);
	return at;
}

bool generate_text(const struct rdata_token *t, uint64_t i, char *out, size_t cap, size_t *len)
{
	size_t at = 0;

	for (size_t k = 0; k < t->len; k++) {
		char form = 'd', end = 0;
		int64_t offset = 0;
		int width = 0, n;

		if (at + 2 >= cap)
			return false;
		if (t->text[k] == '\\' && k + 1 < t->len) {
			if (t->text[k + 1] != '$')
				out[at++] = t->text[k];
			out[at++] = t->text[++k];
			continue;
		}
		if (t->text[k] != '$') {
			out[at++] = t->text[k];
			continue;
		}
		if (k + 1 < t->len && t->text[k + 1] == '$') {
			out[at++] = '$';
			k++;
			continue;
		}
		if (k + 1 < t->len && t->text[k + 1] == '{') {
			char modifier[48];
			const char *close = memchr(t->text + k, '}', t->len - k);
			size_t mlen = close ? (size_t)(close - t->text) - k - 2 : sizeof(modifier);

			if (mlen >= sizeof(modifier))
				return false;
			memcpy(modifier, t->text + k + 2, mlen);
			modifier[mlen] = '\0';
			n = sscanf(modifier, "%" SCNd64 ",%d,%c%c", &offset, &width, &form, &end);
			if (n < 1 || n > 3 || width < 0 || width > 255 || !strchr("doxXnN", form) || offset > INT32_MAX || offset < INT32_MIN)
				return false;
			k = (size_t)(close - t->text);
		}
		{
			int64_t v = (int64_t)i + offset;
			size_t put;

			if (form == 'n' || form == 'N') {
				put = put_nibbles(out + at, cap - at, (uint32_t)v, width, form == 'N');
				if (!put)
					return false;
			} else {
				switch (form) {
				case 'd':
					n = snprintf(out + at, cap - at, "%0*" PRId64, width, v);
					break;
				case 'o':
					n = snprintf(out + at, cap - at, "%0*" PRIo64, width, (uint64_t)v);
					break;
				case 'x':
					n = snprintf(out + at, cap - at, "%0*" PRIx64, width, (uint64_t)v);
					break;
				default:
					n = snprintf(out + at, cap - at, "%0*" PRIX64, width, (uint64_t)v);
					break;
				}
				if (n < 0 || (size_t)n >= cap - at)
					return false;
				put = (size_t)n;
			}
			at += put;
		}
	}
	*len = at;
	return true;
}
