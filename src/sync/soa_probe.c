/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/soa_probe.h"

#include "base/err.h"
#include "dns/message.h"

enum { SOA_FIXED = 20 /* octets of serial, refresh, retry, expire, minimum */ };

int soa_probe_build(const uint8_t *apex, uint16_t id, bool edns, struct writer *w)
{
	writer_u16(w, id);
	writer_u16(w, 0);
	writer_u16(w, 1);
	writer_u16(w, 0);
	writer_u16(w, 0);
	writer_u16(w, edns);
	writer_bytes(w, apex, name_len(apex));
	writer_u16(w, RR_SOA);
	writer_u16(w, CLASS_IN);
	if (edns) {
		writer_u8(w, 0);
		writer_u16(w, RR_OPT);
		writer_u16(w, SOA_PROBE_UDP_SIZE);
		writer_u32(w, 0);
		writer_u16(w, 4);
		writer_u16(w, EDNS_EXPIRE); /* RFC 7314 3.1: empty in a query */
		writer_u16(w, 0);
	}
	return writer_ok(w) ? 0 : ERR_NO_SPACE;
}

static bool is_question(struct message *m, const uint8_t *apex)
{
	uint16_t qtype, qclass;
	struct name qname;

	return m->header.qdcount == 1 && message_question(m, &qname, &qtype, &qclass) == 0 && name_equal(qname.wire, apex) && qtype == RR_SOA &&
	       qclass == CLASS_IN;
}

enum soa_probe_verdict soa_probe_judge(const uint8_t *msg, size_t len, const uint8_t *apex, uint16_t id, struct soa_probe_answer *out)
{
	struct soa_probe_answer a = {0};
	struct message_rr rr;
	struct message m;
	bool found = false, edns = false;
	int more;

	if (message_open(msg, len, &m) < 0 || m.header.id != id || !(m.header.flags & DNS_QR) || dns_opcode(m.header.flags) != OPCODE_QUERY)
		return SOA_PROBE_STRANGE;
	a.rcode = m.header.flags & 15;
	/* RFC 6891 7: a server that knows no EDNS may send FORMERR with the header alone. */
	if (a.rcode == RCODE_FORMERR && !m.header.qdcount) {
		*out = a;
		return SOA_PROBE_NO_EDNS;
	}
	if (!is_question(&m, apex))
		return SOA_PROBE_STRANGE;
	while ((more = message_next(&m, &rr)) == 1) {
		if (rr.section == 3 && rr.type == RR_OPT && !edns) {
			edns = true;
			a.rcode |= (rr.ttl >> 24) << 4;
			(void)message_expire(rr.rdata, rr.rdlen, &a.has_expire, &a.expire_s);
		}
		if (rr.section != 1 || found || rr.type != RR_SOA || rr.rclass != CLASS_IN || !name_equal(rr.owner.wire, apex) || rr.rdlen < SOA_FIXED + 2)
			continue;
		/* Whatever the names before them, the numbers are the last octets (RFC 1035 3.3.13). */
		a.serial = get_u32(rr.rdata + rr.rdlen - SOA_FIXED);
		found = true;
	}
	if (more < 0)
		return SOA_PROBE_STRANGE;
	*out = a;
	if (a.rcode == RCODE_BADVERS || ((a.rcode == RCODE_FORMERR || a.rcode == RCODE_NOTIMP) && !edns))
		return SOA_PROBE_NO_EDNS;
	if (a.rcode != RCODE_NOERROR)
		return SOA_PROBE_RCODE;
	if (m.header.flags & DNS_TC)
		return SOA_PROBE_TCP;
	return found && (m.header.flags & DNS_AA) ? SOA_PROBE_SERIAL : SOA_PROBE_LAME;
}
