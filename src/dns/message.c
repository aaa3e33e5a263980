/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages from the client's side: what probes, tests and trace build and read. */
#include "dns/message.h"

#include "base/err.h"

#include <stdio.h>

const char *rcode_text(unsigned rcode, char buf[12])
{
	static const char *const names[] = {"NOERROR", "FORMERR",  "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
	                                    "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};

	if (rcode < sizeof(names) / sizeof(names[0]))
		return names[rcode];
	if (rcode == RCODE_BADVERS)
		return "BADVERS";
	if (rcode == RCODE_BADCOOKIE)
		return "BADCOOKIE";
	snprintf(buf, 12, "RCODE%u", rcode & 0xfff);
	return buf;
}

int message_open(const uint8_t *msg, size_t len, struct message *out)
{
	struct message m = {.r = reader_of(msg, len)};

	m.header.id = reader_u16(&m.r);
	m.header.flags = reader_u16(&m.r);
	m.header.qdcount = reader_u16(&m.r);
	m.header.ancount = reader_u16(&m.r);
	m.header.nscount = reader_u16(&m.r);
	m.header.arcount = reader_u16(&m.r);
	if (!reader_ok(&m.r))
		return ERR_TRUNCATED;
	*out = m;
	return 0;
}

int message_question(struct message *m, struct name *qname, uint16_t *qtype, uint16_t *qclass)
{
	struct reader r = m->r;
	struct name name;
	uint16_t type, class;
	int err = name_from_wire(&r, &name);

	if (err < 0)
		return err;
	type = reader_u16(&r);
	class = reader_u16(&r);
	if (!reader_ok(&r))
		return ERR_TRUNCATED;
	*qname = name;
	*qtype = type;
	*qclass = class;
	m->r = r;
	return 0;
}

int message_next(struct message *m, struct message_rr *out)
{
	struct reader r = m->r;
	struct dns_header *h = &m->header;
	struct message_rr rr;
	int err;

	rr.section = h->ancount ? 1 : h->nscount ? 2 : 3;
	if (!h->ancount && !h->nscount && !h->arcount)
		return 0;
	err = name_from_wire(&r, &rr.owner);
	if (err < 0)
		return err;
	rr.type = reader_u16(&r);
	rr.rclass = reader_u16(&r);
	rr.ttl = reader_u32(&r);
	rr.rdlen = reader_u16(&r);
	rr.rdata_pos = r.pos;
	rr.rdata = reader_bytes(&r, rr.rdlen);
	if (!rr.rdata)
		return ERR_TRUNCATED;
	if (h->ancount)
		h->ancount--;
	else if (h->nscount)
		h->nscount--;
	else
		h->arcount--;
	m->r = r;
	*out = rr;
	return 1;
}

int message_build_query(uint8_t *buf, size_t cap, uint16_t id, const uint8_t *qname, uint16_t qtype, uint16_t qclass,
                        uint16_t udp_size, bool dnssec_ok, bool nsid)
{
	struct writer w = writer_of(buf, cap);

	writer_u16(&w, id);
	writer_u16(&w, 0);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, udp_size ? 1 : 0);
	writer_bytes(&w, qname, name_len(qname));
	writer_u16(&w, qtype);
	writer_u16(&w, qclass);
	if (udp_size) {
		writer_u8(&w, 0);
		writer_u16(&w, RR_OPT);
		writer_u16(&w, udp_size);
		writer_u32(&w, dnssec_ok ? 0x8000 : 0);
		writer_u16(&w, nsid ? 4 : 0);
		if (nsid) {
			writer_u16(&w, EDNS_NSID);
			writer_u16(&w, 0);
		}
	}
	return writer_ok(&w) ? (int)w.pos : ERR_NO_SPACE;
}

int message_add_subnet(uint8_t *buf, size_t cap, size_t len, uint16_t options_len, const struct ip_prefix *subnet)
{
	uint16_t octets = (uint16_t)((subnet->len + 7U) / 8);
	struct writer w = writer_of(buf, cap);

	w.pos = len;
	writer_u16(&w, EDNS_ECS);
	writer_u16(&w, (uint16_t)(4 + octets));
	writer_u16(&w, subnet->addr.family == 4 ? 1 : 2);
	writer_u8(&w, subnet->len);
	writer_u8(&w, 0);
	writer_bytes(&w, subnet->addr.bytes, octets);
	if (!writer_ok(&w))
		return ERR_NO_SPACE;
	put_u16(buf + len - options_len - 2, (uint16_t)(options_len + 8 + octets));
	return (int)w.pos;
}

bool message_soa_serial(const struct message *m, const struct message_rr *rr, uint32_t *serial)
{
	uint8_t rdata[2 * NAME_LEN_MAX + 20];
	struct reader r = reader_of(m->r.base, m->r.len);
	struct writer w = writer_of(rdata, sizeof(rdata));
	struct soa soa;

	r.pos = rr->rdata_pos;
	if (rdata_from_wire(RR_SOA, &r, rr->rdlen, &w) < 0 || soa_parse(rdata, w.pos, &soa) < 0)
		return false;
	*serial = soa.serial;
	return true;
}

bool message_expire(const uint8_t *options, size_t len, bool *has_value, uint32_t *seconds)
{
	struct reader r = reader_of(options, len);
	bool found = false;

	while (reader_left(&r) >= 4) {
		uint16_t code = reader_u16(&r), olen = reader_u16(&r);
		const uint8_t *data = reader_bytes(&r, olen);

		if (!data || code != EDNS_EXPIRE)
			continue;
		found = true;
		if (olen == 4) {
			*has_value = true;
			*seconds = get_u32(data);
		}
	}
	return found;
}
