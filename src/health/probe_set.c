/* SPDX-License-Identifier: BSD-2-Clause */
/* Any set of a zone's records, asked for by name and type, compared record by record with what the store holds: number
 * of records, TTL, RDATA in canonical form (RFC 4034 6.2), in any order. What the answer says beside them (authority,
 * additional) is not judged. */
#include "dns/rr.h"
#include "health/probe_priv.h"

#include <string.h>

void probe_ask_set(struct probe_question *q, const uint8_t *owner, uint16_t type, uint16_t id)
{
	name_copy(&q->qname, owner);
	q->qtype = type;
	q->qclass = CLASS_IN;
	q->id = id;
	q->nsid = false;
}

void probe_set_take(struct probe_set *s, uint16_t type, uint32_t ttl, uint16_t count, const uint8_t *data, size_t size)
{
	size_t at = 0;

	s->known = false;
	if (size > sizeof(s->data) || !count || count > PROBE_SET_RECORDS)
		return;
	memcpy(s->data, data, size);
	for (unsigned i = 0; i < count; i++) {
		size_t len;

		if (size - at < 2)
			return;
		len = get_u16(s->data + at);
		if (size - at - 2 < len)
			return;
		rdata_canonical(type, s->data + at + 2, len);
		at += 2 + len;
	}
	s->type = type;
	s->ttl = ttl;
	s->count = count;
	s->size = (uint16_t)at;
	s->known = true;
}

/* Is this record in the set, and not yet met? */
static bool take_record(const struct probe_set *s, const uint8_t *rdata, size_t len, uint32_t *met)
{
	const uint8_t *at = s->data;

	for (unsigned i = 0; i < s->count; at += 2 + get_u16(at), i++) {
		if (*met & 1U << i || get_u16(at) != len || memcmp(at + 2, rdata, len) != 0)
			continue;
		*met |= 1U << i;
		return true;
	}
	return false;
}

static bool is_same(const struct probe_set *s, const struct probe_question *q, const uint8_t *msg, size_t len, struct message m, bool *malformed)
{
	struct reader r = reader_of(msg, len);
	uint8_t buf[DNS_UDP_DEFAULT * 4];
	struct message_rr rr;
	uint32_t met = 0;

	if (!s->known || m.header.ancount != s->count)
		return false;
	for (unsigned i = 0; i < s->count; i++) {
		struct writer w = writer_of(buf, sizeof(buf));

		if (message_next(&m, &rr) != 1) {
			*malformed = true;
			return false;
		}
		r.pos = rr.rdata_pos;
		if (rr.section != 1 || rr.type != q->qtype || rr.rclass != q->qclass || rr.ttl != s->ttl || !name_equal(rr.owner.wire, q->qname.wire))
			return false;
		if (rdata_from_wire(rr.type, &r, rr.rdlen, &w) < 0) {
			*malformed = true;
			return false;
		}
		rdata_canonical(rr.type, buf, w.pos);
		if (!take_record(s, buf, w.pos, &met))
			return false;
	}
	return true;
}

enum probe_verdict probe_judge_set(const struct probe_question *q, const struct probe_set *before, const struct probe_set *now, const uint8_t *msg,
                                   size_t len, char *why)
{
	char type[RRTYPE_TEXT_MAX];
	bool malformed = false;
	struct message m;
	enum probe_verdict v = probe_judge_frame(q, msg, len, &m, why);

	if (v != PROBE_PASS)
		return v;
	if (!(m.header.flags & DNS_AA))
		return probe_fail(why, "AA missing");
	if (is_same(before, q, msg, len, m, &malformed) || is_same(now, q, msg, len, m, &malformed))
		return PROBE_PASS;
	return malformed ? probe_fail(why, "answer malformed") : probe_fail(why, "wrong content, %s not as in the zone", rrtype_text(q->qtype, type));
}
