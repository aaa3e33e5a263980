/* SPDX-License-Identifier: BSD-2-Clause */
/* Records pile up in an arena; finishing sorts owners, then the records of each owner, and cuts them into sets.
 *
 * Owners are sorted through a key of KEY_LEN octets each: the labels below the apex from the right, lower case, every octet raised by one
 * and labels parted by a 0, so that memcmp is the canonical order as far as the key goes; an octet that cannot be raised ends the key.
 * Only equal keys need the names themselves. Zones that come sorted, as most large ones do, are not sorted at all. */
#include "zone/content.h"

#include "base/err.h"
#include "zone/check.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_LEN = 24, FILES_MAX = 65535 };

struct owner {
	uint8_t key[KEY_LEN];
	const uint8_t *name;
	size_t first, count; /* its records */
};

struct content {
	struct arena arena;
	struct name apex;
	struct content_record *records;
	size_t record_count, record_cap;
	struct owner *owners;
	size_t owner_count, owner_cap, last_owner_len;
	struct content_rrset *rrsets;
	size_t rrset_count, rrset_cap;
	const char **files;
	uint32_t file_count;
	bool finished;
};

struct content *content_new(const uint8_t *apex)
{
	struct content *c = calloc(1, sizeof(*c));

	if (c) {
		arena_init(&c->arena, 0);
		name_copy(&c->apex, apex);
	}
	return c;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	arena_done(&c->arena);
	free(c->records);
	free(c->owners);
	free(c->rrsets);
	free(c->files);
	free(c);
}

static int grow(void *array, size_t *cap, size_t count, size_t size)
{
	void **p = array;
	size_t next = *cap ? *cap * 2 : 64;
	void *q;

	if (count < *cap)
		return 0;
	q = realloc(*p, next * size);
	if (!q)
		return ERR_NO_MEMORY;
	*p = q;
	*cap = next;
	return 0;
}

static int file_index(struct content *c, const char *name, uint16_t *out)
{
	const char **files;

	/* Nearly always the file of the record before. */
	for (uint32_t i = c->file_count; i-- > 0;)
		if (strcmp(c->files[i], name) == 0) {
			*out = (uint16_t)i;
			return 0;
		}
	if (c->file_count == FILES_MAX)
		return ERR_LIMIT;
	files = realloc(c->files, (c->file_count + 1) * sizeof(*files));
	if (!files)
		return ERR_NO_MEMORY;
	c->files = files;
	files[c->file_count] = arena_strdup(&c->arena, name);
	if (!files[c->file_count])
		return ERR_NO_MEMORY;
	*out = (uint16_t)c->file_count++;
	return 0;
}

static void owner_key(const struct content *c, const uint8_t *name, uint8_t key[KEY_LEN])
{
	uint8_t starts[NAME_LABELS_MAX + 1];
	unsigned labels = 0, at = 0, below = name_labels(c->apex.wire);

	for (unsigned pos = 0; name[pos]; pos += name[pos] + 1U)
		starts[labels++] = (uint8_t)pos;
	memset(key, 0, KEY_LEN);
	for (unsigned i = labels > below ? labels - below : 0; i-- > 0;) {
		const uint8_t *label = name + starts[i];

		if (at && at < KEY_LEN)
			key[at++] = 0;
		for (unsigned k = 1; k <= label[0] && at < KEY_LEN; k++) {
			uint8_t ch = (uint8_t)(label[k] - 'A') < 26 ? (uint8_t)(label[k] | 0x20) : label[k];

			if (ch >= 254) {
				memset(key + at, 255, KEY_LEN - at);
				return;
			}
			key[at++] = (uint8_t)(ch + 1);
		}
		if (at >= KEY_LEN)
			return;
	}
}

int content_add(struct content *c, const struct rr *rr, const struct zonefile_place *place)
{
	const uint8_t *last = c->owner_count ? c->owners[c->owner_count - 1].name : NULL;
	size_t len = name_len(rr->owner);
	struct content_record *r;
	int err = grow(&c->records, &c->record_cap, c->record_count, sizeof(*c->records));

	if (err)
		return err;
	r = &c->records[c->record_count];
	*r = (struct content_record){.ttl = rr->ttl, .type = rr->type, .rdlen = rr->rdlen,
	                             .covers = rr->type == RR_RRSIG ? rrsig_covers(rr->rdata, rr->rdlen) : 0};
	if (place) {
		r->line = place->line;
		err = file_index(c, place->file, &r->file);
		if (err)
			return err;
	}
	if (!last || len != c->last_owner_len || memcmp(last, rr->owner, len) != 0) {
		struct owner *o;

		err = grow(&c->owners, &c->owner_cap, c->owner_count, sizeof(*c->owners));
		if (err)
			return err;
		o = &c->owners[c->owner_count];
		o->name = arena_dup(&c->arena, rr->owner, len);
		if (!o->name)
			return ERR_NO_MEMORY;
		o->first = c->record_count;
		o->count = 0;
		c->last_owner_len = len;
		c->owner_count++;
	}
	r->owner = c->owners[c->owner_count - 1].name;
	r->rdata = arena_dup(&c->arena, rr->rdata, rr->rdlen);
	if (!r->rdata)
		return ERR_NO_MEMORY;
	c->owners[c->owner_count - 1].count++;
	c->record_count++;
	return 0;
}

/* ---- sorting ---- */

static int order_owner(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	int d = memcmp(x->key, y->key, KEY_LEN);

	if (!d)
		d = name_compare(x->name, y->name);
	/* Runs of one owner stay in the order of the file. */
	return d ? d : x->first < y->first ? -1 : x->first > y->first;
}

static int sort_owners(struct content *c)
{
	struct content_record *sorted;
	bool in_order = true;
	size_t at = 0, kept = 0;

	for (size_t i = 0; i < c->owner_count; i++) {
		owner_key(c, c->owners[i].name, c->owners[i].key);
		if (i && order_owner(&c->owners[i - 1], &c->owners[i]) > 0)
			in_order = false;
	}
	if (!in_order) {
		qsort(c->owners, c->owner_count, sizeof(*c->owners), order_owner);
		sorted = malloc(MAX(c->record_count, (size_t)1) * sizeof(*sorted));
		if (!sorted)
			return ERR_NO_MEMORY;
		for (size_t i = 0; i < c->owner_count; i++) {
			memcpy(sorted + at, c->records + c->owners[i].first, c->owners[i].count * sizeof(*sorted));
			c->owners[i].first = at;
			at += c->owners[i].count;
		}
		free(c->records);
		c->records = sorted;
		c->record_cap = MAX(c->record_count, (size_t)1);
	}
	/* Runs of one owner become one owner, written as it was first. */
	for (size_t i = 0; i < c->owner_count; i++) {
		if (kept && memcmp(c->owners[kept - 1].key, c->owners[i].key, KEY_LEN) == 0 &&
		    name_equal(c->owners[kept - 1].name, c->owners[i].name)) {
			for (size_t k = 0; k < c->owners[i].count; k++)
				c->records[c->owners[i].first + k].owner = c->owners[kept - 1].name;
			c->owners[kept - 1].count += c->owners[i].count;
			continue;
		}
		c->owners[kept++] = c->owners[i];
	}
	c->owner_count = kept;
	return 0;
}

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

static int order_record(const void *a, const void *b)
{
	const struct content_record *x = a, *y = b;
	int d;

	if (type_rank(x) != type_rank(y))
		return type_rank(x) < type_rank(y) ? -1 : 1;
	if (x->covers != y->covers)
		return x->covers < y->covers ? -1 : 1;
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

/* Cut the sorted records from first on into sets, moving them down over dropped duplicates. */
static int cut_owner(struct content *c, const struct owner *o, size_t *kept)
{
	struct content_rrset *set = NULL;
	int err;

	sort_records(c->records + o->first, o->count);
	for (size_t i = o->first; i < o->first + o->count; i++) {
		const struct content_record r = c->records[i];

		if (set && set->type == r.type && set->covers == r.covers) {
			if (r.ttl != set->ttl) {
				set->ttl_differs = true;
				set->ttl = MIN(set->ttl, r.ttl);
			}
			if (content_compare_rdata(&c->records[*kept - 1], &r) == 0) {
				set->duplicates++;
				continue;
			}
			set->count++;
			c->records[(*kept)++] = r;
			continue;
		}
		err = grow(&c->rrsets, &c->rrset_cap, c->rrset_count, sizeof(*c->rrsets));
		if (err)
			return err;
		set = &c->rrsets[c->rrset_count++];
		*set = (struct content_rrset){.owner = o->name, .type = r.type, .covers = r.covers, .ttl = r.ttl, .count = 1};
		set->records = c->records + *kept;
		c->records[(*kept)++] = r;
	}
	return 0;
}

int content_finish(struct content *c)
{
	size_t kept = 0;
	int err = sort_owners(c);

	for (size_t i = 0; !err && i < c->owner_count; i++)
		err = cut_owner(c, &c->owners[i], &kept);
	if (err)
		return err;
	c->record_count = kept;
	free(c->owners);
	c->owners = NULL;
	c->owner_count = c->owner_cap = 0;
	c->finished = true;
	return 0;
}

/* ---- reading ---- */

const uint8_t *content_apex(const struct content *c)
{
	return c->apex.wire;
}

size_t content_record_count(const struct content *c)
{
	return c->record_count;
}

size_t content_rrset_count(const struct content *c)
{
	return c->rrset_count;
}

const struct content_rrset *content_rrset(const struct content *c, size_t i)
{
	return &c->rrsets[i];
}

const char *content_file(const struct content *c, uint32_t file)
{
	return file < c->file_count ? c->files[file] : NULL;
}

size_t content_find(const struct content *c, const uint8_t *name)
{
	size_t lo = 0, hi = c->rrset_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_compare(c->rrsets[mid].owner, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t content_find_near(const struct content *c, const uint8_t *name, size_t near)
{
	size_t lo = 0, hi = c->rrset_count;

	/* Steps that double, away from near on the side where name lies, end in a range to bisect. */
	if (near < c->rrset_count && name_compare(c->rrsets[near].owner, name) < 0) {
		lo = near + 1;
		for (size_t step = 1; near + step < hi; step *= 2) {
			if (name_compare(c->rrsets[near + step].owner, name) >= 0) {
				hi = near + step;
				break;
			}
			lo = near + step + 1;
		}
	} else if (near < c->rrset_count) {
		hi = near;
		for (size_t step = 1; step <= near; step *= 2) {
			if (name_compare(c->rrsets[near - step].owner, name) < 0) {
				lo = near - step + 1;
				break;
			}
			hi = near - step;
		}
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_compare(c->rrsets[mid].owner, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct content_rrset *content_lookup(const struct content *c, const uint8_t *name, uint16_t type)
{
	for (size_t i = content_find(c, name); i < c->rrset_count && name_equal(c->rrsets[i].owner, name); i++)
		if (c->rrsets[i].type == type)
			return &c->rrsets[i];
	return NULL;
}

const struct content_rrset *content_soa(const struct content *c)
{
	return content_lookup(c, c->apex.wire, RR_SOA);
}

struct load {
	struct content *content;
	const struct zone_load_options *o;
	struct diag *diag;
};

static int load_record(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct load *l = ctx;
	char name[NAME_TEXT_MAX];

	if (!name_is_under(rr->owner, l->content->apex.wire)) {
		name_to_text(rr->owner, name);
		diag_add(l->diag, DIAG_WARNING, place->file, place->line, place->column, "%s is outside the zone: ignored", name);
		return 0;
	}
	return content_add(l->content, rr, place);
}

static void load_progress(void *ctx, uint64_t done, uint64_t all)
{
	struct load *l = ctx;

	l->o->on_progress(l->o->ctx, done, all);
}

int zone_load_file(const char *path, const uint8_t *apex, const struct zone_load_options *o, struct diag *diag,
                   struct content **out)
{
	struct load l = {.content = content_new(apex), .o = o, .diag = diag};
	struct zonefile_options zo = {.origin = apex, .rclass = CLASS_IN, .on_record = load_record, .ctx = &l,
	                              .on_progress = o && o->on_progress ? load_progress : NULL};
	unsigned before = diag->errors;
	int err = l.content ? zonefile_parse(path, &zo, diag) : ERR_NO_MEMORY;
	int finished = l.content && (!err || err == ERR_INVALID) ? content_finish(l.content) : err;

	/* A file with broken records is not judged as a whole: what is missing would only be their echo. */
	if (!err && !finished) {
		zone_check(l.content, diag);
		if (diag->errors > before)
			err = ERR_INVALID;
	}
	if (!err)
		err = finished;
	if (err) {
		content_free(l.content);
		return err;
	}
	*out = l.content;
	return 0;
}
