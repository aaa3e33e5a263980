/* SPDX-License-Identifier: BSD-2-Clause */
/* What transfers bring, into store and journal: good and bad versions, a process that dies between the two, reboots, expiry. */
#include "base/err.h"
#include "base/log.h"
#include "dns/message.h"
#include "sync/arrive.h"
#include "sync/history.h"
#include "sync/versions.h"
#include "xfr/incoming.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ID = 7 };

static const uint8_t apex[] = "\1z\4test";
static char folder[] = "/tmp/zonecast-arrive-XXXXXX", store[64], journal_folder[64];
static struct board *board;

struct node {
	struct loader l;
	struct journal *j;
	struct history *history;
	struct versions *versions;
	uint64_t journal_failed;
};

/* ---- messages ---- */

static void put_rr(struct writer *w, const char *owner, uint16_t type, const void *rdata, uint16_t len)
{
	struct name n;

	if (*owner)
		assert_int_equal(name_from_text(owner, strlen(owner), apex, &n), 0);
	else
		name_copy(&n, apex);
	writer_bytes(w, n.wire, n.len);
	writer_u16(w, type);
	writer_u16(w, CLASS_IN);
	writer_u32(w, 300);
	writer_u16(w, len);
	writer_bytes(w, rdata, len);
}

static void put_soa(struct writer *w, uint32_t serial)
{
	uint8_t rdata[22] = {0};

	for (unsigned i = 1; i < 5; i++)
		put_u32(rdata + 2 + 4 * i, 1000 * i);
	put_u32(rdata + 2, serial);
	put_rr(w, "", RR_SOA, rdata, sizeof(rdata));
}

/* One record "vSERIAL A" tells versions apart. */
static void put_mark(struct writer *w, uint32_t serial)
{
	const uint8_t a[4] = {192, 0, 2, (uint8_t)serial};
	char owner[16];

	snprintf(owner, sizeof(owner), "v%u", serial);
	put_rr(w, owner, RR_A, a, sizeof(a));
}

static struct xfr_in *feed(struct writer *w, enum xfr_kind kind, unsigned records, uint32_t ours, enum xfr_in_step want)
{
	const struct xfr_in_settings set = {.apex = apex, .id = ID, .kind = kind, .has_serial = kind == XFR_IXFR, .serial = ours};
	struct xfr_in *in = NULL;

	put_u16(w->base + 6, (uint16_t)records);
	assert_true(writer_ok(w));
	assert_int_equal(xfr_in_new(&set, &in), 0);
	assert_int_equal(xfr_in_feed(in, w->base, w->pos), want);
	return in;
}

static void begin(struct writer *w, uint16_t qtype)
{
	writer_u16(w, ID);
	writer_u16(w, DNS_QR | DNS_AA);
	writer_u16(w, 1);
	writer_u16(w, 0);
	writer_u16(w, 0);
	writer_u16(w, 0);
	writer_bytes(w, apex, sizeof(apex));
	writer_u16(w, qtype);
	writer_u16(w, CLASS_IN);
}

static struct arrival *arrival_of(struct xfr_in *in, enum arrival_kind kind)
{
	struct arrival *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	name_copy(&a->apex, apex);
	a->kind = kind;
	a->in = in;
	strcpy(a->who, "192.0.2.1:53");
	return a;
}

static struct arrival *whole_marked(uint32_t serial, uint32_t mark, bool bad)
{
	uint8_t buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));

	begin(&w, RR_AXFR);
	put_soa(&w, serial);
	put_rr(&w, "", RR_NS, "\1n\1x", 5);
	put_mark(&w, mark);
	if (bad)
		put_rr(&w, "", RR_CNAME, "\1n\1x", 5);
	put_soa(&w, serial);
	return arrival_of(feed(&w, XFR_AXFR, bad ? 5 : 4, 0, XFR_IN_WHOLE), ARRIVAL_WHOLE);
}

static struct arrival *whole(uint32_t serial, bool bad)
{
	return whole_marked(serial, serial, bad);
}

/* deletes: the mark that goes. */
static struct arrival *difference(uint32_t from, uint32_t to, uint32_t deletes)
{
	uint8_t buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));

	begin(&w, RR_IXFR);
	put_soa(&w, to);
	put_soa(&w, from);
	put_mark(&w, deletes);
	put_soa(&w, to);
	put_mark(&w, to);
	put_soa(&w, to);
	return arrival_of(feed(&w, XFR_IXFR, 6, from, XFR_IN_DIFFERENCES), ARRIVAL_DIFFERENCES);
}

/* ---- a node ---- */

static struct zone_list *list(bool serve_expired)
{
	struct zone_list *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	arena_init(&l->arena, 0);
	l->rows = calloc(1, sizeof(*l->rows));
	assert_non_null(l->rows);
	l->rows[0] = (struct zone_row){.apex = apex, .held = true, .serve_expired = serve_expired, .network = UINT32_MAX, .slot = UINT32_MAX};
	l->count = l->cap = 1;
	return l;
}

static void up(struct node *n, bool serve_expired)
{
	memset(n, 0, sizeof(*n));
	loader_init(&n->l, store, board, 1);
	assert_int_equal(journal_open(journal_folder, NULL, NULL, &n->j), 0);
	n->l.history = n->history = history_new(HISTORY_OCTETS_MAX, NULL);
	n->l.versions = n->versions = versions_new(n->j);
	assert_true(n->history && n->versions);
	assert_int_equal(loader_run(&n->l, list(serve_expired), NULL, 0), 0);
}

static void down(struct node *n)
{
	loader_done(&n->l);
	versions_free(n->versions);
	history_free(n->history);
	journal_close(n->j);
}

static void reboot(void)
{
	unlink(store);
}

static enum arrival_outcome take(struct node *n, struct journal *j, struct arrival *a, char error[ARRIVAL_ERROR_MAX])
{
	enum arrival_outcome outcome;

	assert_int_equal(arrive(&n->l, j, a, &n->journal_failed), 0);
	outcome = a->outcome;
	if (error)
		strcpy(error, a->error);
	arrival_free(a);
	return outcome;
}

/* Serial served, whose mark is there and no other; 0: no data. */
static uint32_t served(struct node *n)
{
	const struct store_zone *z;
	struct store_snapshot s;

	store_writer_snapshot(n->l.writer, &s);
	z = store_zone_get(&s, apex);
	assert_non_null(z);
	if (z->state != STORE_ZONE_SERVING)
		return 0;
	assert_int_equal(z->record_count, 3);
	for (uint32_t k = 0; k < 20; k++) {
		struct store_lookup l;
		struct name name;
		char text[16];

		snprintf(text, sizeof(text), "v%u", k);
		assert_int_equal(name_from_text(text, strlen(text), apex, &name), 0);
		store_lookup(&s, z, name.wire, &l);
		assert_int_equal(l.node != NULL, k == z->serial);
	}
	assert_int_equal(n->l.serving, 1);
	return z->serial;
}

struct kept {
	uint32_t newest, oldest;
	unsigned records;
};

static int count_one(void *ctx, const struct rr *rr)
{
	(void)rr;
	(*(unsigned *)ctx)++;
	return 0;
}

static int look(struct journal_txn *t, void *ctx)
{
	struct kept *k = ctx;
	struct journal_zone z;
	int err = journal_get_zone(t, apex, &z);

	if (err || !z.has_version)
		return 0;
	k->newest = z.newest;
	k->oldest = z.oldest;
	return journal_get_records(t, apex, z.newest, count_one, &k->records);
}

/* Newest serial in the journal, whole; 0: none. */
static uint32_t kept(struct node *n, uint32_t *oldest)
{
	struct kept k = {0};

	assert_int_equal(journal_read(n->j, look, &k, NULL), 0);
	assert_int_equal(k.records, k.newest ? 3 : 0);
	if (oldest)
		*oldest = k.oldest;
	return k.newest;
}

static struct held recall(struct node *n)
{
	struct held *held = NULL, h;
	size_t count = 0;

	assert_int_equal(arrive_recall(&n->l, n->j, &held, &count, &n->journal_failed), 0);
	assert_int_equal(count, 1);
	h = held[0];
	free(held);
	return h;
}

/* ---- tests ---- */

static void remove_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		char name[512];

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			unlink(name);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int set_up(void **state)
{
	char lock[80];
	int fd;

	(void)state;
	log_setup("test", LOG_ERR);
	if (!board && (!mkdtemp(folder) || board_create(&fd, &board) < 0))
		return -1;
	snprintf(store, sizeof(store), "%s/store", folder);
	snprintf(journal_folder, sizeof(journal_folder), "%s/journal", folder);
	snprintf(lock, sizeof(lock), "%s.lock", store);
	unlink(store);
	unlink(lock);
	remove_all(journal_folder);
	return 0;
}

static void test_good_and_bad(void **state)
{
	char error[ARRIVAL_ERROR_MAX];
	struct node n;
	uint32_t oldest;

	(void)state;
	up(&n, false);
	assert_int_equal(served(&n), 0);
	assert_int_equal(take(&n, n.j, whole(1, true), error), ARRIVAL_REFUSED);
	assert_non_null(strstr(error, "not fit to be served"));
	assert_int_equal(served(&n) + kept(&n, NULL), 0);
	assert_int_equal(take(&n, n.j, difference(1, 2, 1), error), ARRIVAL_NO_USE);
	assert_int_equal(take(&n, n.j, whole(1, false), NULL), ARRIVAL_SERVED);
	assert_int_equal(served(&n), 1);
	assert_int_equal(take(&n, n.j, difference(1, 2, 1), NULL), ARRIVAL_SERVED);
	assert_int_equal(served(&n), 2);
	assert_int_equal(kept(&n, &oldest), 2);
	assert_int_equal(oldest, 1);
	/* Deletes what is not there. */
	assert_int_equal(take(&n, n.j, difference(2, 3, 9), error), ARRIVAL_NO_USE);
	assert_non_null(strstr(error, "v9.z.test"));
	assert_int_equal(take(&n, n.j, difference(5, 6, 5), error), ARRIVAL_NO_USE);
	assert_int_equal(served(&n), 2);
	assert_int_equal(take(&n, n.j, whole(3, true), error), ARRIVAL_REFUSED);
	assert_int_equal(served(&n), 2);
	assert_int_equal(take(&n, n.j, whole(4, false), NULL), ARRIVAL_SERVED);
	assert_int_equal(served(&n), 4);
	assert_int_equal(kept(&n, &oldest), 4);
	assert_int_equal(oldest, 1); /* a whole zone is kept as a difference where it can be */
	assert_int_equal(n.journal_failed, 0);
	down(&n);
}

/* The store has a version that the journal did not get. */
static void test_died_before_the_journal(void **state)
{
	struct node n;

	(void)state;
	up(&n, false);
	assert_int_equal(take(&n, n.j, whole(1, false), NULL), ARRIVAL_SERVED);
	assert_int_equal(take(&n, NULL, difference(1, 2, 1), NULL), ARRIVAL_SERVED);
	assert_int_equal(kept(&n, NULL), 1);
	/* The next difference does not fit there: all of it goes. */
	assert_int_equal(take(&n, n.j, difference(2, 3, 2), NULL), ARRIVAL_SERVED);
	assert_int_equal(kept(&n, NULL), 3);
	assert_int_equal(take(&n, NULL, difference(3, 4, 3), NULL), ARRIVAL_SERVED);
	down(&n);
	/* Or at the next start. */
	up(&n, false);
	assert_int_equal(served(&n), 4);
	assert_int_equal(kept(&n, NULL), 3);
	assert_int_equal(recall(&n).serial, 4);
	assert_int_equal(kept(&n, NULL), 4);
	down(&n);
	reboot();
	up(&n, false);
	assert_int_equal(served(&n), 0);
	assert_true(recall(&n).has_version);
	assert_int_equal(served(&n), 4);
	assert_int_equal(n.journal_failed, 0);
	down(&n);
}

static void test_expired(void **state)
{
	struct timers_row row = {.timers = {.refreshed_s = 1000, .expire_at_s = 2000, .failures = 3, .error = "no answer", .primary = "192.0.2.1:53"}};
	struct node n;
	struct held h;

	(void)state;
	name_copy(&row.apex, apex);
	up(&n, false);
	assert_int_equal(take(&n, n.j, whole(5, false), NULL), ARRIVAL_SERVED);
	assert_int_equal(take(&n, n.j, arrival_of(NULL, ARRIVAL_EXPIRED), NULL), ARRIVAL_SERVED);
	assert_int_equal(served(&n), 0);
	assert_int_equal(n.l.serving, 0);
	assert_int_equal(kept(&n, NULL), 5);
	assert_int_equal(arrive_note_timers(n.j, &row, 1, NULL), 0);
	h = recall(&n);
	assert_false(h.has_version);
	assert_true(h.has_timers);
	assert_string_equal(h.timers.error, "no answer");
	assert_int_equal(served(&n), 0);
	down(&n);
	up(&n, true);
	assert_true(recall(&n).has_version);
	assert_int_equal(served(&n), 5);
	down(&n);
}

/* Zones that the node no longer has. */
static void test_gone(void **state)
{
	struct node n;

	(void)state;
	up(&n, false);
	n.l.zones->rows[0].held = false;
	assert_int_equal(take(&n, n.j, whole(1, false), NULL), ARRIVAL_GONE);
	assert_int_equal(served(&n), 0);
	down(&n);
}

/* A primary that sends another content under a serial that we had, as it was forced to: whoever has that serial from us may have either, also after the next start. */
static void test_serial_of_two_versions(void **state)
{
	struct node n;

	(void)state;
	up(&n, false);
	assert_int_equal(take(&n, n.j, whole(5, false), NULL), ARRIVAL_SERVED);
	assert_int_equal(take(&n, n.j, whole(6, false), NULL), ARRIVAL_SERVED);
	assert_false(history_is_twice(n.history, apex, 6));
	assert_int_equal(take(&n, n.j, whole_marked(6, 7, false), NULL), ARRIVAL_SERVED);
	assert_true(history_is_twice(n.history, apex, 6));
	down(&n);
	up(&n, false);
	assert_true(history_is_twice(n.history, apex, 6));
	/* Back to one that there has been. */
	assert_int_equal(take(&n, n.j, whole_marked(5, 8, false), NULL), ARRIVAL_SERVED);
	assert_true(history_is_twice(n.history, apex, 5));
	down(&n);
}

static int tear_down(void **state)
{
	char lock[80];

	(void)state;
	snprintf(lock, sizeof(lock), "%s.lock", store);
	unlink(store);
	unlink(lock);
	remove_all(journal_folder);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_and_bad, set_up),
		cmocka_unit_test_setup(test_died_before_the_journal, set_up),
		cmocka_unit_test_setup(test_expired, set_up),
		cmocka_unit_test_setup(test_gone, set_up),
		cmocka_unit_test_setup(test_serial_of_two_versions, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
