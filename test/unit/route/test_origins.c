/* SPDX-License-Identifier: BSD-2-Clause */
/* From watch's rows on the board to the prefixes that are left out, under each decision. */
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SECOND_NS = 1000000000 };

static struct route *r;
static struct role role;
static struct config_network conf;
static struct ip_prefix prefixes[4];

static int setup(void **state)
{
	static const char *const texts[] = {"192.0.2.0/24", "198.51.100.0/24", "2001:db8:53::/48", "2001:db8:54::/48"};

	(void)state;
	r = calloc(1, sizeof(*r));
	role = (struct role){.board = calloc(1, sizeof(struct board))};
	assert_true(r && role.board);
	r->role = &role;
	r->network_count = 1;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(prefix_parse(texts[i], &prefixes[i]), 0);
		r->networks[0].prefixes[i] = prefixes[i];
	}
	r->networks[0].prefix_count = 4;
	conf = (struct config_network){.prefixes = prefixes, .prefix_count = 4};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(role.board);
	free(r);
	return 0;
}

static void row(uint32_t i, size_t which, bool refuse, uint64_t expires_ns)
{
	struct board_rpki *b = &role.board->watch.rpki;

	b->origin[i].prefix = prefixes[which];
	b->origin[i].refuse = refuse;
	b->origin[i].expires_ns = expires_ns;
	snprintf(b->origin[i].why, sizeof(b->origin[i].why), "row %u", i);
	b->origins = MAX(b->origins, i + 1);
	b->changes++;
}

static uint32_t apply(enum decide_reason v4, enum decide_reason v6, uint64_t now_ns)
{
	uint32_t before = r->networks[0].refused;
	bool changed;

	r->networks[0].family[0].decide.reason = v4;
	r->networks[0].family[1].decide.reason = v6;
	origins_look(r, now_ns);
	changed = origins_apply(r, 0, 0);
	changed |= origins_apply(r, 0, 1);
	assert_int_equal(changed, before != r->networks[0].refused);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(origins_refused(r, &prefixes[i]), r->networks[0].refused >> i & 1);
	return r->networks[0].refused;
}

static void rows(void **state)
{
	struct ip_prefix other;

	(void)state;
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 1), 0);
	assert_null(origins_all_refused(r, &conf, 4));
	row(0, 1, true, SECOND_NS);
	row(1, 2, true, 2ULL * SECOND_NS);
	row(2, 0, false, SECOND_NS);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 1), 2 | 4);
	assert_null(origins_all_refused(r, &conf, 4));
	assert_null(origins_all_refused(r, &conf, 6));
	row(3, 3, true, 2ULL * SECOND_NS);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 1), 2 | 4 | 8);
	assert_string_equal(origins_all_refused(r, &conf, 6), "row 1");
	assert_null(origins_all_refused(r, &conf, 0));
	assert_int_equal(prefix_parse("192.0.2.0/25", &other), 0);
	assert_false(origins_refused(r, &other));
	/* They end by the time alone, each with its own. */
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, SECOND_NS), 4 | 8);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 2ULL * SECOND_NS), 0);
	assert_null(origins_all_refused(r, &conf, 6));
}

static void orders(void **state)
{
	(void)state;
	row(0, 0, true, SECOND_NS);
	row(1, 2, true, SECOND_NS);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 1), 1 | 4);
	/* Forced in one family. */
	assert_int_equal(apply(DECIDE_FORCED, DECIDE_WELL, 1), 4);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_FORCED, 1), 1);
	/* Frozen: as it is, whatever is said from then on. */
	row(2, 1, true, SECOND_NS);
	row(0, 0, false, SECOND_NS);
	assert_int_equal(apply(DECIDE_FROZEN, DECIDE_FROZEN, 1), 1);
	assert_int_equal(apply(DECIDE_FROZEN, DECIDE_FROZEN, 9ULL * SECOND_NS), 1);
	/* And when it is over, what is true by then. */
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 9ULL * SECOND_NS), 0);
	row(2, 1, true, 99ULL * SECOND_NS);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 9ULL * SECOND_NS), 2);
}

/* Watch died in the midst of a row: what was known stays, but not for longer than it counts. */
static void torn(void **state)
{
	(void)state;
	row(0, 0, true, SECOND_NS);
	row(1, 1, true, 5ULL * SECOND_NS);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 1), 1 | 2);
	board_write_begin(&role.board->watch.rpki.origin[1].seq);
	role.board->watch.rpki.changes++;
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 2), 1 | 2);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, SECOND_NS), 2);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 5ULL * SECOND_NS), 0);
	/* The next one writes its rows anew. */
	board_write_begin(&role.board->watch.rpki.origin[1].seq);
	row(1, 1, true, 9ULL * SECOND_NS);
	board_write_end(&role.board->watch.rpki.origin[1].seq);
	assert_int_equal(apply(DECIDE_WELL, DECIDE_WELL, 5ULL * SECOND_NS), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows, setup, teardown),
		cmocka_unit_test_setup_teardown(orders, setup, teardown),
		cmocka_unit_test_setup_teardown(torn, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
