/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers of others, of whose zones nothing is known but what the operator says: an answer with a record of the type is a good one, and where a text is given, one with it. */
#include "base/text.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "health/probe_dns.h"
#include "health/probe_priv.h"

#include <string.h>

enum { RECORDS_MAX = 64, RECORD_MAX = 4096 /* octets of RDATA, names expanded */ };

/* False: malformed. */
static bool has_text(const struct message_rr *rr, const uint8_t *msg, size_t len, const char *contains, bool *found)
{
	struct reader r = reader_of(msg, len);
	uint8_t rdata[RECORD_MAX];
	struct writer w = writer_of(rdata, sizeof(rdata));
	struct text t;

	r.pos = rr->rdata_pos;
	if (rdata_from_wire(rr->type, &r, rr->rdlen, &w) < 0)
		return false;
	text_init(&t);
	rdata_to_text(rr->type, rdata, w.pos, &t);
	*found = *found || strstr(t.chars, contains);
	text_done(&t);
	return true;
}

enum probe_verdict probe_judge_contains(const struct probe_question *q, const char *contains, const uint8_t *msg,
                                        size_t len, char *why)
{
	bool found = contains == NULL, any = false;
	char type[RRTYPE_TEXT_MAX];
	struct message_rr rr;
	struct message m;
	enum probe_verdict v = probe_judge_frame(q, msg, len, &m, why);
	int got = 1;

	if (v != PROBE_PASS)
		return v;
	if (m.header.ancount > RECORDS_MAX)
		return probe_fail(why, "%u records in the answer, more than are looked at", (unsigned)m.header.ancount);
	while ((got = message_next(&m, &rr)) == 1) {
		if (rr.section != 1 || rr.type != q->qtype || rr.rclass != q->qclass)
			continue;
		any = true;
		if (contains && !has_text(&rr, msg, len, contains, &found))
			return probe_fail(why, "answer malformed");
	}
	if (got < 0)
		return probe_fail(why, "answer malformed");
	if (!any)
		return probe_fail(why, "answer without %s record", rrtype_text(q->qtype, type));
	return found ? PROBE_PASS
	             : probe_fail(why, "no %s record has the text that is wanted", rrtype_text(q->qtype, type));
}
