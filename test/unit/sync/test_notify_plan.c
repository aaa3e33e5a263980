/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan of NOTIFY messages: order, repetition, coalescing, rate, and a random run against a model. */
#include "sync/notify_plan.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct endpoint v4 = {.addr = {.family = 4, .bytes = {192, 0, 2, 1}}, .port = 53};
static const struct endpoint v6 = {.addr = {.family = 6, .bytes = {32, 1, 13, 184, [15] = 1}}, .port = 53};
static const uint8_t a_test[] = "\1a\4test", b_test[] = "\1b\4test", a_upper[] = "\1A\4TEST";

static void test_repeats(void **state)
{
	/* Waits between messages: 1 s doubled up to 2 min; and then it is given up. */
	static const uint64_t at_s[NOTIFY_TRIES] = {0, 1, 3, 7, 15, 31, 63, 127, 247, 367, 487, 607};
	struct notify_plan *p = notify_plan_new();
	uint64_t now = 1000000, start = now;

	(void)state;
	assert_int_equal(notify_plan_wait(p, now), UINT64_MAX);
	assert_int_equal(notify_plan_add(p, a_test, 7, &v4), 0);
	for (unsigned i = 0; i < NOTIFY_TRIES; i++) {
		struct notify_task *t;

		assert_int_equal(notify_plan_wait(p, now), start + at_s[i] * 1000 - now);
		now = start + at_s[i] * 1000;
		if (i)
			assert_null(notify_plan_next(p, now - 1));
		t = notify_plan_next(p, now);
		assert_non_null(t);
		assert_int_equal(t->serial, 7);
		assert_int_equal(t->tries, i + 1);
		assert_null(notify_plan_next(p, now));
	}
	now += notify_plan_wait(p, now);
	assert_int_equal(now, start + 727000);
	assert_null(notify_plan_next(p, now));
	assert_int_equal(notify_plan_count(p), 0);
	assert_int_equal(notify_plan_given_up(p), 1);
	assert_int_equal(notify_plan_wait(p, now), UINT64_MAX);
	notify_plan_free(p);
}

/* What was never sent is counted through everything that can happen to it. */
static void test_unsent(void **state)
{
	struct notify_plan *p = notify_plan_new();
	struct notify_task *t;

	(void)state;
	assert_false(notify_plan_has(p, a_test, &v4));
	assert_int_equal(notify_plan_add(p, a_test, 1, &v4), 0);
	assert_int_equal(notify_plan_add(p, a_test, 1, &v6), 0);
	assert_int_equal(notify_plan_add(p, b_test, 1, &v4), 0);
	assert_int_equal(notify_plan_add(p, a_upper, 2, &v4), 0); /* coalesced */
	assert_true(notify_plan_has(p, a_upper, &v4));
	assert_int_equal(notify_plan_unsent(p), 3);
	t = notify_plan_next(p, 1000);
	assert_int_equal(notify_plan_unsent(p), 2);
	assert_int_equal(notify_plan_add(p, t->apex, 3, &t->to), 0); /* to be sent anew */
	assert_int_equal(notify_plan_unsent(p), 3);
	for (unsigned left = 3; left; left--) {
		t = notify_plan_next(p, 1000);
		assert_non_null(t);
		assert_int_equal(notify_plan_unsent(p), left - 1);
		notify_plan_done(p, t);
	}
	assert_int_equal(notify_plan_count(p), 0);
	assert_int_equal(notify_plan_unsent(p), 0);
	notify_plan_free(p);
}

static void test_answers(void **state)
{
	struct notify_plan *p = notify_plan_new();
	struct endpoint other = v4;
	struct notify_task *t;

	(void)state;
	other.port = 54;
	assert_int_equal(notify_plan_add(p, a_test, 1, &v4), 0);
	assert_int_equal(notify_plan_add(p, a_test, 1, &v6), 0);
	assert_int_equal(notify_plan_add(p, b_test, 1, &v4), 0);
	/* Not sent yet: nothing can be its answer. */
	assert_null(notify_plan_find(p, a_test, &v4, 0));
	while ((t = notify_plan_next(p, 5000)) != NULL)
		t->id = 77;
	assert_null(notify_plan_find(p, a_test, &v4, 78));
	assert_null(notify_plan_find(p, a_test, &other, 77));
	assert_null(notify_plan_find(p, (const uint8_t *)"", &v4, 77));
	t = notify_plan_find(p, a_upper, &v4, 77);
	assert_non_null(t);
	notify_plan_done(p, t);
	assert_null(notify_plan_find(p, a_test, &v4, 77));
	assert_non_null(notify_plan_find(p, a_test, &v6, 77));
	assert_int_equal(notify_plan_count(p), 2);
	notify_plan_free(p);
}

static void test_coalesces(void **state)
{
	struct notify_plan *p = notify_plan_new();
	struct notify_task *t;

	(void)state;
	for (uint32_t serial = 1; serial <= 100; serial++)
		assert_int_equal(notify_plan_add(p, serial & 1 ? a_test : a_upper, serial, &v4), 0);
	assert_int_equal(notify_plan_count(p), 1);
	t = notify_plan_next(p, 5000);
	assert_int_equal(t->serial, 100);
	t->id = 5;
	/* While it waits for its answer a change comes: told at once, and the old answer is worth nothing any more. */
	assert_int_equal(notify_plan_add(p, a_test, 101, &v4), 0);
	assert_null(notify_plan_find(p, a_test, &v4, 5));
	t = notify_plan_next(p, 5001);
	assert_non_null(t);
	assert_int_equal(t->serial, 101);
	assert_int_equal(t->tries, 1);
	assert_int_equal(notify_plan_count(p), 1);
	notify_plan_free(p);
}

static void make_name(unsigned i, uint8_t name[16])
{
	int n = snprintf((char *)name + 1, 14, "z%u", i);

	name[0] = (uint8_t)n;
	name[1 + n] = 0;
}

static void test_rate(void **state)
{
	enum { ZONES = 10000 };
	struct notify_plan *p = notify_plan_new();
	uint64_t now = 1000000, start = now;
	unsigned sent = 0, most = 0;

	(void)state;
	for (unsigned i = 0; i < ZONES; i++) {
		uint8_t name[16];

		make_name(i, name);
		assert_int_equal(notify_plan_add(p, name, 1, &v4), 0);
	}
	while (notify_plan_count(p)) {
		struct notify_task *t;
		unsigned turn = 0;

		while ((t = notify_plan_next(p, now)) != NULL) {
			notify_plan_done(p, t);
			turn++;
		}
		most = turn > most ? turn : most;
		sent += turn;
		assert_true(sent <= NOTIFY_BURST + (now - start) * NOTIFY_RATE / 1000 + 1);
		now += notify_plan_count(p) ? notify_plan_wait(p, now) : 0;
	}
	assert_int_equal(sent, ZONES);
	assert_int_equal(most, NOTIFY_BURST);
	/* And it does not take much longer than the rate says. */
	assert_true(now - start <= (uint64_t)ZONES * 1000 / NOTIFY_RATE * 12 / 10);
	notify_plan_free(p);
}

static void test_new_before_old(void **state)
{
	struct notify_plan *p = notify_plan_new();
	struct notify_task *t;

	(void)state;
	assert_int_equal(notify_plan_add(p, a_test, 1, &v4), 0);
	assert_non_null(notify_plan_next(p, 1000));
	assert_int_equal(notify_plan_add(p, b_test, 1, &v4), 0);
	t = notify_plan_next(p, 3000); /* both are due */
	assert_memory_equal(t->apex, b_test, sizeof(b_test));
	t = notify_plan_next(p, 3000);
	assert_memory_equal(t->apex, a_test, sizeof(a_test));
	notify_plan_free(p);
}

/* Against an array: what is pending, and that nothing is sent before its time or twice. */
static void test_model(void **state)
{
	enum { ZONES = 300, STEPS = 30000 };
	static struct {
		bool pending;
		uint32_t serial;
		unsigned tries;
		uint64_t due;
	} model[ZONES];
	struct notify_plan *p = notify_plan_new();
	uint64_t now = 1000000, given_up = 0;
	unsigned seed = 3;
	size_t count = 0;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i, what;
		struct notify_task *t;
		uint8_t name[16];

		seed = seed * 1103515245 + 12345;
		i = (seed >> 8) % ZONES;
		what = (seed >> 20) % 10;
		make_name(i, name);
		if (what < 2) {
			assert_int_equal(notify_plan_add(p, name, step, &v6), 0);
			count += !model[i].pending;
			model[i].pending = true;
			model[i].serial = step;
			model[i].tries = 0;
			model[i].due = 0;
		} else if (what < 5) {
			t = notify_plan_find(p, name, &v6, (uint16_t)i);
			assert_int_equal(t != NULL, model[i].pending && model[i].tries > 0);
			if (t) {
				assert_int_equal(t->serial, model[i].serial);
				notify_plan_done(p, t);
				model[i].pending = false;
				count--;
			}
		} else if (what < 9) {
			t = notify_plan_next(p, now);
			for (unsigned k = 0; k < ZONES; k++)
				if (model[k].pending && model[k].tries == NOTIFY_TRIES && model[k].due <= now) {
					model[k].pending = false;
					count--;
					given_up++;
				}
			if (t) {
				unsigned k = (unsigned)atoi((const char *)t->apex + 2);

				assert_true(model[k].pending && model[k].due <= now && model[k].serial == t->serial);
				model[k].due = now + (1000ULL << model[k].tries > NOTIFY_WAIT_MAX_MS ? NOTIFY_WAIT_MAX_MS : 1000ULL << model[k].tries);
				model[k].tries++;
				assert_int_equal(t->tries, model[k].tries);
				t->id = (uint16_t)k;
			}
		} else {
			now += (seed >> 4) % 5000;
		}
		assert_int_equal(notify_plan_count(p), count);
	}
	assert_int_equal(notify_plan_given_up(p), given_up);
	notify_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeats), cmocka_unit_test(test_unsent),  cmocka_unit_test(test_answers),        cmocka_unit_test(test_coalesces),
		cmocka_unit_test(test_rate),     cmocka_unit_test(test_new_before_old), cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
