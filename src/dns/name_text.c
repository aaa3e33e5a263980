/* SPDX-License-Identifier: BSD-2-Clause */
/* Presentation format of names (RFC 1035 5.1). */
#include "base/err.h"
#include "dns/name.h"

#include <string.h>

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
