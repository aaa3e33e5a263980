/* SPDX-License-Identifier: BSD-2-Clause */
/* A turn of a check: choose the question, note what the store says of it, send, and when the answer has been judged step the rise and
 * fall and publish.
 *
 * A question that failed is asked again until it passes, from the same port: with zones and workers asked in turn, one broken zone among many, or one worker, would be met
 * twice in a row only by luck, and each good answer between would hide it. A zone that has left the network is not asked again.
 *
 * The kernel spreads clients over the sockets of the workers (SO_REUSEPORT) by addresses and ports. Where there are several workers a check finds out by asking which port of its own
 * leads to which worker, and then asks each in turn, so that a broken one is met in each round and can be named. Which worker a port leads to stays the same as long
 * as the sockets do; now and then it is asked for again. */
#include "watch/check.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "watch/probe.h"
#include "watch/steered.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	WORKER_VERIFY = 32, /* rounds through the workers until each is asked for its number again */
};

/* One question under way. */
struct ask {
	struct list link; /* in check->asks */
	struct check *check;
	struct probe *probe;
	struct question question;
	uint16_t from, used; /* port that was wanted, 0: any; and that it got */
	uint32_t worker;     /* that the port leads to; UINT32_MAX: not known */
	unsigned told;       /* number that a worker told */
};

static void ask_free(struct ask *a)
{
	list_remove(&a->link);
	a->check->ask_count--;
	free(a);
}

static uint32_t worker_count(const struct watch *w)
{
	uint32_t n = atomic_load(&w->board->supervisor.workers);

	return n < 1 ? 1 : MIN(n, (uint32_t)BOARD_WORKERS_MAX);
}

static enum probe_verdict on_judge(void *ctx, const uint8_t *msg, size_t len, char *why)
{
	struct ask *a = ctx;
	struct watch *w = a->check->watch;
	struct store_snapshot s;
	enum probe_verdict v;

	if (!w->store.reader)
		return question_judge(&a->question, NULL, w->node, worker_count(w), msg, len, why, &a->told);
	store_pin(w->store.reader, &s);
	v = question_judge(&a->question, &s, w->node, worker_count(w), msg, len, why, &a->told);
	/* It may have become one since it was asked. */
	if (v == PROBE_FAIL && steered_question(w->steered, &s, &a->question))
		v = PROBE_PASS;
	store_unpin(w->store.reader);
	return v;
}

static void note_failure(struct check *c, const struct ask *a, const char *why)
{
	char subject[QUESTION_SUBJECT_MAX], worker[32] = "";

	if (a->worker != UINT32_MAX && worker_count(c->watch) > 1)
		snprintf(worker, sizeof(worker), " by worker %u", a->worker);
	snprintf(c->why, sizeof(c->why), "%s for %s%s", why, question_subject(&a->question, subject), worker);
}

/* Has the zone left the network since it was asked for, or the set the zone? Then a failure says nothing. */
static bool has_left(const struct check *c, const struct ask *a)
{
	struct store_follow *f = &c->watch->store;
	struct question q = a->question;
	struct store_snapshot s;
	bool left;

	if (!f->reader)
		return false;
	store_pin(f->reader, &s);
	left = !question_renew(&q, &s, c->network->config_index, 0);
	store_unpin(f->reader);
	return left;
}

/* ---- workers ---- */

static void forget_port(struct check *c, uint16_t port)
{
	for (uint32_t i = 0; i < BOARD_WORKERS_MAX; i++)
		if (port && c->ports[i] == port)
			c->ports[i] = 0;
	if (c->again_port == port) {
		c->again_port = 0;
		c->again_worker = UINT32_MAX; /* any may be met now */
	}
}

/* A worker told its number to who asked from this port. */
static void learn_port(struct check *c, const struct ask *a)
{
	if (!a->used || a->told >= BOARD_WORKERS_MAX || c->ports[a->told] == a->used)
		return;
	if (!c->ports[a->told] || a->worker != a->told) {
		forget_port(c, a->used);
		c->ports[a->told] = a->used;
	}
}

/* ---- results ---- */

static void take_result(struct check *c, const struct ask *a, bool passed, const char *why, uint32_t latency_us)
{
	const struct health_rule rule = {c->network->rule.rise, c->network->rule.fall};
	uint64_t now_ns = clock_ns();

	c->latest_ns = c->idle_from_ns = now_ns;
	c->idle = false;
	c->passing = passed;
	if (passed) {
		c->latency_us = latency_us;
		c->fails = 0;
		if (c->again && question_is_same(&c->again_question, &a->question) && (!c->again_port || c->again_port == a->used))
			c->again = false;
	} else {
		c->fails++;
		note_failure(c, a, why);
		if (!c->again) {
			c->again = true;
			c->again_question = a->question;
			c->again_port = worker_count(c->watch) > 1 ? a->used : 0; /* a fresh one need not wait for the one before */
			c->again_worker = a->worker;
		}
	}
	health_step(&c->health, &rule, passed, now_ns / 1000000);
	watch_publish(c->watch, c->network, now_ns);
}

static void on_done(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us)
{
	static struct log_limit limit;
	struct ask *a = ctx;
	struct check *c = a->check;

	if (outcome == PROBE_OUTCOME_NONE && a->from) {
		forget_port(c, a->from); /* somebody else has it by now */
	} else if (outcome == PROBE_OUTCOME_NONE) {
		if (log_limit_pass(&limit, 1))
			log_warn("watch error=\"%s\" action=\"this check did not count\"", why);
	} else if (outcome == PROBE_OUTCOME_PASS || !has_left(c, a)) {
		if (outcome == PROBE_OUTCOME_PASS && a->question.kind == QUESTION_WORKER)
			learn_port(c, a);
		take_result(c, a, outcome == PROBE_OUTCOME_PASS, why, latency_us);
	}
	ask_free(a);
}

/* ---- turns ---- */

/* The worker whose turn it is, and the port that leads to it. True: it is to be asked for its number. */
static bool choose_worker(struct check *c, struct ask *a)
{
	uint32_t workers = worker_count(c->watch), turn;

	if (workers == 1)
		return false;
	/* The checks of a network begin with different ones: together they meet each sooner. */
	turn = c->turn++ + 2 * c->index + c->tcp;
	a->worker = turn % workers;
	a->from = c->ports[a->worker];
	if (!a->from)
		a->worker = UINT32_MAX;
	return !a->from || turn / workers % WORKER_VERIFY == WORKER_VERIFY - 1;
}

static void choose_zone(struct check *c, const struct store_snapshot *s, struct ask *a)
{
	uint16_t id = (uint16_t)random_u32();
	struct name apex;
	enum zones_pick pick = zones_next(&c->cursor, s, c->network->config_index, &apex);

	if (pick != ZONES_SEARCHING)
		c->no_zones = pick == ZONES_NONE;
	if (pick != ZONES_FOUND) {
		question_ask_id(&a->question, id);
		return;
	}
	/* The content of a zone every second time it is met; with an even number of zones, too. */
	c->content = c->cursor.found == 1 ? !c->content_round : !c->content;
	if (c->cursor.found == 1)
		c->content_round = c->content;
	question_ask_zone(&a->question, s, apex.wire, c->content, (uint64_t)random_u32() << 32 | random_u32(), id);
	if (steered_question(c->watch->steered, s, &a->question))
		question_ask_zone(&a->question, s, apex.wire, false, 0, id);
}

/* What to ask, and whom. False: nothing can be asked now. */
static bool choose(struct check *c, struct ask *a)
{
	struct store_follow *f = &c->watch->store;
	struct store_snapshot s;

	if (!f->reader)
		return false;
	store_pin(f->reader, &s);
	if (c->again && question_renew(&c->again_question, &s, c->network->config_index, (uint16_t)random_u32())) {
		a->question = c->again_question;
		a->from = c->again_port;
		a->worker = c->again_worker;
	} else {
		c->again = false;
		if (choose_worker(c, a))
			question_ask_worker(&a->question, (uint16_t)random_u32());
		else
			choose_zone(c, &s, a);
	}
	store_unpin(f->reader);
	return true;
}

static bool is_in_use(const struct check *c, uint16_t port)
{
	LIST_FOREACH(it, &c->asks)
		if (port && LIST_ENTRY(it, struct ask, link)->used == port)
			return true;
	return false;
}

static void on_turn(uv_timer_t *timer)
{
	struct check *c = timer->data;
	struct watch *w = c->watch;
	struct probe_job job = {.loop = &w->loop, .address = c->address, .port = w->port, .tcp = c->tcp,
	                        .timeout_ms = c->network->rule.timeout_ms, .judge = on_judge, .done = on_done};
	struct ask *a;

	if (c->gone || !w->loaded || c->ask_count >= CHECK_PROBES_MAX)
		return;
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->check = c;
	a->worker = UINT32_MAX;
	/* One from a port that still waits is left out. */
	if (!choose(c, a) || is_in_use(c, a->from)) {
		free(a);
		return;
	}
	list_add_tail(&c->asks, &a->link);
	c->ask_count++;
	job.question = a->question.wire;
	job.from_port = a->from;
	job.used = &a->used;
	job.ctx = a;
	probe_start(&job, &a->probe);
}

bool check_look(struct check *c, uint64_t now_ns)
{
	const struct config_check *rule = &c->network->rule;
	uint64_t limit_ms = CHECK_IDLE_MS + 2ULL * (rule->interval_ms + rule->timeout_ms);

	if (c->health.state == HEALTH_UNKNOWN || now_ns < c->idle_from_ns ||
	    now_ns - c->idle_from_ns <= limit_ms * 1000000U)
		return false;
	c->health.state = HEALTH_UNKNOWN;
	c->health.run = 0;
	c->idle = true;
	c->passing = false;
	return true;
}

struct check *check_new(struct watch *w, const struct ip_addr *address, bool tcp)
{
	struct check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->watch = w;
	c->address = *address;
	c->tcp = tcp;
	list_init(&c->link);
	list_init(&c->asks);
	health_init(&c->health, clock_ms());
	(void)uv_timer_init(&w->loop, &c->timer); /* cannot fail */
	c->timer.data = c;
	return c;
}

void check_start(struct check *c, uint32_t first_ms)
{
	uv_update_time(&c->watch->loop);
	uv_timer_start(&c->timer, on_turn, first_ms, c->network->rule.interval_ms);
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void check_free(struct check *c)
{
	c->gone = true;
	LIST_FOREACH_SAFE(it, next, &c->asks) {
		struct ask *a = LIST_ENTRY(it, struct ask, link);

		probe_cancel(a->probe);
		ask_free(a);
	}
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

void check_mark(const struct check *c, uint8_t mark[3])
{
	uint8_t bytes[18] = {c->address.family, c->tcp};
	uint64_t sum;

	memcpy(bytes + 2, c->address.bytes, c->address.family == 6 ? 16 : 4);
	sum = hash_checksum(bytes, sizeof(bytes), 1) | 1U; /* never the mark of an empty slot */
	for (int i = 0; i < 3; i++)
		mark[i] = (uint8_t)(sum >> (8 * i));
}
