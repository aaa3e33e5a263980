/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole messages: the query parser, and every record of any message through expansion, text and back. */
#include "base/text.h"
#include "dns/message.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t expanded[RDATA_MAX], again[RDATA_MAX];

static void try_rdata(uint16_t type, const uint8_t *msg, size_t size, const struct message_rr *rr)
{
	static const uint8_t root[1] = {0};
	struct reader r = reader_of(msg, size);
	struct writer w = writer_of(expanded, sizeof(expanded)), v = writer_of(again, sizeof(again));
	struct rdata_problem problem;
	uint16_t offsets[RDATA_NAMES_MAX];
	struct text t;

	r.pos = rr->rdata_pos;
	if (rdata_from_wire(type, &r, rr->rdlen, &w) < 0)
		return;
	if (rdata_check(type, expanded, w.pos) < 0)
		abort();
	for (unsigned i = rdata_compressible(type, expanded, w.pos, offsets); i-- > 0;)
		if (name_check(expanded + offsets[i], w.pos - offsets[i]) < 0)
			abort();
	rdata_target(type, expanded, w.pos);
	text_init(&t);
	rdata_to_text(type, expanded, w.pos, &t);
	if (!t.failed && (rdata_from_string(type, t.chars, root, &v, &problem) < 0 || v.pos != w.pos ||
	                  memcmp(expanded, again, w.pos) != 0))
		abort();
	text_done(&t);
	rdata_canonical(type, expanded, w.pos);
	if (rdata_check(type, expanded, w.pos) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message m;
	struct message_rr rr;
	struct query q;
	struct name name;
	uint16_t type, class;
	enum query_verdict v = query_parse(data, size, &q);

	if (v == QUERY_OK && (!q.has_question || q.udp_size < DNS_UDP_MIN || name_check(q.qname.wire, q.qname.len) != q.qname.len))
		abort();
	if (message_open(data, size, &m) < 0)
		return 0;
	for (unsigned i = m.header.qdcount; i; i--)
		if (message_question(&m, &name, &type, &class) < 0)
			return 0;
	while (message_next(&m, &rr) == 1)
		try_rdata(rr.type, data, size, &rr);
	return 0;
}
