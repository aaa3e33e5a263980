/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void labels_clear(struct labels *l)
{
	l->len = 0;
	l->chars[0] = '\0';
}

/* Of \, " and the newline the format has escapes; what is no printable ASCII is shown as "?": names here have none, and a peer's text may be anything. */
void labels_add(struct labels *l, const char *key, const char *value)
{
	size_t at = l->len, room = sizeof(l->chars);
	int n = snprintf(l->chars + at, room - at, "%s%s=\"", at ? "," : "", key);

	at += n < 0 ? room : (size_t)n;
	for (const char *c = value; *c && at + 4 < room; c++) {
		if (*c == '\\' || *c == '"')
			l->chars[at++] = '\\';
		l->chars[at++] = (char)(*c >= ' ' && *c <= '~' ? *c : '?');
	}
	if (at + 2 > room) {
		l->chars[l->len] = '\0';
		return;
	}
	l->chars[at++] = '"';
	l->chars[at] = '\0';
	l->len = at;
}

void labels_number(struct labels *l, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	labels_add(l, key, text);
}

/* snprintf() of each value would be half of the time that the text takes. */
static void put_number(struct text *out, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	text_add(out, digits + at, sizeof(digits) - at);
}

static void put_micro(struct text *out, uint64_t micro)
{
	char digits[7] = ".000000";
	uint64_t rest = micro % 1000000;
	size_t len = sizeof(digits);

	put_number(out, micro / 1000000);
	if (!rest)
		return;
	for (size_t i = len; i-- > 1; rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	while (digits[len - 1] == '0')
		len--;
	text_add(out, digits, len);
}

void metric_begin(struct metrics *m, enum metric family)
{
	const struct metric_family *f = metric_family(family);

	m->family = family;
	labels_clear(&m->labels);
	text_str(m->out, "# HELP ");
	text_str(m->out, f->name);
	text_char(m->out, ' ');
	text_str(m->out, f->help);
	text_str(m->out, "\n# TYPE ");
	text_str(m->out, f->name);
	text_char(m->out, ' ');
	text_str(m->out, metric_type_text(f->type));
	text_char(m->out, '\n');
}

static void put_head(struct metrics *m, const char *suffix)
{
	text_str(m->out, metric_family(m->family)->name);
	text_str(m->out, suffix);
	if (m->labels.len) {
		text_char(m->out, '{');
		text_add(m->out, m->labels.chars, m->labels.len);
		text_char(m->out, '}');
	}
	text_char(m->out, ' ');
}

void metric_put(struct metrics *m, uint64_t value)
{
	put_head(m, "");
	put_number(m->out, value);
	text_char(m->out, '\n');
}

void metric_put_micro(struct metrics *m, uint64_t micro)
{
	put_head(m, "");
	put_micro(m->out, micro);
	text_char(m->out, '\n');
}

void metric_put_as(struct metrics *m, const char *key, const char *value, uint64_t number)
{
	size_t len = m->labels.len;

	labels_add(&m->labels, key, value);
	metric_put(m, number);
	m->labels.len = len;
	m->labels.chars[len] = '\0';
}

void metric_one(struct metrics *m, enum metric family, uint64_t value)
{
	metric_begin(m, family);
	metric_put(m, value);
}

void metric_one_micro(struct metrics *m, enum metric family, uint64_t micro)
{
	metric_begin(m, family);
	metric_put_micro(m, micro);
}

uint64_t metric_wall_us(const struct metrics *m, uint64_t at_ns)
{
	int64_t ago_us = ((int64_t)m->view->now_ns - (int64_t)at_ns) / 1000, at = m->now_wall_us - ago_us;

	return at > 0 ? (uint64_t)at : 0;
}

void metric_histogram(struct metrics *m, const char *const *le, size_t bounds, const uint64_t *counts,
                      uint64_t sum_micro, uint64_t sum_unit)
{
	uint64_t total = 0;
	size_t len = m->labels.len;

	for (size_t i = 0; i <= bounds; i++) {
		total += counts[i];
		labels_add(&m->labels, "le", i < bounds ? le[i] : "+Inf");
		put_head(m, "_bucket");
		put_number(m->out, total);
		text_char(m->out, '\n');
		m->labels.len = len;
		m->labels.chars[len] = '\0';
	}
	put_head(m, "_sum");
	if (sum_unit)
		put_number(m->out, sum_unit);
	else
		put_micro(m->out, sum_micro);
	text_char(m->out, '\n');
	put_head(m, "_count");
	put_number(m->out, total);
	text_char(m->out, '\n');
}
