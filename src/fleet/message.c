/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/message.h"

#include "base/err.h"

#include <string.h>

const uint8_t fleet_status_zone[] = "\x06status\x08zonecast";

enum { STATUS_LABELS = 2, OPT_LEN = 11, OPTION_HEAD = 4, RECORD_HEAD = 12 };

static bool read_label(const uint8_t *label, char out[BOARD_NAME_MAX])
{
	if (!fleet_name_ok(label + 1, label[0]))
		return false;
	memcpy(out, label + 1, label[0]);
	out[label[0]] = '\0';
	return true;
}

bool fleet_question_read(const uint8_t *qname, struct fleet_question *out)
{
	unsigned labels = name_labels(qname);
	struct fleet_question q = {0};

	if (!name_is_under(qname, fleet_status_zone) || labels < STATUS_LABELS + 1 || labels > STATUS_LABELS + 2)
		return false;
	if (!read_label(name_suffix(qname, STATUS_LABELS + 1), q.node))
		return false;
	if (labels > STATUS_LABELS + 1 && !read_label(qname, q.network))
		return false;
	*out = q;
	return true;
}

static void write_label(struct writer *w, const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return;
	if (len > LABEL_MAX)
		w->failed = true;
	writer_u8(w, (uint8_t)len);
	writer_bytes(w, (const uint8_t *)name, len);
}

static void write_opt(struct writer *w, unsigned rcode, uint16_t padding)
{
	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, DNS_UDP_DEFAULT);
	writer_u32(w, (uint32_t)(rcode >> 4) << 24);
	writer_u16(w, padding ? (uint16_t)(OPTION_HEAD + padding) : 0);
	if (!padding)
		return;
	writer_u16(w, EDNS_PADDING);
	writer_u16(w, padding);
	for (unsigned i = 0; i < padding; i++)
		writer_u8(w, 0);
}

void fleet_question_write(const struct fleet_question *q, uint16_t id, size_t pad_to, size_t signature,
                          struct writer *w)
{
	size_t plain;

	writer_u16(w, id);
	writer_u16(w, 0);
	writer_u16(w, 1);
	writer_u16(w, 0);
	writer_u16(w, 0);
	writer_u16(w, 1);
	write_label(w, q->network);
	write_label(w, q->node);
	writer_bytes(w, fleet_status_zone, name_len(fleet_status_zone));
	writer_u16(w, RR_TXT);
	writer_u16(w, CLASS_CH);
	plain = w->pos + OPT_LEN + signature;
	write_opt(w, 0,
	          pad_to > plain + OPTION_HEAD ? (uint16_t)MIN(pad_to - plain - OPTION_HEAD, (size_t)DNS_UDP_DEFAULT)
	                                       : 0);
}

static void write_head(const struct query *q, const uint8_t *msg, unsigned rcode, uint16_t flags, unsigned answers,
                       struct writer *w)
{
	writer_u16(w, q->header.id);
	writer_u16(w, (uint16_t)(DNS_QR | (q->header.flags & (0x7800 | DNS_RD)) | flags | (rcode & 15)));
	writer_u16(w, q->has_question ? 1 : 0);
	writer_u16(w, (uint16_t)answers);
	writer_u16(w, 0);
	writer_u16(w, q->has_edns ? 1 : 0);
	if (q->has_question)
		writer_bytes(w, msg + DNS_HEADER_LEN, q->question_len);
}

void fleet_answer_write(const struct query *q, const uint8_t *msg, unsigned rcode, const struct fleet_report *r,
                        struct writer *w)
{
	size_t begin = w->pos, record;

	write_head(q, msg, rcode, r ? DNS_AA : 0, r != NULL, w);
	if (r) {
		writer_u16(w, 0xc000 | DNS_HEADER_LEN);
		writer_u16(w, RR_TXT);
		writer_u16(w, CLASS_CH);
		writer_u32(w, 0); /* TTL: true of this moment only */
		writer_u16(w, 0);
		record = w->pos;
		fleet_report_write(r, w);
		if (writer_ok(w))
			put_u16(w->base + record - 2, (uint16_t)(w->pos - record));
	}
	if (q->has_edns)
		write_opt(w, rcode, 0);
	if (writer_ok(w) || !r)
		return;
	w->pos = begin;
	w->failed = false;
	write_head(q, msg, rcode, DNS_AA | DNS_TC, 0, w);
	if (q->has_edns)
		write_opt(w, rcode, 0);
}

/* The question stands there as it was asked. */
static bool repeats(struct message *m, const struct fleet_question *q)
{
	struct fleet_question got;
	uint16_t qtype, qclass;
	struct name qname;

	return m->header.qdcount == 1 && message_question(m, &qname, &qtype, &qclass) == 0 && qtype == RR_TXT &&
	       qclass == CLASS_CH && fleet_question_read(qname.wire, &got) && strcmp(got.node, q->node) == 0 &&
	       strcmp(got.network, q->network) == 0;
}

enum fleet_answer fleet_answer_read(const uint8_t *msg, size_t len, uint16_t id, const struct fleet_question *q,
                                    struct fleet_report *out, unsigned *rcode, int *err)
{
	struct message_rr rr;
	struct message m;
	bool found = false;
	int got;

	if (message_open(msg, len, &m) < 0 || !(m.header.flags & DNS_QR) || m.header.id != id ||
	    dns_opcode(m.header.flags) != OPCODE_QUERY)
		return FLEET_ANSWER_OTHER;
	*rcode = m.header.flags & 15;
	*err = ERR_MALFORMED;
	/* A server that understood nothing may leave the question out. */
	if (!repeats(&m, q))
		return *rcode && !m.header.qdcount ? FLEET_ANSWER_REFUSED : FLEET_ANSWER_OTHER;
	if (*rcode)
		return FLEET_ANSWER_REFUSED;
	if (m.header.flags & DNS_TC)
		return FLEET_ANSWER_TRUNCATED;
	while ((got = message_next(&m, &rr)) > 0) {
		if (rr.section != 1 || rr.type != RR_TXT || rr.rclass != CLASS_CH)
			continue;
		*err = found ? ERR_MALFORMED : fleet_report_read(rr.rdata, rr.rdlen, out);
		if (*err < 0)
			return FLEET_ANSWER_BAD;
		found = true;
	}
	if (got == 0 && found && strcmp(out->node, q->node) == 0)
		return FLEET_ANSWER_GOOD;
	*err = ERR_MALFORMED;
	return FLEET_ANSWER_BAD;
}
