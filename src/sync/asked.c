/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/asked.h"

#include "base/err.h"
#include "dns/rr.h"

static void read_options(const uint8_t *options, size_t len, struct asked *q)
{
	struct reader r = reader_of(options, len);

	while (reader_left(&r) >= 4) {
		uint16_t code = reader_u16(&r), olen = reader_u16(&r);

		if (reader_bytes(&r, olen) && code == EDNS_EXPIRE)
			q->want_expire = true;
	}
}

static void read_serial(const struct message *m, const struct message_rr *rr, struct asked *q)
{
	uint8_t rdata[2 * NAME_LEN_MAX + 20];
	struct reader r = reader_of(m->r.base, m->r.len);
	struct writer w = writer_of(rdata, sizeof(rdata));
	struct soa soa;

	r.pos = rr->rdata_pos;
	if (rdata_from_wire(RR_SOA, &r, rr->rdlen, &w) < 0 || soa_parse(rdata, w.pos, &soa) < 0)
		return;
	q->has_serial = true;
	q->serial = soa.serial;
}

int asked_parse(const uint8_t *msg, size_t len, struct asked *out)
{
	struct asked q = {.udp_size = DNS_UDP_MIN};
	struct message_rr rr;
	struct message m;
	int got = 0;

	if (message_open(msg, len, &m) < 0 || (m.header.flags & DNS_QR) || m.header.qdcount != 1 ||
	    message_question(&m, &q.qname, &q.qtype, &q.qclass) < 0)
		return ERR_INVALID;
	q.id = m.header.id;
	q.flags = m.header.flags;
	q.opcode = dns_opcode(q.flags);
	while ((got = message_next(&m, &rr)) > 0) {
		if (rr.section == 3 && rr.type == RR_OPT) {
			q.has_edns = true;
			q.udp_size = MAX(rr.rclass, (uint16_t)DNS_UDP_MIN);
			read_options(rr.rdata, rr.rdlen, &q);
		}
		/* RFC 1996 3.7: a hint, whatever it says. */
		if (rr.section == 1 && rr.type == RR_SOA && rr.rclass == CLASS_IN && q.opcode == OPCODE_NOTIFY && name_equal(rr.owner.wire, q.qname.wire))
			read_serial(&m, &rr, &q);
	}
	*out = q;
	return got < 0 ? ERR_MALFORMED : 0;
}

void asked_answer(const struct asked *q, unsigned rcode, const struct asked_soa *soa, struct writer *w)
{
	bool expire = q->has_edns && q->want_expire && soa && soa->has_expire;
	bool authoritative = q->opcode == OPCODE_NOTIFY || soa;

	writer_u16(w, q->id);
	writer_u16(w, (uint16_t)(DNS_QR | (q->flags & (0x7800 | DNS_RD)) | (authoritative ? DNS_AA : 0) | (rcode & 15)));
	writer_u16(w, 1);
	writer_u16(w, soa ? 1 : 0);
	writer_u16(w, 0);
	writer_u16(w, q->has_edns ? 1 : 0);
	writer_bytes(w, q->qname.wire, q->qname.len);
	writer_u16(w, q->qtype);
	writer_u16(w, q->qclass);
	if (soa) {
		writer_u16(w, 0xc000 | DNS_HEADER_LEN);
		writer_u16(w, RR_SOA);
		writer_u16(w, CLASS_IN);
		writer_u32(w, soa->ttl);
		writer_u16(w, soa->rdlen);
		writer_bytes(w, soa->rdata, soa->rdlen);
	}
	if (!q->has_edns)
		return;
	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, DNS_UDP_DEFAULT);
	writer_u32(w, (uint32_t)(rcode >> 4) << 24);
	writer_u16(w, expire ? 8 : 0);
	if (expire) {
		writer_u16(w, EDNS_EXPIRE);
		writer_u16(w, 4);
		writer_u32(w, soa->expire_s);
	}
}
