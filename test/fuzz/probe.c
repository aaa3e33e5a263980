/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the answer to a probe. What passes must be an answer that any parser of ours takes whole. */
#include "health/probe_backend.h"
#include "health/probe_dns.h"

#include "dns/message.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = 0x1234 };

static void check(enum probe_verdict v, const char *why, const uint8_t *data, size_t size)
{
	struct message m;
	struct message_rr rr;
	struct name qname;
	uint16_t qtype, qclass;
	int got;

	if (!memchr(why, 0, PROBE_WHY_MAX) || (v == PROBE_PASS) != (why[0] == '\0'))
		abort();
	if (v != PROBE_PASS)
		return;
	if (message_open(data, size, &m) < 0 || m.header.id != ID || message_question(&m, &qname, &qtype, &qclass) < 0)
		abort();
	while ((got = message_next(&m, &rr)) == 1)
		;
	if (got < 0)
		abort();
}

/* Servers of others: of a good answer the code is the one that is wanted, and the reason says so. */
static void check_backend(const struct probe_question *q, const uint8_t *data, size_t size)
{
	const struct probe_backend rows[] = {{*q, RCODE_NOERROR, NULL}, {*q, RCODE_REFUSED, NULL}, {*q, RCODE_NOERROR, "ns1.example. host.example. 42 3600 600 86400 60"}};
	unsigned passes = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[PROBE_WHY_MAX] = "";
		enum probe_verdict v = probe_backend_judge(&rows[i], data, size, why);

		if (!memchr(why, 0, PROBE_WHY_MAX) || !why[0])
			abort();
		if (v == PROBE_PASS && (get_u16(data) != ID || (data[3] & 15U) != rows[i].rcode))
			abort();
		passes |= (unsigned)(v == PROBE_PASS) << i;
	}
	/* Never both codes; and with the record there is some record. */
	if ((passes & 3) == 3 || (passes & 5) == 4)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t root[1] = {0};
	static const uint8_t example[] = "\x07" "example";
	struct probe_soa soa, none = {.known = false};
	struct probe_question q;
	struct rdata_problem problem;
	uint8_t rdata[PROBE_SOA_MAX];
	struct writer w = writer_of(rdata, sizeof(rdata));
	char why[PROBE_WHY_MAX] = "", nsid[PROBE_NSID_MAX] = "";
	unsigned rcode = 0;

	if (rdata_from_string(RR_SOA, "ns1.example. host.example. 42 3600 600 86400 60", root, &w, &problem) < 0)
		abort();
	probe_soa_set(&soa, rdata, w.pos);
	probe_ask_soa(&q, example, ID);
	check(probe_judge_soa(&q, &soa, &soa, data, size, why), why, data, size);
	check_backend(&q, data, size);
	why[0] = '\0';
	if (probe_judge_soa(&q, &none, &none, data, size, why) == PROBE_PASS)
		abort();
	why[0] = '\0';
	probe_ask_id(&q, ID);
	check(probe_judge_id(&q, "fra", data, size, why), why, data, size);
	why[0] = '\0';
	check(probe_judge_contains(&q, size & 1 ? "1" : NULL, data, size, why), why, data, size);
	why[0] = '\0';
	check(probe_judge_nsid(&q, data, size, nsid, &rcode, why), why, data, size);
	if (!memchr(nsid, 0, sizeof(nsid)) || rcode > 0xfff)
		abort();
	return 0;
}
