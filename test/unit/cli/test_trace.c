/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace without sockets: who is asked for which name, what answers say, which of them are the same, and how that looks in 80 columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/trace.h"
#include "dns/message.h"

#define LONG_NODE "a-node-whose-name-is-as-long-as-a-name-may-be-in-a-fleet-file01"

static const char yaml[] =
	"fleet: t\n"
	"networks:\n"
	"  - {name: global, prefixes: [192.0.2.0/24, \"2001:db8:53::/48\"], addresses: [192.0.2.53, "
	"\"2001:db8:53::53\"], as: 64500}\n"
	"  - {name: eu, prefixes: [192.0.3.0/24], addresses: [192.0.3.53], as: 64500}\n"
	"nodes:\n"
	"  - {name: hid, role: primary, management: [10.0.0.9]}\n"
	"  - {name: fra, role: pop, networks: [global, eu], management: [10.0.0.1, "
	"\"2001:db8:1234:5678:9abc:def0:1234:5678\"], bgp: {router-id: 10.0.0.1}}\n"
	"  - {name: " LONG_NODE
	", role: pop, networks: [global], management: [10.0.0.2, \"fd00::2\"], bgp: {router-id: 10.0.0.2}}\n"
	"  - {name: ams, role: pop, networks: [eu], management: [10.0.0.3], bgp: {router-id: 10.0.0.3}}\n"
	"zones:\n"
	"  - {name: example, file: /nowhere/example.zone, network: global}\n"
	"  - {name: sub.example, file: /nowhere/sub.zone, network: eu}\n"
	"  - {name: alone, file: /nowhere/alone.zone}\n";
static struct config *config;

static int set_up(void **state)
{
	struct diag diag;
	int rc;

	(void)state;
	diag_init(&diag);
	rc = config_parse("/nowhere/fleet.yaml", yaml, sizeof(yaml) - 1, &diag, &config);
	if (rc < 0)
		cli_diag_print(stderr, &diag);
	diag_done(&diag);
	return rc;
}

static int tear_down(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static int begin(struct trace *t, const char *text, const char *network, uint8_t family, char why[TRACE_WHY_MAX])
{
	static const uint8_t root[1] = {0};
	struct name name;

	assert_int_equal(name_from_text(text, strlen(text), root, &name), 0);
	return trace_init(t, config, &name, RR_A, network, family, why);
}

/* "anycast 192.0.2.53, fra 10.0.0.1" */
static void targets_text(const struct trace *t, char *out, size_t cap)
{
	size_t at = 0;
	char a[ADDR_TEXT_MAX];

	*out = '\0';
	for (size_t i = 0; i < t->count && at < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s %s", i ? ", " : "",
		                       !t->targets[i].node                          ? "any"
		                       : strcmp(t->targets[i].node, LONG_NODE) == 0 ? "long"
		                                                                    : t->targets[i].node,
		                       addr_text(&t->targets[i].at.addr, a));
}

static void test_targets(void **state)
{
	static const struct {
		const char *name, *network;
		uint8_t family;
		int rc;
		const char *zone; /* NULL: none */
		const char *targets;
	} cases[] = {
		{"www.example", NULL, 4, 0, "example", "any 192.0.2.53, hid 10.0.0.9, fra 10.0.0.1, long 10.0.0.2"},
		{"www.example", NULL, 6, 0, "example",
	         "any 2001:db8:53::53, fra 2001:db8:1234:5678:9abc:def0:1234:5678, long fd00::2"},
		{"WWW.Sub.Example", NULL, 4, 0, "sub.example",
	         "any 192.0.3.53, hid 10.0.0.9, fra 10.0.0.1, ams 10.0.0.3"},
		{"example", NULL, 6, 0, "example",
	         "any 2001:db8:53::53, fra 2001:db8:1234:5678:9abc:def0:1234:5678, long fd00::2"},
		{"www.example", "eu", 4, 0, "example", "any 192.0.3.53, hid 10.0.0.9, fra 10.0.0.1, ams 10.0.0.3"},
		{"x.alone", NULL, 0, 0, "alone", "hid 10.0.0.9"},
		{"member.of.catalog", "eu", 6, 0, NULL, "fra 2001:db8:1234:5678:9abc:def0:1234:5678"},
		{"member.of.catalog", NULL, 0, ERR_NOT_FOUND, NULL,
	         "no zone of the fleet file holds member.of.catalog.: name its network with --network"},
		{"www.example", "us", 0, ERR_NOT_FOUND, NULL, "the fleet file has no network \"us\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[1024], why[TRACE_WHY_MAX] = "", apex[NAME_TEXT_MAX];
		struct trace t;

		assert_int_equal(begin(&t, cases[i].name, cases[i].network, cases[i].family, why), cases[i].rc);
		if (cases[i].rc) {
			assert_string_equal(why, cases[i].targets);
			continue;
		}
		targets_text(&t, text, sizeof(text));
		assert_string_equal(text, cases[i].targets);
		assert_int_equal(!t.zone, !cases[i].zone);
		if (t.zone) {
			name_to_text(t.zone->apex, apex);
			assert_int_equal(strncmp(apex, cases[i].zone, strlen(cases[i].zone)), 0);
			assert_int_equal(strlen(apex), strlen(cases[i].zone) + 1);
		}
		trace_done(&t);
	}
}

/* ---- messages ---- */

struct given {
	uint16_t flags; /* with the rcode */
	const char *const *
		rr; /* "www.example. A 192.0.2.1", NULL at the end: in this order; "authority" and "additional" begin those sections */
	const char *nsid;
	int ede;           /* -1: none; -2: none, but a client subnet, 198.51.100.0/24 with scope 20 */
	unsigned extended; /* rcode's upper bits */
};

static void put_name(struct writer *w, const char *text)
{
	static const uint8_t root[1] = {0};
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	writer_bytes(w, n.wire, n.len);
}

static void put_rr(struct writer *w, const char *line)
{
	static const uint8_t root[1] = {0};
	char owner[256], type[32];
	struct rdata_problem problem;
	uint16_t number;
	size_t at;
	int used = 0;

	assert_int_equal(sscanf(line, "%255s %31s %n", owner, type, &used), 2);
	assert_int_equal(rrtype_from_text(type, strlen(type), &number), 0);
	put_name(w, owner);
	writer_u16(w, number);
	writer_u16(w, CLASS_IN);
	writer_u32(w, 300);
	at = w->pos;
	writer_u16(w, 0);
	assert_int_equal(rdata_from_string(number, line + used, root, w, &problem), 0);
	put_u16(w->base + at, (uint16_t)(w->pos - at - 2));
}

static size_t make(const struct given *g, uint8_t *msg, size_t cap)
{
	struct writer w = writer_of(msg, cap);
	uint16_t counts[4] = {0, 0, 0, 1};
	int section = 1;
	size_t at;

	writer_u16(&w, 7);
	writer_u16(&w, (uint16_t)(DNS_QR | g->flags));
	for (int i = 0; i < 4; i++)
		writer_u16(&w, i == 0);
	put_name(&w, "www.example");
	writer_u16(&w, RR_A);
	writer_u16(&w, CLASS_IN);
	for (size_t i = 0; g->rr && g->rr[i]; i++) {
		if (strcmp(g->rr[i], "authority") == 0 || strcmp(g->rr[i], "additional") == 0) {
			section = g->rr[i][1] == 'u' ? 2 : 3;
			continue;
		}
		put_rr(&w, g->rr[i]);
		counts[section]++;
	}
	writer_u8(&w, 0);
	writer_u16(&w, RR_OPT);
	writer_u16(&w, 1232);
	writer_u32(&w, g->extended << 24);
	at = w.pos;
	writer_u16(&w, 0);
	if (g->nsid) {
		writer_u16(&w, EDNS_NSID);
		writer_u16(&w, (uint16_t)strlen(g->nsid));
		writer_bytes(&w, g->nsid, strlen(g->nsid));
	}
	if (g->ede >= 0) {
		writer_u16(&w, EDNS_EDE);
		writer_u16(&w, 7);
		writer_u16(&w, (uint16_t)g->ede);
		writer_bytes(&w, "stale", 5);
	}
	if (g->ede == -2)
		writer_bytes(&w, "\0\10\0\7\0\1\30\24\306\63\144", 11);
	assert_true(writer_ok(&w));
	put_u16(w.base + at, (uint16_t)(w.pos - at - 2));
	for (int i = 1; i < 4; i++)
		put_u16(w.base + 4 + 2 * i, counts[i]);
	return w.pos;
}

#define LIST(...)                                                                                                      \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__, NULL                                                                                      \
	}

static void test_answers(void **state)
{
	static const char *const expected[] = {"www.example. 300 IN A 192.0.2.1", "www.example. 300 IN A 192.0.2.2",
	                                       "example. 300 IN SOA ns.example. host.example. 42 1 2 3 4"};
	const struct given g = {.flags = DNS_AA | RCODE_NXDOMAIN,
	                        .rr = LIST("WWW.example A 192.0.2.2", "www.EXAMPLE A 192.0.2.1", "authority",
	                                   "example SOA ns.example. host.example. 42 1 2 3 4", "additional",
	                                   "ns.example A 192.0.2.9"),
	                        .nsid = "fra\1\xff\\",
	                        .ede = 3,
	                        .extended = 1};
	struct given other = g;
	struct trace_answer a, b;
	uint8_t msg[1024];
	size_t len = make(&g, msg, sizeof(msg));

	(void)state;
	assert_int_equal(trace_answer_read(msg, len, &a), 0);
	assert_int_equal(a.rcode, RCODE_NXDOMAIN + 16);
	assert_true(a.aa && !a.tc && a.has_serial);
	assert_int_equal(a.serial, 42);
	assert_int_equal(a.size, len);
	assert_string_equal(a.nsid, "fra\\001\\255\\092");
	assert_int_equal(a.ede_count, 1);
	assert_int_equal(a.ede[0].code, 3);
	assert_string_equal(a.ede[0].text, "stale");
	assert_int_equal(a.record_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(a.records[i].text, expected[i]);
	/* Order, letters and the additional section do not count. */
	other.rr = LIST("www.example A 192.0.2.1", "www.example A 192.0.2.2", "authority",
	                "example SOA ns.example. host.example. 42 1 2 3 4");
	len = make(&other, msg, sizeof(msg));
	assert_int_equal(trace_answer_read(msg, len, &b), 0);
	assert_true(a.digest == b.digest);
	trace_answer_done(&b);
	other.rr = LIST("www.example A 192.0.2.1", "www.example A 192.0.2.3", "authority",
	                "example SOA ns.example. host.example. 42 1 2 3 4");
	len = make(&other, msg, sizeof(msg));
	assert_int_equal(trace_answer_read(msg, len, &b), 0);
	assert_true(a.digest != b.digest);
	/* Cut off anywhere it is an error, or all that was read is given back: the sanitizers watch. */
	for (size_t cut = 0; cut < len; cut++) {
		struct trace_answer c;

		if (trace_answer_read(msg, cut, &c) == 0)
			fail_msg("%zu octets of %zu are taken for an answer", cut, len);
	}
	trace_answer_done(&a);
	trace_answer_done(&b);
}

/* What is told of the client, and what comes back of it. */
static void test_subnet(void **state)
{
	static const struct {
		const char *subnet;
		uint8_t option[16];
		size_t len;
	} cases[] = {
		{"198.51.100.0/24", {0, 1, 24, 0, 198, 51, 100}, 7},
		{"198.51.100.128/25", {0, 1, 25, 0, 198, 51, 100, 128}, 8},
		{"0.0.0.0/0", {0, 1, 0, 0}, 4},
		{"2001:db8:500::/40", {0, 2, 40, 0, 0x20, 1, 0xd, 0xb8, 5}, 9},
	};
	struct given g = {.flags = DNS_AA, .rr = LIST("www.example A 192.0.2.1"), .nsid = "fra", .ede = -1};
	struct trace_answer a;
	uint8_t msg[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix p;
		struct query q;
		int len = message_build_query(msg, sizeof(msg), 7, (const uint8_t *)"\1a", RR_A, CLASS_IN, 1232, false, true);

		assert_true(len > 0);
		assert_int_equal(prefix_parse(cases[i].subnet, &p), 0);
		assert_int_equal(message_add_subnet(msg, (size_t)len + 7, (size_t)len, 4, &p), ERR_NO_SPACE);
		len = message_add_subnet(msg, sizeof(msg), (size_t)len, 4, &p);
		assert_true(len > 0);
		assert_int_equal(query_parse(msg, (size_t)len, &q), QUERY_OK);
		assert_true(q.want_nsid);
		assert_non_null(q.ecs);
		assert_int_equal(q.ecs_len, cases[i].len);
		assert_memory_equal(q.ecs, cases[i].option, cases[i].len);
	}
	assert_int_equal(trace_answer_read(msg, make(&g, msg, sizeof(msg)), &a), 0);
	assert_int_equal(a.scope, -1);
	trace_answer_done(&a);
	g.ede = -2;
	assert_int_equal(trace_answer_read(msg, make(&g, msg, sizeof(msg)), &a), 0);
	assert_int_equal(a.scope, 20);
	trace_answer_done(&a);
}

/* ---- comparison ---- */

static const struct given good = {.flags = DNS_AA, .rr = LIST("www.example A 192.0.2.1"), .nsid = "fra", .ede = -1};

static void answer(struct trace_target *w, struct given g, const char *nsid, int64_t serial)
{
	uint8_t msg[2048];
	size_t len;

	g.nsid = nsid;
	len = make(&g, msg, sizeof(msg));
	assert_int_equal(trace_answer_read(msg, len, &w->answer), 0);
	w->answered = true;
	w->ms = 1.25;
	w->has_serial = serial >= 0;
	w->serial = serial >= 0 ? (uint32_t)serial : 0;
}

/* All of www.example's targets answer alike: two anycast addresses, hid, fra twice, the long one twice. */
static void all_good(struct trace *t)
{
	char why[TRACE_WHY_MAX];

	assert_int_equal(begin(t, "www.example", NULL, 0, why), 0);
	assert_int_equal(t->count, 7);
	for (size_t i = 0; i < t->count; i++)
		answer(&t->targets[i], good, t->targets[i].node ? t->targets[i].node : "fra", 7);
}

static void again(struct trace_target *w, struct given g, const char *nsid, int64_t serial)
{
	trace_answer_done(&w->answer);
	answer(w, g, nsid, serial);
}

static void test_compare(void **state)
{
	static const char *const one[] = {"www.example A 192.0.2.1", NULL}, *const nine[] = {"www.example A 192.0.2.9",
	                                                                                     NULL};
	static const char *const two[] = {"www.example A 192.0.2.1", "www.example A 192.0.2.2", NULL};
	static const struct {
		const char *what;
		struct given given;
		const char *nsid;
		int64_t serial;
		size_t at; /* the target that has it */
		size_t same, different, strange;
		const char *said; /* in the text */
	} cases[] = {
		{"the same", {DNS_AA, NULL, NULL, -1, 0}, "fra", 7, SIZE_MAX, 7, 0, 0, "All 7 answers are the same."},
		{"rcode",
	         {DNS_AA | RCODE_SERVFAIL, NULL, NULL, -1, 0},
	         "fra",
	         7,
	         3,
	         6,
	         1,
	         0,
	         "    rcode    NOERROR                            SERVFAIL\n"},
		{"not authoritative",
	         {0, one, NULL, -1, 0},
	         "fra",
	         7,
	         3,
	         6,
	         1,
	         0,
	         "    AA       yes                                no\n"},
		{"serial",
	         {DNS_AA, one, NULL, -1, 0},
	         "fra",
	         6,
	         3,
	         6,
	         1,
	         0,
	         "    serial   7                                  6\n"},
		{"no serial",
	         {DNS_AA, one, NULL, -1, 0},
	         "fra",
	         -1,
	         4,
	         6,
	         1,
	         0,
	         "    serial   7                                  none\n"},
		{"a record more",
	         {DNS_AA, two, NULL, -1, 0},
	         "fra",
	         7,
	         4,
	         6,
	         1,
	         0,
	         "    + www.example. 300 IN A 192.0.2.2\n"},
		{"another record",
	         {DNS_AA, nine, NULL, -1, 0},
	         "fra",
	         7,
	         4,
	         6,
	         1,
	         0,
	         "    - www.example. 300 IN A 192.0.2.1\n    + www.example. 300 IN A 192.0.2.9\n"},
		{"EDE",
	         {DNS_AA, one, NULL, 3, 0},
	         "fra",
	         7,
	         4,
	         6,
	         1,
	         0,
	         "    EDE      none                               3\n"},
		{"another node",
	         {DNS_AA, one, NULL, -1, 0},
	         "ams",
	         7,
	         3,
	         6,
	         0,
	         1,
	         "somebody else answers at this node's address"},
		{"not of the network",
	         {DNS_AA, one, NULL, -1, 0},
	         "ams",
	         7,
	         0,
	         6,
	         0,
	         1,
	         "-> ams\n    no pop of the network has that name"},
		{"the primary at the anycast address",
	         {DNS_AA, one, NULL, -1, 0},
	         "hid",
	         7,
	         1,
	         6,
	         0,
	         1,
	         "-> hid\n    no pop of the network has that name"},
		{"no name", {DNS_AA, one, NULL, -1, 0}, NULL, 7, 0, 6, 0, 1, "does not tell its name (NSID)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trace t;
		struct text out;
		json_t *o;

		all_good(&t);
		if (cases[i].at != SIZE_MAX)
			again(&t.targets[cases[i].at], cases[i].given, cases[i].nsid, cases[i].serial);
		trace_compare(&t);
		if (t.same != cases[i].same || t.different != cases[i].different || t.strange != cases[i].strange ||
		    t.lost)
			fail_msg("%s: same %zu different %zu strange %zu lost %zu", cases[i].what, t.same, t.different,
			         t.strange, t.lost);
		assert_int_equal(trace_agrees(&t), cases[i].at == SIZE_MAX);
		text_init(&out);
		trace_text(&t, false, &out);
		if (!strstr(out.chars, cases[i].said))
			fail_msg("%s: not said in\n%s", cases[i].what, out.chars);
		text_done(&out);
		o = trace_json(&t);
		assert_int_equal(json_integer_value(json_object_get(o, "different")), cases[i].different);
		assert_int_equal(json_array_size(json_object_get(o, "answers")), 7);
		json_decref(o);
		trace_done(&t);
	}
}

static void test_groups_and_silence(void **state)
{
	struct given other = good;
	struct trace t;
	struct text out;

	(void)state;
	all_good(&t);
	other.rr = LIST("www.example A 192.0.2.9");
	/* The first is silent: the second is what the others are held against. Two differ alike. */
	trace_answer_done(&t.targets[0].answer);
	t.targets[0].answered = false;
	snprintf(t.targets[0].why, sizeof(t.targets[0].why), "no answer to 3 questions in 3 s");
	again(&t.targets[3], other, "fra", 6);
	again(&t.targets[4], other, "fra", 6);
	trace_compare(&t);
	assert_int_equal(t.reference, 1);
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.same, 4);
	assert_int_equal(t.different, 2);
	assert_int_equal(t.targets[4].alike, 3);
	assert_true(t.targets[0].alike == SIZE_MAX);
	text_init(&out);
	trace_text(&t, false, &out);
	assert_non_null(strstr(out.chars, "\nthe same: 4 of 7\n"));
	assert_non_null(strstr(out.chars, "\ndifferent: 2 of 7\n  fra "));
	assert_non_null(strstr(out.chars, "\nno answer: 1 of 7\n  anycast"));
	assert_non_null(strstr(out.chars, "    no answer to 3 questions in 3 s\n"));
	assert_non_null(strstr(out.chars, "Of 7, 2 answer differently, 1 does not answer.\n"));
	assert_null(strstr(out.chars, "\033"));
	text_clear(&out);
	trace_text(&t, true, &out);
	assert_non_null(strstr(out.chars, "\033[31mdifferent: 2 of 7\033[0m"));
	text_done(&out);
	/* Nobody answers. */
	for (size_t i = 0; i < t.count; i++) {
		trace_answer_done(&t.targets[i].answer);
		t.targets[i].answered = false;
	}
	trace_compare(&t);
	assert_true(t.reference == SIZE_MAX && t.lost == 7 && !trace_agrees(&t));
	text_init(&out);
	trace_text(&t, false, &out);
	assert_non_null(strstr(out.chars, "Of 7, 7 do not answer.\n"));
	assert_null(strstr(out.chars, "the same"));
	text_done(&out);
	trace_done(&t);
}

/* The longest names and addresses; lines of records are as long as records are. */
static void test_width(void **state)
{
	struct given other = good;
	struct trace t;
	struct text out;

	(void)state;
	all_good(&t);
	other.rr = LIST("www.example A 192.0.2.9");
	again(&t.targets[0], good, LONG_NODE, 7);
	again(&t.targets[1], good, "ams", 7);
	again(&t.targets[5], other, LONG_NODE, 4294967295);
	trace_answer_done(&t.targets[6].answer);
	t.targets[6].answered = false;
	trace_compare(&t);
	text_init(&out);
	trace_text(&t, false, &out);
	for (char *line = strtok(out.chars, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) > TRACE_WIDTH)
			fail_msg("%zu columns: %s", strlen(line), line);
	text_done(&out);
	trace_done(&t);
}

/* The answer with a subnet: its scope, and the endpoints that it names. */
static void test_choice(void **state)
{
	static struct config_pool_endpoint ends[] = {{.name = "a", .address = {.family = 4, .bytes = {192, 0, 2, 7}}}, {.name = "b", .address = {.family = 4, .bytes = {192, 0, 2, 1}}},
	                                             {.name = "t", .target = (const uint8_t *)"\4edge\7example"}};
	static struct config_pool pool = {.name = "eu", .endpoints = ends, .endpoint_count = 3};
	struct config with = *config;
	struct given g = good;
	struct trace t = {0};
	struct text out;
	json_t *o;

	(void)state;
	all_good(&t);
	with.pools = &pool;
	with.pool_count = 1;
	t.config = &with;
	assert_int_equal(prefix_parse("198.51.100.0/24", &t.subnet), 0);
	g.ede = -2;
	g.rr = LIST("www.example CNAME EDGE.example.", "edge.example A 192.0.2.1");
	for (size_t i = 0; i < t.count; i++)
		again(&t.targets[i], g, t.targets[i].node ? t.targets[i].node : "fra", 7);
	trace_compare(&t);
	text_init(&out);
	trace_text(&t, false, &out);
	assert_non_null(strstr(out.chars, ", for 198.51.100.0/24, network global"));
	assert_non_null(strstr(out.chars, "\nscope: 20 of 24 bits\n"));
	assert_non_null(strstr(out.chars, "\nendpoints: eu/b, eu/t\n"));
	o = trace_json(&t);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(o, "answers"), 0), "scope")), 20);
	assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(o, "answers"), 0), "endpoints")), 2);
	json_decref(o);
	/* Without one the scope is told of nobody. */
	t.subnet.addr.family = 0;
	text_clear(&out);
	trace_text(&t, false, &out);
	assert_null(strstr(out.chars, "scope"));
	text_done(&out);
	trace_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets), cmocka_unit_test(test_answers),
		cmocka_unit_test(test_compare), cmocka_unit_test(test_groups_and_silence),
		cmocka_unit_test(test_width), cmocka_unit_test(test_subnet),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
