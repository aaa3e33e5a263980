/* SPDX-License-Identifier: BSD-2-Clause */
/* When signatures end: the board says of each network which of its zones is the first to lose them. What the store knows of a zone is often only that none ends before some moment; when that
 * comes near, the zone is gone through. */
#include "sync/load_priv.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static bool ends_first(const struct zone_row *a, const struct zone_row *b)
{
	return !b || signatures_before(a->signatures.end, b->signatures.end);
}

void loader_note_signatures(struct loader *l, const struct zone_row *row)
{
	struct loader_first *f = row->slot < BOARD_NETWORKS_MAX ? &l->first[row->slot] : NULL;

	if (!f || f->stale)
		return;
	if (f->row == row)
		f->stale = true;
	else if (row->serving && row->signatures.any && ends_first(row, f->row))
		f->row = row;
}

static void find_first(struct loader *l)
{
	bool stale = false;

	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		stale |= l->first[i].stale;
		if (l->first[i].stale)
			l->first[i].row = NULL;
	}
	for (size_t i = 0; stale && i < l->zones->count; i++) {
		const struct zone_row *row = &l->zones->rows[i];
		struct loader_first *f = row->slot < BOARD_NETWORKS_MAX ? &l->first[row->slot] : NULL;

		if (f && f->stale && row->serving && row->signatures.any && ends_first(row, f->row))
			f->row = row;
	}
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		l->first[i].stale = false;
}

void loader_publish_signatures(struct loader *l)
{
	find_first(l);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		struct board_sync_network *b = &l->board->sync.networks[i];
		const struct zone_row *row = l->first[i].row;
		char name[NAME_TEXT_MAX] = "";
		uint32_t known = !row ? 0 : row->signatures.exact ? 1 : 2;

		if (row)
			name_to_text(row->apex, name);
		if (b->signatures == known && (!row || (b->signatures_end == row->signatures.end && strncmp(b->signatures_zone, name, BOARD_ZONE_MAX - 1) == 0)))
			continue;
		board_write_begin(&b->seq);
		b->signatures = known;
		b->signatures_end = row ? row->signatures.end : 0;
		snprintf(b->signatures_zone, sizeof(b->signatures_zone), "%.*s", BOARD_ZONE_MAX - 1, name);
		board_write_end(&b->seq);
	}
}

enum { LOOK_EARLY_S = 3600 /* before the alert, so that it does not come for nothing */ };

static bool wants_look(const struct loader *l, const struct zone_row *row, int64_t now_wall_s)
{
	const struct config *c = l->zones->from;

	return c && row->serving && row->signatures.any && !row->signatures.exact && row->network < c->network_count &&
	       signatures_left_s(&row->signatures, now_wall_s) < c->networks[row->network].signatures_alert_ms / 1000 + LOOK_EARLY_S;
}

bool loader_wants_look(const struct loader *l)
{
	int64_t now = clock_wall_s();

	for (size_t i = 0; l->zones && l->aligned && i < BOARD_NETWORKS_MAX; i++)
		if (l->first[i].row && wants_look(l, l->first[i].row, now))
			return true;
	return false;
}

void loader_look_at_signatures(struct loader *l)
{
	int64_t now = clock_wall_s();
	struct store_snapshot s;

	if (!l->zones || !l->aligned || !l->writer)
		return;
	store_writer_snapshot(l->writer, &s);
	for (size_t i = 0; i < l->zones->count; i++) {
		struct zone_row *row = &l->zones->rows[i];
		const struct store_zone *z = wants_look(l, row, now) ? store_zone_get(&s, row->apex) : NULL;
		struct signatures found;

		if (!z || signatures_look(&s, z, &found) < 0)
			continue;
		pthread_mutex_lock(&l->lock);
		row->signatures = found;
		pthread_mutex_unlock(&l->lock);
		if (row->slot < BOARD_NETWORKS_MAX)
			l->first[row->slot].stale = true;
	}
	loader_publish_signatures(l);
}
