/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DIAG_TEXT_MAX = 1024 };

void diag_init(struct diag *d)
{
	*d = (struct diag){.error_limit = DIAG_ERROR_LIMIT, .warning_limit = DIAG_WARNING_LIMIT};
	arena_init(&d->arena, 0);
	d->last = &d->first;
}

void diag_done(struct diag *d)
{
	arena_done(&d->arena);
	diag_init(d);
}

void diag_add(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column,
              const char *fmt, ...)
{
	unsigned *count = severity == DIAG_ERROR ? &d->errors : &d->warnings;
	unsigned limit = severity == DIAG_ERROR ? d->error_limit : d->warning_limit;
	char text[DIAG_TEXT_MAX];
	struct diag_entry *e;
	va_list ap;

	if ((*count)++ >= limit) {
		d->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e = arena_zalloc(&d->arena, sizeof(*e));
	if (!e)
		return;
	/* Problems of one file follow each other: its name is kept once. */
	if (file && d->first) {
		struct diag_entry *prev = (struct diag_entry *)((char *)d->last - offsetof(struct diag_entry, next));

		if (prev->file && strcmp(prev->file, file) == 0)
			e->file = prev->file;
	}
	if (file && !e->file)
		e->file = arena_strdup(&d->arena, file);
	/* What stands in a file is shown in messages: it must not steer the terminal. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	e->severity = severity;
	e->line = line;
	e->column = column;
	e->text = arena_strdup(&d->arena, text);
	if (!e->text)
		return;
	*d->last = e;
	d->last = &e->next;
}

bool diag_full(const struct diag *d)
{
	return d->errors >= d->error_limit;
}

char *diag_entry_text(const struct diag_entry *e, char *buf, size_t cap)
{
	const char *word = e->severity == DIAG_ERROR ? "error" : "warning";

	if (!e->file)
		snprintf(buf, cap, "%s: %s", word, e->text);
	else if (!e->line)
		snprintf(buf, cap, "%s: %s: %s", e->file, word, e->text);
	else if (!e->column)
		snprintf(buf, cap, "%s:%u: %s: %s", e->file, e->line, word, e->text);
	else
		snprintf(buf, cap, "%s:%u:%u: %s: %s", e->file, e->line, e->column, word, e->text);
	return buf;
}
