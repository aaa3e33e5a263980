/* SPDX-License-Identifier: BSD-2-Clause */
/* The sets of one owner: gathered from its nodes, changed record by record, and written again as far as they changed. A set is written anew when its
 * records, its TTL or the place of its signatures changed; else the new node refers to the old one. */
#include "base/err.h"
#include "base/text.h"
#include "zone/print.h"
#include "zone/signatures.h"
#include "zone/store_edit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void owner_begin(struct owner *o, const uint8_t *name)
{
	o->name = name;
	o->count = o->record_count = 0;
}

void owner_done(struct owner *o)
{
	free(o->sets);
	free(o->records);
}

/* ---- what is wrong ---- */

static int PRINTF_LIKE(2, 3) refuse(struct edit *e, const char *fmt, ...)
{
	char owner[NAME_TEXT_MAX], why[160];
	va_list ap;

	name_to_text(e->owner.name, owner);
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	snprintf(e->problem->text, sizeof(e->problem->text), "%.200s: %s", owner, why);
	return ERR_INVALID;
}

static int refuse_record(struct edit *e, const char *what, const struct content_rrset *set, const struct content_record *r)
{
	struct text line;

	text_init(&line);
	zone_print_record(&line, set->owner, set->ttl, set->type, r->rdata, r->rdlen);
	snprintf(e->problem->text, sizeof(e->problem->text), "%s: %.*s", what, line.len ? (int)MIN(line.len - 1, (size_t)ZONE_CHANGE_TEXT_MAX) : 0,
	         line.len ? line.chars : "");
	text_done(&line);
	return ERR_INVALID;
}

/* ---- gathering ---- */

static struct owner_set *add_set(struct owner *o, uint16_t type, uint16_t covers)
{
	if (o->count == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 16;
		struct owner_set *sets = realloc(o->sets, cap * sizeof(*sets));

		if (!sets)
			return NULL;
		o->sets = sets;
		o->cap = cap;
	}
	o->sets[o->count] = (struct owner_set){.type = type, .covers = covers};
	return &o->sets[o->count++];
}

static int add_record(struct owner *o, const uint8_t *rdata, uint16_t rdlen)
{
	if (o->record_count == o->record_cap) {
		size_t cap = o->record_cap ? o->record_cap * 2 : 32;
		struct owner_record *records = realloc(o->records, cap * sizeof(*records));

		if (!records)
			return ERR_NO_MEMORY;
		o->records = records;
		o->record_cap = cap;
	}
	o->records[o->record_count++] = (struct owner_record){rdata, rdlen};
	return 0;
}

static int gather_set(struct edit *e, store_ref ref)
{
	const struct store_rrset *old = edit_cell(e, ref);
	struct owner_set *s = add_set(&e->owner, old->type, old->covers);

	if (!s)
		return ERR_NO_MEMORY;
	s->old = old;
	s->ref = ref;
	s->ttl = old->ttl;
	s->stay = old->count;
	return old->sigs ? gather_set(e, old->sigs) : 0;
}

static int order_sets(const void *a, const void *b)
{
	const struct owner_set *x = a, *y = b;

	return x->type != y->type ? (x->type < y->type ? -1 : 1) : (int)x->covers - (int)y->covers;
}

static void sort_sets(struct owner *o)
{
	if (o->count > 1)
		qsort(o->sets, o->count, sizeof(*o->sets), order_sets);
}

int owner_gather(struct edit *e, const struct store_node *n)
{
	int err = 0;

	for (unsigned i = 0; !err && i < n->rrsets; i++)
		err = gather_set(e, n->sets[i]);
	sort_sets(&e->owner);
	return err;
}

size_t owner_set_size(const struct owner_set *s)
{
	return s->changed ? s->count : s->old->count;
}

static struct owner_set *find_set(const struct owner *o, size_t count, uint16_t type, uint16_t covers)
{
	const struct owner_set key = {.type = type, .covers = covers};

	return count ? bsearch(&key, o->sets, count, sizeof(*o->sets), order_sets) : NULL;
}

struct owner_set *owner_find(const struct owner *o, uint16_t type, uint16_t covers)
{
	struct owner_set *s = find_set(o, o->count, type, covers);

	return s && owner_set_size(s) ? s : NULL;
}

/* ---- the change of a set ---- */

static struct content_record record_of(uint16_t type, const uint8_t *data)
{
	return (struct content_record){.type = type, .rdata = data + 2, .rdlen = get_u16(data)};
}

/* All three lists are in canonical order: one pass. What stays, and what is added, goes to o->records in order. */
static int merge_records(struct edit *e, struct owner_set *s, const struct content_rrset *removed, const struct content_rrset *added)
{
	const uint8_t *data = s->old ? s->old->data : NULL;
	uint32_t olds = s->old ? s->old->count : 0, r = 0, a = 0;
	struct owner *o = &e->owner;
	int err = 0;

	s->first = o->record_count;
	s->stay = 0;
	for (uint32_t i = 0; !err && i < olds; i++) {
		const struct content_record old = record_of(s->type, data);
		bool gone = false;
		int d;

		data += 2 + old.rdlen;
		if (removed && r < removed->count) {
			d = content_compare_rdata(&removed->records[r], &old);
			if (d < 0)
				break;
			gone = d == 0;
			r += gone;
		}
		for (; !err && added && a < added->count; a++) {
			d = content_compare_rdata(&added->records[a], &old);
			if (d > 0)
				break;
			if (d == 0 && !gone)
				return refuse_record(e, "a record to add is there already", added, &added->records[a]);
			err = add_record(o, added->records[a].rdata, added->records[a].rdlen);
		}
		if (!err && !gone)
			err = add_record(o, old.rdata, old.rdlen);
		s->stay += !gone;
	}
	if (!err && removed && r < removed->count)
		return refuse_record(e, "a record to delete is not there", removed, &removed->records[r]);
	for (; !err && added && a < added->count; a++)
		err = add_record(o, added->records[a].rdata, added->records[a].rdlen);
	s->count = o->record_count - s->first;
	if (added)
		s->ttl = s->stay ? MIN(s->ttl, added->ttl) : added->ttl;
	s->changed = true;
	if (s->count > UINT16_MAX)
		return ERR_LIMIT;
	return err;
}

/* As content.c sorts the sets of an owner. */
static int order_content_sets(const struct content_rrset *x, const struct content_rrset *y)
{
	int a = x->type == RR_SOA ? 0 : x->type, b = y->type == RR_SOA ? 0 : y->type;

	return a != b ? a - b : (int)x->covers - (int)y->covers;
}

int owner_apply(struct edit *e, const struct owner_range *removed, const struct owner_range *added)
{
	struct owner *o = &e->owner;
	size_t r = removed->first, a = added->first, known = o->count;
	int err = 0;

	while (!err && (r < removed->end || a < added->end)) {
		const struct content_rrset *del = r < removed->end ? content_rrset(removed->c, r) : NULL;
		const struct content_rrset *add = a < added->end ? content_rrset(added->c, a) : NULL;
		int d = !del ? 1 : !add ? -1 : order_content_sets(del, add);
		const struct content_rrset *set = d <= 0 ? del : add;
		struct owner_set *s = find_set(o, known, set->type, set->covers);

		if (!s && d <= 0)
			return refuse_record(e, "a record to delete is not there", del, &del->records[0]);
		if (!s)
			s = add_set(o, set->type, set->covers);
		err = s ? merge_records(e, s, d <= 0 ? del : NULL, d >= 0 ? add : NULL) : ERR_NO_MEMORY;
		r += d <= 0;
		a += d >= 0;
	}
	sort_sets(o);
	return err;
}

/* ---- writing ---- */

static bool in_part(const struct owner_set *s, enum owner_part part)
{
	bool denial = s->type == RR_NSEC3 || (s->type == RR_RRSIG && s->covers == RR_NSEC3);

	return part == OWNER_ALL || denial == (part == OWNER_DENIAL);
}

/* A set of the node itself: there, and no signatures that hang on another. RRSIG does not cover RRSIG (RFC 4035 2.2): such a one stands alone. */
static bool stands(const struct owner *o, const struct owner_set *s, enum owner_part part)
{
	return owner_set_size(s) && in_part(s, part) && (s->type != RR_RRSIG || s->covers == RR_RRSIG || !owner_find(o, s->covers, 0));
}

size_t owner_part_count(const struct owner *o, enum owner_part part)
{
	size_t n = 0;

	for (size_t i = 0; i < o->count; i++)
		n += stands(o, &o->sets[i], part);
	return n;
}

static int write_set(struct edit *e, struct owner_set *s, store_ref sigs)
{
	const struct owner_record *records = e->owner.records + s->first;
	size_t size = s->changed ? 0 : s->old->size;
	struct store_rrset *put;
	uint8_t *p;

	if (!s->changed && s->old->sigs == sigs)
		return 0;
	for (size_t i = 0; s->changed && i < s->count; i++)
		size += 2U + records[i].rdlen;
	put = edit_take(e, sizeof(*put) + size, &s->ref);
	if (!put)
		return ERR_NO_SPACE;
	*put = (struct store_rrset){.type = s->type, .covers = s->covers, .count = (uint16_t)owner_set_size(s), .ttl = s->ttl,
	                            .size = (uint32_t)size, .sigs = sigs};
	p = put->data;
	if (!s->changed)
		memcpy(p, s->old->data, size);
	for (size_t i = 0; s->changed && i < s->count; i++) {
		put_u16(p, records[i].rdlen);
		memcpy(p + 2, records[i].rdata, records[i].rdlen);
		p += 2 + records[i].rdlen;
	}
	if (s->old)
		edit_waste(e, sizeof(*s->old) + s->old->size);
	return 0;
}

int owner_write(struct edit *e, enum owner_part part, store_ref *refs)
{
	struct owner *o = &e->owner;
	int err = 0;

	for (size_t i = 0; !err && i < o->count; i++) {
		struct owner_set *s = &o->sets[i], *sigs;

		if (!stands(o, s, part))
			continue;
		sigs = s->type == RR_RRSIG ? NULL : owner_find(o, RR_RRSIG, s->type);
		if (sigs)
			err = write_set(e, sigs, 0);
		if (!err)
			err = write_set(e, s, sigs ? sigs->ref : 0);
		*refs++ = s->ref;
	}
	return err;
}

/* ---- signatures ---- */

void owner_note_signatures(struct edit *e)
{
	struct signatures known = signatures_known(e->z);
	const struct owner *o = &e->owner;

	for (size_t i = 0; i < o->count; i++) {
		const struct owner_set *s = &o->sets[i];
		struct signature_set before = {.type = s->type}, after = {.type = s->type};
		const uint8_t *data = s->old ? s->old->data : NULL;
		uint32_t was = 0, is = 0;
		bool had, has;

		if (!signature_set_counts(s->type) || !s->changed)
			continue;
		for (unsigned k = 0; data && k < s->old->count; k++, data += 2 + get_u16(data))
			signature_set_add(&before, data + 2, get_u16(data));
		for (size_t k = s->first; k < s->first + s->count; k++)
			signature_set_add(&after, o->records[k].rdata, o->records[k].rdlen);
		had = signature_set_end(&before, &was);
		has = signature_set_end(&after, &is);
		if (had && (!has || is != was))
			signatures_remove(&known, was);
		if (has)
			signatures_add(&known, is);
	}
	e->z->signatures = (known.any ? STORE_SIGNATURES_ANY : 0U) | (known.exact ? 0U : STORE_SIGNATURES_BOUND);
	e->z->signatures_end = known.end;
}

/* ---- judging ---- */

static bool beside_cname(uint16_t type)
{
	/* RFC 2181 10.1 with RFC 4034 and RFC 2535. */
	return type == RR_CNAME || type == RR_RRSIG || type == RR_NSEC || type == RR_KEY || type == RR_SIG || type == RR_NXT;
}

int owner_check(struct edit *e)
{
	const struct owner *o = &e->owner;
	bool apex = name_equal(o->name, e->apex), cname = owner_find(o, RR_CNAME, 0) != NULL;
	const struct owner_set *soa = owner_find(o, RR_SOA, 0);
	char text[RRTYPE_TEXT_MAX];

	if (apex && (!soa || owner_set_size(soa) != 1))
		return refuse(e, "the change leaves %s SOA record at the zone's apex", soa ? "more than one" : "no");
	if (apex && !owner_find(o, RR_NS, 0))
		return refuse(e, "the change leaves no NS record at the zone's apex");
	if (!apex && soa)
		return refuse(e, "an SOA record belongs at the apex only");
	for (size_t i = 0; i < o->count; i++) {
		const struct owner_set *s = &o->sets[i];

		if (!owner_set_size(s))
			continue;
		if ((s->type == RR_CNAME || s->type == RR_DNAME) && owner_set_size(s) > 1)
			return refuse(e, "%zu different %s records: there can be one", owner_set_size(s), rrtype_text(s->type, text));
		if (cname && !beside_cname(s->type))
			return refuse(e, "a CNAME and other data (%s) at one name (RFC 2181 10.1)", rrtype_text(s->type, text));
	}
	return 0;
}
