/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/asked.h"

#include "base/err.h"
#include "dns/rr.h"

int asked_parse(const uint8_t *msg, size_t len, struct asked *out)
{
	struct asked q = {.udp_size = DNS_UDP_MIN};
	struct message_rr rr;
	struct message m;
	bool has_value = false;
	uint32_t seconds;
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
			q.want_expire |= message_expire(rr.rdata, rr.rdlen, &has_value, &seconds);
		}
		/* RFC 1996 3.7: a hint, whatever it says. */
		if (rr.section == 1 && rr.type == RR_SOA && rr.rclass == CLASS_IN && q.opcode == OPCODE_NOTIFY && name_equal(rr.owner.wire, q.qname.wire))
			q.has_serial |= message_soa_serial(&m, &rr, &q.serial);
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
