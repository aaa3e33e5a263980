/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client would call a right answer, judged as strictly as we can because we know the zone: the store says what its SOA
 * is, so "some NOERROR came back" is not enough. In order: an answer at all (id, QR); whole (not truncated); our question
 * repeated (RFC 1035 4.1.2; case may differ, RFC 4343); NOERROR; authoritative (AA); exactly one record in the answer section, the
 * SOA of the zone; the serial; the rest of the RDATA in canonical form.
 *
 * Not judged: TTL, authority and additional sections, signatures. */
#include "health/probe_dns.h"

#include "base/err.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "health/probe_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const uint8_t id_server[] = "\x02id\x06server"; /* the literal's NUL is the root label */
static const uint8_t worker_zonecast[] = "\x06worker\x08zonecast";

void probe_ask_soa(struct probe_question *q, const uint8_t *apex, uint16_t id)
{
	name_copy(&q->qname, apex);
	q->qtype = RR_SOA;
	q->qclass = CLASS_IN;
	q->id = id;
	q->nsid = false;
}

void probe_ask_id(struct probe_question *q, uint16_t id)
{
	name_copy(&q->qname, id_server);
	q->qtype = RR_TXT;
	q->qclass = CLASS_CH;
	q->id = id;
	q->nsid = false;
}

void probe_ask_worker(struct probe_question *q, uint16_t id)
{
	name_copy(&q->qname, worker_zonecast);
	q->qtype = RR_TXT;
	q->qclass = CLASS_CH;
	q->id = id;
	q->nsid = false;
}

int probe_build(const struct probe_question *q, uint8_t *buf, size_t cap)
{
	return message_build_query(buf, cap, q->id, q->qname.wire, q->qtype, q->qclass, PROBE_UDP_SIZE, false, q->nsid);
}

void probe_soa_set(struct probe_soa *s, const uint8_t *rdata, size_t len)
{
	struct soa soa;

	s->known = false;
	s->len = 0;
	s->serial = 0;
	if (len > sizeof(s->rdata) || soa_parse(rdata, len, &soa) < 0)
		return;
	memcpy(s->rdata, rdata, len);
	rdata_canonical(RR_SOA, s->rdata, len);
	s->len = (uint16_t)len;
	s->serial = soa.serial;
	s->known = true;
}

enum probe_verdict probe_fail(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, PROBE_WHY_MAX, fmt, ap);
	va_end(ap);
	return PROBE_FAIL;
}

enum probe_verdict probe_judge_frame(const struct probe_question *q, const uint8_t *msg, size_t len, struct message *m, char *why)
{
	struct name qname;
	uint16_t qtype, qclass;
	char text[12];
	unsigned rcode;

	if (message_open(msg, len, m) < 0 || m->header.id != q->id || !(m->header.flags & DNS_QR)) {
		probe_fail(why, "answered something else than this question");
		return PROBE_NOT_OURS;
	}
	rcode = m->header.flags & 15U;
	if (rcode != RCODE_NOERROR)
		return probe_fail(why, "answered %s", rcode_text(rcode, text));
	if (m->header.flags & DNS_TC)
		return probe_fail(why, "answer truncated");
	if (dns_opcode(m->header.flags) != OPCODE_QUERY)
		return probe_fail(why, "answered with opcode %u", dns_opcode(m->header.flags));
	if (m->header.qdcount != 1 || message_question(m, &qname, &qtype, &qclass) < 0 || qtype != q->qtype ||
	    qclass != q->qclass || !name_equal(qname.wire, q->qname.wire))
		return probe_fail(why, "question not repeated in the answer");
	return PROBE_PASS;
}

/* The only record of the answer section, with owner, type and class as asked. */
static enum probe_verdict judge_single(const struct probe_question *q, struct message *m, struct message_rr *rr, char *why)
{
	char type[RRTYPE_TEXT_MAX];
	struct message_rr more;
	int err;

	if (m->header.ancount == 0)
		return probe_fail(why, "answer without %s record", rrtype_text(q->qtype, type));
	if (m->header.ancount > 1)
		return probe_fail(why, "%u records in the answer, expected 1", (unsigned)m->header.ancount);
	if (message_next(m, rr) != 1)
		return probe_fail(why, "answer malformed");
	if (rr->section != 1 || rr->type != q->qtype || rr->rclass != q->qclass || !name_equal(rr->owner.wire, q->qname.wire))
		return probe_fail(why, "answered with a record that was not asked for");
	/* The rest must at least be well-formed: clients drop what is not. */
	while ((err = message_next(m, &more)) == 1)
		;
	if (err < 0)
		return probe_fail(why, "answer malformed");
	return PROBE_PASS;
}

static bool soa_same(const struct probe_soa *a, const struct probe_soa *b)
{
	return a->known && a->len == b->len && !memcmp(a->rdata, b->rdata, a->len);
}

enum probe_verdict probe_judge_soa(const struct probe_question *q, const struct probe_soa *before,
                                   const struct probe_soa *now, const uint8_t *msg, size_t len, char *why)
{
	struct message m;
	struct message_rr rr;
	struct probe_soa got;
	uint8_t buf[PROBE_SOA_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	struct reader r = reader_of(msg, len);
	enum probe_verdict v = probe_judge_frame(q, msg, len, &m, why);

	if (v != PROBE_PASS)
		return v;
	if (!(m.header.flags & DNS_AA))
		return probe_fail(why, "AA missing");
	v = judge_single(q, &m, &rr, why);
	if (v != PROBE_PASS)
		return v;
	r.pos = rr.rdata_pos;
	if (rdata_from_wire(RR_SOA, &r, rr.rdlen, &w) < 0)
		return probe_fail(why, "SOA malformed");
	probe_soa_set(&got, buf, w.pos);
	if (!got.known)
		return probe_fail(why, "SOA malformed");
	if (soa_same(before, &got) || soa_same(now, &got))
		return PROBE_PASS;
	/* Several versions may have come and gone since the question was sent. */
	if (before->known && now->known && serial_after(got.serial, before->serial) && serial_after(now->serial, got.serial))
		return PROBE_PASS;
	if (!now->known)
		return probe_fail(why, "answered serial %u, but the store holds no data", got.serial);
	if (got.serial != now->serial)
		return probe_fail(why, "serial %u, expected %u", got.serial, now->serial);
	return probe_fail(why, "SOA of serial %u differs from the zone's", got.serial);
}

enum probe_verdict probe_judge_id(const struct probe_question *q, const char *node, const uint8_t *msg, size_t len,
                                  char *why)
{
	struct message m;
	struct message_rr rr;
	size_t node_len = strlen(node);
	enum probe_verdict v = probe_judge_frame(q, msg, len, &m, why);

	if (v == PROBE_PASS)
		v = judge_single(q, &m, &rr, why);
	if (v != PROBE_PASS)
		return v;
	if (rr.rdlen != node_len + 1 || rr.rdata[0] != node_len || memcmp(rr.rdata + 1, node, node_len) != 0)
		return probe_fail(why, "answered by something that does not call itself %.60s", node);
	return PROBE_PASS;
}

enum probe_verdict probe_judge_worker(const struct probe_question *q, unsigned workers, const uint8_t *msg, size_t len, char *why,
                                      unsigned *worker)
{
	struct message m;
	struct message_rr rr;
	unsigned number = 0;
	enum probe_verdict v = probe_judge_frame(q, msg, len, &m, why);

	if (v == PROBE_PASS)
		v = judge_single(q, &m, &rr, why);
	if (v != PROBE_PASS)
		return v;
	if (rr.rdlen < 2 || rr.rdlen > 4 || rr.rdata[0] != rr.rdlen - 1)
		return probe_fail(why, "answered by something that has no worker's number");
	for (size_t i = 1; i < rr.rdlen; i++) {
		if (rr.rdata[i] < '0' || rr.rdata[i] > '9')
			return probe_fail(why, "answered by something that has no worker's number");
		number = number * 10 + rr.rdata[i] - '0';
	}
	if (number >= workers)
		return probe_fail(why, "answered by worker %u of %u", number, workers);
	*worker = number;
	return PROBE_PASS;
}
