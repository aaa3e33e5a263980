/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the answers of a server of somebody else little can be demanded: it must be one (id, question), have the code that is wanted, and with NOERROR a record of the type asked for (through
 * CNAMEs, whose owners are not followed), or the one whose data the operator has written down. Extended codes (RFC 6891 6.1.3) count as a whole: BADVERS is not NOERROR. */
#include "health/probe_backend.h"

#include "base/err.h"
#include "base/text.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "health/probe_priv.h"

#include <string.h>

enum { BACKEND_RDATA_MAX = 4096, BACKEND_RECORDS_MAX = 4096 };

int probe_backend_build(const struct probe_backend *p, uint16_t option, const uint8_t *data, size_t len, uint8_t *buf,
                        size_t cap)
{
	int n = probe_build(&p->question, buf, cap);
	size_t at = (size_t)n;

	if (n < 0 || !len)
		return n;
	if (len > PROBE_BACKEND_OPTION_MAX || cap - at < len + 4)
		return ERR_NO_SPACE;
	/* OPT is the last record, and without options: its RDLENGTH is what stands last. */
	put_u16(buf + at - 2, (uint16_t)(len + 4));
	put_u16(buf + at, option);
	put_u16(buf + at + 2, (uint16_t)len);
	memcpy(buf + at + 4, data, len);
	return n + (int)len + 4;
}

/* Data without what may differ in writing: blanks at the ends, and the final dot of a name. */
static bool same_text(const char *a, size_t a_len, const char *b)
{
	size_t b_len = strlen(b);

	while (a_len && a[a_len - 1] == ' ')
		a_len--;
	while (b_len && b[b_len - 1] == ' ')
		b_len--;
	if (a_len && a[a_len - 1] == '.' && b_len + 1 == a_len)
		a_len--;
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* False: malformed. */
static bool look_at(const struct probe_backend *p, const struct message *m, const struct message_rr *rr, bool *wanted)
{
	static uint8_t rdata[BACKEND_RDATA_MAX]; /* one thread */
	struct reader r = m->r;
	struct writer w = writer_of(rdata, sizeof(rdata));
	struct text text;

	r.pos = rr->rdata_pos;
	r.failed = false;
	if (rdata_from_wire(rr->type, &r, rr->rdlen, &w) < 0)
		return false;
	text_init(&text);
	rdata_to_text(rr->type, rdata, w.pos, &text);
	*wanted = *wanted || (!text.failed && same_text(text.chars, text.len, p->contains));
	text_done(&text);
	return true;
}

static enum probe_verdict malformed(char *why)
{
	return probe_fail(why, "answer malformed");
}

static void say_rcode(char *why, unsigned rcode, const char *more)
{
	char text[12];

	(void)probe_fail(why, "answered %s%s", rcode_text(rcode, text), more);
}

enum probe_verdict probe_backend_judge(const struct probe_backend *p, const uint8_t *msg, size_t len, char *why)
{
	const struct probe_question *q = &p->question;
	bool wanted = false, truncated;
	unsigned rcode, records = 0, seen = 0;
	uint16_t qtype, qclass;
	struct message_rr rr;
	struct message m;
	struct name qname;
	int got;

	if (message_open(msg, len, &m) < 0 || m.header.id != q->id || !(m.header.flags & DNS_QR)) {
		(void)probe_fail(why, "answered something else than this question");
		return PROBE_NOT_OURS;
	}
	rcode = m.header.flags & 15U;
	truncated = (m.header.flags & DNS_TC) != 0;
	/* Servers that could not read the question may leave it out of FORMERR (RFC 1035 4.1.1) and of NOTIMP. */
	if (!m.header.qdcount && rcode) {
		say_rcode(why, rcode, "");
		return rcode == p->rcode ? PROBE_PASS : PROBE_FAIL;
	}
	if (m.header.qdcount != 1 || message_question(&m, &qname, &qtype, &qclass) < 0 || qtype != q->qtype ||
	    qclass != q->qclass || !name_equal(qname.wire, q->qname.wire)) {
		(void)probe_fail(why, "answered another question");
		return PROBE_NOT_OURS;
	}
	while ((got = message_next(&m, &rr)) == 1 && ++seen <= BACKEND_RECORDS_MAX) {
		if (rr.section == 3 && rr.type == RR_OPT)
			rcode |= rr.ttl >> 24 << 4;
		if (rr.section != 1 || rr.type != q->qtype || rr.rclass != q->qclass)
			continue;
		records++;
		if (p->contains && !look_at(p, &m, &rr, &wanted))
			return malformed(why);
	}
	if (got < 0 && !truncated)
		return malformed(why);
	if (rcode != p->rcode) {
		say_rcode(why, rcode, "");
		return PROBE_FAIL;
	}
	if (p->contains && !wanted)
		return truncated ? probe_fail(why, "answer truncated")
		                 : probe_fail(why, "answered without the record \"%.60s\"", p->contains);
	if (rcode == RCODE_NOERROR && !records && !truncated)
		return probe_fail(why, "answered NOERROR without a record of the type");
	say_rcode(why, rcode, truncated ? ", truncated" : "");
	return PROBE_PASS;
}
