/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Growing text, always NUL-terminated, owned by the caller. Out of memory sets `failed` and keeps what was there. */
struct text {
	char *chars; /* "" while empty; never NULL */
	size_t len;
	size_t cap;
	bool failed;
};

void text_init(struct text *t);
void text_done(struct text *t);
void text_clear(struct text *t);
void text_add(struct text *t, const char *chars, size_t len);
void text_str(struct text *t, const char *chars);
void text_char(struct text *t, char c);
void text_fmt(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_vfmt(struct text *t, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Octets of the UTF-8 character at p, of `left` that are there (RFC 3629 4: shortest form, no surrogates); 0: it is none. */
size_t text_utf8_len(const char *p, size_t left);
/* As a JSON string with its quotes. Octets that are no UTF-8 are taken for Latin-1. */
void text_json_string(struct text *t, const char *chars);
/* Hands the malloc'ed characters to the caller and empties t; NULL if t failed. */
char *text_take(struct text *t) MUST_CHECK;
