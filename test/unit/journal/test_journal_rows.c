/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows and records: what goes in comes out; what is broken is refused. */
#include "journal_kit.h"

#include "base/err.h"
#include "journal/records.h"
#include "journal/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rr rr_of(const struct name *owner, uint16_t type, uint32_t ttl, const void *rdata, size_t len)
{
	return (struct rr){.owner = owner->wire, .type = type, .rclass = CLASS_IN, .ttl = ttl, .rdlen = (uint16_t)len, .rdata = rdata};
}

static void test_records_packed(void **state)
{
	static struct records_packer p;
	const struct name a = kit_name("a"), deep = kit_name("x.y.z"), deeper = kit_name("w.x.y.z"), upper = kit_name("A");
	struct name whole;
	const struct {
		const char *title;
		const struct name *owner;
		uint16_t type;
		uint32_t ttl;
		const char *rdata;
		size_t rdlen, octets; /* packed */
	} cases[] = {
	        {"apex, type and TTL told", &whole, RR_NS, 3600, "\x02ns", 4, 1 + 2 + 4 + 2 + 4},
	        {"same again", &whole, RR_NS, 3600, "\x02nt", 4, 1 + 2 + 4},
	        {"name below", &a, RR_A, 3600, "\1\2\3\4", 4, 1 + 2 + 2 + 2 + 2 + 4},
	        {"same name, other TTL", &a, RR_A, 60, "\1\2\3\5", 4, 1 + 4 + 2 + 4},
	        {"other case is another name", &upper, RR_A, 60, "\1\2\3\5", 4, 1 + 2 + 2 + 2 + 4},
	        {"deep", &deep, RR_TXT, 60, "\1x", 2, 1 + 2 + 6 + 2 + 2 + 2},
	        {"one label more", &deeper, RR_TXT, 60, "\1x", 2, 1 + 2 + 2 + 2 + 2},
	        {"up again", &whole, RR_TXT, 60, "\1x", 2, 1 + 2 + 2 + 2},
	        {"no RDATA", &whole, 65280, 60, "", 0, 1 + 2 + 2},
	};
	struct records_unpacker u;
	struct rr rr;

	(void)state;
	name_copy(&whole, kit_apex);
	records_pack_start(&p, whole.wire);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rr in = rr_of(cases[i].owner, cases[i].type, cases[i].ttl, cases[i].rdata, cases[i].rdlen);
		size_t before = p.len;

		assert_int_equal(records_pack(&p, &in), 0);
		if (p.len - before != cases[i].octets)
			fail_msg("%s: %zu octets", cases[i].title, p.len - before);
	}
	records_unpack_start(&u, whole.wire, p.bytes, p.len);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rr in = rr_of(cases[i].owner, cases[i].type, cases[i].ttl, cases[i].rdata, cases[i].rdlen);

		assert_int_equal(records_unpack(&u, &rr), 1);
		if (!record_same(&in, &rr) || rr.rclass != CLASS_IN)
			fail_msg("%s: comes out otherwise", cases[i].title);
	}
	assert_int_equal(records_unpack(&u, &rr), 0);
	/* Cut anywhere it is an error, or the end of a record. */
	for (size_t len = 0; len < p.len; len++) {
		unsigned n = 0;
		int got;

		records_unpack_start(&u, whole.wire, p.bytes, len);
		while ((got = records_unpack(&u, &rr)) == 1)
			n++;
		assert_true(n < ARRAY_LEN(cases));
		assert_true(got == 0 || got == ERR_MALFORMED);
		if (got < 0)
			assert_int_equal(records_unpack(&u, &rr), ERR_MALFORMED); /* and stays one */
	}
}

static void test_row_fills(void **state)
{
	static struct records_packer p;
	static uint8_t large[RDATA_MAX];
	const struct name a = kit_name("a"), b = kit_name("b");
	struct records_unpacker u;
	struct rr rr, small = rr_of(&a, RR_A, 1, "\1\2\3\4", 4), huge = rr_of(&b, 65280, 1, large, sizeof(large));
	size_t len;

	(void)state;
	records_pack_start(&p, kit_apex);
	assert_int_equal(records_pack(&p, &huge), 0); /* the first always fits */
	len = p.len;
	assert_int_equal(records_pack(&p, &small), ERR_NO_SPACE);
	assert_int_equal(p.len, len);
	assert_int_equal(p.count, 1);
	records_unpack_start(&u, kit_apex, p.bytes, p.len);
	assert_int_equal(records_unpack(&u, &rr), 1);
	assert_true(record_same(&rr, &huge));
	records_pack_start(&p, kit_apex);
	for (;; len = p.len)
		if (records_pack(&p, &small) != 0)
			break;
	assert_true(p.len <= RECORDS_CHUNK && p.len + 7 > RECORDS_CHUNK);
	assert_int_equal(records_pack(&p, &huge), ERR_NO_SPACE);
}

static void test_records_refused(void **state)
{
	static const struct {
		const char *title, *bytes;
		size_t len;
	} cases[] = {
	        {"unknown head", "\x08", 1},
	        {"head alone", "\x01", 1},
	        {"more of the owner before than it has", "\x00\x20\x00\x00\x01\x00\x00\x00\x01\x00\x04\1\2\3\4", 15},
	        {"owner without end", "\x00\x00\x02\x01" "a" "\x00\x01\x00\x00\x00\x01\x00\x04\1\2\3\4", 17},
	        {"owner outside the zone", "\x00\x00\x03\x01" "a\0" "\x00\x01\x00\x00\x00\x01\x00\x04\1\2\3\4", 18},
	        {"label of 64", "\x00\x0e\x01\x40\x00\x01\x00\x00\x00\x01\x00\x04\1\2\3\4", 16},
	        {"type of questions", "\x05\x00\xff\x00\x00", 5},
	        {"short address", "\x05\x00\x01\x00\x03\1\2\3", 8},
	        {"long address", "\x05\x00\x01\x00\x05\1\2\3\4\5", 10},
	        {"RDATA beyond the end", "\x05\x00\x01\x00\x04\1\2\3", 8},
	};
	struct records_unpacker u;
	struct rr rr;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got;

		records_unpack_start(&u, kit_apex, cases[i].bytes, cases[i].len);
		got = records_unpack(&u, &rr);
		if (got != ERR_MALFORMED)
			fail_msg("%s: %d", cases[i].title, got);
	}
}

/* Ascending, but for those that are the same as the one before. */
static void test_order(void **state)
{
	static const struct {
		const char *owner;
		uint16_t type;
		const char *rdata;
		size_t rdlen;
		bool same;
	} cases[] = {
	        {"@", RR_SOA, "\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, false},
	        {"@", RR_A, "\1\2\3\4", 4, false},
	        {"@", RR_NS, "\1a\0", 3, false},
	        {"@", RR_NS, "\1A\0", 3, true},
	        {"@", RR_NS, "\1b\0", 3, false},
	        {"@", RR_TXT, "\1A", 2, false},
	        {"@", RR_TXT, "\1a", 2, false},
	        {"a", RR_A, "\1\2\3\4", 4, false},
	        {"A", RR_A, "\1\2\3\4", 4, true},
	        {"a", RR_MX, "\0\1\1m\0", 5, false},
	        {"a", RR_MX, "\0\1\1M\0", 5, true},
	        {"z.a", RR_A, "\0\0\0\0", 4, false},
	        {"b", RR_A, "\0\0\0\0", 4, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
			const struct name x = kit_name(cases[i].owner), y = kit_name(cases[k].owner);
			struct name m = x, n = y;
			struct rr a, b;
			int want = i < k ? -1 : i > k, got;

			if (*cases[i].owner == '@')
				name_copy(&m, kit_apex);
			if (*cases[k].owner == '@')
				name_copy(&n, kit_apex);
			a = rr_of(&m, cases[i].type, 1, cases[i].rdata, cases[i].rdlen);
			b = rr_of(&n, cases[k].type, 2, cases[k].rdata, cases[k].rdlen);
			if ((i + 1 == k && cases[k].same) || (k + 1 == i && cases[i].same))
				want = 0;
			got = record_order(&a, &b);
			got = got < 0 ? -1 : got > 0;
			if (got != want)
				fail_msg("%zu and %zu: %d", i, k, got);
			/* What is the same has the same sum, whatever its case and TTL. */
			assert_int_equal(record_sum(&a) == record_sum(&b), want == 0);
		}
}

static void test_bodies(void **state)
{
	struct row_zone zone = {.id = 1ULL << 40, .has_version = true, .generation = 3, .records = 5, .octets = 6, .chunks = 7, .sum = UINT64_MAX,
	                        .newest = UINT32_MAX, .newest_records = 9, .newest_sum = 10, .next_seq = 11, .thinned = 12, .changes = 13,
	                        .change_octets = 14};
	struct row_change change = {.from = 1, .deleted = 2, .added = 3, .merged = 4, .parts = 5, .octets = 6, .message = 7, .records = 8, .sum = 9};
	struct journal_timers timers = {.refreshed_s = 1, .refresh_at_s = 2, .expire_at_s = 3, .expire_option_s = 4, .has_expire_option = true,
	                                .has_primary_serial = true, .primary_serial = 5, .failures = 6, .error_s = 7, .error = "it said no",
	                                .primary = "2001:db8::1"};
	uint8_t bytes[ROW_BODY_MAX], again[ROW_BODY_MAX];
	struct row_zone zone_back;
	struct row_change change_back;
	struct journal_timers timers_back;

	(void)state;
	zone.whole = change.version = kit_version(0x01020304);
	memset(timers.error, 'x', JOURNAL_ERROR_MAX);
	memset(timers.primary, 'y', JOURNAL_PRIMARY_MAX);
	for (unsigned kind = 0; kind < 3; kind++) {
		struct writer w = writer_of(bytes, sizeof(bytes)), v;

		if (kind == 0)
			row_zone_put(&w, &zone);
		else if (kind == 1)
			row_change_put(&w, &change);
		else
			row_timers_put(&w, &timers);
		assert_true(writer_ok(&w));
		for (size_t len = 0; len <= w.pos + 1; len++) {
			struct reader r = reader_of(bytes, len);
			int err = kind == 0 ? row_zone_get(&r, &zone_back) : kind == 1 ? row_change_get(&r, &change_back) : row_timers_get(&r, &timers_back);

			assert_int_equal(err, len == w.pos ? 0 : ERR_MALFORMED);
			if (err)
				continue;
			v = writer_of(again, sizeof(again));
			if (kind == 0)
				row_zone_put(&v, &zone_back);
			else if (kind == 1)
				row_change_put(&v, &change_back);
			else
				row_timers_put(&v, &timers_back);
			assert_int_equal(v.pos, w.pos);
			assert_memory_equal(again, bytes, w.pos);
		}
	}
	assert_string_equal(timers_back.error, timers.error);
	assert_int_equal(change_back.sum, 9);
	assert_int_equal(zone_back.newest, UINT32_MAX);
}

/* Every bit that flips in a value or its key is seen. */
static void test_seals(void **state)
{
	uint8_t value[ROWS_SEAL + 40];
	struct row_key key = row_key_change(7, 9, 1), other;
	struct reader r;

	(void)state;
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 37);
	row_seal(key.bytes, key.len, value, sizeof(value));
	assert_int_equal(row_unseal(key.bytes, key.len, value, sizeof(value), &r), 0);
	assert_int_equal(reader_left(&r), 40);
	for (size_t bit = 0; bit < 8 * sizeof(value); bit++) {
		value[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(row_unseal(key.bytes, key.len, value, sizeof(value), &r), ERR_MALFORMED);
		value[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * key.len; bit++) {
		other = key;
		other.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(row_unseal(other.bytes, other.len, value, sizeof(value), &r), ERR_MALFORMED);
	}
	for (size_t len = 0; len < sizeof(value); len++)
		assert_int_equal(row_unseal(key.bytes, key.len, value, len, &r), ERR_MALFORMED);
}

/* Keys sort as the numbers in them. */
static void test_keys(void **state)
{
	const struct row_key keys[] = {
	        row_key_chunk(1, 0, 1),  row_key_chunk(1, 0, 256),        row_key_chunk(1, 0, 1ULL << 40), row_key_chunk(1, 1, 0),
	        row_key_chunk(256, 0, 0), row_key_change(1, 1, 0),         row_key_change(1, 1, 1),         row_key_change(1, 1, 256),
	        row_key_change(1, 2, 0),  row_key_change(1ULL << 33, 0, 0), row_key_format(),                row_key_timers(1),
	        row_key_timers(256),      row_key_zone((const uint8_t *)""),  row_key_zone(kit_apex),
	};
	struct name upper;

	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(keys); i++) {
		size_t len = MIN(keys[i - 1].len, keys[i].len);
		int d = memcmp(keys[i - 1].bytes, keys[i].bytes, len);

		assert_true(d < 0 || (d == 0 && keys[i - 1].len < keys[i].len));
	}
	name_copy(&upper, kit_apex);
	upper.wire[1] = 'Z';
	assert_memory_equal(row_key_zone(upper.wire).bytes, row_key_zone(kit_apex).bytes, row_key_zone(kit_apex).len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_records_packed), cmocka_unit_test(test_row_fills), cmocka_unit_test(test_records_refused),
	        cmocka_unit_test(test_order),          cmocka_unit_test(test_bodies),    cmocka_unit_test(test_seals),
	        cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
