/* SPDX-License-Identifier: BSD-2-Clause */
/* The query log sample as JSON, and as key=value. The query is parsed here, where time does not matter, from its octets as they came: they are a stranger's. */
#include "sample/queries.h"

#include "base/addr.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/wire.h"
#include "dns/message.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the worker's enums: engine_transport, cookie_verdict, filter_action, rate_verdict. */
static const char *const transports[] = {"udp", "tcp", "tls"};
static const char *const cookies[] = {"none", "malformed", "client", "bad", "good"};
static const char *const filters[] = {"no", "drop", "refuse", "truncate"};
static const char *const limits[] = {"no", "slip", "drop"};

#define WORD(table, i) ((i) < ARRAY_LEN(table) ? (table)[i] : "?")

/* Names as text hold backslashes and quotes; all else in them is printable ASCII. */
static void put_quoted(struct text *out, const char *s)
{
	text_char(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			text_char(out, '\\');
		text_char(out, *s);
	}
	text_char(out, '"');
}

static void put_flags(struct text *out, uint16_t flags)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} all[] = {{DNS_QR, "QR"}, {DNS_AA, "AA"}, {DNS_TC, "TC"}, {DNS_RD, "RD"}, {DNS_RA, "RA"}, {DNS_AD, "AD"}, {DNS_CD, "CD"}};
	const char *comma = "";

	text_str(out, ",\"flags\":[");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (flags & all[i].bit) {
			text_fmt(out, "%s\"%s\"", comma, all[i].name);
			comma = ",";
		}
	text_char(out, ']');
}

/* Client subnet: family, source prefix, scope, address (RFC 7871 6); checked by the parser. */
static void put_subnet(struct text *out, const uint8_t *ecs, size_t len)
{
	struct ip_addr a = {.family = get_u16(ecs) == 2 ? 6 : 4};
	char text[ADDR_TEXT_MAX];

	memcpy(a.bytes, ecs + 4, MIN(len - 4, sizeof(a.bytes)));
	text_fmt(out, ",\"ecs\":\"%s/%u\"", addr_text(&a, text), ecs[2]);
}

static void put_query(struct text *out, const struct sample *s)
{
	char text[NAME_TEXT_MAX], word[RRTYPE_TEXT_MAX];
	size_t len = MIN(s->query_len, (size_t)SAMPLE_QUERY_MAX);
	enum query_verdict verdict;
	struct query q;

	verdict = query_parse(s->query, len, &q);
	if (len >= DNS_HEADER_LEN) {
		text_fmt(out, ",\"id\":%u,\"opcode\":%u", get_u16(s->query), get_u16(s->query + 2) >> 11 & 15);
		put_flags(out, get_u16(s->query + 2));
	}
	if (verdict != QUERY_DROP && q.has_question) {
		name_to_text(q.qname.wire, text);
		text_str(out, ",\"name\":");
		put_quoted(out, text);
		text_fmt(out, ",\"class\":\"%s\"", rrclass_text(q.qclass, word));
		text_fmt(out, ",\"type\":\"%s\"", rrtype_text(q.qtype, word));
	}
	/* What is cut off cannot be told from what is malformed. */
	if (s->query_len > SAMPLE_QUERY_MAX)
		text_str(out, ",\"cut\":true");
	else if (verdict == QUERY_DROP || verdict == QUERY_FORMERR)
		text_str(out, ",\"malformed\":true");
	if (verdict == QUERY_DROP || !q.has_edns)
		return;
	text_fmt(out, ",\"edns\":%u,\"udp_size\":%u,\"do\":%s", q.edns_version, q.udp_size, q.dnssec_ok ? "true" : "false");
	if (q.ecs)
		put_subnet(out, q.ecs, q.ecs_len);
}

void queries_text(const struct sample *s, unsigned worker, struct text *out)
{
	char text[ADDR_TEXT_MAX], word[12];
	struct ip_addr client = {.family = s->family};

	memcpy(client.bytes, s->client, sizeof(client.bytes));
	clock_wall_text((int64_t)(s->wall_us / 1000000), text);
	text[strlen(text) - 1] = '\0'; /* the Z stands behind the fraction */
	text_fmt(out, "{\"time\":\"%s.%06uZ\",\"worker\":%u,\"transport\":\"%s\"", text, (unsigned)(s->wall_us % 1000000), worker,
	         WORD(transports, s->transport));
	text_fmt(out, ",\"client\":\"%s\",\"port\":%u,\"query_size\":%u", addr_text(&client, text), s->port, s->query_len);
	put_query(out, s);
	text_fmt(out, ",\"cookie\":\"%s\",\"filtered\":\"%s\",\"limited\":\"%s\",\"answered\":%s", WORD(cookies, s->cookie), WORD(filters, s->filtered),
	         WORD(limits, s->limited), s->answer_len ? "true" : "false");
	if (s->answer_len) {
		text_fmt(out, ",\"rcode\":\"%s\",\"answer_size\":%u,\"truncated\":%s", rcode_text(s->rcode, word), s->answer_len,
		         s->truncated ? "true" : "false");
		if (s->ede != 0xffff)
			text_fmt(out, ",\"ede\":%u", s->ede);
	}
	text_fmt(out, ",\"duration_us\":%.1f}", s->duration_ns / 1000.0);
}

/* The name, type and flags, as far as they can be read. */
static void put_question(struct text *out, const struct sample *s)
{
	char text[NAME_TEXT_MAX], word[RRTYPE_TEXT_MAX];
	size_t len = MIN(s->query_len, (size_t)SAMPLE_QUERY_MAX);
	struct query q;
	enum query_verdict verdict = query_parse(s->query, len, &q);

	if (len >= DNS_HEADER_LEN)
		text_fmt(out, " id=%u opcode=%u", get_u16(s->query), get_u16(s->query + 2) >> 11 & 15);
	if (verdict != QUERY_DROP && q.has_question) {
		name_to_text(q.qname.wire, text);
		text_str(out, " name=");
		put_quoted(out, text);
		text_fmt(out, " class=%s", rrclass_text(q.qclass, word));
		text_fmt(out, " type=%s", rrtype_text(q.qtype, word));
	}
	if (s->query_len > SAMPLE_QUERY_MAX)
		text_str(out, " cut=yes");
	else if (verdict == QUERY_DROP || verdict == QUERY_FORMERR)
		text_str(out, " malformed=yes");
	if (len >= DNS_HEADER_LEN)
		text_fmt(out, " rd=%d cd=%d", (get_u16(s->query + 2) & DNS_RD) != 0, (get_u16(s->query + 2) & DNS_CD) != 0);
	if (verdict != QUERY_DROP && q.has_edns)
		text_fmt(out, " edns=%u udp_size=%u do=%d", q.edns_version, q.udp_size, q.dnssec_ok);
}

void queries_line(const struct sample *s, unsigned worker, struct text *out)
{
	char text[ADDR_TEXT_MAX], word[12];
	struct ip_addr client = {.family = s->family};

	memcpy(client.bytes, s->client, sizeof(client.bytes));
	clock_wall_text((int64_t)(s->wall_us / 1000000), text);
	text[strlen(text) - 1] = '\0'; /* the Z stands behind the fraction */
	text_fmt(out, "%s.%06uZ query worker=%u transport=%s", text, (unsigned)(s->wall_us % 1000000), worker, WORD(transports, s->transport));
	text_fmt(out, " client=%s port=%u query_size=%u", addr_text(&client, text), s->port, s->query_len);
	put_question(out, s);
	text_fmt(out, " cookie=%s filtered=%s limited=%s", WORD(cookies, s->cookie), WORD(filters, s->filtered), WORD(limits, s->limited));
	if (s->answer_len)
		text_fmt(out, " rcode=%s answer_size=%u truncated=%u", rcode_text(s->rcode, word), s->answer_len, s->truncated);
	else
		text_str(out, " rcode=none");
	if (s->answer_len && s->ede != 0xffff)
		text_fmt(out, " ede=%u", s->ede);
	text_fmt(out, " duration_us=%.1f", s->duration_ns / 1000.0);
}

static unsigned workers_of(const struct sample_rings *r)
{
	return MIN(sample_rings_workers(r), (unsigned)QUERIES_WORKERS_MAX);
}

void queries_stream_start(struct queries_stream *q, const struct sample_rings *r, bool from_now)
{
	*q = (struct queries_stream){0};
	for (unsigned i = 0; i < workers_of(r); i++) {
		uint64_t count = sample_count(r, i);

		q->next[i] = from_now ? count : count > SAMPLE_RING ? count - SAMPLE_RING : 0;
	}
}

/* The oldest entry that waits. False when none does. */
static bool oldest(struct queries_stream *q, const struct sample_rings *r, struct sample *out, unsigned *worker, uint64_t *lost)
{
	bool found = false;

	for (unsigned i = 0; i < workers_of(r); i++) {
		uint64_t count = sample_count(r, i);
		struct sample s;

		while (q->next[i] < count && !sample_get(r, i, q->next[i], &s)) {
			uint64_t behind = count - q->next[i];

			/* Overwritten: so is all before what still can be there. */
			behind = behind > SAMPLE_RING ? behind - SAMPLE_RING : 1;
			q->next[i] += behind;
			*lost += behind;
			count = sample_count(r, i);
		}
		if (q->next[i] < count && (!found || s.wall_us < out->wall_us)) {
			*out = s;
			*worker = i;
			found = true;
		}
	}
	return found;
}

bool queries_stream_lines(struct queries_stream *q, const struct sample_rings *r, bool json, struct text *out, uint64_t *lines, uint64_t *lost)
{
	for (int n = 0; n < QUERIES_PIECE; n++) {
		unsigned worker = 0;
		struct sample s = {0};
		uint64_t gone = 0;
		bool found = oldest(q, r, &s, &worker, &gone);

		if (gone)
			text_fmt(out, json ? "{\"lost\":%" PRIu64 "}\n" : "lost=%" PRIu64 "\n", gone);
		*lost += gone;
		if (!found)
			return false;
		if (json)
			queries_text(&s, worker, out);
		else
			queries_line(&s, worker, out);
		text_char(out, '\n');
		q->next[worker]++;
		++*lines;
	}
	return true;
}

bool queries_stream_piece(struct queries_stream *q, const struct sample_rings *r, struct text *out)
{
	uint64_t lines = 0, lost = 0;

	return queries_stream_lines(q, r, true, out, &lines, &lost);
}
