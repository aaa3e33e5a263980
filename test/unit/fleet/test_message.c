/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about a node's status and their answers as messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/err.h"
#include "fleet/message.h"

static const uint8_t root[1] = {0};

static void test_names(void **state)
{
	static const struct {
		const char *name, *node, *network; /* node NULL: it is no such name */
	} rows[] = {
		{"fra.status.zonecast.", "fra", ""},
		{"global.fra.status.zonecast.", "fra", "global"},
		{"a\\.b.c\\.d.STATUS.ZoneCast.", "c.d", "a.b"},
		{"status.zonecast.", NULL, NULL},
		{"a.b.c.status.zonecast.", NULL, NULL},
		{"fra.status.zonecas.", NULL, NULL},
		{"fra.zonecast.", NULL, NULL},
		{".", NULL, NULL},
		{"f\\000a.status.zonecast.", NULL, NULL},
		{"f\\032a.fra.status.zonecast.", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fleet_question q = {.node = "unchanged", .network = "unchanged"};
		struct name name;

		print_message("%s\n", rows[i].name);
		assert_int_equal(name_from_text(rows[i].name, strlen(rows[i].name), root, &name), 0);
		assert_int_equal(fleet_question_read(name.wire, &q), rows[i].node != NULL);
		assert_string_equal(q.node, rows[i].node ? rows[i].node : "unchanged");
		assert_string_equal(q.network, rows[i].node ? rows[i].network : "unchanged");
	}
}

/* About pools: from which place on, and whether there is news. */
static void test_pools(void **state)
{
	static const struct {
		const char *name;
		int64_t first; /* -1: it is no such name */
		bool news;
	} rows[] = {
		{"pools.-.fra.status.zonecast.", 0, false},      {"POOLS-1f.-.fra.status.zonecast.", 31, false},
		{"pools-ffff.news.fra.status.zonecast.", 65535, true}, {"pools-10000.-.fra.status.zonecast.", -1, false},
		{"pools-.-.fra.status.zonecast.", -1, false},    {"pools-g.-.fra.status.zonecast.", -1, false},
		{"pools.global.fra.status.zonecast.", -1, false}, {"pool.-.fra.status.zonecast.", -1, false},
		{"pools.News.fra.status.zonecast.", -1, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fleet_question q = {.first = 7};
		uint8_t buf[200];
		struct writer w = writer_of(buf, sizeof(buf));
		struct name name, back;
		struct message m;
		uint16_t qtype, qclass;

		print_message("%s\n", rows[i].name);
		assert_int_equal(name_from_text(rows[i].name, strlen(rows[i].name), root, &name), 0);
		assert_int_equal(fleet_question_read(name.wire, &q), rows[i].first >= 0);
		if (rows[i].first < 0)
			continue;
		assert_true(q.pools && !q.tree && q.news == rows[i].news && q.first == (uint32_t)rows[i].first && !*q.network);
		fleet_question_write(&q, 1, NULL, 0, 0, 0, &w);
		assert_true(writer_ok(&w) && message_open(buf, w.pos, &m) == 0 && message_question(&m, &back, &qtype, &qclass) == 0);
		assert_true(name_equal(back.wire, name.wire));
	}
}

static size_t ask(const struct fleet_question *q, size_t pad_to, size_t signature, uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	fleet_question_write(q, 0x1234, NULL, 0, pad_to, signature, &w);
	return writer_ok(&w) ? w.pos : 0;
}

static void test_question(void **state)
{
	static const struct {
		size_t pad_to, signature, len;
	} rows[] = {{0, 0, 55},  {0, 100, 55},  {55, 0, 55},     {59, 0, 55},
	            {60, 0, 60}, {600, 0, 600}, {600, 100, 500}, {100, 100, 55}};
	const struct fleet_question q = {.node = "fra", .network = "global"};
	struct fleet_question back;
	uint8_t buf[DNS_MESSAGE_MAX];
	struct query parsed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(ask(&q, rows[i].pad_to, rows[i].signature, buf, sizeof(buf)), rows[i].len);
		assert_int_equal(query_parse(buf, rows[i].len, &parsed), QUERY_OK);
		assert_true(fleet_question_is(&parsed));
		assert_true(parsed.has_edns);
		assert_int_equal(parsed.udp_size, DNS_UDP_DEFAULT);
		assert_true(fleet_question_read(parsed.qname.wire, &back));
		assert_memory_equal(&back, &q, sizeof(q));
	}
	assert_int_equal(ask(&q, 0, 0, buf, 54), 0);
}

static void test_is(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, class;
		bool is;
	} rows[] = {
		{"fra.status.zonecast.", RR_TXT, CLASS_CH, true},  {"fra.status.zonecast.", RR_TXT, CLASS_IN, false},
		{"fra.status.zonecast.", RR_ANY, CLASS_CH, false}, {"id.server.", RR_TXT, CLASS_CH, false},
		{"status.zonecast.", RR_TXT, CLASS_CH, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct query q = {.qtype = rows[i].type, .qclass = rows[i].class};

		assert_int_equal(name_from_text(rows[i].name, strlen(rows[i].name), root, &q.qname), 0);
		assert_int_equal(fleet_question_is(&q), rows[i].is);
	}
}

static const struct fleet_report report = {
	.node = "fra",
	.version = "0.1.0",
	.networks = 1,
	.count = 1,
	.network = {{.name = "global",
                     .family = {{ANNOUNCE_YES, VERDICT_PASS, 0, 0, true}, {ANNOUNCE_NONE, VERDICT_HARD, 0, 0, false}},
                     .headroom = 7}},
};

/* What is different about the answer to fra's question. */
struct change {
	const char *name;
	struct fleet_question asked;
	unsigned rcode;
	size_t cap;
	uint16_t id_xor, flags_xor;
	const char *node;
	size_t cut;
	bool no_report;
	enum fleet_answer want;
};

static void test_answer(void **state)
{
	static const struct change rows[] = {
		{"good", {.node = "fra", .network = ""}, .want = FLEET_ANSWER_GOOD},
		{"of one network", {.node = "fra", .network = "global"}, .want = FLEET_ANSWER_OTHER},
		{"of another node", {.node = "ams", .network = ""}, .want = FLEET_ANSWER_OTHER},
		{"another id", {.node = "fra", .network = ""}, .id_xor = 1, .want = FLEET_ANSWER_OTHER},
		{"a question", {.node = "fra", .network = ""}, .flags_xor = DNS_QR, .want = FLEET_ANSWER_OTHER},
		{"another opcode", {.node = "fra", .network = ""}, .flags_xor = 0x2000, .want = FLEET_ANSWER_OTHER},
		{"refused", {.node = "fra", .network = ""}, .rcode = RCODE_REFUSED, .no_report = true, .want = FLEET_ANSWER_REFUSED},
		{"too long", {.node = "fra", .network = ""}, .cap = 60, .want = FLEET_ANSWER_TRUNCATED},
		{"says it is another node", {.node = "fra", .network = ""}, .node = "ams", .want = FLEET_ANSWER_BAD},
		{"no record", {.node = "fra", .network = ""}, .no_report = true, .want = FLEET_ANSWER_BAD},
		{"cut short", {.node = "fra", .network = ""}, .cut = 1, .want = FLEET_ANSWER_BAD},
		{"nothing but a header", {.node = "fra", .network = ""}, .cut = 1000, .want = FLEET_ANSWER_OTHER},
	};
	const struct fleet_question mine = {.node = "fra", .network = ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct change *c = &rows[i];
		uint8_t question[512], out[DNS_UDP_DEFAULT];
		static struct fleet_report said, got;
		struct writer w = writer_of(out, c->cap ? c->cap : sizeof(out));
		struct query q;
		unsigned rcode = 99;
		size_t len = ask(&c->asked, 0, 0, question, sizeof(question));
		int err = 0;

		print_message("%s\n", c->name);
		assert_int_equal(query_parse(question, len, &q), QUERY_OK);
		said = report;
		if (c->node)
			snprintf(said.node, sizeof(said.node), "%s", c->node);
		fleet_answer_write(&q, question, c->rcode, c->no_report ? NULL : &said, &w);
		assert_true(writer_ok(&w));
		put_u16(out, get_u16(out) ^ c->id_xor);
		put_u16(out + 2, get_u16(out + 2) ^ c->flags_xor);
		len = c->cut >= w.pos ? 3 : w.pos - c->cut;
		assert_int_equal(fleet_answer_read(out, len, 0x1234, &mine, &got, &rcode, &err), c->want);
		if (c->want == FLEET_ANSWER_GOOD)
			assert_memory_equal(&got, &report, sizeof(got));
		if (c->want == FLEET_ANSWER_REFUSED)
			assert_int_equal(rcode, RCODE_REFUSED);
		if (c->want == FLEET_ANSWER_BAD)
			assert_int_equal(err, ERR_MALFORMED);
	}
}

/* Two records are none: which of them would it be? */
static void test_two_records(void **state)
{
	const struct fleet_question mine = {.node = "fra", .network = ""};
	uint8_t question[512], out[2 * DNS_UDP_DEFAULT];
	static struct fleet_report got;
	struct writer w = writer_of(out, sizeof(out));
	struct query q;
	size_t len = ask(&mine, 0, 0, question, sizeof(question)), record;
	unsigned rcode;
	int err = 0;

	(void)state;
	put_u16(question + 10, 0); /* without OPT: the record is the last of the answer */
	len -= 11;
	assert_int_equal(query_parse(question, len, &q), QUERY_OK);
	fleet_answer_write(&q, question, RCODE_NOERROR, &report, &w);
	record = w.pos - len;
	memcpy(out + w.pos, out + len, record);
	assert_int_equal(fleet_answer_read(out, w.pos, 0x1234, &mine, &got, &rcode, &err), FLEET_ANSWER_GOOD);
	put_u16(out + 6, 2);
	assert_int_equal(fleet_answer_read(out, w.pos + record, 0x1234, &mine, &got, &rcode, &err), FLEET_ANSWER_BAD);
	assert_int_equal(err, ERR_MALFORMED);
}

/* An answer that is not to be longer than its question says so, or fits. */
static void test_no_amplification(void **state)
{
	const struct fleet_question q = {.node = "fra", .network = ""};
	uint8_t question[DNS_UDP_DEFAULT], out[DNS_UDP_DEFAULT];
	struct query parsed;

	(void)state;
	for (size_t pad = 0; pad < 400; pad += 7) {
		size_t len = ask(&q, pad, 0, question, sizeof(question));
		struct writer w = writer_of(out, len);

		assert_int_equal(query_parse(question, len, &parsed), QUERY_OK);
		fleet_answer_write(&parsed, question, 0, &report, &w);
		assert_true(writer_ok(&w));
		assert_true(w.pos <= len);
		assert_int_equal((get_u16(out + 2) & DNS_TC) != 0, get_u16(out + 6) == 0);
		assert_true(pad < 350 || get_u16(out + 6) == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_pools), cmocka_unit_test(test_question),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_no_amplification),
		cmocka_unit_test(test_two_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
