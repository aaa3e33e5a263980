/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of a zone from a file, in store and journal: restarts, reboots, a process that dies between the two, going back, files that hold nothing against it and
 * files that do. */
#include "base/err.h"
#include "base/log.h"
#include "sync/history.h"
#include "sync/load.h"
#include "sync/versions.h"
#include "zone/zonemd.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t apex[] = "\1z\4test";
static char folder[] = "/tmp/zonecast-rollback-XXXXXX", store[64], journal_folder[64], file[64];
static struct board *board;
static unsigned saves;

struct node {
	struct loader l;
	struct journal *j;
	struct versions *v;
	struct history *history;
};

/* Each save has another length, so that it looks changed. */
static void save(uint32_t serial, const char *records)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fprintf(f, ";%*s\n$TTL 60\n@ SOA a a %u 1 1 1 1\n@ NS n.test.\n%s", (int)++saves, "", serial, records);
	fclose(f);
}

static struct zone_list *make_list(void)
{
	struct zone_list *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	arena_init(&l->arena, 0);
	l->rows = calloc(1, sizeof(*l->rows));
	assert_non_null(l->rows);
	l->rows[0] = (struct zone_row){.apex = apex, .path = file, .network = UINT32_MAX, .slot = UINT32_MAX};
	l->count = l->cap = 1;
	return l;
}

/* journal false: a node that has none for a while, as when it is killed before it writes there. */
static void start(struct node *n, bool journal)
{
	struct text why;

	memset(n, 0, sizeof(*n));
	text_init(&why);
	loader_init(&n->l, store, board, 1);
	for (size_t i = 0; i < n->l.pin_count; i++)
		atomic_store(n->l.pins[i], STORE_UNPINNED);
	if (journal) {
		if (journal_open(journal_folder, NULL, &why, &n->j) != 0)
			fail_msg("%s", why.chars);
		n->v = versions_new(n->j);
		assert_non_null(n->v);
		n->l.versions = n->v;
		n->l.journal = n->j;
	}
	text_done(&why);
	n->history = history_new(HISTORY_OCTETS_MAX, NULL);
	assert_non_null(n->history);
	n->l.history = n->history;
	assert_int_equal(loader_run(&n->l, make_list(), NULL, 0), 0);
}

static void stop(struct node *n)
{
	loader_done(&n->l);
	versions_free(n->v);
	history_free(n->history);
	journal_close(n->j);
}

static void forget_store(void)
{
	char lock[80];

	snprintf(lock, sizeof(lock), "%s.lock", store);
	unlink(store);
	unlink(lock);
}

static void load(struct node *n)
{
	assert_int_equal(loader_run(&n->l, NULL, NULL, 0), 0);
}

static int put_serial(void *ctx, const struct journal_entry *e)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%s%u%s", *text ? " " : "", e->version.serial, e->version.origin == JOURNAL_FROM_ROLLBACK ? "r" : "");
	return 0;
}

static int list_serials(struct journal_txn *t, void *ctx)
{
	int err = journal_history(t, apex, put_serial, ctx);

	return err == ERR_NOT_FOUND ? 0 : err;
}

static const char *kept(struct node *n)
{
	static char text[200];

	*text = '\0';
	assert_int_equal(journal_read(n->j, list_serials, text, NULL), 0);
	return text;
}

static void expect(struct node *n, uint32_t serial, uint64_t records, const char *versions, size_t held)
{
	const struct store_zone *z;
	struct store_snapshot s;

	store_writer_snapshot(n->l.writer, &s);
	z = store_zone_get(&s, apex);
	assert_non_null(z);
	assert_int_equal(z->state, STORE_ZONE_SERVING);
	assert_int_equal(z->serial, serial);
	assert_int_equal(z->record_count, records);
	assert_string_equal(kept(n), versions);
	assert_int_equal(versions_held(n->v), held);
	assert_int_equal(board_get(&board->sync.history_failed), 0);
	assert_int_equal(atomic_load(&n->l.before_pin), STORE_UNPINNED);
}

static void go_back(struct node *n, uint32_t to, uint32_t serial, const char *error)
{
	struct rollback r = {.to = to, .who = "a test"};

	name_copy(&r.apex, apex);
	assert_int_equal(versions_roll_back(n->v, &n->l, &r), 0);
	if (r.done != !error || (error && !strstr(r.error, error)))
		fail_msg("to %u: done %d: %s", to, r.done, r.error);
	if (r.done)
		assert_int_equal(r.serial, serial);
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	log_setup("test", LOG_ERR);
	if (!mkdtemp(strcpy(folder, "/tmp/zonecast-rollback-XXXXXX")) || board_create(&fd, &board) < 0)
		return -1;
	close(fd);
	snprintf(store, sizeof(store), "%s/store", folder);
	snprintf(journal_folder, sizeof(journal_folder), "%s/journal", folder);
	snprintf(file, sizeof(file), "%s/z.zone", folder);
	return 0;
}

static int tear_down(void **state)
{
	DIR *d = opendir(journal_folder);
	struct dirent *e;
	char path[400];

	(void)state;
	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", journal_folder, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(journal_folder);
	unlink(file);
	forget_store();
	return rmdir(folder);
}

/* The first version is noted when it has to be; what was missed is found at the next start, warm or cold. */
static void test_noting(void **state)
{
	struct node n;

	(void)state;
	save(1, "a A 192.0.2.1\n");
	start(&n, true);
	expect(&n, 1, 3, "", 0);
	load(&n);
	expect(&n, 1, 3, "", 0);
	save(2, "b A 192.0.2.1\nc A 192.0.2.1\n");
	load(&n);
	expect(&n, 2, 4, "1 2", 0);
	stop(&n);
	start(&n, false); /* dies before the journal has it */
	save(3, "");
	load(&n);
	stop(&n);
	start(&n, true);
	expect(&n, 3, 2, "1 2 3", 0);
	stop(&n);
	forget_store();
	save(4, "d A 192.0.2.1\n");
	start(&n, true);
	expect(&n, 4, 3, "1 2 3 4", 0);
	/* All records others: still a difference. */
	save(5, "e A 192.0.2.9\nf A 192.0.2.9\n");
	load(&n);
	expect(&n, 5, 4, "1 2 3 4 5", 0);
	stop(&n);
}

static void test_going_back(void **state)
{
	struct node n;

	(void)state;
	save(1, "a A 192.0.2.1\nb A 192.0.2.1\n");
	start(&n, true);
	go_back(&n, 1, 0, "no version is kept");
	save(2, "");
	load(&n);
	go_back(&n, 7, 0, "no version with serial 7");
	go_back(&n, 1, 3, NULL);
	expect(&n, 3, 4, "1 2 3r", 1);
	/* Saved again, but it says the same. */
	save(2, "");
	load(&n);
	expect(&n, 3, 4, "1 2 3r", 1);
	stop(&n);
	start(&n, true);
	expect(&n, 3, 4, "1 2 3r", 1);
	stop(&n);
	forget_store();
	start(&n, true);
	expect(&n, 3, 4, "1 2 3r", 1);
	go_back(&n, 2, 4, NULL);
	expect(&n, 4, 2, "1 2 3r 4r", 1);
	go_back(&n, 3, 5, NULL);
	save(6, "new A 192.0.2.1\n");
	load(&n);
	expect(&n, 6, 3, "1 2 3r 4r 5r 6", 0);
	stop(&n);
	forget_store();
	start(&n, true);
	expect(&n, 6, 3, "1 2 3r 4r 5r 6", 0);
	stop(&n);
}

/* Killed after the journal has the version gone back to, before the store has it. */
static void test_killed_between(void **state)
{
	char spare[80], command[200];
	struct node n;

	(void)state;
	snprintf(spare, sizeof(spare), "%s/spare", folder);
	save(1, "a A 192.0.2.1\n");
	start(&n, true);
	save(2, "");
	load(&n);
	stop(&n);
	snprintf(command, sizeof(command), "cp %s %s", store, spare);
	assert_int_equal(system(command), 0);
	start(&n, true);
	go_back(&n, 1, 3, NULL);
	stop(&n);
	assert_int_equal(rename(spare, store), 0);
	start(&n, true);
	expect(&n, 3, 3, "1 2 3r", 1);
	stop(&n);
}

static void test_signed(void **state)
{
	struct node n;

	(void)state;
	save(1, "@ RRSIG SOA 13 2 60 20400101000000 20200101000000 1 z.test. AAAA\n");
	start(&n, true);
	save(2, "");
	load(&n);
	go_back(&n, 1, 0, "the zone is signed");
	expect(&n, 2, 2, "1 2", 0);
	stop(&n);
}

/* The digests over the version gone back to are over what is served: one of each algorithm that was there. */
static void test_digests(void **state)
{
	const struct store_zone *z;
	struct store_snapshot s;
	char records[400], text[ZONEMD_TEXT_MAX];
	struct node n;

	(void)state;
	/* Of another serial, so that they say nothing about this version. */
	snprintf(records, sizeof(records), "@ ZONEMD 7 1 1 %096d\n@ ZONEMD 7 1 2 %0128d\na A 192.0.2.1\n", 0, 0);
	save(1, records);
	start(&n, true);
	save(2, "");
	load(&n);
	go_back(&n, 1, 3, NULL);
	expect(&n, 3, 5, "1 2 3r", 1);
	store_writer_snapshot(n.l.writer, &s);
	z = store_zone_get(&s, apex);
	assert_int_equal(zonemd_verify_store(&s, z, text), ZONEMD_VERIFIED);
	stop(&n);
}

/* The file has changed while the node was off, or it was killed before the journal knew, and the serial is one that others may have had with another content: they are told no differences from it,
 * also after the next start. */
static void test_serial_of_two_versions(void **state)
{
	struct node n;

	(void)state;
	save(1, "");
	start(&n, true);
	save(2, "a A 192.0.2.1\n");
	load(&n);
	save(3, "");
	load(&n);
	assert_false(history_is_twice(n.l.history, apex, 3));
	stop(&n);
	forget_store();
	save(3, "a A 192.0.2.2\n");
	start(&n, true);
	expect(&n, 3, 3, "3", 0);
	assert_true(history_is_twice(n.l.history, apex, 3));
	stop(&n);
	forget_store();
	start(&n, true);
	assert_true(history_is_twice(n.l.history, apex, 3));
	/* Back to a serial that there has been. */
	save(2, "a A 192.0.2.3\n");
	load(&n);
	expect(&n, 2, 3, "2", 0);
	assert_true(history_is_twice(n.l.history, apex, 2));
	save(4, "a A 192.0.2.4\n");
	load(&n);
	expect(&n, 4, 3, "2 4", 0);
	assert_false(history_is_twice(n.l.history, apex, 4));
	stop(&n);
}

/* Serials come around (RFC 1982). */
static void test_around(void **state)
{
	struct node n;

	(void)state;
	save(4294967294, "a A 192.0.2.1\n");
	start(&n, true);
	save(4294967295, "");
	load(&n);
	go_back(&n, 4294967294, 1, NULL); /* 0 is left out */
	expect(&n, 1, 3, "4294967294 4294967295 1r", 1);
	stop(&n);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {CASE(test_noting), CASE(test_going_back), CASE(test_killed_between), CASE(test_signed), CASE(test_digests), CASE(test_serial_of_two_versions), CASE(test_around)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
