/* SPDX-License-Identifier: BSD-2-Clause */
/* What sync tells: before there is a board nothing; of 100,000 zones a few and a sum; of a journal that fails the first failure and the end of it; from several threads at once. */
#include "sync/events.h"

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

static const uint8_t apex[] = {7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};

static struct board *start(void)
{
	struct board *b;
	int fd;

	assert_int_equal(board_create(&fd, &b), 0);
	close(fd);
	sync_events_start(b);
	return b;
}

static void nothing_before(void **state)
{
	(void)state;
	sync_events_start(NULL);
	sync_event_zone(apex, EVENT_INFO, "a", "b", "c");
	sync_event_loaded(1, 1);
	sync_event_primaries("n", true, "x");
	sync_event_journal(false, "x");
	sync_events_tick(clock_ms());
}

static void many_zones(void **state)
{
	struct board *b = start();
	uint64_t last = 0, lost = 0, now_ms = clock_ms();
	struct board_event e;
	int told = 0;

	(void)state;
	for (int i = 0; i < 100000; i++)
		sync_event_zone(apex, EVENT_ALERT, "served", "expired", "number %d", i);
	while (board_event_next(&b->sync.events, &last, &lost, &e)) {
		assert_string_equal(e.subject, "example.");
		assert_int_equal(e.kind, EVENT_ZONE);
		told++;
	}
	assert_in_range(told, 1, 20); /* twice ten, were it to take longer than a burst's time */
	sync_events_tick(now_ms + 3600000);
	assert_true(board_event_next(&b->sync.events, &last, &lost, &e));
	assert_string_equal(e.subject, "more");
	assert_int_equal(told + atoi(e.now), 100000);
	assert_false(board_event_next(&b->sync.events, &last, &lost, &e));
	assert_int_equal(lost, 0);
	sync_events_start(NULL);
	munmap(b, sizeof(*b));
}

static void the_journal(void **state)
{
	static const struct {
		bool good;
		const char *told; /* NULL: nothing */
	} steps[] = {{true, NULL}, {false, "failing"}, {false, NULL}, {true, "good"}, {true, NULL}, {false, "failing"}, {true, "good"}};
	struct board *b = start();
	uint64_t last = 0, lost = 0;
	struct board_event e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		sync_event_journal(steps[i].good, "no space left");
		assert_int_equal(board_event_next(&b->sync.events, &last, &lost, &e), steps[i].told != NULL);
		if (steps[i].told) {
			assert_string_equal(e.now, steps[i].told);
			assert_int_equal(e.level, steps[i].good ? EVENT_INFO : EVENT_ALERT);
			assert_int_equal(e.kind, EVENT_DISK);
		}
	}
	sync_events_start(NULL);
	munmap(b, sizeof(*b));
}

enum { TOGETHER = 2000 };

static void *tell_many(void *ctx)
{
	for (int i = 0; i < TOGETHER; i++)
		sync_event_primaries(ctx, i % 2, "x");
	return NULL;
}

static void two_threads(void **state)
{
	struct board *b = start();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, tell_many, (void *)(uintptr_t)"one"), 0);
	tell_many((void *)(uintptr_t)"two");
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&b->sync.events.written), 2 * TOGETHER);
	for (size_t i = 0; i < EVENT_RING; i++)
		assert_int_equal(b->sync.events.slot[i].seq % 2, 0);
	sync_events_start(NULL);
	munmap(b, sizeof(*b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_before), cmocka_unit_test(many_zones), cmocka_unit_test(the_journal), cmocka_unit_test(two_threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
