/* SPDX-License-Identifier: BSD-2-Clause */
/* Do answers from the kernel leave by the device?
 *
 * The checks of service addresses go over lo, where no driver and no XDP program is. What a client meets is seen only by what comes in at the
 * device, and a node's own packets to itself never do. So the neighbor is made to send it: an ICMP echo comes back from any router as it went.
 * Ours carry a question of DNS behind a secret (struct xdp_probe). The program takes the echo that comes back for a question, puts the cached
 * answer in its place and sends it out as another echo, or hands it to the worker of the queue, which does the same by its AF_XDP socket;
 * the neighbor sends that back, too, and it arrives here. So driver, program, lease, cache, generation, AF_XDP socket, worker and the way
 * out have all been used, over IPv4 and IPv6, whether or not a route is announced.
 *
 * A turn is three echoes: one that nobody turns round (the control), one for the cache, one for the worker. Without the control nothing is
 * known: the neighbor does not answer, or is gone. With the control and without one of the others what XDP sends is lost, or its AF_XDP
 * socket is dead. A wrong answer is as bad as none. The supervisor takes clients off the device then, which leaves them to the sockets: nothing is
 * withdrawn for it.
 *
 * The question is the SOA of a zone, the same one for a while, so that it is asked often enough to be in the cache; that it is not
 * there is no failure. One thread, the watch's loop. Pure parts: xdp/echo.h, health/. */
#include "watch/path.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "health/probe_dns.h"
#include "watch/watch.h"
#include "xdp/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	PATH_TURN_MS = 250,    /* routers limit what they answer themselves: 12 a second are few */
	PATH_TIMEOUT_MS = 500, /* the neighbor is on the link */
	PATH_LATE_MS = 150,    /* this process was kept from running: the turn does not count */
	PATH_FALL = 3, PATH_RISE = 2,
	PATH_ZONE_TURNS = 64,  /* until another zone is asked for */
	PATH_IN_MAX = 2048,
	PATH_READS = 16,       /* packets read at once: others ping, too */
};

enum part { PART_CONTROL, PART_CACHE, PART_WORKER, PARTS };

struct path {
	struct watch *watch;
	const struct role_path *way;
	const uint8_t *key;
	struct board_watch_path *shown;
	bool v6;
	uv_poll_t poll;
	uv_timer_t timer;
	uint64_t ticked_ns, asked_ns; /* 0: no turn is under way */
	uint16_t id, turn;
	/* what is asked */
	bool by_id, chosen;
	unsigned zone_turns;
	struct zones_cursor cursor;
	struct name apex;
	struct probe_question question;
	struct probe_soa before;
	/* what has come of it */
	bool came[PARTS];
	uint8_t state[PARTS]; /* enum xdp_probe_state */
	bool wrong;
	unsigned silent;      /* turns in a row without the control */
	struct health health;
	uint64_t since_ns;
	uint64_t from_cache, from_worker;
	char why[PROBE_WHY_MAX]; /* of the last failure */
};

struct paths {
	size_t count;
	struct path path[ROLE_PATHS_MAX];
};

/* ---- the question ---- */

static bool choose(struct path *p)
{
	struct watch *w = p->watch;
	struct store_snapshot s;
	enum zones_pick pick = ZONES_FOUND;
	uint32_t network;

	if (!w->store.reader || !w->network_count)
		return false;
	network = w->networks[0].config_index;
	store_pin(w->store.reader, &s);
	if (!p->chosen || p->zone_turns++ >= PATH_ZONE_TURNS || !zones_has(&s, network, p->apex.wire)) {
		pick = zones_next(&p->cursor, &s, network, &p->apex);
		p->zone_turns = 0;
		p->chosen = pick == ZONES_FOUND;
	}
	p->by_id = pick != ZONES_FOUND;
	if (!p->by_id)
		zones_soa(&s, p->apex.wire, &p->before);
	store_unpin(w->store.reader);
	return true;
}

static bool send_echo(struct path *p, enum part part, const uint8_t *message, size_t len)
{
	const struct xdp_echo e = {.id = p->id, .seq = (uint16_t)((unsigned)p->turn << 2 | part),
	                           .state = part == PART_CONTROL ? XDP_PROBE_CONTROL : XDP_PROBE_ASKED,
	                           .kind = part == PART_WORKER ? XDP_PROBE_OF_WORKER : XDP_PROBE_OF_CACHE, .message = message, .len = len};
	uint8_t out[XDP_ECHO_LEN];

	xdp_echo_build(&e, p->key, p->v6, out);
	return send(p->way->fd, out, sizeof(out), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(out);
}

static void begin_turn(struct path *p, uint64_t now_ns)
{
	uint8_t message[PROBE_QUERY_MAX];
	int len;

	if (!choose(p))
		return;
	if (p->by_id)
		probe_ask_id(&p->question, (uint16_t)random_u32());
	else
		probe_ask_soa(&p->question, p->apex.wire, (uint16_t)random_u32());
	len = probe_build(&p->question, message, sizeof(message));
	if (len < 0 || len > XDP_PROBE_ROOM)
		return;
	p->turn++;
	memset(p->came, 0, sizeof(p->came));
	p->wrong = false;
	for (enum part part = PART_CONTROL; part < PARTS; part++)
		if (!send_echo(p, part, message, (size_t)len))
			return; /* no memory, no route: says nothing about XDP */
	p->asked_ns = now_ns;
}

/* ---- the answer ---- */

static void judge(struct path *p, enum part part, const struct xdp_echo *e)
{
	struct watch *w = p->watch;
	struct probe_soa now = {.known = false};
	enum probe_verdict verdict;
	struct store_snapshot s;
	char why[PROBE_WHY_MAX] = "";

	if (p->by_id) {
		verdict = probe_judge_id(&p->question, w->node, e->message, e->len, why);
	} else {
		if (w->store.reader) {
			store_pin(w->store.reader, &s);
			zones_soa(&s, p->apex.wire, &now);
			store_unpin(w->store.reader);
		}
		verdict = probe_judge_soa(&p->question, &p->before, &now, e->message, e->len, why);
	}
	if (verdict == PROBE_PASS)
		return;
	p->wrong = true;
	snprintf(p->why, sizeof(p->why), "%s: %.90s", part == PART_CACHE ? "the kernel's answer" : "the answer by AF_XDP", why);
}

static void take_echo(struct path *p, const struct xdp_echo *e)
{
	enum part part = e->seq & 3;

	if (e->id != p->id || (uint16_t)(e->seq >> 2) != (p->turn & 0x3fff) || part >= PARTS || !p->asked_ns || p->came[part])
		return;
	p->came[part] = true;
	p->state[part] = e->state;
	if (e->state == XDP_PROBE_FROM_CACHE || e->state == XDP_PROBE_FROM_WORKER)
		judge(p, part, e);
	p->from_cache += e->state == XDP_PROBE_FROM_CACHE;
	p->from_worker += e->state == XDP_PROBE_FROM_WORKER;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct path *p = poll->data;
	uint8_t in[PATH_IN_MAX];

	(void)status;
	(void)events;
	for (int i = 0; i < PATH_READS; i++) {
		ssize_t n = recv(p->way->fd, in, sizeof(in), MSG_DONTWAIT);
		size_t header = p->v6 ? 0 : n > 0 ? (size_t)(in[0] & 15) * 4 : 0;
		struct xdp_echo e;

		if (n <= 0)
			return; /* also what ICMP said of one of ours, which the next read takes */
		if ((size_t)n > header && xdp_echo_read(in + header, (size_t)n - header, p->key, p->v6, &e) == 0)
			take_echo(p, &e);
	}
}

/* ---- what to think of it ---- */

static void publish(struct path *p, enum board_verdict verdict, const char *why)
{
	struct board_watch_path *b = p->shown;
	char neighbor[ADDR_TEXT_MAX];
	uint64_t now_ns = clock_ns();
	bool changed = b->verdict != (uint32_t)verdict || !p->since_ns;

	if (changed)
		p->since_ns = now_ns;
	addr_text(&p->way->neighbor, neighbor);
	board_write_begin(&b->seq);
	b->ifindex = p->way->ifindex;
	b->neighbor = p->way->neighbor;
	b->verdict = verdict;
	b->since_ns = p->since_ns;
	b->turned = p->health.passes;
	b->failed = p->health.failures;
	b->from_cache = p->from_cache;
	b->from_worker = p->from_worker;
	snprintf(b->device, sizeof(b->device), "%s", p->way->device);
	snprintf(b->why, sizeof(b->why), "by way of %s: %s", neighbor, why);
	board_write_end(&b->seq);
	if (changed)
		log_line(verdict == VERDICT_HARD ? LOG_WARN : LOG_NOTICE, "path device=%.15s neighbor=%s verdict=%s why=\"%s\"", p->way->device, neighbor,
		         board_verdict_text(verdict), why);
}

static void end_turn(struct path *p, uint64_t now_ns)
{
	static const struct health_rule rule = {.rise = PATH_RISE, .fall = PATH_FALL};
	bool lost = !p->came[PART_CACHE] || !p->came[PART_WORKER], passed = !lost && !p->wrong;

	p->asked_ns = 0;
	p->silent = p->came[PART_CONTROL] ? 0 : p->silent + 1;
	if (p->silent) {
		if (p->silent < PATH_FALL)
			return;
		health_init(&p->health, now_ns / 1000000);
		publish(p, VERDICT_UNKNOWN, "the neighbor answers no echoes");
		return;
	}
	if (!lost && p->state[PART_CACHE] == XDP_PROBE_ASKED) {
		health_init(&p->health, now_ns / 1000000);
		publish(p, VERDICT_UNKNOWN, "echoes come back as they went, the program does not take them");
		return;
	}
	if (lost)
		snprintf(p->why, sizeof(p->why), "echoes come back, but not %s",
		         !p->came[PART_CACHE] ? "when the program has sent them out again: what XDP sends is lost" : "when a worker's AF_XDP socket has had them");
	health_step(&p->health, &rule, passed, now_ns / 1000000);
	if (p->health.state == HEALTH_FAIL)
		publish(p, VERDICT_HARD, p->why);
	else if (p->health.state == HEALTH_PASS)
		publish(p, VERDICT_PASS, p->state[PART_CACHE] == XDP_PROBE_NO_LEASE ? "echoes are turned round, though no worker vouches for answers"
		                                                                    : "answers arrive");
	else
		publish(p, VERDICT_UNKNOWN, "not asked often enough yet");
}

static void on_turn(uv_timer_t *timer)
{
	struct path *p = timer->data;
	uint64_t now_ns = clock_ns(), since_ns = now_ns - p->ticked_ns;
	bool late = p->ticked_ns && since_ns > (PATH_TURN_MS + PATH_LATE_MS) * 1000000ULL;

	p->ticked_ns = now_ns;
	if (!p->watch->loaded)
		return;
	if (p->asked_ns && late)
		p->asked_ns = 0;
	if (p->asked_ns) {
		if ((!p->came[0] || !p->came[1] || !p->came[2]) && now_ns - p->asked_ns < PATH_TIMEOUT_MS * 1000000ULL)
			return;
		end_turn(p, now_ns);
	}
	begin_turn(p, now_ns);
}

void paths_replan(struct paths *p)
{
	for (size_t i = 0; p && i < p->count; i++) {
		p->path[i].chosen = false;
		p->path[i].cursor = (struct zones_cursor){0};
	}
}

int paths_start(struct watch *w, struct paths **out)
{
	const struct role_brief *b = &w->role->brief;
	struct paths *all;
	int err = 0;

	*out = NULL;
	if (!b->path_count)
		return 0;
	all = calloc(1, sizeof(*all));
	if (!all)
		return ERR_NO_MEMORY;
	for (; !err && all->count < MIN(b->path_count, (uint32_t)ROLE_PATHS_MAX); all->count++) {
		struct path *p = &all->path[all->count];

		p->watch = w;
		p->way = &b->paths[all->count];
		p->key = b->probe_key;
		p->shown = &w->board->watch.paths[all->count];
		p->v6 = p->way->neighbor.family == 6;
		p->id = (uint16_t)random_u32();
		health_init(&p->health, clock_ms());
		(void)uv_timer_init(&w->loop, &p->timer); /* cannot fail */
		p->timer.data = p->poll.data = p;
		err = uv_poll_init(&w->loop, &p->poll, p->way->fd);
		p->poll.data = p;
		if (!err)
			err = uv_poll_start(&p->poll, UV_READABLE, on_readable);
		if (!err)
			err = uv_timer_start(&p->timer, on_turn, (uint64_t)PATH_TURN_MS * all->count / ROLE_PATHS_MAX, PATH_TURN_MS);
	}
	*out = all; /* for as long as the process lives, also after an error, which ends it */
	return err;
}
