/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of zones held by transfer: tables of one zone's life, limits, fairness, and a simulated day of 20,000 zones. */
#include "base/err.h"
#include "dns/name.h"
#include "sync/secondary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { S = 1000, MANY = 20000 };

static struct name name_of(unsigned n)
{
	static const uint8_t root[1] = {0};
	struct name out;
	char text[32];
	int len = snprintf(text, sizeof(text), "z%u.test.", n);

	assert_int_equal(name_from_text(text, (size_t)len, root, &out), 0);
	return out;
}

static struct endpoint primary(unsigned n)
{
	return (struct endpoint){.addr = {.family = 4, .bytes = {192, 0, 2, (uint8_t)n}}, .port = 53};
}

static struct secondary *add(struct secondary_set *set, unsigned n, unsigned first, unsigned count)
{
	struct endpoint list[4];
	const struct name name = name_of(n);
	struct secondary *z;

	for (unsigned i = 0; i < count; i++)
		list[i] = primary(first + i);
	assert_int_equal(secondary_add(set, &(struct secondary_config){.apex = name.wire, .primaries = list, .primary_count = count, .key = UINT32_MAX}, &z),
	                 0);
	return z;
}

static const struct secondary_news first_news = {.serial = 10, .refresh_s = 100, .retry_s = 10, .expire_s = 1000};

static struct secondary_set *one(struct secondary **z)
{
	struct secondary_set *set = secondary_set_new(1);

	assert_non_null(set);
	*z = add(set, 1, 1, 2);
	assert_int_equal(secondary_begin(set, 0), 0);
	return set;
}

/* The next action must be this one. */
static struct secondary_action expect(struct secondary_set *set, int64_t now, enum secondary_what what)
{
	struct secondary_action a;

	assert_true(secondary_next(set, now, &a));
	assert_int_equal(a.what, what);
	return a;
}

static void expect_nothing(struct secondary_set *set, int64_t now)
{
	struct secondary_action a;

	assert_false(secondary_next(set, now, &a));
}

static void arrive_first(struct secondary_set *set, struct secondary *z, int64_t now)
{
	expect(set, now, SECONDARY_ASK);
	secondary_arrived(set, z, &first_news, now);
}

static void test_refresh_with_jitter(void **state)
{
	struct secondary *z;
	struct secondary_set *set = one(&z);
	int64_t wake;

	(void)state;
	arrive_first(set, z, 0);
	expect_nothing(set, 0);
	wake = secondary_wake_ms(set, 0);
	assert_in_range(wake, 90 * S, 100 * S);
	expect_nothing(set, wake - 1);
	expect(set, wake, SECONDARY_ASK);
	assert_int_equal(secondary_wake_ms(set, wake), 1000 * S); /* its expiry */
	secondary_confirmed(set, z, &(struct secondary_news){.serial = 10}, wake);
	assert_int_equal(z->expire_at_ms, wake + 1000 * S);
	secondary_set_free(set);
}

static void test_backoff(void **state)
{
	static const int64_t most_s[] = {10, 20, 40, 80, 100, 100};
	struct secondary *z;
	struct secondary_set *set = one(&z);
	int64_t now;

	(void)state;
	arrive_first(set, z, 0);
	now = secondary_wake_ms(set, 0);
	for (size_t i = 0; i < ARRAY_LEN(most_s); i++) {
		expect(set, now, SECONDARY_ASK);
		secondary_failed(set, z, "no answer", now);
		assert_string_equal(z->error, "no answer");
		assert_in_range(secondary_wake_ms(set, now) - now, most_s[i] * 900, most_s[i] * 1000);
		now = secondary_wake_ms(set, now);
	}
	assert_int_equal(z->failures, ARRAY_LEN(most_s));
	expect(set, now, SECONDARY_ASK);
	secondary_confirmed(set, z, &(struct secondary_news){.serial = 10}, now);
	assert_null(z->error);
	assert_int_equal(z->failures, 0);
	secondary_set_free(set);
}

static void test_backoff_without_data(void **state)
{
	struct secondary *z;
	struct secondary_set *set = one(&z);
	int64_t now = 0, last = 0;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		expect(set, now, SECONDARY_ASK);
		secondary_failed(set, z, "x", now);
		last = secondary_wake_ms(set, now) - now;
		assert_in_range(last, MIN(900 << i, 54 * S), MIN(1000 << i, 60 * S));
		now += last;
	}
	secondary_set_free(set);
}

static void test_expiry(void **state)
{
	struct secondary_action a;
	struct secondary *z;
	struct secondary_set *set = one(&z);
	int64_t now = 0;
	unsigned expired = 0;

	(void)state;
	arrive_first(set, z, 0);
	while (now < 2000 * S) {
		now = secondary_wake_ms(set, now);
		while (secondary_next(set, now, &a)) {
			if (a.what == SECONDARY_EXPIRE) {
				assert_int_equal(now, 1000 * S);
				assert_true(z->expired);
				expired++;
				secondary_lost(set, z);
			} else {
				secondary_failed(set, z, "x", now);
			}
		}
	}
	assert_int_equal(expired, 1);
	now = secondary_wake_ms(set, now);
	a = expect(set, now, SECONDARY_ASK);
	assert_false(a.zone->has_version);
	secondary_arrived(set, z, &first_news, now);
	assert_false(z->expired);
	assert_int_equal(z->expire_at_ms, now + 1000 * S);
	secondary_set_free(set);
}

/* RFC 7314: what the option makes of the time to live. EXPIRE is 1000 s. */
static void test_expire_option(void **state)
{
	static const struct {
		const char *name;
		bool arrives;
		uint32_t option_s, left_s; /* left before, where it is confirmed */
		int64_t want_s;
	} cases[] = {
		{"arrives with less", true, 400, 0, 400},
		{"arrives with more than the SOA says", true, 5000, 0, 1000},
		{"arrives with nothing left", true, 0, 0, 0},
		{"confirmed with more than we have", false, 700, 500, 700},
		{"confirmed with less than we have", false, 300, 500, 500},
		{"confirmed with more than the SOA says", false, 5000, 500, 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secondary_news n = first_news;
		struct secondary *z;
		struct secondary_set *set = one(&z);
		int64_t now = 0;

		n.has_expire = true;
		n.option_s = cases[i].option_s;
		expect(set, 0, SECONDARY_ASK);
		if (cases[i].arrives) {
			secondary_arrived(set, z, &n, 0);
		} else {
			secondary_arrived(set, z, &first_news, 0);
			now = (1000 - (int64_t)cases[i].left_s) * S;
			expect(set, now, SECONDARY_ASK);
			secondary_confirmed(set, z, &n, now);
		}
		if (z->expire_at_ms != now + cases[i].want_s * S)
			fail_msg("%s: %lld s left", cases[i].name, (long long)(z->expire_at_ms - now) / S);
		secondary_set_free(set);
	}
}

static void test_notify(void **state)
{
	static const struct {
		const char *name;
		unsigned from;
		bool good_key, has_serial;
		uint32_t serial;
		enum secondary_heard want;
		bool asks;
	} cases[] = {
		{"no serial", 1, true, false, 0, SECONDARY_HEARD, true},
		{"newer serial", 2, true, true, 11, SECONDARY_HEARD, true},
		{"ours", 1, true, true, 10, SECONDARY_OLD_NEWS, false},
		{"older", 1, true, true, 9, SECONDARY_OLD_NEWS, false},
		{"around the circle", 1, true, true, 10u + 0x80000001u, SECONDARY_OLD_NEWS, false},
		{"stranger", 3, true, false, 0, SECONDARY_STRANGER, false},
		{"wrong key", 1, false, false, 0, SECONDARY_STRANGER, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoint from = primary(cases[i].from);
		struct secondary_action a;
		struct secondary *z;
		struct secondary_set *set = one(&z);

		arrive_first(set, z, 0);
		if (secondary_notified(set, z, &from.addr, cases[i].good_key, cases[i].has_serial, cases[i].serial) != cases[i].want)
			fail_msg("%s: heard otherwise", cases[i].name);
		if (secondary_next(set, 5, &a) != cases[i].asks)
			fail_msg("%s: asked otherwise", cases[i].name);
		if (cases[i].asks && (a.direct != cases[i].has_serial || (a.direct && a.zone->primary != cases[i].from - 1)))
			fail_msg("%s: asks for the serial, or another", cases[i].name);
		secondary_set_free(set);
	}
}

/* While it is busy. */
static void test_notify_again(void **state)
{
	static const struct {
		const char *name;
		bool has_serial;
		uint32_t serial, arrives;
		bool again;
	} cases[] = {
		{"named serial has come", true, 12, 12, false},
		{"named serial is still ahead", true, 13, 12, true},
		{"no serial", false, 0, 12, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct endpoint from = primary(1);
		struct secondary_news n = first_news;
		struct secondary_action a;
		struct secondary *z;
		struct secondary_set *set = one(&z);

		arrive_first(set, z, 0);
		assert_int_equal(secondary_notified(set, z, &from.addr, true, true, 11), SECONDARY_HEARD);
		expect(set, 1, SECONDARY_ASK);
		assert_int_equal(secondary_notified(set, z, &from.addr, true, cases[i].has_serial, cases[i].serial), SECONDARY_HEARD);
		assert_int_equal(secondary_notified(set, z, &from.addr, true, true, 11), SECONDARY_HEARD);
		n.serial = cases[i].arrives;
		secondary_arrived(set, z, &n, 2);
		if (secondary_next(set, 3, &a) != cases[i].again)
			fail_msg("%s", cases[i].name);
		secondary_set_free(set);
	}
}

/* Of several that said they have a newer serial, who is asked is one that has the newest; and once that has come, nobody is known to have more. */
static void test_notify_of_several(void **state)
{
	const struct endpoint from[] = {primary(1), primary(2)};
	struct secondary_news n = first_news;
	struct secondary_action a;
	struct secondary *z;
	struct secondary_set *set = one(&z);

	(void)state;
	arrive_first(set, z, 0);
	/* Both tell of a change, as primaries do; one of them while the other is asked. */
	assert_int_equal(secondary_notified(set, z, &from[0].addr, true, true, 11), SECONDARY_HEARD);
	a = expect(set, 1, SECONDARY_ASK);
	assert_true(a.direct && z->primary == 0);
	assert_int_equal(secondary_notified(set, z, &from[1].addr, true, true, 11), SECONDARY_HEARD);
	assert_int_equal(z->primary, 0);
	n.serial = 11;
	secondary_arrived(set, z, &n, 2);
	assert_false(secondary_next(set, 3, &a));
	a = expect(set, 101 * S, SECONDARY_ASK);
	assert_false(a.direct);
	/* The other has a newer one. */
	assert_int_equal(secondary_notified(set, z, &from[1].addr, true, true, 13), SECONDARY_HEARD);
	n.serial = 12;
	secondary_arrived(set, z, &n, 102 * S);
	a = expect(set, 102 * S, SECONDARY_ASK);
	assert_true(a.direct && z->primary == 1);
	n.primary = 1;
	n.serial = 13;
	secondary_arrived(set, z, &n, 103 * S);
	/* Before either is asked. */
	assert_int_equal(secondary_notified(set, z, &from[0].addr, true, true, 15), SECONDARY_HEARD);
	assert_int_equal(secondary_notified(set, z, &from[1].addr, true, true, 14), SECONDARY_HEARD);
	a = expect(set, 104 * S, SECONDARY_ASK);
	assert_true(a.direct && z->primary == 0);
	n.primary = 0;
	n.serial = 15;
	secondary_arrived(set, z, &n, 105 * S);
	/* One that does not say what it has may have the newest. */
	assert_int_equal(secondary_notified(set, z, &from[0].addr, true, true, 16), SECONDARY_HEARD);
	assert_int_equal(secondary_notified(set, z, &from[1].addr, true, false, 0), SECONDARY_HEARD);
	a = expect(set, 106 * S, SECONDARY_ASK);
	assert_false(a.direct);
	/* It fails: who told of a newer one meanwhile is asked next. */
	assert_int_equal(secondary_notified(set, z, &from[1].addr, true, true, 17), SECONDARY_HEARD);
	secondary_failed(set, z, "x", 107 * S);
	a = expect(set, 107 * S + SECONDARY_SULK_MS, SECONDARY_ASK);
	assert_true(a.direct && z->primary == 1);
	secondary_set_free(set);
}

/* A primary that fails and notifies all the time is asked once a second, not at once. */
static void test_notify_after_failure(void **state)
{
	const struct endpoint from = primary(1);
	struct secondary *z;
	struct secondary_set *set = one(&z);
	int64_t now = 50 * S;
	unsigned asked = 0;
	struct secondary_action a;

	(void)state;
	arrive_first(set, z, 0);
	secondary_notified(set, z, &from.addr, true, false, 0);
	for (; now < 60 * S; now += 10) {
		while (secondary_next(set, now, &a)) {
			asked++;
			secondary_failed(set, z, "x", now);
		}
		secondary_notified(set, z, &from.addr, true, false, 0);
	}
	assert_in_range(asked, 5, 11);
	secondary_set_free(set);
}

static void test_orders(void **state)
{
	struct secondary_action a;
	struct secondary *z;
	struct secondary_set *set = one(&z);

	(void)state;
	arrive_first(set, z, 0);
	secondary_demand(set, z, true, true);
	a = expect(set, 1, SECONDARY_ASK);
	assert_true(a.whole && a.force);
	/* Another one meanwhile is for the next turn, however this one ends. */
	secondary_demand(set, z, true, false);
	secondary_failed(set, z, "x", 2);
	a = expect(set, 2 + SECONDARY_SULK_MS, SECONDARY_ASK);
	assert_true(a.whole && !a.force);
	secondary_redo(set, z, true, 2000);
	a = expect(set, 2000, SECONDARY_ASK);
	assert_true(a.whole && !a.force);
	secondary_confirmed(set, z, &first_news, 2001);
	expect_nothing(set, 2001);
	a = expect(set, 2001 + 100 * S, SECONDARY_ASK);
	assert_false(a.whole || a.force);
	secondary_set_free(set);
}

/* Bounds of what a SOA may say. */
static void test_silly_timers(void **state)
{
	const struct secondary_news zero = {.serial = 1}, huge = {.serial = 2, .refresh_s = UINT32_MAX, .retry_s = UINT32_MAX, .expire_s = UINT32_MAX};
	struct secondary *z;
	struct secondary_set *set = one(&z);

	(void)state;
	expect(set, 0, SECONDARY_ASK);
	secondary_arrived(set, z, &zero, 0);
	assert_in_range(secondary_wake_ms(set, 0), 900, 1000);
	assert_int_equal(z->expire_at_ms, 2000);
	expect(set, secondary_wake_ms(set, 0), SECONDARY_ASK);
	secondary_arrived(set, z, &huge, 1000);
	assert_true(secondary_wake_ms(set, 1000) <= 1000 + (int64_t)SECONDARY_REFRESH_MAX_S * S);
	assert_true(z->expire_at_ms == 1000 + (int64_t)SECONDARY_EXPIRE_MAX_S * S);
	secondary_set_free(set);
}

/* 1,000 zones at a primary that hangs, one at another: the one is served, and the limits hold. */
static void test_limits(void **state)
{
	struct secondary_set *set = secondary_set_new(3);
	struct secondary_action a;
	struct secondary_counts c;
	unsigned hung = 0, other = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		add(set, i, 1, 1);
	add(set, 5000, 2, 1);
	assert_int_equal(secondary_begin(set, 0), 0);
	while (secondary_next(set, 0, &a)) {
		hung += a.zone->primaries[0].addr.bytes[3] == 1;
		other += a.zone->primaries[0].addr.bytes[3] == 2;
	}
	assert_int_equal(hung, SECONDARY_ACTIVE_PER_SOURCE);
	assert_int_equal(other, 1);
	secondary_counts(set, &c);
	assert_int_equal(c.busy, SECONDARY_ACTIVE_PER_SOURCE + 1);
	assert_int_equal(c.queued, 1000 - SECONDARY_ACTIVE_PER_SOURCE);
	secondary_set_free(set);
}

/* A new configuration: what stays goes on, in flight too; other primaries or another key begin anew but keep the version. */
static void test_inherit(void **state)
{
	struct secondary_set *old = secondary_set_new(3), *new = secondary_set_new(4);
	struct secondary *idle = add(old, 1, 1, 1), *busy = add(old, 2, 1, 1), *moved = add(old, 3, 1, 1), *now_idle, *now_busy, *now_moved;
	struct secondary_counts c;
	struct secondary_action a;

	(void)state;
	assert_int_equal(secondary_begin(old, 0), 0);
	while (secondary_next(old, 0, &a)) {
	}
	secondary_arrived(old, idle, &first_news, 0);
	secondary_arrived(old, moved, &first_news, 0);
	now_idle = add(new, 1, 1, 1);
	now_busy = add(new, 2, 1, 1);
	now_moved = add(new, 3, 9, 1);
	assert_true(secondary_inherit(new, now_idle, idle));
	assert_true(secondary_inherit(new, now_busy, busy));
	assert_false(secondary_inherit(new, now_moved, moved));
	assert_int_equal(secondary_begin(new, 5), 0);
	secondary_counts(new, &c);
	assert_int_equal(c.busy, 1);
	assert_int_equal(now_idle->due_ms, idle->due_ms);
	assert_true(now_moved->has_version && now_moved->serial == 10);
	assert_ptr_equal(expect(new, 5 + 15, SECONDARY_ASK).zone, now_moved);
	secondary_arrived(new, now_busy, &first_news, 30);
	secondary_counts(new, &c);
	assert_int_equal(c.serving, 3);
	secondary_set_free(old);
	secondary_set_free(new);
}

/* A day of many zones, restarted with all of them overdue: none waits longer than its refresh (and the spread), no second has more starts than the
 * rate, and the order of names is that of secondary_after(). */
static void test_day(void **state)
{
	struct secondary_set *set = secondary_set_new(7);
	static unsigned asked[MANY];
	struct secondary_action a;
	struct secondary *z;
	int64_t now = 0, second = 0;
	unsigned in_second = 0, most = 0, total = 0;
	const uint8_t *last = NULL;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		z = add(set, i, 1 + i % 5, 1);
		secondary_recall(set, z, &(struct secondary_past){.has_version = true, .has_refreshed = true, .serial = 1, .refresh_s = 3600, .retry_s = 600,
		                                                  .expire_s = 86400, .refreshed_ms = -7200 * S, .due_ms = -3600 * S,
		                                                  .expire_at_ms = 70000 * S});
	}
	assert_int_equal(secondary_begin(set, 0), 0);
	for (size_t n = 0; n < MANY; n++) {
		z = secondary_after(set, last);
		assert_non_null(z);
		assert_true(!last || name_compare(last, z->apex) < 0);
		last = z->apex;
	}
	assert_null(secondary_after(set, last));
	while (now < 86400 * S) {
		while (secondary_next(set, now, &a)) {
			unsigned n = (unsigned)strtoul((const char *)a.zone->apex + 2, NULL, 10);

			assert_int_equal(a.what, SECONDARY_ASK);
			assert_ptr_equal(secondary_find(set, a.zone->apex), a.zone);
			asked[n]++;
			total++;
			if (now / S != second)
				in_second = 0;
			second = now / S;
			most = MAX(most, ++in_second);
			secondary_confirmed(set, a.zone, &(struct secondary_news){.serial = 1}, now);
		}
		assert_true(secondary_wake_ms(set, now) > now);
		now = secondary_wake_ms(set, now);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_in_range(asked[i], 24, 28);
	assert_true(most <= 400); /* 100 s of spread: 200 on average */
	printf("%u refreshes of %u zones in a day, at most %u in a second\n", total, MANY, most);
	secondary_set_free(set);
}

/* Counts that are kept as zones change are those of a pass over all of them. */
static void assert_counted(const struct secondary_set *set, const struct secondary_counts *kept)
{
	struct secondary_counts c = {.zones = kept->zones, .queued = kept->queued, .busy = kept->busy};
	struct secondary_currency of[2] = {0}, n;

	for (const struct secondary *z = secondary_after(set, NULL); z; z = secondary_after(set, z->apex)) {
		struct secondary_currency *mine = &of[z->network];

		c.serving += z->has_version && (!z->expired || z->serve_expired);
		c.expired += z->expired;
		c.failing += z->failures > 0;
		c.empty += !z->has_version;
		mine->held += z->has_version;
		mine->failing += z->has_version && z->failures > 0;
		if (z->has_version && z->has_refreshed)
			mine->refreshed_ms = MAX(mine->refreshed_ms, z->refreshed_ms);
	}
	assert_memory_equal(&c, kept, sizeof(c));
	for (uint32_t i = 0; i < 2; i++) {
		secondary_currency(set, i, &n);
		assert_int_equal(n.held, of[i].held);
		assert_int_equal(n.failing, of[i].failing);
		assert_true(n.refreshed_ms >= of[i].refreshed_ms);
	}
}

/* Zones come and go while others wait, queue and are busy: as a plain list says. */
static void test_come_and_go(void **state)
{
	enum { NAMES = 3000, ROUNDS = 300 };
	static struct secondary *there[NAMES];
	struct secondary_set *set = secondary_set_new(7);
	struct secondary *busy[SECONDARY_ACTIVE_MAX];
	size_t busy_count = 0, count = 0;
	unsigned seed = 3;

	(void)state;
	assert_non_null(set);
	assert_int_equal(secondary_begin(set, 0), 0);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t now = (int64_t)round * 700;
		struct secondary_action a;
		struct secondary_counts counts;
		size_t seen = 0;

		for (int i = 0; i < (round % 50 == 49 ? 2000 : 30); i++) {
			unsigned n = (seed = seed * 1103515245 + 12345) >> 8 & 0xfff;

			if (n >= NAMES)
				continue;
			if (there[n]) {
				for (size_t k = 0; k < busy_count; k++)
					if (busy[k] == there[n])
						busy[k--] = busy[--busy_count];
				secondary_remove(set, there[n]);
				there[n] = NULL;
				count--;
			} else {
				there[n] = add(set, n, 1 + n % 5, 1 + n % 3);
				there[n]->network = n % 2;
				there[n]->serve_expired = n % 3 == 0;
				count++;
			}
		}
		assert_int_equal(secondary_admit(set, now), 0);
		assert_int_equal(secondary_count(set), count);
		while (secondary_next(set, now, &a)) {
			assert_false(a.zone->gone);
			if (a.what == SECONDARY_ASK)
				busy[busy_count++] = a.zone;
			else
				secondary_lost(set, a.zone);
		}
		for (size_t k = 0; k < busy_count / 2; k++) {
			if (k % 3)
				secondary_arrived(set, busy[k], &first_news, now);
			else
				secondary_failed(set, busy[k], "no", now);
		}
		memmove(busy, busy + busy_count / 2, (busy_count - busy_count / 2) * sizeof(busy[0]));
		busy_count -= busy_count / 2;
		secondary_counts(set, &counts);
		assert_int_equal(counts.zones, count);
		assert_int_equal(counts.busy, busy_count);
		assert_counted(set, &counts);
		for (const struct secondary *z = secondary_after(set, NULL), *before = NULL; z; before = z, z = secondary_after(set, z->apex), seen++)
			assert_true(!z->gone && (!before || name_compare(before->apex, z->apex) < 0));
		assert_int_equal(seen, count);
		for (unsigned n = 0; n < NAMES; n++) {
			const struct name name = name_of(n);

			assert_ptr_equal(secondary_find(set, name.wire), there[n]);
		}
	}
	secondary_set_free(set);
}

/* Lists of primaries are shared, but not between zones that speak to the same ones in different ways. */
static void test_tls_of_primaries(void **state)
{
	struct secondary_set *set = secondary_set_new(1);
	struct secondary *z[6];

	(void)state;
	assert_non_null(set);
	for (unsigned i = 0; i < 6; i++) {
		struct endpoint list[2] = {primary(1), primary(2)};
		const struct name name = name_of(i);

		list[0].tls = (uint16_t)(i % 3);
		list[1].tls = (uint16_t)(i / 3);
		assert_int_equal(secondary_add(set, &(struct secondary_config){.apex = name.wire, .primaries = list, .primary_count = 2, .key = UINT32_MAX}, &z[i]), 0);
	}
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(z[i]->primaries[0].tls, i % 3);
		assert_int_equal(z[i]->primaries[1].tls, i / 3);
	}
	secondary_set_free(set);
}

/* ---- how current ---- */

/* Zone n: of a network, held since `now`, with the timers of first_news. */
static struct secondary *hold(struct secondary_set *set, unsigned n, uint32_t network, int64_t now)
{
	struct secondary *z = add(set, n, n, 1);

	z->network = network;
	secondary_recall(set, z, &(struct secondary_past){.has_version = true, .serial = 10, .refresh_s = 100, .retry_s = 10, .expire_s = 1000,
	                 .has_refreshed = true, .refreshed_ms = now, .due_ms = now + 100 * S, .expire_at_ms = now + 1000 * S});
	return z;
}

static void currencies(const struct secondary_set *set, struct secondary_currency *c)
{
	for (uint32_t i = 0; i < 3; i++)
		secondary_currency(set, i, &c[i]);
}

static void test_currencies(void **state)
{
	static const uint8_t quarter[3] = {25, 0, 25};
	struct secondary_set *set = secondary_set_new(1);
	struct secondary_currency c[3];
	struct secondary_near near[3];
	struct secondary *z[5];

	(void)state;
	assert_non_null(set);
	for (unsigned i = 0; i < 4; i++)
		z[i] = hold(set, i, i % 2, (int64_t)i * 10 * S);
	z[4] = add(set, 4, 4, 1); /* without data */
	z[4]->network = 0;
	(void)hold(set, 5, UINT32_MAX, 0);
	assert_int_equal(secondary_begin(set, 0), 0);

	currencies(set, c);
	secondary_near(set, quarter, near, 3, 100 * S);
	assert_int_equal(c[0].held, 2);
	assert_int_equal(c[1].held, 2);
	assert_int_equal(c[2].held, 0);
	assert_int_equal(c[0].failing + c[1].failing + near[0].count + near[1].count, 0);
	assert_true(c[0].has_refreshed && c[1].has_refreshed && !c[2].has_refreshed);
	assert_int_equal(c[0].refreshed_ms, 20 * S);
	assert_int_equal(c[1].refreshed_ms, 30 * S);

	secondary_failed(set, z[2], "no", 500 * S);
	secondary_failed(set, z[4], "no", 500 * S);
	currencies(set, c);
	assert_int_equal(c[0].failing, 1);
	secondary_confirmed(set, z[2], &first_news, 510 * S);
	secondary_remove(set, z[3]);
	currencies(set, c);
	assert_int_equal(c[0].failing, 0);
	assert_int_equal(c[0].refreshed_ms, 510 * S);
	assert_int_equal(c[1].held, 1);
	assert_int_equal(c[1].refreshed_ms, 30 * S); /* somebody answered then, whatever about */

	secondary_near(set, quarter, near, 3, 750 * S - 1);
	assert_int_equal(near[0].count, 0);
	secondary_near(set, quarter, near, 3, 750 * S);
	assert_int_equal(near[0].count, 1);
	assert_int_equal(near[0].at_ms, 1000 * S);
	assert_ptr_equal(near[0].apex, z[0]->apex);
	secondary_near(set, quarter, near, 3, 1300 * S);
	assert_int_equal(near[0].count, 2);
	assert_int_equal(near[0].at_ms, 1000 * S);
	secondary_near(set, quarter, near, 3, 1010 * S - 1);
	assert_int_equal(near[1].count, 0); /* not before the end */
	secondary_near(set, quarter, near, 3, 1010 * S);
	assert_int_equal(near[1].count, 1); /* at it, and served on */
	secondary_set_free(set);
}

static void test_turns(void **state)
{
	struct secondary_set *set = secondary_set_new(1);
	const uint8_t *after = NULL;
	struct secondary *z[6];

	(void)state;
	assert_non_null(set);
	for (unsigned i = 0; i < 6; i++)
		z[i] = hold(set, i, i % 2, 0);
	z[2]->has_version = false;
	assert_int_equal(secondary_begin(set, 0), 0);
	for (int round = 0; round < 3; round++) {
		after = (secondary_turn(set, after, 0))->apex;
		assert_ptr_equal(after, z[0]->apex);
		after = (secondary_turn(set, after, 0))->apex;
		assert_ptr_equal(after, z[4]->apex);
	}
	z[4]->phase = SECONDARY_BUSY;
	assert_ptr_equal(secondary_turn(set, z[0]->apex, 0), z[0]);
	z[4]->phase = SECONDARY_WAITING;
	assert_null(secondary_turn(set, NULL, 7));
	secondary_remove(set, z[1]);
	assert_ptr_equal(secondary_turn(set, z[5]->apex, 1), z[3]);
	secondary_set_free(set);
}

/* Zones that failed with the primary are asked for soon, those of others not. */
static void test_retry(void **state)
{
	struct secondary_set *set = secondary_set_new(1);
	struct secondary_action act;
	struct secondary *z[3];
	int64_t now = 0;

	(void)state;
	assert_non_null(set);
	for (unsigned i = 0; i < 3; i++) {
		z[i] = add(set, i, i < 2 ? 1 : 2, 1);
		secondary_recall(set, z[i], &(struct secondary_past){.has_version = true, .serial = 10, .refresh_s = 86400, .retry_s = 3600, .expire_s = 864000,
		                 .due_ms = 0, .expire_at_ms = 864000 * (int64_t)S});
	}
	assert_int_equal(secondary_begin(set, 0), 0);
	for (int asked = 0; asked < 3; now += 1)
		while (secondary_next(set, now, &act)) {
			secondary_failed(set, act.zone, "silent", now);
			asked++;
		}
	expect_nothing(set, now + 1000 * S);
	secondary_retry(set, z[1], now);
	for (int asked = 0; asked < 2; now += 1) {
		assert_in_range(now, 0, 100);
		while (secondary_next(set, now, &act)) {
			assert_ptr_not_equal(act.zone, z[2]);
			secondary_confirmed(set, act.zone, &(struct secondary_news){.serial = 10}, now);
			asked++;
		}
	}
	secondary_retry(set, z[1], now); /* nothing fails there any more */
	expect_nothing(set, now + 1000 * S);
	secondary_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_currencies), cmocka_unit_test(test_turns), cmocka_unit_test(test_retry), cmocka_unit_test(test_refresh_with_jitter), cmocka_unit_test(test_backoff), cmocka_unit_test(test_backoff_without_data),
		cmocka_unit_test(test_expiry), cmocka_unit_test(test_expire_option), cmocka_unit_test(test_notify),
		cmocka_unit_test(test_notify_again), cmocka_unit_test(test_notify_of_several), cmocka_unit_test(test_notify_after_failure), cmocka_unit_test(test_orders),
		cmocka_unit_test(test_silly_timers), cmocka_unit_test(test_tls_of_primaries), cmocka_unit_test(test_limits), cmocka_unit_test(test_inherit), cmocka_unit_test(test_day), cmocka_unit_test(test_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
