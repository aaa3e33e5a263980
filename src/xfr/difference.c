/* SPDX-License-Identifier: BSD-2-Clause */
#include "xfr/difference.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void xfr_differences_init(struct xfr_differences *d)
{
	memset(d, 0, sizeof(*d));
	arena_init(&d->arena, 0);
}

void xfr_differences_done(struct xfr_differences *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free((void *)d->list[i].deleted);
		free((void *)d->list[i].added);
	}
	free(d->list);
	arena_done(&d->arena);
	xfr_differences_init(d);
}

/* Append a copy to a list of records, whose room doubles each time it is full: at 4, 8, 16 ... */
static int append(struct xfr_differences *d, const struct rr **list, size_t *count, const struct rr *rr)
{
	bool full = !*count || (*count >= 4 && !(*count & (*count - 1)));
	size_t len = name_len(rr->owner);
	struct rr copy = *rr, *records = (struct rr *)*list;

	if (full) {
		struct rr *more = realloc(records, MAX(*count * 2, (size_t)4) * sizeof(*records));

		if (!more)
			return ERR_NO_MEMORY;
		*list = records = more;
	}
	if (!d->last_owner || name_len(d->last_owner) != len || memcmp(d->last_owner, rr->owner, len) != 0) {
		const uint8_t *owner = arena_dup(&d->arena, rr->owner, len);

		if (!owner)
			return ERR_NO_MEMORY;
		d->last_owner = owner;
	}
	copy.owner = d->last_owner;
	copy.rdata = arena_dup(&d->arena, rr->rdata, rr->rdlen);
	if (!copy.rdata)
		return ERR_NO_MEMORY;
	records[(*count)++] = copy;
	return 0;
}

int xfr_differences_from(struct xfr_differences *d, const struct rr *soa)
{
	struct soa fields;

	if (soa_parse(soa->rdata, soa->rdlen, &fields) < 0)
		return ERR_MALFORMED;
	if (d->count == d->cap) {
		size_t next = d->cap ? d->cap * 2 : 4;
		struct xfr_difference *more = realloc(d->list, next * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		d->list = more;
		d->cap = next;
	}
	d->list[d->count++] = (struct xfr_difference){.from = fields.serial, .to = fields.serial};
	return xfr_differences_delete(d, soa);
}

int xfr_differences_to(struct xfr_differences *d, const struct rr *soa)
{
	struct soa fields;

	if (soa_parse(soa->rdata, soa->rdlen, &fields) < 0)
		return ERR_MALFORMED;
	d->list[d->count - 1].to = fields.serial;
	return xfr_differences_add(d, soa);
}

int xfr_differences_delete(struct xfr_differences *d, const struct rr *rr)
{
	struct xfr_difference *last = &d->list[d->count - 1];

	return append(d, &last->deleted, &last->deleted_count, rr);
}

int xfr_differences_add(struct xfr_differences *d, const struct rr *rr)
{
	struct xfr_difference *last = &d->list[d->count - 1];

	return append(d, &last->added, &last->added_count, rr);
}

size_t xfr_differences_drop_added(struct xfr_differences *d, size_t i, xfr_record_fn *is_there, void *ctx)
{
	struct xfr_difference *of = &d->list[i];
	struct rr *records = (struct rr *)of->added;
	size_t kept = MIN(of->added_count, (size_t)1), before = of->added_count;

	for (size_t k = 1; k < before; k++)
		if (!is_there(ctx, &records[k]))
			records[kept++] = records[k];
	of->added_count = kept;
	return before - kept;
}
