/* SPDX-License-Identifier: BSD-2-Clause */
/* Serials by policy, and the gate of a primary: a file's content against the version that a store serves. */
#include "base/err.h"
#include "sync/gate.h"
#include "sync/serial.h"
#include "zone/zonemd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t apex[] = "\x07" "example";

static void test_next(void **state)
{
	static const struct {
		enum config_serial policy;
		uint32_t before;
		int64_t now;
		uint32_t next;
	} rows[] = {
		{CONFIG_SERIAL_KEEP, 7, 1795000000, 7},
		{CONFIG_SERIAL_INCREMENT, 7, 1795000000, 8},
		{CONFIG_SERIAL_INCREMENT, UINT32_MAX, 0, 0},
		{CONFIG_SERIAL_UNIXTIME, 7, 1795000000, 1795000000},
		{CONFIG_SERIAL_UNIXTIME, 1795000000, 1795000000, 1795000001}, /* twice in a second */
		{CONFIG_SERIAL_UNIXTIME, 1795000009, 1795000000, 1795000010}, /* the clock was set back */
		{CONFIG_SERIAL_UNIXTIME, 2026112100, 1795000000, 2026112101}, /* dates are ahead of it */
		{CONFIG_SERIAL_UNIXTIME, 4000000000U, 1795000000, 1795000000}, /* RFC 1982: that is forward */
		{CONFIG_SERIAL_UNIXTIME, 4294967295U, 4294967296 + 5, 5},     /* in 2106 */
		{CONFIG_SERIAL_DATE, 7, 1795219200, 2026112100},              /* 21 Nov 2026, 00:00:00 UTC */
		{CONFIG_SERIAL_DATE, 7, 1795219199, 2026112000},
		{CONFIG_SERIAL_DATE, 2026112100, 1795219200, 2026112101},
		{CONFIG_SERIAL_DATE, 2026112199, 1795219200, 2026112200},     /* the hundredth of a day */
		{CONFIG_SERIAL_DATE, 2026112200, 1795219200, 2026112201},
		{CONFIG_SERIAL_DATE, 1795000000, 1795219200, 2026112100},     /* from Unix time */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t next = serial_next(rows[i].policy, rows[i].before, rows[i].now);

		if (next != rows[i].next || (next != rows[i].before && !serial_after(next, rows[i].before)))
			fail_msg("row %zu: %u after %u", i, next, rows[i].before);
	}
}

static void test_shrinks(void **state)
{
	static const struct {
		uint64_t had, has;
		unsigned percent;
		bool shrinks;
	} rows[] = {
		{100, 0, 1, false}, {101, 0, 99, true}, {101, 0, 100, false}, {1000, 500, 50, false}, {1000, 499, 50, true}, {1000, 2000, 1, false},
		{1000, 1000, 1, false}, {1000, 990, 1, false}, {1000, 989, 1, true}, {UINT64_C(4000000000), 1, 50, true},
	};
	char text[GATE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (gate_shrinks(rows[i].had, rows[i].has, rows[i].percent, "yes", text) != rows[i].shrinks)
			fail_msg("row %zu", i);
}

/* ---- the gate ---- */

static struct store_writer *writer;
static char folder[] = "/tmp/zonecast-gate-XXXXXX", store[64];

static int add(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_add(ctx, rr, place);
}

/* A zone with this serial, so many further records, and more text. */
static struct content *zone_of(uint32_t serial, unsigned records, const char *more)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = add, .ctx = c};
	char *in = NULL;
	struct diag diag;
	size_t len;
	FILE *f = open_memstream(&in, &len);

	assert_non_null(f);
	fprintf(f, "@ 60 SOA a b %u 1 1 1 1\n@ 60 NS a\n%s\n", serial, more);
	for (unsigned i = 0; i < records; i++)
		fprintf(f, "n%u 60 A 192.0.2.1\n", i);
	fclose(f);
	diag_init(&diag);
	assert_int_equal(zonefile_parse_bytes("z", in, len, false, &o, &diag), 0);
	diag_done(&diag);
	assert_int_equal(content_finish(c), 0);
	free(in);
	return c;
}

static const struct store_zone *serve(struct content *c, struct store_snapshot *s)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = ""};
	uint64_t generation;

	assert_int_equal(store_put_zone(writer, apex, c, &meta), 0);
	assert_int_equal(store_commit(writer, &generation), 0);
	store_writer_snapshot(writer, s);
	return store_zone_get(s, apex);
}

#define SIGNED "@ 60 DNSKEY 257 3 13 AwEAAQ=="
#define BAD_DIGEST(s) "@ 60 ZONEMD " s " 1 1 (abababababababababababababababababababababababababababababababababababababababababababababababab)"
enum { KEEP = CONFIG_SERIAL_KEEP, INC = CONFIG_SERIAL_INCREMENT, VERIFY = CONFIG_ZONEMD_VERIFY, COMPUTE = CONFIG_ZONEMD_COMPUTE, OFF = CONFIG_ZONEMD_OFF };

struct version {
	uint32_t serial; /* 0: none is served */
	unsigned records;
	const char *more;
};

static const struct {
	const char *name;
	struct gate_rules rules; /* serial, zonemd, shrink limit, strict, followed */
	struct version was, is;
	struct gate_past past;
	bool force;
	bool refused, told;      /* told: served, with a warning */
	uint32_t serial;
} rows[] = {
	{"first", {KEEP, VERIFY, 50, true, true}, {0}, {7, 3, ""}, .serial = 7},
	{"first, of a policy", {INC, VERIFY, 50, true, true}, {0}, {7, 3, ""}, .serial = 7},
	{"ahead", {KEEP, VERIFY, 50, true, true}, {6, 3, ""}, {7, 4, ""}, .serial = 7},
	{"ahead, of a policy", {INC, VERIFY, 50, true, true}, {6, 3, ""}, {9, 4, ""}, .serial = 9},
	{"ahead around the end", {INC, VERIFY, 50, true, true}, {UINT32_MAX, 3, ""}, {3, 4, ""}, .serial = 3},
	{"the same", {KEEP, VERIFY, 50, true, true}, {7, 3, ""}, {7, 3, ""}, .serial = 7},
	{"stands still", {KEEP, VERIFY, 50, true, true}, {7, 3, ""}, {7, 4, ""}, .refused = true},
	{"stands still, forced", {KEEP, VERIFY, 50, true, true}, {7, 3, ""}, {7, 4, ""}, .force = true, .serial = 7},
	{"stands still, nobody follows", {KEEP, VERIFY, 50, true, false}, {7, 3, ""}, {7, 4, ""}, .told = true, .serial = 7},
	{"stands still, no guards", {KEEP, VERIFY, 50, false, true}, {7, 3, ""}, {7, 4, ""}, .told = true, .serial = 7},
	{"goes back", {KEEP, VERIFY, 50, true, false}, {7, 3, ""}, {6, 4, ""}, .refused = true},
	{"goes back, forced", {KEEP, VERIFY, 50, true, false}, {7, 3, ""}, {6, 4, ""}, .force = true, .serial = 6},
	{"goes back, no guards", {KEEP, VERIFY, 50, false, false}, {7, 3, ""}, {6, 4, ""}, .told = true, .serial = 6},
	{"goes back by half the circle", {KEEP, VERIFY, 50, true, false}, {7, 3, ""}, {7 + (1U << 31), 3, ""}, .refused = true},
	{"policy: the same", {INC, VERIFY, 50, true, true}, {7, 3, ""}, {7, 3, ""}, .serial = 7},
	{"policy: the same under an older serial", {INC, VERIFY, 50, true, true}, {7, 3, ""}, {5, 3, ""}, .serial = 7},
	{"policy: changed", {INC, VERIFY, 50, true, true}, {7, 3, ""}, {7, 4, ""}, .serial = 8},
	{"policy: changed, older serial", {INC, VERIFY, 50, true, true}, {7, 3, ""}, {5, 4, ""}, .serial = 8},
	{"policy: changed, older serial, forced", {INC, VERIFY, 50, true, true}, {7, 3, ""}, {5, 4, ""}, .force = true, .serial = 5},
	{"policy: a TTL", {INC, VERIFY, 50, true, true}, {7, 3, "x 60 TXT a"}, {7, 3, "x 61 TXT a"}, .serial = 8},
	{"policy: signed", {INC, VERIFY, 50, true, true}, {7, 3, SIGNED}, {7, 4, SIGNED}, .refused = true},
	{"policy: signed and the same", {INC, VERIFY, 50, true, true}, {7, 3, SIGNED}, {7, 3, SIGNED}, .serial = 7},
	{"policy: signed and ahead", {INC, VERIFY, 50, true, true}, {7, 3, SIGNED}, {8, 4, SIGNED}, .serial = 8},
	{"past: the same file", {INC, VERIFY, 50, true, true}, {0}, {5, 3, ""}, {true, 9, true}, .serial = 9},
	{"past: another file", {INC, VERIFY, 50, true, true}, {0}, {5, 3, ""}, {true, 9, false}, .serial = 10},
	{"past: a file ahead", {INC, VERIFY, 50, true, true}, {0}, {11, 3, ""}, {true, 9, false}, .serial = 11},
	{"shrinks", {KEEP, VERIFY, 50, true, true}, {7, 200, ""}, {8, 98, ""}, .refused = true},
	{"shrinks, forced", {KEEP, VERIFY, 50, true, true}, {7, 200, ""}, {8, 98, ""}, .force = true, .serial = 8},
	{"shrinks, no guards", {KEEP, VERIFY, 50, false, true}, {7, 200, ""}, {8, 98, ""}, .told = true, .serial = 8},
	{"shrinks as far as it may", {KEEP, VERIFY, 50, true, true}, {7, 200, ""}, {8, 99, "x 60 A 192.0.2.1\ny 60 A 192.0.2.1"}, .serial = 8},
	{"bad digest", {KEEP, VERIFY, 50, true, true}, {0}, {8, 3, BAD_DIGEST("8")}, .refused = true},
	{"bad digest, no guards", {KEEP, VERIFY, 50, false, true}, {0}, {8, 3, BAD_DIGEST("8")}, .told = true, .serial = 8},
	{"bad digest of another serial", {KEEP, VERIFY, 50, true, true}, {0}, {8, 3, BAD_DIGEST("7")}, .serial = 8},
	{"bad digest, off", {KEEP, OFF, 50, true, true}, {0}, {8, 3, BAD_DIGEST("8")}, .serial = 8},
	{"digest made", {KEEP, COMPUTE, 50, true, true}, {0}, {8, 3, ""}, .serial = 8},
	{"digest made in place of a bad one", {KEEP, COMPUTE, 50, true, true}, {7, 3, ""}, {8, 3, BAD_DIGEST("8")}, .serial = 8},
	{"digest made, serial too", {INC, COMPUTE, 50, true, true}, {7, 3, ""}, {7, 4, ""}, .serial = 8},
	{"digest new to the zone", {INC, COMPUTE, 50, true, true}, {7, 3, ""}, {7, 3, ""}, .serial = 8},
	{"digest new to the zone, serial kept", {KEEP, COMPUTE, 50, true, true}, {7, 3, ""}, {7, 3, ""}, .refused = true},
	{"no digest of a signed zone", {KEEP, COMPUTE, 50, true, true}, {0}, {8, 3, SIGNED}, .refused = true},
	{"no digest of a signed zone, no guards", {KEEP, COMPUTE, 50, false, true}, {0}, {8, 3, SIGNED}, .refused = true},
};

static void check_row(size_t i)
{
	struct content *was = rows[i].was.serial ? zone_of(rows[i].was.serial, rows[i].was.records, rows[i].was.more) : NULL;
	struct content *is = zone_of(rows[i].is.serial, rows[i].is.records, rows[i].is.more);
	const struct store_zone *z;
	struct gate_outcome out;
	struct store_snapshot s;
	char text[ZONEMD_TEXT_MAX];
	struct soa soa;

	store_writer_snapshot(writer, &s);
	z = was ? serve(was, &s) : NULL;
	assert_int_equal(gate_file(is, &s, z, &rows[i].rules, &rows[i].past, rows[i].force, 1795219200, &out), 0);
	if (out.refused != rows[i].refused || (out.text[0] != '\0') != (rows[i].refused || rows[i].told))
		fail_msg("%s: refused=%d \"%s\"", rows[i].name, out.refused, out.text);
	if (!out.refused) {
		assert_int_equal(soa_parse(content_soa(is)->records[0].rdata, content_soa(is)->records[0].rdlen, &soa), 0);
		if (out.serial != rows[i].serial || soa.serial != rows[i].serial || out.changed != (rows[i].serial != rows[i].is.serial))
			fail_msg("%s: serial %u, in the content %u", rows[i].name, out.serial, soa.serial);
		if (rows[i].rules.zonemd == COMPUTE && zonemd_verify_content(is, text) != ZONEMD_VERIFIED)
			fail_msg("%s: %s", rows[i].name, text);
	}
	content_free(was);
	content_free(is);
}

static void test_gate(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
}

/* What was computed is not computed again for the same content, and not taken for a change. */
static void test_same_digest(void **state)
{
	const struct gate_rules rules = {INC, COMPUTE, 50, true, true};
	const struct gate_past past = {0};
	struct content *c = zone_of(7, 3, "");
	const struct store_zone *z;
	struct gate_outcome out;
	struct store_snapshot s;

	(void)state;
	store_writer_snapshot(writer, &s);
	assert_int_equal(gate_file(c, &s, NULL, &rules, &past, false, 0, &out), 0);
	z = serve(c, &s);
	content_free(c);
	for (uint32_t serial = 6; serial <= 7; serial++) {
		char text[ZONEMD_TEXT_MAX];

		c = zone_of(serial, 3, serial == 6 ? BAD_DIGEST("6") : "");
		assert_int_equal(gate_file(c, &s, z, &rules, &past, false, 0, &out), 0);
		assert_false(out.refused);
		assert_int_equal(out.serial, 7);
		assert_int_equal(zonemd_verify_content(c, text), ZONEMD_VERIFIED);
		content_free(c);
	}
}

static int set_up(void **state)
{
	struct store_open_info info;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(store, sizeof(store), "%s/store", folder);
	return store_writer_open(store, NULL, 0, &writer, &info);
}

static int tear_down(void **state)
{
	(void)state;
	char lock[80];

	store_writer_close(writer);
	unlink(store);
	snprintf(lock, sizeof(lock), "%s.lock", store);
	unlink(lock);
	return rmdir(folder);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next), cmocka_unit_test(test_shrinks), cmocka_unit_test(test_gate), cmocka_unit_test(test_same_digest),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
