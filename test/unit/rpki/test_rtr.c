/* SPDX-License-Identifier: BSD-2-Clause */
/* The session with a cache: each case is a script of what the cache does and what the client has to do. PDUs are written here octet by octet, not by
 * the code under test. */
#include "rpki/rtr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../unhex.h"

static uint64_t now;
static struct vrp_interest ours;
static struct rtr r;

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static int setup(void **state)
{
	struct ip_prefix list[] = {prefix("192.0.2.0/24"), prefix("2001:db8:53::/48")};

	(void)state;
	now = 1000000;
	assert_int_equal(vrp_interest_set(&ours, list, 2), 0);
	rtr_init(&r, &ours, 172800, now);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rtr_done(&r);
	vrp_interest_done(&ours);
	return 0;
}

/* From the cache, in pieces of `step` octets. */
static void feed_by(const char *hex, size_t step)
{
	uint8_t bytes[1024];
	size_t n = unhex(hex, bytes);

	for (size_t i = 0; i < n; i += step)
		rtr_input(&r, bytes + i, MIN(step, n - i), now);
}

static void feed(const char *hex)
{
	feed_by(hex, 1024);
}

#define expect_out(hex) expect_out_at(hex, __LINE__)
static void expect_out_at(const char *hex, int line)
{
	uint8_t want[256];
	size_t n = unhex(hex, want);

	if (n != r.out_len || memcmp(want, r.out, n) != 0) {
		for (size_t i = 0; i < r.out_len; i++)
			fprintf(stderr, "%02x", r.out[i]);
		fail_msg("line %d: other octets sent than expected", line);
	}
	r.out_len = 0;
}

/* An error report with this code, and the end. */
#define expect_error(version, code) expect_error_at(version, code, __LINE__)
static void expect_error_at(uint8_t version, uint8_t code, int line)
{
	if (r.out_len < 16 || r.out[0] != version || r.out[1] != 10 || r.out[3] != code || r.todo != RTR_CLOSE)
		fail_msg("line %d: no error %u: %zu octets, %s", line, code, r.out_len, r.last_error);
	r.out_len = 0;
	rtr_lost(&r, NULL, 0, now);
	assert_int_equal(r.state, RTR_DOWN);
}

static void connect_it(void)
{
	now = MAX(now, r.retry_at_ms);
	rtr_tick(&r, now);
	assert_int_equal(r.todo, RTR_CONNECT);
	r.todo = RTR_NOTHING;
	rtr_connected(&r, now);
}

/* Session 0x1234, serial 7, version 1: 192.0.2.0/24 AS 64500 and a payload of somebody else; refresh 3600, retry 600, expire 7200. */
#define RESPONSE  "0103123400000008"
#define OURS      "01040000 00000014 01181800 c0000200 0000fbf4"
#define OURS_GONE "01040000 00000014 00181800 c0000200 0000fbf4"
#define OURS6     "01060000 00000020 01203000 20010db8 00000000 00000000 00000000 0000fbf4"
#define OTHERS    "01040000 00000014 01080800 0a000000 0000fbf5"
#define END       "01071234 00000018 00000007 00000e10 00000258 00001c20"
#define END8      "01071234 00000018 00000008 00000e10 00000258 00001c20"

static void sync_it(void)
{
	connect_it();
	expect_out("0102000000000008");
	feed(RESPONSE OURS OTHERS OURS6 END);
	assert_int_equal(r.state, RTR_CURRENT);
	assert_true(r.changed);
	r.changed = false;
}

static void whole_and_difference(void **state)
{
	(void)state;
	sync_it();
	assert_int_equal(r.have.count, 2);
	assert_int_equal(r.records, 3);
	assert_int_equal(r.expires_ms, now + 7200000);
	/* Notified: asked at the next tick, not sooner than the gap allows. */
	feed("01001234 0000000c 00000008");
	rtr_tick(&r, now);
	expect_out("");
	now += RTR_QUERY_GAP_MS;
	rtr_tick(&r, now);
	expect_out("01011234 0000000c 00000007");
	feed(RESPONSE OURS_GONE);
	assert_int_equal(r.have.count, 2);
	feed(END8);
	assert_int_equal(r.have.count, 1);
	assert_int_equal(r.serial, 8);
	/* The same serial again is no news. */
	feed("01001234 0000000c 00000008");
	assert_false(r.notified);
	/* The refresh interval. */
	now += 3600000;
	rtr_tick(&r, now);
	expect_out("01011234 0000000c 00000008");
	feed("0108000000000008"); /* cache reset */
	expect_out("0102000000000008");
	feed("01030001 00000008"
	     "01070001 00000018 00000001 00000e10 00000258 00001c20");
	assert_int_equal(r.have.count, 0);
	assert_int_equal(r.session, 1);
	assert_int_equal(r.syncs, 3);
}

static void octet_by_octet(void **state)
{
	(void)state;
	connect_it();
	feed_by(RESPONSE OURS OTHERS OURS6 END, 1);
	assert_int_equal(r.state, RTR_CURRENT);
	assert_int_equal(r.have.count, 2);
}

/* A transfer that breaks off leaves what was; the next connection goes on from its serial. */
static void broken_off(void **state)
{
	(void)state;
	sync_it();
	now += 3600000;
	rtr_tick(&r, now);
	feed(RESPONSE OURS_GONE);
	rtr_lost(&r, "gone", 0, now);
	assert_int_equal(r.have.count, 2);
	assert_true(rtr_usable(&r, now));
	r.out_len = 0;
	connect_it();
	expect_out("01011234 0000000c 00000007");
}

static void expiry(void **state)
{
	(void)state;
	sync_it();
	rtr_lost(&r, "gone", 0, now);
	now += 7199999;
	rtr_tick(&r, now);
	assert_true(rtr_usable(&r, now));
	assert_false(r.changed);
	now++;
	rtr_tick(&r, now);
	assert_false(rtr_usable(&r, now));
	assert_true(r.changed);
	assert_int_equal(r.have.count, 0);
	assert_int_equal(r.todo, RTR_CONNECT);
	r.todo = RTR_NOTHING;
	rtr_connected(&r, now);
	expect_out("0102000000000008");
}

/* Intervals beyond RFC 8210 6 are cut to it, and the operator's limit is the last word. */
static void timers(void **state)
{
	(void)state;
	connect_it();
	feed(RESPONSE "01071234 00000018 00000007 ffffffff 00000000 00000001");
	assert_int_equal(r.refresh_s, RTR_REFRESH_MAX_S);
	assert_int_equal(r.expires_ms, now + RTR_EXPIRE_MIN_S * 1000);
	assert_int_equal(r.refresh_at_ms, now + RTR_EXPIRE_MIN_S * 500);
	r.hold_max_s = 20;
	now += 300000;
	rtr_tick(&r, now);
	feed(RESPONSE "01071234 00000018 00000007 00000000 00000000 ffffffff");
	assert_int_equal(r.refresh_s, 1);
	assert_int_equal(r.expires_ms, now + 20000);
}

static void version_0(void **state)
{
	(void)state;
	/* The cache answers in version 0. */
	connect_it();
	expect_out("0102000000000008");
	feed("00031234 00000008"
	     "00040000 00000014 01181800 c0000200 0000fbf4"
	     "00071234 0000000c 00000007");
	assert_int_equal(r.state, RTR_CURRENT);
	assert_int_equal(r.version, 0);
	assert_int_equal(r.expires_ms, now + RTR_EXPIRE_S * 1000);
	/* From then on it is an error to change. */
	feed(RESPONSE);
	expect_error(0, RTR_UNEXPECTED_VERSION);
	connect_it();
	expect_out("00011234 0000000c 00000007");
	/* It is version 1 again, by closing without a word. */
	rtr_lost(&r, "closed", 0, now);
	connect_it();
	expect_out("0102000000000008");
}

static void version_refused(void **state)
{
	(void)state;
	connect_it();
	expect_out("0102000000000008");
	feed("000a0004 00000010 00000000 00000000");
	assert_int_equal(r.todo, RTR_CLOSE);
	expect_out(""); /* no error about an error */
	rtr_lost(&r, NULL, 0, now);
	connect_it();
	expect_out("0002000000000008");
	/* Not there yet: that is no matter of versions. */
	feed("000a0002 00000010 00000000 00000000");
	assert_int_equal(r.todo, RTR_CLOSE);
	rtr_lost(&r, NULL, 0, now);
	connect_it();
	expect_out("0002000000000008");
	/* Nor is silence. */
	now += RTR_SILENT_MS;
	rtr_tick(&r, now);
	assert_int_equal(r.todo, RTR_CLOSE);
	rtr_lost(&r, NULL, 0, now);
	connect_it();
	expect_out("0002000000000008");
}

/* Whatever its version, a notification before the first answer is passed over. */
static void early_notify(void **state)
{
	(void)state;
	connect_it();
	expect_out("0102000000000008");
	feed("00009999 0000000c 00000001"
	     "01009999 0000000c 00000001");
	assert_int_equal(r.todo, RTR_NOTHING);
	feed(RESPONSE OURS END);
	assert_int_equal(r.state, RTR_CURRENT);
	assert_false(r.notified);
}

static void errors_table(void **state)
{
	static const struct {
		const char *name, *hex;
		uint8_t code;
		bool synced; /* before it */
	} cases[] = {
		{"prefix outside a response", OURS, RTR_CORRUPT_DATA, false},
		{"end outside a response", END, RTR_CORRUPT_DATA, false},
		{"key outside a response", "01090100 00000020 0000000000000000000000000000000000000000 00000001",
	         RTR_CORRUPT_DATA, false},
		{"end of another session", RESPONSE "01079999 00000018 00000007 00000e10 00000258 00001c20",
	         RTR_CORRUPT_DATA, false},
		{"reset of a reset", "0108000000000008", RTR_CORRUPT_DATA, false},
		{"twice", RESPONSE OURS OURS, RTR_DUPLICATE, false},
		{"withdrawal of nothing", RESPONSE OURS_GONE, RTR_UNKNOWN_RECORD, false},
		{"two responses", RESPONSE RESPONSE, RTR_CORRUPT_DATA, false},
		{"response unasked", RESPONSE, RTR_CORRUPT_DATA, true},
		{"reset unasked", "0108000000000008", RTR_CORRUPT_DATA, true},
		{"notification of another session", "01009999 0000000c 00000008", RTR_CORRUPT_DATA, true},
		{"query", "0102000000000008", RTR_INVALID_REQUEST, true},
		{"serial query", "01011234 0000000c 00000007", RTR_INVALID_REQUEST, true},
		{"length of the maximum and one", "01090000 00001001", RTR_CORRUPT_DATA, true},
		{"length 0", "0103000000000000", RTR_CORRUPT_DATA, true},
		{"length 7", "0103000000000007", RTR_CORRUPT_DATA, true},
		{"wrong length", "0103000000000009", RTR_CORRUPT_DATA, true},
		{"prefix of 33 bits", RESPONSE "01040000 00000014 01212100 c0000200 0000fbf4", RTR_CORRUPT_DATA, false},
		{"maximum below the length", RESPONSE "01040000 00000014 01181700 c0000200 0000fbf4", RTR_CORRUPT_DATA,
	         false},
		{"prefix of 129 bits",
	         RESPONSE "01060000 00000020 01818100 20010db8 00000000 00000000 00000000 0000fbf4", RTR_CORRUPT_DATA,
	         false},
		{"type 5", "0105000000000008", RTR_BAD_TYPE, true},
		{"type 11 (of version 2)", "010b00000000000c00000000", RTR_BAD_TYPE, true},
		{"version 2 before all", "0203123400000008", RTR_BAD_VERSION, false},
		{"version 2 later", "0203123400000008", RTR_UNEXPECTED_VERSION, true},
		{"garbage", "474554202f20485454502f312e310d0a", RTR_CORRUPT_DATA, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		teardown(state);
		setup(state);
		if (cases[i].synced)
			sync_it();
		else
			connect_it();
		r.out_len = 0;
		feed(cases[i].hex);
		if (r.todo != RTR_CLOSE || r.out[1] != 10 || r.out[3] != cases[i].code)
			fail_msg("%s: todo %d, code %u, %s", cases[i].name, r.todo, r.out[3], r.last_error);
		assert_int_equal(r.out_len, (size_t)((r.out[6] << 8) | r.out[7]));
		/* What was held is held, and the way back is open. */
		assert_int_equal(r.have.count, cases[i].synced ? 2 : 0);
		rtr_lost(&r, NULL, 0, now);
		connect_it();
		feed(r.out[1] == 1 ? RESPONSE END8 : RESPONSE OURS END);
		assert_int_equal(r.state, RTR_CURRENT);
	}
}

/* What a cache says of itself may be anything. */
static void report_text(void **state)
{
	(void)state;
	connect_it();
	feed("010a0001 00000016 00000000 00000006 220a5c416200");
	assert_string_equal(r.last_error, "the cache says: internal error: ???Ab?");
	rtr_lost(&r, NULL, 0, now);
	connect_it();
	feed("010aff00 00000010 ffffffff ffffffff");
	assert_string_equal(r.last_error, "the cache says: unknown error");
}

/* Another session under our serial: everything from it is forgotten (RFC 8210 5.1). */
static void other_session(void **state)
{
	(void)state;
	sync_it();
	now += 3600000;
	rtr_tick(&r, now);
	r.out_len = 0;
	feed("0103999900000008");
	assert_int_equal(r.have.count, 0);
	assert_true(r.changed);
	expect_error(1, RTR_CORRUPT_DATA);
	connect_it();
	expect_out("0102000000000008");
}

static void too_many(void **state)
{
	(void)state;
	connect_it();
	r.out_len = 0;
	feed(RESPONSE);
	for (unsigned i = 0; i <= VRP_SET_MAX && r.todo != RTR_CLOSE; i++) {
		char hex[64];

		snprintf(hex, sizeof(hex), "01040000 00000014 01181800 c0000200 %08x", i + 1);
		feed(hex);
	}
	expect_error(1, RTR_INTERNAL_ERROR);
	assert_int_equal(r.have.count, 0);
}

static void slow(void **state)
{
	uint64_t began;

	(void)state;
	connect_it();
	began = now;
	/* Silent. */
	now += RTR_SILENT_MS - 1;
	rtr_tick(&r, now);
	assert_int_equal(r.todo, RTR_NOTHING);
	now++;
	rtr_tick(&r, now);
	assert_int_equal(r.todo, RTR_CLOSE);
	rtr_lost(&r, NULL, 0, now);
	/* One that never ends. */
	connect_it();
	began = now;
	feed(RESPONSE);
	while (r.todo != RTR_CLOSE && now - began < 2 * RTR_TRANSFER_MS) {
		now += RTR_SILENT_MS - 1000;
		feed(OTHERS);
		rtr_tick(&r, now);
	}
	assert_int_equal(r.todo, RTR_CLOSE);
	assert_true(now - began < RTR_TRANSFER_MS + RTR_SILENT_MS);
}

/* 1 s, doubled to 60 s, with jitter, for ever; an answer begins it anew. */
static void retries(void **state)
{
	uint64_t wait = RTR_RETRY_MIN_MS;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		rtr_tick(&r, now);
		assert_int_equal(r.todo, RTR_CONNECT);
		now += RTR_CONNECT_MS;
		rtr_tick(&r, now);
		assert_int_equal(r.todo, RTR_CLOSE);
		rtr_lost(&r, "refused", i * 2654435761U, now);
		assert_true(r.retry_at_ms <= now + wait && r.retry_at_ms > now + wait * 3 / 4 - 1);
		wait = MIN(wait * 2, (uint64_t)RTR_RETRY_MAX_MS);
		now = r.retry_at_ms;
	}
	sync_it();
	rtr_lost(&r, "gone", 0, now);
	assert_int_equal(r.retry_at_ms, now + RTR_RETRY_MIN_MS);
}

/* Other prefixes of ours: all is asked for anew, and until then what is held is not used for them. */
static void replan(void **state)
{
	struct ip_prefix other = prefix("10.0.0.0/8");

	(void)state;
	sync_it();
	assert_int_equal(vrp_interest_set(&ours, &other, 1), 0);
	rtr_replan(&r, now);
	assert_false(rtr_usable(&r, now));
	expect_out("0102000000000008");
	feed(RESPONSE OURS OTHERS END);
	assert_true(rtr_usable(&r, now));
	assert_int_equal(r.have.count, 1);
	assert_int_equal(r.have.list[0].as, 64501);
	/* In the midst of an answer. */
	now += 3600000;
	rtr_tick(&r, now);
	feed(RESPONSE);
	rtr_replan(&r, now);
	assert_int_equal(r.todo, RTR_CLOSE);
	rtr_lost(&r, NULL, 0, now);
	r.out_len = 0;
	connect_it();
	expect_out("0102000000000008");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_and_difference, setup, teardown),
		cmocka_unit_test_setup_teardown(octet_by_octet, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_off, setup, teardown),
		cmocka_unit_test_setup_teardown(expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(timers, setup, teardown),
		cmocka_unit_test_setup_teardown(version_0, setup, teardown),
		cmocka_unit_test_setup_teardown(version_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(early_notify, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_table, setup, teardown),
		cmocka_unit_test_setup_teardown(report_text, setup, teardown),
		cmocka_unit_test_setup_teardown(other_session, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(slow, setup, teardown),
		cmocka_unit_test_setup_teardown(retries, setup, teardown),
		cmocka_unit_test_setup_teardown(replan, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
