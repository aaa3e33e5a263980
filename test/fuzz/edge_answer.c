/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a backend's answer to the question that they themselves have. What is taken must be an answer that the
 * plain parser takes as well, with the same records and TTLs, and stays one when it is counted down and put behind a
 * question of ours. */
#include "edge/answer.h"

#include "base/wire.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* Walk what was taken with the other parser. */
static void compare(const uint8_t *msg, size_t len, const struct edge_answer *a, uint32_t age, uint32_t floor)
{
	struct message m;
	struct message_rr rr;
	struct name qname;
	uint16_t qtype, qclass, counts[3] = {0, 0, 0};
	unsigned n = 0;
	int got;

	must(message_open(msg, len, &m) == 0 && message_question(&m, &qname, &qtype, &qclass) == 0);
	while ((got = message_next(&m, &rr)) == 1) {
		const uint8_t *ttl = rr.rdata - 6;

		must(rr.type != RR_OPT && rr.type != RR_TSIG);
		counts[rr.section - 1]++;
		if (n >= a->ttl_count)
			continue;
		must(ttl == msg + len - a->len + a->ttl_at[n]);
		must(!n || a->ttl_at[n] > a->ttl_at[n - 1]);
		if (a->ttl)
			must(rr.ttl >= a->ttl - MIN(a->ttl, age) && (age < a->ttl || floor || rr.ttl <= 0x7fffffff));
		n++;
	}
	must(got == 0 && n == a->ttl_count && memcmp(counts, a->counts, sizeof(counts)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct edge_answer a;
	static uint8_t copy[DNS_MESSAGE_MAX];
	struct query q = {.qtype = 1, .qclass = 1};
	struct reader r = reader_of(data, size);
	uint32_t age = (uint32_t)(size % 97);
	size_t head;

	if (size < DNS_HEADER_LEN || size > DNS_MESSAGE_MAX)
		return 0;
	r.pos = DNS_HEADER_LEN;
	if (name_from_wire(&r, &q.qname) == 0) {
		uint16_t qtype = reader_u16(&r), qclass = reader_u16(&r);

		if (reader_ok(&r)) {
			q.qtype = qtype;
			q.qclass = qclass;
		}
	} else {
		q.qname = (struct name){.len = 1};
	}
	if (edge_answer_parse(data, size, &q, &a) < 0)
		return 0;
	must(a.body >= data && a.body + a.len <= data + size && a.ttl <= 0x7fffffff && a.ttl_count <= EDGE_TTLS_MAX);
	if (!get_u16(data + 4)) {
		must(!a.len && !a.ttl);
		return 0;
	}
	must(!(a.flags & ~(DNS_AA | DNS_TC | DNS_RA | DNS_AD)) && a.rcode < 4096);
	if (a.ttl)
		must((a.rcode == RCODE_NOERROR || a.rcode == RCODE_NXDOMAIN) && !(a.flags & DNS_TC) && q.qclass == 1 &&
		     a.ttl_count);
	if (a.has_scope)
		must(edge_subnet_equal(&a.told, &a.told) && a.scope <= (a.told.addr.family == 4 ? 32 : 128));
	/* Behind a question of ours, without OPT, counted down. */
	head = DNS_HEADER_LEN + q.qname.len + 4;
	memset(copy, 0, DNS_HEADER_LEN);
	copy[5] = 1;
	for (unsigned i = 0; i < 3; i++)
		put_u16(copy + 6 + 2 * i, a.counts[i]);
	memcpy(copy + DNS_HEADER_LEN, q.qname.wire, q.qname.len);
	put_u16(copy + head - 4, q.qtype);
	put_u16(copy + head - 2, q.qclass);
	memcpy(copy + head, a.body, a.len);
	compare(copy, head + a.len, &a, 0, 0);
	edge_answer_age(copy + head, a.ttl_at, a.ttl_count, age, 0);
	compare(copy, head + a.len, &a, age, 0);
	return 0;
}
