/* SPDX-License-Identifier: BSD-2-Clause */
/* Two sequences in canonical order, walked side by side: the zones that the store has (told by an earlier list, or by the store) and those
 * of the list that is to be. Only differences touch the store, so that one zone more among 100,000 costs 100,000 comparisons of
 * names and one zone. */
#include "sync/align.h"

#include "config/config.h"

#include <string.h>

static int put_empty(struct store_writer *w, struct zone_row *row, bool *changed)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_NO_DATA, .network = row->network, .source = ""};

	row->first = true;
	row->serving = false;
	row->records = 0;
	*changed = true;
	return store_put_zone(w, row->apex, NULL, &meta);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Which of two comes first, where either sequence may have ended (NULL). Mostly they are the same name. */
static int compare(const uint8_t *a, const uint8_t *b)
{
	if (!a || !b)
		return a ? -1 : b ? 1 : 0;
	return name_equal(a, b) ? 0 : name_compare(a, b);
}

static int from_list(struct store_writer *w, struct zone_list *was, struct zone_list *next, bool *changed)
{
	size_t i = 0, k = 0;
	int err = 0;

	while (!err && (i < was->count || k < next->count)) {
		struct zone_row *old = i < was->count ? &was->rows[i] : NULL;
		struct zone_row *row = k < next->count ? &next->rows[k] : NULL;
		int order = compare(old ? old->apex : NULL, row ? row->apex : NULL);

		if (order < 0) {
			*changed = true;
			err = store_remove_zone(w, old->apex);
		} else if (order > 0) {
			err = put_empty(w, row, changed);
		} else {
			row->serving = old->serving;
			row->records = old->records;
			row->serial = old->serial;
			row->first = row->network != old->network || !same_text(row->path, old->path);
			row->forced = old->forced || (row->path && row->conf && old->conf && row->conf->zonemd != old->conf->zonemd);
			row->allowed = old->allowed;
			row->signatures = old->signatures;
			row->error = old->error;
			row->error_s = old->error_s;
			old->error = NULL;
		}
		i += order <= 0;
		k += order >= 0;
	}
	return err;
}

static int from_store(struct store_writer *w, struct zone_list *next, bool *changed)
{
	const struct store_zone *z;
	struct store_snapshot s;
	size_t k = 0;
	int err = 0;

	store_writer_snapshot(w, &s);
	z = store_zone_next(&s, NULL);
	while (!err && (z || k < next->count)) {
		struct zone_row *row = k < next->count ? &next->rows[k] : NULL;
		int order = compare(z ? store_zone_apex(z) : NULL, row ? row->apex : NULL);

		if (order < 0) {
			*changed = true;
			err = store_remove_zone(w, store_zone_apex(z));
		} else if (order > 0) {
			err = put_empty(w, row, changed);
		} else {
			row->serving = z->state == STORE_ZONE_SERVING;
			row->records = (uint32_t)z->record_count;
			row->serial = z->serial;
			row->signatures = signatures_known(z);
		}
		/* The committed version stays as it is while the next one is built. */
		if (order <= 0)
			z = store_zone_next(&s, store_zone_apex(z));
		k += order >= 0;
	}
	return err;
}

int align_store(struct store_writer *w, struct zone_list *was, struct zone_list *next, bool *changed)
{
	*changed = false;
	return was ? from_list(w, was, next, changed) : from_store(w, next, changed);
}
