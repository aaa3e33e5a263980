/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal through deaths of its process at random moments, losses of power (writes that had not been waited for are there or not, sector by
 * sector), writes that fail, and a full disk. After each the journal holds versions that existed, and all that was reported as written.
 *
 * The calls with which LMDB writes are wrapped here: definitions in a program stand before those of the C library. */
#undef _FILE_OFFSET_BITS /* else pwrite() here would be called pwrite64() */
#include "base/err.h"
#include "journal_kit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
enum { KILLS = 40, CUTS = 30 };
#else
enum { KILLS = 200, CUTS = 200 };
#endif
enum { SECTOR = 512, WRITES_MAX = 20000, START_MS = 60000 /* until a child has written its first version */ };

/* ---- what is written ---- */

struct write_seen {
	size_t offset, len;
	uint8_t *bytes;
	bool sync;    /* no write: all before is on the disk */
	bool durable; /* a write that waits for the disk itself */
};

static struct {
	bool recording;
	ino_t inode;
	struct write_seen *list;
	size_t count;
	unsigned fail_in; /* the call after so many more fails; 0: none does */
	int fail_with;
} disk;

/* Does the call fail? */
static bool fails(int fd)
{
	struct stat st;

	if (!disk.fail_in || fstat(fd, &st) < 0 || st.st_ino != disk.inode || --disk.fail_in)
		return false;
	errno = disk.fail_with;
	return true;
}

static void note(int fd, const struct iovec *v, int n, off_t offset)
{
	struct stat st;

	if (!disk.recording || fstat(fd, &st) < 0 || st.st_ino != disk.inode)
		return;
	for (int i = 0; i < n; i++) {
		struct write_seen *w = &disk.list[disk.count++];

		if (disk.count == WRITES_MAX)
			abort();
		*w = (struct write_seen){.offset = (size_t)offset, .len = v[i].iov_len, .bytes = malloc(v[i].iov_len)};
		if (!w->bytes)
			abort();
		memcpy(w->bytes, v[i].iov_base, w->len);
		w->durable = fcntl(fd, F_GETFL) & O_DSYNC;
		offset += (off_t)w->len;
	}
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);
	const struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

	if (!real)
		real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
	if (fails(fd))
		return -1;
	note(fd, &v, 1, offset);
	return real(fd, buf, len, offset);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	static ssize_t (*real)(int, const struct iovec *, int);

	if (!real)
		real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
	if (fails(fd))
		return -1;
	note(fd, v, n, lseek(fd, 0, SEEK_CUR));
	return real(fd, v, n);
}

int fdatasync(int fd)
{
	static int (*real)(int);
	struct stat st;

	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	if (fails(fd))
		return -1;
	if (disk.recording && fstat(fd, &st) == 0 && st.st_ino == disk.inode)
		disk.list[disk.count++] = (struct write_seen){.sync = true};
	return real(fd);
}

static void watch(const char *folder)
{
	struct stat st;
	char path[600];

	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	assert_int_equal(stat(path, &st), 0);
	disk.inode = st.st_ino;
}

/* ---- a life of the journal ---- */

static const struct kit_zone zone = {.seed = 77, .names = 80, .calm = 12, .text = 3000};
static const struct journal_keep keep = {.differences_max = 12, .octets_max = 1 << 20, .all_s = 60, .step_s = 30};
static const struct journal_options small_map = {.map_step = 1 << 18};

/* The next version, in one of the ways. */
static int step(struct journal *j, uint32_t serial, struct text *why)
{
	struct journal_change *change;
	enum journal_outcome outcome;
	struct content *c;
	unsigned how = (unsigned)(kit_mix(serial) % 16);
	int err;

	if (serial == 1 || how < 4) {
		c = kit_content(&zone, serial);
		err = serial == 1 || how == 0 ? kit_put_whole(j, c, why) : kit_put_version(j, c, &keep, &outcome, why);
		content_free(c);
		return err;
	}
	change = kit_change(&zone, serial - 1, serial);
	err = kit_put_change(j, change, &keep, why);
	kit_change_free(change);
	return err;
}

static uint32_t newest(struct journal *j)
{
	struct journal_zone z;

	return kit_get_zone(j, &z) == 0 ? z.newest : 0;
}

/* Open what is left, verify it, and return the newest serial. */
static uint32_t survive(const char *folder, unsigned round)
{
	struct journal *j;
	struct text why;
	uint32_t serial;

	text_init(&why);
	if (journal_open(folder, &small_map, &why, &j) != 0)
		fail_msg("round %u: %s", round, why.chars);
	serial = newest(j);
	if (serial && kit_verify(j, &zone, &why) < 1)
		fail_msg("round %u: %s", round, why.chars);
	journal_close(j);
	text_done(&why);
	return serial;
}

/* ---- killed ---- */

static void live(const char *folder, int report)
{
	struct journal *j;
	uint32_t serial;

	if (journal_open(folder, &small_map, NULL, &j) != 0)
		_exit(1);
	for (serial = newest(j) + 1;; serial++)
		if (step(j, serial, NULL) != 0 || write(report, &serial, sizeof(serial)) != sizeof(serial))
			_exit(1);
}

/* Kills after a time, and reads what was reported; the last serial of it, or `last`. */
static uint32_t kill_later(pid_t child, int fd, unsigned microseconds, uint32_t last)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec now, until;
	uint32_t serial;
	int status;

	/* Now and then while it opens; mostly while it writes. */
	if (microseconds % 4)
		assert_int_equal(poll(&p, 1, START_MS), 1);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)microseconds * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status)); /* it did not fail by itself */
	while (read(fd, &serial, sizeof(serial)) == sizeof(serial))
		last = serial;
	return last;
}

static void test_killed(void **state)
{
	const char *more = getenv("ZONECAST_JOURNAL_KILLS");
	unsigned kills = more ? (unsigned)strtoul(more, NULL, 10) : KILLS, writes = 0;
	struct kit_rng r = {.s = (uint64_t)getpid() << 32};
	char *folder = kit_folder();
	uint32_t reported = 0, found;

	(void)state;
	for (unsigned round = 0; round < kills; round++) {
		int fds[2];
		pid_t child;

		if (round % 25 == 24) { /* a new life, so that a journal is also killed while it is made */
			kit_folder_free(folder);
			folder = kit_folder();
			reported = 0;
		}
		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			close(fds[0]);
			live(folder, fds[1]);
		}
		close(fds[1]);
		found = reported;
		reported = kill_later(child, fds[0], round % 25 == 24 ? 4 * kit_below(&r, 1500) : 1 + kit_below(&r, 30000), reported);
		writes += reported - found;
		close(fds[0]);
		found = survive(folder, round);
		/* What was reported is there; what was being written may be. */
		assert_in_range(found, reported, reported + 1);
		reported = found;
	}
	print_message("%u versions written in %u lives\n", writes, kills);
	assert_true(writes > kills / 2);
	kit_folder_free(folder);
}

/* ---- power lost ---- */

static void apply(uint8_t *image, size_t *len, const struct write_seen *w, struct kit_rng *some)
{
	for (size_t at = 0; at < w->len; at += SECTOR) {
		size_t n = MIN(w->len - at, (size_t)SECTOR);

		if (some && kit_below(some, 2))
			continue;
		memcpy(image + w->offset + at, w->bytes + at, n);
		*len = MAX(*len, w->offset + at + n);
	}
}

static void put_image(const char *folder, const uint8_t *image, size_t len)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(image, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static size_t get_image(const char *folder, uint8_t *image, size_t cap)
{
	char path[600];
	FILE *f;
	size_t len;

	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	f = fopen(path, "rb");
	assert_non_null(f);
	len = fread(image, 1, cap, f);
	fclose(f);
	assert_true(len < cap);
	return len;
}

static void test_power_lost(void **state)
{
	enum { IMAGE_MAX = 32 << 20, VERSIONS = 60 };
	struct kit_rng r = {.s = (uint64_t)getpid() << 33};
	char *folder = kit_folder(), *other = kit_folder();
	uint8_t *start = calloc(1, IMAGE_MAX), *image = malloc(IMAGE_MAX);
	size_t start_len, done[VERSIONS + 1] = {0}, cut;
	unsigned torn = 0;
	struct journal *j;
	struct text why;

	(void)state;
	text_init(&why);
	disk.list = calloc(WRITES_MAX, sizeof(*disk.list));
	assert_true(start && image && disk.list);
	assert_int_equal(journal_open(folder, &small_map, &why, &j), 0);
	watch(folder);
	start_len = get_image(folder, start, IMAGE_MAX);
	disk.recording = true;
	for (uint32_t serial = 1; serial <= VERSIONS; serial++) {
		if (step(j, serial, &why) != 0)
			fail_msg("%u: %s", serial, why.chars);
		done[serial] = disk.count;
	}
	disk.recording = false;
	journal_close(j);
	assert_true(disk.count > 4 * VERSIONS); /* the wrappers are in use */
	for (unsigned round = 0; round < CUTS; round++) {
		size_t len = start_len, synced = 0;
		uint32_t before = 0, found;

		cut = kit_below(&r, (unsigned)disk.count + 1);
		memcpy(image, start, IMAGE_MAX);
		for (size_t i = 0; i < cut; i++)
			if (disk.list[i].sync)
				synced = i;
		for (size_t i = 0; i <= cut && i < disk.count; i++) {
			const struct write_seen *w = &disk.list[i];
			bool certain = i < synced || (w->durable && i < cut);

			if (w->sync)
				continue;
			torn += !certain;
			apply(image, &len, w, certain ? NULL : &r);
		}
		while (before < VERSIONS && done[before + 1] <= cut)
			before++;
		put_image(other, image, len);
		found = survive(other, round);
		assert_in_range(found, before, before + 1);
	}
	assert_true(torn > CUTS / 4);
	for (size_t i = 0; i < disk.count; i++)
		free(disk.list[i].bytes);
	free(disk.list);
	free(start);
	free(image);
	text_done(&why);
	kit_folder_free(folder);
	kit_folder_free(other);
}

/* ---- writes fail ---- */

/* As a role does whose account may not walk the path to the folder; then the working directory is another, on another file system. */
static int open_by_descriptor(const char *folder, const struct journal_options *o, struct text *why, struct journal **out)
{
	struct journal_options own = *o;
	int err;

	own.by_descriptor = true;
	own.folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (own.folder_fd < 0 || fchdir(own.folder_fd) < 0)
		return -errno;
	err = journal_open(".", &own, why, out);
	return chdir("/") < 0 && !err ? -errno : err;
}

/* Each call of a commit fails once: the write is an error, nothing is lost, and the next one succeeds. */
static void test_failing_writes(void **state)
{
	static const int codes[] = {EIO, ENOSPC};
	char *folder = kit_folder();
	uint32_t serial = 1;
	unsigned failures = 0;
	struct journal *j;
	struct text why;

	(void)state;
	text_init(&why);
	assert_int_equal(open_by_descriptor(folder, &small_map, &why, &j), 0);
	watch(folder);
	assert_int_equal(step(j, serial, &why), 0);
	for (unsigned in = 1; in < 120; in++) {
		int err;

		disk.fail_in = in % 12 + 1;
		disk.fail_with = codes[in / 12 % 2];
		err = step(j, serial + 1, &why);
		if (err) {
			failures++;
			assert_true(disk.fail_in == 0);
			assert_true(err == -disk.fail_with || err == -EIO);
			assert_non_null(strstr(why.chars, disk.fail_with == ENOSPC ? "disk is full" : "rror"));
		} else {
			serial++;
		}
		disk.fail_in = 0;
		/* After some failures LMDB wants to be opened anew: a write does that as well as a read. */
		if (err && in % 2 && step(j, serial + 1, &why) == 0) {
			serial++;
			err = 0;
		}
		/* A failure of the very last write leaves it open whether the version is there. */
		assert_in_range(newest(j), serial, serial + (err != 0));
		serial = newest(j);
		if (kit_verify(j, &zone, &why) < 1)
			fail_msg("after failure %u: %s", in, why.chars);
		if (step(j, serial + 1, &why) != 0)
			fail_msg("after failure %u: %s", in, why.chars);
		serial++;
		assert_int_equal(newest(j), serial);
	}
	assert_true(failures > 30);
	journal_close(j);
	assert_int_equal(survive(folder, 0), serial);
	text_done(&why);
	kit_folder_free(folder);
}

/* ---- the disk is full ---- */

enum { CHILD_DONE, CHILD_CANNOT = 77, CHILD_FAILED = 1 };

static bool resize(const char *folder, const char *size, unsigned long flags)
{
	return mount("journal-test", folder, "tmpfs", flags, size) == 0;
}

static int child_failed(const char *what, const struct text *why)
{
	fprintf(stderr, "%s: %s\n", what, why->chars);
	return CHILD_FAILED;
}

static int fill_disk(const char *folder)
{
	struct journal *j;
	struct text why;
	uint32_t serial = 0;
	int err = 0;

	text_init(&why);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !resize(folder, "size=1m", 0))
		return CHILD_CANNOT;
	if (open_by_descriptor(folder, &small_map, &why, &j) != 0)
		return child_failed("open", &why);
	/* History without a limit needs room without a limit. */
	for (serial = 1; serial < 100000; serial++) {
		struct journal_change *change;
		struct content *c;

		if (serial == 1) {
			c = kit_content(&zone, serial);
			err = kit_put_whole(j, c, &why);
			content_free(c);
		} else {
			change = kit_change(&zone, serial - 1, serial);
			err = kit_put_change(j, change, NULL, &why);
			kit_change_free(change);
		}
		if (err)
			break;
	}
	if (err != -ENOSPC || !strstr(why.chars, "the disk is full") || serial < 5)
		return child_failed("full", &why);
	/* Again and again: an error each time, and what was there is there. */
	for (unsigned i = 0; i < 20; i++) {
		struct content *c = kit_content(&zone, serial);

		err = kit_put_whole(j, c, &why);
		content_free(c);
		if (!err) /* it fitted into what earlier versions had left */
			break;
		if (err != -ENOSPC || newest(j) != serial - 1 || kit_verify(j, &zone, &why) < 1)
			return child_failed("refused", &why);
	}
	journal_close(j);
	if (journal_open(folder, NULL, &why, &j) != 0 || kit_verify(j, &zone, &why) < 1)
		return child_failed("opened again", &why);
	/* Room again, also without being opened anew. */
	serial = newest(j);
	if (!resize(folder, "size=4m", MS_REMOUNT))
		return child_failed("resized", &why);
	for (unsigned i = 0; i < 30; i++)
		if (step(j, ++serial, &why) != 0)
			return child_failed("after", &why);
	if (kit_verify(j, &zone, &why) < 1 || newest(j) != serial)
		return child_failed("at the end", &why);
	journal_close(j);
	text_done(&why);
	return CHILD_DONE;
}

static void test_full_disk(void **state)
{
	char *folder = kit_folder();
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (!child) /* the mount goes with it */
		_exit(fill_disk(folder));
	assert_int_equal(waitpid(child, &status, 0), child);
	kit_folder_free(folder);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_CANNOT) {
		print_message("skipped: no right to make a mount namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), CHILD_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_killed),
	        cmocka_unit_test(test_power_lost),
	        cmocka_unit_test(test_failing_writes),
	        cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
