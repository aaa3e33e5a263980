/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of the store: old ones stay while they are read, space comes back, a killed writer or a damaged file costs nothing but the file. */
#include "store_kit.h"

#include "base/clock.h"
#include "base/err.h"
#include "dns/rr.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { READERS = 3, ZONES = 5 };

/* Shared between the processes of a test. */
struct shared {
	_Atomic uint64_t pins[READERS];
	_Atomic uint64_t looks[READERS], bad[READERS];
	_Atomic int stop;
};

struct bed {
	char *folder, path[4200];
	struct shared *sh;
	_Atomic uint64_t *pins[READERS];
	struct store_writer *w;
	struct store_open_info info;
};

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

static void open_writer(struct bed *b)
{
	assert_int_equal(store_writer_open(b->path, b->pins, READERS, &b->w, &b->info), 0);
}

static void close_writer(struct bed *b)
{
	store_writer_close(b->w);
	b->w = NULL;
}

static struct name apex_of(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "zone%u.example.", i);
	return kit_name(text);
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

/* Put all zones at one version and commit. */
static int put_version(struct store_writer *w, uint32_t version)
{
	uint64_t g;
	int err = 0;

	for (unsigned i = 0; i < ZONES && !err; i++) {
		struct name apex = apex_of(i);
		struct content *c = kit_version(apex.wire, version, 3 + version * 7 % 40, 16 + version % 600);

		err = kit_put(w, apex.wire, c);
		content_free(c);
	}
	return err ? err : store_commit(w, &g);
}

/* The one version that every zone of a snapshot tells; UINT32_MAX when they disagree; 0 when there is no zone. */
static uint32_t version_of(const struct store_snapshot *s)
{
	const struct store_zone *z = NULL;
	uint32_t version = 0;
	uint64_t zones = 0;

	while ((z = store_zone_next(s, z ? store_zone_apex(z) : NULL)) != NULL) {
		uint32_t v = kit_version_of(s, z);

		if (v == UINT32_MAX || (zones++ && v != version))
			return UINT32_MAX;
		version = v;
	}
	return zones == s->zone_count ? version : UINT32_MAX;
}

static void test_old_version_stays(void **state)
{
	struct bed *b = *state;
	struct store_reader *r;
	struct store_snapshot s;
	struct store_stats stats;
	uint64_t sum;

	open_writer(b);
	assert_int_equal(put_version(b->w, 1000), 0);
	assert_int_equal(store_reader_open(b->path, b->pins[0], &r), 0);
	store_pin(r, &s);
	sum = kit_sum(&s);
	for (uint32_t v = 1001; v < 1200; v++) {
		assert_int_equal(put_version(b->w, v), 0);
		if (v % 20 == 0) {
			assert_true(kit_sum(&s) == sum);
			assert_int_equal(version_of(&s), 1000);
		}
	}
	store_stats(b->w, &stats);
	assert_true(stats.waiting_bytes > 0);
	/* Nor does a writer that starts anew take what is still read. */
	close_writer(b);
	open_writer(b);
	assert_false(b->info.fresh);
	assert_int_equal(b->info.zones, ZONES);
	for (uint32_t v = 1200; v < 1300; v++)
		assert_int_equal(put_version(b->w, v), 0);
	assert_true(kit_sum(&s) == sum);
	store_unpin(r);
	store_collect(b->w);
	store_stats(b->w, &stats);
	assert_int_equal(stats.waiting_bytes, 0);
	store_pin(r, &s);
	assert_int_equal(version_of(&s), 1299);
	store_reader_close(r);
}

static void test_space_returns(void **state)
{
	struct bed *b = *state;
	struct store_stats stats;
	uint64_t at_1000 = 0, live = 0, g;

	open_writer(b);
	for (uint32_t v = 1; v <= 10000; v++) {
		struct name apex = apex_of(v % ZONES);
		struct content *c = kit_version(apex.wire, v, 3 + v * 7 % 40, 16 + v % 600);

		assert_int_equal(kit_put(b->w, apex.wire, c), 0);
		if (v % 7 == 0)
			store_abort(b->w);
		else
			assert_int_equal(store_commit(b->w, &g), 0);
		content_free(c);
		if (v == 1000) {
			store_stats(b->w, &stats);
			at_1000 = stats.file_bytes;
		}
	}
	store_stats(b->w, &stats);
	assert_true(stats.file_bytes <= at_1000 + (1 << 20));
	assert_int_equal(stats.waiting_bytes, 0);
	for (unsigned i = 0; i < ZONES; i++) {
		struct name apex = apex_of(i);

		live = stats.live_bytes;
		assert_int_equal(store_remove_zone(b->w, apex.wire), 0);
		assert_int_equal(store_commit(b->w, &g), 0);
		store_stats(b->w, &stats);
		assert_true(stats.live_bytes < live);
	}
	assert_int_equal(stats.live_bytes, 4096);
	/* What the walk of a successor finds is the same. */
	close_writer(b);
	open_writer(b);
	assert_int_equal(b->info.live_bytes, 0);
	assert_false(b->info.fresh);
}

/* What was taken ahead of need goes back, under the eyes of a reader and in the middle of a transaction. */
static void test_shrink(void **state)
{
	struct bed *b = *state;
	struct name one = apex_of(0), two = apex_of(1);
	struct content *other = kit_version(two.wire, 2, 100, 300);
	struct store_reader *r = NULL;
	struct store_stats stats;
	struct store_snapshot s;
	unsigned shrunk = 0;
	struct stat st;
	uint64_t g;

	/* Each in a store of its own, so that there are no holes in it; how much is left over depends on the size. */
	for (unsigned names = 40000; names < 64000; names += 3000) {
		struct content *large = kit_version(one.wire, names, names, 1000);
		uint64_t before;

		unlink(b->path);
		open_writer(b);
		assert_int_equal(kit_put(b->w, one.wire, large), 0);
		assert_int_equal(store_commit(b->w, &g), 0);
		assert_int_equal(store_reader_open(b->path, b->pins[0], &r), 0);
		store_pin(r, &s);
		assert_int_equal(kit_put(b->w, two.wire, other), 0);
		store_stats(b->w, &stats);
		before = stats.file_bytes;
		store_shrink(b->w);
		store_stats(b->w, &stats);
		shrunk += stats.file_bytes < before;
		assert_true(stats.file_bytes < stats.live_bytes + (9 << 18));
		assert_int_equal(stat(b->path, &st), 0);
		assert_int_equal(st.st_size, stats.file_bytes);
		assert_int_equal(kit_version_of(&s, store_zone_get(&s, one.wire)), names);
		store_unpin(r);
		assert_int_equal(store_commit(b->w, &g), 0);
		store_shrink(b->w);
		assert_int_equal(kit_put(b->w, one.wire, large), 0);
		assert_int_equal(store_commit(b->w, &g), 0);
		store_pin(r, &s);
		assert_int_equal(kit_version_of(&s, store_zone_get(&s, one.wire)), names);
		assert_int_equal(kit_version_of(&s, store_zone_get(&s, two.wire)), 2);
		store_unpin(r);
		close_writer(b);
		open_writer(b);
		assert_false(b->info.fresh);
		close_writer(b);
		store_reader_close(r);
		content_free(large);
	}
	assert_true(shrunk > 0);
	content_free(other);
}

/* Many zones in one transaction leave no path copies behind. */
/* Pages are gathered under readers, between changes, and given back: nobody sees a difference. */
static void test_huge_pages(void **state)
{
	struct bed *b = *state;
	struct name one = apex_of(0), two = apex_of(1);
	struct store_reader *r = NULL;
	struct store_snapshot s;
	unsigned turns = 0;
	uint64_t g, sum;

	open_writer(b);
	assert_false(store_gather_pages(b->w, 10)); /* too small */
	for (unsigned version = 5000; version < 5004; version++) {
		struct content *large = kit_version(one.wire, version, version, 2000), *small = kit_version(two.wire, version, 3, 10);

		assert_int_equal(kit_put(b->w, one.wire, large), 0);
		assert_int_equal(store_commit(b->w, &g), 0);
		if (!r)
			assert_int_equal(store_reader_open(b->path, b->pins[0], &r), 0);
		store_pin(r, &s);
		assert_int_equal((uintptr_t)s.base % STORE_HUGE_PAGE, 0);
		sum = kit_sum(&s);
		for (bool more = true; more; turns++) {
			more = store_gather_pages(b->w, 1);
			assert_int_equal(kit_put(b->w, two.wire, small), 0);
			assert_int_equal(store_commit(b->w, &g), 0);
			store_collect(b->w);
			assert_true(kit_sum(&s) == sum);
		}
		store_unpin(r);
		store_shrink(b->w);
		store_pin(r, &s);
		assert_int_equal(kit_version_of(&s, store_zone_get(&s, one.wire)), version);
		assert_int_equal(kit_version_of(&s, store_zone_get(&s, two.wire)), version);
		store_unpin(r);
		content_free(large);
		content_free(small);
	}
	printf("%u turns\n", turns);
	close_writer(b);
	open_writer(b);
	assert_false(b->info.fresh);
	while (store_gather_pages(b->w, 2))
		;
	close_writer(b);
	store_pin(r, &s);
	assert_int_equal(kit_version_of(&s, store_zone_get(&s, one.wire)), 5003);
	store_unpin(r);
	store_reader_close(r);
}

static void test_one_large_transaction(void **state)
{
	struct bed *b = *state;
	struct store_stats stats;
	struct store_snapshot s;
	char text[40];
	uint64_t g;

	open_writer(b);
	for (unsigned i = 0; i < 20000; i++) {
		struct name apex;

		snprintf(text, sizeof(text), "z%u.test.", i * 7919 % 20000);
		apex = kit_name(text);
		assert_int_equal(kit_put(b->w, apex.wire, NULL), 0);
	}
	assert_int_equal(store_commit(b->w, &g), 0);
	store_stats(b->w, &stats);
	assert_int_equal(stats.zones, 20000);
	assert_true(stats.file_bytes < 20000 * 290);
	assert_int_equal(stats.waiting_bytes, 0);
	close_writer(b);
	open_writer(b);
	assert_int_equal(b->info.live_bytes + 4096, stats.live_bytes);
	store_writer_snapshot(b->w, &s);
	for (unsigned i = 0; i < 20000; i++) {
		struct name apex;

		snprintf(text, sizeof(text), "z%u.test.", i);
		apex = kit_name(text);
		assert_non_null(store_zone_get(&s, apex.wire));
	}
}

/* Records of the largest size there is, and many of them in one set. */
static void test_large_sets(void **state)
{
	struct bed *b = *state;
	struct name apex = kit_name("large.");
	struct content *c = content_new(apex.wire);
	uint8_t *rdata = calloc(1, 65535);
	const struct store_rrset *set;
	struct store_snapshot s;
	struct store_lookup l;
	uint64_t g;

	open_writer(b);
	kit_add_soa(c, apex.wire, 1);
	for (uint32_t i = 0; i < 200; i++) {
		put_u16(rdata, (uint16_t)i);
		kit_add(c, apex.wire, 65280, rdata, 65535);
	}
	assert_int_equal(content_finish(c), 0);
	assert_int_equal(kit_put(b->w, apex.wire, c), 0);
	assert_int_equal(store_commit(b->w, &g), 0);
	content_free(c);
	free(rdata);
	store_writer_snapshot(b->w, &s);
	store_lookup(&s, store_zone_get(&s, apex.wire), apex.wire, &l);
	set = store_rrset_of(&s, l.node, 65280);
	assert_int_equal(set->count, 200);
	assert_int_equal(set->size, 200 * 65537);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(get_u16(set->data + (size_t)i * 65537 + 2), i);
}

/* What a watcher was told, as text: "<a. b. <" before and ">..." after, with the version readers see at that moment. */
struct told {
	char text[1000];
	struct store_reader *reader;
};

static void note_told(struct told *t, char mark, const uint8_t *const *apexes, size_t count)
{
	char name[NAME_TEXT_MAX];
	size_t used = strlen(t->text);

	used += (size_t)snprintf(t->text + used, sizeof(t->text) - used, "%c%d", mark, (int)store_generation(t->reader));
	for (size_t i = 0; apexes && i < count; i++) {
		name_to_text(apexes[i], name);
		used += (size_t)snprintf(t->text + used, sizeof(t->text) - used, " %s", name);
	}
	if (!apexes)
		snprintf(t->text + used, sizeof(t->text) - used, " all");
}

static void told_before(void *ctx, const uint8_t *const *apexes, size_t count)
{
	note_told(ctx, '<', apexes, count);
}

static void told_after(void *ctx, const uint8_t *const *apexes, size_t count)
{
	note_told(ctx, '>', apexes, count);
}

static void put_told(struct bed *b, const char *apex, uint32_t version)
{
	struct name name = kit_name(apex);
	struct content *c = kit_version(name.wire, version, 3, 10);

	assert_int_equal(kit_put(b->w, name.wire, c), 0);
	content_free(c);
}

static void commit_told(struct bed *b, struct told *t, const char *want)
{
	uint64_t generation;

	t->text[0] = '\0';
	assert_int_equal(store_commit(b->w, &generation), 0);
	assert_string_equal(t->text, want);
}

/* Whoever keeps answers is told before a change is visible and after, and of which zones. */
static void test_watcher(void **state)
{
	struct bed *b = *state;
	struct told t = {{0}, NULL};
	const struct store_watcher watcher = {told_before, told_after, &t};
	struct name gone = kit_name("b.");
	char want[64], apex[16];

	open_writer(b);
	assert_int_equal(store_reader_open(b->path, b->pins[0], &t.reader), 0);
	store_writer_watch(b->w, &watcher);
	put_told(b, "a.", 1);
	put_told(b, "b.", 1);
	commit_told(b, &t, "<1 all>2 all"); /* zones came */
	put_told(b, "a.", 2);
	put_told(b, "a.", 3);
	commit_told(b, &t, "<2 a.>3 a.");
	put_told(b, "a.", 4);
	put_told(b, "b.", 4);
	commit_told(b, &t, "<3 a. b.>4 a. b.");
	commit_told(b, &t, "");
	put_told(b, "a.", 5);
	store_abort(b->w);
	commit_told(b, &t, "");
	assert_int_equal(store_remove_zone(b->w, gone.wire), 0);
	snprintf(want, sizeof(want), "<%d all>%d all", (int)store_generation(t.reader), (int)store_generation(t.reader) + 1);
	commit_told(b, &t, want);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i <= STORE_CHANGED_MAX; i++) {
			snprintf(apex, sizeof(apex), "z%d.", i);
			put_told(b, apex, (uint32_t)pass + 1);
		}
		/* Too many to be named. */
		snprintf(want, sizeof(want), "<%d all>%d all", (int)store_generation(t.reader), (int)store_generation(t.reader) + 1);
		commit_told(b, &t, want);
	}
	store_reader_close(t.reader);
	close_writer(b);
}

static void test_second_writer(void **state)
{
	struct bed *b = *state;
	struct store_writer *other = NULL;
	struct store_open_info info;

	open_writer(b);
	assert_int_equal(store_writer_open(b->path, b->pins, READERS, &other, &info), -EWOULDBLOCK);
	assert_null(other);
	assert_int_equal(put_version(b->w, 5), 0);
	/* Even when the file is gone. */
	assert_int_equal(unlink(b->path), 0);
	assert_int_equal(store_writer_open(b->path, b->pins, READERS, &other, &info), -EWOULDBLOCK);
}

static void test_full(void **state)
{
	struct bed *b = *state;
	struct store_snapshot s;
	uint32_t v = 1;
	uint64_t g;
	int status;
	pid_t pid;

	open_writer(b);
	assert_int_equal(put_version(b->w, 1), 0);
	close_writer(b);
	pid = fork_child();
	if (!pid) {
		struct name apex = kit_name("big.");
		struct content *c = kit_version(apex.wire, 77, 3000, 60000);
		struct rlimit limit = {4 << 20, 4 << 20};

		/* A file size limit is what a full disk looks like, without filling one. */
		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(5);
		if (store_writer_open(b->path, b->pins, READERS, &b->w, &b->info) != 0 || b->info.fresh)
			_exit(1);
		if (kit_put(b->w, apex.wire, c) != ERR_NO_SPACE)
			_exit(2);
		for (v = 2; v < 20; v++)
			if (put_version(b->w, v) != 0)
				_exit(3);
		if (store_commit(b->w, &g) != 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_writer(b);
	assert_false(b->info.fresh);
	store_writer_snapshot(b->w, &s);
	assert_int_not_equal(version_of(&s), UINT32_MAX);
}

static void test_killed(void **state)
{
	struct bed *b = *state;
	struct rng r = {.s = 99};
	uint32_t last = 0;
	unsigned advanced = 0;

	for (unsigned round = 0; round < 60; round++) {
		_Atomic uint64_t *done = &b->sh->looks[0];
		uint64_t until;
		struct store_snapshot s;
		pid_t pid;
		int status;

		atomic_store(done, 0);
		pid = fork_child();
		if (!pid) {
			if (store_writer_open(b->path, b->pins, READERS, &b->w, &b->info) != 0 || (round && b->info.fresh))
				_exit(1);
			for (uint32_t v = last + 1;; v++) {
				if (put_version(b->w, v) != 0)
					_exit(2);
				atomic_store(done, v);
			}
		}
		/* At least one commit, then at any moment. */
		for (uint64_t give_up = clock_ms() + 20000; !atomic_load(done) && clock_ms() < give_up;)
			sched_yield();
		until = clock_ns() + rng_below(&r, 3000000);
		while (clock_ns() < until)
			;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		open_writer(b);
		assert_false(b->info.fresh);
		assert_int_equal(b->info.zones, ZONES);
		store_writer_snapshot(b->w, &s);
		assert_int_not_equal(version_of(&s), UINT32_MAX);
		/* What was committed is there; at most one commit more than the writer could tell. */
		assert_in_range(version_of(&s), atomic_load(done), atomic_load(done) + 1);
		advanced += version_of(&s) > last;
		last = version_of(&s);
		close_writer(b);
	}
	assert_int_equal(advanced, 60);
}

static void test_flipped(void **state)
{
	struct bed *b = *state;
	struct rng r = {.s = 5};
	struct stat st;
	uint8_t *good;
	unsigned detected = 0, harmless = 0;
	struct store_snapshot s;
	uint64_t sum, used;
	int fd;

	open_writer(b);
	assert_int_equal(put_version(b->w, 40), 0);
	assert_int_equal(put_version(b->w, 41), 0);
	store_writer_snapshot(b->w, &s);
	sum = kit_sum(&s);
	close_writer(b);
	fd = open(b->path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	good = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, good, (size_t)st.st_size), st.st_size);
	close(fd);
	/* The part that was ever written. */
	for (used = (uint64_t)st.st_size; used > 1 && !good[used - 1]; used--)
		;
	for (unsigned i = 0; i < 1500; i++) {
		uint64_t at = rng_below(&r, 4) ? rng_below(&r, (unsigned)used) : rng_below(&r, 4096 + 2048);
		unsigned width = rng_below(&r, 3) ? 1 : 1 + rng_below(&r, 64);
		uint64_t len = rng_below(&r, 20) ? (uint64_t)st.st_size : rng_below(&r, (unsigned)used);

		unlink(b->path);
		fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, good, len), len);
		for (unsigned k = 0; k < width && at + k < len; k++) {
			uint8_t octet = (uint8_t)(width == 1 ? (unsigned)good[at] ^ 1U << rng_below(&r, 8) : (unsigned)rng_next(&r));

			assert_int_equal(pwrite(fd, &octet, 1, (off_t)(at + k)), 1);
		}
		close(fd);
		open_writer(b);
		store_writer_snapshot(b->w, &s);
		if (b->info.fresh) {
			detected++;
			assert_int_equal(s.zone_count, 0);
		} else {
			uint64_t generation = s.generation;

			/* In a place that means nothing, or an older commit that is complete: the ring holds version 40 too. */
			harmless++;
			assert_true(kit_sum(&s) == sum || generation < 3);
			assert_int_not_equal(version_of(&s), UINT32_MAX);
		}
		/* Either way it goes on. */
		assert_int_equal(put_version(b->w, 42), 0);
		store_writer_snapshot(b->w, &s);
		assert_int_equal(version_of(&s), 42);
		close_writer(b);
	}
	free(good);
	assert_true(detected > 300 && harmless > 0);
}

/* The zones' trie has no checksum: its damage shows in its shape. Slots with any bit turned are found, or they were not in use. */
static void test_flipped_slots(void **state)
{
	enum { MANY = 300 };
	struct bed *b = *state;
	static struct name apexes[MANY];
	struct rng r = {.s = 17};
	struct store_snapshot s;
	unsigned detected = 0;
	uint64_t g, end;
	char text[40];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%c%u.test.", 'a' + i % 26, i);
		apexes[i] = kit_name(text);
	}
	for (unsigned round = 0; round < 600; round++) {
		struct store_stats stats;
		uint8_t octet;
		off_t at;
		int fd;

		open_writer(b);
		for (unsigned i = 0; !b->info.zones && i < MANY; i++) /* anew, now or in the round before */
			assert_int_equal(kit_put(b->w, apexes[i].wire, NULL), 0);
		assert_int_equal(store_commit(b->w, &g), 0);
		store_stats(b->w, &stats);
		end = 4096 + stats.live_bytes;
		close_writer(b);
		fd = open(b->path, O_RDWR);
		at = 4096 + (off_t)rng_below(&r, (unsigned)end - 4096);
		assert_int_equal(pread(fd, &octet, 1, at), 1);
		octet ^= (uint8_t)(1U << rng_below(&r, 8));
		assert_int_equal(pwrite(fd, &octet, 1, at), 1);
		close(fd);
		open_writer(b);
		store_writer_snapshot(b->w, &s);
		detected += b->info.fresh;
		for (unsigned i = 0; !b->info.fresh && i < MANY; i++)
			assert_non_null(store_zone_get(&s, apexes[i].wire));
		close_writer(b);
	}
	assert_true(detected > 300);
}

static void test_stale(void **state)
{
	struct bed *b = *state;
	struct store_reader *r = NULL;
	int fd;

	assert_int_equal(store_reader_open(b->path, b->pins[0], &r), -ENOENT);
	fd = open(b->path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(store_reader_open(b->path, b->pins[0], &r), ERR_STALE);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(store_reader_open(b->path, b->pins[0], &r), ERR_STALE);
	close(fd);
	open_writer(b);
	assert_true(b->info.fresh);
	assert_int_equal(put_version(b->w, 3), 0);
	close_writer(b);
	/* Another boot. */
	fd = open(b->path, O_RDWR);
	assert_int_equal(pwrite(fd, "0", 1, 16), 1);
	assert_int_equal(pwrite(fd, "1", 1, 17), 1);
	assert_int_equal(store_reader_open(b->path, b->pins[0], &r), ERR_STALE);
	close(fd);
	open_writer(b);
	assert_true(b->info.fresh);
}

/* ---- against time ---- */

static bool read_for_a_while(struct bed *b, unsigned i)
{
	struct store_reader *r;
	uint64_t generation = 0;
	uint32_t version = 0;

	if (store_reader_open(b->path, b->pins[i], &r) != 0)
		return false;
	while (!atomic_load(&b->sh->stop)) {
		struct store_snapshot s;
		uint32_t v;

		store_pin(r, &s);
		v = version_of(&s);
		if (v == UINT32_MAX || s.generation < generation || v < version)
			atomic_fetch_add(&b->sh->bad[i], 1);
		generation = s.generation;
		version = v;
		atomic_fetch_add(&b->sh->looks[i], 1);
		store_unpin(r);
	}
	store_reader_close(r);
	return true;
}

static void check_readers(struct bed *b)
{
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(atomic_load(&b->sh->bad[i]), 0);
		assert_true(atomic_load(&b->sh->looks[i]) > 0);
	}
}

/* As fast as it can; until the time is over and each reader has looked at least a few times. */
static uint32_t write_for_a_while(struct bed *b)
{
	uint64_t until = clock_ms() + kit_seconds() * 1000U, give_up = until + 60000;
	bool all = false;
	uint32_t v = 2;

	for (; clock_ms() < give_up && (clock_ms() < until || !all); v++) {
		assert_int_equal(put_version(b->w, v), 0);
		all = true;
		for (unsigned i = 0; i < READERS; i++)
			all &= atomic_load(&b->sh->looks[i]) > 3;
	}
	return v;
}

static void test_processes(void **state)
{
	struct bed *b = *state;
	pid_t pids[READERS];
	int status;

	open_writer(b);
	assert_int_equal(put_version(b->w, 1), 0);
	for (unsigned i = 0; i < READERS; i++) {
		pids[i] = fork_child();
		if (!pids[i])
			_exit(!read_for_a_while(b, i));
	}
	assert_true(write_for_a_while(b) > 10);
	atomic_store(&b->sh->stop, 1);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	check_readers(b);
}

struct thread_of {
	struct bed *b;
	unsigned i;
};

static void *reader_thread(void *arg)
{
	struct thread_of *t = arg;

	return read_for_a_while(t->b, t->i) ? NULL : arg;
}

/* The same in one process, for the thread sanitizer. */
static void test_threads(void **state)
{
	struct bed *b = *state;
	struct thread_of args[READERS];
	pthread_t threads[READERS];
	void *failed;

	open_writer(b);
	assert_int_equal(put_version(b->w, 1), 0);
	for (unsigned i = 0; i < READERS; i++) {
		args[i] = (struct thread_of){b, i};
		assert_int_equal(pthread_create(&threads[i], NULL, reader_thread, &args[i]), 0);
	}
	assert_true(write_for_a_while(b) > 10);
	atomic_store(&b->sh->stop, 1);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	check_readers(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_old_version_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_space_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shrink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_large_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watcher, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
