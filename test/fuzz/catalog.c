/* SPDX-License-Identifier: BSD-2-Clause */
/* Catalogs of any content. First octet even: records of a zone, that is read as a catalog. Odd: versions of three catalogs, one after the other; the changes that are told, applied to
 * a plain set, must give what the table says. */
#include "base/err.h"
#include "base/wire.h"
#include "catalog/catalog.h"
#include "catalog/membership.h"
#include "zone/content.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES = 26, CATALOGS = 3 };

static const uint8_t apex[] = "\1k";

static void read_zone(struct reader *r)
{
	static const char *const labels[] = {"", "\5zones", "\7version", "\1a\5zones", "\1b\5zones", "\3coo\1a\5zones", "\5group\1a\5zones", "\5GROUP\1A\5Zones",
	                                     "\3coo\1b\5zones", "\1x\3ext\1a\5zones", "\1x\5group\1a\5zones", "\5group\1b\5zones", "\1*\5zones", "\3ext"};
	static const uint16_t types[] = {RR_PTR, RR_TXT, RR_NS, RR_A, RR_CNAME, RR_SOA};
	struct content *c = content_new(apex);
	struct catalog *k = NULL;
	struct text why;
	int err = c ? 0 : ERR_NO_MEMORY;

	while (!err && !r->failed && r->len - r->pos >= 3) {
		uint8_t owner[NAME_LEN_MAX];
		const char *label = labels[reader_u8(r) % ARRAY_LEN(labels)];
		uint16_t type = types[reader_u8(r) % ARRAY_LEN(types)];
		size_t said = reader_u8(r), len = MIN(said, r->len - r->pos), n = strlen(label);
		struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = 1, .rdlen = (uint16_t)len, .rdata = r->base + r->pos};

		r->pos += len;
		memcpy(owner, label, n);
		memcpy(owner + n, apex, sizeof(apex));
		if (rdata_check(type, rr.rdata, len) == 0)
			err = content_add(c, &rr, NULL);
	}
	text_init(&why);
	if (!err)
		err = content_finish(c);
	if (!err && catalog_from_content(c, 2, &why, &k) == 0) {
		if (k->count > 2)
			abort();
		for (size_t i = 0; i < k->count; i++)
			if (!k->entries[i].id[0] || name_check(k->entries[i].apex, NAME_LEN_MAX) < 0)
				abort();
		catalog_free(k);
	} else if (!err && !why.len) {
		abort(); /* who reads why has a right to know */
	}
	text_done(&why);
	content_free(c);
}

struct names {
	uint8_t wire[NAMES][3];
	bool owned[NAMES];
	uint32_t configured;
};

static bool is_configured(void *ctx, const uint8_t *name)
{
	const struct names *n = ctx;

	return n->configured >> (name[1] - 'a') & 1;
}

static int count_owner(void *ctx, const struct membership_owner *o)
{
	struct names *n = ctx;

	if (!n->owned[o->apex[1] - 'a'] || is_configured(n, o->apex))
		abort();
	n->owned[o->apex[1] - 'a'] = false;
	return 0;
}

static void apply(struct names *n, const struct membership_changes *ch)
{
	for (size_t i = 0; i < ch->count; i++) {
		bool *owned = &n->owned[ch->items[i].apex[1] - 'a'];

		if (*owned != (ch->items[i].kind != MEMBER_ADDED))
			abort();
		*owned = ch->items[i].kind != MEMBER_REMOVED;
	}
}

static void check(const struct membership *m, const struct names *n)
{
	struct names copy = *n;
	size_t owned = 0, listed = 0;

	for (unsigned i = 0; i < CATALOGS; i++) {
		owned += membership_owned(m, i);
		listed += membership_listed(m, i);
	}
	for (unsigned i = 0; i < NAMES; i++)
		owned -= n->owned[i];
	(void)membership_each(m, count_owner, &copy);
	for (unsigned i = 0; i < NAMES; i++)
		if (copy.owned[i])
			abort();
	if (owned || listed > CATALOGS * NAMES)
		abort();
}

static void tell_stories(struct reader *r)
{
	struct membership *m = membership_new();
	struct names n = {.configured = 0};
	struct membership_rules rules = {.is_configured = is_configured, .ctx = &n};
	uint8_t catalogs[CATALOGS][3] = {{1, 'A', 0}, {1, 'B', 0}, {1, 'C', 0}};
	unsigned index;

	if (!m)
		return;
	for (unsigned i = 0; i < NAMES; i++)
		memcpy(n.wire[i], (uint8_t[]){1, (uint8_t)('a' + i), 0}, 3);
	for (unsigned i = 0; i < CATALOGS; i++)
		if (membership_catalog(m, catalogs[i], &index) != 0 || index != i)
			abort();
	while (!r->failed && r->len - r->pos >= 2) {
		uint8_t op = reader_u8(r), count = reader_u8(r) % 40;
		struct catalog_entry entries[40];
		struct catalog c = {.entries = entries};
		struct membership_changes ch;
		uint8_t ids[40][3];
		struct text why;
		int err;

		membership_changes_init(&ch);
		text_init(&why);
		rules.shrink_limit = op & 8 ? 50 : 100;
		if (op % 4 == 3) {
			n.configured = (uint32_t)reader_u8(r) << (count % 24);
			err = membership_review(m, &rules, &ch);
		} else {
			for (; c.count < count && r->len - r->pos >= 2; c.count++) {
				uint8_t which = reader_u8(r), how = reader_u8(r);
				uint8_t *id = ids[c.count];

				id[0] = 1;
				id[1] = (uint8_t)('0' + how % 4);
				entries[c.count] = (struct catalog_entry){.apex = n.wire[which % NAMES], .id = id, .group = how & 4 ? id : NULL,
				                                          .coo = how & 8 ? catalogs[how / 16 % CATALOGS] : NULL};
			}
			err = op & 16 ? membership_drop(m, op % 4, &rules, &ch) : membership_take(m, op % 4, &c, &rules, &ch, &why);
			if (err == ERR_LIMIT && (ch.count || !why.len))
				abort();
		}
		if (err && err != ERR_LIMIT)
			abort();
		apply(&n, &ch);
		check(m, &n);
		text_done(&why);
		membership_changes_done(&ch);
	}
	membership_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);

	if (!size)
		return 0;
	if (reader_u8(&r) & 1)
		tell_stories(&r);
	else
		read_zone(&r);
	return 0;
}
