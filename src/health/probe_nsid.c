/* SPDX-License-Identifier: BSD-2-Clause */
/* Who answers at an address that several nodes have: RFC 5001. What is judged is that an answer came and who gave it, not what is in it. */
#include "dns/message.h"
#include "dns/rr.h"
#include "health/probe_dns.h"
#include "health/probe_priv.h"

#include <string.h>

static bool can_be_shown(const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_' && c != '.')
			return false;
	}
	return len > 0 && len < PROBE_NSID_MAX;
}

/* False: the options are malformed. */
static bool read_options(const uint8_t *options, size_t len, char nsid[PROBE_NSID_MAX])
{
	struct reader r = reader_of(options, len);

	while (reader_left(&r)) {
		uint16_t code = reader_u16(&r), size = reader_u16(&r);
		const uint8_t *data = reader_bytes(&r, size);

		if (!data)
			return false;
		if (code != EDNS_NSID || !can_be_shown(data, size))
			continue;
		memcpy(nsid, data, size);
		nsid[size] = '\0';
	}
	return true;
}

enum probe_verdict probe_judge_nsid(const struct probe_question *q, const uint8_t *msg, size_t len,
                                    char nsid[PROBE_NSID_MAX], unsigned *rcode, char *why)
{
	char found[PROBE_NSID_MAX] = "";
	uint16_t qtype, qclass;
	struct message_rr rr;
	struct message m;
	struct name qname;
	unsigned high = 0;
	int got;

	if (message_open(msg, len, &m) < 0 || m.header.id != q->id || !(m.header.flags & DNS_QR) ||
	    m.header.qdcount != 1 || message_question(&m, &qname, &qtype, &qclass) < 0 || qtype != q->qtype ||
	    qclass != q->qclass || !name_equal(qname.wire, q->qname.wire)) {
		probe_fail(why, "answered something else than this question");
		return PROBE_NOT_OURS;
	}
	while ((got = message_next(&m, &rr)) == 1) {
		if (rr.section != 3 || rr.type != RR_OPT)
			continue;
		high = (unsigned)(rr.ttl >> 24) << 4;
		if (!read_options(rr.rdata, rr.rdlen, found))
			return probe_fail(why, "answer malformed");
	}
	if (got < 0)
		return probe_fail(why, "answer malformed");
	memcpy(nsid, found, sizeof(found));
	*rcode = high | (m.header.flags & 15U);
	return PROBE_PASS;
}
