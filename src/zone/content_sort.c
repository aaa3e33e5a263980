/* SPDX-License-Identifier: BSD-2-Clause */
/* Finishing content: owners are sorted, then the records of each owner, and these are cut into sets.
 *
 * Owners are sorted through a key of 24 octets each: the labels below the apex from the right, lower case, every octet raised by one
 * and labels parted by a 0, so that comparing keys is the canonical order as far as they go; an octet that cannot be raised ends the key.
 * Only equal keys need the names themselves. Zones that come sorted, as most large ones do, are not sorted at all; those that nearly are, with the glue of a
 * name between its NS records for instance, by moving each owner that is out of place the little way back; a budget of such moves bounds what any order can
 * cost, then it is qsort.
 *
 * Sorted, records stay where they are and duplicates leave gaps that are closed in passing. Otherwise the runs of an owner are gathered in a new array, owner by owner. */
#include "base/err.h"
#include "base/pages.h"
#include "zone/content_priv.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_LEN = CONTENT_KEY_WORDS * 8, MOVES = 4 /* an owner, on average */ };

void content_owner_key(const struct content *c, const uint8_t *name, unsigned labels, uint64_t key[CONTENT_KEY_WORDS])
{
	uint8_t starts[NAME_LABELS_MAX + 1], octets[KEY_LEN] = {0};
	unsigned n = labels > c->apex_labels ? labels - c->apex_labels : 0, at = 0;

	for (unsigned i = 0, pos = 0; i < n; i++, pos += name[pos] + 1U)
		starts[i] = (uint8_t)pos;
	while (n-- > 0 && at < KEY_LEN) {
		const uint8_t *label = name + starts[n];

		if (at)
			at++;
		for (unsigned k = 1; k <= label[0] && at < KEY_LEN; k++) {
			uint8_t ch = (uint8_t)(label[k] - 'A') < 26 ? (uint8_t)(label[k] | 0x20) : label[k];

			if (ch >= 254) {
				memset(octets + at, 255, KEY_LEN - at);
				at = KEY_LEN;
				break;
			}
			octets[at++] = (uint8_t)(ch + 1);
		}
	}
	for (unsigned i = 0; i < CONTENT_KEY_WORDS; i++)
		key[i] = (uint64_t)get_u32(octets + (size_t)8 * i) << 32 | get_u32(octets + (size_t)8 * i + 4);
}

/* ---- owners ---- */

static int order_key(const struct content_owner *x, const struct content_owner *y)
{
	for (unsigned i = 0; i < CONTENT_KEY_WORDS; i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	return 0;
}

static int order_owner(const void *a, const void *b)
{
	const struct content_owner *x = a, *y = b;
	int d = order_key(x, y);

	if (!d)
		d = name_compare(x->name, y->name);
	/* Runs of one owner stay in the order in which they came. */
	return d ? d : x->first < y->first ? -1 : x->first > y->first;
}

static bool same_owner(const struct content_owner *x, const struct content_owner *y)
{
	return order_key(x, y) == 0 && name_equal(x->name, y->name);
}

/* Returns whether they were in order. */
static bool sort_owners(struct content *c)
{
	struct content_owner *o = c->owners;
	size_t budget = c->owner_count * MOVES;
	bool in_order = true;

	for (size_t i = 1; i < c->owner_count; i++) {
		struct content_owner moved;
		size_t at = i;

		if (order_owner(&o[i - 1], &o[i]) <= 0)
			continue;
		in_order = false;
		moved = o[i];
		do {
			o[at] = o[at - 1];
			at--;
		} while (at && budget-- && order_owner(&o[at - 1], &moved) > 0);
		o[at] = moved;
		if (budget > c->owner_count * MOVES) { /* below zero */
			qsort(o, c->owner_count, sizeof(*o), order_owner);
			break;
		}
	}
	return in_order;
}

/* ---- records ---- */

static unsigned type_rank(const struct content_record *r)
{
	return r->type == RR_SOA ? 0 : r->type;
}

/* Two names, or two of anything whose case does not count. */
static int compare_lower(const struct content_record *a, const struct content_record *b)
{
	for (size_t i = 0; i < a->rdlen && i < b->rdlen; i++) {
		int x = a->rdata[i], y = b->rdata[i];

		if (x == y)
			continue;
		x = x >= 'A' && x <= 'Z' ? x | 0x20 : x;
		y = y >= 'A' && y <= 'Z' ? y | 0x20 : y;
		if (x != y)
			return x - y;
	}
	return (int)a->rdlen - (int)b->rdlen;
}

int content_compare_rdata(const struct content_record *a, const struct content_record *b)
{
	static _Thread_local uint8_t x[RDATA_MAX], y[RDATA_MAX];

	switch (a->type) { /* what fills zones needs no copies */
	case RR_NS:
	case RR_CNAME:
	case RR_PTR:
		return compare_lower(a, b);
	case RR_A:
	case RR_AAAA:
	case RR_DS:
	case RR_DNSKEY:
	case RR_TXT:
		return rdata_compare(a->rdata, a->rdlen, b->rdata, b->rdlen);
	default:
		break;
	}
	memcpy(x, a->rdata, a->rdlen);
	memcpy(y, b->rdata, b->rdlen);
	rdata_canonical(a->type, x, a->rdlen);
	rdata_canonical(b->type, y, b->rdlen);
	return rdata_compare(x, a->rdlen, y, b->rdlen);
}

static int order_set(const struct content_record *x, const struct content_record *y)
{
	if (type_rank(x) != type_rank(y))
		return type_rank(x) < type_rank(y) ? -1 : 1;
	return x->covers < y->covers ? -1 : x->covers > y->covers;
}

static int order_record(const void *a, const void *b)
{
	const struct content_record *x = a, *y = b;
	int d = order_set(x, y);

	if (!d)
		d = content_compare_rdata(x, y);
	return d ? d : x->line < y->line ? -1 : x->line > y->line;
}

/* Most names have a handful of records, often in order already. Stable, as order_record is total but for equal lines. */
static void sort_records(struct content_record *r, size_t n)
{
	if (n > 8) {
		qsort(r, n, sizeof(*r), order_record);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		const struct content_record moved = r[i];
		size_t at = i;

		for (; at && order_record(&r[at - 1], &moved) > 0; at--)
			r[at] = r[at - 1];
		r[at] = moved;
	}
}

/* In order, without duplicates? Then nothing is compared again. */
static bool is_strictly_sorted(const struct content_record *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		int d = order_set(&r[i - 1], &r[i]);

		if (d > 0 || (!d && content_compare_rdata(&r[i - 1], &r[i]) >= 0))
			return false;
	}
	return true;
}

/* Cut the n records of one owner at from into sets, in the array that is to hold all of them from *kept on; from is *kept or behind it. */
static int cut_owner(struct content *c, const uint8_t *owner, struct content_record *from, size_t n, struct content_record *to, size_t *kept)
{
	bool strict = is_strictly_sorted(from, n);
	struct content_rrset *set = NULL;

	if (!strict)
		sort_records(from, n);
	for (size_t i = 0; i < n; i++) {
		const struct content_record r = from[i];

		if (set && set->type == r.type && set->covers == r.covers) {
			if (r.ttl != set->ttl) {
				set->ttl_differs = true;
				set->ttl = MIN(set->ttl, r.ttl);
			}
			if (!strict && content_compare_rdata(&to[*kept - 1], &r) == 0) {
				set->duplicates++;
				continue;
			}
			set->count++;
		} else {
			int err = content_grow(&c->rrsets, &c->rrset_cap, c->rrset_count, sizeof(*c->rrsets));

			if (err)
				return err;
			set = &c->rrsets[c->rrset_count++];
			*set = (struct content_rrset){.owner = owner, .type = r.type, .covers = r.covers, .ttl = r.ttl, .count = 1,
			                              .records = to + *kept};
		}
		to[(*kept)++] = r;
	}
	return 0;
}

int content_finish(struct content *c)
{
	bool in_order = sort_owners(c);
	size_t cap = MAX(c->record_count, (size_t)1), kept = 0;
	struct content_record *to = in_order ? c->records : pages_realloc(NULL, 0, cap * sizeof(*to));
	int err = !to && c->record_count ? ERR_NO_MEMORY : 0;

	for (size_t i = 0, end; !err && i < c->owner_count; i = end) {
		size_t n = c->owners[i].count;
		struct content_record *from = c->records + c->owners[i].first;

		/* Runs of one owner become one, written as it was first. In order, they lie behind each other. */
		for (end = i + 1; end < c->owner_count && same_owner(&c->owners[i], &c->owners[end]); end++)
			n += c->owners[end].count;
		if (!in_order) {
			from = to + kept;
			for (size_t k = i, at = 0; k < end; at += c->owners[k].count, k++)
				memcpy(from + at, c->records + c->owners[k].first, c->owners[k].count * sizeof(*from));
		}
		err = cut_owner(c, c->owners[i].name, from, n, to, &kept);
	}
	if (!in_order && to) {
		pages_free(c->records, c->record_cap * sizeof(*c->records));
		c->records = to;
		c->record_cap = cap;
	}
	if (err)
		return err;
	c->record_count = kept;
	pages_free(c->owners, c->owner_cap * sizeof(*c->owners));
	c->owners = NULL;
	c->owner_count = c->owner_cap = 0;
	c->finished = true;
	return 0;
}
