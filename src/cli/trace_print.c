/* SPDX-License-Identifier: BSD-2-Clause */
/* The outcome of a trace for people: the answer once, a line for each that gave it; those that gave another, and beside each other what differs; those that gave none. */
#include "cli/trace.h"

#include "cli/paint.h"
#include "dns/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	NAME_COLUMN_MAX = 24, /* a longer name has a line of its own */
	FACT_COLUMN = 34,     /* of one answer beside the other */
	LINE_MAX = 320,
	ENDPOINT_WORDS_MAX = 2 * 64 + 2, /* names of a pool and an endpoint */
};

struct columns {
	int name, address;
	bool color;
};

static struct columns measure(const struct trace *t, bool color)
{
	struct columns c = {.name = (int)strlen("anycast"), .address = 9, .color = color};
	char at[ADDR_TEXT_MAX];

	for (size_t i = 0; i < t->count; i++) {
		const struct trace_target *w = &t->targets[i];
		int name = w->node ? (int)strlen(w->node) : 0;

		if (name <= NAME_COLUMN_MAX)
			c.name = MAX(c.name, name);
		c.address = MAX(c.address, (int)strlen(addr_text(&w->at.addr, at)));
	}
	return c;
}

/* "  fra  192.0.2.21    1.3 ms"; behind it who answered, on a line of its own where it does not fit. */
static void put_target(const struct columns *c, const struct trace_target *w, struct text *out)
{
	const char *name = w->node ? w->node : "anycast";
	char line[LINE_MAX], at[ADDR_TEXT_MAX], by[TRACE_NSID_MAX + 16] = "";
	int n, used = 0;

	addr_text(&w->at.addr, at);
	if (strlen(name) > NAME_COLUMN_MAX) {
		text_fmt(out, "  %s\n", name);
		name = "";
	}
	n = snprintf(line, sizeof(line), "  %-*s %-*s", c->name, name, c->address, at);
	text_add(out, line, (size_t)n);
	used += n;
	if (w->answered) {
		n = snprintf(line, sizeof(line), " %8.1f ms%s", w->ms, w->by_tcp ? " tcp" : "");
		text_add(out, line, (size_t)n);
		used += n;
	}
	if (w->answered && (!w->node || *w->stranger))
		snprintf(by, sizeof(by), "-> %s", *w->answer.nsid ? w->answer.nsid : "(no name)");
	if (*by)
		text_fmt(out, "%s%s", used + 2 + (int)strlen(by) > TRACE_WIDTH ? "\n    " : "  ", by);
	text_char(out, '\n');
	if (w->answered && *w->stranger)
		text_fmt(out, "    %s%s%s\n", paint_begin(c->color, PAINT_RED), w->stranger, paint_end(c->color));
}

static void put_ede(const struct trace_answer *a, struct text *out)
{
	for (size_t i = 0; i < a->ede_count; i++)
		text_fmt(out, "  EDE %u%s%s\n", a->ede[i].code, *a->ede[i].text ? ": " : "", a->ede[i].text);
}

bool trace_endpoint(const struct config *c, const struct trace_record *r, char *buf, size_t cap)
{
	char type[RRTYPE_TEXT_MAX], of[NAME_TEXT_MAX];
	const char *at = strstr(r->text, " IN ");

	if (r->section != 1 || !at || sscanf(at + 4, "%15s %1023s", type, of) != 2)
		return false;
	for (size_t p = 0; p < c->pool_count; p++)
		for (size_t i = 0; i < c->pools[p].endpoint_count; i++) {
			const struct config_pool_endpoint *e = &c->pools[p].endpoints[i];
			char own[NAME_TEXT_MAX];

			if (e->target)
				name_to_text(e->target, own);
			else
				addr_text(&e->address, own);
			if (strcasecmp(own, of) != 0 || strcmp(type, e->target ? "CNAME" : e->address.family == 4 ? "A" : "AAAA") != 0)
				continue;
			snprintf(buf, cap, "%s/%s", c->pools[p].name, e->name);
			return true;
		}
	return false;
}

/* What a policy made of the client that was told. */
static void put_choice(const struct trace *t, const struct trace_answer *a, struct text *out)
{
	const char *before = "endpoints: ";
	char endpoint[ENDPOINT_WORDS_MAX];

	if (!t->subnet.addr.family)
		return;
	if (a->scope >= 0)
		text_fmt(out, "scope: %d of %u bits%s\n", a->scope, t->subnet.len, a->scope ? "" : " (the same for all clients)");
	else
		text_str(out, "scope: none (the client subnet is not known there)\n");
	for (size_t i = 0; i < a->record_count; i++)
		if (trace_endpoint(t->config, &a->records[i], endpoint, sizeof(endpoint))) {
			text_fmt(out, "%s%s", before, endpoint);
			before = ", ";
		}
	if (before[0] == ',')
		text_char(out, '\n');
}

static void put_reference(const struct columns *c, const struct trace *t, struct text *out)
{
	const struct trace_target *r = &t->targets[t->reference];
	char code[12], serial[16] = "none", at[ADDR_TEXT_MAX];

	if (r->has_serial)
		snprintf(serial, sizeof(serial), "%u", r->serial);
	text_fmt(out, "%s%s%s%s, serial %s, digest %08" PRIx32 ", %zu octets\n", paint_begin(c->color, PAINT_BOLD),
	         rcode_text(r->answer.rcode, code), paint_end(c->color),
	         r->answer.aa ? ", authoritative" : ", not authoritative", serial, (uint32_t)r->answer.digest,
	         r->answer.size);
	put_ede(&r->answer, out);
	for (size_t i = 0; i < r->answer.record_count; i++)
		text_fmt(out, "  %s%s\n", r->answer.records[i].text,
		         r->answer.records[i].section == 2 ? "  ; authority" : "");
	put_choice(t, &r->answer, out);
	text_fmt(out, "(as answered by %s %s)\n", r->node ? r->node : "anycast", addr_text(&r->at.addr, at));
}

/* A fact in both answers, where it is not the same. */
static void put_fact(const char *name, const char *there, const char *here, struct text *out)
{
	if (strcmp(there, here) != 0)
		text_fmt(out, "    %-8s %-*s %s\n", name, FACT_COLUMN, there, here);
}

static void serial_text(const struct trace_target *w, char buf[16])
{
	snprintf(buf, 16, w->has_serial ? "%u" : "none", w->serial);
}

static void edes_text(const struct trace_answer *a, char *buf, size_t cap)
{
	size_t at = 0;

	snprintf(buf, cap, "none");
	for (size_t i = 0; i < a->ede_count && at + 8 < cap; i++)
		at += (size_t)snprintf(buf + at, cap - at, "%s%u", i ? " " : "", a->ede[i].code);
}

static int compare(const struct trace_record *a, const struct trace_record *b)
{
	return a->section != b->section ? (int)a->section - (int)b->section : strcmp(a->text, b->text);
}

static void put_record(const struct columns *c, const struct trace_record *r, bool here, struct text *out)
{
	text_fmt(out, "    %s%c %s%s%s\n", paint_begin(c->color, here ? PAINT_GREEN : PAINT_RED), here ? '+' : '-',
	         r->text, r->section == 2 ? "  ; authority" : "", paint_end(c->color));
}

/* Both are sorted. */
static void put_records(const struct columns *c, const struct trace_answer *there, const struct trace_answer *here,
                        struct text *out)
{
	size_t i = 0, k = 0;

	while (i < there->record_count || k < here->record_count) {
		int order = i == there->record_count  ? 1
		            : k == here->record_count ? -1
		                                      : compare(&there->records[i], &here->records[k]);

		if (order < 0)
			put_record(c, &there->records[i], false, out);
		if (order > 0)
			put_record(c, &here->records[k], true, out);
		i += order <= 0;
		k += order >= 0;
	}
}

static void put_difference(const struct columns *c, const struct trace_target *r, const struct trace_target *w,
                           struct text *out)
{
	char there[64], here[64];

	text_fmt(out, "    %s%-8s %-*s %s%s\n", paint_begin(c->color, PAINT_DIM), "", FACT_COLUMN, "the first", "these",
	         paint_end(c->color));
	put_fact("rcode", rcode_text(r->answer.rcode, there), rcode_text(w->answer.rcode, here), out);
	put_fact("AA", r->answer.aa ? "yes" : "no", w->answer.aa ? "yes" : "no", out);
	put_fact("TC", r->answer.tc ? "yes" : "no", w->answer.tc ? "yes" : "no", out);
	serial_text(r, there);
	serial_text(w, here);
	put_fact("serial", there, here, out);
	snprintf(there, sizeof(there), "%08" PRIx32, (uint32_t)r->answer.digest);
	snprintf(here, sizeof(here), "%08" PRIx32, (uint32_t)w->answer.digest);
	put_fact("digest", there, here, out);
	edes_text(&r->answer, there, sizeof(there));
	edes_text(&w->answer, here, sizeof(here));
	put_fact("EDE", there, here, out);
	snprintf(there, sizeof(there), "%d", r->answer.scope);
	snprintf(here, sizeof(here), "%d", w->answer.scope);
	put_fact("scope", there, here, out);
	put_records(c, &r->answer, &w->answer, out);
}

/* All that answer as targets[first]. */
static void put_alike(const struct columns *c, const struct trace *t, size_t first, struct text *out)
{
	for (size_t i = first; i < t->count; i++)
		if (t->targets[i].alike == first)
			put_target(c, &t->targets[i], out);
}

static void put_different(const struct columns *c, const struct trace *t, struct text *out)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t count = 0;

		if (t->targets[i].alike != i || i == t->reference)
			continue;
		for (size_t k = i; k < t->count; k++)
			count += t->targets[k].alike == i;
		text_fmt(out, "\n%sdifferent: %zu of %zu%s\n", paint_begin(c->color, PAINT_RED), count, t->count,
		         paint_end(c->color));
		put_alike(c, t, i, out);
		put_difference(c, &t->targets[t->reference], &t->targets[i], out);
	}
}

static void put_lost(const struct columns *c, const struct trace *t, struct text *out)
{
	if (!t->lost)
		return;
	text_fmt(out, "\n%sno answer: %zu of %zu%s\n", paint_begin(c->color, PAINT_RED), t->lost, t->count,
	         paint_end(c->color));
	for (size_t i = 0; i < t->count; i++)
		if (!t->targets[i].answered) {
			put_target(c, &t->targets[i], out);
			text_fmt(out, "    %s\n", t->targets[i].why);
		}
}

static void put_closing(const struct columns *c, const struct trace *t, struct text *out)
{
	const char *separator = "";

	text_char(out, '\n');
	if (trace_agrees(t)) {
		text_fmt(out, "%sAll %zu answers are the same.%s\n", paint_begin(c->color, PAINT_GREEN), t->count,
		         paint_end(c->color));
		return;
	}
	text_str(out, paint_begin(c->color, PAINT_RED));
	if (!t->count)
		text_str(out, "There is nobody to ask");
	else
		text_fmt(out, "Of %zu, ", t->count);
	if (t->different) {
		text_fmt(out, "%zu answer%s differently", t->different, t->different == 1 ? "s" : "");
		separator = ", ";
	}
	if (t->lost) {
		text_fmt(out, "%s%zu do%s not answer", separator, t->lost, t->lost == 1 ? "es" : "");
		separator = ", ";
	}
	if (t->strange)
		text_fmt(out, "%s%zu %s answered by somebody else", separator, t->strange,
		         t->strange == 1 ? "is" : "are");
	text_fmt(out, ".%s\n", paint_end(c->color));
}

void trace_text(const struct trace *t, bool color, struct text *out)
{
	struct columns c = measure(t, color);
	char name[NAME_TEXT_MAX], apex[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX], prefix[PREFIX_TEXT_MAX];

	name_to_text(t->name.wire, name);
	text_fmt(out, "%s %s", name, rrtype_text(t->type, type));
	if (t->zone) {
		name_to_text(t->zone->apex, apex);
		text_fmt(out, ", zone %s", apex);
	}
	if (t->subnet.addr.family)
		text_fmt(out, ", for %s", prefix_text(&t->subnet, prefix));
	text_fmt(out, "%s%s, over %s\n\n", t->network ? ", network " : ", no network",
	         t->network ? t->network->name : "", t->tcp ? "TCP" : "UDP");
	if (t->reference != SIZE_MAX) {
		put_reference(&c, t, out);
		text_fmt(out, "\nthe same: %zu of %zu\n", t->same + t->strange, t->count);
		put_alike(&c, t, t->reference, out);
		put_different(&c, t, out);
	}
	put_lost(&c, t, out);
	put_closing(&c, t, out);
}

/* ---- JSON ---- */

static json_t *answer_json(const struct trace_answer *a, bool with_records)
{
	char code[12], digest[20];
	json_t *o, *edes = json_array(), *records = json_array();

	for (size_t i = 0; i < a->ede_count; i++)
		json_array_append_new(edes,
		                      json_pack("{s:i, s:s}", "code", (int)a->ede[i].code, "text", a->ede[i].text));
	for (size_t i = 0; with_records && i < a->record_count; i++)
		json_array_append_new(records, json_pack("{s:s, s:s}", "section",
		                                         a->records[i].section == 2 ? "authority" : "answer", "text",
		                                         a->records[i].text));
	snprintf(digest, sizeof(digest), "%016" PRIx64, a->digest);
	o = json_pack("{s:s, s:b, s:b, s:i, s:s, s:s, s:o, s:o}", "rcode", rcode_text(a->rcode, code), "aa", a->aa,
	              "tc", a->tc, "size", (int)a->size, "nsid", a->nsid, "digest", digest, "ede", edes, "records",
	              records);
	return o;
}

static json_t *endpoints_json(const struct trace *t, const struct trace_answer *a)
{
	char endpoint[ENDPOINT_WORDS_MAX];
	json_t *list = json_array();

	for (size_t i = 0; i < a->record_count; i++)
		if (trace_endpoint(t->config, &a->records[i], endpoint, sizeof(endpoint)))
			json_array_append_new(list, json_string(endpoint));
	return list;
}

static json_t *target_json(const struct trace *t, size_t i)
{
	const struct trace_target *w = &t->targets[i];
	char at[ADDR_TEXT_MAX];
	json_t *o = json_pack("{s:s, s:s?, s:s, s:b, s:b, s:s, s:s}", "kind", w->node ? "node" : "anycast", "node",
	                      w->node, "address", addr_text(&w->at.addr, at), "answered", w->answered, "same",
	                      w->answered && w->alike == t->reference, "why", w->why, "stranger", w->stranger);

	if (!o || !w->answered)
		return o;
	json_object_set_new(o, "transport", json_string(w->by_tcp ? "tcp" : "udp"));
	json_object_set_new(o, "ms", json_real(w->ms));
	json_object_set_new(o, "serial", w->has_serial ? json_integer(w->serial) : json_null());
	if (t->subnet.addr.family)
		json_object_set_new(o, "scope", w->answer.scope >= 0 ? json_integer(w->answer.scope) : json_null());
	json_object_set_new(o, "endpoints", endpoints_json(t, &w->answer));
	json_object_set_new(o, "alike", json_integer((json_int_t)w->alike));
	json_object_update_new(o, answer_json(&w->answer, w->alike == i));
	return o;
}

json_t *trace_json(const struct trace *t)
{
	char name[NAME_TEXT_MAX], apex[NAME_TEXT_MAX] = "", type[RRTYPE_TEXT_MAX];
	json_t *list = json_array();

	for (size_t i = 0; i < t->count; i++)
		json_array_append_new(list, target_json(t, i));
	name_to_text(t->name.wire, name);
	if (t->zone)
		name_to_text(t->zone->apex, apex);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:b, s:i, s:i, s:i, s:i, s:o}", "name", name, "type",
	                 rrtype_text(t->type, type), "zone", t->zone ? apex : NULL, "network",
	                 t->network ? t->network->name : NULL, "agree", trace_agrees(t), "same", (int)t->same,
	                 "different", (int)t->different, "silent", (int)t->lost, "strange", (int)t->strange, "answers",
	                 list);
}
