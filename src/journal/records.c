/* SPDX-License-Identifier: BSD-2-Clause */
/* The compact form of records. A record is:
 *
 *   1  head: which of the following are as in the record before (KEEP_*); other bits 0
 *   2  owner, unless kept: octets taken from the end of the owner before, octets of its own; and these
 *   2  type, unless kept
 *   4  TTL, unless kept
 *   2  length of RDATA, and it (names in it whole)
 *
 * Before the first record of a row the owner is the zone's apex in lower case, type and TTL are 0: each row can be read alone. An A record that follows
 * another of its name takes 7 octets, a delegation of a large zone about 35. */
#include "journal/records.h"

#include "base/err.h"
#include "base/hash.h"

#include <string.h>

enum { KEEP_OWNER = 1, KEEP_TYPE = 2, KEEP_TTL = 4 };

void records_pack_start(struct records_packer *p, const uint8_t *apex)
{
	p->len = 0;
	p->count = 0;
	name_lower(&p->owner, apex);
	p->type = 0;
	p->ttl = 0;
}

/* The longest end of name, at a label, that is also the end of before. */
static size_t shared_end(const uint8_t *name, size_t len, const struct name *before)
{
	for (size_t at = 0; at < len; at += name[at] + 1U) {
		size_t n = len - at;

		if (n <= before->len && memcmp(before->wire + before->len - n, name + at, n) == 0)
			return n;
	}
	return 0;
}

int records_pack(struct records_packer *p, const struct rr *rr)
{
	size_t len = name_len(rr->owner), end = shared_end(rr->owner, len, &p->owner), own = len - end;
	size_t cap = p->count ? MIN(sizeof(p->bytes), (size_t)RECORDS_CHUNK) : sizeof(p->bytes);
	struct writer w = writer_of(p->bytes, cap);
	uint8_t head = 0;

	if (p->len > cap)
		return ERR_NO_SPACE;
	w.pos = p->len;
	if (len == end && len == p->owner.len)
		head |= KEEP_OWNER;
	if (rr->type == p->type)
		head |= KEEP_TYPE;
	if (rr->ttl == p->ttl)
		head |= KEEP_TTL;
	writer_u8(&w, head);
	if (!(head & KEEP_OWNER)) {
		writer_u8(&w, (uint8_t)end);
		writer_u8(&w, (uint8_t)own);
		writer_bytes(&w, rr->owner, own);
	}
	if (!(head & KEEP_TYPE))
		writer_u16(&w, rr->type);
	if (!(head & KEEP_TTL))
		writer_u32(&w, rr->ttl);
	writer_u16(&w, rr->rdlen);
	writer_bytes(&w, rr->rdata, rr->rdlen);
	if (!writer_ok(&w))
		return ERR_NO_SPACE;
	p->len = w.pos;
	p->count++;
	name_copy(&p->owner, rr->owner);
	p->type = rr->type;
	p->ttl = rr->ttl;
	return 0;
}

void records_unpack_start(struct records_unpacker *u, const uint8_t *apex, const void *bytes, size_t len)
{
	u->r = reader_of(bytes, len);
	name_lower(&u->apex, apex);
	u->owner = u->apex;
	u->type = 0;
	u->ttl = 0;
}

static int unpack_owner(struct records_unpacker *u)
{
	size_t end = reader_u8(&u->r), own = reader_u8(&u->r);
	const uint8_t *bytes = reader_bytes(&u->r, own);
	uint8_t name[NAME_LEN_MAX];

	if (!bytes || end > u->owner.len || own + end > NAME_LEN_MAX)
		return ERR_MALFORMED;
	memcpy(name, bytes, own);
	memcpy(name + own, u->owner.wire + u->owner.len - end, end);
	if (name_check(name, own + end) != (int)(own + end) || !name_is_under(name, u->apex.wire))
		return ERR_MALFORMED;
	name_copy(&u->owner, name);
	return 0;
}

int records_unpack(struct records_unpacker *u, struct rr *out)
{
	const uint8_t *rdata;
	uint8_t head;
	uint16_t rdlen;

	if (!reader_left(&u->r))
		return reader_ok(&u->r) ? 0 : ERR_MALFORMED;
	head = reader_u8(&u->r);
	if (head & ~(KEEP_OWNER | KEEP_TYPE | KEEP_TTL))
		goto malformed;
	if (!(head & KEEP_OWNER) && unpack_owner(u) < 0)
		goto malformed;
	if (!(head & KEEP_TYPE))
		u->type = reader_u16(&u->r);
	if (!(head & KEEP_TTL))
		u->ttl = reader_u32(&u->r);
	rdlen = reader_u16(&u->r);
	rdata = reader_bytes(&u->r, rdlen);
	if (!rdata || rrtype_is_meta(u->type) || rdata_check(u->type, rdata, rdlen) < 0)
		goto malformed;
	*out = (struct rr){.owner = u->owner.wire, .type = u->type, .rclass = CLASS_IN, .ttl = u->ttl, .rdlen = rdlen, .rdata = rdata};
	return 1;
malformed:
	u->r.failed = true;
	return ERR_MALFORMED;
}

/* ---- order ---- */

static unsigned type_rank(uint16_t type)
{
	return type == RR_SOA ? 0 : type;
}

/* Types that fill zones and have no names in their RDATA. */
static bool type_is_plain(uint16_t type)
{
	switch (type) {
	case RR_A:
	case RR_AAAA:
	case RR_TXT:
	case RR_DS:
	case RR_DNSKEY:
	case RR_NSEC3:
	case RR_TLSA:
	case RR_CAA:
		return true;
	default:
		return false;
	}
}

/* rr's RDATA in canonical form, in buf of RDATA_MAX if it has to be changed. */
static const uint8_t *canonical(const struct rr *rr, uint8_t *buf)
{
	if (type_is_plain(rr->type) || !rr->rdlen)
		return rr->rdata;
	memcpy(buf, rr->rdata, rr->rdlen);
	rdata_canonical(rr->type, buf, rr->rdlen);
	return buf;
}

int record_order(const struct rr *a, const struct rr *b)
{
	static _Thread_local uint8_t x[RDATA_MAX], y[RDATA_MAX];
	int d = a->owner == b->owner ? 0 : name_compare(a->owner, b->owner);

	if (d)
		return d;
	if (a->type != b->type)
		return type_rank(a->type) < type_rank(b->type) ? -1 : 1;
	if (a->type == RR_RRSIG) {
		uint16_t m = rrsig_covers(a->rdata, a->rdlen), n = rrsig_covers(b->rdata, b->rdlen);

		if (m != n)
			return m < n ? -1 : 1;
	}
	if (a->rdlen == b->rdlen && memcmp(a->rdata, b->rdata, a->rdlen) == 0)
		return 0;
	return rdata_compare(canonical(a, x), a->rdlen, canonical(b, y), b->rdlen);
}

bool record_same(const struct rr *a, const struct rr *b)
{
	size_t len = name_len(a->owner);

	return a->ttl == b->ttl && a->type == b->type && a->rdlen == b->rdlen && memcmp(a->rdata, b->rdata, a->rdlen) == 0 &&
	       name_len(b->owner) == len && memcmp(a->owner, b->owner, len) == 0;
}

size_t record_octets(const struct rr *rr)
{
	return name_len(rr->owner) + 10 + rr->rdlen;
}

uint64_t record_sum(const struct rr *rr)
{
	static _Thread_local uint8_t rdata[RDATA_MAX];
	struct name owner;
	uint64_t h;

	name_lower(&owner, rr->owner);
	h = hash_checksum(owner.wire, owner.len, rr->type);
	return hash_checksum(canonical(rr, rdata), rr->rdlen, h);
}

const char *record_text(const struct rr *rr, char *buf)
{
	size_t len = name_to_text(rr->owner, buf);

	buf[len++] = ' ';
	rrtype_text(rr->type, buf + len);
	return buf;
}
