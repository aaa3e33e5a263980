/* SPDX-License-Identifier: BSD-2-Clause */
/* A saved zone file is read at once. What is watched are folders, not files: a hundred thousand zones are mostly in a few folders, an editor that writes a new
 * file and renames it replaces the file but not its folder, and a file that does not exist yet can be waited for.
 *
 *     folder ──wd──► inotify ──event: wd, name──► files: (folder, name) ──► zones ──10 ms──► on_saved()
 *
 * What counts as saved: a file that was open for writing is closed, a file is renamed to the name, a link is made. A file that is being written is not
 * looked at until it is closed; whoever writes it in several goes (append, close, append) gets each of them judged, and a part that is not fit is refused. Events of 10 ms
 * are taken together.
 *
 * Links are followed: the folder of each target is watched as well, and a folder that is itself a link is looked at again when that changes (this is how mounted
 * configuration is swapped in one step). Included files count as the zone's own, once it was read; so do files that an error was found in.
 *
 * A folder that goes, or is not there yet, is asked for once a second; when it is there all files are looked at. So they are when the kernel's queue overflows
 * (16384 events by default). Looking is a stat() a file, and only what changed is read. A file that vanishes is no reason to give up a zone: its last good
 * version stays. Only in the stand-alone form, where the folder is the list of zones, a zone goes with its file, a second later.
 *
 * Not covered: folders that may be passed through but not listed (inotify wants the right to read), file systems on which other hosts write (NFS), includes saved
 * between being read and being watched for the first time. `zonecast zone reload` helps in all of them. */
#include "sync/watcher.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "sync/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TOGETHER_MS = 10,   /* events of one save, or of several */
	MISSING_MS = 1000,  /* how often a folder that is not there is asked for */
	GONE_MS = 1000,     /* the stand-alone form waits so long before it believes that a file has gone */
	READS_MAX = 64,     /* of the queue, in one turn of the loop */
	PENDING_MAX = 2000, /* zones saved together; beyond it all files are looked at */
	LINKS_MAX = 8,      /* followed one after the other */
	RETRIES_MAX = 200,  /* folders asked for in one turn */
	FILES_MAX = 8000000,
};
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define NONE   UINT32_MAX

struct folder {
	const char *path; /* owned */
	int wd;           /* -1: not watched */
	bool wanted;
	uint32_t next; /* in its bucket */
	uint32_t same; /* the next folder with this wd: another path of it */
};

struct file {
	const char *name;    /* in the arena */
	const uint8_t *apex; /* likewise; NULL: no file, but a link that leads to a folder */
	uint32_t folder, next;
};

/* Numbers in buckets, by hash: arrays of heads that double. */
struct buckets {
	uint32_t *heads;
	size_t count;
};

struct watcher {
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t together, missing, gone;
	struct board_sync *board;
	const char *zones_dir;
	watcher_fn *on_saved;
	void *ctx;
	int fd;
	bool listening, all;
	struct name *pending;
	size_t pending_count;
	struct arena arena; /* of files */
	struct folder *folders;
	size_t folder_count, folder_cap;
	struct file *files;
	size_t file_count, file_cap;
	struct buckets by_path, by_name;
	uint32_t *by_wd; /* the first folder of each wd */
	size_t wd_cap;
	uint32_t retry_at; /* folder asked for next, if it is not there */
	bool said_failed;
};

/* ---- tables ---- */

static bool grow(void *array, size_t *cap, size_t count, size_t size)
{
	void **p = array, *more;

	if (count < *cap)
		return true;
	more = realloc(*p, (*cap * 2 + 16) * size);
	if (!more)
		return false;
	*p = more;
	*cap = *cap * 2 + 16;
	return true;
}

static uint64_t hash_of(const char *text, size_t len, uint32_t seed)
{
	return hash_checksum(text, len, seed);
}

static uint32_t *bucket(const struct buckets *b, uint64_t hash)
{
	return &b->heads[hash & (b->count - 1)];
}

static bool make_buckets(struct buckets *b, size_t count)
{
	uint32_t *heads = malloc(count * sizeof(*heads));

	if (!heads)
		return false;
	for (size_t i = 0; i < count; i++)
		heads[i] = NONE;
	free(b->heads);
	*b = (struct buckets){heads, count};
	return true;
}

static void put_folder(struct watcher *w, uint32_t i)
{
	uint32_t *head = bucket(&w->by_path, hash_of(w->folders[i].path, strlen(w->folders[i].path), 0));

	w->folders[i].next = *head;
	*head = i;
}

static void put_file(struct watcher *w, uint32_t i)
{
	uint32_t *head = bucket(&w->by_name, hash_of(w->files[i].name, strlen(w->files[i].name), w->files[i].folder));

	w->files[i].next = *head;
	*head = i;
}

static uint32_t find_folder(const struct watcher *w, const char *path, size_t len)
{
	uint32_t i = *bucket(&w->by_path, hash_of(path, len, 0));

	while (i != NONE && (strncmp(w->folders[i].path, path, len) != 0 || w->folders[i].path[len]))
		i = w->folders[i].next;
	return i;
}

/* ---- folders ---- */

static bool attach(struct watcher *w, int wd, uint32_t folder)
{
	while ((size_t)wd >= w->wd_cap) {
		size_t was = w->wd_cap;

		if (!grow(&w->by_wd, &w->wd_cap, w->wd_cap, sizeof(*w->by_wd)))
			return false;
		for (size_t i = was; i < w->wd_cap; i++)
			w->by_wd[i] = NONE;
	}
	w->folders[folder].wd = wd;
	w->folders[folder].same = w->by_wd[wd];
	w->by_wd[wd] = folder;
	return true;
}

/* The kernel forgets the folder with the last path of it; with `gone` it has done so already. */
static void detach(struct watcher *w, uint32_t folder, bool gone)
{
	int wd = w->folders[folder].wd;
	uint32_t *at;

	if (wd < 0)
		return;
	for (at = &w->by_wd[wd]; *at != NONE && *at != folder;)
		at = &w->folders[*at].same;
	if (*at == folder)
		*at = w->folders[folder].same;
	w->folders[folder].wd = -1;
	if (w->by_wd[wd] == NONE && !gone)
		inotify_rm_watch(w->fd, wd);
}

static void watch_folder(struct watcher *w, uint32_t i)
{
	struct folder *f = &w->folders[i];
	uint32_t mask =
		EVENTS | (w->zones_dir && strcmp(f->path, w->zones_dir) == 0 ? IN_DELETE | IN_MOVED_FROM | IN_MASK_ADD
	                                                                     : IN_MASK_ADD);
	int wd = inotify_add_watch(w->fd, f->path, mask);

	if (wd >= 0 && !attach(w, wd, i)) {
		inotify_rm_watch(w->fd, wd);
		errno = ENOMEM;
		wd = -1;
	}
	if (wd >= 0 || errno == ENOENT || errno == ENOTDIR || w->said_failed)
		return;
	log_warn("watch folder=%s error=\"%s\" action=\"its files are read by zonecast zone reload only\"", f->path,
	         errno == ENOSPC ? "the limit fs.inotify.max_user_watches is reached" : err_text(-errno));
	w->said_failed = true;
}

static void follow_folder(struct watcher *w, uint32_t i, unsigned depth);

/* The folder of this path, watched. NONE: no memory. */
static uint32_t get_folder(struct watcher *w, const char *path, size_t len, unsigned depth)
{
	uint32_t i;

	while (len > 1 && path[len - 1] == '/')
		len--;
	i = find_folder(w, path, len);
	if (i == NONE) {
		char *copy = strndup(path, len);

		if (!copy || !grow(&w->folders, &w->folder_cap, w->folder_count, sizeof(*w->folders))) {
			free(copy);
			return NONE;
		}
		i = (uint32_t)w->folder_count++;
		w->folders[i] = (struct folder){.path = copy, .wd = -1, .same = NONE};
		if (w->folder_count > w->by_path.count && make_buckets(&w->by_path, w->by_path.count * 4)) {
			for (uint32_t k = 0; k < w->folder_count; k++)
				put_folder(w, k);
		} else {
			put_folder(w, i);
		}
	}
	if (!w->folders[i].wanted) {
		w->folders[i].wanted = true;
		if (w->folders[i].wd < 0)
			watch_folder(w, i);
		follow_folder(w, i, depth);
	}
	return i;
}

/* ---- files ---- */

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Where a link leads, as a path; false: it is none. */
static bool link_target(const char *path, char *out, size_t cap)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	int len;

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (target[0] == '/')
		len = snprintf(out, cap, "%s", target);
	else
		len = snprintf(out, cap, "%.*s/%s", (int)folder_len(path), path, target);
	return len > 0 && (size_t)len < cap;
}

static void add_file(struct watcher *w, uint32_t folder, const char *name, const uint8_t *apex)
{
	uint32_t i = *bucket(&w->by_name, hash_of(name, strlen(name), folder));
	size_t len = strlen(name) + 1;
	const uint8_t *apex_copy;
	char *copy;

	for (; i != NONE; i = w->files[i].next) {
		const struct file *f = &w->files[i];

		if (f->folder == folder && strcmp(f->name, name) == 0 &&
		    (apex == f->apex || (apex && f->apex && name_equal(f->apex, apex))))
			return;
	}
	copy = arena_dup(&w->arena, name, len);
	apex_copy = apex ? arena_dup(&w->arena, apex, name_len(apex)) : NULL;
	if (!arena_ok(&w->arena) || w->file_count == FILES_MAX ||
	    !grow(&w->files, &w->file_cap, w->file_count, sizeof(*w->files)))
		return;
	w->files[w->file_count] = (struct file){.name = copy, .apex = apex_copy, .folder = folder};
	w->file_count++;
	if (w->file_count > w->by_name.count && make_buckets(&w->by_name, w->by_name.count * 4)) {
		for (uint32_t k = 0; k < w->file_count; k++)
			put_file(w, k);
	} else {
		put_file(w, (uint32_t)w->file_count - 1);
	}
}

static void add_path(struct watcher *w, const char *path, const uint8_t *apex, unsigned depth)
{
	char target[PATH_MAX];
	size_t len = folder_len(path);
	uint32_t folder;

	if (depth > LINKS_MAX || !len)
		return;
	folder = get_folder(w, path, len, depth);
	if (folder == NONE)
		return;
	add_file(w, folder, base_of(path), apex);
	if (link_target(path, target, sizeof(target)))
		add_path(w, target, apex, depth + 1);
}

/* A folder that is a link may come to be another. */
static void follow_folder(struct watcher *w, uint32_t i, unsigned depth)
{
	char target[PATH_MAX];
	const char *path = w->folders[i].path;
	size_t len = folder_len(path);
	uint32_t parent;

	if (depth > LINKS_MAX || !len || !link_target(path, target, sizeof(target)))
		return;
	parent = get_folder(w, path, len, depth + 1);
	if (parent != NONE)
		add_file(w, parent, base_of(w->folders[i].path), NULL);
}

void watcher_add(struct watcher *w, const uint8_t *apex, const char *path)
{
	if (path[0] == '/')
		add_path(w, path, apex, 0);
}

static void show(struct watcher *w)
{
	size_t wanted = 0, watched = 0;

	for (size_t i = 0; i < w->folder_count; i++) {
		wanted += w->folders[i].wanted;
		watched += w->folders[i].wanted && w->folders[i].wd >= 0;
	}
	atomic_store(&w->board->watch_folders, watched);
	atomic_store(&w->board->watch_failed, wanted - watched);
}

void watcher_folders(struct watcher *w, const struct zone_list *zones)
{
	const char *last = NULL;
	size_t last_len = 0;

	if (w->zones_dir)
		(void)get_folder(w, w->zones_dir, strlen(w->zones_dir), 0);
	for (size_t i = 0; i < zones->count; i++) {
		const struct zone_row *row = &zones->rows[i];
		size_t len = row->path && row->watched && row->path[0] == '/' ? folder_len(row->path) : 0;

		/* Nearly always the folder of the one before. */
		if (!len || (last && len == last_len && memcmp(row->path, last, len) == 0))
			continue;
		(void)get_folder(w, row->path, len, 0);
		last = row->path;
		last_len = len;
	}
}

static void add_include(void *ctx, const uint8_t *apex, const char *path)
{
	watcher_add(ctx, apex, path);
}

void watcher_index(struct watcher *w, const struct zone_list *zones, const struct store_snapshot *s)
{
	arena_done(&w->arena);
	arena_init(&w->arena, 0);
	w->file_count = 0;
	w->said_failed = false;
	for (size_t i = 0; i < w->by_name.count; i++)
		w->by_name.heads[i] = NONE;
	for (size_t i = 0; i < w->folder_count; i++)
		w->folders[i].wanted = false;
	watcher_folders(w, zones);
	for (size_t i = 0; i < zones->count; i++) {
		const struct zone_row *row = &zones->rows[i];
		const struct store_zone *z;

		if (!row->path || !row->watched)
			continue;
		watcher_add(w, row->apex, row->path);
		z = store_zone_get(s, row->apex);
		if (z)
			source_each_include((const char *)z->tail + z->apex_len, z->source_len, row->apex, add_include,
			                    w);
	}
	for (uint32_t i = 0; i < w->folder_count; i++)
		if (!w->folders[i].wanted)
			detach(w, i, false);
	show(w);
}

/* ---- events ---- */

static void on_together(uv_timer_t *t)
{
	struct watcher *w = t->data;
	bool all = w->all;

	w->all = false;
	for (size_t i = 0; i < w->pending_count && !all; i++) {
		board_add(&w->board->watch_saves, 1);
		w->on_saved(w->ctx, &w->pending[i]);
	}
	w->pending_count = 0;
	if (all)
		w->on_saved(w->ctx, NULL);
}

static void soon(struct watcher *w)
{
	if (!uv_is_active((uv_handle_t *)&w->together))
		uv_timer_start(&w->together, on_together, TOGETHER_MS, 0);
}

static void look_at_all(struct watcher *w)
{
	w->all = true;
	soon(w);
}

static void on_gone(uv_timer_t *t)
{
	look_at_all(t->data);
}

static void on_missing(uv_timer_t *t)
{
	struct watcher *w = t->data;
	unsigned tries = 0;

	/* The tables are not ours while it does not listen. */
	for (size_t n = 0; w->listening && n < w->folder_count && tries < RETRIES_MAX; n++) {
		uint32_t i = w->retry_at++ % (uint32_t)w->folder_count;

		if (!w->folders[i].wanted || w->folders[i].wd >= 0)
			continue;
		tries++;
		watch_folder(w, i);
		if (w->folders[i].wd < 0)
			continue;
		log_notice("watch folder=%s state=\"it is there\"", w->folders[i].path);
		look_at_all(w);
	}
	if (tries)
		show(w);
}

static void saved(struct watcher *w, const uint8_t *apex)
{
	for (size_t i = w->pending_count; i-- > 0 && w->pending_count - i < 16;)
		if (name_equal(w->pending[i].wire, apex))
			return;
	if (w->pending_count == PENDING_MAX)
		w->all = true;
	else
		name_copy(&w->pending[w->pending_count++], apex);
	soon(w);
}

static bool is_link(const struct folder *f, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return (size_t)snprintf(path, sizeof(path), "%s/%s", f->path, name) < sizeof(path) && lstat(path, &st) == 0 &&
	       (S_ISLNK(st.st_mode) || st.st_nlink > 1);
}

static bool is_zone_file(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".zone") == 0;
}

static void on_file(struct watcher *w, uint32_t folder, uint32_t mask, const char *name)
{
	const struct folder *f = &w->folders[folder];
	bool in_list = w->zones_dir && strcmp(f->path, w->zones_dir) == 0 && is_zone_file(name), known = false;

	if (mask & (IN_DELETE | IN_MOVED_FROM)) {
		if (in_list)
			uv_timer_start(&w->gone, on_gone, GONE_MS, 0);
		return;
	}
	/* A new file is not whole before it is closed; a link is. */
	if ((mask & IN_CREATE) && !is_link(f, name))
		return;
	for (uint32_t i = *bucket(&w->by_name, hash_of(name, strlen(name), folder)); i != NONE; i = w->files[i].next) {
		const struct file *file = &w->files[i];

		if (file->folder != folder || strcmp(file->name, name) != 0)
			continue;
		known = true;
		if (file->apex) {
			saved(w, file->apex);
			continue;
		}
		/* Folders behind a link that changed: watched anew. */
		for (uint32_t k = 0; k < w->folder_count; k++)
			if (k != folder && w->folders[k].wanted &&
			    strncmp(w->folders[k].path, f->path, strlen(f->path)) == 0) {
				detach(w, k, false);
				watch_folder(w, k);
			}
		look_at_all(w);
	}
	if (in_list && !known)
		look_at_all(w);
}

static void on_event(struct watcher *w, const struct inotify_event *e)
{
	uint32_t folder, next;

	if (e->mask & IN_Q_OVERFLOW) {
		board_add(&w->board->watch_overflows, 1);
		log_notice("watch note=\"more files were saved than the kernel keeps count of\" action=\"looking at "
		           "all\"");
		look_at_all(w);
		return;
	}
	/* A folder may have been let go of since. */
	folder = e->wd >= 0 && (size_t)e->wd < w->wd_cap ? w->by_wd[e->wd] : NONE;
	for (; folder != NONE; folder = next) {
		next = w->folders[folder].same;
		if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
			log_warn("watch folder=%s error=\"it has gone\" action=\"its zones stay as they are; it is "
			         "waited for\"",
			         w->folders[folder].path);
			detach(w, folder, !(e->mask & IN_MOVE_SELF));
		} else if (e->len) {
			on_file(w, folder, e->mask, e->name);
		}
	}
}

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct watcher *w = p->data;
	_Alignas(struct inotify_event) char buf[16384];

	(void)events;
	for (unsigned turn = 0; status >= 0 && turn < READS_MAX; turn++) {
		ssize_t n = read(w->fd, buf, sizeof(buf));

		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			on_event(w, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
}

/* ---- life ---- */

void watcher_listen(struct watcher *w, bool listen)
{
	if (listen == w->listening)
		return;
	w->listening = listen;
	if (listen)
		uv_poll_start(&w->poll, UV_READABLE, on_readable);
	else
		uv_poll_stop(&w->poll);
}

int watcher_new(uv_loop_t *loop, struct board_sync *board, const char *zones_dir_or_null, watcher_fn *on_saved,
                void *ctx, struct watcher **out)
{
	struct watcher *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return ERR_NO_MEMORY;
	*w = (struct watcher){.loop = loop,
	                      .board = board,
	                      .zones_dir = zones_dir_or_null,
	                      .on_saved = on_saved,
	                      .ctx = ctx,
	                      .fd = -1};
	arena_init(&w->arena, 0);
	w->pending = calloc(PENDING_MAX, sizeof(*w->pending));
	if (!w->pending || !make_buckets(&w->by_path, 64) || !make_buckets(&w->by_name, 256)) {
		watcher_free(w);
		return ERR_NO_MEMORY;
	}
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0 || uv_poll_init(loop, &w->poll, w->fd) < 0) {
		err = w->fd < 0 ? -errno : ERR_NO_MEMORY;
		watcher_free(w);
		return err;
	}
	uv_timer_init(loop, &w->together);
	uv_timer_init(loop, &w->missing);
	uv_timer_init(loop, &w->gone);
	w->poll.data = w->together.data = w->missing.data = w->gone.data = w;
	uv_timer_start(&w->missing, on_missing, MISSING_MS, MISSING_MS);
	*out = w;
	return 0;
}

/* With the loop over. */
void watcher_free(struct watcher *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->folder_count; i++)
		free((void *)(uintptr_t)w->folders[i].path);
	if (w->fd >= 0 && w->listening)
		uv_poll_stop(&w->poll);
	if (w->fd >= 0 && uv_is_active((uv_handle_t *)&w->missing)) {
		uv_timer_stop(&w->missing);
		uv_timer_stop(&w->together);
		uv_timer_stop(&w->gone);
		uv_run(w->loop, UV_RUN_NOWAIT);
	}
	if (w->fd >= 0)
		close(w->fd);
	arena_done(&w->arena);
	free(w->folders);
	free(w->files);
	free(w->by_path.heads);
	free(w->by_name.heads);
	free(w->by_wd);
	free(w->pending);
	free(w);
}
