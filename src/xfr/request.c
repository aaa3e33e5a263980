/* SPDX-License-Identifier: BSD-2-Clause */
#include "xfr/request.h"

#include "base/err.h"

#include <string.h>

enum { SOA_BARE_LEN = 22 }; /* RDATA with two names that are the root */

enum query_verdict xfr_request_parse(const uint8_t *msg, size_t len, struct xfr_request *out)
{
	struct xfr_request q = {0};
	struct query query;
	struct message m;
	struct message_rr rr;
	struct name qname;
	uint16_t qtype, qclass;
	unsigned soas = 0;
	bool has_value = false;
	uint32_t seconds;
	enum query_verdict v = query_parse(msg, len, &query);

	if (v != QUERY_OK)
		return v;
	if (dns_opcode(query.header.flags) != OPCODE_QUERY || (query.qtype != RR_AXFR && query.qtype != RR_IXFR) || query.qclass != CLASS_IN)
		return QUERY_NO_QUESTION;
	q = (struct xfr_request){.id = query.header.id,
	                         .recursion_desired = (query.header.flags & DNS_RD) != 0,
	                         .kind = query.qtype == RR_IXFR ? XFR_IXFR : XFR_AXFR,
	                         .apex = query.qname,
	                         .udp_size = query.udp_size,
	                         .has_edns = query.has_edns,
	                         .want_padding = query.want_padding};
	if (message_open(msg, len, &m) < 0 || message_question(&m, &qname, &qtype, &qclass) < 0)
		return QUERY_FORMERR;
	while (message_next(&m, &rr) > 0) {
		if (rr.section == 3 && rr.type == RR_OPT)
			q.want_expire |= message_expire(rr.rdata, rr.rdlen, &has_value, &seconds);
		if (rr.section != 2 || q.kind != XFR_IXFR)
			continue;
		if (rr.type != RR_SOA || rr.rclass != CLASS_IN || !name_equal(rr.owner.wire, q.apex.wire) || !message_soa_serial(&m, &rr, &q.serial))
			return QUERY_FORMERR;
		soas++;
	}
	if (q.kind == XFR_IXFR && soas != 1)
		return QUERY_FORMERR;
	*out = q;
	return QUERY_OK;
}

static void write_question(const struct xfr_request *r, uint16_t flags, uint16_t authority, struct writer *w)
{
	writer_u16(w, r->id);
	writer_u16(w, flags);
	writer_u16(w, 1);
	writer_u16(w, 0);
	writer_u16(w, authority);
	writer_u16(w, r->has_edns ? 1 : 0);
	writer_bytes(w, r->apex.wire, r->apex.len);
	writer_u16(w, r->kind == XFR_IXFR ? RR_IXFR : RR_AXFR);
	writer_u16(w, CLASS_IN);
}

static void write_opt(const struct xfr_request *r, unsigned rcode, bool expire, struct writer *w)
{
	if (!r->has_edns)
		return;
	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, DNS_UDP_DEFAULT);
	writer_u32(w, (uint32_t)(rcode >> 4) << 24);
	writer_u16(w, expire ? 4 : 0);
	if (expire) {
		writer_u16(w, EDNS_EXPIRE);
		writer_u16(w, 0);
	}
}

static int finish(struct writer *w)
{
	if (writer_ok(w))
		return 0;
	w->pos = 0;
	return ERR_NO_SPACE;
}

int xfr_request_build(const struct xfr_request *r, const uint8_t *soa, size_t soa_len, struct writer *w)
{
	bool ixfr = r->kind == XFR_IXFR;
	uint8_t bare[SOA_BARE_LEN] = {0};

	if (!soa) {
		put_u32(bare + 2, r->serial);
		soa = bare;
		soa_len = sizeof(bare);
	}
	write_question(r, 0, ixfr ? 1 : 0, w);
	if (ixfr) {
		writer_u16(w, 0xc000 | DNS_HEADER_LEN);
		writer_u16(w, RR_SOA);
		writer_u16(w, CLASS_IN);
		writer_u32(w, 0);
		writer_u16(w, (uint16_t)soa_len);
		writer_bytes(w, soa, soa_len);
	}
	write_opt(r, 0, r->want_expire, w);
	return finish(w);
}

int xfr_request_refuse(const struct xfr_request *r, unsigned rcode, struct writer *w)
{
	write_question(r, (uint16_t)(DNS_QR | (r->recursion_desired ? DNS_RD : 0) | (rcode & 15)), 0, w);
	write_opt(r, rcode, false, w);
	return finish(w);
}
