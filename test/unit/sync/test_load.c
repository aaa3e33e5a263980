/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of the loader against a model: lists that change, files that change, break and go, zones read by name, stores taken over. After each
 * step the store has the zones of the list and no others, each with the records of the last good version of its file, and the counts on
 * the board, which are kept change by change, say the same. */
#include "base/err.h"
#include "base/log.h"
#include "sync/load.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ZONES = 40, STEPS = 300, NETWORKS = 3 };

struct model {
	struct name apex;
	char path[2][96];
	unsigned which;     /* of the two paths */
	bool listed, good;  /* good: the file loads */
	unsigned network, lines;
	bool serving;
	unsigned records;   /* served */
	unsigned served_by; /* the network when they were read */
};

static struct model zones[ZONES];
static char folder[] = "/tmp/zonecast-load-XXXXXX", store[64];
static unsigned seed = 7, versions = 1;

static unsigned roll(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Each version of a file has another length, so that none looks unchanged. */
static void write_file(struct model *z)
{
	FILE *f = fopen(z->path[z->which], "w");

	assert_non_null(f);
	z->lines = 1 + roll(5);
	fprintf(f, ";%*s\n$TTL 60\n@ SOA a a %u 1 1 1 1\n@ NS n.test.\n", (int)versions * 100, "", versions);
	for (unsigned i = 0; i < z->lines; i++)
		fprintf(f, "h%u A 192.0.2.1\n", i);
	z->good = roll(4) != 0;
	if (!z->good)
		fprintf(f, "x BOGUS y\n");
	fclose(f);
	versions++;
}

/* What looking at the file makes of the zone. */
static void expect_read(struct model *z)
{
	if (!z->good)
		return;
	z->serving = true;
	z->records = 2 + z->lines;
	z->served_by = z->network;
}

static struct zone_list *make_list(void)
{
	struct zone_list *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	arena_init(&l->arena, 0);
	l->rows = calloc(ZONES, sizeof(*l->rows));
	assert_non_null(l->rows);
	for (size_t i = 0; i < ZONES; i++)
		if (zones[i].listed)
			l->rows[l->count++] = (struct zone_row){.apex = arena_dup(&l->arena, zones[i].apex.wire, zones[i].apex.len),
			                                        .path = arena_strdup(&l->arena, zones[i].path[zones[i].which]),
			                                        .network = zones[i].network, .slot = zones[i].network};
	l->cap = ZONES;
	return l;
}

static void change_list(void)
{
	for (size_t i = 0; i < ZONES; i++) {
		struct model *z = &zones[i];

		if (roll(5) == 0) {
			z->listed = !z->listed;
			z->serving = z->serving && z->listed;
		}
		if (roll(8) == 0)
			z->network = roll(NETWORKS);
		if (roll(8) == 0) {
			z->which = !z->which;
			write_file(z);
		}
		if (z->listed)
			expect_read(z);
	}
}

static void compare(const struct loader *l)
{
	const struct board_sync *b = &l->board->sync;
	unsigned listed = 0, serving = 0, records = 0, net_zones[NETWORKS] = {0}, net_ready[NETWORKS] = {0};
	const struct store_zone *z = NULL;
	struct store_snapshot s;

	store_writer_snapshot(l->writer, &s);
	for (size_t i = 0; i < ZONES; i++) {
		const struct model *m = &zones[i];

		if (!m->listed)
			continue;
		z = store_zone_next(&s, z ? store_zone_apex(z) : NULL);
		assert_non_null(z);
		assert_true(name_equal(store_zone_apex(z), m->apex.wire));
		assert_int_equal(z->state == STORE_ZONE_SERVING, m->serving);
		assert_int_equal(z->record_count, m->serving ? m->records : 0);
		if (m->serving)
			assert_int_equal(z->network, m->served_by);
		listed++;
		serving += m->serving;
		records += m->serving ? m->records : 0;
		net_zones[m->network]++;
		net_ready[m->network] += m->serving;
	}
	assert_null(store_zone_next(&s, z ? store_zone_apex(z) : NULL));
	assert_int_equal(board_get(&b->zones_configured), listed);
	assert_int_equal(board_get(&b->zones_serving), serving);
	assert_int_equal(board_get(&b->zones_failed), listed - serving);
	assert_int_equal(board_get(&b->records), records);
	for (unsigned i = 0; i < NETWORKS; i++) {
		assert_int_equal(atomic_load(&b->networks[i].zones), net_zones[i]);
		assert_int_equal(atomic_load(&b->networks[i].ready), net_ready[i]);
	}
}

static int set_up(void **state)
{
	struct board *board;
	int fd;

	(void)state;
	log_setup("test", LOG_ERR);
	if (!mkdtemp(folder) || board_create(&fd, &board) < 0)
		return -1;
	*state = board;
	snprintf(store, sizeof(store), "%s/store", folder);
	for (size_t i = 0; i < ZONES; i++) {
		struct model *z = &zones[i];
		char text[32];

		/* Canonical order is that of the numbers. */
		snprintf(text, sizeof(text), "zone%02zu.test", i);
		if (name_from_text(text, strlen(text), (const uint8_t *)"", &z->apex) < 0)
			return -1;
		for (unsigned k = 0; k < 2; k++)
			snprintf(z->path[k], sizeof(z->path[k]), "%s/%zu.%u", folder, i, k);
		z->listed = roll(2);
		write_file(z);
	}
	return 0;
}

static int tear_down(void **state)
{
	char path[96];

	(void)state;
	for (size_t i = 0; i < ZONES; i++)
		for (unsigned k = 0; k < 2; k++)
			unlink(zones[i].path[k]);
	unlink(store);
	snprintf(path, sizeof(path), "%s.lock", store);
	unlink(path);
	return rmdir(folder);
}

static void test_random_steps(void **state)
{
	struct loader l;

	loader_init(&l, store, *state, 1);
	/* Nobody pins anything. */
	for (size_t i = 0; i < l.pin_count; i++)
		atomic_store(l.pins[i], STORE_UNPINNED);
	change_list();
	assert_int_equal(loader_run(&l, make_list(), NULL, 0), 0);
	compare(&l);
	for (int step = 0; step < STEPS; step++) {
		struct name asked[4];
		size_t count = 0;

		for (unsigned n = roll(6); n; n--)
			write_file(&zones[roll(ZONES)]);
		switch (roll(4)) {
		case 0: /* these and no others */
			for (unsigned n = roll(4) + 1; n; n--) {
				struct model *z = &zones[roll(ZONES)];

				asked[count++] = z->apex;
				assert_int_equal(loader_has(&l, z->apex.wire), z->listed);
				if (z->listed)
					expect_read(z);
			}
			assert_int_equal(loader_run_some(&l, asked, count), 0);
			break;
		case 1: /* whatever has changed, and one that may be unknown */
			asked[0] = zones[roll(ZONES)].apex;
			for (size_t i = 0; i < ZONES; i++)
				if (zones[i].listed)
					expect_read(&zones[i]);
			assert_int_equal(loader_run(&l, NULL, asked, roll(2)), 0);
			break;
		case 2:
			change_list();
			assert_int_equal(loader_run(&l, make_list(), NULL, 0), 0);
			break;
		default: /* a successor, which has to ask the store what there is */
			loader_done(&l);
			loader_init(&l, store, *state, 1);
			change_list();
			assert_int_equal(loader_run(&l, make_list(), NULL, 0), 0);
		}
		compare(&l);
	}
	loader_done(&l);
}

/* The first file that may not be read ends the run where the right to read it can be had, and is a zone that does not load elsewhere. */
static void test_no_right(void **state)
{
	struct loader l;
	char lock[96];

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(folder, 65534, 65534), 0);
	for (size_t i = 0; i < ZONES; i++) {
		zones[i].listed = true;
		zones[i].good = false;
		write_file(&zones[i]);
		for (unsigned k = 0; k < 2; k++)
			chmod(zones[i].path[k], 0644);
	}
	assert_int_equal(chmod(zones[5].path[zones[5].which], 0600), 0);
	unlink(store);
	snprintf(lock, sizeof(lock), "%s.lock", store);
	unlink(lock);
	assert_int_equal(seteuid(65534), 0);
	loader_init(&l, store, *state, 1);
	for (size_t i = 0; i < l.pin_count; i++)
		atomic_store(l.pins[i], STORE_UNPINNED);
	l.may_ask = true;
	assert_int_equal(loader_run(&l, make_list(), NULL, 0), -EACCES);
	assert_string_equal(l.unreadable, zones[5].path[zones[5].which]);
	l.may_ask = false;
	assert_int_equal(loader_run(&l, NULL, NULL, 0), 0);
	assert_string_equal(l.unreadable, "");
	for (size_t i = 0; i < ZONES; i++) {
		zones[i].serving = false;
		if (i != 5)
			expect_read(&zones[i]);
	}
	zones[5].good = false;
	compare(&l);
	loader_done(&l);
	assert_int_equal(seteuid(0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_steps), cmocka_unit_test(test_no_right)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
