/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of a zone in the store while it is read, when the writer is killed, and when there is no space: readers see each version whole. */
#include "store_kit.h"

#include "base/clock.h"
#include "base/err.h"
#include "dns/rr.h"
#include "zone/difference.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { READERS = 2, NAMES = 400, TEXT = 40 };

struct shared {
	_Atomic uint64_t pins[READERS];
	_Atomic uint64_t looks[READERS], bad[READERS], done;
	_Atomic int stop;
};

struct bed {
	char *folder, path[4200];
	struct shared *sh;
	_Atomic uint64_t *pins[READERS];
	struct store_writer *w;
	struct store_open_info info;
	struct name apex;
};

static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "test"};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	b->sh = mmap(NULL, sizeof(*b->sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < READERS; i++) {
		b->pins[i] = &b->sh->pins[i];
		atomic_store(b->pins[i], STORE_UNPINNED);
	}
	b->apex = kit_name("example.");
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	store_writer_close(b->w);
	munmap(b->sh, sizeof(*b->sh));
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

static int open_writer(struct bed *b)
{
	return store_writer_open(b->path, b->pins, READERS, &b->w, &b->info);
}

static void close_writer(struct bed *b)
{
	store_writer_close(b->w);
	b->w = NULL;
}

/* A child that crashes must die of it, rather than go on as a second run of the tests. */
static pid_t fork_child(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGABRT};
	pid_t pid = fork();

	for (unsigned i = 0; !pid && i < ARRAY_LEN(signals); i++)
		signal(signals[i], SIG_DFL);
	assert_true(pid >= 0);
	return pid;
}

/* The zone of a serial: a few names of the many differ from one serial to the next, some of them come and go. Every text at a.* and z.* tells the
 * serial, so that a half change would show. */
static struct content *content_at(const struct bed *b, uint32_t serial)
{
	struct content *c = content_new(b->apex.wire);
	uint8_t text[TEXT] = {0};

	if (!c)
		abort();
	kit_add_soa(c, b->apex.wire, serial);
	kit_add(c, b->apex.wire, RR_NS, "\2ns", 4);
	for (unsigned i = 0; i < NAMES; i++) {
		/* The last serial at which it was this name's turn. */
		uint32_t turn = serial - (serial + NAMES - i) % NAMES, told = i < 2 || i + 2 >= NAMES ? serial : turn;
		char owner[64];
		struct name n;

		snprintf(owner, sizeof(owner), "%c%u.%s%u.example.", i < 2 ? 'a' : i + 2 >= NAMES ? 'z' : 'm', i, turn % 7 ? "x" : "Y", i / 10);
		n = kit_name(owner);
		memcpy(text, &told, sizeof(told));
		if ((turn + i) % 5)
			kit_add(c, n.wire, RR_TXT, text, sizeof(text));
		if ((turn + i) % 11 == 3)
			kit_add(c, name_parent(n.wire), RR_NS, "\2ns", 4);
	}
	if (content_finish(c) != 0)
		abort();
	return c;
}

/* From one serial to the next by a change; a whole build where there is nothing yet. */
static int advance(struct bed *b, uint32_t serial)
{
	struct content *to = content_at(b, serial);
	struct zone_change_problem problem;
	struct zone_change change;
	const struct store_zone *z;
	struct store_snapshot s;
	uint64_t g;
	int err;

	store_writer_snapshot(b->w, &s);
	z = store_zone_get(&s, b->apex.wire);
	if (z) {
		err = zone_difference_store(&s, z, to, SIZE_MAX, &change);
		if (!err) {
			err = store_change_zone(b->w, b->apex.wire, &change, &meta, &problem);
			zone_change_done(&change);
		}
	} else {
		err = store_put_zone(b->w, b->apex.wire, to, &meta);
	}
	content_free(to);
	return err ? err : store_commit(b->w, &g);
}

/* Is what the snapshot has the zone of its serial, to the last record? */
static bool is_whole(const struct bed *b, const struct store_snapshot *s)
{
	const struct store_zone *z = store_zone_get(s, b->apex.wire);
	const struct store_node *n = NULL;
	struct zone_change change;
	struct content *c;
	uint64_t nodes = 0;
	size_t differ;

	if (!z)
		return false;
	c = content_at(b, z->serial);
	if (zone_difference_store(s, z, c, SIZE_MAX, &change) != 0)
		abort();
	differ = zone_change_size(&change) + (z->record_count != content_record_count(c)) + (z->rrset_count != content_rrset_count(c));
	zone_change_done(&change);
	content_free(c);
	while ((n = store_node_next(s, z, n)) != NULL) {
		struct store_lookup l;

		store_lookup(s, z, store_node_name(n), &l);
		differ += l.node != n;
		nodes++;
	}
	return !differ && nodes == z->node_count;
}

static void test_killed(void **state)
{
	struct bed *b = *state;
	struct rng r = {.s = 4};
	uint32_t last = 1000;

	assert_int_equal(open_writer(b), 0);
	assert_int_equal(advance(b, last), 0);
	close_writer(b);
	for (unsigned round = 0; round < 40; round++) {
		uint64_t until;
		struct store_snapshot s;
		const struct store_zone *z;
		pid_t pid;
		int status;

		atomic_store(&b->sh->done, 0);
		pid = fork_child();
		if (!pid) {
			if (open_writer(b) != 0 || b->info.fresh)
				_exit(1);
			for (uint32_t v = last + 1;; v++) {
				if (advance(b, v) != 0)
					_exit(2);
				atomic_store(&b->sh->done, v);
			}
		}
		/* At least one change, then at any moment. */
		for (uint64_t give_up = clock_ms() + 20000; !atomic_load(&b->sh->done) && clock_ms() < give_up;)
			sched_yield();
		until = clock_ns() + rng_below(&r, 2000000);
		while (clock_ns() < until)
			;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(open_writer(b), 0);
		assert_false(b->info.fresh);
		store_writer_snapshot(b->w, &s);
		assert_true(is_whole(b, &s));
		z = store_zone_get(&s, b->apex.wire);
		/* What was committed is there; at most one commit more than the writer could tell. */
		assert_in_range(z->serial, atomic_load(&b->sh->done), atomic_load(&b->sh->done) + 1);
		last = z->serial;
		close_writer(b);
	}
}

static int read_for_a_while(struct bed *b, unsigned i)
{
	struct store_reader *r;
	uint32_t serial = 0;

	if (store_reader_open(b->path, b->pins[i], &r) != 0)
		return 1;
	while (!atomic_load(&b->sh->stop)) {
		const struct store_zone *z;
		struct store_snapshot s;

		store_pin(r, &s);
		z = store_zone_get(&s, b->apex.wire);
		if (!z || z->serial < serial || !is_whole(b, &s))
			atomic_fetch_add(&b->sh->bad[i], 1);
		serial = z ? z->serial : serial;
		atomic_fetch_add(&b->sh->looks[i], 1);
		store_unpin(r);
	}
	store_reader_close(r);
	return 0;
}

static void test_readers(void **state)
{
	struct bed *b = *state;
	uint64_t until = clock_ms() + kit_seconds() * 500U, give_up = until + 60000;
	pid_t pids[READERS];
	uint32_t serial = 1000;
	bool all = false;
	int status;

	assert_int_equal(open_writer(b), 0);
	assert_int_equal(advance(b, serial), 0);
	for (unsigned i = 0; i < READERS; i++) {
		pids[i] = fork_child();
		if (!pids[i])
			_exit(read_for_a_while(b, i));
	}
	while (clock_ms() < give_up && (clock_ms() < until || !all)) {
		assert_int_equal(advance(b, ++serial), 0);
		all = true;
		for (unsigned i = 0; i < READERS; i++)
			all &= atomic_load(&b->sh->looks[i]) > 10;
	}
	atomic_store(&b->sh->stop, 1);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		assert_int_equal(atomic_load(&b->sh->bad[i]), 0);
		assert_true(atomic_load(&b->sh->looks[i]) > 10);
	}
	assert_true(serial > 1050);
}

/* An old version stays as it was while many changes follow it, and its space returns after. */
static void test_pinned(void **state)
{
	struct bed *b = *state;
	struct store_reader *r;
	struct store_snapshot s;
	struct store_stats stats;
	uint64_t sum, file;

	assert_int_equal(open_writer(b), 0);
	assert_int_equal(advance(b, 1000), 0);
	assert_int_equal(advance(b, 1001), 0);
	assert_int_equal(store_reader_open(b->path, b->pins[0], &r), 0);
	store_pin(r, &s);
	sum = kit_sum(&s);
	for (uint32_t v = 1002; v < 1400; v++)
		assert_int_equal(advance(b, v), 0);
	assert_true(kit_sum(&s) == sum);
	assert_true(is_whole(b, &s));
	store_unpin(r);
	store_reader_close(r);
	store_collect(b->w);
	store_stats(b->w, &stats);
	assert_int_equal(stats.waiting_bytes, 0);
	assert_true(stats.live_bytes < 200000);
	file = stats.file_bytes;
	for (uint32_t v = 1400; v < 1800; v++)
		assert_int_equal(advance(b, v), 0);
	store_stats(b->w, &stats);
	assert_int_equal(stats.file_bytes, file);
	close_writer(b);
	assert_int_equal(open_writer(b), 0);
	assert_int_equal(b->info.live_bytes + 4096, stats.live_bytes);
}

static int change_until_full(struct bed *b)
{
	struct rlimit limit = {2 << 20, 2 << 20};
	struct zone_change_problem problem;
	uint8_t text[60000] = {0};
	unsigned failed = 0;
	uint64_t g;

	/* A file size limit is what a full disk looks like, without filling one. */
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || open_writer(b) != 0 || b->info.fresh)
		return 1;
	for (unsigned i = 0; i < 60; i++) {
		struct zone_change change;
		char owner[40];
		int err;

		if (zone_change_init(&change, b->apex.wire) != 0)
			return 2;
		for (unsigned k = 0; k < 3; k++) {
			snprintf(owner, sizeof(owner), "big%u-%u.x.example.", i, k);
			kit_add(change.added, kit_name(owner).wire, RR_TXT, text, sizeof(text));
		}
		if (content_finish(change.removed) != 0 || content_finish(change.added) != 0)
			return 3;
		err = store_change_zone(b->w, b->apex.wire, &change, &meta, &problem);
		if (!err)
			err = store_commit(b->w, &g);
		if (err && err != ERR_NO_SPACE)
			return 4;
		failed += err != 0;
		zone_change_done(&change);
	}
	/* Small changes go on. */
	if (failed < 10 || advance(b, 1001) != 0)
		return 5;
	return 0;
}

static void test_full(void **state)
{
	struct bed *b = *state;
	struct store_snapshot s;
	int status;
	pid_t pid;

	assert_int_equal(open_writer(b), 0);
	assert_int_equal(advance(b, 1000), 0);
	close_writer(b);
	pid = fork_child();
	if (!pid)
		_exit(change_until_full(b));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(open_writer(b), 0);
	assert_false(b->info.fresh);
	store_writer_snapshot(b->w, &s);
	assert_true(is_whole(b, &s));
	assert_int_equal(store_zone_get(&s, b->apex.wire)->serial, 1001);
}

enum { BIG_NAMES = 100, BIG_TEXT = 10000 };

/* Replace one big record of the zone; returns how much of it is waste, in percent, or a negative code. */
static int change_big(struct bed *b, unsigned i)
{
	static const uint8_t text[2][BIG_TEXT] = {{0}, {1}};
	struct zone_change_problem problem;
	struct zone_change change;
	const struct store_zone *z;
	struct store_snapshot s;
	char owner[40];
	uint64_t g;
	int err = zone_change_init(&change, b->apex.wire);

	if (err)
		return err;
	snprintf(owner, sizeof(owner), "b%u.example.", i % BIG_NAMES);
	kit_add(change.removed, kit_name(owner).wire, RR_TXT, text[i / BIG_NAMES % 2], BIG_TEXT);
	kit_add(change.added, kit_name(owner).wire, RR_TXT, text[(i / BIG_NAMES + 1) % 2], BIG_TEXT);
	err = content_finish(change.removed);
	if (!err)
		err = content_finish(change.added);
	if (!err)
		err = store_change_zone(b->w, b->apex.wire, &change, &meta, &problem);
	if (!err)
		err = store_commit(b->w, &g);
	zone_change_done(&change);
	if (err)
		return err;
	store_writer_snapshot(b->w, &s);
	z = store_zone_get(&s, b->apex.wire);
	return (int)(z->waste * 100ULL / (z->bytes / STORE_CELL - z->spare));
}

static int change_without_room(struct bed *b)
{
	struct rlimit limit = {2 << 20, RLIM_INFINITY};
	unsigned i = 0;
	int waste = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || open_writer(b) != 0 || b->info.fresh)
		return 1;
	for (; i < 70; i++) {
		waste = change_big(b, i);
		if (waste < 0)
			return 2;
	}
	if (waste <= 31)
		return 3;
	limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 4;
	for (; i < 300 && waste > 31; i++)
		waste = change_big(b, i);
	return waste >= 0 && waste <= 31 ? 0 : 5;
}

/* A zone that cannot be compacted for lack of space is changed on, and compacted when there is space again. */
static void test_no_room_to_compact(void **state)
{
	static const uint8_t text[BIG_TEXT] = {0};
	struct bed *b = *state;
	struct content *c = content_new(b->apex.wire);
	uint64_t g;
	int status;
	pid_t pid;

	kit_add_soa(c, b->apex.wire, 1);
	kit_add(c, b->apex.wire, RR_NS, "\2ns", 4);
	for (unsigned i = 0; i < BIG_NAMES; i++) {
		char owner[40];

		snprintf(owner, sizeof(owner), "b%u.example.", i);
		kit_add(c, kit_name(owner).wire, RR_TXT, text, sizeof(text));
	}
	assert_int_equal(content_finish(c), 0);
	assert_int_equal(open_writer(b), 0);
	assert_int_equal(store_put_zone(b->w, b->apex.wire, c, &meta), 0);
	assert_int_equal(store_commit(b->w, &g), 0);
	content_free(c);
	close_writer(b);
	pid = fork_child();
	if (!pid)
		_exit(change_without_room(b));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A zone that was changed is checked on take-over as one that was built: any bit turned in what belongs to it is found. */
static void test_flipped(void **state)
{
	struct bed *b = *state;
	struct rng r = {.s = 5};
	unsigned detected = 0, harmless = 0;
	struct store_stats stats;
	FILE *f;

	for (unsigned i = 0; i < 300; i++) {
		uint8_t octet;
		long at;

		assert_int_equal(open_writer(b), 0);
		if (b->info.fresh) {
			for (uint32_t v = 1000; v < 1010; v++)
				assert_int_equal(advance(b, v), 0);
		}
		store_stats(b->w, &stats);
		close_writer(b);
		f = fopen(b->path, "r+");
		at = 4096 + (long)rng_below(&r, (unsigned)stats.live_bytes - 4096);
		assert_int_equal(fseek(f, at, SEEK_SET), 0);
		assert_int_equal(fread(&octet, 1, 1, f), 1);
		octet ^= (uint8_t)(1U << rng_below(&r, 8));
		assert_int_equal(fseek(f, at, SEEK_SET), 0);
		assert_int_equal(fwrite(&octet, 1, 1, f), 1);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(open_writer(b), 0);
		if (b->info.fresh) {
			detected++;
		} else {
			struct store_snapshot s;

			harmless++;
			store_writer_snapshot(b->w, &s);
			assert_true(is_whole(b, &s));
		}
		close_writer(b);
		unlink(b->path);
	}
	assert_true(detected > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room_to_compact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
