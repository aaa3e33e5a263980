/* SPDX-License-Identifier: BSD-2-Clause */
/* Differences kept for IXFR: chains, limits, versions that come another way, and who still sends what was forgotten. */
#include "sync/history.h"

#include "base/err.h"
#include "zone/content.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t apex[] = "\1a\4test", upper[] = "\1A\4TEST", other[] = "\1b\4test";

static void add_soa(struct content *c, uint32_t serial)
{
	uint8_t rdata[22] = {0};
	const struct rr rr = {.owner = apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 60, .rdlen = sizeof(rdata), .rdata = rdata};

	put_u32(rdata + 2, serial);
	assert_int_equal(content_add(c, &rr, NULL), 0);
}

static void add_text(struct content *c, uint32_t n)
{
	uint8_t rdata[101] = {100};
	const struct rr rr = {.owner = apex, .type = RR_TXT, .rclass = CLASS_IN, .ttl = 60, .rdlen = sizeof(rdata), .rdata = rdata};

	memset(rdata + 1, ' ', 100);
	snprintf((char *)rdata + 1, 90, "%u", n);
	assert_int_equal(content_add(c, &rr, NULL), 0);
}

/* From one serial to another, with some more records; 0: without an SOA. */
static void note(struct history *h, const uint8_t *zone, uint32_t from, uint32_t to, unsigned records)
{
	struct zone_change c;

	assert_int_equal(zone_change_init(&c, apex), 0);
	if (from)
		add_soa(c.removed, from);
	if (to)
		add_soa(c.added, to);
	for (unsigned i = 0; i < records; i++)
		add_text(c.added, to * 10000 + i);
	assert_int_equal(content_finish(c.removed), 0);
	assert_int_equal(content_finish(c.added), 0);
	history_add(h, zone, &c);
	assert_null(c.removed);
}

/* The chain's serials, "" when there is none. */
static const char *chain(struct history *h, const uint8_t *zone, uint32_t from, uint32_t to)
{
	static char text[4000];
	struct history_chain c;
	size_t n = 0;

	text[0] = '\0';
	if (history_chain(h, zone, from, to, &c) < 0)
		return text;
	for (size_t i = 0; i < c.count; i++) {
		const struct xfr_difference *d = &c.list[i];

		assert_int_equal(d->deleted[0].type, RR_SOA);
		assert_int_equal(d->added[0].type, RR_SOA);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u-%u ", d->from, d->to);
	}
	history_release(&c);
	return text;
}

static void test_chains(void **state)
{
	_Atomic uint64_t octets = 0;
	struct history *h = history_new(1 << 20, &octets);

	(void)state;
	assert_string_equal(chain(h, apex, 1, 2), "");
	note(h, apex, 1, 2, 1);
	note(h, apex, 2, 3, 1);
	note(h, other, 2, 9, 1);
	note(h, apex, 3, 7, 1);
	assert_string_equal(chain(h, apex, 1, 7), "1-2 2-3 3-7 ");
	assert_string_equal(chain(h, upper, 2, 7), "2-3 3-7 ");
	assert_string_equal(chain(h, apex, 3, 7), "3-7 ");
	assert_string_equal(chain(h, apex, 1, 3), "1-2 2-3 ");
	assert_string_equal(chain(h, apex, 7, 7), "");
	assert_string_equal(chain(h, apex, 0, 7), "");
	assert_string_equal(chain(h, apex, 2, 9), "");
	assert_string_equal(chain(h, other, 2, 9), "2-9 ");
	assert_true(octets > 0);
	/* Added, but the version never came to be; the next try does. */
	note(h, apex, 7, 8, 1);
	note(h, apex, 7, 9, 2);
	assert_string_equal(chain(h, apex, 1, 9), "1-2 2-3 3-7 7-9 ");
	/* A version from elsewhere. */
	history_forget(h, apex);
	assert_string_equal(chain(h, apex, 7, 9), "");
	assert_string_equal(chain(h, other, 2, 9), "2-9 ");
	/* Around the end of serial numbers. */
	note(h, apex, 4294967290U, 4, 1);
	assert_string_equal(chain(h, apex, 4294967290U, 4), "4294967290-4 ");
	history_free(h);
}

/* What is no step forward ends the zone's history: whoever has a version before gets the whole zone. */
static void test_breaks(void **state)
{
	static const struct {
		uint32_t from, to;
	} breaks[] = {{5, 5}, {5, 4}, {0, 6}, {5, 0}, {0, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(breaks); i++) {
		struct history *h = history_new(1 << 20, NULL);

		note(h, apex, 4, 5, 1);
		note(h, apex, breaks[i].from, breaks[i].to, 3);
		assert_string_equal(chain(h, apex, 4, 5), "");
		note(h, apex, 6, 7, 1);
		assert_string_equal(chain(h, apex, 6, 7), "6-7 ");
		history_free(h);
	}
}

/* A serial that two versions had: the last of each zone, of so many zones. */
static void test_twice(void **state)
{
	struct history *h = history_new(1 << 20, NULL);
	uint8_t many[] = "\2xx\4test";

	(void)state;
	assert_false(history_is_twice(h, apex, 0));
	history_twice(h, apex, 7);
	assert_true(history_is_twice(h, upper, 7));
	assert_false(history_is_twice(h, apex, 8));
	assert_false(history_is_twice(h, other, 7));
	history_twice(h, apex, 9);
	assert_false(history_is_twice(h, apex, 7));
	for (unsigned i = 0; i < HISTORY_TWICE_MAX; i++) {
		many[1] = (uint8_t)('0' + i / 64);
		many[2] = (uint8_t)('0' + i % 64);
		many[2] = many[2] >= 'A' && many[2] <= 'Z' ? (uint8_t)(many[2] + 128) : many[2];
		history_twice(h, many, i);
	}
	assert_false(history_is_twice(h, apex, 9)); /* the oldest has gone */
	assert_true(history_is_twice(h, many, HISTORY_TWICE_MAX - 1));
	history_free(h);
}

static void test_limits(void **state)
{
	_Atomic uint64_t octets = 0;
	struct history *h = history_new(100000, &octets);
	struct history_chain held;
	char first[32];

	(void)state;
	/* The number of one zone. */
	for (uint32_t i = 1; i <= HISTORY_ZONE_DIFFERENCES + 20; i++) {
		note(h, apex, i, i + 1, 0);
		assert_true(octets <= 100000);
	}
	assert_string_equal(chain(h, apex, 20, HISTORY_ZONE_DIFFERENCES + 21), "");
	snprintf(first, sizeof(first), "%u-%u 22-23 ", 21, 22);
	assert_memory_equal(chain(h, apex, 21, HISTORY_ZONE_DIFFERENCES + 21), first, strlen(first));
	/* The octets of all: the oldest go. What is being sent is not lost with them. */
	assert_int_equal(history_chain(h, apex, 120, 121, &held), 0);
	for (uint32_t i = 1; i <= 50; i++) {
		note(h, other, i, i + 1, 40);
		assert_true(octets <= 100000);
	}
	assert_string_equal(chain(h, apex, 120, 121), "");
	assert_string_equal(chain(h, other, 50, 51), "50-51 ");
	assert_int_equal(held.list[0].to, 121);
	assert_int_equal(held.list[0].added[0].rdlen, 22);
	assert_int_equal(get_u32(held.list[0].added[0].rdata + 2), 121);
	/* One that is larger than a fair share is not kept, and no chain leads over the gap. */
	note(h, other, 51, 52, 400);
	note(h, other, 52, 53, 1);
	assert_string_equal(chain(h, other, 50, 53), "");
	assert_string_equal(chain(h, other, 52, 53), "52-53 ");
	history_free(h);
	assert_int_equal(get_u32(held.list[0].deleted[0].rdata + 2), 120);
	history_release(&held);
}

static void *read_chains(void *ctx)
{
	struct history *h = ctx;
	struct history_chain c;

	for (uint32_t i = 0; i < 200000; i++)
		if (history_chain(h, apex, i % 500, i % 500 + 3, &c) == 0) {
			if (c.count != 3 || c.list[2].to != i % 500 + 3)
				return ctx;
			history_release(&c);
		}
	return NULL;
}

static void test_threads(void **state)
{
	struct history *h = history_new(100000, NULL);
	pthread_t reader;
	void *bad;

	(void)state;
	assert_int_equal(pthread_create(&reader, NULL, read_chains, h), 0);
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 1; i < 500; i++)
			note(h, apex, i, i + 1, 2);
		history_forget(h, apex);
	}
	assert_int_equal(pthread_join(reader, &bad), 0);
	assert_null(bad);
	history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_breaks),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
