/* SPDX-License-Identifier: BSD-2-Clause */
/* What nodes say of themselves: written and read back, and what is made of strings that are not as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/err.h"
#include "fleet/pace.h"
#include "fleet/report.h"

#define NODE "zonecast-status=1 node=fra"
#define NET  "network=global v4=yes,pass,0,0,1 v6=depref,soft,1,1,1 age=312000 load=125 qps=2100 room=14000"

static uint8_t rdata[FLEET_RDATA_MAX];

/* Strings, NULL at the end, as RDATA. */
static size_t strings(const char *const *list)
{
	struct writer w = writer_of(rdata, sizeof(rdata));

	for (; *list; list++) {
		writer_u8(&w, (uint8_t)strlen(*list));
		writer_bytes(&w, (const uint8_t *)*list, strlen(*list));
	}
	assert_true(writer_ok(&w));
	return w.pos;
}

static void assert_family(const struct board_peer_family *f, unsigned announce, unsigned verdict, unsigned causes,
                          unsigned intent, bool answers)
{
	assert_int_equal(f->announce, announce);
	assert_int_equal(f->verdict, verdict);
	assert_int_equal(f->causes, causes);
	assert_int_equal(f->intent, intent);
	assert_int_equal(f->answers, answers);
}

static void test_reads(void **state)
{
	const char *list[] = {"zonecast-status=1 node=fra version=0.1.0 up=86400 config=9f2b00c1a4d5e6f7 generation=12 "
	                      "zones=10 serving=9 networks=2 stopping=1",
	                      NET, NULL};
	struct fleet_report r;

	(void)state;
	assert_int_equal(fleet_report_read(rdata, strings(list), &r), 0);
	assert_string_equal(r.node, "fra");
	assert_string_equal(r.version, "0.1.0");
	assert_int_equal(r.uptime_s, 86400);
	assert_memory_equal(r.config, "\x9f\x2b\x00\xc1\xa4\xd5\xe6\xf7", 8);
	assert_int_equal(r.generation, 12);
	assert_int_equal(r.zones, 10);
	assert_int_equal(r.serving, 9);
	assert_int_equal(r.networks, 2);
	assert_true(r.stopping);
	assert_int_equal(r.count, 1);
	assert_string_equal(r.network[0].name, "global");
	assert_family(&r.network[0].family[0], ANNOUNCE_YES, VERDICT_PASS, 0, 0, true);
	assert_family(&r.network[0].family[1], ANNOUNCE_DEPREF, VERDICT_SOFT, CAUSE_STALE, CAUSE_STALE, true);
	assert_int_equal(r.network[0].data_age_ms, 312000);
	assert_int_equal(r.network[0].load, 125);
	assert_int_equal(r.network[0].qps, 2100);
	assert_int_equal(r.network[0].headroom, 14000);
	assert_ptr_equal(fleet_report_network(&r, "global"), &r.network[0]);
	assert_null(fleet_report_network(&r, "globa"));
}

/* What a newer node may say besides, and what it leaves out. */
static void test_grows(void **state)
{
	static const struct {
		const char *network;
		unsigned announce, verdict, causes, intent;
	} rows[] = {
		{"network=a v4=yes,pass,0,0,1,more,still", ANNOUNCE_YES, VERDICT_PASS, 0, 0},
		{"network=a weather=rain v4=gshut,hard,0,0,1", ANNOUNCE_GSHUT, VERDICT_HARD, 0, 0},
		{"network=a v4=perhaps,quite,0,0,1", ANNOUNCE_NONE, VERDICT_UNKNOWN, 0, 0},
		{"network=a v4=no,soft,7f,100,1", ANNOUNCE_NONE, VERDICT_SOFT, 0x7f,
	         0x80}, /* a cause of tomorrow is one */
		{"network=a", ANNOUNCE_NONE, VERDICT_UNKNOWN, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *list[] = {NODE " mood=good flag", "peers=1 of=another kind", rows[i].network, NULL};
		const struct board_peer_family *f;
		struct fleet_report r;

		print_message("%s\n", rows[i].network);
		assert_int_equal(fleet_report_read(rdata, strings(list), &r), 0);
		assert_int_equal(r.count, 1);
		f = &r.network[0].family[0];
		assert_family(f, rows[i].announce, rows[i].verdict, rows[i].causes, rows[i].intent, f->answers);
		assert_int_equal(r.network[0].headroom, UINT32_MAX);
	}
}

static void test_sees(void **state)
{
	static struct fleet_report r;
	uint8_t small[160];
	struct writer w = writer_of(small, sizeof(small));

	(void)state;
	assert_int_equal(fleet_report_read(rdata, strings((const char *const[]){NODE, "sees=eu v4=good,ams,86400 v6=silent,ams,12", NET,
	                                                                          "sees=us v6=silent,,3,more v5=x mood", "sees=far v4=perhaps,x,1", NULL}),
	                                   &r), 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.sees_count, 3);
	assert_string_equal(r.sees[0].network, "eu");
	assert_int_equal(r.sees[0].family[0].state, OUTSIDE_GOOD);
	assert_string_equal(r.sees[0].family[0].node, "ams");
	assert_int_equal(r.sees[0].family[0].since_s, 86400);
	assert_int_equal(r.sees[0].family[1].state, OUTSIDE_SILENT);
	assert_int_equal(r.sees[0].family[1].since_s, 12);
	assert_int_equal(r.sees[1].family[0].state, OUTSIDE_UNKNOWN);
	assert_string_equal(r.sees[1].family[1].node, "");
	assert_int_equal(r.sees[2].family[0].state, OUTSIDE_UNKNOWN);
	/* What does not fit is left out, with room for what comes behind; the rest stays whole. */
	r.count = 0;
	fleet_report_write(&r, &w);
	assert_true(writer_ok(&w) && w.pos + FLEET_AFTER_MAX <= sizeof(small));
	assert_int_equal(fleet_report_read(small, w.pos, &r), 0);
	assert_int_equal(r.sees_count, 1);
	assert_string_equal(r.sees[0].network, "eu");
}

static void test_pools(void **state)
{
	static struct fleet_report r, back;
	static uint8_t big[8192];
	struct writer w = writer_of(big, sizeof(big));

	(void)state;
	assert_int_equal(fleet_report_read(rdata, strings((const char *const[]){NODE, "pools=3 9f2b00c1a4d5e6f7=7,5 00c1a4d5e6f79f2b=ffffffffffffffff,0,more",
	                                                                         "pools=3 0000000000000001=0,0", NULL}),
	                                   &r),
	                 0);
	assert_int_equal(r.pools, 3);
	assert_int_equal(r.pools_total, 3);
	assert_true(r.pool[0].key == 0x9f2b00c1a4d5e6f7 && r.pool[0].known == 7 && r.pool[0].up == 5);
	assert_true(r.pool[1].known == UINT64_MAX && r.pool[1].up == 0);
	/* As many as there can be come back. */
	memset(&r, 0, sizeof(r));
	strcpy(r.node, "fra");
	r.pools = r.pools_total = FLEET_POOLS_MAX;
	for (uint32_t i = 0; i < r.pools; i++)
		r.pool[i] = (struct fleet_pool){.key = i + 1, .known = UINT64_MAX, .up = i * 0x0101010101010101U};
	fleet_report_write(&r, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(fleet_report_read(big, w.pos, &back), 0);
	assert_int_equal(back.pools, FLEET_POOLS_MAX);
	assert_memory_equal(back.pool, r.pool, sizeof(r.pool));
	/* With less room the first of them; what does not fit makes nothing malformed. */
	w = writer_of(big, 1000);
	fleet_report_write(&r, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(fleet_report_read(big, w.pos, &back), 0);
	assert_in_range(back.pools, 10, FLEET_POOLS_MAX - 1);
	assert_int_equal(back.pools_total, FLEET_POOLS_MAX);
	assert_memory_equal(back.pool, r.pool, back.pools * sizeof(*r.pool));
}

static void test_refuses(void **state)
{
	static const struct {
		const char *name;
		const char *strings[4];
		int err;
	} rows[] = {
		{"nothing", {NULL}, ERR_MALFORMED},
		{"an empty string", {""}, ERR_MALFORMED},
		{"something else", {"v=spf1 -all"}, ERR_MALFORMED},
		{"another form", {"zonecast-status=2 node=fra"}, ERR_UNSUPPORTED},
		{"no number", {"zonecast-status=one node=fra"}, ERR_MALFORMED},
		{"no node", {"zonecast-status=1"}, ERR_MALFORMED},
		{"network first", {NET, NODE}, ERR_MALFORMED},
		{"bad name of the node", {"zonecast-status=1 node=f\"ra"}, ERR_MALFORMED},
		{"empty name of the node", {"zonecast-status=1 node="}, ERR_MALFORMED},
		{"name too long",
	         {"zonecast-status=1 node=aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaa"},
	         ERR_MALFORMED},
		{"version with a control character", {NODE " version=1\x1b[2J"}, ERR_MALFORMED},
		{"version too long", {NODE " version=00000000001111111111222222222233"}, ERR_MALFORMED},
		{"number too large", {NODE " up=4294967296"}, ERR_MALFORMED},
		{"negative number", {NODE " up=-1"}, ERR_MALFORMED},
		{"empty number", {NODE " up="}, ERR_MALFORMED},
		{"number without sign", {NODE " up"}, ERR_MALFORMED},
		{"u32 too large", {NODE, "network=a load=4294967296"}, ERR_MALFORMED},
		{"hash too short", {NODE " config=9f2b00c1a4d5e6"}, ERR_MALFORMED},
		{"hash not hexadecimal", {NODE " config=9f2b00c1a4d5e6fg"}, ERR_MALFORMED},
		{"item without a key", {NODE " =1"}, ERR_MALFORMED},
		{"two blanks", {NODE "  up=1"}, ERR_MALFORMED},
		{"family of four", {NODE, "network=a v4=yes,pass,0,0"}, ERR_MALFORMED},
		{"causes not hexadecimal", {NODE, "network=a v4=yes,pass,x,0,1"}, ERR_MALFORMED},
		{"causes too long", {NODE, "network=a v4=yes,pass,000000000,0,1"}, ERR_MALFORMED},
		{"answers no flag", {NODE, "network=a v4=yes,pass,0,0,2"}, ERR_MALFORMED},
		{"stopping no flag", {NODE " stopping=2"}, ERR_MALFORMED},
		{"a network twice", {NODE, NET, NET}, ERR_MALFORMED},
		{"a network without name", {NODE, "network="}, ERR_MALFORMED},
		{"pools without a number", {NODE, "pools= 0000000000000001=0,0"}, ERR_MALFORMED},
		{"a pool's key is short", {NODE, "pools=1 000000000000001=0,0"}, ERR_MALFORMED},
		{"a pool without its words", {NODE, "pools=1 0000000000000001=0"}, ERR_MALFORMED},
		{"a pool with long words", {NODE, "pools=1 0000000000000001=0,11112222333344445"}, ERR_MALFORMED},
		{"seen without a name", {NODE, "sees= v4=good,fra,1"}, ERR_MALFORMED},
		{"seen twice", {NODE, "sees=a", "sees=a"}, ERR_MALFORMED},
		{"seen with a bad name", {NODE, "sees=a v4=good,f\"a,1"}, ERR_MALFORMED},
		{"good, and nobody", {NODE, "sees=a v4=good,,1"}, ERR_MALFORMED},
		{"seen without a time", {NODE, "sees=a v4=silent,fra"}, ERR_MALFORMED},
		{"seen for too long", {NODE, "sees=a v6=silent,fra,4294967296"}, ERR_MALFORMED},
		{"seen, two blanks", {NODE, "sees=a  v4=good,fra,1"}, ERR_MALFORMED},
	};
	struct fleet_report r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].name);
		assert_int_equal(fleet_report_read(rdata, strings(rows[i].strings), &r), rows[i].err);
	}
	/* Cut anywhere but at the end of a string. */
	for (size_t cut = 1, len = strings((const char *const[]){NODE, NET, NULL}); cut < len; cut++)
		assert_int_equal(fleet_report_read(rdata, cut, &r), cut == 1 + strlen(NODE) ? 0 : ERR_MALFORMED);
}

static void test_counts(void **state)
{
	char many[FLEET_ITEMS_MAX * 2 + 60] = NODE;
	static struct fleet_report r;
	struct writer w = writer_of(rdata, sizeof(rdata));

	(void)state;
	for (int i = 0; i < FLEET_ITEMS_MAX - 1; i++)
		strcat(many, " x");
	assert_int_equal(fleet_report_read(rdata, strings((const char *const[]){many, NULL}), &r), 0);
	strcat(many, " x");
	assert_int_equal(fleet_report_read(rdata, strings((const char *const[]){many, NULL}), &r), ERR_MALFORMED);
	w.pos = strings((const char *const[]){NODE, NULL});
	for (int i = 0; i <= FLEET_NETWORKS_MAX; i++) {
		char text[20];
		int n = snprintf(text, sizeof(text), "network=n%d", i);

		assert_int_equal(fleet_report_read(rdata, w.pos, &r), 0);
		assert_int_equal(r.count, i);
		writer_u8(&w, (uint8_t)n);
		writer_bytes(&w, (const uint8_t *)text, (size_t)n);
	}
	assert_int_equal(fleet_report_read(rdata, w.pos, &r), ERR_LIMIT);
}

/* The longest that there can be, in everything, fits and comes back. */
static void test_round_trip(void **state)
{
	static struct fleet_report r, back;
	struct writer w = writer_of(rdata, sizeof(rdata));

	(void)state;
	memset(r.node, 'N', sizeof(r.node) - 1);
	memset(r.version, 'v', sizeof(r.version) - 1);
	memset(r.config, 0xab, sizeof(r.config));
	r.uptime_s = r.generation = r.zones = r.serving = UINT32_MAX;
	r.networks = UINT32_MAX;
	r.stopping = true;
	r.count = FLEET_NETWORKS_MAX;
	for (uint32_t i = 0; i < r.count; i++) {
		struct fleet_network *n = &r.network[i];

		memset(n->name, 'n', sizeof(n->name) - 1);
		if (i < sizeof(n->name) - 1)
			n->name[i] = '.';
		for (int f = 0; f < BOARD_FAMILIES; f++)
			n->family[f] = (struct board_peer_family){ANNOUNCE_DEPREF, VERDICT_UNKNOWN, UINT8_MAX,
			                                          UINT8_MAX, true};
		n->data_age_ms = UINT64_MAX;
		n->load = n->qps = UINT32_MAX;
		n->headroom = i % 2 ? UINT32_MAX : UINT32_MAX - 1;
	}
	r.network[63].name[62] = '_'; /* all different */
	r.sees_count = FLEET_NETWORKS_MAX;
	for (uint32_t i = 0; i < r.sees_count; i++) {
		memcpy(r.sees[i].network, r.network[i].name, sizeof(r.sees[i].network));
		for (int f = 0; f < BOARD_FAMILIES; f++) {
			memset(r.sees[i].family[f].node, 'o', BOARD_NAME_MAX - 1);
			r.sees[i].family[f].state = OUTSIDE_SILENT;
			r.sees[i].family[f].since_s = UINT32_MAX;
		}
	}
	fleet_report_write(&r, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(fleet_report_read(rdata, w.pos, &back), 0);
	assert_memory_equal(&back, &r, sizeof(r));
	/* Without a version there is none, and that reads back, too. */
	memset(r.version, 0, sizeof(r.version));
	w = writer_of(rdata, sizeof(rdata));
	fleet_report_write(&r, &w);
	assert_int_equal(fleet_report_read(rdata, w.pos, &back), 0);
	assert_string_equal(back.version, "");
	w = writer_of(rdata, 100);
	fleet_report_write(&r, &w);
	assert_false(writer_ok(&w));
}

static void test_pace(void **state)
{
	static const struct {
		uint32_t others, questions;
		bool urgent;
		uint32_t ms;
	} rows[] = {
		{1, 1, false, 1000}, {20, 1, false, 1000}, {99, 1, false, 12850}, {999, 1, false, 147850},
		{2, 10, false, 100}, {2, 0, false, 1000},  {1, 1, true, 100},    {20, 1, true, 100},
		{99, 1, true, 250},  {999, 1, true, 250},  {2, 4, true, 25},     {1, 5000, true, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(fleet_pace_ms(rows[i].others, rows[i].questions, rows[i].urgent), rows[i].ms);
	/* 100 nodes, each a question and an answer of 612 octets with each other one, either way: bits a second. */
	assert_true(2.0 * 99 * 612 * 8 * 1000 / fleet_pace_ms(99, 1, false) < 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),  cmocka_unit_test(test_grows),      cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_pace),
		cmocka_unit_test(test_sees), cmocka_unit_test(test_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
