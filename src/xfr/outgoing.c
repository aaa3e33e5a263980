/* SPDX-License-Identifier: BSD-2-Clause */
/* Zone transfers to a secondary: AXFR (RFC 5936), IXFR (RFC 1995).
 *
 * A transfer is a cursor over records and a message that is filled with as many of them as fit: the caller asks for a message when its socket
 * takes one, so a slow secondary costs one buffer and this structure (about 24 KiB, most of it the table of names of pack.c), whatever the size of
 * the zone. Nothing is copied from the store or the differences.
 *
 * The cursor over a zone begins with the SOA, walks the nodes (store_walk_next()) and their sets, and ends with the SOA. It reads a pinned
 * version: what the store frees meanwhile is kept by that pin, so the caller bounds how long a transfer may take. The cursor over differences
 * sends the newest SOA, then per difference the deleted and the added records, which begin with their own SOAs, then the newest SOA.
 *
 * The question is repeated in the first message only, and so is EDNS (RFC 5936 2.2.1, 2.2.5), but where messages are padded. Names are compressed to names of the same case only.
 *
 * A node's records are not in canonical order across types, which no receiver may depend on. Left out: AXFR over UDP, which does not exist. */
#include "xfr/outgoing.h"

#include "base/err.h"
#include "xfr/pack.h"
#include "xfr/padding.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_LEN = 11, OPT_EXPIRE_LEN = 8, OPT_PADDING_LEN = 4 };

enum part { PART_FIRST, PART_BODY, PART_END };

struct xfr_out {
	struct xfr_out_settings set;
	enum part part;
	struct rr soa;     /* of the newest version */
	struct rr record;  /* the one that did not fit into the message before */
	bool has_record;
	struct xfr_out_facts facts;
	/* The zone, or NULL. */
	const struct store_zone *zone;
	struct store_snapshot snapshot;
	struct store_walk walk;
	bool in_nsec3;     /* the walk is that of the NSEC3 owners */
	const struct store_node *node;
	const struct store_rrset *rrset; /* at hand, or NULL */
	bool in_sigs;
	uint32_t set_index, record_index; /* of the set in its node, of the record in its set */
	const uint8_t *at;                /* the record in rrset->data */
	/* The differences. */
	const struct xfr_difference *list;
	size_t count, index, record_at;
	bool in_added;
	struct pack pack;
};

static int new(const struct xfr_out_settings *settings, struct xfr_out **out)
{
	struct xfr_out *x = calloc(1, sizeof(*x));

	if (!x)
		return ERR_NO_MEMORY;
	x->set = *settings;
	*out = x;
	return 0;
}

int xfr_out_zone(const struct xfr_out_settings *settings, const struct store_snapshot *s, const struct store_zone *z, struct xfr_out **out)
{
	const struct store_node *apex = store_at(s, z->apex);
	const struct store_rrset *soa = apex ? store_rrset_of(s, apex, RR_SOA) : NULL;
	struct xfr_out *x;
	int err;

	if (z->state != STORE_ZONE_SERVING || !soa)
		return ERR_INVALID;
	err = new(settings, &x);
	if (err)
		return err;
	x->snapshot = *s;
	x->zone = z;
	store_walk_init(&x->walk, s, z, false);
	x->soa = (struct rr){.owner = store_node_name(apex), .type = RR_SOA, .rclass = CLASS_IN, .ttl = soa->ttl, .rdlen = get_u16(soa->data),
	                     .rdata = soa->data + 2};
	*out = x;
	return 0;
}

static bool differences_join(const struct xfr_out_settings *settings, const struct rr *soa, const struct xfr_difference *list, size_t count)
{
	uint32_t serial = settings->request.serial;
	struct soa newest;

	if (soa_parse(soa->rdata, soa->rdlen, &newest) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (list[i].from != serial || !list[i].deleted_count || !list[i].added_count || list[i].deleted[0].type != RR_SOA ||
		    list[i].added[0].type != RR_SOA)
			return false;
		serial = list[i].to;
	}
	return !count || serial == newest.serial;
}

int xfr_out_differences(const struct xfr_out_settings *settings, const struct rr *soa, const struct xfr_difference *list, size_t count,
                        struct xfr_out **out)
{
	struct xfr_out *x;
	int err;

	if (!differences_join(settings, soa, list, count))
		return ERR_INVALID;
	err = new(settings, &x);
	if (err)
		return err;
	x->soa = *soa;
	x->list = list;
	x->count = count;
	*out = x;
	return 0;
}

void xfr_out_free(struct xfr_out *x)
{
	free(x);
}

/* ---- the cursors ---- */

static void open_set(struct xfr_out *x, const struct store_rrset *set, bool in_sigs)
{
	x->rrset = set;
	x->in_sigs = in_sigs;
	x->record_index = 0;
	x->at = set->data;
}

/* The next set of the zone into x->rrset; false at the end. */
static bool next_set(struct xfr_out *x)
{
	if (x->rrset && !x->in_sigs && x->rrset->sigs) {
		open_set(x, store_at(&x->snapshot, x->rrset->sigs), true);
		return true;
	}
	x->set_index++;
	while (!x->node || x->set_index >= x->node->rrsets) {
		x->node = store_walk_next(&x->walk);
		x->set_index = 0;
		if (x->node)
			continue;
		if (x->in_nsec3)
			return false;
		x->in_nsec3 = true;
		store_walk_init(&x->walk, &x->snapshot, x->zone, true);
	}
	open_set(x, store_at(&x->snapshot, x->node->sets[x->set_index]), false);
	return true;
}

static bool next_of_zone(struct xfr_out *x, struct rr *rr)
{
	while (!x->rrset || x->record_index >= x->rrset->count ||
	       (x->rrset->type == RR_SOA && !x->in_sigs && x->node->flags & NODE_APEX)) /* the SOA opens and closes the transfer */
		if (!next_set(x))
			return false;
	*rr = (struct rr){.owner = store_node_name(x->node), .type = x->rrset->type, .rclass = CLASS_IN, .ttl = x->rrset->ttl,
	                  .rdlen = get_u16(x->at), .rdata = x->at + 2};
	x->at += 2U + rr->rdlen;
	x->record_index++;
	return true;
}

static bool next_of_differences(struct xfr_out *x, struct rr *rr)
{
	while (x->index < x->count) {
		const struct xfr_difference *d = &x->list[x->index];

		if (x->record_at < (x->in_added ? d->added_count : d->deleted_count)) {
			*rr = (x->in_added ? d->added : d->deleted)[x->record_at++];
			return true;
		}
		x->record_at = 0;
		x->index += x->in_added;
		x->in_added = !x->in_added;
	}
	return false;
}

/* The next record of the answer; false at its end. */
static bool next_record(struct xfr_out *x, struct rr *rr)
{
	if (x->part == PART_FIRST) {
		x->part = x->zone || x->count ? PART_BODY : PART_END;
		*rr = x->soa;
		return true;
	}
	if (x->part == PART_BODY) {
		if (x->zone ? next_of_zone(x, rr) : next_of_differences(x, rr))
			return true;
		x->part = PART_END;
		*rr = x->soa;
		return true;
	}
	return false;
}

/* ---- messages ---- */

static bool wants_opt(const struct xfr_out *x)
{
	return x->set.request.has_edns && (!x->facts.messages || x->set.pad);
}

static void write_opt(const struct xfr_out *x, struct writer *w)
{
	bool expire = x->set.has_expire && x->set.request.want_expire && !x->facts.messages;
	size_t at = w->pos;

	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, DNS_UDP_DEFAULT);
	writer_u32(w, 0);
	writer_u16(w, expire ? OPT_EXPIRE_LEN : 0);
	if (expire) {
		writer_u16(w, EDNS_EXPIRE);
		writer_u16(w, 4);
		writer_u32(w, x->set.expire_s);
	}
	if (x->set.pad)
		padding_add(w, at, x->set.pad, x->set.pad_after);
}

/* Header and, in the first message, the question. */
static void write_head(struct xfr_out *x, struct writer *w)
{
	const struct xfr_request *r = &x->set.request;
	bool first = !x->facts.messages;

	w->pos = 0;
	pack_start(&x->pack, w);
	writer_u16(w, r->id);
	writer_u16(w, (uint16_t)(DNS_QR | DNS_AA | (r->recursion_desired ? DNS_RD : 0)));
	writer_u16(w, first ? 1 : 0);
	writer_u32(w, 0);
	writer_u16(w, 0);
	if (!first)
		return;
	writer_bytes(w, r->apex.wire, r->apex.len);
	writer_u16(w, r->kind == XFR_IXFR ? RR_IXFR : RR_AXFR);
	writer_u16(w, CLASS_IN);
	if (writer_ok(w))
		pack_note(&x->pack, DNS_HEADER_LEN);
}

/* RFC 1995 2: the newest serial alone tells a client over UDP to ask over TCP. */
static unsigned soa_alone(struct xfr_out *x, struct writer *w)
{
	write_head(x, w);
	x->part = PART_END;
	x->has_record = false;
	return writer_ok(w) && pack_record(&x->pack, &x->soa);
}

int xfr_out_next(struct xfr_out *x, struct writer *w)
{
	size_t kept = wants_opt(x) ? OPT_LEN + OPT_EXPIRE_LEN + (x->set.pad ? OPT_PADDING_LEN : 0U) : 0,
	       cap = MIN(w->cap, (size_t)DNS_MESSAGE_MAX), whole = w->cap;
	unsigned records = 0;

	if (!x->has_record && !next_record(x, &x->record))
		return 0;
	if (x->set.pad && cap > x->set.pad)
		cap = (cap + x->set.pad_after) / x->set.pad * x->set.pad - x->set.pad_after;
	x->has_record = true;
	w->cap = cap > kept ? cap - kept : 0;
	write_head(x, w);
	while (writer_ok(w) && x->has_record && records < UINT16_MAX && pack_record(&x->pack, &x->record)) {
		records++;
		x->has_record = next_record(x, &x->record);
	}
	if (x->set.udp && x->has_record)
		records = soa_alone(x, w);
	w->cap = whole;
	if (!records) {
		w->pos = 0;
		w->failed = false;
		return ERR_LIMIT;
	}
	if (kept) {
		w->cap = x->set.pad ? cap : whole;
		write_opt(x, w);
		w->cap = whole;
		put_u16(w->base + 10, 1);
	}
	put_u16(w->base + 6, (uint16_t)records);
	x->facts.messages++;
	x->facts.records += records;
	x->facts.octets += w->pos;
	return 1;
}

void xfr_out_facts(const struct xfr_out *x, struct xfr_out_facts *out)
{
	*out = x->facts;
}
