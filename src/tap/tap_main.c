/* SPDX-License-Identifier: BSD-2-Clause */
/* The tap process: what operators want to see of the traffic, without the workers' having to wait for it. It exists where `dnstap` or `query-log` is configured.
 *
 *	worker -> ring (dnstap/ring.h) -> encode -> collector (unix socket, TCP) or file
 *	worker -> ring of samples (sample/ring.h) -> lines -> file
 *
 * A process of its own and not a thread of admin's: it opens files and connects to strangers, which admin, who speaks to operators over the network, may not; when it dies, or stands
 * still before a broken disk, nothing but captures is missing; and it stands back behind workers (nice), so that a capture takes from the CPU what answering leaves.
 *
 * It looks at the rings every TURN_MS while there is little, and after each write while there is much. It takes out no more than the way out has room for: what a collector is too slow
 * for stays in the rings until they are full, and then workers drop and count. Nothing is taken while the collector is away.
 *
 * Loop: libuv, one thread; files are written by a thread of libuv's pool. Limits: an event is at most TAP_EVENT_MAX octets; EVENTS_TURN events are taken before the heart beats again.
 *
 * Not here: transfers, NOTIFY and signed questions, which workers hand over and never see the answer of; what is answered in the kernel (answer.xdp). */
#include "tap/tap_main.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "board/board.h"
#include "dnstap/encode.h"
#include "dnstap/frames.h"
#include "dnstap/ring.h"
#include "proc/role.h"
#include "sample/queries.h"
#include "tap/file_out.h"
#include "tap/stream_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

enum {
	TURN_MS = 20,
	SOON_MS = 1,
	EVENTS_TURN = 4096,
	FRAME_MAX = FRAMES_HEAD + DNSTAP_MAX,
	NICE = 10,
	TELL_MS = 5000,
	LOG_ROOM = 128 << 10, /* for QUERIES_PIECE lines; one has a name of at most 1,020 characters */
};

enum way { WAY_NONE, WAY_STREAM, WAY_FILE };

/* Who tells people that a way out is open or not. */
struct teller {
	uint64_t told_ms;
	unsigned kept_back;
};

struct tap {
	struct role *role;
	uv_loop_t loop;
	uv_timer_t turn;
	struct board_tap *board;
	struct teller tellers[2]; /* of dnstap, of the query log */
	bool has_rings;
	struct tap_rings rings;
	unsigned next_worker;
	enum way way;
	struct stream_out stream;
	struct file_out file, log;
	bool logs, log_json, queries, responses, draining;
	struct sample_rings *samples; /* NULL: none */
	struct queries_stream samples_at;
	struct text lines;
	struct dnstap_origin origin;
	uint8_t messages[TAP_EVENT_MAX];
	uint8_t frame[FRAME_MAX];
};

/* ---- what is shown ---- */

/* Of a collector that comes and goes not every turn is told. */
static void tell(struct teller *t, const char *what, enum board_tap_state state, const char *to, const char *why)
{
	uint64_t now = clock_ms();
	char kept[48] = "";

	if (t->told_ms && now - t->told_ms < TELL_MS) {
		t->kept_back++;
		return;
	}
	if (t->kept_back)
		snprintf(kept, sizeof(kept), " not_told=%u", t->kept_back);
	log_line(state == TAP_OPEN ? LOG_NOTICE : LOG_WARN, "%s to=%s state=%s%s%s%s%s", what, to,
	         board_tap_text(state), *why ? " why=\"" : "", why, *why ? "\"" : "", kept);
	*t = (struct teller){.told_ms = now};
}

static void show(struct board_tap_out *out, struct teller *teller, enum board_tap_state state, const char *to,
                 const char *why, const char *what)
{
	bool other = out->state != state;

	if (!other && strcmp(out->to, to) == 0 && strncmp(out->why, why, sizeof(out->why) - 1) == 0)
		return;
	if (state == TAP_OPEN ? other : state == TAP_APART && *why)
		tell(teller, what, state, to, why);
	board_write_begin(&out->seq);
	if (other)
		out->since_ns = clock_ns();
	out->state = state;
	snprintf(out->to, sizeof(out->to), "%s", to);
	snprintf(out->why, sizeof(out->why), "%s", why);
	board_write_end(&out->seq);
}

static void show_file(struct board_tap_out *out, struct teller *teller, const struct file_out *f, const char *what)
{
	char why[BOARD_WHY_MAX] = "";

	if (f->error)
		snprintf(why, sizeof(why), "cannot write: %s", err_text(f->error));
	show(out, teller, f->error || f->fd < 0 ? TAP_APART : TAP_OPEN, f->path, why, what);
	atomic_store_explicit(&out->aside, f->rotations, memory_order_relaxed);
}

static void to_text(const struct config_dnstap *d, char *buf, size_t cap)
{
	char text[ENDPOINT_TEXT_MAX];

	if (d->tcp.family)
		snprintf(buf, cap, "%s", endpoint_text(&(struct endpoint){.addr = d->tcp, .port = d->port}, text));
	else
		snprintf(buf, cap, "%s", d->socket ? d->socket : d->file ? d->file : "");
}

static void show_all(struct tap *t)
{
	struct board_tap *b = t->board;
	char to[BOARD_WHY_MAX];
	uint64_t waiting = 0;

	for (unsigned i = 0; t->has_rings && i < t->rings.workers; i++)
		waiting += tap_waiting(&t->rings, i);
	atomic_store_explicit(&b->waiting, waiting, memory_order_relaxed);
	if (t->way == WAY_FILE) {
		show_file(&b->dnstap, &t->tellers[0], &t->file, "dnstap");
	} else if (t->way == WAY_STREAM) {
		to_text(&t->role->config->dnstap, to, sizeof(to));
		show(&b->dnstap, &t->tellers[0], t->stream.state == STREAM_OUT_OPEN ? TAP_OPEN : TAP_APART, to,
		     t->stream.why, "dnstap");
	} else {
		show(&b->dnstap, &t->tellers[0], TAP_OFF, "", "", "dnstap");
	}
	if (t->logs)
		show_file(&b->log, &t->tellers[1], &t->log, "query-log");
	else
		show(&b->log, &t->tellers[1], TAP_OFF, "", "", "query-log");
}

/* Counters of one life of a way out, into those of the board, which outlive it. */
static void count(struct tap *t)
{
	struct board_tap *b = t->board;

	if (t->way == WAY_STREAM) {
		board_add(&b->dnstap.octets, t->stream.total);
		board_add(&b->dnstap.opened, t->stream.connects);
		board_add(&b->dnstap.lost, t->stream.lost);
		t->stream.total = t->stream.connects = t->stream.lost = 0;
	} else if (t->way == WAY_FILE) {
		board_add(&b->dnstap.octets, t->file.total);
		t->file.total = 0;
	}
	board_add(&b->log.octets, t->log.total);
	t->log.total = 0;
}

/* ---- dnstap ---- */

static size_t room(const struct tap *t)
{
	return t->way == WAY_STREAM ? stream_out_room(&t->stream) : t->way == WAY_FILE ? file_out_room(&t->file) : 0;
}

static void put(struct tap *t, enum dnstap_kind kind, const struct tap_event *e)
{
	size_t len = dnstap_encode(&t->origin, kind, e, t->frame + FRAMES_HEAD);

	frames_data(len, t->frame);
	if (t->way == WAY_STREAM)
		stream_out_put(&t->stream, t->frame, FRAMES_HEAD + len);
	else
		file_out_put(&t->file, t->frame, FRAMES_HEAD + len);
	board_add(&t->board->dnstap.units, 1);
}

/* One event of the workers, which take turns. False: there is none. */
static bool take_one(struct tap *t)
{
	for (unsigned i = 0; i < t->rings.workers; i++) {
		unsigned worker = t->next_worker++ % t->rings.workers;
		struct tap_event e;
		uint64_t broken = 0;
		bool got = tap_peek(&t->rings, worker, t->messages, &e, &broken);

		if (broken)
			board_add(&t->board->broken, broken);
		if (!got)
			continue;
		if (t->queries)
			put(t, DNSTAP_AUTH_QUERY, &e);
		if (t->responses && e.response_len)
			put(t, DNSTAP_AUTH_RESPONSE, &e);
		tap_next(&t->rings, worker, &e);
		return true;
	}
	return false;
}

/* True: there may be more, and room for it. */
static bool drain(struct tap *t)
{
	bool more = true;

	if (!t->has_rings || t->way == WAY_NONE || t->draining)
		return false;
	t->draining = true;
	for (int n = 0; more && n < EVENTS_TURN && room(t) >= 2 * FRAME_MAX; n++)
		more = take_one(t);
	t->draining = false;
	if (t->way == WAY_FILE)
		file_out_tick(&t->file, uv_now(&t->loop));
	else
		stream_out_tick(&t->stream, uv_now(&t->loop));
	return more && room(t) >= 2 * FRAME_MAX;
}

static void on_turn(uv_timer_t *timer);

static void on_room(void *ctx)
{
	struct tap *t = ctx;

	/* Not from within the way out's own calls. */
	if (!uv_is_closing((uv_handle_t *)&t->turn))
		uv_timer_start(&t->turn, on_turn, 0, 0);
}

/* ---- the query log ---- */

/* True: there is more. */
static bool log_queries(struct tap *t)
{
	uint64_t lines = 0, lost = 0;
	bool more = false;

	if (!t->logs || !t->samples)
		return false;
	if (file_out_room(&t->log) >= LOG_ROOM) {
		more = queries_stream_lines(&t->samples_at, t->samples, t->log_json, &t->lines, &lines, &lost);
		if (t->lines.len <= file_out_room(&t->log) && !t->lines.failed)
			file_out_put(&t->log, t->lines.chars, t->lines.len);
		else
			lost += lines;
		text_clear(&t->lines);
		board_add(&t->board->log.units, lines);
		board_add(&t->board->log.lost, lost);
	}
	file_out_tick(&t->log, uv_now(&t->loop));
	return more;
}

static void on_turn(uv_timer_t *timer)
{
	struct tap *t = timer->data;
	bool more;

	if (t->way == WAY_STREAM)
		stream_out_tick(&t->stream, uv_now(&t->loop));
	more = drain(t);
	more = log_queries(t) || more;
	count(t);
	show_all(t);
	uv_timer_start(&t->turn, on_turn, more ? SOON_MS : TURN_MS, 0);
}

/* ---- ways out ---- */

static int open_stream(struct tap *t, const struct config_dnstap *d)
{
	struct sockaddr_storage to;
	socklen_t len;
	int err;

	memset(&to, 0, sizeof(to));
	if (d->tcp.family) {
		len = endpoint_to_sockaddr(&(struct endpoint){.addr = d->tcp, .port = d->port}, &to);
	} else {
		struct sockaddr_un *un = (struct sockaddr_un *)(void *)&to;

		if (strlen(d->socket) >= sizeof(un->sun_path))
			return -ENAMETOOLONG;
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, d->socket, strlen(d->socket) + 1);
		len = sizeof(*un);
	}
	memset(&t->stream, 0, sizeof(t->stream));
	t->stream.on_change = on_room;
	t->stream.ctx = t;
	err = stream_out_open(&t->stream, &t->loop, &to, len);
	if (!err)
		t->way = WAY_STREAM;
	return err;
}

static int open_file(struct tap *t, struct file_out *f, const char *path, uint64_t size, unsigned keep)
{
	memset(f, 0, sizeof(*f));
	f->on_room = on_room;
	f->ctx = t;
	return file_out_open(f, &t->loop, path, size, keep);
}

static int open_dnstap(struct tap *t, const struct config_dnstap *d)
{
	int err;

	t->queries = d->queries;
	t->responses = d->responses;
	t->origin = (struct dnstap_origin){.identity = t->role->brief.node, .version = "zonecast " ZONECAST_VERSION};
	if (!d->enabled || !t->has_rings)
		return 0;
	if (!d->file)
		return open_stream(t, d);
	err = open_file(t, &t->file, d->file, d->file_size, d->files);
	if (err < 0)
		return err;
	t->file.begin_len = frames_control(FRAMES_START, t->file.begin);
	t->file.end_len = frames_control(FRAMES_STOP, t->file.end);
	t->way = WAY_FILE;
	return 0;
}

static int open_log(struct tap *t, const struct config_query_log *q)
{
	int err;

	if (!q->enabled || !t->samples)
		return 0;
	t->log_json = q->format == CONFIG_LOG_JSON;
	err = open_file(t, &t->log, q->file, q->file_size, q->files);
	if (err < 0)
		return err;
	queries_stream_start(&t->samples_at, t->samples, true);
	t->logs = true;
	return 0;
}

static void close_dnstap(struct tap *t)
{
	if (t->way == WAY_STREAM)
		stream_out_close(&t->stream);
	else if (t->way == WAY_FILE)
		file_out_close(&t->file);
	count(t);
	t->way = WAY_NONE;
}

static void close_log(struct tap *t)
{
	if (t->logs)
		file_out_close(&t->log);
	count(t);
	t->logs = false;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_dnstap(const struct config_dnstap *a, const struct config_dnstap *b)
{
	return a->enabled == b->enabled && same_text(a->socket, b->socket) && same_text(a->file, b->file) &&
	       addr_equal(&a->tcp, &b->tcp) && a->port == b->port && a->file_size == b->file_size &&
	       a->files == b->files;
}

static bool same_log(const struct config_query_log *a, const struct config_query_log *b)
{
	return a->enabled == b->enabled && same_text(a->file, b->file) && a->format == b->format &&
	       a->file_size == b->file_size && a->files == b->files;
}

static int on_reload(struct role *role, struct config *old)
{
	struct tap *t = role->state;
	const struct config *c = role->config;
	int err = 0;

	t->queries = c->dnstap.queries;
	t->responses = c->dnstap.responses;
	if (!same_dnstap(&old->dnstap, &c->dnstap)) {
		close_dnstap(t);
		err = open_dnstap(t, &c->dnstap);
	} else if (t->way == WAY_FILE) {
		file_out_look(&t->file);
	}
	if (!err && !same_log(&old->query_log, &c->query_log)) {
		close_log(t);
		err = open_log(t, &c->query_log);
	} else if (t->logs) {
		file_out_look(&t->log);
	}
	return err;
}

static void on_stop(struct role *role)
{
	struct tap *t = role->state;

	while (drain(t))
		;
	close_dnstap(t);
	close_log(t);
	show_all(t);
	uv_stop(&t->loop);
}

static void map_shared(struct tap *t)
{
	void *memory;
	size_t len;
	int err = role_map(t->role->brief.tap_fd, true, &memory, &len);

	if (!err)
		err = tap_rings_open(memory, len, &t->rings);
	t->has_rings = !err;
	if (err < 0)
		log_err("tap what=dnstap error=\"%s\"", err_text(err));
	err = role_map(t->role->brief.sample_fd, false, &memory, &len);
	if (!err)
		err = sample_rings_open(memory, len, &t->samples);
	if (err < 0)
		log_err("tap what=query-log error=\"%s\"", err_text(err));
}

int tap_main(struct role *role)
{
	struct tap *t = calloc(1, sizeof(*t));
	int err;

	if (!t || !role->config)
		return 1;
	t->role = role;
	t->board = &role->board->tap;
	role->state = t;
	role->on_reload = on_reload;
	role->on_stop = on_stop;
	text_init(&t->lines);
	(void)setpriority(PRIO_PROCESS, 0, NICE); /* refused, it competes with workers on equal terms */
	uv_loop_init(&t->loop);
	map_shared(t);
	err = role_loop_start(role, &t->loop);
	if (!err)
		err = uv_timer_init(&t->loop, &t->turn);
	t->turn.data = t;
	if (!err)
		err = open_dnstap(t, &role->config->dnstap);
	if (!err)
		err = open_log(t, &role->config->query_log);
	if (err < 0) {
		log_err("tap error=\"%s\"", err_text(err));
		return 1;
	}
	if (role_sandbox(role) < 0)
		return 1;
	uv_timer_start(&t->turn, on_turn, 0, 0);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	return 0;
}
