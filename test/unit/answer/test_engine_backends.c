/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions for zones with backends in the engine: what the cache has is given with the backend's bits and our OPT, what it has not is for forward.c, what comes late is composed for each client. */
#include "answer/edns.h"
#include "answer/engine.h"
#include "base/wire.h"
#include "edge/mark.h"
#include "edge/zones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1000, POOL = 1, CACHE_OCTETS = 4 << 20, RECORDS = 60 };

static struct engine_scratch scratch;
static const uint8_t mark_key[EDGE_MARK_KEY_LEN] = "0123456789abcde";
static struct engine_pool pools[] = {{.key = 7, .cached = true}, {.key = 8, .cached = true}};
static struct engine_config conf = {.identity = {.nsid = "node1"}, .udp_max = 1232, .pools = pools, .mark_key = mark_key};
static uint8_t out[DNS_MESSAGE_MAX];
static bool down[2];

static int begin(void **state)
{
	const struct edge_zone zones[] = {{(const uint8_t *)"\7example", POOL}, {(const uint8_t *)"\3sub\7example", 0}};
	static const uint64_t key[2] = {1, 2};
	struct edge_zones *z;
	void *memory = calloc(1, CACHE_OCTETS);

	(void)state;
	if (!memory || edge_zones_make(zones, ARRAY_LEN(zones), &z) < 0)
		return -1;
	edge_cache_format(memory, CACHE_OCTETS, key);
	conf.backend_zones = z;
	scratch.backend_now_s = NOW_S;
	scratch.pools_down = down;
	return edge_cache_attach(memory, CACHE_OCTETS, 0, &scratch.backend_cache);
}

static size_t ask_of(uint8_t *msg, const char *name, uint16_t type, uint16_t udp_size, bool nsid)
{
	struct name n;
	int len;

	assert_int_equal(name_from_text(name, strlen(name), (const uint8_t *)"", &n), 0);
	len = message_build_query(msg, 512, 0x1234, n.wire, type, CLASS_IN, udp_size, false, nsid);
	assert_true(len > 0);
	return (size_t)len;
}

static void answer(const uint8_t *msg, size_t len, bool waits, struct engine_result *r)
{
	const struct store_snapshot s = {0};
	const struct engine_request request = {.transport = ENGINE_UDP, .client = {.family = 4, .bytes = {192, 0, 2, 1}}, .port = 99, .msg = msg, .len = len, .waits = waits};

	engine_answer(&conf, &s, &scratch, &request, out, sizeof(out), r);
}

/* What a backend says: so many A records with a TTL. */
static void backend_says(const char *name, unsigned records, uint32_t ttl, uint16_t flags, struct edge_answer *a)
{
	static uint8_t msg[4096];
	struct query q;
	size_t len = ask_of(msg, name, RR_A, 0, false);
	struct writer w = writer_of(msg, sizeof(msg));

	assert_int_equal(query_parse(msg, len, &q), QUERY_OK);
	w.pos = len;
	for (unsigned i = 0; i < records; i++) {
		writer_u16(&w, 0xc00c);
		writer_u16(&w, RR_A);
		writer_u16(&w, CLASS_IN);
		writer_u32(&w, ttl);
		writer_u16(&w, 4);
		writer_u32(&w, 0xc0000200 + i);
	}
	put_u16(msg + 2, DNS_QR | flags);
	put_u16(msg + 6, (uint16_t)records);
	assert_int_equal(edge_answer_parse(msg, w.pos, &q, a), 0);
}

static void keep(const char *name, unsigned records, uint32_t ttl, uint16_t flags, uint32_t stale_s)
{
	static struct edge_answer a;
	const struct edge_limits limits = {.ttl_max_s = 86400, .negative_max_s = 3600, .stale_s = stale_s, .prefetch = 10};
	uint8_t msg[512];
	struct edge_key key;
	struct query q;

	assert_int_equal(query_parse(msg, ask_of(msg, name, RR_A, 0, false), &q), QUERY_OK);
	edge_key_make(scratch.backend_cache, &q, pools[POOL].key, &key);
	backend_says(name, records, ttl, flags, &a);
	edge_cache_put(scratch.backend_cache, &key, NULL, &a, &limits, NOW_S);
}

static void test_misses(void **state)
{
	static const struct { const char *name; uint32_t pool; } rows[] = {{"a.example.", POOL}, {"EXAMPLE.", POOL}, {"x.sub.example.", 0}, {"SUB.example.", 0}, {"xsub.example.", POOL}};
	struct engine_result r;
	uint8_t msg[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = ask_of(msg, rows[i].name, RR_A, 1232, false);

		answer(msg, len, true, &r);
		assert_true(r.for_backends && !r.len && r.backends == rows[i].pool);
		/* Who cannot wait. */
		answer(msg, len, false, &r);
		assert_true(!r.for_backends && r.len);
		assert_int_equal(r.rcode, RCODE_SERVFAIL);
		assert_int_equal(r.ede, EDE_NO_REACHABLE_AUTHORITY);
	}
	/* The parent is asked for DS: of example. nobody has it, so the child is. */
	answer(msg, ask_of(msg, "sub.example.", RR_DS, 0, false), true, &r);
	assert_true(r.for_backends && r.backends == POOL);
	answer(msg, ask_of(msg, "example.", RR_DS, 0, false), true, &r);
	assert_true(r.for_backends && r.backends == POOL);
}

static void test_hit(void **state)
{
	struct engine_result r;
	uint8_t msg[512];
	size_t len, question = DNS_HEADER_LEN + 13 + 4;

	(void)state;
	keep("hit.example.", 2, 300, DNS_AA | DNS_AD, 0);
	scratch.backend_now_s = NOW_S + 7;
	len = ask_of(msg, "HiT.eXample.", RR_A, 1232, true);
	answer(msg, len, true, &r);
	scratch.backend_now_s = NOW_S;
	assert_true(r.found == EDGE_FRESH && r.len && r.backends == POOL && !r.for_backends && r.keepable && !r.refresh);
	assert_int_equal(get_u16(out), 0x1234);
	assert_int_equal(get_u16(out + 2), DNS_QR | DNS_AA | DNS_AD);
	assert_memory_equal(out + DNS_HEADER_LEN, msg + DNS_HEADER_LEN, question - DNS_HEADER_LEN);
	assert_int_equal(get_u16(out + 6), 2);
	assert_int_equal(get_u16(out + 10), 1); /* our OPT, with NSID */
	assert_int_equal(get_u32(out + question + 6), 293);
	assert_non_null(memmem(out + question, r.len - question, "node1", 5));
	/* Not what another pool says of the name, nor another type. */
	answer(msg, ask_of(msg, "hit.example.", RR_AAAA, 0, false), true, &r);
	assert_true(r.for_backends);
}

/* What may be kept for others who ask so, in the kernel. */
static void test_keepable(void **state)
{
	struct engine_result r;
	uint8_t msg[512];
	size_t len;

	(void)state;
	keep("kept.example.", 1, 300, DNS_AA, 0);
	len = ask_of(msg, "kept.example.", RR_A, 1232, false);
	answer(msg, len, true, &r);
	assert_true(r.found == EDGE_FRESH && r.keepable && !r.zone);
	put_u16(msg + 2, DNS_CD);
	answer(msg, len, true, &r);
	assert_true(!r.keepable);
	put_u16(msg + 2, 0);
	pools[POOL].client_subnet = true;
	answer(msg, len, true, &r);
	assert_true(!r.keepable);
	pools[POOL].client_subnet = false;
	scratch.backend_now_s = NOW_S + 295; /* to be fetched anew, but good yet */
	answer(msg, len, true, &r);
	assert_true(r.found == EDGE_HOT && r.refresh && r.keepable);
	scratch.backend_now_s = NOW_S;
}

static void test_truncation(void **state)
{
	struct engine_result r;
	uint8_t msg[512];

	(void)state;
	keep("big.example.", RECORDS, 300, DNS_AA, 0); /* 60 x 16 octets */
	answer(msg, ask_of(msg, "big.example.", RR_A, 0, false), true, &r);
	assert_true(!r.keepable && r.truncated && r.len <= DNS_UDP_MIN && (get_u16(out + 2) & DNS_TC) && (get_u16(out + 2) & DNS_AA));
	assert_int_equal(get_u16(out + 6), 0);
	answer(msg, ask_of(msg, "big.example.", RR_A, 1232, false), true, &r);
	assert_false(r.truncated);
	assert_int_equal(get_u16(out + 6), RECORDS);
}

static void test_stale(void **state)
{
	struct engine_result r;
	uint8_t msg[512];

	(void)state;
	keep("old.example.", 1, 5, DNS_AA, 3600);
	scratch.backend_now_s = NOW_S + 100;
	answer(msg, ask_of(msg, "old.example.", RR_A, 1232, false), true, &r);
	assert_true(r.for_backends); /* somebody may answer */
	down[POOL] = true;
	answer(msg, ask_of(msg, "old.example.", RR_A, 1232, false), true, &r);
	assert_true(r.found == EDGE_STALE && r.refresh && r.len && !r.keepable);
	assert_int_equal(r.ede, EDE_STALE);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	down[POOL] = false;
	scratch.backend_now_s = NOW_S;
}

static size_t with_mark(uint8_t *msg, const uint8_t mark[EDGE_MARK_LEN])
{
	size_t len = ask_of(msg, "hit.example.", RR_A, 1232, false);

	put_u16(msg + len - 2, 4 + EDGE_MARK_LEN);
	put_u16(msg + len, EDGE_MARK_OPTION);
	put_u16(msg + len + 2, EDGE_MARK_LEN);
	memcpy(msg + len + 4, mark, EDGE_MARK_LEN);
	return len + 4 + EDGE_MARK_LEN;
}

static void test_marks(void **state)
{
	uint8_t msg[512], mark[EDGE_MARK_LEN];
	struct engine_result r;

	(void)state;
	assert_int_equal(EDGE_MARK_OPTION, EDNS_LOCAL_MARK);
	keep("hit.example.", 2, 300, DNS_AA, 0);
	edge_mark_make(mark_key, 4711, mark);
	answer(msg, with_mark(msg, mark), true, &r);
	assert_int_equal(r.rcode, RCODE_REFUSED);
	assert_int_equal(r.mark, 4711);
	mark[3] ^= 1; /* somebody else's: passed on, and not answered from the cache */
	answer(msg, with_mark(msg, mark), true, &r);
	assert_true(r.for_backends && !r.mark);
}

static void test_late(void **state)
{
	static struct edge_answer a;
	struct engine_late late = {.answer = &a, .ede = EDE_NONE};
	struct engine_request request = {.transport = ENGINE_UDP, .client = {.family = 4}};
	struct engine_result r;
	uint8_t msg[512];

	(void)state;
	backend_says("late.example.", 3, 60, DNS_AA | DNS_RA, &a);
	request.msg = msg;
	request.len = ask_of(msg, "LATE.example.", RR_A, 1232, true);
	engine_answer_late(&conf, &scratch, &request, &late, out, sizeof(out), &r);
	assert_int_equal(get_u16(out + 2), DNS_QR | DNS_AA | DNS_RA);
	assert_int_equal(get_u16(out + 6), 3);
	assert_memory_equal(out + DNS_HEADER_LEN, "\4LATE", 5);
	assert_true(r.has_edns && r.qtype == RR_A && r.kind == ENGINE_ANSWER);
	late = (struct engine_late){.rcode = RCODE_SERVFAIL, .ede = EDE_NO_REACHABLE_AUTHORITY};
	engine_answer_late(&conf, &scratch, &request, &late, out, sizeof(out), &r);
	assert_int_equal(r.rcode, RCODE_SERVFAIL);
	assert_int_equal(r.ede, EDE_NO_REACHABLE_AUTHORITY);
	assert_int_equal(r.kind, ENGINE_ERROR);
}

static void test_client_subnet(void **state)
{
	static const uint8_t option4[] = {0, 1, 20, 0, 198, 51, 96}, option6[] = {0, 2, 32, 0, 0x20, 1, 0xd, 0xb8}, none[] = {0, 1, 0, 0};
	const struct ip_addr four = {.family = 4, .bytes = {192, 0, 2, 77}}, six = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5}};
	struct edge_subnet s;
	struct query q = {0};

	(void)state;
	engine_client_subnet(&q, &four, &s);
	assert_true(s.addr.family == 4 && s.prefix == 24);
	assert_memory_equal(s.addr.bytes, "\xc0\x00\x02\x00", 4);
	engine_client_subnet(&q, &six, &s);
	assert_true(s.addr.family == 6 && s.prefix == 56);
	assert_memory_equal(s.addr.bytes, "\x20\x01\x0d\xb8\x01\x02\x03\x00\x00", 9);
	q.ecs = option4;
	q.ecs_len = sizeof(option4);
	engine_client_subnet(&q, &six, &s);
	assert_true(s.addr.family == 4 && s.prefix == 20);
	assert_memory_equal(s.addr.bytes, "\xc6\x33\x60\x00", 4);
	q.ecs = option6;
	q.ecs_len = sizeof(option6);
	engine_client_subnet(&q, &four, &s);
	assert_true(s.addr.family == 6 && s.prefix == 32);
	/* RFC 7871 7.1.2: it does not want to be known. */
	q.ecs = none;
	q.ecs_len = sizeof(none);
	engine_client_subnet(&q, &four, &s);
	assert_true(s.addr.family == 4 && s.prefix == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_misses), cmocka_unit_test(test_hit), cmocka_unit_test(test_keepable), cmocka_unit_test(test_truncation), cmocka_unit_test(test_stale), cmocka_unit_test(test_marks), cmocka_unit_test(test_late),
		cmocka_unit_test(test_client_subnet),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
