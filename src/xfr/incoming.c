/* SPDX-License-Identifier: BSD-2-Clause */
/* Zone transfers from a primary: AXFR (RFC 5936) and IXFR (RFC 1995) as one state machine. It is fed with whole DNS messages and makes either the
 * records of a zone (AXFR, or an IXFR that the primary answers in full) or a list of differences. It opens nothing, waits for nothing and believes
 * nothing: whatever a primary can get wrong, or lie about, ends the transfer with a text that says what, and where.
 *
 *     FIRST ── SOA ──► (AXFR) WHOLE ── records ──► same SOA: done
 *       │
 *       └── (IXFR) SECOND ── end of message, our serial ──► current
 *                    │    └─ end of message, over UDP ──► use TCP
 *                    ├── SOA of our serial ──► DELETED ── SOA ──► ADDED ── SOA: the newest? done : DELETED again
 *                    └── anything else ──► WHOLE
 *
 * In an IXFR the SOA that opens the deleted records names the version they are deleted from, the next the version that the added ones lead to. Each
 * difference must begin where the one before ended, go forward (RFC 1982), and the last must end at the serial that the first record promised. Condensed
 * answers (RFC 1995 5) are simply few differences.
 *
 * An IXFR that goes wrong in any way is worth an AXFR, which the primary builds afresh: XFR_IN_USE_AXFR. Exceptions are a primary that has an older
 * version than we, and our own lack of memory.
 *
 * Over UDP anyone can send: what does not match id and question is passed over and counted, as a resolver does. Over TCP it ends the transfer.
 *
 * Limits: records, octets (as they lie in memory), messages, differences. Time is the caller's to limit; so is TSIG (xfr/tsig.h), which must be
 * good up to the last message before a result is used.
 *
 * Taken although the RFC asks otherwise: AA clear, records in the authority section (not looked at), a question in each message, or none in
 * later ones. Duplicate records count once. Whether the zone makes sense as a whole is for zone_check(), and for the digest (zone/zonemd.h). */
#include "xfr/incoming.h"

#include "base/err.h"
#include "dns/message.h"
#include "zone/content.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_OVERHEAD = 48 /* octets in memory beside owner and RDATA, about (zone/content.c; for differences a little more) */ };

enum state { STATE_FIRST, STATE_SECOND, STATE_WHOLE, STATE_DELETED, STATE_ADDED, STATE_DONE };

struct xfr_in {
	struct xfr_in_settings set;
	struct name apex;
	enum state state;
	bool whole;               /* of STATE_DONE: content, not differences */
	struct content *content;
	struct xfr_differences differences;
	uint8_t *soa;             /* RDATA of the first record */
	uint16_t soa_len;
	uint32_t soa_ttl;
	uint32_t serial;          /* of that */
	struct xfr_in_facts facts;
	uint64_t memory;          /* octets of uncompressed records */
	uint64_t in_message;      /* records of this message so far */
	enum xfr_cause cause;
	unsigned rcode;
	char error[XFR_IN_TEXT_MAX];
	uint8_t rdata[RDATA_MAX]; /* of the record at hand */
};

static const char *const cause_texts[XFR_CAUSES] = {
        [XFR_FINE] = "fine",
        [XFR_MALFORMED] = "malformed message",
        [XFR_ID] = "wrong id",
        [XFR_NO_RESPONSE] = "no response",
        [XFR_QUESTION] = "wrong question",
        [XFR_RCODE] = "refused",
        [XFR_TC] = "truncated",
        [XFR_EMPTY] = "empty message",
        [XFR_CLASS] = "wrong class",
        [XFR_OUTSIDE] = "record outside the zone",
        [XFR_TYPE] = "type that is no data",
        [XFR_RDATA] = "invalid record",
        [XFR_NO_SOA] = "no SOA first",
        [XFR_SOA_BELOW] = "SOA below the apex",
        [XFR_SOA_DIFFERS] = "SOA changes",
        [XFR_AFTER_END] = "records after the end",
        [XFR_SERIAL_BACK] = "older serial",
        [XFR_GAP] = "differences do not join",
        [XFR_MANY_RECORDS] = "too many records",
        [XFR_MANY_OCTETS] = "too many octets",
        [XFR_MANY_MESSAGES] = "too many messages",
        [XFR_MANY_DIFFERENCES] = "too many differences",
        [XFR_CLOSED] = "ended early",
        [XFR_NO_MEMORY] = "out of memory",
};

const char *xfr_cause_text(enum xfr_cause cause)
{
	return (unsigned)cause < XFR_CAUSES ? cause_texts[cause] : "unknown";
}

int xfr_in_new(const struct xfr_in_settings *settings, struct xfr_in **out)
{
	struct xfr_in *x = calloc(1, sizeof(*x));

	if (!x)
		return ERR_NO_MEMORY;
	x->set = *settings;
	name_copy(&x->apex, settings->apex);
	x->set.apex = x->apex.wire;
	x->set.max_records = settings->max_records ? settings->max_records : XFR_IN_RECORDS_MAX;
	x->set.max_octets = settings->max_octets ? settings->max_octets : XFR_IN_OCTETS_MAX;
	x->set.max_messages = settings->max_messages ? settings->max_messages : XFR_IN_MESSAGES_MAX;
	x->set.max_differences = settings->max_differences ? settings->max_differences : XFR_IN_DIFFERENCES_MAX;
	xfr_differences_init(&x->differences);
	*out = x;
	return 0;
}

void xfr_in_free(struct xfr_in *x)
{
	if (!x)
		return;
	content_free(x->content);
	xfr_differences_done(&x->differences);
	free(x->soa);
	free(x);
}

/* ---- failing ---- */

/* Note what is wrong, with its place where it lies in a record; -1. */
static int PRINTF_LIKE(3, 4) lie(struct xfr_in *x, enum xfr_cause cause, const char *fmt, ...)
{
	size_t at = 0;
	va_list ap;

	x->cause = cause;
	if (x->facts.messages)
		at = (size_t)snprintf(x->error, sizeof(x->error), "message %llu", (unsigned long long)x->facts.messages);
	if (x->in_message)
		at += (size_t)snprintf(x->error + at, sizeof(x->error) - at, ", record %llu", (unsigned long long)x->in_message);
	if (at)
		at += (size_t)snprintf(x->error + at, sizeof(x->error) - at, ": ");
	va_start(ap, fmt);
	vsnprintf(x->error + at, sizeof(x->error) - at, fmt, ap);
	va_end(ap);
	return -1;
}

static enum xfr_in_step verdict(const struct xfr_in *x)
{
	bool again = x->set.kind == XFR_IXFR && x->cause != XFR_SERIAL_BACK && x->cause != XFR_NO_MEMORY;

	return again ? XFR_IN_USE_AXFR : XFR_IN_FAILED;
}

static int no_memory(struct xfr_in *x)
{
	return lie(x, XFR_NO_MEMORY, "out of memory");
}

/* ---- records ---- */

static bool is_same_soa(const struct xfr_in *x, const struct rr *rr)
{
	return rr->rdlen == x->soa_len && memcmp(rr->rdata, x->soa, x->soa_len) == 0;
}

static int take_first(struct xfr_in *x, const struct rr *rr, const struct soa *soa)
{
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];

	if (!soa) {
		name_to_text(rr->owner, name);
		return lie(x, XFR_NO_SOA, "the transfer begins with %.300s %s, not with the SOA of the zone", name, rrtype_text(rr->type, type));
	}
	if (x->set.has_serial && serial_after(x->set.serial, soa->serial))
		return lie(x, XFR_SERIAL_BACK, "the primary has serial %u, which is older than ours, %u", soa->serial, x->set.serial);
	x->soa = malloc(rr->rdlen);
	if (!x->soa)
		return no_memory(x);
	memcpy(x->soa, rr->rdata, rr->rdlen);
	x->soa_len = rr->rdlen;
	x->soa_ttl = rr->ttl;
	x->serial = x->facts.serial = soa->serial;
	x->facts.has_serial = true;
	x->state = x->set.kind == XFR_IXFR ? STATE_SECOND : STATE_WHOLE;
	return 0;
}

/* A record of the whole zone; the first brings the SOA along, the SOA again ends it. */
static int take_whole(struct xfr_in *x, const struct rr *rr, const struct soa *soa)
{
	if (!x->content) {
		struct rr first = {.owner = x->apex.wire, .type = RR_SOA, .rclass = CLASS_IN, .ttl = x->soa_ttl, .rdlen = x->soa_len, .rdata = x->soa};

		x->content = content_new(x->apex.wire);
		if (!x->content || content_add(x->content, &first, NULL) != 0)
			return no_memory(x);
	}
	if (!soa)
		return content_add(x->content, rr, NULL) == 0 ? 0 : no_memory(x);
	if (soa->serial != x->serial)
		return lie(x, XFR_SOA_DIFFERS, "the transfer began with serial %u and ends with %u: the zone changed meanwhile", x->serial,
		           soa->serial);
	if (!is_same_soa(x, rr))
		return lie(x, XFR_SOA_DIFFERS, "the transfer ends with another SOA of serial %u than it began with", x->serial);
	x->whole = true;
	x->state = STATE_DONE;
	return 0;
}

/* An SOA that opens a difference: it must be of the version that we have by now. */
static int begin_difference(struct xfr_in *x, const struct rr *rr, const struct soa *soa, uint32_t have)
{
	if (soa->serial != have)
		return lie(x, XFR_GAP, "differences from serial %u are no use to serial %u", soa->serial, have);
	if (x->differences.count >= x->set.max_differences)
		return lie(x, XFR_MANY_DIFFERENCES, "more than %llu differences", (unsigned long long)x->set.max_differences);
	x->state = STATE_DELETED;
	return xfr_differences_from(&x->differences, rr) == 0 ? 0 : no_memory(x);
}

static int take_second(struct xfr_in *x, const struct rr *rr, const struct soa *soa)
{
	/* RFC 1995 4: a second SOA opens the differences; the same one again is a whole zone of an SOA alone. */
	if (soa && soa->serial != x->serial)
		return begin_difference(x, rr, soa, x->set.serial);
	x->state = STATE_WHOLE;
	return take_whole(x, rr, soa);
}

static int take_deleted(struct xfr_in *x, const struct rr *rr, const struct soa *soa)
{
	uint32_t from = x->differences.list[x->differences.count - 1].from;

	if (!soa)
		return xfr_differences_delete(&x->differences, rr) == 0 ? 0 : no_memory(x);
	if (!serial_after(soa->serial, from))
		return lie(x, XFR_GAP, "a difference leads from serial %u back to %u", from, soa->serial);
	if (serial_after(soa->serial, x->serial))
		return lie(x, XFR_GAP, "a difference leads to serial %u, beyond the newest, %u", soa->serial, x->serial);
	x->state = STATE_ADDED;
	return xfr_differences_to(&x->differences, rr) == 0 ? 0 : no_memory(x);
}

static int take_added(struct xfr_in *x, const struct rr *rr, const struct soa *soa)
{
	const struct xfr_difference *last = &x->differences.list[x->differences.count - 1];

	if (!soa)
		return xfr_differences_add(&x->differences, rr) == 0 ? 0 : no_memory(x);
	if (last->to != x->serial)
		return begin_difference(x, rr, soa, last->to);
	if (soa->serial != x->serial)
		return lie(x, XFR_GAP, "a difference from serial %u follows the newest, %u", soa->serial, x->serial);
	if (!is_same_soa(x, rr) || last->added[0].rdlen != x->soa_len || memcmp(last->added[0].rdata, x->soa, x->soa_len) != 0)
		return lie(x, XFR_SOA_DIFFERS, "three SOAs of serial %u are not the same", x->serial);
	x->state = STATE_DONE;
	return 0;
}

static int take_record(struct xfr_in *x, const struct rr *rr)
{
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	struct soa fields;
	const struct soa *soa = NULL;

	rrtype_text(rr->type, type);
	if (rr->type == RR_SOA) {
		if (!name_equal(rr->owner, x->apex.wire)) {
			name_to_text(rr->owner, name);
			return x->state == STATE_FIRST ? lie(x, XFR_NO_SOA, "the transfer is of the zone %.400s", name)
			                               : lie(x, XFR_SOA_BELOW, "an SOA record at %.400s", name);
		}
		if (soa_parse(rr->rdata, rr->rdlen, &fields) < 0)
			return lie(x, XFR_RDATA, "not a valid SOA record");
		soa = &fields;
	}
	if (!name_is_under(rr->owner, x->apex.wire)) {
		name_to_text(rr->owner, name);
		return lie(x, XFR_OUTSIDE, "%.400s %s is outside the zone", name, type);
	}
	if (rrtype_is_meta(rr->type))
		return lie(x, XFR_TYPE, "a record of type %s is no data of a zone", type);
	x->facts.records++;
	x->memory += name_len(rr->owner) + RECORD_OVERHEAD + rr->rdlen;
	if (x->facts.records > x->set.max_records)
		return lie(x, XFR_MANY_RECORDS, "more than %llu records", (unsigned long long)x->set.max_records);
	if (x->memory > x->set.max_octets)
		return lie(x, XFR_MANY_OCTETS, "more than %llu octets of records", (unsigned long long)x->set.max_octets);
	switch (x->state) {
	case STATE_FIRST:
		return take_first(x, rr, soa);
	case STATE_SECOND:
		return take_second(x, rr, soa);
	case STATE_WHOLE:
		return take_whole(x, rr, soa);
	case STATE_DELETED:
		return take_deleted(x, rr, soa);
	case STATE_ADDED:
		return take_added(x, rr, soa);
	case STATE_DONE:
		break;
	}
	name_to_text(rr->owner, name);
	return lie(x, XFR_AFTER_END, "%.400s %s follows the SOA that ends the transfer", name, type);
}

/* ---- messages ---- */

/* Is it the answer to our question at all? Over UDP a stranger may ask that. */
static int check_header(struct xfr_in *x, struct message *m)
{
	unsigned opcode = dns_opcode(m->header.flags);
	struct name qname;
	uint16_t qtype, qclass, wanted = x->set.kind == XFR_IXFR ? RR_IXFR : RR_AXFR;
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];

	if (m->header.id != x->set.id)
		return lie(x, XFR_ID, "the answer has id %u, the question had %u", m->header.id, x->set.id);
	if (!(m->header.flags & DNS_QR) || opcode != OPCODE_QUERY)
		return lie(x, XFR_NO_RESPONSE, "not a response to a query (flags %04x)", m->header.flags);
	/* RFC 5936 2.2.1: the first message repeats the question, later ones may. An error answer to what was not understood may lack it. */
	if (!m->header.qdcount && (x->state != STATE_FIRST || (m->header.flags & 15)))
		return 0;
	if (m->header.qdcount != 1)
		return lie(x, XFR_QUESTION, "%u questions in the answer", m->header.qdcount);
	if (message_question(m, &qname, &qtype, &qclass) < 0)
		return lie(x, XFR_MALFORMED, "the question in the answer is cut short");
	if (!name_equal(qname.wire, x->apex.wire) || qtype != wanted || qclass != CLASS_IN) {
		name_to_text(qname.wire, name);
		return lie(x, XFR_QUESTION, "the answer is to the question %.400s %s, class %u", name, rrtype_text(qtype, type), qclass);
	}
	return 0;
}

/* A name and type the loop of sections below can do with; the record's RDATA is expanded into x->rdata. */
static int read_record(struct xfr_in *x, struct reader *r, struct name *owner, struct rr *rr)
{
	struct writer w = writer_of(x->rdata, sizeof(x->rdata));
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	uint16_t rdlen;
	int err = name_from_wire(r, owner);

	if (err < 0)
		return lie(x, XFR_MALFORMED, "the owner of the record: %s", err_text(err));
	*rr = (struct rr){.owner = owner->wire, .type = reader_u16(r), .rclass = reader_u16(r), .ttl = reader_u32(r), .rdata = x->rdata};
	rdlen = reader_u16(r);
	if (!reader_ok(r) || reader_left(r) < rdlen)
		return lie(x, XFR_MALFORMED, "the record is cut short");
	if (rr->rclass != CLASS_IN)
		return lie(x, XFR_CLASS, "a record of class %u", rr->rclass);
	if (rr->ttl > TTL_MAX) /* RFC 2181 8 */
		rr->ttl = 0;
	err = rdata_from_wire(rr->type, r, rdlen, &w);
	if (err < 0) {
		name_to_text(owner->wire, name);
		return lie(x, XFR_RDATA, "%.400s: not a valid %s record", name, rrtype_text(rr->type, type));
	}
	rr->rdlen = (uint16_t)w.pos;
	return 0;
}

static int check_rcode(struct xfr_in *x, unsigned rcode)
{
	char text[12];

	if (rcode == RCODE_NOERROR)
		return 0;
	x->rcode = rcode;
	return lie(x, XFR_RCODE, "the primary answers %s", rcode_text(rcode, text));
}

/* Authority and additional: only an OPT is of interest. */
static int read_rest(struct xfr_in *x, struct message *m, unsigned *rcode)
{
	struct message_rr rr;
	int more;

	x->in_message = 0;
	while ((more = message_next(m, &rr)) > 0)
		if (rr.type == RR_OPT && rr.section == 3) {
			*rcode |= (rr.ttl >> 24) << 4;
			(void)message_expire(rr.rdata, rr.rdlen, &x->facts.has_expire, &x->facts.expire_s);
		}
	if (more < 0)
		return lie(x, XFR_MALFORMED, "the records behind the answer: %s", err_text(more));
	if (reader_left(&m->r))
		return lie(x, XFR_MALFORMED, "%zu octets behind the message", reader_left(&m->r));
	return 0;
}

static int read_message(struct xfr_in *x, struct message *m)
{
	unsigned rcode = m->header.flags & 15, answers = m->header.ancount;
	int err;

	if (rcode) { /* whatever it holds; the OPT may say more of the error */
		if (!answers)
			err = read_rest(x, m, &rcode);
		return check_rcode(x, rcode);
	}
	if (m->header.flags & DNS_TC)
		return x->set.udp ? 0 : lie(x, XFR_TC, "marked as truncated");
	for (unsigned i = 0; i < answers; i++) {
		struct name owner;
		struct rr rr;

		x->in_message++;
		err = read_record(x, &m->r, &owner, &rr);
		if (!err)
			err = take_record(x, &rr);
		if (err)
			return err;
	}
	m->header.ancount = 0;
	err = read_rest(x, m, &rcode);
	if (!err)
		err = check_rcode(x, rcode);
	if (!err && !answers)
		err = lie(x, XFR_EMPTY, "no records in it");
	return err;
}

enum xfr_in_step xfr_in_feed(struct xfr_in *x, const uint8_t *msg, size_t len)
{
	struct message m;
	int err = 0;

	x->in_message = 0;
	x->facts.messages++;
	x->facts.octets += len;
	if (message_open(msg, len, &m) < 0)
		err = lie(x, XFR_MALFORMED, "shorter than a header");
	if (!err)
		err = check_header(x, &m);
	if (err && x->set.udp) {
		x->cause = XFR_FINE;
		x->error[0] = '\0';
		x->facts.messages--;
		x->facts.ignored++;
		return XFR_IN_MORE;
	}
	if (!err && x->facts.messages > x->set.max_messages)
		err = lie(x, XFR_MANY_MESSAGES, "more than %llu messages", (unsigned long long)x->set.max_messages);
	if (!err)
		err = read_message(x, &m);
	if (err)
		return verdict(x);
	if (x->state == STATE_DONE)
		return x->whole ? XFR_IN_WHOLE : XFR_IN_DIFFERENCES;
	if (x->state == STATE_SECOND && x->set.has_serial && x->serial == x->set.serial)
		return XFR_IN_CURRENT;
	/* RFC 1995 2: what does not fit is answered with the SOA alone; others set TC. */
	return x->set.udp ? XFR_IN_USE_TCP : XFR_IN_MORE;
}

enum xfr_in_step xfr_in_closed(struct xfr_in *x, const char *why)
{
	x->in_message = 0;
	lie(x, XFR_CLOSED, "the transfer ended too early, after %llu records: %s", (unsigned long long)x->facts.records, why);
	return verdict(x);
}

/* ---- results ---- */

enum xfr_cause xfr_in_cause(const struct xfr_in *x)
{
	return x->cause;
}

const char *xfr_in_error(const struct xfr_in *x)
{
	return x->error;
}

unsigned xfr_in_rcode(const struct xfr_in *x)
{
	return x->rcode;
}

struct content *xfr_in_take_content(struct xfr_in *x)
{
	struct content *c = x->state == STATE_DONE && x->whole && x->cause == XFR_FINE ? x->content : NULL;

	if (c)
		x->content = NULL;
	return c;
}

const struct xfr_differences *xfr_in_differences(const struct xfr_in *x)
{
	return &x->differences;
}

size_t xfr_in_drop_added(struct xfr_in *x, size_t i, xfr_record_fn *is_there, void *ctx)
{
	return xfr_differences_drop_added(&x->differences, i, is_there, ctx);
}

void xfr_in_facts(const struct xfr_in *x, struct xfr_in_facts *out)
{
	*out = x->facts;
}
