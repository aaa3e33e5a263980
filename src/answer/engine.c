/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer engine:
 *
 *	parse -> chaos -> resolve (zone, answer, authority, additional) -> OPT -> header
 *
 * Room for OPT and its options is kept free from the start, so that it always fits. An answer that does not fit over UDP is cut at the last
 * whole set and has TC set. Errors repeat the question where it could be read. */
#include "answer/engine.h"

#include "answer/compose.h"
#include "answer/resolve.h"

#include <string.h>

enum {
	OPT_LEN = 11,
	OPTION_HEAD_LEN = 4,
	EDE_LEN = 6,
	EDE_NOT_READY = 14,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NONE = 0xffff,
	UDP_SIZE_OFFERED = DNS_UDP_DEFAULT,
	NSID_MAX = 255,
};

static const uint8_t id_server[] = "\x02id\x06server", hostname_bind[] = "\x08hostname\x04" "bind";
static const uint8_t version_server[] = "\x07version\x06server", version_bind[] = "\x07version\x04" "bind";

/* RFC 4892: who answers, and what it is. */
static uint16_t chaos(const struct engine_identity *id, const struct query *q, struct compose *c)
{
	const uint8_t *name = q->qname.wire;
	const char *text = NULL;
	uint8_t rdata[256];
	size_t len;

	if (name_equal(name, id_server) || name_equal(name, hostname_bind))
		text = id->nsid;
	else if (name_equal(name, version_server) || name_equal(name, version_bind))
		text = id->version;
	if (!text)
		return RCODE_REFUSED;
	if (q->qtype != RR_TXT && q->qtype != RR_ANY)
		return RCODE_NOERROR;
	len = strnlen(text, 255);
	rdata[0] = (uint8_t)len;
	memcpy(rdata + 1, text, len);
	if (!compose_record(c, SECTION_ANSWER, c->qname, RR_TXT, CLASS_CH, 0, rdata, (uint16_t)(len + 1)))
		c->truncated = true;
	return RCODE_NOERROR;
}

/* What a question is refused for before any zone is asked; RCODE_NOERROR: nothing. */
static uint16_t judge(const struct query *q)
{
	if (q->has_tsig)
		return RCODE_NOTAUTH; /* RFC 8945 5.2.1: no key is known here */
	switch (q->qtype) {
	case RR_AXFR:
	case RR_IXFR:
		return RCODE_REFUSED;
	case RR_TKEY:
	case RR_MAILA:
	case RR_MAILB:
		return RCODE_NOTIMP;
	case RR_OPT:
	case RR_TSIG:
	case 0:
		return RCODE_FORMERR;
	default:
		return RCODE_NOERROR;
	}
}

static void put_opt(struct writer *w, const struct engine_config *conf, const struct query *q, size_t nsid, uint16_t rcode, uint16_t ede)
{
	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, UDP_SIZE_OFFERED);
	writer_u8(w, (uint8_t)(rcode >> 4));
	writer_u8(w, 0);
	writer_u16(w, q->dnssec_ok ? 0x8000 : 0);
	writer_u16(w, (uint16_t)((nsid ? OPTION_HEAD_LEN + nsid : 0) + (ede != EDE_NONE ? EDE_LEN : 0)));
	if (nsid) {
		writer_u16(w, EDNS_NSID);
		writer_u16(w, (uint16_t)nsid);
		writer_bytes(w, conf->identity.nsid, nsid);
	}
	if (ede != EDE_NONE) { /* RFC 8914 */
		writer_u16(w, EDNS_EDE);
		writer_u16(w, 2);
		writer_u16(w, ede);
	}
}

/* Octets of NSID to send. With the longest question there may be no room for it: then it is left out. */
static size_t nsid_len(const struct engine_config *conf, const struct query *q, size_t limit)
{
	size_t len = q->has_edns && q->want_nsid && conf->identity.nsid ? strnlen(conf->identity.nsid, NSID_MAX) : 0;

	return (size_t)DNS_HEADER_LEN + q->question_len + OPT_LEN + EDE_LEN + OPTION_HEAD_LEN + len > limit ? 0 : len;
}

static size_t size_limit(const struct engine_config *conf, const struct query *q, enum engine_transport transport, size_t cap)
{
	size_t limit = transport == ENGINE_TCP ? DNS_MESSAGE_MAX : q->has_edns ? MIN(q->udp_size, conf->udp_max) : DNS_UDP_MIN;

	return MIN(limit, cap);
}

void engine_answer(const struct engine_config *conf, const struct store_snapshot *s, struct engine_scratch *scratch,
                   enum engine_transport transport, const uint8_t *msg, size_t len, uint8_t *out, size_t cap,
                   struct engine_result *result)
{
	struct query *q = &scratch->query;
	enum query_verdict verdict = query_parse(msg, len, q);
	struct compose c;
	uint16_t rcode, flags, ede = EDE_NONE;
	bool authoritative = false;
	size_t nsid;
	struct resolution res = {0};

	*result = (struct engine_result){.network = UINT32_MAX};
	if (verdict == QUERY_DROP)
		return;
	c.w = writer_of(out, cap);
	c.compress = &scratch->compress;
	c.counts[0] = c.counts[1] = c.counts[2] = 0;
	c.truncated = false;
	c.included_count = 0;
	c.dnssec_ok = q->dnssec_ok;
	c.limit = size_limit(conf, q, transport, cap);
	nsid = nsid_len(conf, q, c.limit);
	if (q->has_edns)
		c.limit -= OPT_LEN + EDE_LEN + (nsid ? OPTION_HEAD_LEN + nsid : 0);
	c.w.pos = DNS_HEADER_LEN;
	compress_init(c.compress, &c.w);
	if (q->has_question) {
		writer_bytes(&c.w, msg + DNS_HEADER_LEN, q->question_len);
		compress_note(c.compress, DNS_HEADER_LEN);
	}
	c.qname = out + DNS_HEADER_LEN;
	switch (verdict) {
	case QUERY_FORMERR:
		rcode = RCODE_FORMERR;
		break;
	case QUERY_NOTIMP:
		rcode = RCODE_NOTIMP;
		break;
	case QUERY_BADVERS:
		rcode = RCODE_BADVERS;
		break;
	default:
		rcode = judge(q);
		if (rcode != RCODE_NOERROR)
			break;
		if (q->qclass == CLASS_CH) {
			rcode = chaos(&conf->identity, q, &c);
			authoritative = rcode == RCODE_NOERROR;
		} else if (q->qclass != CLASS_IN && q->qclass != CLASS_ANY) {
			rcode = RCODE_REFUSED;
		} else if (conf->servfail) {
			rcode = RCODE_SERVFAIL;
		} else {
			resolve(&c, s, scratch, &res);
			rcode = res.rcode;
			/* RFC 1035 6.2: never authoritative for all classes */
			authoritative = res.authoritative && q->qclass == CLASS_IN;
			if (res.not_ready)
				ede = EDE_NOT_READY;
			else if (!res.zone)
				ede = EDE_NOT_AUTHORITATIVE;
		}
		break;
	}
	flags = (uint16_t)(DNS_QR | (q->header.flags & (0x7800 | DNS_RD | DNS_CD)) | (authoritative ? DNS_AA : 0) |
	                   (c.truncated ? DNS_TC : 0) | (rcode & 15));
	if (q->has_edns)
		put_opt(&c.w, conf, q, nsid, rcode, ede);
	put_u16(out, q->header.id);
	put_u16(out + 2, flags);
	put_u16(out + 4, q->has_question ? 1 : 0);
	put_u16(out + 6, c.counts[SECTION_ANSWER]);
	put_u16(out + 8, c.counts[SECTION_AUTHORITY]);
	put_u16(out + 10, (uint16_t)(c.counts[SECTION_ADDITIONAL] + (q->has_edns ? 1 : 0)));
	result->len = c.w.failed ? 0 : c.w.pos;
	result->rcode = rcode;
	result->qtype = q->has_question ? q->qtype : 0;
	result->opcode = (uint16_t)dns_opcode(q->header.flags);
	result->truncated = c.truncated;
	result->has_edns = q->has_edns;
	result->dnssec_ok = q->dnssec_ok;
	if (res.zone) {
		result->network = res.zone->network;
		result->zone_generation = res.zone->generation;
	}
}
