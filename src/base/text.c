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
