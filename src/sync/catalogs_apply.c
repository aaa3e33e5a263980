/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that came, went, begin anew or moved, as membership_take() told them: the journal forgets those that begin, the store and the list of rows follow. */
#include "sync/catalogs_priv.h"

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "journal/journal.h"
#include "sync/history.h"
#include "sync/load.h"

#include <stdio.h>
#include <stdlib.h>

enum { PURGE_TOGETHER = 256 /* zones that leave the journal in one transaction */ };

/* ---- what goes ---- */

struct purge {
	const uint8_t *names[PURGE_TOGETHER];
	size_t count;
};

static int purge(struct journal_txn *t, void *ctx)
{
	const struct purge *p = ctx;
	int err = 0;

	for (size_t i = 0; i < p->count && !err; i++) {
		err = journal_remove_zone(t, p->names[i]);
		err = err == ERR_NOT_FOUND ? 0 : err;
	}
	return err;
}

static int any_known(struct journal_txn *t, void *ctx)
{
	const struct purge *p = ctx;
	struct journal_timers timers;
	struct journal_zone zone;

	for (size_t i = 0; i < p->count; i++)
		if (journal_get_zone(t, p->names[i], &zone) != ERR_NOT_FOUND ||
		    journal_get_timers(t, p->names[i], &timers) != ERR_NOT_FOUND)
			return 1;
	return 0;
}

/* Mostly those that come are not known, and nothing has to be written. */
static bool is_known(const struct purge *p, struct journal *j)
{
	return journal_read(j, any_known, (void *)p, NULL) != 0;
}

static void purge_some(struct journal *j, struct purge *p, uint64_t *failed)
{
	struct text why;

	text_init(&why);
	if (j && p->count && is_known(p, j) && journal_write(j, purge, p, &why) < 0) {
		(*failed)++;
		log_err("journal what=members error=\"%s\" action=\"what is known of them stays on the disk\"",
		        why.chars);
	}
	text_done(&why);
	p->count = 0;
}

/* ---- applying ---- */

static int tell(struct catalogs *k, enum catalogs_kind kind, const uint8_t *apex, uint64_t origin)
{
	if (k->news_count == k->news_cap) {
		size_t cap = k->news_cap ? k->news_cap * 2 : 64;
		struct catalogs_news *more = realloc(k->news, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		k->news = more;
		k->news_cap = cap;
	}
	k->news[k->news_count++] = (struct catalogs_news){kind, apex, origin};
	return 0;
}

static int empty(struct loader *l, const uint8_t *apex, uint32_t network)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_NO_DATA, .network = network, .source = ""};

	if (l->history)
		history_forget(l->history, apex);
	return store_put_zone(l->writer, apex, NULL, &meta);
}

static int come(struct catalogs *k, struct loader *l, const uint8_t *apex, const struct config_template *t, bool recall)
{
	struct zone_row row = {.held = true, .recall = recall};
	int err;

	if (k->added_count == k->added_cap) {
		size_t cap = k->added_cap ? k->added_cap * 2 : 64;
		struct zone_row *more = realloc(k->added, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		k->added = more;
		k->added_cap = cap;
	}
	err = zone_row_member(&row, apex);
	if (err)
		return err;
	catalogs_fill_row(&row, l->zones, t);
	k->added[k->added_count++] = row;
	return empty(l, apex, row.network);
}

/* The data stays, as that of another network. */
static int move(struct loader *l, struct zone_row *row, const struct config_template *t)
{
	uint32_t was = row->network;
	struct zone_change none = {0};
	struct zone_change_problem problem;
	char source[STORE_ZONE_SOURCE_MAX + 1];
	const struct store_zone *z;
	struct store_snapshot s;
	int err;

	loader_uncount(l, row);
	catalogs_fill_row(row, l->zones, t);
	loader_recount(l, row);
	store_writer_draft(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	if (was == row->network || !z)
		return 0;
	if (z->state != STORE_ZONE_SERVING)
		return empty(l, row->apex, row->network);
	snprintf(source, sizeof(source), "%.*s", (int)z->source_len, (const char *)z->tail + z->apex_len);
	err = zone_change_init(&none, row->apex);
	if (!err)
		err = content_finish(none.removed);
	if (!err)
		err = content_finish(none.added);
	if (!err)
		err = store_change_zone(l->writer, row->apex, &none,
		                        &(struct store_zone_meta){STORE_ZONE_SERVING, row->network, source}, &problem);
	zone_change_done(&none);
	return err;
}

/* What one name's change means here. */
static int apply_one(struct catalogs *k, struct loader *l, const struct membership_change *ch, bool recall)
{
	struct zone_row *row = zone_list_find(l->zones, ch->apex);
	const struct config_template *t = catalogs_template(k, l->zones, ch->apex);
	int err = 0;

	if (row && !row->member)
		return 0;
	if (!row && !t)
		return 0;
	k->dirty = true;
	if (!row) {
		err = come(k, l, ch->apex, t, recall);
		return err ? err : tell(k, CATALOGS_CAME, ch->apex, t->id);
	}
	if (!t) {
		if (l->history)
			history_forget(l->history, ch->apex);
		row->dropped = true;
		err = store_remove_zone(l->writer, ch->apex);
		return err && err != ERR_NOT_FOUND ? err : tell(k, CATALOGS_WENT, ch->apex, 0);
	}
	if (ch->kind == MEMBER_RESET) {
		loader_uncount(l, row);
		catalogs_fill_row(row, l->zones, t);
		row->serving = false;
		row->records = row->serial = 0;
		loader_recount(l, row);
		err = empty(l, ch->apex, row->network);
		return err ? err : tell(k, CATALOGS_RESET, ch->apex, t->id);
	}
	if (row->origin == t->id)
		return 0;
	err = move(l, row, t);
	return err ? err : tell(k, CATALOGS_CHANGED, ch->apex, t->id);
}

int catalogs_apply(struct catalogs *k, struct loader *l, struct journal *j, bool recall, uint64_t *journal_failed)
{
	struct purge p = {.count = 0};
	int err = 0;

	for (size_t i = 0; i < k->changes.count; i++) {
		const struct membership_change *ch = &k->changes.items[i];

		if (ch->kind == MEMBER_MOVED || (ch->kind == MEMBER_ADDED && recall) ||
		    catalogs_is_configured(l->zones, ch->apex))
			continue;
		p.names[p.count++] = ch->apex;
		if (p.count == PURGE_TOGETHER)
			purge_some(j, &p, journal_failed);
	}
	purge_some(j, &p, journal_failed);
	for (size_t i = 0; i < k->changes.count && !err; i++)
		err = apply_one(k, l, &k->changes.items[i], recall);
	if (!err && k->dirty)
		err = loader_change_list(l, k->added, k->added_count);
	if (!err)
		k->added_count = 0;
	if (!err && k->dirty)
		err = loader_commit(l, NULL, 0);
	return err;
}
