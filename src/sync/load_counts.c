/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts of zones and records, as the board has them: of what is committed. */
#include "sync/load_priv.h"

#include <string.h>

void loader_count(struct loader *l, const struct zone_row *row, bool in)
{
	uint64_t one = in ? 1 : UINT64_MAX;

	if (!row->serving)
		return;
	l->serving += one;
	l->records += one * row->records;
	if (row->slot < BOARD_NETWORKS_MAX)
		l->net_ready[row->slot] += (uint32_t)one;
}

void loader_count_one(struct loader *l, const struct zone_row *row, bool in)
{
	if (row->slot < BOARD_NETWORKS_MAX)
		l->net_zones[row->slot] += in ? 1 : UINT32_MAX;
	loader_count(l, row, in);
}

void loader_uncount(struct loader *l, const struct zone_row *row)
{
	loader_count_one(l, row, false);
}

void loader_recount(struct loader *l, const struct zone_row *row)
{
	loader_count_one(l, row, true);
}

void loader_count_all(struct loader *l)
{
	l->serving = l->records = l->failing = 0;
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		l->first[i] = (struct loader_first){.stale = true};
	memset(l->net_zones, 0, sizeof(l->net_zones));
	memset(l->net_ready, 0, sizeof(l->net_ready));
	for (size_t i = 0; i < l->zones->count; i++) {
		const struct zone_row *row = &l->zones->rows[i];

		if (row->slot < BOARD_NETWORKS_MAX)
			l->net_zones[row->slot]++;
		l->failing += row->error != NULL;
		loader_count(l, row, true);
	}
}

int loader_change_list(struct loader *l, struct zone_row *rows, size_t count)
{
	size_t dropped = 0;
	int err;

	for (size_t i = 0; i < l->zones->count; i++)
		if (l->zones->rows[i].dropped) {
			loader_count_one(l, &l->zones->rows[i], false);
			dropped++;
		}
	if (!dropped && !count)
		return 0;
	pthread_mutex_lock(&l->lock);
	err = zone_list_merge(l->zones, rows, count);
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < l->zones->count && err && dropped; i++)
		if (l->zones->rows[i].dropped)
			loader_count_one(l, &l->zones->rows[i], true);
	for (size_t i = 0; i < count && !err; i++)
		loader_count_one(l, &rows[i], true);
	/* Rows have moved. */
	for (size_t i = 0; i < BOARD_NETWORKS_MAX && !err; i++)
		l->first[i] = (struct loader_first){.stale = true};
	return err;
}

void loader_publish_counts(struct loader *l)
{
	struct board_sync *b = &l->board->sync;

	loader_publish_signatures(l);
	atomic_store(&b->zones_failing, l->failing);

	atomic_store(&b->zones_configured, l->zones->count);
	atomic_store(&b->zones_serving, l->serving);
	atomic_store(&b->zones_failed, l->zones->count - l->serving);
	atomic_store(&b->records, l->records);
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		/* Never let a reader see more ready than there are, nor all ready for a moment. */
		if (l->net_zones[i] > atomic_load(&b->networks[i].zones))
			atomic_store(&b->networks[i].zones, l->net_zones[i]);
		atomic_store(&b->networks[i].ready, l->net_ready[i]);
		atomic_store(&b->networks[i].zones, l->net_zones[i]);
	}
}
