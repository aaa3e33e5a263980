/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loop asks of catalogs, and tells of them: as of the last run (catalogs_settle()). */
#include "sync/catalogs_priv.h"

#include "base/err.h"
#include "config/config.h"
#include "sync/load.h"

#include <stdatomic.h>
#include <string.h>

size_t catalogs_news(const struct catalogs *k, const struct catalogs_news **out)
{
	*out = k->news;
	return k->news_count;
}

int catalogs_each(const struct catalogs *k, const struct loader *l, catalogs_fn *fn, void *ctx)
{
	int result = 0;

	for (size_t i = 0; k->count && l->zones && i < l->zones->count && !result; i++)
		if (l->zones->rows[i].member)
			result = fn(ctx, l->zones->rows[i].apex, l->zones->rows[i].origin);
	return result;
}

void catalogs_settle(struct catalogs *k)
{
	k->news_count = 0;
	membership_changes_done(&k->changes);
	membership_changes_init(&k->changes);
	memcpy(k->told, k->taken, sizeof(k->told));
	k->told_count = k->count;
}

static bool was_read(const struct catalogs *k, const uint8_t *apex)
{
	for (unsigned i = 0; i < k->told_count; i++)
		if (name_equal(k->told[i].apex.wire, apex))
			return k->told[i].read;
	return false;
}

unsigned catalogs_awaited(const struct catalogs *k, const struct config *c, const struct config_node *node,
                          uint32_t network)
{
	unsigned count = 0;

	for (size_t i = 0; i < c->catalog_count; i++) {
		const struct config_catalog *one = &c->catalogs[i];
		bool here = one->members.zone.network == network;

		for (size_t g = 0; g < one->group_count; g++)
			here = here || one->groups[g].zone.network == network;
		count += here && catalogs_takes(one, node) && !was_read(k, one->apex);
	}
	return count;
}

int catalogs_accept(struct catalogs *k, const uint8_t *apex)
{
	for (unsigned i = 0; i < k->told_count; i++)
		if (name_equal(k->told[i].apex.wire, apex) && k->told[i].configured) {
			atomic_store(&k->accept[i], true);
			return 0;
		}
	return ERR_NOT_FOUND;
}

static void text_json(struct text *out, const char *value)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			text_fmt(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			text_fmt(out, "\\u%04x", c);
		else
			text_char(out, *value);
	}
}

static void describe(const struct catalogs *k, unsigned i, struct text *out)
{
	const struct catalogs_taken *t = &k->told[i];
	char name[NAME_TEXT_MAX];

	name_to_text(t->apex.wire, name);
	text_fmt(out, "{\"catalog\":\"");
	text_json(out, name);
	text_fmt(out, "\",\"state\":\"%s\",\"members\":%zu,\"listed\":%zu,\"clashes\":%zu",
	         t->is_held  ? "held"
	         : t->why[0] ? "broken"
	         : t->read   ? "good"
	                     : "unread",
	         t->members, t->listed, t->listed - t->members);
	if (t->read)
		text_fmt(out, ",\"serial\":%u", t->serial);
	if (t->why[0]) {
		text_fmt(out, ",\"refused_serial\":%u,\"error\":\"", t->refused);
		text_json(out, t->why);
		text_char(out, '"');
	}
	text_str(out, "}\n");
}

void catalogs_describe(const struct catalogs *k, const uint8_t *after, size_t max, struct text *out)
{
	unsigned i = 0;

	while (after && i < k->told_count && !name_equal(k->told[i].apex.wire, after))
		i++;
	for (i += after != NULL; i < k->told_count; i++) {
		size_t was = out->len;

		if (!k->told[i].configured)
			continue;
		describe(k, i, out);
		if (out->len <= max)
			continue;
		out->len = was;
		out->chars[was] = '\0';
		return;
	}
}
