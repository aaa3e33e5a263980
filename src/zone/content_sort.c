/* SPDX-License-Identifier: BSD-2-Clause */
/* Finishing content: owners are sorted, then the records of each owner, and these are cut into sets.
 *
 * A name's key is 24 octets: its labels below the apex from the right, lower case, every octet raised by one and labels parted by a 0, so that comparing
 * keys is the canonical order as far as they go; an octet that cannot be raised ends the key. Only equal keys need the names themselves. It is noted at once which
 * owners come too late ("early" ones, that belong further up): zones that come sorted, as most large ones do, are not sorted at all, and of others only the early
 * ones are, to be merged into the rest: glue between the NS records of its zone, NSEC3 behind all names. An owner keeps the first word of its key.
 *
 * Records stay where they are, and dropped duplicates leave gaps; only where an owner's come in several runs they are gathered elsewhere. */
#include "base/err.h"
#include "base/octets.h"
#include "base/pages.h"
#include "zone/content_priv.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_LEN = CONTENT_KEY_WORDS * 8 };

/* Octet by octet: of any name. */
static struct content_key key_slowly(const struct content *c, const uint8_t *name, unsigned labels)
{
	uint8_t starts[NAME_LABELS_MAX + 1], octets[KEY_LEN] = {0};
	unsigned n = labels > c->apex_labels ? labels - c->apex_labels : 0, at = 0;
	struct content_key key;

	for (unsigned i = 0, pos = 0; i < n; i++, pos += name[pos] + 1U)
		starts[i] = (uint8_t)pos;
	for (unsigned i = n; i > 0 && at < KEY_LEN; i--) {
		const uint8_t *label = name + starts[i - 1];

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
		key.word[i] = (uint64_t)get_u32(octets + (size_t)8 * i) << 32 | get_u32(octets + (size_t)8 * i + 4);
	return key;
}

/* Eight octets at a time, of labels in ASCII. */
struct content_key content_key_of(const struct content *c, const uint8_t *name, unsigned labels)
{
	const uint64_t ones = 0x0101010101010101;
	uint8_t starts[NAME_LABELS_MAX + 1], octets[KEY_LEN + 8] = {0};
	unsigned n = labels > c->apex_labels ? labels - c->apex_labels : 0, at = 0;
	struct content_key key;

	for (unsigned i = 0, pos = 0; i < n; i++, pos += name[pos] + 1U)
		starts[i] = (uint8_t)pos;
	for (unsigned i = n; i > 0 && at < KEY_LEN; i--) {
		const uint8_t *label = name + starts[i - 1];

		if (at)
			at++;
		for (unsigned k = 0; k < label[0] && at < KEY_LEN; k += 8) {
			unsigned left = label[0] - k;
			uint64_t mask = left < 8 ? (1ULL << 8 * left) - 1 : ~0ULL, v = octets_low_first(label + 1 + k) & mask;

			if (v & ones << 7)
				return key_slowly(c, name, labels);
			octets_put_low_first(octets + at, octets_lower(v) + (ones & mask));
			at += MIN(left, 8U);
		}
	}
	for (unsigned i = 0; i < CONTENT_KEY_WORDS; i++)
		key.word[i] = octets_high_first(octets + (size_t)8 * i);
	return key;
}

int content_key_compare(const struct content_key *a, const uint8_t *a_name, const struct content_key *b, const uint8_t *b_name)
{
	for (unsigned i = 0; i < CONTENT_KEY_WORDS; i++)
		if (a->word[i] != b->word[i])
			return a->word[i] < b->word[i] ? -1 : 1;
	return name_compare(a_name, b_name);
}

/* ---- owners ---- */

static int order_owner(const void *a, const void *b)
{
	const struct content_owner *x = a, *y = b;
	int d;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	d = name_compare(x->name, y->name);
	/* Runs of one owner stay in the order in which they came. */
	return d ? d : x->first < y->first ? -1 : x->first > y->first;
}

static bool same_owner(const struct content_owner *x, const struct content_owner *y)
{
	return x->key == y->key && name_equal(x->name, y->name);
}

/* o[0..kept) and early[0..n), each sorted, into o[0..kept + n). */
static void merge(struct content_owner *o, size_t kept, const struct content_owner *early, size_t n)
{
	for (size_t at = kept + n; n;) {
		if (kept && order_owner(&o[kept - 1], &early[n - 1]) > 0)
			o[--at] = o[--kept];
		else
			o[--at] = early[--n];
	}
}

/* Those that are early among the early are taken out once more, and so on: each time fewer are left, or else it is qsort. One name near the end of the
 * alphabet at the top of a file makes half of it early, and nearly all of that is in order. */
static int sort_early(struct content_owner *o, size_t n)
{
	struct content_owner *early;
	size_t kept = 1, count = 0, at = 0;
	int err;

	for (size_t i = 1, greatest = 0; i < n; i++) {
		if (order_owner(&o[greatest], &o[i]) > 0)
			count++;
		else
			greatest = i;
	}
	if (!count)
		return 0;
	if (count > n / 4 * 3) {
		qsort(o, n, sizeof(*o), order_owner);
		return 0;
	}
	early = pages_realloc(NULL, 0, count * sizeof(*early));
	if (!early)
		return ERR_NO_MEMORY;
	for (size_t i = 1; i < n; i++) {
		if (order_owner(&o[kept - 1], &o[i]) > 0)
			early[at++] = o[i];
		else
			o[kept++] = o[i];
	}
	err = sort_early(early, count);
	if (!err)
		merge(o, kept, early, count);
	pages_free(early, count * sizeof(*early));
	return err;
}

static int sort_owners(struct content *c)
{
	size_t kept = 0, n = c->early_count;
	struct content_owner *o = c->owners, *early;
	int err;

	if (!n)
		return 0;
	early = pages_realloc(NULL, 0, n * sizeof(*early));
	if (!early)
		return ERR_NO_MEMORY;
	for (size_t i = 0, k = 0; i < c->owner_count; i++) {
		if (k < n && c->early[k] == i)
			early[k++] = o[i];
		else
			o[kept++] = o[i];
	}
	err = sort_early(early, n);
	if (!err)
		merge(o, kept, early, n);
	pages_free(early, n * sizeof(*early));
	return err;
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

/* Cut the n records of one owner into sets; duplicates go. */
static int cut_owner(struct content *c, const uint8_t *owner, struct content_record *records, size_t n, size_t *total)
{
	bool strict = is_strictly_sorted(records, n);
	struct content_rrset *set = NULL;
	size_t kept = 0;

	if (!strict)
		sort_records(records, n);
	for (size_t i = 0; i < n; i++) {
		const struct content_record *r = &records[i];

		if (set && set->type == r->type && set->covers == r->covers) {
			if (r->ttl != set->ttl) {
				set->ttl_differs = true;
				set->ttl = MIN(set->ttl, r->ttl);
			}
			if (!strict && content_compare_rdata(&records[kept - 1], r) == 0) {
				set->duplicates = (uint16_t)MIN(set->duplicates + 1, UINT16_MAX);
				continue;
			}
			set->count++;
		} else {
			int err = content_grow(&c->rrsets, &c->rrset_cap, c->rrset_count, sizeof(*c->rrsets));

			if (err)
				return err;
			set = &c->rrsets[c->rrset_count++];
			*set = (struct content_rrset){.owner = owner, .type = r->type, .covers = r->covers, .ttl = r->ttl, .count = 1,
			                              .records = records + kept};
		}
		if (kept != i)
			records[kept] = *r;
		kept++;
	}
	*total += kept;
	return 0;
}

/* The records of the runs from..to of one owner, behind each other. */
static struct content_record *gather(struct content *c, const struct content_owner *from, const struct content_owner *to, size_t n)
{
	uint8_t *room = content_take(c, (n + 1) * sizeof(struct content_record));
	struct content_record *records = (struct content_record *)(((uintptr_t)room + 7) & ~(uintptr_t)7);
	size_t at = 0;

	if (!room)
		return NULL;
	for (; from < to; at += from->count, from++)
		memcpy(records + at, c->records + from->first, from->count * sizeof(*records));
	return records;
}

int content_finish(struct content *c)
{
	int err = sort_owners(c);
	size_t total = 0;

	for (size_t i = 0, end; !err && i < c->owner_count; i = end) {
		struct content_record *records = c->records + c->owners[i].first;
		size_t n = c->owners[i].count;

		/* Runs of one owner become one, written as it was first. */
		for (end = i + 1; end < c->owner_count && same_owner(&c->owners[i], &c->owners[end]); end++)
			n += c->owners[end].count;
		if (end > i + 1)
			records = gather(c, &c->owners[i], &c->owners[end], n);
		err = records ? cut_owner(c, c->owners[i].name, records, n, &total) : ERR_NO_MEMORY;
	}
	if (err)
		return err;
	c->record_count = total;
	pages_free(c->owners, c->owner_cap * sizeof(*c->owners));
	pages_free(c->early, c->early_cap * sizeof(*c->early));
	c->owners = NULL;
	c->early = NULL;
	c->owner_count = c->owner_cap = c->early_count = c->early_cap = 0;
	return 0;
}
