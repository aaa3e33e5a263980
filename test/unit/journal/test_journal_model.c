/* SPDX-License-Identifier: BSD-2-Clause */
/* Random histories: versions put as a whole, as content to be compared, and as differences, with random limits; after each step the journal
 * is compared with what the serials say. */
#include "journal_kit.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct model {
	uint32_t serials[4096];
	int count;
};

static void check_state(struct journal *j, const struct kit_zone *z, uint32_t newest, unsigned step)
{
	struct journal_zone facts;
	struct content *want;
	struct text why;
	int n;

	text_init(&why);
	n = kit_verify(j, z, &why);
	if (n < 0)
		fail_msg("step %u: %s", step, why.chars);
	assert_int_equal(kit_get_zone(j, &facts), 0);
	assert_true(facts.has_version);
	assert_int_equal(facts.newest, newest);
	assert_int_equal(facts.differences + 1, n);
	want = kit_content(z, newest);
	assert_int_equal(facts.records, content_record_count(want));
	content_free(want);
	text_done(&why);
}

static void run(uint64_t seed, unsigned steps)
{
	struct kit_rng r = {.s = seed << 32};
	struct kit_zone z = {.seed = seed, .names = 1 + kit_below(&r, 400), .calm = 2 + kit_below(&r, 60)};
	const struct journal_options o = {.map_step = 1 << 20};
	uint32_t serial = seed % 3 ? 1 + kit_below(&r, 1000) : UINT32_MAX - 20;
	char *folder = kit_folder();
	struct journal *j;
	struct text why;
	struct content *c;

	text_init(&why);
	if (kit_below(&r, 2))
		z.text = 1 + kit_below(&r, 2 * RDATA_MAX / 3);
	if (journal_open(folder, &o, &why, &j) != 0)
		fail_msg("%s", why.chars);
	c = kit_content(&z, serial);
	assert_int_equal(kit_put_whole(j, c, &why), 0);
	content_free(c);
	for (unsigned step = 0; step < steps; step++) {
		struct journal_keep keep = {.differences_max = kit_below(&r, 12), .octets_max = kit_below(&r, 3) ? 1 << 30 : 1 + kit_below(&r, 200000)};
		uint32_t next = serial + 1 + kit_below(&r, 3);
		unsigned how = kit_below(&r, 20);
		enum journal_outcome outcome = JOURNAL_UNCHANGED;
		int err;

		if (!kit_below(&r, 4)) {
			keep.all_s = kit_below(&r, 100);
			keep.step_s = 1 + kit_below(&r, 200);
		}
		if (how == 0) {
			c = kit_content(&z, next);
			err = kit_put_whole(j, c, &why);
			content_free(c);
		} else if (how < 8) {
			c = kit_content(&z, next);
			err = kit_put_version(j, c, &keep, &outcome, &why);
			content_free(c);
			if (!err)
				assert_int_not_equal(outcome, JOURNAL_UNCHANGED);
		} else {
			struct journal_change *change = kit_change(&z, serial, next);

			err = kit_put_change(j, change, kit_below(&r, 10) ? &keep : NULL, &why);
			kit_change_free(change);
		}
		if (err)
			fail_msg("seed %llu step %u how %u: %s", (unsigned long long)seed, step, how, why.chars);
		serial = next;
		if (kit_below(&r, 8) == 0) { /* as after a restart */
			journal_close(j);
			if (journal_open(folder, &o, &why, &j) != 0)
				fail_msg("seed %llu step %u: %s", (unsigned long long)seed, step, why.chars);
		}
		check_state(j, &z, serial, step);
	}
	journal_close(j);
	kit_folder_free(folder);
	text_done(&why);
}

static void test_random_histories(void **state)
{
	const char *runs = getenv("ZONECAST_JOURNAL_RUNS");
	unsigned n = runs ? (unsigned)strtoul(runs, NULL, 10) : 12;

	(void)state;
	for (unsigned seed = 1; seed <= n; seed++)
		run(seed, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_random_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
