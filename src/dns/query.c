/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsing a request: one pass, on the hot path. RFC 1035 4.1, RFC 6891. */
#include "dns/message.h"

#include <string.h>

bool message_skip_name(struct reader *r)
{
	for (;;) {
		uint8_t l = reader_u8(r);

		if (r->failed || (l & 0xc0) == 0x40 || (l & 0xc0) == 0x80)
			return false;
		if ((l & 0xc0) == 0xc0) {
			reader_u8(r);
			return !r->failed;
		}
		if (!l)
			return true;
		if (!reader_bytes(r, l))
			return false;
	}
}

/* RFC 7871 6: family, source and scope prefix, and exactly the octets of the address that source covers, unused bits 0. */
static bool subnet_ok(const uint8_t *data, size_t len)
{
	unsigned family, source, most;

	if (len < 4 || data[3] != 0)
		return false;
	family = (unsigned)(data[0] << 8 | data[1]);
	source = data[2];
	most = family == 1 ? 32 : family == 2 ? 128 : 0;
	if (family > 2 || source > most || len != 4 + (source + 7) / 8)
		return false;
	return source % 8 == 0 || (data[len - 1] & (0xff >> source % 8)) == 0;
}

static bool read_options(const uint8_t *rdata, size_t len, struct query *q)
{
	struct reader r = reader_of(rdata, len);

	for (unsigned n = 0; reader_left(&r); n++) {
		uint16_t code = reader_u16(&r), olen = reader_u16(&r);
		const uint8_t *data = reader_bytes(&r, olen);

		if (!data || n >= DNS_OPTIONS_MAX)
			return false;
		switch (code) {
		case EDNS_NSID:
			q->want_nsid = true;
			break;
		case EDNS_COOKIE:
			if (q->cookie) /* RFC 7873 5.2: all but the first are ignored */
				break;
			q->cookie = data;
			q->cookie_len = olen;
			break;
		case EDNS_ECS:
			if (!subnet_ok(data, olen))
				return false;
			q->ecs = data;
			q->ecs_len = olen;
			break;
		case EDNS_LOCAL_MARK:
			q->mark = data;
			q->mark_len = olen;
			break;
		case EDNS_KEEPALIVE:
			q->want_keepalive = true;
			break;
		case EDNS_PADDING:
			q->want_padding = true;
			break;
		case EDNS_ZONEVERSION:
			if (olen) /* RFC 9660 3.1 */
				return false;
			q->want_zone_version = true;
			break;
		default:
			break; /* RFC 6891 6.1.2: unknown options are ignored */
		}
	}
	return true;
}

/* One record after the question. */
static bool read_record(struct reader *r, struct query *q, bool additional, bool last)
{
	bool root = reader_left(r) && r->base[r->pos] == 0;
	uint16_t type, rclass, rdlen;
	const uint8_t *rdata;
	uint32_t ttl;

	if (!message_skip_name(r))
		return false;
	type = reader_u16(r);
	rclass = reader_u16(r);
	ttl = reader_u32(r);
	rdlen = reader_u16(r);
	rdata = reader_bytes(r, rdlen);
	if (!rdata)
		return false;
	if (type == RR_TSIG && additional && last)
		q->has_tsig = true;
	if (type != RR_OPT)
		return true;
	/* RFC 6891 6.1.1: one OPT at most, in the additional section, owned by the root. */
	if (!additional || q->has_edns || !root)
		return false;
	q->has_edns = true;
	q->edns_version = (uint8_t)(ttl >> 16);
	q->dnssec_ok = (ttl & 0x8000) != 0;
	q->udp_size = rclass < DNS_UDP_MIN ? DNS_UDP_MIN : rclass;
	return read_options(rdata, rdlen, q);
}

enum query_verdict query_parse(const uint8_t *msg, size_t len, struct query *out)
{
	struct reader r = reader_of(msg, len);
	struct dns_header *h = &out->header;
	unsigned opcode;

	if (len < DNS_HEADER_LEN)
		return QUERY_DROP;
	h->id = reader_u16(&r);
	h->flags = reader_u16(&r);
	h->qdcount = reader_u16(&r);
	h->ancount = reader_u16(&r);
	h->nscount = reader_u16(&r);
	h->arcount = reader_u16(&r);
	out->has_question = out->has_edns = out->dnssec_ok = out->want_nsid = out->want_keepalive = out->has_tsig = false;
	out->want_padding = out->want_zone_version = false;
	out->edns_version = 0;
	out->udp_size = DNS_UDP_MIN;
	out->cookie = out->ecs = out->mark = NULL;
	out->cookie_len = out->ecs_len = out->question_len = 0;
	if (h->flags & DNS_QR)
		return QUERY_DROP;
	opcode = dns_opcode(h->flags);
	if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY && opcode != OPCODE_UPDATE)
		return QUERY_NOTIMP;
	if (h->qdcount > 1 || (!h->qdcount && opcode != OPCODE_QUERY))
		return QUERY_FORMERR;
	if (h->qdcount) {
		size_t at = r.pos;

		/* A pointer in the question could only lead into the header. */
		if (name_from_wire(&r, &out->qname) < 0 || r.pos - at != out->qname.len)
			return QUERY_FORMERR;
		out->qtype = reader_u16(&r);
		out->qclass = reader_u16(&r);
		if (!reader_ok(&r))
			return QUERY_FORMERR;
		out->has_question = true;
		out->question_len = (uint16_t)(r.pos - at);
	}
	if (opcode != OPCODE_QUERY)
		return QUERY_NOTIMP;
	for (unsigned n = (unsigned)h->ancount + h->nscount; n; n--)
		if (!read_record(&r, out, false, false))
			return QUERY_FORMERR;
	for (unsigned n = h->arcount; n; n--)
		if (!read_record(&r, out, true, n == 1))
			return QUERY_FORMERR;
	if (reader_left(&r))
		return QUERY_FORMERR;
	if (out->has_edns && out->edns_version != 0)
		return QUERY_BADVERS;
	if (!out->has_question)
		return out->cookie ? QUERY_NO_QUESTION : QUERY_FORMERR;
	return QUERY_OK;
}

void query_read_edns(const uint8_t *msg, size_t len, struct query *q)
{
	struct reader r = reader_of(msg, len);
	unsigned before = (unsigned)q->header.ancount + q->header.nscount;
	struct query seen = *q;

	if (!reader_bytes(&r, DNS_HEADER_LEN + (size_t)q->question_len))
		return;
	for (unsigned n = before + q->header.arcount; n; n--)
		if (!read_record(&r, &seen, n <= q->header.arcount, n == 1))
			return;
	*q = seen;
}
