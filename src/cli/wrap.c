/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/wrap.h"

#include <string.h>

/* Characters, not octets, of UTF-8. */
static int width_of(const char *s, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void put_word(const char *s, size_t len, struct text *out)
{
	for (size_t i = 0; i < len; i++)
		text_char(out, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i]);
}

void wrap_text(const char *words, int column, int indent, int width, struct text *out)
{
	const char *blank = "";

	while (*words) {
		size_t len = strcspn(words, " ");
		int wide = width_of(words, len);

		if (*blank && column + 1 + wide > width) {
			text_fmt(out, "\n%*s", indent, "");
			column = indent;
			blank = "";
		}
		text_str(out, blank);
		put_word(words, len, out);
		column += wide + (*blank != '\0');
		blank = " ";
		words += len;
		words += strspn(words, " ");
	}
}
