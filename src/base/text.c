/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1] = "";

void text_init(struct text *t)
{
	*t = (struct text){.chars = empty};
}

void text_done(struct text *t)
{
	if (t->cap)
		free(t->chars);
	text_init(t);
}

void text_clear(struct text *t)
{
	t->len = 0;
	t->failed = false;
	if (t->cap)
		t->chars[0] = '\0';
}

static bool room(struct text *t, size_t more)
{
	size_t cap = t->cap ? t->cap : 128;
	char *p;

	if (t->failed || more > SIZE_MAX / 4 - t->len) {
		t->failed = true;
		return false;
	}
	if (t->len + more < t->cap)
		return true;
	while (cap <= t->len + more)
		cap *= 2;
	p = realloc(t->cap ? t->chars : NULL, cap);
	if (!p) {
		t->failed = true;
		return false;
	}
	t->chars = p;
	t->cap = cap;
	return true;
}

void text_add(struct text *t, const char *chars, size_t len)
{
	if (!room(t, len))
		return;
	memcpy(t->chars + t->len, chars, len);
	t->len += len;
	t->chars[t->len] = '\0';
}

void text_str(struct text *t, const char *chars)
{
	text_add(t, chars, strlen(chars));
}

void text_char(struct text *t, char c)
{
	text_add(t, &c, 1);
}

void text_vfmt(struct text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !room(t, (size_t)n))
		return;
	vsnprintf(t->chars + t->len, (size_t)n + 1, fmt, ap);
	t->len += (size_t)n;
}

void text_fmt(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vfmt(t, fmt, ap);
	va_end(ap);
}

char *text_take(struct text *t)
{
	char *p = NULL;

	if (!t->failed && room(t, 0))
		p = t->chars;
	else
		text_done(t);
	if (p)
		p[t->len] = '\0';
	text_init(t);
	return p;
}

size_t text_utf8_len(const char *chars, size_t left)
{
	const unsigned char *p = (const unsigned char *)chars;
	size_t n;

	if (!left)
		return 0;
	n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond Unicode. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void text_json_string(struct text *t, const char *chars)
{
	const unsigned char *p = (const unsigned char *)chars;
	const unsigned char *end = p + strlen(chars);

	text_char(t, '"');
	while (p < end) {
		size_t n = text_utf8_len((const char *)p, (size_t)(end - p));

		if (*p == '"' || *p == '\\')
			text_fmt(t, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f || !n)
			text_fmt(t, "\\u%04x", *p);
		else
			text_add(t, (const char *)p, n);
		p += n ? n : 1;
	}
	text_char(t, '"');
}
