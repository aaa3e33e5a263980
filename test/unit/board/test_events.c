/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings of events: numbers without holes, readers that are too slow know how many they have lost, a writer that dies inside a slot costs that event alone, a reader beside a
 * writer never gets half of one. */
#include "board/board.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void add(struct board_events *r, const char *why)
{
	struct board_event e = {.kind = EVENT_ZONE, .level = EVENT_WARN, .family = 6};

	snprintf(e.why, sizeof(e.why), "%s", why);
	board_event_add(r, &e);
}

static void words_of_kinds(void **state)
{
	(void)state;
	for (enum board_event_kind k = 0; k < EVENT_KINDS; k++) {
		const char *word = board_event_kind_text(k);

		assert_int_equal(board_event_kind_parse(word, strlen(word)), k);
		assert_int_equal(board_event_kind_parse(word, strlen(word) - 1), EVENT_KINDS);
	}
	assert_string_equal(board_event_kind_text(EVENT_KINDS), "?");
	assert_int_equal(board_event_kind_parse("withdrawn", 9), EVENT_KINDS);
	assert_string_equal(board_event_level_text(EVENT_INFO), "info");
	assert_string_equal(board_event_level_text(EVENT_ALERT), "alert");
}

static void one_writer(void **state)
{
	struct board_events *r = calloc(1, sizeof(*r));
	uint64_t last = 0, lost = 0, before = clock_wall_us();
	struct board_event e;

	(void)state;
	assert_false(board_event_next(r, &last, &lost, &e));
	add(r, "first");
	add(r, "second");
	assert_true(board_event_next(r, &last, &lost, &e));
	assert_string_equal(e.why, "first");
	assert_int_equal(e.number, 1);
	assert_int_equal(e.kind, EVENT_ZONE);
	assert_int_equal(e.level, EVENT_WARN);
	assert_int_equal(e.family, 6);
	assert_true(e.wall_us >= before && e.wall_us <= clock_wall_us());
	assert_true(board_event_next(r, &last, &lost, &e));
	assert_string_equal(e.why, "second");
	assert_int_equal(e.number, 2);
	assert_false(board_event_next(r, &last, &lost, &e));
	assert_int_equal(last, 2);
	assert_int_equal(lost, 0);
	free(r);
}

static void a_reader_that_was_lapped(void **state)
{
	static const unsigned written[] = {1, EVENT_RING - 2, EVENT_RING - 1, EVENT_RING, EVENT_RING + 1, 3 * EVENT_RING + 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		struct board_events *r = calloc(1, sizeof(*r));
		uint64_t last = 0, lost = 0, read = 0;
		struct board_event e;
		char why[16];

		for (unsigned n = 1; n <= written[i]; n++) {
			snprintf(why, sizeof(why), "%u", n);
			add(r, why);
		}
		while (board_event_next(r, &last, &lost, &e)) {
			read++;
			assert_int_equal(e.number, lost + read); /* none is left out without being counted */
			assert_int_equal(strtoull(e.why, NULL, 10), e.number);
		}
		assert_int_equal(lost + read, written[i]);
		assert_int_equal(read, MIN(written[i], EVENT_RING - 1U));
		free(r);
	}
}

/* Killed between two writes, its slot odd: nothing of it is told, and its successor goes on in the same slot. */
static void a_writer_that_died(void **state)
{
	struct board_events *r = calloc(1, sizeof(*r));
	uint64_t last = 0, lost = 0;
	struct board_event e;

	(void)state;
	add(r, "before");
	board_write_begin(&r->slot[2].seq);
	snprintf(r->slot[2].event.why, sizeof(r->slot[2].event.why), "half");
	assert_true(board_event_next(r, &last, &lost, &e));
	assert_false(board_event_next(r, &last, &lost, &e));
	add(r, "of its successor");
	assert_true(board_event_next(r, &last, &lost, &e));
	assert_string_equal(e.why, "of its successor");
	assert_int_equal(e.number, 2);
	assert_int_equal(lost, 0);
	/* Such a slot a whole round later, in the middle of what is there: that one is lost, and no other. */
	add(r, "a");
	add(r, "b");
	add(r, "c");
	atomic_fetch_add(&r->slot[4].seq, 1);
	assert_true(board_event_next(r, &last, &lost, &e));
	assert_string_equal(e.why, "a");
	assert_true(board_event_next(r, &last, &lost, &e));
	assert_string_equal(e.why, "c");
	assert_int_equal(lost, 1);
	free(r);
}

/* ---- one thread writes while another reads ---- */

enum { MANY = 300000 };

static void *write_many(void *ctx)
{
	struct board_event e = {.kind = EVENT_PEER};

	for (unsigned n = 1; n <= MANY; n++) {
		/* All the same throughout: half of another one would show. */
		memset(e.network, 'a' + (int)(n % 26), sizeof(e.network) - 1);
		memset(e.subject, 'a' + (int)(n % 26), sizeof(e.subject) - 1);
		memset(e.why, 'a' + (int)(n % 26), sizeof(e.why) - 1);
		board_event_add(ctx, &e);
	}
	return NULL;
}

static void a_reader_beside_it(void **state)
{
	struct board_events *r = calloc(1, sizeof(*r));
	uint64_t last = 0, lost = 0, read = 0, before = 0;
	struct board_event e;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_many, r), 0);
	while (last < MANY) {
		char want;

		if (!board_event_next(r, &last, &lost, &e))
			continue;
		read++;
		want = (char)('a' + e.number % 26);
		assert_true(e.number > before);
		before = e.number;
		for (size_t i = 0; i + 1 < sizeof(e.why); i++)
			assert_int_equal(e.why[i], want);
		for (size_t i = 0; i + 1 < sizeof(e.network); i++)
			assert_int_equal(e.network[i], want);
		for (size_t i = 0; i + 1 < sizeof(e.subject); i++)
			assert_int_equal(e.subject[i], want);
	}
	pthread_join(thread, NULL);
	assert_int_equal(read + lost, MANY);
	assert_true(read > 0);
	free(r);
}

/* ---- all rings ---- */

static struct board *new_board(void)
{
	struct board *b;
	int fd;

	assert_int_equal(board_create(&fd, &b), 0);
	close(fd);
	return b;
}

static void all_rings_by_time(void **state)
{
	struct board *b = new_board();
	struct board_events_cursor c = {.last = {0}}, late = {.last = {0}};
	static const char *const want[] = {"drain", "gshut", "resume", "announce", "pass"};
	static const int from[] = {ROLE_SUPERVISOR, ROLE_ROUTE, ROLE_SUPERVISOR, ROLE_ROUTE, ROLE_WATCH};
	struct board_events *const ring[] = {&b->supervisor.events, &b->route.events, &b->supervisor.events, &b->route.events, &b->watch.events};
	struct board_event e;
	uint64_t lost = 0;
	int role = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		uint64_t at;

		add(ring[i], want[i]);
		at = clock_wall_us(); /* not before the event's: the next one's is later */
		while (clock_wall_us() <= at)
			;
	}
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(board_events_next(b, &c, &lost, &e, &role));
		assert_string_equal(e.why, want[i]);
		assert_int_equal(role, from[i]);
	}
	assert_false(board_events_next(b, &c, &lost, &e, &role));
	/* Lapped in one ring: told once, and the others go on. */
	for (int i = 0; i < EVENT_RING + 9; i++)
		add(&b->sync.events, "zone");
	add(&b->watch.events, "hard");
	for (int i = 0; i < EVENT_RING - 1; i++) {
		assert_true(board_events_next(b, &c, &lost, &e, &role));
		assert_int_equal(role, ROLE_SYNC);
		assert_int_equal(lost, 10);
	}
	assert_true(board_events_next(b, &c, &lost, &e, &role));
	assert_string_equal(e.why, "hard");
	assert_false(board_events_next(b, &c, &lost, &e, &role));
	assert_int_equal(lost, 10);
	/* From now on. */
	board_events_skip(b, &late);
	lost = 0;
	assert_false(board_events_next(b, &late, &lost, &e, &role));
	add(&b->route.events, "news");
	assert_true(board_events_next(b, &late, &lost, &e, &role));
	assert_string_equal(e.why, "news");
	assert_int_equal(lost, 0);
	munmap(b, sizeof(*b));
}

static void many_at_once(void **state)
{
	struct event_burst b = {.since_ms = 0};
	uint32_t passed = 0;

	(void)state;
	for (int i = 0; i < 100000; i++)
		passed += event_burst_pass(&b, 20, 1000000);
	assert_int_equal(passed, 20);
	assert_int_equal(event_burst_over(&b, 1000000 + EVENT_BURST_MS - 1), 0);
	/* Until they are told of, nothing passes: the sum would be wrong. */
	assert_false(event_burst_pass(&b, 20, 1000000 + EVENT_BURST_MS));
	assert_int_equal(event_burst_over(&b, 1000000 + EVENT_BURST_MS), 100000 - 20 + 1);
	assert_int_equal(event_burst_over(&b, 1000000 + EVENT_BURST_MS), 0);
	assert_true(event_burst_pass(&b, 20, 1000000 + EVENT_BURST_MS));
	/* Few at a time pass for ever. */
	for (uint64_t t = 2000000; t < 2000000 + 100 * EVENT_BURST_MS; t += EVENT_BURST_MS / 10)
		assert_true(event_burst_pass(&b, 20, t));
	assert_int_equal(event_burst_over(&b, 9000000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(words_of_kinds),     cmocka_unit_test(one_writer),        cmocka_unit_test(a_reader_that_was_lapped),
	        cmocka_unit_test(a_writer_that_died), cmocka_unit_test(a_reader_beside_it), cmocka_unit_test(all_rings_by_time),
	        cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
