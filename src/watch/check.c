/* SPDX-License-Identifier: BSD-2-Clause */
/* A turn of a check: choose the question, note what the store says of it, send, and when the answer has been judged step the rise and
 * fall and publish.
 *
 * A question that failed is asked again until it passes: with the zones asked in turn, one broken zone among many would be met
 * twice in a row only by luck, and each good answer between would hide it. A zone that has left the network is not asked again. */
#include "watch/check.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "watch/probe.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One question under way. */
struct ask {
	struct list link; /* in check->asks */
	struct check *check;
	struct probe *probe;
	bool by_id; /* the node's name is asked for: no zones */
	struct name apex;
	struct probe_soa before;
	struct probe_question question;
};

static void ask_free(struct ask *a)
{
	list_remove(&a->link);
	a->check->ask_count--;
	free(a);
}

static enum probe_verdict on_judge(void *ctx, const uint8_t *msg, size_t len, char *why)
{
	struct ask *a = ctx;
	struct watch *w = a->check->watch;
	struct probe_soa now = {.known = false};
	struct store_snapshot s;

	if (a->by_id)
		return probe_judge_id(&a->question, w->node, msg, len, why);
	if (w->store.reader) {
		store_pin(w->store.reader, &s);
		zones_soa(&s, a->apex.wire, &now);
		store_unpin(w->store.reader);
	}
	return probe_judge_soa(&a->question, &a->before, &now, msg, len, why);
}

/* The reason with the zone, which may have a very long name. */
static void note_failure(struct check *c, const struct ask *a, const char *why)
{
	char zone[NAME_TEXT_MAX];

	if (a->by_id) {
		snprintf(c->why, sizeof(c->why), "%s for its own name", why);
		return;
	}
	name_to_text(a->apex.wire, zone);
	if (strlen(zone) > 1)
		zone[strlen(zone) - 1] = '\0';
	snprintf(c->why, sizeof(c->why), "%s for %.80s%s", why, zone, strlen(zone) > 80 ? "..." : "");
}

/* Has the zone left the network since it was asked for? Then a failure says nothing. */
static bool zone_left(struct check *c, const struct ask *a)
{
	struct store_follow *f = &c->watch->store;
	struct store_snapshot s;
	bool left;

	if (a->by_id || !f->reader)
		return false;
	store_pin(f->reader, &s);
	left = !zones_has(&s, c->network->config_index, a->apex.wire);
	store_unpin(f->reader);
	return left;
}

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
		if (c->again && !a->by_id && name_equal(c->again_apex.wire, a->apex.wire))
			c->again = false;
	} else {
		c->fails++;
		note_failure(c, a, why);
		if (!a->by_id && !c->again) {
			c->again = true;
			c->again_apex = a->apex;
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

	if (outcome == PROBE_OUTCOME_NONE) {
		if (log_limit_pass(&limit, 1))
			log_warn("watch error=\"%s\" action=\"this check did not count\"", why);
	} else if (outcome == PROBE_OUTCOME_PASS || !zone_left(c, a)) {
		take_result(c, a, outcome == PROBE_OUTCOME_PASS, why, latency_us);
	}
	ask_free(a);
}

/* What to ask: a->apex and what the store holds of it, or a->by_id. False: nothing can be asked now. */
static bool choose(struct check *c, struct ask *a)
{
	struct store_follow *f = &c->watch->store;
	uint32_t network = c->network->config_index;
	enum zones_pick pick = ZONES_FOUND;
	struct store_snapshot s;

	if (!f->reader)
		return false;
	store_pin(f->reader, &s);
	if (c->again && !zones_has(&s, network, c->again_apex.wire))
		c->again = false;
	if (c->again)
		a->apex = c->again_apex;
	else
		pick = zones_next(&c->cursor, &s, network, &a->apex);
	if (pick == ZONES_FOUND)
		zones_soa(&s, a->apex.wire, &a->before);
	store_unpin(f->reader);
	a->by_id = pick != ZONES_FOUND;
	if (pick != ZONES_SEARCHING)
		c->no_zones = pick == ZONES_NONE;
	return true;
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
	if (!choose(c, a)) {
		free(a);
		return;
	}
	list_add_tail(&c->asks, &a->link);
	c->ask_count++;
	if (a->by_id)
		probe_ask_id(&a->question, (uint16_t)random_u32());
	else
		probe_ask_soa(&a->question, a->apex.wire, (uint16_t)random_u32());
	job.question = a->question;
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
