/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as a request that a worker handed to sync: what is read of it can be answered, and the answer reads back with the same question. */
#include "sync/asked.h"

#include "base/err.h"
#include "dns/rr.h"
#include "xfr/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct asked *q, const struct asked_soa *soa)
{
	uint8_t out[1232];
	struct writer w = writer_of(out, sizeof(out));
	uint16_t qtype, qclass;
	struct message_rr rr;
	struct message m;
	struct name qname;
	unsigned soas = 0;
	int got;

	asked_answer(q, soa ? RCODE_NOERROR : RCODE_REFUSED, soa, &w);
	if (!writer_ok(&w) || message_open(out, w.pos, &m) < 0 || !(m.header.flags & DNS_QR) || m.header.id != q->id ||
	    message_question(&m, &qname, &qtype, &qclass) < 0 || memcmp(qname.wire, q->qname.wire, q->qname.len) != 0 || qtype != q->qtype)
		abort();
	while ((got = message_next(&m, &rr)) == 1)
		soas += rr.type == RR_SOA;
	if (got < 0 || soas != (soa ? 1 : 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t rdata[22] = {0};
	const struct asked_soa soa = {.ttl = 60, .rdata = rdata, .rdlen = sizeof(rdata), .has_expire = true, .expire_s = 7};
	struct xfr_request r;
	struct asked q;
	int err = asked_parse(data, size, &q);

	if (err == ERR_INVALID)
		return 0;
	if (err && err != ERR_MALFORMED)
		abort();
	if (q.udp_size < DNS_UDP_MIN || (q.want_expire && !q.has_edns) || (q.has_serial && q.opcode != OPCODE_NOTIFY))
		abort();
	check_answer(&q, NULL);
	check_answer(&q, &soa);
	/* Both parsers read the same request. The other does not follow names of records that it passes over. */
	if (!err && xfr_request_parse(data, size, &r) == QUERY_OK && (r.id != q.id || (q.qtype != RR_AXFR && q.qtype != RR_IXFR)))
		abort();
	return 0;
}
