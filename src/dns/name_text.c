/* SPDX-License-Identifier: BSD-2-Clause */
/* Presentation format of names (RFC 1035 5.1). */
#include "base/err.h"
#include "dns/name.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

int name_from_text(const char *text, size_t len, const uint8_t *origin, struct name *out)
{
	struct name n;
	unsigned at = 1, start = 0; /* start: the length octet of the label being read */

	if (len == 0)
		return ERR_MALFORMED;
	if (len == 1 && text[0] == '.') {
		out->len = 1;
		out->wire[0] = 0;
		return 0;
	}
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '.') {
			if (at == start + 1)
				return ERR_MALFORMED; /* empty label */
			n.wire[start] = (uint8_t)(at - start - 1);
			start = at++;
			if (at > NAME_LEN_MAX)
				return ERR_LIMIT;
			continue;
		}
		if (c == '\\') {
			if (i + 1 >= len)
				return ERR_MALFORMED;
			if (digit(text[i + 1])) {
				unsigned v;

				if (i + 3 >= len || !digit(text[i + 2]) || !digit(text[i + 3]))
					return ERR_MALFORMED;
				v = (unsigned)(text[i + 1] - '0') * 100 + (unsigned)(text[i + 2] - '0') * 10 + (unsigned)(text[i + 3] - '0');
				if (v > 255)
					return ERR_MALFORMED;
				c = (uint8_t)v;
				i += 3;
			} else {
				c = (uint8_t)text[++i];
			}
		}
		if (at - start > LABEL_MAX || at >= NAME_LEN_MAX)
			return ERR_LIMIT;
		n.wire[at++] = c;
	}
	if (at == start + 1) {
		n.wire[start] = 0; /* it ended with a dot */
	} else {
		size_t add;

		n.wire[start] = (uint8_t)(at - start - 1);
		if (!origin)
			return ERR_INVALID;
		add = name_len(origin);
		if (at + add > NAME_LEN_MAX)
			return ERR_LIMIT;
		memcpy(n.wire + at, origin, add);
		at += (unsigned)add;
	}
	n.len = (uint8_t)at;
	out->len = n.len;
	memmove(out->wire, n.wire, at);
	return 0;
}

#ifdef __SSE2__
/* Where the dots are, bit by octet. */
static uint64_t dots_of(const char *text, size_t len)
{
	const __m128i dot = _mm_set1_epi8('.');
	uint64_t map = 0;

	for (size_t i = 0; i < len; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text + i));

		map |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, dot)) << i;
	}
	return map & ((1ULL << len) - 1);
}
#endif

/* Text and wire form differ in the dots only, which become lengths one octet further on. */
int name_from_plain(const char *text, size_t len, const uint8_t *origin, uint8_t *out)
{
	struct name n;
	int err;

#ifdef __SSE2__
	if (len && len <= LABEL_MAX && text[0] != '.') {
		uint64_t dots = dots_of(text, len);
		size_t label = 0, add;

		if (dots & dots >> 1)
			return ERR_MALFORMED; /* empty label */
		for (size_t i = 0; i < len; i += 16)
			memcpy(out + 1 + i, text + i, 16);
		for (; dots; dots &= dots - 1) {
			size_t at = (size_t)__builtin_ctzll(dots);

			out[label] = (uint8_t)(at - label);
			label = at + 1;
		}
		if (label == len) { /* it ended with a dot */
			out[len] = 0;
			return (int)len + 1;
		}
		out[label] = (uint8_t)(len - label);
		if (!origin)
			return ERR_INVALID;
		add = name_len(origin);
		if (len + 1 + add > NAME_LEN_MAX)
			return ERR_LIMIT;
		memcpy(out + len + 1, origin, add);
		return (int)(len + 1 + add);
	}
#endif
	err = name_from_text(text, len, origin, &n);
	if (err)
		return err;
	memcpy(out, n.wire, n.len);
	return n.len;
}

size_t name_to_text(const uint8_t *name, char *buf)
{
	char *p = buf;

	if (!*name) {
		memcpy(buf, ".", 2);
		return 1;
	}
	while (*name) {
		uint8_t len = *name++;

		for (; len; len--) {
			uint8_t c = *name++;

			if (c <= ' ' || c > '~') {
				*p++ = '\\';
				*p++ = (char)('0' + c / 100);
				*p++ = (char)('0' + c / 10 % 10);
				*p++ = (char)('0' + c % 10);
				continue;
			}
			if (strchr(".\\();\"@$", c))
				*p++ = '\\';
			*p++ = (char)c;
		}
		*p++ = '.';
	}
	*p = '\0';
	return (size_t)(p - buf);
}
