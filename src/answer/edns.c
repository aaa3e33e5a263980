/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/edns.h"

#include <string.h>

enum {
	OPT_LEN = 11,
	HEAD_LEN = 4, /* code and length of an option */
	EDE_LEN = HEAD_LEN + 2,
	KEEPALIVE_LEN = HEAD_LEN + 2,
	ZONE_VERSION_LEN = HEAD_LEN + 6,
	ZONE_VERSION_SOA_SERIAL = 0,
	ECS_SCOPE_AT = 3,
};

static size_t nsid_len(const struct edns_reply *e)
{
	return e->nsid ? strnlen(e->nsid, EDNS_NSID_MAX) : 0;
}

size_t edns_room(const struct edns_reply *e, const struct query *q)
{
	size_t room = OPT_LEN; /* extended errors come without records, and find room */

	room += e->nsid ? HEAD_LEN + nsid_len(e) : 0;
	room += e->has_cookie ? (size_t)HEAD_LEN + COOKIE_LEN : 0;
	room += q->ecs ? (size_t)HEAD_LEN + q->ecs_len : 0;
	room += e->has_keepalive ? (size_t)KEEPALIVE_LEN : 0;
	room += q->want_zone_version ? (size_t)ZONE_VERSION_LEN : 0;
	return room;
}

static void option(struct writer *w, uint16_t code, const void *octets, size_t len)
{
	writer_u16(w, code);
	writer_u16(w, (uint16_t)len);
	writer_bytes(w, octets, len);
}

/* RFC 7830: zeros up to the next whole block. */
static void pad(struct writer *w, size_t limit)
{
	size_t block = EDNS_PADDING_BLOCK, want = (w->pos + HEAD_LEN + block - 1) / block * block;
	uint8_t *p;

	want = MIN(want, limit);
	if (want < w->pos + HEAD_LEN)
		return;
	want -= w->pos + HEAD_LEN;
	writer_u16(w, EDNS_PADDING);
	writer_u16(w, (uint16_t)want);
	p = writer_room(w, want);
	if (p)
		memset(p, 0, want);
}

void edns_put(struct writer *w, const struct edns_reply *e, const struct query *q, uint16_t rcode, size_t limit)
{
	size_t len_at, agent_len = e->report_agent ? name_len(e->report_agent) : 0;

	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, DNS_UDP_DEFAULT);
	writer_u8(w, (uint8_t)(rcode >> 4));
	writer_u8(w, 0);
	writer_u16(w, q->dnssec_ok ? 0x8000 : 0);
	len_at = w->pos;
	writer_u16(w, 0);
	if (e->nsid)
		option(w, EDNS_NSID, e->nsid, nsid_len(e));
	if (e->has_cookie)
		option(w, EDNS_COOKIE, e->cookie, sizeof(e->cookie));
	if (q->ecs) {
		/* RFC 7871 7.2.1: family, source prefix and address as they came; scope 0, the answer is for everybody, but for what is steered. */
		option(w, EDNS_ECS, q->ecs, q->ecs_len);
		if (e->scope && !w->failed)
			w->base[w->pos - q->ecs_len + ECS_SCOPE_AT] = e->scope;
	}
	if (e->has_keepalive) {
		uint8_t timeout[2];

		put_u16(timeout, e->keepalive);
		option(w, EDNS_KEEPALIVE, timeout, sizeof(timeout));
	}
	if (e->has_zone_version) {
		uint8_t version[6] = {e->zone_labels, ZONE_VERSION_SOA_SERIAL};

		put_u32(version + 2, e->zone_serial);
		option(w, EDNS_ZONEVERSION, version, sizeof(version));
	}
	if (e->ede != EDE_NONE && w->pos + EDE_LEN <= limit) {
		uint8_t code[2];

		put_u16(code, e->ede);
		option(w, EDNS_EDE, code, sizeof(code));
	}
	/* RFC 9567 6.2: never the reason for a truncation. */
	if (agent_len && w->pos + HEAD_LEN + agent_len <= limit)
		option(w, EDNS_REPORT_CHANNEL, e->report_agent, agent_len);
	if (e->pad)
		pad(w, limit);
	if (writer_ok(w))
		put_u16(w->base + len_at, (uint16_t)(w->pos - len_at - 2));
}
