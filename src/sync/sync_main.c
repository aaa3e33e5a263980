/* SPDX-License-Identifier: BSD-2-Clause */
/* The sync process: the only writer of the store. Its loop hears the supervisor and beats the heart; the loading itself runs on a
 * thread, one run at a time, and a wish that comes meanwhile makes another run after it.
 *
 * Zones come from files, read again when they or files they include are saved (watcher.c) or a reload is asked for, or from primaries (secondaries.c), whose
 * transfers wait for the same thread. Others get them by transfer (serve.c) and are told of changes (notify.c). What changed is noted in the journal (versions.c, arrive.c), from
 * which operators' questions about versions are answered (asks.c). Signing is not here yet. */
#include "sync/sync_main.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "journal/journal.h"
#include "proc/role.h"
#include "sync/access.h"
#include "sync/asks.h"
#include "sync/catalogs.h"
#include "sync/events.h"
#include "sync/history.h"
#include "sync/load.h"
#include "sync/notify.h"
#include "sync/places.h"
#include "sync/secondaries.h"
#include "sync/serve.h"
#include "sync/told.h"
#include "sync/versions.h"
#include "sync/watcher.h"
#include "sync/zone_list.h"
#include "xdp/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	RETRY_MS = 1000,
	COLLECT_MS = 250,
	DAMAGE_MS = 1000, /* between the news of a damaged store and the restart */
	GATHER_PIECES = 16, /* of 2 MiB in one turn of the collector: some milliseconds */
	WISHES_MAX = 10000, /* zones that one run is asked for by name, about */
	LOADING_NICE = 5,   /* loading is behind answering where both want a CPU; threads that it starts are, too */
};

struct wishes {
	bool whole;         /* look at every zone */
	bool index;         /* which file is which zone's: after a new list */
	bool signatures;    /* look when those end of which that matters now */
	struct name *allowed; /* of these zones, what the gate would refuse */
	size_t allowed_count, allowed_cap;
	struct name *zones; /* read these, whether their files have changed or not */
	size_t count, cap;
};

struct sync {
	struct role *role;
	uv_loop_t loop;
	uv_work_t work;
	uv_timer_t retry, collect;
	struct loader loader;
	struct history *history;
	struct notifier *notifier;
	struct serve *serve;
	struct journal *journal;         /* NULL: none */
	struct versions *versions;       /* likewise */
	struct asks *asks;
	struct secondaries *secondaries; /* NULL: no zone is held by transfer */
	struct catalogs *catalogs;
	struct watcher *watcher;         /* NULL: the kernel does not tell of saved files */
	struct places *places;           /* NULL: the stand-alone form */
	bool busy, stopping, said_ready;
	bool new_config;       /* since the list of zones was made */
	bool new_list;         /* the run under way brings it */
	bool damaged;          /* the store: this process ends */
	uint64_t damaged_ms;   /* known since; 0: it is not */
	bool may_ask;          /* for the right to read every file */
	bool asked;            /* for it: nothing is begun until the answer has come, or the time for a retry */
	const struct config *made_from; /* the list of zones made last; compared only */
	struct config *retired[2];      /* that a list may still borrow from: the one in force and the one on its way */
	struct wishes next;    /* for the run to come */
	char cause[LOADER_CAUSE_MAX]; /* of it */
	/* Of the run under way, owned by the thread while busy. */
	struct wishes now;
	struct zone_list *zones;
	int result, arrived;
};

static void begin(struct sync *s);

static void run(uv_work_t *work)
{
	struct sync *s = work->data;

	s->result = s->arrived = 0;
	if (s->watcher && s->zones)
		watcher_folders(s->watcher, s->zones);
	/* Refused by a kernel or a container, answers are a little later while zones load. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOADING_NICE);
	if (s->now.whole)
		s->result = loader_run(&s->loader, s->zones, s->now.zones, s->now.count);
	else if (s->now.count)
		s->result = loader_run_some(&s->loader, s->now.zones, s->now.count);
	s->zones = NULL;
	if (!s->result && s->loader.zones && s->loader.aligned)
		s->result = catalogs_produce(s->catalogs, &s->loader);
	if (s->loader.zones && s->loader.aligned && s->loader.writer) {
		int err = asks_run(s->asks, &s->loader);

		s->result = s->result < 0 ? s->result : err;
	}
	if (s->now.index && s->watcher && s->loader.zones && s->loader.writer) {
		struct store_snapshot snapshot;

		store_writer_snapshot(s->loader.writer, &snapshot);
		watcher_index(s->watcher, s->loader.zones, &snapshot);
	}
	if (s->now.signatures)
		loader_look_at_signatures(&s->loader);
	if (s->secondaries)
		s->arrived = s->loader.zones && s->loader.aligned ? secondaries_run(s->secondaries, &s->loader) : ERR_INVALID;
}

static void on_retry(uv_timer_t *t)
{
	struct sync *s = t->data;

	s->asked = false;
	s->next.whole = true;
	begin(s);
}

/* A supervisor that grants the right ends this process and starts it anew; one that refuses says so. Then zones that cannot be read are zones that do
 * not load: they are not asked for again until the configuration changes. Until then "ready" would count zones as failed that are about to load. */
static void ask_right(struct sync *s)
{
	struct role_message m = {.kind = ROLE_NEEDS_READ, .text_len = (uint32_t)strlen(s->loader.unreadable)};

	memcpy(m.text, s->loader.unreadable, m.text_len);
	s->may_ask = false;
	s->asked = role_send(s->role->brief.supervisor_fd, &m, -1) == 0;
	if (!s->asked)
		log_warn("zones file=%s error=\"no right to read it, and the supervisor takes no message\"", s->loader.unreadable);
}

static void free_retired(struct sync *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->retired); i++) {
		if (s->loader.zones && s->loader.zones->from == s->retired[i])
			continue;
		config_free(s->retired[i]);
		s->retired[i] = NULL;
	}
}

/* Before a run there is the list in force, and during it one more; each was made from one configuration. */
static void retire(struct sync *s, struct config *old)
{
	for (size_t i = 0; old == s->made_from && i < ARRAY_LEN(s->retired); i++)
		if (!s->retired[i]) {
			s->retired[i] = old;
			return;
		}
	config_free(old);
}

static void after(uv_work_t *work, int status)
{
	struct sync *s = work->data;
	struct role_message ready = {.kind = ROLE_READY};
	bool looked;

	(void)status;
	s->busy = false;
	looked = s->now.whole || s->now.count;
	/* After the zones: answers do not wait for it. */
	s->next.index |= s->new_list || (s->now.index && s->result < 0);
	s->new_list = false;
	free(s->now.zones);
	free(s->now.allowed);
	s->now = (struct wishes){0};
	asks_end(s->asks);
	if (s->secondaries)
		secondaries_end(s->secondaries, &s->loader, s->arrived);
	free_retired(s);
	if (looked)
		malloc_trim(0);
	if (s->stopping) {
		uv_stop(&s->loop);
		return;
	}
	if (s->result == -EACCES && s->loader.unreadable[0])
		ask_right(s);
	if (s->result < 0 || s->arrived < 0) {
		s->new_config |= s->result < 0; /* it may not have got as far as to take the list */
		if (catalogs_failed(s->catalogs)) {
			s->new_config = true;
			secondaries_reload(s->secondaries);
		}
		uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
	} else if (!s->said_ready && role_send(s->role->brief.supervisor_fd, &ready, -1) == 0)
		s->said_ready = true;
	if (s->watcher)
		watcher_listen(s->watcher, true);
	if (s->next.whole || s->next.count || s->next.index || asks_has_work(s->asks) ||
	    (s->secondaries && !s->result && !s->arrived && secondaries_has_work(s->secondaries)))
		begin(s);
}

static void on_wanted(void *ctx)
{
	begin(ctx);
}

/* A folder is read again for every look at the whole, a configuration has its zones once and for all. */
static int make_list(struct sync *s)
{
	if (!s->now.whole || (s->role->config && !s->new_config && s->loader.zones))
		return 0;
	s->new_config = false;
	s->made_from = s->role->config;
	return zone_list_make(s->role, &s->zones);
}

/* What the run to come notes of versions, and how many are kept. */
static void take_history(struct sync *s)
{
	const struct config *c = s->role->config;

	if (s->cause[0])
		memcpy(s->loader.cause, s->cause, sizeof(s->cause));
	s->cause[0] = '\0';
	if (c)
		s->loader.keep = (struct journal_keep){.differences_max = c->history.versions, .octets_max = c->history.size,
		                                       .all_s = c->history.all_for_ms / 1000, .step_s = c->history.step_ms / 1000};
}

static void begin(struct sync *s)
{
	int err;

	if (s->busy || s->asked || s->stopping)
		return;
	s->now = s->next;
	s->next = (struct wishes){0};
	s->now.whole |= s->new_config || !s->loader.zones;
	for (size_t i = 0; i < s->now.count && !s->now.whole; i++)
		s->now.whole = !loader_has(&s->loader, s->now.zones[i].wire);
	err = make_list(s);
	if (err < 0) {
		log_err("zones error=\"%s\"", err_text(err));
		s->new_config = true;
		s->next = s->now;
		s->now = (struct wishes){0};
		if (err == -EACCES && s->may_ask && !s->role->config) {
			snprintf(s->loader.unreadable, sizeof(s->loader.unreadable), "%s", s->role->brief.zones_dir);
			ask_right(s);
		}
		uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
		return;
	}
	s->loader.may_ask = s->may_ask;
	take_history(s);
	asks_begin(s->asks);
	for (size_t i = 0; i < s->now.allowed_count; i++)
		loader_allow(&s->loader, s->now.allowed[i].wire);
	s->new_list = s->zones != NULL;
	if (s->watcher)
		watcher_listen(s->watcher, false);
	if (s->secondaries)
		secondaries_begin(s->secondaries);
	s->busy = true;
	s->work.data = s;
	if (uv_queue_work(&s->loop, &s->work, run, after) < 0) {
		s->busy = false;
		asks_end(s->asks);
		if (s->secondaries)
			secondaries_end(s->secondaries, &s->loader, ERR_NO_MEMORY);
	}
}

static bool may_ask(const struct role *role)
{
	return role->brief.uid != UINT32_MAX && !role->brief.keep_dac_read;
}

static uint64_t on_origin(void *ctx, const uint8_t *apex)
{
	const struct sync *s = ctx;

	return s->secondaries ? secondaries_origin(s->secondaries, apex) : 0;
}

/* Who may transfer and who is told, by the configuration in force. Without memory what was before stays. */
static int take_access(struct sync *s)
{
	struct access *a;
	int err = access_make(s->role, &a);

	if (err < 0) {
		log_err("sync what=access error=\"%s\"", err_text(err));
		return err;
	}
	access_members(a, on_origin, s);
	serve_access(s->serve, a);
	notifier_access(s->notifier, a);
	access_unref(a);
	return 0;
}

static bool on_notified(void *ctx, const uint8_t *apex, const struct ip_addr *from, bool has_serial, uint32_t serial, const char *key_name)
{
	struct sync *s = ctx;

	return s->secondaries && secondaries_notified(s->secondaries, apex, from, has_serial, serial, key_name);
}

static bool on_expires(void *ctx, const uint8_t *apex, uint32_t *seconds)
{
	struct sync *s = ctx;

	return s->secondaries && secondaries_expires(s->secondaries, apex, seconds);
}

struct wanted_changes {
	const uint8_t *apex;
	uint32_t from, to;
	uint64_t octets_max;
	struct journal_changes *out;
};

static int read_changes(struct journal_txn *t, void *ctx)
{
	const struct wanted_changes *w = ctx;

	return journal_get_changes(t, w->apex, w->from, w->to, false, w->octets_max, w->out);
}

static bool on_changes(void *ctx, const uint8_t *apex, uint32_t from, uint32_t to, uint64_t octets_max, struct journal_changes *out)
{
	struct wanted_changes w = {apex, from, to, octets_max, out};
	struct sync *s = ctx;

	return s->journal && journal_read(s->journal, read_changes, &w, NULL) == 0;
}

static int start_serving(struct sync *s)
{
	const struct serve_hooks hooks = {.ctx = s, .notified = on_notified, .expires = on_expires, .changes = on_changes};
	struct board_sync *b = &s->role->board->sync;
	int err;

	s->history = history_new(HISTORY_OCTETS_MAX, &b->out.history_octets);
	s->notifier = notifier_new(&s->loop, s->role->node, &b->out);
	if (!s->history || !s->notifier)
		return ERR_NO_MEMORY;
	err = serve_new(&s->loop, &s->role->brief, b, s->history, &hooks, &s->serve);
	if (!err)
		err = take_access(s);
	s->loader.history = s->history;
	s->loader.on_serial = notifier_changed;
	s->loader.on_serial_ctx = s->notifier;
	return err;
}

static int on_reload(struct role *role, struct config *old)
{
	struct sync *s = role->state;

	/* The journal is opened at the start, while its folder can be gone to. */
	if ((!s->secondaries && secondaries_needed(role)) || (!s->journal && serials_needed(role)))
		return 1;
	retire(s, old);
	places_reload(s->places);
	if (s->secondaries)
		secondaries_reload(s->secondaries);
	s->new_config = s->next.whole = true;
	snprintf(s->cause, sizeof(s->cause), "reload");
	s->may_ask = may_ask(role);
	if (take_access(s) < 0)
		log_warn("reload action=\"transfers go by the old configuration\"");
	begin(s);
	return 0;
}

static bool add_name(struct name **list, size_t *count, size_t *cap, const struct name *zone)
{
	struct name *more;

	if (*count == *cap && *cap < WISHES_MAX) {
		more = realloc(*list, (*cap * 2 + 8) * sizeof(*more));
		if (more) {
			*list = more;
			*cap = *cap * 2 + 8;
		}
	}
	if (*count == *cap)
		return false;
	(*list)[(*count)++] = *zone;
	return true;
}

static void wish(struct wishes *w, const struct name *zone)
{
	if (add_name(&w->zones, &w->count, &w->cap, zone))
		return;
	log_warn("reload error=\"too many zones asked for at once\" action=\"all files that have changed are read\"");
	w->whole = true;
}

/* The version that was refused is to be taken: transferred or read again. */
static void ask_again(struct sync *s, const uint8_t *apex)
{
	struct name name;

	name_copy(&name, apex);
	if (!s->secondaries || secondaries_retransfer(s->secondaries, apex, true) == ERR_NOT_FOUND) {
		wish(&s->next, &name);
		(void)add_name(&s->next.allowed, &s->next.allowed_count, &s->next.allowed_cap, &name);
	}
	begin(s);
}

static int about_catalogs(struct sync *s, uint32_t request, const uint8_t *apex, struct text *out)
{
	int err = 0;

	if (request == REQUEST_CATALOGS)
		catalogs_describe(s->catalogs, apex, ROLE_TEXT_MAX, out);
	else
		err = catalogs_accept(s->catalogs, apex);
	if (request == REQUEST_CATALOG_ACCEPT && !err)
		ask_again(s, apex);
	return err;
}

static void on_saved(void *ctx, const struct name *zone)
{
	struct sync *s = ctx;

	if (zone)
		wish(&s->next, zone);
	else
		s->next.whole = true;
	snprintf(s->cause, sizeof(s->cause), "saved");
	begin(s);
}

static int describe_zone(struct sync *s, const uint8_t *apex, struct text *out)
{
	int err = s->secondaries ? secondaries_describe(s->secondaries, apex, out) : ERR_NOT_FOUND;

	return err == ERR_NOT_FOUND ? told_describe(&s->loader, apex, out) : err;
}

/* In canonical order, wherever they come from; as many as fit. */
static int list_zones(struct sync *s, const uint8_t *after, struct text *out)
{
	struct name last, file;

	for (;;) {
		const uint8_t *held = s->secondaries ? secondaries_after(s->secondaries, after) : NULL, *next = held;
		size_t was = out->len;

		if (told_next(&s->loader, after, &file) && (!held || name_compare(file.wire, held) < 0))
			next = file.wire;
		if (!next)
			return 0;
		name_copy(&last, next);
		if (describe_zone(s, last.wire, out) < 0)
			return 0;
		if (out->len > ROLE_TEXT_MAX) {
			/* It begins the next piece. */
			out->len = was;
			out->chars[was] = '\0';
			return 0;
		}
		after = last.wire;
	}
}

static void on_ask(void *ctx, const struct name *read, bool force)
{
	struct sync *s = ctx;

	if (read && force)
		(void)add_name(&s->next.allowed, &s->next.allowed_count, &s->next.allowed_cap, read);
	if (read) {
		wish(&s->next, read);
		snprintf(s->cause, sizeof(s->cause), "publish");
	}
	begin(s);
}

static const char *file_of(void *ctx, const uint8_t *apex)
{
	const struct sync *s = ctx;
	const struct config *c = s->role->config;

	for (size_t i = 0; c && i < c->zone_count; i++)
		if (c->zones[i].file && name_equal(c->zones[i].apex, apex))
			return c->zones[i].file;
	return "";
}

static void answer_ask(struct sync *s, const struct role_message *m)
{
	struct role_message reply = {.kind = ROLE_REPLY, .id = m->id, .request = m->request};
	const char *why = "";

	reply.result = asks_take(s->asks, m, s->role->attached, &why);
	if (!reply.result)
		s->role->attached = -1;
	reply.text_len = (uint32_t)snprintf(reply.text, sizeof(reply.text), "%s", why);
	if (role_send(s->role->brief.supervisor_fd, &reply, -1) < 0)
		log_warn("request=%u error=\"the supervisor takes no message\"", m->request);
}

/* Requests about single zones. */
static void answer_request(struct sync *s, const struct role_message *m)
{
	struct role_message reply = {.kind = ROLE_REPLY, .id = m->id, .request = m->request, .result = ERR_NOT_FOUND};
	static const uint8_t root[1] = {0};
	struct text text;
	struct name name;
	int err = m->text_len ? name_from_text(m->text, m->text_len, root, &name) : 0;

	text_init(&text);
	if (err < 0 || (!m->text_len && m->request != REQUEST_ZONES_AFTER && m->request != REQUEST_CATALOGS))
		reply.result = ERR_MALFORMED;
	else if (m->request == REQUEST_ZONES_AFTER)
		reply.result = list_zones(s, m->text_len ? name.wire : NULL, &text);
	else if (m->request == REQUEST_CATALOGS || m->request == REQUEST_CATALOG_ACCEPT)
		reply.result = about_catalogs(s, m->request, m->text_len ? name.wire : NULL, &text);
	else if (m->request == REQUEST_ZONE_STATUS)
		reply.result = describe_zone(s, name.wire, &text);
	else if (s->secondaries)
		reply.result = secondaries_retransfer(s->secondaries, name.wire, m->request == REQUEST_RETRANSFER_FORCE);
	reply.text_len = (uint32_t)MIN(text.len, (size_t)ROLE_TEXT_MAX);
	memcpy(reply.text, text.chars, reply.text_len);
	text_done(&text);
	if (role_send(s->role->brief.supervisor_fd, &reply, -1) < 0)
		log_warn("request=%u error=\"the supervisor takes no message\"", m->request);
}

static void on_message(struct role *role, const struct role_message *m)
{
	struct sync *s = role->state;
	static const uint8_t root[1] = {0};
	struct name name;

	if (m->kind == ROLE_SYNC_REQUEST && role_request_is_ask(m->request))
		answer_ask(s, m);
	else if (m->kind == ROLE_SYNC_REQUEST)
		answer_request(s, m);
	if (m->kind == ROLE_NEEDS_READ && s->asked) {
		uv_timer_stop(&s->retry);
		on_retry(&s->retry);
	}
	if (m->kind != ROLE_SYNC_RELOAD)
		return;
	if (m->text_len && name_from_text(m->text, m->text_len, root, &name) == 0) {
		if (s->secondaries && secondaries_refresh(s->secondaries, name.wire) == 0)
			return;
		wish(&s->next, &name);
		snprintf(s->cause, sizeof(s->cause), "zone reload by uid %u", m->uid);
		if (m->request == REQUEST_ZONE_RELOAD_FORCE)
			(void)add_name(&s->next.allowed, &s->next.allowed_count, &s->next.allowed_cap, &name);
	} else {
		snprintf(s->cause, sizeof(s->cause), "zone reload by uid %u", m->uid);
		s->next.whole = true;
	}
	begin(s);
}

static void on_stop(struct role *role)
{
	struct sync *s = role->state;

	s->stopping = true;
	if (!s->busy)
		uv_stop(&s->loop);
}

/* Watch has found that the store is damaged. A successor of this process finds that as well as it opens the file, and makes a new one from zone files, journal and primaries. Routes
 * get a moment to go before. */
static bool store_is_damaged(struct sync *s)
{
	const struct board *b = s->role->board;
	uint64_t ino = board_get(&b->watch.damaged_ino);

	if (!ino || ino != board_get(&b->sync.store_ino)) {
		s->damaged_ms = 0;
		return false;
	}
	if (!s->damaged_ms)
		s->damaged_ms = clock_ms();
	return clock_ms() - s->damaged_ms >= DAMAGE_MS;
}

/* Readers let go of old versions between loads, too. */
static void on_collect(uv_timer_t *t)
{
	struct sync *s = t->data;

	sync_events_tick(clock_ms());
	if (!s->busy && store_is_damaged(s)) {
		log_err("store error=\"damaged\" action=\"restarting to make a new one\"");
		s->damaged = true;
		uv_stop(&s->loop);
		return;
	}
	if (!s->busy && s->loader.writer)
		store_collect(s->loader.writer);
	if (!s->busy && s->loader.writer)
		(void)store_gather_pages(s->loader.writer, GATHER_PIECES);
	if (!s->busy && loader_wants_look(&s->loader)) {
		s->next.signatures = true;
		begin(s);
	}
}

static int journal_begin(const struct journal_options *o, struct text *why, struct journal **out)
{
	struct journal_options own = *o;

	text_clear(why);
	own.folder_fd = fcntl(o->folder_fd, F_DUPFD_CLOEXEC, 3);
	return own.folder_fd < 0 ? -errno : journal_open(".", &own, why, out);
}

/* In its folder, which our account may enter even where it may not walk the path to it. What cannot be read is set aside: primaries have it all. */
static int open_journal(struct sync *s)
{
	struct journal_options o = {.by_descriptor = true, .folder_fd = s->role->brief.journal_fd};
	int home, err = 0;
	struct text why;

	if (o.folder_fd < 0)
		return 0;
	text_init(&why);
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home < 0 || fchdir(o.folder_fd) < 0)
		err = -errno;
	if (!err)
		err = journal_begin(&o, &why, &s->journal);
	if (err == ERR_STALE || err == ERR_MALFORMED || err == ERR_UNSUPPORTED) {
		sync_event_journal(false, "it is damaged: it is set aside as journal.damaged, and a new one begun");
		log_err("journal error=\"%s\" action=\"it is set aside as journal.damaged, and a new one begun\"", why.chars);
		err = journal_set_aside(".");
		if (!err)
			err = journal_begin(&o, &why, &s->journal);
	}
	/* A predecessor has it for a moment yet: start again. Anything else (a full disk, say) must not keep zones from being answered. */
	if (err < 0 && err != -EBUSY)
		sync_event_journal(false, why.len ? why.chars : err_text(err));
	if (err < 0)
		log_err("journal error=\"%s\" action=\"%s\"", why.len ? why.chars : err_text(err),
		        err == -EBUSY ? "starting again" : "going on without: transferred zones will not survive a reboot, and there is no history");
	err = err == -EBUSY ? err : 0;
	text_done(&why);
	if (home >= 0 && fchdir(home) < 0)
		err = -errno;
	close(home);
	return err;
}

/* Without it files are read when a reload is asked for. */
static void start_watching(struct sync *s)
{
	int err = watcher_new(&s->loop, &s->role->board->sync, s->role->brief.zones_dir[0] ? s->role->brief.zones_dir : NULL, on_saved, s, &s->watcher);

	if (err < 0)
		log_warn("watch error=\"%s\" action=\"saved files are read by zonecast zone reload only\"", err_text(err));
	s->loader.watcher = s->watcher;
}

int sync_main(struct role *role)
{
	struct sync *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return 1;
	s->role = role;
	role->state = s;
	sync_events_start(role->board);
	role->on_reload = on_reload;
	role->keeps_old = true;
	role->on_message = on_message;
	role->on_stop = on_stop;
	loader_init(&s->loader, role->brief.store_path, role->board, role->brief.workers);
	s->catalogs = catalogs_new();
	if (!s->catalogs)
		return 1;
	s->loader.on_list = catalogs_complete;
	s->loader.on_version = catalogs_judge;
	s->loader.on_list_ctx = s->catalogs;
	err = xdp_cache_take(role->brief.xdp_fd, &s->loader.kernel);
	if (err < 0) {
		/* Zones must not change under answers that nobody takes back. */
		log_err("sync what=xdp error=\"%s\"", err_text(err));
		return 1;
	}
	uv_loop_init(&s->loop);
	uv_timer_init(&s->loop, &s->retry);
	uv_timer_init(&s->loop, &s->collect);
	s->retry.data = s->collect.data = s;
	err = start_serving(s);
	if (err < 0) {
		log_err("sync what=transfers error=\"%s\"", err_text(err));
		return 1;
	}
	err = role_loop_start(role, &s->loop);
	if (!err)
		err = open_journal(s);
	if (err < 0)
		return 1;
	s->loader.journal = s->journal;
	start_watching(s);
	if (role_sandbox(role) < 0)
		return 1;
	s->asks = asks_new(&s->loop, s->journal, s->serve,
	                   &(struct asks_hooks){.ctx = s, .wants_run = on_ask, .file = file_of});
	s->versions = s->journal ? versions_new(s->journal) : NULL;
	if (!s->asks || (s->journal && !s->versions))
		return 1;
	s->loader.versions = s->versions;
	s->loader.on_read = asks_on_read;
	s->loader.on_read_ctx = s->asks;
	if (secondaries_needed(role) &&
	    secondaries_new(role, &s->loop, s->journal, s->catalogs, on_wanted, s, &s->secondaries) < 0)
		return 1;
	if (role->config && places_new(role, &s->loop, &s->places) < 0)
		return 1;
	s->may_ask = may_ask(role);
	s->next.whole = true;
	begin(s);
	uv_timer_start(&s->collect, on_collect, COLLECT_MS, COLLECT_MS);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	/* The thread has all of it in hand. A successor does the run anew, as after a kill. */
	if (s->busy || places_busy(s->places))
		_exit(s->damaged);
	/* What follows turns the loop a few times yet: nothing new is begun. */
	s->stopping = true;
	places_free(s->places);
	asks_stop(s->asks);
	serve_free(s->serve);
	notifier_free(s->notifier);
	secondaries_free(s->secondaries);
	catalogs_free(s->catalogs);
	watcher_free(s->watcher);
	asks_free(s->asks);
	journal_close(s->journal);
	loader_done(&s->loader);
	versions_free(s->versions);
	history_free(s->history);
	free(s->next.zones);
	xdp_cache_close(s->loader.kernel);
	err = s->damaged;
	free(s);
	return err;
}
