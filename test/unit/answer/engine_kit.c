/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_kit.h"

#include "answer/cache.h"
#include "base/diag.h"
#include "base/text.h"
#include "zone/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CUTS_MAX = 16, SETS_MAX = 256 };

static const uint8_t root[1] = {0};
static _Atomic uint64_t pin;
static struct store_reader *reader;
static struct store_writer *writer;
static struct engine_scratch scratch, with_cache;
struct engine_config kit_conf;
struct engine_request kit_request;
uint8_t kit_out[DNS_MESSAGE_MAX];
static struct text said;

/* ---- zones ---- */

struct filling {
	struct content *c;
	const uint8_t *apex;
	bool sign;
	struct name cuts[CUTS_MAX];
	unsigned cut_count;
};

/* RFC 4035 2.2: not the NS of a delegation, nor what is below it. */
static bool wants_signature(struct filling *f, const struct rr *rr)
{
	if (rr->type == RR_RRSIG)
		return false;
	if (rr->type == RR_NS && !name_equal(rr->owner, f->apex)) {
		assert_true(f->cut_count < CUTS_MAX);
		name_copy(&f->cuts[f->cut_count++], rr->owner);
		return false;
	}
	for (unsigned i = 0; i < f->cut_count; i++)
		if (name_is_under(rr->owner, f->cuts[i].wire) && (rr->type == RR_A || rr->type == RR_AAAA))
			return false;
	return true;
}

static int take(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct filling *f = ctx;
	uint8_t rdata[18 + NAME_LEN_MAX + 4] = {0};
	struct rr sig = {.owner = rr->owner, .type = RR_RRSIG, .rclass = CLASS_IN, .ttl = rr->ttl, .rdata = rdata};
	int err = content_add(f->c, rr, place);

	if (err || !f->sign || !wants_signature(f, rr))
		return err;
	put_u16(rdata, rr->type);
	rdata[2] = 13;
	rdata[3] = (uint8_t)(name_labels(rr->owner) - name_is_wildcard(rr->owner));
	put_u32(rdata + 4, rr->ttl);
	put_u32(rdata + 8, 0x70000000);
	put_u32(rdata + 12, 0x50000000);
	put_u16(rdata + 16, 12345);
	memcpy(rdata + 18, f->apex, name_len(f->apex));
	memcpy(rdata + 18 + name_len(f->apex), "sig", 3);
	sig.rdlen = (uint16_t)(18 + name_len(f->apex) + 3);
	return content_add(f->c, &sig, place);
}

static void put(const struct kit_zone *z)
{
	struct store_zone_meta meta = {.state = z->text ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = z->network, .source = ""};
	struct filling f = {.sign = z->sign};
	struct diag diag;
	struct name apex;

	assert_int_equal(name_from_text(z->name, strlen(z->name), root, &apex), 0);
	f.apex = apex.wire;
	diag_init(&diag);
	if (z->text) {
		struct zonefile_options o = {.origin = apex.wire, .rclass = CLASS_IN, .on_record = take, .ctx = &f};

		f.c = content_new(apex.wire);
		if (zonefile_parse_bytes(z->name, z->text, strlen(z->text), false, &o, &diag) < 0) {
			char text[300];

			fail_msg("zone %s: %s", z->name, diag_entry_text(diag.first, text, sizeof(text)));
		}
		assert_int_equal(content_finish(f.c), 0);
	}
	assert_int_equal(store_put_zone(writer, apex.wire, f.c, &meta), 0);
	content_free(f.c);
	diag_done(&diag);
}

void kit_change(const struct kit_zone *zones, size_t count)
{
	uint64_t g;

	for (size_t i = 0; i < count; i++)
		put(&zones[i]);
	assert_int_equal(store_commit(writer, &g), 0);
	store_collect(writer);
}

void kit_remove(const char *zone)
{
	struct name apex;
	uint64_t g;

	assert_int_equal(name_from_text(zone, strlen(zone), root, &apex), 0);
	assert_int_equal(store_remove_zone(writer, apex.wire), 0);
	assert_int_equal(store_commit(writer, &g), 0);
	store_collect(writer);
}

void kit_open(const struct kit_zone *zones, size_t count)
{
	_Atomic uint64_t *pins[1] = {&pin};
	struct store_open_info info;
	char path[64], lock[80];

	snprintf(path, sizeof(path), "/tmp/zonecast-test-engine-%d", getpid());
	snprintf(lock, sizeof(lock), "%s.lock", path);
	atomic_store(&pin, STORE_UNPINNED);
	assert_int_equal(store_writer_open(path, pins, 1, &writer, &info), 0);
	kit_change(zones, count);
	assert_int_equal(cache_new(CACHE_OCTETS_MIN, &with_cache.cache), 0);
	assert_int_equal(store_reader_open(path, &pin, &reader), 0);
	unlink(path);
	unlink(lock);
	text_init(&said);
	kit_request = (struct engine_request){.client = {.family = 4, .bytes = {192, 0, 2, 1}}, .now_s = 1700000000};
	kit_conf = (struct engine_config){.identity = {.nsid = "test-node", .version = "zonecast test"}, .udp_max = DNS_UDP_DEFAULT};
}

void kit_close(void)
{
	store_reader_close(reader);
	reader = NULL;
	store_writer_close(writer);
	cache_free(with_cache.cache);
	with_cache.cache = NULL;
	text_done(&said);
}

/* ---- questions ---- */

size_t kit_query(const char *name, const char *type, unsigned flags, uint16_t size, uint8_t *buf, size_t cap)
{
	struct name qname;
	uint16_t qtype;
	int len;

	assert_int_equal(name_from_text(name, strlen(name), root, &qname), 0);
	assert_int_equal(rrtype_from_text(type, strlen(type), &qtype), 0);
	len = message_build_query(buf, cap, 77, qname.wire, qtype, CLASS_IN, flags & (KIT_DO | KIT_EDNS | KIT_NSID) ? size : 0,
	                          flags & KIT_DO, flags & KIT_NSID);
	assert_true(len > 0);
	return (size_t)len;
}

/* The answer parses to its last octet, and no section holds what belongs in another. */
static void check_parses(const uint8_t *query, const struct engine_result *r)
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;
	int got;

	assert_memory_equal(kit_out, query, 2);
	assert_true(kit_out[2] & 0x80);
	assert_int_equal(message_open(kit_out, r->len, &m), 0);
	for (unsigned i = m.header.qdcount; i; i--)
		assert_int_equal(message_question(&m, &name, &type, &class), 0);
	while ((got = message_next(&m, &rr)) == 1) {
		if (rr.section == 2)
			assert_true(rr.type == RR_SOA || rr.type == RR_NS || rr.type == RR_DS || rr.type == RR_NSEC || rr.type == RR_NSEC3 ||
			            rr.type == RR_RRSIG);
		if (rr.section == 3)
			assert_true(rr.type == RR_A || rr.type == RR_AAAA || rr.type == RR_RRSIG || rr.type == RR_OPT);
	}
	assert_int_equal(got, 0);
	assert_int_equal(reader_left(&m.r), 0);
}

/* Not composed anew, but octet by octet the same: for the first, the second and every further time, and in other case. */
static void ask_cached(const struct store_snapshot *s, size_t cap, const struct engine_result *plain)
{
	static uint8_t out[DNS_MESSAGE_MAX], want[DNS_MESSAGE_MAX], swapped[DNS_MESSAGE_MAX];
	const struct engine_request asked = kit_request;
	struct engine_result r, ours;

	assert_true(asked.len <= sizeof(swapped));
	cache_clear(with_cache.cache);
	for (int i = 0; i < 4; i++) {
		engine_answer(&kit_conf, s, &with_cache, &kit_request, out, cap, &r);
		assert_true(r.cached <= (i > 1 && (r.keepable || r.steered)));
		assert_int_equal(r.len, plain->len);
		assert_memory_equal(out, kit_out, r.len);
		assert_ptr_equal(r.zone, plain->zone);
		assert_int_equal(r.keepable, plain->keepable);
		assert_int_equal(r.rcode, plain->rcode);
		assert_int_equal(r.kind, plain->kind);
		assert_int_equal(r.network, plain->network);
	}
	memcpy(swapped, asked.msg, asked.len);
	for (size_t i = DNS_HEADER_LEN; i < asked.len && i < (size_t)DNS_HEADER_LEN + scratch.query.qname.len; i++)
		if ((swapped[i] | 0x20) >= 'a' && (swapped[i] | 0x20) <= 'z')
			swapped[i] ^= 0x20;
	kit_request.msg = swapped;
	engine_answer(&kit_conf, s, &scratch, &kit_request, want, cap, &ours);
	engine_answer(&kit_conf, s, &with_cache, &kit_request, out, cap, &r);
	assert_int_equal(r.len, ours.len);
	assert_memory_equal(out, want, r.len);
	kit_request = asked;
	/* The scratch is read after the answer, by engine_slip(). */
	engine_answer(&kit_conf, s, &scratch, &kit_request, out, cap, &r);
}

void kit_pin(struct store_snapshot *s)
{
	store_pin(reader, s);
}

void kit_unpin(void)
{
	store_unpin(reader);
}

void kit_ask(const uint8_t *query, size_t len, enum engine_transport transport, size_t cap, struct engine_result *r)
{
	struct store_snapshot s;

	store_pin(reader, &s);
	kit_request.transport = transport;
	kit_request.msg = query;
	kit_request.len = len;
	engine_answer(&kit_conf, &s, &scratch, &kit_request, kit_out, cap, r);
	ask_cached(&s, cap, r);
	store_unpin(reader);
	assert_true(r->len <= cap);
	if (r->len)
		check_parses(query, r);
}

void kit_slip(struct engine_result *r)
{
	engine_slip(&kit_conf, &scratch, &kit_request, kit_out, DNS_MESSAGE_MAX, r);
	check_parses(kit_request.msg, r);
}

/* ---- answers ---- */

struct shown {
	char owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	unsigned count;
	bool is_signed;
};

static int order_shown(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;
	int d = strcmp(x->owner, y->owner);

	return d ? d : strcmp(x->type, y->type);
}

static struct shown *find_shown(struct shown *list, unsigned *n, const char *owner, const char *type)
{
	for (unsigned i = 0; i < *n; i++)
		if (!strcmp(list[i].owner, owner) && !strcmp(list[i].type, type))
			return &list[i];
	assert_true(*n < SETS_MAX);
	snprintf(list[*n].owner, sizeof(list[*n].owner), "%s", owner);
	snprintf(list[*n].type, sizeof(list[*n].type), "%s", type);
	list[*n].count = 0;
	list[*n].is_signed = false;
	return &list[(*n)++];
}

static void show_section(struct text *t, const struct engine_result *r, int section)
{
	static struct shown list[SETS_MAX];
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;
	unsigned n = 0;

	assert_int_equal(message_open(kit_out, r->len, &m), 0);
	for (unsigned i = m.header.qdcount; i; i--)
		assert_int_equal(message_question(&m, &name, &type, &class), 0);
	while (message_next(&m, &rr) == 1) {
		char owner[NAME_TEXT_MAX], of[RRTYPE_TEXT_MAX];
		bool is_sig = rr.type == RR_RRSIG;

		if (rr.section != section || rr.type == RR_OPT)
			continue;
		name_to_text(rr.owner.wire, owner);
		rrtype_text(is_sig ? rrsig_covers(rr.rdata, rr.rdlen) : rr.type, of);
		if (is_sig)
			find_shown(list, &n, owner, of)->is_signed = true;
		else
			find_shown(list, &n, owner, of)->count++;
	}
	qsort(list, n, sizeof(list[0]), order_shown);
	for (unsigned i = 0; i < n; i++) {
		text_fmt(t, "%s%s %s%s", i ? ", " : "", list[i].owner, list[i].type, list[i].is_signed ? "+" : "");
		if (list[i].count != 1)
			text_fmt(t, "*%u", list[i].count);
	}
}

const char *kit_text(const struct engine_result *r)
{
	char rcode[12];

	text_clear(&said);
	if (!r->len)
		return "no answer";
	text_fmt(&said, "%s%s%s", rcode_text(r->rcode, rcode), kit_out[2] & 4 ? " AA" : "", kit_out[2] & 2 ? " TC" : "");
	for (int section = 1; section <= 3; section++) {
		text_str(&said, " | ");
		show_section(&said, r, section);
	}
	return said.chars;
}

void kit_expect(const char *name, const char *type, unsigned flags, const char *want)
{
	struct engine_result r;
	uint8_t query[300];
	size_t len = kit_query(name, type, flags, 1232, query, sizeof(query));

	kit_ask(query, len, ENGINE_TCP, DNS_MESSAGE_MAX, &r);
	if (strcmp(kit_text(&r), want) != 0)
		fail_msg("%s %s%s\n  got  %s\n  want %s", name, type, flags & KIT_DO ? " DO" : "", kit_text(&r), want);
}

const char *kit_records(const struct engine_result *r, int section)
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;

	text_clear(&said);
	assert_int_equal(message_open(kit_out, r->len, &m), 0);
	for (unsigned i = m.header.qdcount; i; i--)
		assert_int_equal(message_question(&m, &name, &type, &class), 0);
	while (message_next(&m, &rr) == 1) {
		struct reader at = {.base = kit_out, .len = r->len, .pos = rr.rdata_pos};
		char owner[NAME_TEXT_MAX], of[RRTYPE_TEXT_MAX];
		uint8_t rdata[4096];
		struct writer w = writer_of(rdata, sizeof(rdata));

		if (rr.section != section || rr.type == RR_OPT)
			continue;
		assert_int_equal(rdata_from_wire(rr.type, &at, rr.rdlen, &w), 0);
		name_to_text(rr.owner.wire, owner);
		text_fmt(&said, "%s %u %s ", owner, rr.ttl, rrtype_text(rr.type, of));
		rdata_to_text(rr.type, rdata, w.pos, &said);
		text_char(&said, '\n');
	}
	return said.chars;
}
