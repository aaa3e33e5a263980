/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer engine over small zones: one row a question, with what must come back. The wildcard rows are RFC 4592 2.2.1's. */
#include "answer/engine.h"
#include "base/diag.h"
#include "limit/prefix_set.h"
#include "zone/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t root[1] = {0};
static _Atomic uint64_t pin;
static struct store_reader *reader;
static struct engine_scratch scratch;
static uint8_t out[DNS_MESSAGE_MAX];

/* RFC 4592 2.2.1 */
static const char wildcards[] =
	"$TTL 3600\n@ SOA ns host 1 2 3 4 600\n@ NS ns.example.com.\n@ NS ns.example.net.\n* TXT \"this is a wildcard\"\n"
	"* MX 10 host1\nsub.* TXT \"this is not a wildcard\"\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 22 host1\n"
	"_ssh._tcp.host2 SRV 0 0 22 host2\nsubdel NS ns.example.com.\nsubdel NS ns.example.net.\n";
static const char plain[] =
	"$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\nwww CNAME web\nweb A 192.0.2.2\nself CNAME self\none CNAME two\n"
	"two CNAME one\nnowhere CNAME nothing\naway CNAME host1.example.\nd DNAME example.\ndel NS ns.del\nns.del A 192.0.2.3\n"
	"sec NS ns.sec\nns.sec A 192.0.2.4\nsec DS 1 13 200 00\ndeep.ent A 192.0.2.5\n@ MX 5 mx\nmx A 192.0.2.6\nmx AAAA 2001:db8::6\n"
	"$GENERATE 1-50 big TXT \"number $ of many, so that they do not fit\"\n";

static int take(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_add(ctx, rr, place);
}

static void put(struct store_writer *w, const char *name, const char *text)
{
	struct store_zone_meta meta = {.state = text ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = UINT32_MAX, .source = ""};
	struct content *c = NULL;
	struct diag diag;
	struct name apex;

	assert_int_equal(name_from_text(name, strlen(name), root, &apex), 0);
	diag_init(&diag);
	if (text) {
		struct zonefile_options o = {.origin = apex.wire, .rclass = CLASS_IN, .on_record = take};

		o.ctx = c = content_new(apex.wire);
		assert_int_equal(zonefile_parse_bytes(name, text, strlen(text), false, &o, &diag), 0);
		assert_int_equal(content_finish(c), 0);
	}
	assert_int_equal(store_put_zone(w, apex.wire, c, &meta), 0);
	content_free(c);
	diag_done(&diag);
}

static int set_up(void **state)
{
	_Atomic uint64_t *pins[1] = {&pin};
	struct store_open_info info;
	struct store_writer *w;
	char path[64], lock[80];
	uint64_t g;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/zonecast-test-engine-%d", getpid());
	atomic_store(&pin, STORE_UNPINNED);
	assert_int_equal(store_writer_open(path, pins, 1, &w, &info), 0);
	put(w, "example", wildcards);
	put(w, "plain.test", plain);
	put(w, "broken.test", NULL);
	assert_int_equal(store_commit(w, &g), 0);
	store_writer_close(w);
	assert_int_equal(store_reader_open(path, &pin, &reader), 0);
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store_reader_close(reader);
	return 0;
}

static void answer(const uint8_t *query, size_t len, enum engine_transport transport, struct engine_result *r)
{
	struct engine_config conf = {.identity = {.nsid = "test-node", .version = "zonecast test"}, .udp_max = DNS_UDP_DEFAULT};
	const struct engine_request request = {.transport = transport, .client = {.family = 4}, .msg = query, .len = len};
	struct store_snapshot s;

	store_pin(reader, &s);
	engine_answer(&conf, &s, &scratch, &request, out, sizeof(out), r);
	store_unpin(reader);
}

static const struct row {
	const char *name, *type;
	unsigned rcode;
	bool aa;
	unsigned answers, authorities, additionals; /* OPT not counted */
} rows[] = {
	/* RFC 4592 2.2.1: synthesized */
	{"host3.example.", "MX", RCODE_NOERROR, true, 1, 0, 1},
	{"host3.example.", "A", RCODE_NOERROR, true, 0, 1, 0},
	{"foo.bar.example.", "TXT", RCODE_NOERROR, true, 1, 0, 0},
	/* not synthesized: the name, or something on the way to it, exists */
	{"host1.example.", "MX", RCODE_NOERROR, true, 0, 1, 0},
	{"sub.*.example.", "MX", RCODE_NOERROR, true, 0, 1, 0},
	{"_telnet._tcp.host1.example.", "SRV", RCODE_NXDOMAIN, true, 0, 1, 0},
	{"host.subdel.example.", "A", RCODE_NOERROR, false, 0, 2, 0},
	{"ghost.*.example.", "MX", RCODE_NXDOMAIN, true, 0, 1, 0},
	{"*.example.", "TXT", RCODE_NOERROR, true, 1, 0, 0},
	{"host2.example.", "SRV", RCODE_NOERROR, true, 0, 1, 0}, /* an empty non-terminal */
	/* the rest */
	{"plain.test.", "SOA", RCODE_NOERROR, true, 1, 0, 0},
	{"PLAIN.Test.", "NS", RCODE_NOERROR, true, 1, 0, 1},
	{"plain.test.", "MX", RCODE_NOERROR, true, 1, 0, 2},
	{"plain.test.", "ANY", RCODE_NOERROR, true, 1, 0, 1},
	{"www.plain.test.", "A", RCODE_NOERROR, true, 2, 0, 0},
	{"www.plain.test.", "CNAME", RCODE_NOERROR, true, 1, 0, 0},
	{"www.plain.test.", "AAAA", RCODE_NOERROR, true, 1, 1, 0},
	{"self.plain.test.", "A", RCODE_NOERROR, true, 1, 0, 0},
	{"one.plain.test.", "A", RCODE_NOERROR, true, 2, 0, 0},
	{"nowhere.plain.test.", "A", RCODE_NXDOMAIN, true, 1, 1, 0},
	{"away.plain.test.", "A", RCODE_NOERROR, true, 2, 0, 0},
	{"host1.d.plain.test.", "A", RCODE_NOERROR, true, 3, 0, 0},
	{"d.plain.test.", "A", RCODE_NOERROR, true, 0, 1, 0},
	{"x.del.plain.test.", "A", RCODE_NOERROR, false, 0, 1, 1},
	{"del.plain.test.", "NS", RCODE_NOERROR, false, 0, 1, 1},
	{"del.plain.test.", "DS", RCODE_NOERROR, true, 0, 1, 0},
	{"sec.plain.test.", "DS", RCODE_NOERROR, true, 1, 0, 0},
	{"ns.del.plain.test.", "A", RCODE_NOERROR, false, 0, 1, 1},
	{"ent.plain.test.", "A", RCODE_NOERROR, true, 0, 1, 0},
	{"no.plain.test.", "A", RCODE_NXDOMAIN, true, 0, 1, 0},
	{"plain.test.", "AXFR", RCODE_REFUSED, false, 0, 0, 0},
	{"x.broken.test.", "A", RCODE_SERVFAIL, false, 0, 0, 0},
	{"elsewhere.", "A", RCODE_REFUSED, false, 0, 0, 0},
	{".", "NS", RCODE_REFUSED, false, 0, 0, 0},
};

static size_t build(const char *name, const char *type, uint16_t size, uint8_t *query, size_t cap)
{
	struct name qname;
	uint16_t qtype;
	int len;

	assert_int_equal(name_from_text(name, strlen(name), root, &qname), 0);
	assert_int_equal(rrtype_from_text(type, strlen(type), &qtype), 0);
	len = message_build_query(query, cap, 77, qname.wire, qtype, CLASS_IN, size, false, size != 0);
	assert_true(len > 0);
	return (size_t)len;
}

/* Counts by section, OPT left out; the message must parse to its last octet. */
static void count(const struct engine_result *r, unsigned counts[4], char nsid[64])
{
	struct message_rr rr;
	struct message m;
	struct name name;
	uint16_t type, class;
	int got;

	memset(counts, 0, 4 * sizeof(*counts));
	nsid[0] = '\0';
	assert_int_equal(message_open(out, r->len, &m), 0);
	for (unsigned i = m.header.qdcount; i; i--)
		assert_int_equal(message_question(&m, &name, &type, &class), 0);
	while ((got = message_next(&m, &rr)) == 1) {
		if (rr.type != RR_OPT)
			counts[rr.section]++;
		else if (rr.rdlen > 4 && get_u16(rr.rdata) == EDNS_NSID)
			snprintf(nsid, 64, "%.*s", rr.rdlen - 4, (const char *)rr.rdata + 4);
	}
	assert_int_equal(got, 0);
	assert_int_equal(reader_left(&m.r), 0);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int edns = 0; edns < 2; edns++) {
			const struct row *w = &rows[i];
			struct engine_result r;
			unsigned counts[4];
			uint8_t query[300];
			char nsid[64];
			size_t len = build(w->name, w->type, edns ? 1232 : 0, query, sizeof(query));

			answer(query, len, ENGINE_TCP, &r);
			count(&r, counts, nsid);
			if (r.rcode != w->rcode || ((out[2] & 4) != 0) != w->aa || counts[1] != w->answers || counts[2] != w->authorities ||
			    counts[3] != w->additionals)
				fail_msg("%s %s: rcode %u aa %d sections %u %u %u", w->name, w->type, r.rcode, (out[2] & 4) != 0, counts[1], counts[2],
				         counts[3]);
			assert_string_equal(nsid, edns ? "test-node" : "");
			assert_memory_equal(out + 12, query + 12, strlen(w->name) > 1 ? 5 : 1); /* the question, in the case asked */
		}
}

static void test_truncation(void **state)
{
	uint8_t query[300];
	size_t len = build("big.plain.test.", "TXT", 1232, query, sizeof(query));
	struct engine_result r;
	unsigned counts[4];
	char nsid[64];

	(void)state;
	for (uint16_t size = 0; size < 4096; size = (uint16_t)(size + 61)) {
		put_u16(query + len - 4 - 4 - 4, size); /* the OPT's class, before TTL, length and the NSID option */
		answer(query, len, ENGINE_UDP, &r);
		assert_true(r.len <= MAX(MIN(size, (uint16_t)1232), (uint16_t)512));
		assert_true(r.truncated);
		count(&r, counts, nsid);
		assert_int_equal(counts[1], 0); /* a set is there whole or not at all */
	}
	answer(query, len, ENGINE_TCP, &r);
	assert_false(r.truncated);
	count(&r, counts, nsid);
	assert_int_equal(counts[1], 50);
}

static void test_errors(void **state)
{
	uint8_t query[300];
	size_t len = build("plain.test.", "SOA", 1232, query, sizeof(query));
	struct engine_result r;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		answer(query, cut, ENGINE_UDP, &r);
		if (cut < DNS_HEADER_LEN) {
			assert_int_equal(r.len, 0);
			continue;
		}
		assert_int_equal(r.rcode, RCODE_FORMERR);
	}
	query[2] = 0x80; /* a response */
	answer(query, len, ENGINE_UDP, &r);
	assert_int_equal(r.len, 0);
	query[2] = 0x10; /* opcode STATUS */
	answer(query, len, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_NOTIMP);
	query[2] = 0x28; /* UPDATE */
	answer(query, len, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_NOTIMP);
	query[2] = 0;
	query[len - 4 - 2 - 3] = 1; /* EDNS version 1: second octet of the TTL */
	answer(query, len, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_BADVERS);
	assert_int_equal(out[3] & 15, 0);
	query[len - 4 - 2 - 3] = 0;
	query[5] = 2; /* QDCOUNT */
	answer(query, len, ENGINE_UDP, &r);
	assert_int_equal(r.rcode, RCODE_FORMERR);
}

/* Who answers wrongly in a drill is still to be known by its number: an octet more or less there is another worker's. */
static void test_wrong_worker_tells_its_number(void **state)
{
	static const struct ip_prefix here = {.addr = {.family = 4}, .len = 0};
	struct engine_config conf = {.identity = {.nsid = "test-node"}, .udp_max = DNS_UDP_DEFAULT, .wrong = true, .worker = 3};
	struct engine_request request = {.transport = ENGINE_UDP, .client = {.family = 4}};
	struct prefix_set *own;
	struct engine_result r;
	struct store_snapshot s;
	struct name qname;
	uint8_t query[300];
	int len;

	(void)state;
	assert_int_equal(prefix_set_make(&here, 1, &own), 0);
	conf.own = own;
	assert_int_equal(name_from_text("worker.zonecast.", 16, root, &qname), 0);
	len = message_build_query(query, sizeof(query), 77, qname.wire, RR_TXT, CLASS_CH, 0, false, false);
	assert_true(len > 0);
	request.msg = query;
	request.len = (size_t)len;
	store_pin(reader, &s);
	engine_answer(&conf, &s, &scratch, &request, out, sizeof(out), &r);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	assert_true(r.len > 2);
	assert_memory_equal(out + r.len - 2, "\x01" "3", 2);
	store_unpin(reader);
	prefix_set_free(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong_worker_tells_its_number), cmocka_unit_test(test_rows), cmocka_unit_test(test_truncation), cmocka_unit_test(test_errors)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
