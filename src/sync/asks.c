/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests with answers of any length, or about versions: `zone history`, `zone diff`, `zone export`, `zone rollback`, `zone publish`. The client's connection travels
 * with the request, cli ──► admin ──► supervisor ──► sync, and is answered here; on the way nothing of the answer is copied or waited for.
 *
 * The first three read: each on a thread of its own, so that neither the loop nor the loader waits for a large zone or a slow client. What is read is put into memory first,
 * as a whole (a zone's content, a list of differences), and then written: no transaction of the journal and no pin of the store lasts as long as a client likes, and what
 * does not verify at its end (journal.h) is not begun. So a request costs the memory of what it asks for, ASKS_MAX of them at a time. A client that takes nothing for
 * STALL_MS is cut off.
 *
 * The other two change: they ride on a run of the loader, on its thread, and are answered after it in one line. */
#include "sync/asks.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sync/from_store.h"
#include "sync/load.h"
#include "sync/serve.h"
#include "sync/snapshots.h"
#include "sync/versions.h"
#include "zone/print.h"
#include "zone/zonemd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PIECE = 64 << 10,
	STALL_MS = 20000,
	LOOK_MS = 500, /* how often a thread that waits for a client looks whether it is to end */
	PROBLEMS_MAX = 64 << 10,
};
#define DIFFERENCE_OCTETS_MAX ((uint64_t)4 << 30)

enum ask_state { ASK_FREE, ASK_THREAD, ASK_QUEUED, ASK_IN_RUN };

struct ask {
	struct asks *all;
	enum ask_state state;
	uint32_t what; /* enum role_request */
	struct role_ask request;
	struct name apex;
	int fd;
	/* ASK_THREAD */
	pthread_t thread;
	struct snapshot *snapshot; /* NULL: given back */
	atomic_bool has_read;      /* the snapshot is not needed any more */
	atomic_bool done;
	struct text out;
	/* ASK_IN_RUN */
	struct rollback back;
	bool was_read;
	bool again; /* sync is about to be restarted, with the right that it lacked */
	int err;
	uint32_t before, serial;
	char why[VERSIONS_WHY_MAX], file[1024];
	struct text problems, zonemd; /* JSON strings with commas between */
};

struct asks {
	uv_loop_t *loop;
	uv_async_t *async; /* some thread has got on */
	struct journal *journal;
	struct serve *serve;
	struct asks_hooks hooks;
	atomic_bool ends;
	struct ask list[ASKS_MAX];
};

/* ---- writing to the client ---- */

/* All of out; then it is empty. */
static int flush(struct ask *a)
{
	uint64_t since = clock_ms();
	size_t pos = 0;

	if (a->out.failed)
		return ERR_NO_MEMORY;
	while (pos < a->out.len) {
		ssize_t n = send(a->fd, a->out.chars + pos, a->out.len - pos, MSG_NOSIGNAL | MSG_DONTWAIT);
		struct pollfd p = {.fd = a->fd, .events = POLLOUT};

		if (n > 0) {
			pos += (size_t)n;
			since = clock_ms();
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (atomic_load(&a->all->ends) || clock_ms() - since > STALL_MS)
			return -ETIMEDOUT;
		if (poll(&p, 1, LOOK_MS) < 0 && errno != EINTR)
			return -errno;
	}
	text_clear(&a->out);
	return 0;
}

static int flush_piece(struct ask *a)
{
	return a->out.len < PIECE ? 0 : flush(a);
}

static void put_refusal(struct ask *a, const char *why)
{
	text_clear(&a->out);
	text_str(&a->out, "{\"ok\":false,\"error\":");
	text_json_string(&a->out, why);
	if (a->problems.len)
		text_fmt(&a->out, ",\"problems\":[%s]", a->problems.chars);
	text_fmt(&a->out, "%s}\n", a->again ? ",\"again\":true" : "");
}

/* What was read has come to an end, good or not. */
static void has_read(struct ask *a)
{
	atomic_store(&a->has_read, true);
	if (!atomic_load(&a->all->ends))
		uv_async_send(a->all->async);
}

static int refuse(struct ask *a, const char *why)
{
	has_read(a);
	put_refusal(a, why);
	return flush(a);
}

/* What the journal said, where it said more than that there is nothing. */
static const char *reason(const struct text *why, int err, const char *not_found)
{
	if (why->len && strcmp(why->chars, err_text(err)) != 0)
		return why->chars;
	return err == ERR_NOT_FOUND ? not_found : err_text(err);
}

static const struct store_zone *zone_of(const struct ask *a)
{
	const struct store_zone *z = a->snapshot ? store_zone_get(&a->snapshot->store, a->apex.wire) : NULL;

	return z && z->state == STORE_ZONE_SERVING ? z : NULL;
}

static void put_record(struct ask *a, const struct rr *rr)
{
	zone_print_record(&a->out, rr->owner, rr->ttl, rr->type, rr->rdata, rr->rdlen);
}

/* ---- history ---- */

static int put_entry(void *ctx, const struct journal_entry *e)
{
	struct ask *a = ctx;
	const struct journal_version *v = &e->version;

	text_fmt(&a->out,
	         "{\"serial\":%u,\"origin\":\"%s\",\"when\":%" PRIu64 ",\"records\":%" PRIu64 ",\"who\":", v->serial,
	         journal_origin_text(v->origin), v->when_s, e->records);
	text_json_string(&a->out, v->who);
	if (!e->is_whole)
		text_fmt(&a->out, ",\"from\":%u,\"removed\":%u,\"added\":%u,\"merged\":%u", e->from, e->deleted,
		         e->added, e->merged);
	text_str(&a->out, "}\n");
	return 0;
}

static int read_history(struct journal_txn *t, void *ctx)
{
	struct ask *a = ctx;
	const struct store_zone *z = zone_of(a);
	uint8_t note[JOURNAL_NOTE_MAX];
	uint32_t file_serial;
	size_t len;
	int err;

	text_clear(&a->out);
	text_str(&a->out, "{\"ok\":true,\"stream\":true");
	if (z)
		text_fmt(&a->out, ",\"serial\":%u", z->serial);
	if (journal_get_note(t, a->apex.wire, JOURNAL_NOTE_HELD, note, &len) == 0 &&
	    versions_held_serial(note, len, &file_serial))
		text_fmt(&a->out, ",\"held_back\":{\"file_serial\":%u}", file_serial);
	text_str(&a->out, "}\n");
	err = journal_history(t, a->apex.wire, put_entry, a);
	return err;
}

/* A zone whose file never changed is not in the journal: what is served is all there is. */
static void put_only_version(struct ask *a, const struct store_zone *z)
{
	struct journal_entry e = {.version = {.serial = z->serial,
	                                      .origin = JOURNAL_FROM_FILE,
	                                      .when_s = (uint64_t)z->loaded_wall_s},
	                          .records = z->record_count,
	                          .is_whole = true};

	snprintf(e.version.who, sizeof(e.version.who), "%.*s", JOURNAL_WHO_MAX, a->file);
	text_clear(&a->out);
	text_fmt(&a->out, "{\"ok\":true,\"stream\":true,\"serial\":%u}\n", z->serial);
	put_entry(a, &e);
}

static int answer_history(struct ask *a, struct text *why)
{
	const struct store_zone *z = zone_of(a);
	int err = a->all->journal ? journal_read(a->all->journal, read_history, a, why) : ERR_NOT_FOUND;

	if (err == ERR_NOT_FOUND && z) {
		put_only_version(a, z);
		err = 0;
	}
	if (err)
		return refuse(a, reason(why, err, "this node has no such zone, or no version of it"));
	has_read(a);
	text_str(&a->out, "; end\n");
	return flush(a);
}

/* ---- diff ---- */

struct comparing {
	struct ask *ask;
	uint32_t from, to;
	struct journal_changes changes;
	bool read;
};

static int read_changes(struct journal_txn *t, void *ctx)
{
	struct comparing *c = ctx;
	struct journal_zone z;
	int err = journal_get_zone(t, c->ask->apex.wire, &z);

	if (!err && c->ask->request.serials < 2)
		c->to = z.newest;
	if (!err)
		err = journal_get_changes(t, c->ask->apex.wire, c->from, c->to, true, DIFFERENCE_OCTETS_MAX,
		                          &c->changes);
	c->read = !err;
	return err;
}

static int write_side(struct ask *a, const struct rr *list, size_t count, const char *sign)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		text_str(&a->out, sign);
		put_record(a, &list[i]);
		err = flush_piece(a);
	}
	return err;
}

static int answer_diff(struct ask *a, struct text *why)
{
	struct comparing c = {.ask = a, .from = a->request.serial[0], .to = a->request.serial[1]};
	const struct store_zone *z = zone_of(a);
	int err = a->all->journal ? journal_read(a->all->journal, read_changes, &c, why) : ERR_NOT_FOUND;

	/* The version that is served is equal to itself, also where no journal knows it. */
	if (err == ERR_NOT_FOUND && z && c.from == z->serial && (a->request.serials < 2 || c.to == z->serial)) {
		c.to = z->serial;
		err = 0;
	}
	if (err)
		return refuse(a, reason(why, err, "no earlier version of this zone is kept"));
	has_read(a);
	text_fmt(&a->out, "{\"ok\":true,\"stream\":true,\"from\":%u,\"to\":%u}\n", c.from, c.to);
	for (size_t i = 0; c.read && i < c.changes.count && !err; i++) {
		const struct journal_change *one = &c.changes.items[i];

		err = write_side(a, one->deleted, one->deleted_count, "-");
		if (!err)
			err = write_side(a, one->added, one->added_count, "+");
	}
	if (c.read)
		journal_changes_done(&c.changes);
	text_str(&a->out, "; end\n");
	return err ? err : flush(a);
}

/* ---- export ---- */

struct exporting {
	struct ask *ask;
	struct content *content;
};

static int read_content(struct journal_txn *t, void *ctx)
{
	struct exporting *e = ctx;

	return journal_get_content(t, e->ask->apex.wire, e->ask->request.serial[0], &e->content);
}

static int write_content(struct ask *a, const struct content *c)
{
	int err = 0;

	for (size_t i = 0; i < content_rrset_count(c) && !err; i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count && !err; k++) {
			zone_print_record(&a->out, set->owner, set->ttl, set->type, set->records[k].rdata,
			                  set->records[k].rdlen);
			err = flush_piece(a);
		}
	}
	text_str(&a->out, "; end\n");
	return err ? err : flush(a);
}

static int answer_export(struct ask *a, struct text *why)
{
	const struct store_zone *z = zone_of(a);
	struct exporting e = {.ask = a};
	int err;

	if (z && (!a->request.serials || a->request.serial[0] == z->serial)) {
		a->request.serial[0] = z->serial;
		err = content_of_store(&a->snapshot->store, z, &e.content);
	} else if (!a->request.serials) {
		return refuse(a, "no such zone, or it has no data");
	} else {
		err = a->all->journal ? journal_read(a->all->journal, read_content, &e, why) : ERR_NOT_FOUND;
	}
	if (err)
		return refuse(a, reason(why, err, "no such version of this zone is kept"));
	has_read(a);
	text_fmt(&a->out, "{\"ok\":true,\"stream\":true,\"serial\":%u}\n", a->request.serial[0]);
	err = write_content(a, e.content);
	content_free(e.content);
	return err;
}

static void *thread(void *arg)
{
	struct ask *a = arg;
	char zone[NAME_TEXT_MAX];
	struct text why;
	int err;

	text_init(&why);
	switch ((enum role_request)a->what) {
	case REQUEST_ZONE_HISTORY:
		err = answer_history(a, &why);
		break;
	case REQUEST_ZONE_DIFF:
		err = answer_diff(a, &why);
		break;
	default:
		err = answer_export(a, &why);
		break;
	}
	text_done(&why);
	if (err && err != -EPIPE && err != -ECONNRESET) {
		name_to_text(a->apex.wire, zone);
		log_warn("control zone=%s error=\"an answer was not written to its end: %s\"", zone, err_text(err));
	}
	atomic_store(&a->done, true);
	has_read(a);
	return NULL;
}

/* ---- on the loop ---- */

static void free_ask(struct ask *a)
{
	snapshots_give(a->snapshot);
	if (a->fd >= 0)
		close(a->fd);
	text_done(&a->out);
	text_done(&a->problems);
	text_done(&a->zonemd);
	a->snapshot = NULL;
	a->state = ASK_FREE;
}

static void on_async(uv_async_t *async)
{
	struct asks *all = async->data;

	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &all->list[i];

		if (a->state != ASK_THREAD)
			continue;
		if (atomic_load(&a->has_read) && a->snapshot) {
			snapshots_give(a->snapshot);
			a->snapshot = NULL;
		}
		if (atomic_load(&a->done)) {
			pthread_join(a->thread, NULL);
			free_ask(a);
		}
	}
}

struct asks *asks_new(uv_loop_t *loop, struct journal *journal, struct serve *serve, const struct asks_hooks *hooks)
{
	struct asks *all = calloc(1, sizeof(*all));
	uv_async_t *async = calloc(1, sizeof(*async));

	if (!all || !async || uv_async_init(loop, async, on_async) < 0) {
		free(all);
		free(async);
		return NULL;
	}
	all->async = async;
	async->data = all;
	all->loop = loop;
	all->journal = journal;
	all->serve = serve;
	all->hooks = *hooks;
	return all;
}

void asks_stop(struct asks *all)
{
	if (!all)
		return;
	atomic_store(&all->ends, true);
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &all->list[i];

		if (a->state == ASK_THREAD)
			pthread_join(a->thread, NULL);
		if (a->state != ASK_FREE)
			free_ask(a);
	}
}

void asks_free(struct asks *all)
{
	if (!all)
		return;
	/* The loop has ended for good: nobody would hear of it being closed. */
	free(all->async);
	free(all);
}

static int start_thread(struct ask *a)
{
	/* Without one (no store yet, too many older versions in use) the journal may still know. */
	if (serve_snapshot(a->all->serve, &a->snapshot) < 0)
		a->snapshot = NULL;
	snprintf(a->file, sizeof(a->file), "%s", a->all->hooks.file(a->all->hooks.ctx, a->apex.wire));
	atomic_store(&a->has_read, false);
	atomic_store(&a->done, false);
	a->state = ASK_THREAD;
	return -pthread_create(&a->thread, NULL, thread, a);
}

int asks_take(struct asks *all, const struct role_message *m, int fd, const char **why)
{
	static const uint8_t root[1] = {0};
	struct ask *a = NULL;
	int err = 0;

	for (size_t i = 0; i < ASKS_MAX && !a; i++)
		if (all->list[i].state == ASK_FREE)
			a = &all->list[i];
	if (!a) {
		*why = "too many such requests at once: ask again";
		return ERR_LIMIT;
	}
	*a = (struct ask){.all = all, .what = m->request, .fd = -1};
	if (m->text_len != sizeof(a->request) || fd < 0) {
		*why = "not understood";
		return ERR_MALFORMED;
	}
	memcpy(&a->request, m->text, sizeof(a->request));
	a->request.zone[sizeof(a->request.zone) - 1] = '\0';
	if (name_from_text(a->request.zone, strlen(a->request.zone), root, &a->apex) < 0) {
		*why = "that is no domain name";
		return ERR_MALFORMED;
	}
	text_init(&a->out);
	text_init(&a->problems);
	text_init(&a->zonemd);
	a->fd = fd;
	if (m->request == REQUEST_ZONE_ROLLBACK || m->request == REQUEST_ZONE_PUBLISH) {
		a->state = ASK_QUEUED;
		all->hooks.wants_run(all->hooks.ctx, m->request == REQUEST_ZONE_PUBLISH ? &a->apex : NULL, a->request.force);
		return 0;
	}
	err = start_thread(a);
	if (err) {
		a->fd = -1; /* stays the caller's */
		free_ask(a);
		*why = err_text(err);
	}
	return err;
}

/* ---- with a run ---- */

bool asks_has_work(const struct asks *all)
{
	for (size_t i = 0; i < ASKS_MAX; i++)
		if (all->list[i].state == ASK_QUEUED)
			return true;
	return false;
}

void asks_begin(struct asks *all)
{
	for (size_t i = 0; i < ASKS_MAX; i++)
		if (all->list[i].state == ASK_QUEUED)
			all->list[i].state = ASK_IN_RUN;
}

static void add_json(struct text *list, const char *chars)
{
	if (list->len > PROBLEMS_MAX)
		return;
	if (list->len)
		text_char(list, ',');
	text_json_string(list, chars);
}

void asks_on_read(void *ctx, const struct zone_row *row, int err, const struct diag *problems, const char *why)
{
	struct asks *all = ctx;
	char line[1400];

	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &all->list[i];

		if (a->state != ASK_IN_RUN || a->what != REQUEST_ZONE_PUBLISH || !name_equal(a->apex.wire, row->apex))
			continue;
		a->was_read = true;
		a->err = err;
		a->before = row->serving ? row->serial : 0;
		snprintf(a->why, sizeof(a->why), "%s", why ? why : "");
		for (const struct diag_entry *e = problems->first; e; e = e->next)
			add_json(&a->problems, diag_entry_text(e, line, sizeof(line)));
		if (why && err >= 0)
			add_json(&a->problems, why);
	}
}

/* The zone's ZONEMD records, by which others can be compared. */
static void list_zonemd(struct ask *a, struct loader *l)
{
	const struct store_rrset *set;
	const struct store_zone *z;
	struct store_snapshot s;
	struct text one;

	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, a->apex.wire);
	set = z && z->state == STORE_ZONE_SERVING ? store_rrset_of(&s, store_at(&s, z->apex), RR_ZONEMD) : NULL;
	text_init(&one);
	for (const uint8_t *p = set ? set->data : NULL; set && p < set->data + set->size; p += 2 + get_u16(p)) {
		text_clear(&one);
		rdata_to_text(RR_ZONEMD, p + 2, get_u16(p), &one);
		add_json(&a->zonemd, one.chars);
	}
	text_done(&one);
}

int asks_run(struct asks *all, struct loader *l)
{
	int worst = 0;

	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &all->list[i];
		const struct zone_row *row = a->state == ASK_IN_RUN ? loader_row(l, a->apex.wire) : NULL;
		int err = 0;

		if (a->state != ASK_IN_RUN)
			continue;
		snprintf(a->file, sizeof(a->file), "%s", row && row->path ? row->path : "");
		if (a->what == REQUEST_ZONE_ROLLBACK && l->versions) {
			a->back = (struct rollback){.apex = a->apex, .to = a->request.serial[0]};
			snprintf(a->back.who, sizeof(a->back.who), "uid %u", a->request.uid);
			err = versions_roll_back(l->versions, l, &a->back);
		} else if (a->what == REQUEST_ZONE_ROLLBACK) {
			snprintf(a->back.error, sizeof(a->back.error), "this node keeps no history");
		} else if (!a->was_read) {
			snprintf(a->why, sizeof(a->why), "%s",
			         !row        ? "this node has no such zone"
			         : row->held ? "the zone is held by transfer: publish it at its primary"
			                     : "the zone's file was not read");
			a->err = ERR_NOT_FOUND;
			a->again = l->unreadable[0] != '\0';
		}
		if (row)
			a->serial = row->serial;
		if (a->what == REQUEST_ZONE_PUBLISH)
			list_zonemd(a, l);
		worst = err ? err : worst;
	}
	return worst;
}

static void put_rollback(struct ask *a)
{
	if (!a->back.done) {
		put_refusal(a, a->back.error[0] ? a->back.error : "the zones are not loaded yet: ask again");
		return;
	}
	text_str(&a->out, "{\"ok\":true,\"zone\":");
	text_json_string(&a->out, a->request.zone);
	text_fmt(&a->out, ",\"serial\":%u,\"from\":%u,\"to\":%u,\"file\":", a->back.serial, a->back.from, a->back.to);
	text_json_string(&a->out, a->file);
	text_str(&a->out, "}\n");
}

static void put_published(struct ask *a)
{
	if (a->err < 0) {
		put_refusal(a, a->why[0] ? a->why : err_text(a->err));
		return;
	}
	text_str(&a->out, "{\"ok\":true,\"zone\":");
	text_json_string(&a->out, a->request.zone);
	text_fmt(&a->out, ",\"serial\":%u,\"before\":%u,\"zonemd\":[%s],\"problems\":[%s],\"file\":", a->serial,
	         a->before, a->zonemd.chars, a->problems.chars);
	text_json_string(&a->out, a->file);
	text_str(&a->out, "}\n");
}

void asks_end(struct asks *all)
{
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &all->list[i];

		if (a->state != ASK_IN_RUN)
			continue;
		if (a->what == REQUEST_ZONE_ROLLBACK)
			put_rollback(a);
		else
			put_published(a);
		/* One line; it fits into what the kernel takes at once. */
		if (a->out.failed ||
		    send(a->fd, a->out.chars, a->out.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)a->out.len)
			log_debug("control note=\"a client left before its answer\"");
		free_ask(a);
	}
}
