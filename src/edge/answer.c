/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend answers, taken apart once so that it can be kept, counted down and relayed without looking into it
 * again.
 *
 * All that stands behind the question is kept as one piece, the body, but for OPT, which is between two neighbours only
 * (RFC 6891 6.1.1): what it says that matters (extended RCODE, extended error, scope) is read, and each client gets one
 * of ours. Compression in the body stays true behind any question of the same length: pointers count from the header.
 * That is why OPT must be the last record (all authoritative servers in use write it so), why a pointer into the header
 * is refused, and why the body is never cut.
 *
 * Every record is walked: counts must be met exactly and nothing may follow; owner names must be names; so must the
 * names in RDATA of the types that may be compressed (RFC 3597 4), since a client would follow their pointers in a
 * message that is ours. Other RDATA are passed on unseen.
 *
 * How long an answer may be kept (ttl): the least TTL of all its records, one with the top bit counting as 0 (RFC 2181
 * 8). A negative answer needs the SOA record in its authority section, whose MINIMUM bounds it (RFC 2308 5); negative
 * is NXDOMAIN, and NOERROR with an SOA there and nothing of the type asked for, be it behind aliases. Without SOA and
 * without answers only a referral is kept: NS there and AA clear. Aliases that lead out of what the server has end
 * without the type and without SOA, and are kept as they are. Not kept at all: other RCODEs, TC, classes but IN, and
 * more than EDGE_TTLS_MAX records.
 *
 * Not done: the end of signatures does not bound ttl; a backend that gives signatures which end before their TTL is
 * served as it is. */
#include "edge/answer.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <string.h>

enum { SOA_FIXED = 20 };

struct walk {
	const uint8_t *msg;
	size_t len, pos;
	const struct query *asked;
	const struct edge_answer *out;
	uint32_t least; /* TTL */
	uint32_t soa_minimum;
	bool soa, ns, fits; /* in the authority section; a record of the type asked for is in the answer section */
	bool opt;
};

static uint8_t lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

/* Is a TTL among these octets? A name that a pointer finds there would change when it is counted down. */
static bool has_ttl(const struct walk *w, size_t from, size_t to)
{
	size_t body = (size_t)(w->out->body - w->msg);
	unsigned low = 0, high = w->out->ttl_count; /* the first that ends behind `from` */

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (body + w->out->ttl_at[mid] + 4 > from)
			high = mid;
		else
			low = mid + 1;
	}
	return low < w->out->ttl_count && body + w->out->ttl_at[low] < to;
}

/* Over the name at *pos, of which no label lies at `end` or beyond. */
static bool step_name(const struct walk *w, size_t *pos, size_t end)
{
	size_t at = *pos, limit = at, after = 0;
	unsigned octets = 0, pointers = 0;

	for (;;) {
		uint8_t l;

		if (at >= end)
			return false;
		l = w->msg[at];
		if (l >= 0xc0) {
			size_t to;

			if (end - at < 2)
				return false;
			to = (size_t)(l & 0x3f) << 8 | w->msg[at + 1];
			if (!after)
				after = at + 2;
			if (to >= limit || to < DNS_HEADER_LEN || ++pointers > NAME_POINTERS_MAX ||
			    (pointers > 1 && has_ttl(w, limit, at + 2)))
				return false;
			if (to == DNS_HEADER_LEN) { /* the question's name, which was compared */
				if (octets + w->asked->qname.len > NAME_LEN_MAX)
					return false;
				break;
			}
			at = limit = to;
			continue;
		}
		if (l > LABEL_MAX)
			return false;
		octets += l + 1U;
		at += l + 1U;
		if (octets > NAME_LEN_MAX || at > end)
			return false;
		if (!l)
			break;
	}
	if (pointers && has_ttl(w, limit, at))
		return false;
	*pos = after ? after : at;
	return true;
}

/* Names in RDATA that may be compressed: octets before them, how many, octets after them. False: none. */
static bool names_within(uint16_t type, unsigned *before, unsigned *names, unsigned *after)
{
	*before = 0;
	*names = 1;
	*after = 0;
	switch (type) {
	case RR_NS:
	case RR_CNAME:
	case RR_PTR:
	case RR_DNAME:
	case 3:
	case 4:
	case 7:
	case 8:
	case 9: /* MD, MF, MB, MG, MR */
		return true;
	case RR_SOA:
		*names = 2;
		*after = SOA_FIXED;
		return true;
	case 14:
	case 17: /* MINFO, RP */
		*names = 2;
		return true;
	case RR_MX:
	case 18:
	case 21:
	case 36: /* AFSDB, RT, KX */
		*before = 2;
		return true;
	case RR_SRV:
		*before = 6;
		return true;
	default:
		return false;
	}
}

static bool step_rdata(const struct walk *w, uint16_t type, size_t at, size_t end)
{
	unsigned before, names, after;

	if (!names_within(type, &before, &names, &after))
		return true;
	if (end - at < before)
		return false;
	for (at += before; names; names--)
		if (!step_name(w, &at, end))
			return false;
	return end - at == after;
}

/* RFC 7871 6: family, source and scope, then the octets that source covers. */
static bool read_scope(const uint8_t *data, size_t len, struct edge_answer *out)
{
	unsigned family, source, most;

	if (len < 4)
		return false;
	family = get_u16(data);
	source = data[2];
	most = family == 1 ? 32 : family == 2 ? 128 : 0;
	if (!most) /* RFC 7871 7.1.2: family 0 where nothing was told */
		return family == 0 && !source && len == 4;
	if (source > most || data[3] > most || len != 4 + (source + 7) / 8)
		return false;
	if (source % 8 && (data[len - 1] & (0xff >> source % 8)))
		return false;
	out->has_scope = true;
	out->scope = data[3];
	out->told = (struct edge_subnet){.addr = {.family = family == 1 ? 4 : 6}, .prefix = (uint8_t)source};
	memcpy(out->told.addr.bytes, data + 4, len - 4);
	return true;
}

static bool read_options(const uint8_t *data, size_t len, struct edge_answer *out)
{
	struct reader r = reader_of(data, len);
	bool scope = false;

	for (unsigned n = 0; reader_left(&r); n++) {
		uint16_t code = reader_u16(&r), olen = reader_u16(&r);
		const uint8_t *option = reader_bytes(&r, olen);

		if (!option || n >= DNS_OPTIONS_MAX)
			return false;
		if (code == EDNS_EDE && olen >= 2 && out->ede == UINT16_MAX)
			out->ede = get_u16(option);
		if (code == EDNS_ECS) {
			if (scope || !read_scope(option, olen, out))
				return false;
			scope = true;
		}
	}
	return true;
}

/* One record of the section (0 answer, 1 authority, 2 additional). */
static bool step_record(struct walk *w, unsigned section, struct edge_answer *out)
{
	bool root = w->pos < w->len && w->msg[w->pos] == 0;
	const uint8_t *fixed;
	uint16_t type, rdlen;
	uint32_t ttl;
	size_t rdata;

	if (w->opt || !step_name(w, &w->pos, w->len) || w->len - w->pos < 10)
		return false;
	fixed = w->msg + w->pos;
	type = get_u16(fixed);
	ttl = get_u32(fixed + 4);
	rdlen = get_u16(fixed + 8);
	rdata = w->pos + 10;
	if (w->len - rdata < rdlen || type == RR_TSIG || (type == RR_SIG && section == 2 && root))
		return false;
	if (type == RR_OPT) {
		if (section != 2 || !root || (ttl >> 16 & 0xff) != 0)
			return false;
		w->opt = true;
		out->rcode |= (uint16_t)(ttl >> 24 << 4);
		w->pos = rdata + rdlen;
		return read_options(w->msg + rdata, rdlen, out);
	}
	if (!step_rdata(w, type, rdata, rdata + rdlen))
		return false;
	out->counts[section]++;
	if (out->ttl_count < EDGE_TTLS_MAX)
		out->ttl_at[out->ttl_count++] = (uint16_t)(fixed + 4 - out->body);
	else
		w->least = 0;
	w->least = MIN(w->least, ttl & 0x80000000 ? 0 : ttl);
	w->pos = rdata + rdlen;
	if (section == 0)
		w->fits |= type == w->asked->qtype || w->asked->qtype == RR_ANY;
	if (section == 1 && type == RR_NS)
		w->ns = true;
	if (section == 1 && type == RR_SOA) {
		uint32_t minimum = get_u32(w->msg + w->pos - 4);

		w->soa_minimum = w->soa ? MIN(w->soa_minimum, minimum) : minimum;
		w->soa = true;
	}
	return true;
}

static uint32_t keepable(const struct walk *w, struct edge_answer *out)
{
	bool empty = !out->counts[0];

	out->negative = out->rcode == RCODE_NXDOMAIN ||
	                (out->rcode == RCODE_NOERROR && !w->fits && (w->soa || (empty && !w->ns)));
	if ((out->rcode != RCODE_NOERROR && out->rcode != RCODE_NXDOMAIN) || (out->flags & DNS_TC) ||
	    w->asked->qclass != CLASS_IN)
		return 0;
	if (out->negative)
		return w->soa ? MIN(w->least, w->soa_minimum & 0x80000000 ? 0 : w->soa_minimum) : 0;
	if (empty && (out->flags & DNS_AA))
		return 0; /* neither an answer nor a referral */
	return w->least;
}

/* The question as it was asked, in any case. */
static bool same_question(const uint8_t *msg, size_t len, const struct query *asked)
{
	const struct name *n = &asked->qname;
	const uint8_t *p = msg + DNS_HEADER_LEN;

	if (len < DNS_HEADER_LEN + n->len + 4U)
		return false;
	for (unsigned i = 0; i < n->len; i++) /* length octets are below 64: no letters */
		if (p[i] != n->wire[i] && lower(p[i]) != lower(n->wire[i]))
			return false;
	return get_u16(p + n->len) == asked->qtype && get_u16(p + n->len + 2) == asked->qclass;
}

int edge_answer_parse(const uint8_t *msg, size_t len, const struct query *asked, struct edge_answer *out)
{
	struct walk w = {.msg = msg, .len = len, .asked = asked, .out = out, .least = UINT32_MAX};
	unsigned flags;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX)
		return ERR_MALFORMED;
	flags = get_u16(msg + 2);
	if (!(flags & DNS_QR) || dns_opcode((uint16_t)flags) != OPCODE_QUERY)
		return ERR_MALFORMED;
	out->flags = (uint16_t)(flags & (DNS_AA | DNS_TC | DNS_RA | DNS_AD));
	out->rcode = flags & 15;
	out->ede = UINT16_MAX;
	out->negative = out->has_scope = false;
	out->scope = 0;
	out->told = (struct edge_subnet){.prefix = 0};
	out->counts[0] = out->counts[1] = out->counts[2] = out->ttl_count = out->len = 0;
	out->ttl = 0;
	out->body = msg + len;
	if (!get_u16(msg + 4) && len == DNS_HEADER_LEN && (out->rcode == RCODE_FORMERR || out->rcode == RCODE_NOTIMP))
		return get_u16(msg + 6) || get_u32(msg + 8) ? ERR_MALFORMED : 0;
	if (get_u16(msg + 4) != 1 || !same_question(msg, len, asked))
		return ERR_MALFORMED;
	w.pos = DNS_HEADER_LEN + asked->qname.len + 4U;
	out->body = msg + w.pos;
	for (unsigned section = 0; section < 3; section++) {
		for (unsigned n = get_u16(msg + 6 + 2 * section); n; n--) {
			size_t before = w.pos;

			if (!step_record(&w, section, out))
				return ERR_MALFORMED;
			out->len = (uint16_t)((w.opt ? before : w.pos) - (size_t)(out->body - msg));
		}
	}
	if (w.pos != len)
		return ERR_MALFORMED;
	out->ttl = keepable(&w, out);
	return 0;
}

/* A record whose TTL was below the floor from the start keeps it: none is given for longer than its owner said. */
void edge_answer_age(uint8_t *body, const uint16_t *ttl_at, unsigned ttl_count, uint32_t age_s, uint32_t floor)
{
	for (unsigned i = 0; i < ttl_count; i++) {
		uint8_t *p = body + ttl_at[i];
		uint32_t ttl = get_u32(p), least = MIN(ttl, floor);

		put_u32(p, ttl > age_s && ttl - age_s > least ? ttl - age_s : least);
	}
}

bool edge_subnet_equal(const struct edge_subnet *a, const struct edge_subnet *b)
{
	unsigned whole = a->prefix / 8, rest = a->prefix % 8;

	if (a->addr.family != b->addr.family || a->prefix != b->prefix ||
	    a->prefix > (a->addr.family == 4   ? 32
	                 : a->addr.family == 6 ? 128
	                                       : 0))
		return false;
	if (memcmp(a->addr.bytes, b->addr.bytes, whole) != 0)
		return false;
	return !rest || !((a->addr.bytes[whole] ^ b->addr.bytes[whole]) & (uint8_t)(0xff00 >> rest));
}
