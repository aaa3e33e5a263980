/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions under way: found by key and id, clients in their order, timers, limits; and a long random run against a plain list. */
#include "edge/flight.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TICK ((uint64_t)FLIGHT_TICK_NS)

static struct flight_key key(unsigned n)
{
	struct flight_key k = {.edge = {.hash = n % 7, .pool = n % 3, .qtype = (uint16_t)(n % 5), .name_len = 4}};

	memcpy(k.edge.name, &n, 4);
	return k;
}

static void test_keys(void **state)
{
	struct flights *t = flights_new(8, 8, 1);
	struct flight_key k = key(1), other = k;
	struct flight *f;

	(void)state;
	assert_null(flights_find(t, &k));
	f = flights_begin(t, &k, false);
	assert_ptr_equal(flights_find(t, &k), f);
	/* Each part of it tells questions apart. */
	other.recursion_desired = true;
	assert_null(flights_find(t, &other));
	other = k;
	other.stream = true;
	assert_null(flights_find(t, &other));
	other = k;
	other.edge.dnssec_ok = true;
	assert_null(flights_find(t, &other));
	other = k;
	other.edge.checking_disabled = true;
	assert_null(flights_find(t, &other));
	other = k;
	other.edge.qtype++;
	assert_null(flights_find(t, &other));
	other = k;
	other.edge.name[3] ^= 1;
	assert_null(flights_find(t, &other));
	other = k;
	other.subnet = (struct edge_subnet){.addr = {.family = 4, .bytes = {192, 0, 2}}, .prefix = 24};
	assert_null(flights_find(t, &other));
	assert_non_null(flights_begin(t, &other, false));
	k.subnet = other.subnet;
	assert_non_null(flights_find(t, &k));
	k.subnet.prefix = 25;
	assert_null(flights_find(t, &k));
	k.subnet.prefix = 24;
	k.subnet.addr.bytes[2] = 3;
	assert_null(flights_find(t, &k));
	k = key(1);
	flights_end(t, f);
	assert_null(flights_find(t, &k));
	/* Alone: nobody finds it. */
	f = flights_begin(t, &k, true);
	assert_null(flights_find(t, &k));
	flights_end(t, f);
	assert_int_equal(flights_count(t), 1);
	flights_free(t);
}

static void test_limits(void **state)
{
	struct flights *t = flights_new(3, 5, 2);
	struct flight *f[3];
	struct flight_key k;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++) {
			k = key(i);
			f[i] = flights_begin(t, &k, false);
			assert_non_null(f[i]);
		}
		k = key(9);
		assert_null(flights_begin(t, &k, false));
		for (unsigned i = 0; i < 5; i++)
			assert_true(flights_add_client(t, f[i % 2]) < 5);
		assert_int_equal(flights_add_client(t, f[2]), FLIGHT_NONE);
		assert_int_equal(flights_clients(t), 5);
		flights_end(t, f[0]); /* three of the five */
		assert_int_equal(flights_clients(t), 2);
		for (unsigned i = 0; i < 3; i++)
			assert_true(flights_add_client(t, f[2]) < 5);
		assert_int_equal(flights_add_client(t, f[2]), FLIGHT_NONE);
		flights_end(t, f[1]);
		flights_end(t, f[2]);
		assert_int_equal(flights_clients(t), 0);
		assert_int_equal(flights_count(t), 0);
	}
	flights_free(t);
}

static void test_clients_in_order(void **state)
{
	struct flights *t = flights_new(4, 100, 3);
	struct flight_key a = key(1), b = key(2);
	struct flight *f = flights_begin(t, &a, false), *g = flights_begin(t, &b, false);
	uint32_t of_f[10], c;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		of_f[i] = flights_add_client(t, f);
		assert_int_not_equal(flights_add_client(t, g), of_f[i]);
	}
	c = f->first_client;
	for (unsigned i = 0; i < 10; i++, c = flights_next_client(t, c))
		assert_int_equal(c, of_f[i]);
	assert_int_equal(c, FLIGHT_NONE);
	assert_int_equal(f->clients, 10);
	flights_free(t);
}

static void test_ids(void **state)
{
	struct flights *t = flights_new(4, 4, 4);
	struct flight_key a = key(1), b = key(2);
	struct flight *f = flights_begin(t, &a, false), *g = flights_begin(t, &b, false), *found;
	struct flight_try *one = flights_try(t, f, 3, 1, 0xabcd1234), *two, *three, *got;

	(void)state;
	assert_int_equal(one->id, 0x1234);
	two = flights_try(t, g, 3, 1, 0x00001234); /* the same line: another id is drawn */
	assert_int_not_equal(two->id, 0x1234);
	three = flights_try(t, g, 3, 2, 0x1234); /* another line: its own */
	assert_int_equal(three->id, 0x1234);
	assert_true(flights_of_id(t, 3, 1, 0x1234, &found, &got));
	assert_true(found == f && got == one);
	assert_true(flights_of_id(t, 3, 2, 0x1234, &found, &got));
	assert_true(found == g && got == three);
	assert_false(flights_of_id(t, 4, 1, 0x1234, &found, &got));
	assert_false(flights_of_id(t, 3, 3, 0x1234, &found, &got));
	flights_end(t, g);
	assert_false(flights_of_id(t, 3, 2, 0x1234, &found, &got));
	assert_true(flights_of_id(t, 3, 1, 0x1234, &found, &got));
	for (unsigned i = 1; i < FLIGHT_TRIES_MAX; i++)
		assert_non_null(flights_try(t, f, 5, 0, i));
	assert_null(flights_try(t, f, 5, 0, 99));
	flights_end(t, f);
	flights_free(t);
}

static void test_timers(void **state)
{
	struct flights *t = flights_new(8, 8, 5);
	uint64_t now = 1000 * TICK;
	struct flight_key k[4] = {key(0), key(1), key(2), key(3)};
	struct flight *f[4];

	(void)state;
	assert_null(flights_due(t, now));
	for (unsigned i = 0; i < 4; i++)
		f[i] = flights_begin(t, &k[i], false);
	flights_timer(t, f[0], now + 5 * TICK);
	flights_timer(t, f[1], now + (FLIGHT_WHEEL * 3 + 5) * TICK); /* the same place in the wheel, rounds later */
	flights_timer(t, f[2], now - 7 * TICK);                      /* over already */
	flights_timer(t, f[3], now + 2 * TICK);
	flights_timer(t, f[3], now + 9 * TICK); /* replaced */
	assert_null(flights_due(t, now));
	assert_ptr_equal(flights_due(t, now + TICK), f[2]);
	assert_null(flights_due(t, now + 4 * TICK));
	assert_ptr_equal(flights_due(t, now + 5 * TICK), f[0]);
	assert_null(flights_due(t, now + 8 * TICK));
	assert_ptr_equal(flights_due(t, now + 9 * TICK), f[3]);
	assert_null(flights_due(t, now + (FLIGHT_WHEEL * 3 + 4) * TICK));
	assert_ptr_equal(flights_due(t, now + (FLIGHT_WHEEL * 3 + 5) * TICK), f[1]);
	/* A worker that was stopped for long. */
	flights_timer(t, f[0], now + 600 * TICK);
	flights_timer(t, f[1], now + 700 * TICK);
	flights_timer(t, f[2], now + 90000 * TICK);
	assert_ptr_equal(flights_due(t, now + 50000 * TICK), f[0]);
	assert_ptr_equal(flights_due(t, now + 50000 * TICK), f[1]);
	assert_null(flights_due(t, now + 50000 * TICK));
	/* One that is over has no timer. */
	flights_timer(t, f[0], now + 50001 * TICK);
	flights_end(t, f[0]);
	assert_null(flights_due(t, now + 50002 * TICK));
	flights_free(t);
}

/* ---- against a plain list ---- */

enum { ROWS = 64, STEPS = 200000 };
struct twin { struct flight *f; unsigned number; uint64_t at; unsigned clients; };

static struct twin twins[ROWS];

static struct twin *twin_of(const struct flight *f)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (twins[i].f == f)
			return &twins[i];
	return NULL;
}

static void count_one(void *ctx, struct flight *f)
{
	assert_non_null(twin_of(f));
	++*(unsigned *)ctx;
}

static void test_random_run(void **state)
{
	struct flights *t = flights_new(ROWS, ROWS * 4, 6);
	unsigned used = 0, clients = 0, due = 0, next = 0;
	uint64_t now = 12345;

	(void)state;
	srand(3);
	for (unsigned step = 0; step < STEPS; step++) {
		struct twin *w = &twins[rand() % ROWS];
		struct flight *f, *found;
		struct flight_try *try, *got;
		struct flight_key k;

		switch (rand() % 6) {
		case 0:
			k = key(next);
			f = flights_begin(t, &k, false);
			assert_int_equal(f != NULL, used < ROWS);
			if (!f)
				break;
			assert_null(twin_of(f));
			*twin_of(NULL) = (struct twin){.f = f, .number = next++, .at = UINT64_MAX};
			used++;
			break;
		case 1:
			if (!w->f)
				break;
			clients -= w->clients;
			flights_end(t, w->f);
			*w = (struct twin){0};
			used--;
			break;
		case 2:
			if (w->f && flights_add_client(t, w->f) != FLIGHT_NONE) {
				w->clients++;
				clients++;
			}
			break;
		case 3:
			if (!w->f)
				break;
			w->at = now + (uint64_t)(rand() % 400) * TICK;
			flights_timer(t, w->f, w->at);
			break;
		case 4:
			if (!w->f)
				break;
			k = key(w->number);
			assert_ptr_equal(flights_find(t, &k), w->f);
			try = flights_try(t, w->f, (uint16_t)(rand() % 3), (uint8_t)(rand() % 2), (uint32_t)rand());
			if (!try)
				break;
			assert_true(flights_of_id(t, try->row, try->line, try->id, &found, &got));
			assert_true(found == w->f && got == try);
			break;
		default:
			now += (uint64_t)(rand() % 3) * TICK;
			while ((f = flights_due(t, now))) {
				w = twin_of(f);
				assert_non_null(w);
				assert_true(w->at <= now + TICK);
				w->at = UINT64_MAX;
				due++;
			}
			for (unsigned i = 0; i < ROWS; i++) /* none is forgotten */
				assert_true(!twins[i].f || twins[i].at == UINT64_MAX || twins[i].at + 2 * TICK > now);
			break;
		}
		assert_int_equal(flights_count(t), used);
		assert_int_equal(flights_clients(t), clients);
	}
	next = 0;
	flights_each(t, count_one, &next);
	assert_int_equal(next, used);
	assert_in_range(due, 1000, STEPS);
	flights_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys), cmocka_unit_test(test_limits), cmocka_unit_test(test_clients_in_order), cmocka_unit_test(test_ids), cmocka_unit_test(test_timers),
		cmocka_unit_test(test_random_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
