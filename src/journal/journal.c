/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal: durable truth of the zones.
 *
 * One LMDB file, FOLDER/journal.lmdb, with one database of rows (rows.h) that are found by prefix: the zones by name, and under the number of
 * each its timers, its whole version in chunks of 32 KiB, and the differences after it. The newest version is the whole one with all
 * differences applied; the oldest one kept is the whole one. A change is one difference appended: its cost is that of its records and of one
 * write to the disk, whatever the size of the zone. What the history may not hold any more is folded into the whole version, which
 * rewrites only the chunks that it touches (whole.c).
 *
 *   journal.c    this file: opening, growing, transactions, rows
 *   pages.c      the structure of LMDB's file judged before LMDB believes it
 *   rows.c       keys and values to octets and back                          pure
 *   records.c    the compact form of records, their order and sums           pure
 *   events.c     differences: load, net effect, store
 *   walk.c       the records of a version in order: the whole one merged with a net effect
 *   whole.c      the whole version: written, and differences folded in
 *   retain.c     the limits of history
 *   versions.c   the calls of journal.h about versions;  zones.c: about zones and timers
 *
 * Durability is LMDB's: pages are never changed in place, a commit writes the new ones, waits for the disk, and then writes one sector that
 * points at them, so a crash at any moment leaves the version before or the one after. A new file is made under another name and renamed
 * when it is whole, so that a short file is always damage.
 *
 * The map. LMDB wants to be told how large the file may become, and cannot be told more while transactions run. So a write that meets
 * the end is undone, the map grows by steps (doubling, then by 1 GiB) when no reader is inside, and the write is done again: hence
 * its closure. A reader that takes long delays only that, and the reuse of pages freed meanwhile.
 *
 * Failures. A full disk fails the write in hand; all that was there stays, and the next write that fits succeeds. If LMDB cannot even
 * write its sector (MDB_PANIC) the file is opened anew. Damage to the structure is found when opening; damage to a row when it is read;
 * neither is ever repaired by guessing: the caller sets the file aside, or drops the zone, and transfers anew.
 *
 * Threads: journal_read() in any number, journal_write() one after the other. The lock below is only about growing.
 *
 * Left out: encryption, and the keys of signing, which belong to a file of their own with other rights. */
#include "base/err.h"
#include "journal/journal_priv.h"
#include "journal/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	PATH_OCTETS_MAX = 4096,
	FILE_MODE = 0600,
	DISK_FULL_OCTETS = 1 << 16, /* less than this to write to is none: a commit writes about as much */
};
#define GROW_MAX ((size_t)1 << 30) /* the map grows by this much at most */

static const char file_name[] = "journal.lmdb", new_name[] = "journal.new", damaged_name[] = "journal.damaged", lock_name[] = "journal.lock";

struct journal {
	char *folder;
	int folder_fd;           /* -1: folder is a path from anywhere */
	int lock_fd;             /* held with flock(): one process at a time */
	MDB_env *env;
	MDB_dbi dbi;
	size_t map, map_max, map_step;
	pthread_mutex_t writer;  /* one write at a time, its growing included */
	pthread_rwlock_t growing; /* readers share it; held alone while the map changes */
};

/* ---- errors ---- */

int txn_fail(struct journal_txn *t, int err, const char *fmt, ...)
{
	char name[NAME_TEXT_MAX];
	va_list ap;

	if (t->why->len)
		return err;
	if (t->has_zone) {
		name_to_text(t->zone.wire, name);
		text_fmt(t->why, "zone %s: ", name);
	}
	va_start(ap, fmt);
	text_vfmt(t->why, fmt, ap);
	va_end(ap);
	return err;
}

static int code_of(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_KEYEXIST:
		return ERR_EXISTS;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_BAD_TXN:
		return ERR_MALFORMED;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return ERR_UNSUPPORTED;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case MDB_READERS_FULL:
		return ERR_LIMIT;
	case ENOMEM:
		return ERR_NO_MEMORY;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}

/* LMDB says EIO when a write ends early, which is how a full disk shows first. */
static bool disk_is_full(const struct journal *j)
{
	struct statvfs st;

	/* By the lock's descriptor: the folder may be one that no path leads to. */
	return fstatvfs(j->lock_fd, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize < DISK_FULL_OCTETS;
}

static int lmdb_failed(struct journal_txn *t, int rc, const char *doing)
{
	if (rc == EIO && t->journal && disk_is_full(t->journal))
		rc = ENOSPC;
	if (rc == MDB_MAP_FULL)
		t->map_full = true;
	if (rc == MDB_NOTFOUND)
		return ERR_NOT_FOUND;
	return rc ? txn_fail(t, code_of(rc), "%s: %s", doing, rc == ENOSPC ? "the disk is full" : mdb_strerror(rc)) : 0;
}

/* ---- rows ---- */

static MDB_val val_of(const struct row_key *key)
{
	return (MDB_val){.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->bytes};
}

static int unseal(struct journal_txn *t, const MDB_val *key, const MDB_val *value, struct reader *out)
{
	int err = row_unseal(key->mv_data, key->mv_size, value->mv_data, value->mv_size, out);

	return err ? txn_fail(t, err, "a row of the journal is damaged (kind %c)", *(const char *)key->mv_data) : 0;
}

int txn_get(struct journal_txn *t, const struct row_key *key, struct reader *out)
{
	MDB_val k = val_of(key), v;
	int err = lmdb_failed(t, mdb_get(t->mdb, t->dbi, &k, &v), "read");

	return err ? err : unseal(t, &k, &v, out);
}

struct writer txn_body(struct journal_txn *t, size_t cap)
{
	return writer_of(t->value + ROWS_SEAL, MIN(cap, sizeof(t->value) - ROWS_SEAL));
}

int txn_put(struct journal_txn *t, const struct row_key *key, const struct writer *body)
{
	MDB_val k = val_of(key), v = {.mv_size = ROWS_SEAL + body->pos, .mv_data = t->value};

	if (!writer_ok(body))
		return txn_fail(t, ERR_LIMIT, "a row would be too large");
	row_seal(key->bytes, key->len, t->value, v.mv_size);
	return lmdb_failed(t, mdb_put(t->mdb, t->dbi, &k, &v, 0), "write");
}

int txn_del(struct journal_txn *t, const struct row_key *key)
{
	MDB_val k = val_of(key);

	return lmdb_failed(t, mdb_del(t->mdb, t->dbi, &k, NULL), "remove");
}

int txn_next(struct journal_txn *t, const struct row_key *key, struct row_key *found, struct reader *out)
{
	MDB_val k = val_of(key), v;
	MDB_cursor *c;
	int err = lmdb_failed(t, mdb_cursor_open(t->mdb, t->dbi, &c), "read");

	if (err)
		return err;
	err = lmdb_failed(t, mdb_cursor_get(c, &k, &v, MDB_SET_RANGE), "read");
	mdb_cursor_close(c);
	if (!err && k.mv_size > sizeof(found->bytes))
		err = txn_fail(t, ERR_MALFORMED, "a key of %zu octets", k.mv_size);
	if (!err)
		err = unseal(t, &k, &v, out);
	if (err)
		return err;
	memcpy(found->bytes, k.mv_data, k.mv_size);
	found->len = k.mv_size;
	return 0;
}

int txn_del_prefix(struct journal_txn *t, const struct row_key *prefix, size_t len)
{
	MDB_val k = val_of(prefix), v;
	MDB_cursor *c;
	int err = lmdb_failed(t, mdb_cursor_open(t->mdb, t->dbi, &c), "remove");

	if (err)
		return err;
	err = lmdb_failed(t, mdb_cursor_get(c, &k, &v, MDB_SET_RANGE), "remove");
	while (!err && k.mv_size >= len && memcmp(k.mv_data, prefix->bytes, len) == 0) {
		err = lmdb_failed(t, mdb_cursor_del(c, 0), "remove");
		if (!err) /* after a removal this is the one that has taken its place */
			err = lmdb_failed(t, mdb_cursor_get(c, &k, &v, MDB_NEXT), "remove");
	}
	mdb_cursor_close(c);
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* ---- the file ---- */

static int path_of(const char *folder, const char *name, char out[PATH_OCTETS_MAX])
{
	return snprintf(out, PATH_OCTETS_MAX, "%s/%s", folder, name) < PATH_OCTETS_MAX ? 0 : -ENAMETOOLONG;
}

static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int open_env(const char *path, size_t map, struct journal_txn *t, MDB_env **out)
{
	MDB_env *env = NULL;
	int rc = mdb_env_create(&env);

	if (!rc)
		rc = mdb_env_set_mapsize(env, map);
	if (!rc)
		rc = mdb_env_set_maxreaders(env, JOURNAL_READERS_MAX);
	if (!rc)
		rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS, FILE_MODE);
	if (rc) {
		if (env)
			mdb_env_close(env);
		return lmdb_failed(t, rc, path);
	}
	*out = env;
	return 0;
}

static void remove_lock_of(const char *path)
{
	char lock[PATH_OCTETS_MAX + 8];

	snprintf(lock, sizeof(lock), "%s-lock", path);
	unlink(lock);
}

/* A new file with nothing but the row of its format, under another name until it is whole. */
static int create(struct journal *j, struct journal_txn *t)
{
	char fresh[PATH_OCTETS_MAX], path[PATH_OCTETS_MAX];
	struct row_format f = {.format = ROWS_FORMAT, .next_id = 1};
	const struct row_key key = row_key_format();
	MDB_env *env = NULL;
	struct writer w;
	int err = path_of(j->folder, new_name, fresh);

	if (!err)
		err = path_of(j->folder, file_name, path);
	if (err)
		return txn_fail(t, err, "%s: the path is too long", j->folder);
	unlink(fresh);
	remove_lock_of(fresh);
	err = open_env(fresh, j->map_step, t, &env);
	if (err)
		goto out;
	err = lmdb_failed(t, mdb_txn_begin(env, NULL, 0, &t->mdb), "begin");
	if (err)
		goto out;
	err = lmdb_failed(t, mdb_dbi_open(t->mdb, NULL, 0, &t->dbi), "open");
	if (!err) {
		w = txn_body(t, ROW_BODY_MAX);
		row_format_put(&w, &f);
		err = txn_put(t, &key, &w);
	}
	if (err)
		mdb_txn_abort(t->mdb);
	else
		err = lmdb_failed(t, mdb_txn_commit(t->mdb), "write");
out:
	if (env)
		mdb_env_close(env);
	remove_lock_of(fresh);
	if (!err && rename(fresh, path) < 0)
		err = txn_fail(t, -errno, "%s: %s", path, strerror(errno));
	if (!err)
		err = sync_folder(j->folder);
	if (err)
		unlink(fresh);
	return err;
}

static int read_file(void *ctx, uint64_t offset, void *buf, size_t len)
{
	const int *fd = ctx;
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(*fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Before LMDB sees it. *octets is the file's size. */
static int judge(const char *path, struct journal_txn *t, uint64_t *octets)
{
	struct pages_source s = {.read = read_file};
	struct text what;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : txn_fail(t, -errno, "%s: %s", path, strerror(errno));
	s.ctx = &fd;
	text_init(&what);
	err = fstat(fd, &st) < 0 ? -errno : 0;
	s.octets = (uint64_t)st.st_size;
	if (!err)
		err = pages_check(&s, &what);
	close(fd);
	if (err)
		txn_fail(t, err, "%s: %s", path, what.len ? what.chars : err_text(err));
	else
		*octets = s.octets;
	text_done(&what);
	return err;
}

static size_t round_up(size_t octets, size_t step)
{
	return (octets + step - 1) / step * step;
}

static int check_format(struct journal *j, struct journal_txn *t)
{
	const struct row_key key = row_key_format();
	struct row_format f;
	struct reader r;
	int err = lmdb_failed(t, mdb_txn_begin(j->env, NULL, MDB_RDONLY, &t->mdb), "begin");

	if (err)
		return err;
	err = lmdb_failed(t, mdb_dbi_open(t->mdb, NULL, 0, &j->dbi), "open");
	t->dbi = j->dbi;
	if (!err)
		err = txn_get(t, &key, &r);
	if (!err)
		err = row_format_get(&r, &f);
	if (err == ERR_NOT_FOUND || err == ERR_MALFORMED)
		err = txn_fail(t, ERR_MALFORMED, "%s/%s: no readable row says its format", j->folder, file_name);
	if (!err && f.format != ROWS_FORMAT)
		err = txn_fail(t, ERR_STALE, "%s/%s: format %u, this program reads %d", j->folder, file_name, f.format, ROWS_FORMAT);
	mdb_txn_abort(t->mdb);
	return err;
}

/* Judge and open the file, which is made if it is not there. */
static int open_file(struct journal *j, struct journal_txn *t)
{
	char path[PATH_OCTETS_MAX];
	uint64_t octets = 0;
	MDB_envinfo info;
	int err = path_of(j->folder, file_name, path);

	if (err)
		return txn_fail(t, err, "%s: the path is too long", j->folder);
	err = judge(path, t, &octets);
	if (err == ERR_NOT_FOUND) {
		err = create(j, t);
		if (!err)
			err = judge(path, t, &octets);
	}
	if (err)
		return err;
	/* What is there must be mapped, also when the limit is lower by now. */
	j->map = MAX(round_up((size_t)octets, j->map_step), j->map_step);
	err = open_env(path, j->map, t, &j->env);
	if (err)
		return err;
	mdb_env_info(j->env, &info);
	j->map = info.me_mapsize; /* larger, if free pages lie behind the end of the file */
	err = check_format(j, t);
	if (err) {
		mdb_env_close(j->env);
		j->env = NULL;
	}
	return err;
}

static int lock_folder(struct journal *j, struct journal_txn *t)
{
	char path[PATH_OCTETS_MAX];
	int err = path_of(j->folder, lock_name, path);

	if (err)
		return txn_fail(t, err, "%s: the path is too long", j->folder);
	if (mkdir(j->folder, 0700) < 0 && errno != EEXIST)
		return txn_fail(t, -errno, "%s: %s", j->folder, strerror(errno));
	j->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (j->lock_fd < 0)
		return txn_fail(t, -errno, "%s: %s", path, strerror(errno));
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? txn_fail(t, -EBUSY, "%s: another process uses this journal", j->folder)
		                            : txn_fail(t, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int journal_open(const char *folder, const struct journal_options *o, struct text *why, struct journal **out)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct journal_txn *t = calloc(1, sizeof(*t));
	pthread_rwlockattr_t attr;
	struct text unheard;
	int err = ERR_NO_MEMORY;

	text_init(&unheard);
	if (!j || !t) {
		if (o && o->by_descriptor)
			close(o->folder_fd);
		goto out;
	}
	t->journal = j;
	t->why = why ? why : &unheard;
	j->lock_fd = -1;
	j->folder_fd = o && o->by_descriptor ? o->folder_fd : -1;
	j->map_step = round_up(o && o->map_step ? o->map_step : JOURNAL_MAP_STEP, (size_t)1 << 16);
	j->map_max = round_up(o && o->map_max ? o->map_max : JOURNAL_MAP_MAX, j->map_step);
	pthread_mutex_init(&j->writer, NULL);
	pthread_rwlockattr_init(&attr);
	/* Else growing would wait for as long as readers overlap. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&j->growing, &attr);
	pthread_rwlockattr_destroy(&attr);
	j->folder = strdup(folder);
	if (j->folder) {
		err = lock_folder(j, t);
		if (!err)
			err = open_file(j, t);
	}
	if (err)
		journal_close(j);
	else
		*out = j;
	j = NULL;
out:
	free(j);
	free(t);
	text_done(&unheard);
	return err;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->env)
		mdb_env_close(j->env);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	if (j->folder_fd >= 0)
		close(j->folder_fd);
	pthread_mutex_destroy(&j->writer);
	pthread_rwlock_destroy(&j->growing);
	free(j->folder);
	free(j);
}

int journal_set_aside(const char *folder)
{
	char from[PATH_OCTETS_MAX], to[PATH_OCTETS_MAX];
	int err = path_of(folder, file_name, from);

	if (!err)
		err = path_of(folder, damaged_name, to);
	if (!err && rename(from, to) < 0)
		err = -errno;
	if (err)
		return err;
	remove_lock_of(from);
	return sync_folder(folder);
}

/* ---- transactions ---- */

static struct journal_txn *txn_new(struct journal *j, bool writes, struct text *why)
{
	struct journal_txn *t = calloc(1, sizeof(*t));

	if (t) {
		t->journal = j;
		t->dbi = j->dbi;
		t->writes = writes;
		t->why = why;
		text_clear(why);
	}
	return t;
}

static int grow(struct journal *j, struct journal_txn *t)
{
	size_t next = MIN(j->map + MIN(j->map, MAX(GROW_MAX, j->map_step)), j->map_max);
	int err;

	if (next <= j->map)
		return txn_fail(t, ERR_LIMIT, "the journal has reached its limit of %zu octets", j->map_max);
	pthread_rwlock_wrlock(&j->growing);
	err = lmdb_failed(t, mdb_env_set_mapsize(j->env, next), "grow");
	if (!err)
		j->map = next;
	pthread_rwlock_unlock(&j->growing);
	return err;
}

static int open_file_from_anywhere(struct journal *j, struct journal_txn *t)
{
	int home, err;

	if (j->folder_fd < 0)
		return open_file(j, t);
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = home < 0 || fchdir(j->folder_fd) < 0 ? -errno : open_file(j, t);
	if (home >= 0 && fchdir(home) < 0 && !err)
		err = -errno;
	close(home);
	return err;
}

/* LMDB could not write its meta page and refuses everything until the file is opened anew. The writer's lock is held. */
static int reopen(struct journal *j, struct journal_txn *t)
{
	int err;

	pthread_rwlock_wrlock(&j->growing);
	if (j->env)
		mdb_env_close(j->env);
	j->env = NULL;
	t->has_zone = false;
	err = open_file_from_anywhere(j, t);
	pthread_rwlock_unlock(&j->growing);
	return err;
}

static int begin(struct journal *j, struct journal_txn *t, unsigned flags)
{
	return j->env ? mdb_txn_begin(j->env, NULL, flags, &t->mdb) : MDB_PANIC;
}

/* On success the lock is held. */
static int begin_read(struct journal *j, struct journal_txn *t)
{
	int rc, err;

	pthread_rwlock_rdlock(&j->growing);
	rc = begin(j, t, MDB_RDONLY);
	if (rc == MDB_PANIC) {
		pthread_rwlock_unlock(&j->growing);
		pthread_mutex_lock(&j->writer);
		err = reopen(j, t);
		pthread_mutex_unlock(&j->writer);
		if (err)
			return err;
		pthread_rwlock_rdlock(&j->growing);
		rc = begin(j, t, MDB_RDONLY);
	}
	if (rc)
		pthread_rwlock_unlock(&j->growing);
	return lmdb_failed(t, rc, "begin");
}

int journal_read(struct journal *j, journal_fn *fn, void *ctx, struct text *why)
{
	struct text unheard;
	struct journal_txn *t;
	int err = ERR_NO_MEMORY;

	text_init(&unheard);
	t = txn_new(j, false, why ? why : &unheard);
	if (!t)
		goto out;
	err = begin_read(j, t);
	if (!err) {
		err = fn(t, ctx);
		mdb_txn_abort(t->mdb);
		pthread_rwlock_unlock(&j->growing);
	}
	if (err < 0 && !t->why->len)
		text_str(t->why, err_text(err));
out:
	free(t);
	text_done(&unheard);
	return err;
}

/* Once; t->map_full says that it has to be done again. */
static int write_once(struct journal *j, struct journal_txn *t, journal_fn *fn, void *ctx)
{
	int rc = begin(j, t, 0), err;

	if (rc == MDB_PANIC) {
		err = reopen(j, t);
		if (err)
			return err;
		rc = begin(j, t, 0);
	}
	if (rc)
		return lmdb_failed(t, rc, "begin");
	err = fn(t, ctx);
	if (err < 0 || t->map_full) {
		mdb_txn_abort(t->mdb);
		return err < 0 ? err : ERR_LIMIT;
	}
	rc = mdb_txn_commit(t->mdb);
	return rc ? lmdb_failed(t, rc, "write") : err;
}

int journal_write(struct journal *j, journal_fn *fn, void *ctx, struct text *why)
{
	struct text unheard;
	struct journal_txn *t = NULL;
	int err;
	bool again;

	text_init(&unheard);
	if (!why)
		why = &unheard;
	pthread_mutex_lock(&j->writer);
	do {
		again = false;
		free(t);
		err = ERR_NO_MEMORY;
		t = txn_new(j, true, why);
		if (!t)
			break;
		err = write_once(j, t, fn, ctx);
		if (t->map_full) {
			text_clear(why);
			err = grow(j, t);
			again = !err;
		}
	} while (again);
	if (err < 0 && !why->len)
		text_str(why, err_text(err));
	pthread_mutex_unlock(&j->writer);
	free(t);
	text_done(&unheard);
	return err;
}

static int space(struct journal_txn *t, MDB_cursor *c, struct journal_space *s, unsigned page)
{
	MDB_val k, v;
	int rc;

	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		size_t pages;

		if (v.mv_size < sizeof(pages))
			return txn_fail(t, ERR_MALFORMED, "the free list is damaged");
		memcpy(&pages, v.mv_data, sizeof(pages));
		s->free_octets += (uint64_t)pages * page;
	}
	return rc == MDB_NOTFOUND ? 0 : lmdb_failed(t, rc, "read");
}

int journal_get_space(struct journal_txn *t, struct journal_space *out)
{
	struct journal_space s = {0};
	MDB_envinfo info;
	MDB_stat stat;
	MDB_cursor *c;
	int err;

	mdb_env_info(t->journal->env, &info);
	mdb_env_stat(t->journal->env, &stat);
	s.map_octets = info.me_mapsize;
	s.used_octets = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
	err = lmdb_failed(t, mdb_cursor_open(t->mdb, 0, &c), "read"); /* database 0 is the free list */
	if (err)
		return err;
	err = space(t, c, &s, stat.ms_psize);
	mdb_cursor_close(c);
	if (!err)
		*out = s;
	return err;
}
