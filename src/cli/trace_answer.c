/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer in a form in which two can be compared: records as text, sorted, so that neither their order nor compression counts. */
#include "cli/trace.h"

#include "base/err.h"
#include "base/hash.h"
#include "dns/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void trace_answer_done(struct trace_answer *a)
{
	for (size_t i = 0; i < a->record_count; i++)
		free(a->records[i].text);
	free(a->records);
	*a = (struct trace_answer){0};
}

/* A stranger's octets, for a terminal. */
static void put_printable(const uint8_t *from, size_t len, char *out, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at + 5 < cap; i++) {
		if (from[i] >= ' ' && from[i] < 0x7f && from[i] != '\\')
			out[at++] = (char)from[i];
		else
			at += (size_t)snprintf(out + at, cap - at, "\\%03u", from[i]);
	}
	out[at] = '\0';
}

static void read_options(const struct message_rr *opt, struct trace_answer *out)
{
	struct reader r = reader_of(opt->rdata, opt->rdlen);

	out->rcode |= opt->ttl >> 24 << 4;
	while (reader_left(&r) >= 4) {
		uint16_t code = reader_u16(&r), len = reader_u16(&r);
		const uint8_t *data = reader_bytes(&r, len);

		if (!data)
			return;
		if (code == EDNS_NSID)
			put_printable(data, len, out->nsid, sizeof(out->nsid));
		if (code == EDNS_ECS && len >= 4)
			out->scope = data[3];
		if (code == EDNS_EDE && len >= 2 && out->ede_count < TRACE_EDES_MAX) {
			out->ede[out->ede_count].code = get_u16(data);
			put_printable(data + 2, len - 2U, out->ede[out->ede_count].text, TRACE_EDE_TEXT_MAX);
			out->ede_count++;
		}
	}
}

/* Data that cannot be expanded are shown as they are (RFC 3597): the server sent them, and two that send the same agree. */
static int put_record(const struct message *m, const struct message_rr *rr, uint8_t *rdata, struct trace_record *out)
{
	struct reader r = reader_of(m->r.base, m->r.len);
	struct writer w = writer_of(rdata, RDATA_MAX);
	char owner[NAME_TEXT_MAX], class[RRTYPE_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	struct name lower;
	struct text t;

	name_lower(&lower, rr->owner.wire);
	name_to_text(lower.wire, owner);
	text_init(&t);
	text_fmt(&t, "%s %u %s %s ", owner, rr->ttl, rrclass_text(rr->rclass, class), rrtype_text(rr->type, type));
	r.pos = rr->rdata_pos;
	if (rdata_from_wire(rr->type, &r, rr->rdlen, &w) < 0) {
		w.pos = rr->rdlen;
		memcpy(rdata, rr->rdata, rr->rdlen);
	}
	rdata_to_text(rr->type, rdata, w.pos, &t);
	out->section = rr->section;
	out->text = text_take(&t);
	return out->text ? 0 : ERR_NO_MEMORY;
}

static int compare_records(const void *a, const void *b)
{
	const struct trace_record *x = a, *y = b;

	return x->section != y->section ? (int)x->section - (int)y->section : strcmp(x->text, y->text);
}

static void digest(struct trace_answer *a)
{
	a->digest = 0;
	for (size_t i = 0; i < a->record_count; i++)
		a->digest = hash_checksum(a->records[i].text, strlen(a->records[i].text),
		                          a->digest + a->records[i].section);
}

static int read_records(struct message *m, uint8_t *rdata, struct trace_answer *out)
{
	struct message_rr rr;
	size_t room = 0;
	int rc;

	while ((rc = message_next(m, &rr)) == 1) {
		if (rr.type == RR_OPT && rr.section == 3)
			read_options(&rr, out);
		if (rr.section == 3)
			continue;
		if (rr.type == RR_SOA && !out->has_serial)
			out->has_serial = message_soa_serial(m, &rr, &out->serial);
		if (out->record_count == TRACE_RECORDS_MAX)
			return ERR_LIMIT;
		if (out->record_count == room) {
			struct trace_record *more = realloc(out->records, (room = room ? 2 * room : 8) * sizeof(*more));

			if (!more)
				return ERR_NO_MEMORY;
			out->records = more;
		}
		rc = put_record(m, &rr, rdata, &out->records[out->record_count]);
		if (rc < 0)
			return rc;
		out->record_count++;
	}
	return rc;
}

int trace_answer_read(const uint8_t *msg, size_t len, struct trace_answer *out)
{
	struct trace_answer a = {.size = len, .scope = -1};
	uint16_t type, class;
	struct message m;
	struct name qname;
	uint8_t *rdata;
	int rc = message_open(msg, len, &m);

	if (rc < 0)
		return rc;
	a.rcode = m.header.flags & 15;
	a.aa = m.header.flags & DNS_AA;
	a.tc = m.header.flags & DNS_TC;
	for (unsigned i = 0; i < m.header.qdcount; i++) {
		rc = message_question(&m, &qname, &type, &class);
		if (rc < 0)
			return rc;
	}
	rdata = malloc(RDATA_MAX);
	if (!rdata)
		return ERR_NO_MEMORY;
	rc = read_records(&m, rdata, &a);
	free(rdata);
	if (rc < 0) {
		trace_answer_done(&a);
		return rc;
	}
	if (a.record_count)
		qsort(a.records, a.record_count, sizeof(*a.records), compare_records);
	digest(&a);
	*out = a;
	return 0;
}
