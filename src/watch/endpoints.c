/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints that names are steered to (`pools` of the fleet file): are they up?
 *
 * What is checked. Each endpoint of a pool with a check, by the nodes that `checked-from` names, or where it names none by every pop: over TCP, HTTP or HTTPS (endpoint_check.c), by a question
 * over DNS (probe.c, health/probe_contains.c), or by a program that the supervisor runs on our behalf, since this process may not start any (super/probes.c). Addresses of both
 * families alike. A target (a name) has no address that we could know without asking resolvers, which would make them part of its health: pools of targets are checked by a program or not at all.
 *
 * When. Each endpoint has its own turn, spread at random over the interval, since so many nodes and pools would otherwise ask in step. A failure that speaks against what is known is
 * looked into after a quarter of the interval (health/state.c), so that `fall` 2 is seen within less than two intervals. At most ENDPOINTS_UNDER_WAY checks are under way at a
 * time; when these all hang, others wait for their turn, and their verdicts stay as they are. With thousands of endpoints that are down, mind timeout / interval.
 *
 * What counts (health/state.c): this node's own view, as long as it is fresh; without one what most of the nodes say that check it (endpoints_share.c; as many of both: up); nobody says
 * anything: up. So nobody is refused because a node has just begun, and a node that is cut off from the others goes on with what it sees. An endpoint that is `disabled` is never up, nor
 * checked.
 *
 * What comes of it is a word on the board for each pool, which workers read with every choice they make (steer/steer.h), rows for people, events and hooks. A watch that is restarted takes its
 * predecessor's states over from the board; one that reloads keeps those of endpoints that stay (same pool, name and address). A pool that goes, goes with all its checks.
 *
 * Limits: BOARD_POOLS_MAX pools, BOARD_ENDPOINTS_MAX rows that are shown (words have all). Nothing here changes routes: an endpoint is not this node's health. */
#include "watch/endpoints_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/rr.h"
#include "proc/bundle.h"
#include "tls/client.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 20,
	FIRST_MS = 1000,        /* first checks are spread over so much, or the interval */
	AGAIN_MS = 200,         /* what could not be done for want of something of ours */
	LATE_MS = 5000,         /* a program of which nothing is heard so long after its timeout is forgotten */
	LATENCY_WEIGHT = 8,
	DNS_PORT = 53,
	LOGS_PER_SECOND = 16,
	MS = 1000000,
};

/* ---- one result ---- */

static void take(struct endpoint_state *s, enum probe_outcome outcome, const char *why, uint32_t latency_us)
{
	const struct config_pool_check *rule = &s->pool->conf->check;
	const struct health_rule steps = {MAX(rule->rise, (uint16_t)1), MAX(rule->fall, (uint16_t)1)};
	struct endpoints *e = s->pool->owner;
	struct board_watch_endpoints *b = &e->watch->board->watch.endpoints;
	uint64_t now_ns = clock_ns(), pause_ms;

	e->under_way--;
	board_add(outcome == PROBE_OUTCOME_NONE ? &b->not_made : outcome == PROBE_OUTCOME_PASS ? &b->passed : &b->failed, 1);
	if (outcome == PROBE_OUTCOME_NONE) {
		s->due_ns = now_ns + AGAIN_MS * (uint64_t)MS;
		s->pool->next_ns = MIN(s->pool->next_ns, s->due_ns);
		return;
	}
	(void)health_step(&s->health, &steps, outcome == PROBE_OUTCOME_PASS, now_ns / MS);
	s->checked_ns = now_ns;
	snprintf(s->why, sizeof(s->why), "%s", why);
	for (char *c = s->why; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	if (outcome == PROBE_OUTCOME_PASS)
		s->latency_us = s->latency_us ? s->latency_us - s->latency_us / LATENCY_WEIGHT + latency_us / LATENCY_WEIGHT : latency_us;
	pause_ms = health_pause_ms(&s->health, rule->interval_ms);
	pause_ms -= pause_ms >= 8 ? random_u32() % (pause_ms / 8) : 0;
	s->due_ns = MAX(s->begun_ns + pause_ms * MS, now_ns);
	s->pool->next_ns = MIN(s->pool->next_ns, s->due_ns);
	endpoints_show(s, now_ns);
}

static void on_done(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us)
{
	take(ctx, outcome, why, latency_us);
}

static enum probe_verdict judge_dns(void *ctx, const uint8_t *msg, size_t len, char *why)
{
	const struct endpoint_state *s = ctx;

	return probe_judge_contains(&s->question, s->pool->conf->check.contains, msg, len, why);
}

/* ---- one check ---- */

static void begin_dns(struct endpoint_state *s)
{
	static const uint8_t root[1] = {0};
	const struct config_pool_check *rule = &s->pool->conf->check;
	struct probe_job job = {.loop = &s->pool->owner->watch->loop,
	                        .address = s->pool->conf->endpoints[s->place].address,
	                        .port = rule->port ? rule->port : DNS_PORT,
	                        .remote = true,
	                        .timeout_ms = rule->timeout_ms,
	                        .judge = judge_dns,
	                        .done = on_done,
	                        .ctx = s};

	probe_ask_set(&s->question, rule->name ? rule->name : root, rule->rrtype ? rule->rrtype : RR_A, (uint16_t)random_u32());
	job.question = s->question;
	probe_start(&job, &s->probe);
}

/* The supervisor takes the words from its own configuration: we only say which. */
static void begin_exec(struct endpoint_state *s)
{
	struct endpoints *e = s->pool->owner;
	struct role_message m = {.kind = ROLE_CHECK};

	s->exec = ++e->next_exec ? e->next_exec : ++e->next_exec;
	m.id = s->exec;
	m.text_len = (uint32_t)snprintf(m.text, sizeof(m.text), "%s%c%s", s->pool->conf->name, '\n', s->pool->conf->endpoints[s->place].name);
	if (role_send(e->watch->role->brief.supervisor_fd, &m, -1) < 0) {
		s->exec = 0;
		take(s, PROBE_OUTCOME_NONE, "", 0);
	}
}

static void begin(struct endpoint_state *s, uint64_t now_ns)
{
	const struct config_pool_check *rule = &s->pool->conf->check;
	struct endpoint_check_job job = {.loop = &s->pool->owner->watch->loop,
	                                 .rule = rule,
	                                 .address = s->pool->conf->endpoints[s->place].address,
	                                 .tls = s->pool->tls,
	                                 .done = on_done,
	                                 .ctx = s};

	s->begun_ns = now_ns;
	s->due_ns = UINT64_MAX; /* until it is over */
	s->pool->owner->under_way++;
	switch ((enum config_check_type)rule->type) {
	case CONFIG_CHECK_TCP:
	case CONFIG_CHECK_HTTP:
		endpoint_check_start(&job, &s->check);
		return;
	case CONFIG_CHECK_HTTPS:
		if (s->pool->tls)
			endpoint_check_start(&job, &s->check);
		else
			take(s, PROBE_OUTCOME_FAIL, "the certificates of authorities that it is to be known by cannot be read", 0);
		return;
	case CONFIG_CHECK_DNS:
		begin_dns(s);
		return;
	case CONFIG_CHECK_EXEC:
		begin_exec(s);
		return;
	case CONFIG_CHECK_NONE:
		break;
	}
	s->pool->owner->under_way--;
}

static bool is_checked(const struct endpoint_pool *p, uint32_t place)
{
	const struct config_pool_endpoint *conf = &p->conf->endpoints[place];

	return p->own && p->conf->check.type != CONFIG_CHECK_NONE && !conf->disabled &&
	       (conf->address.family || p->conf->check.type == CONFIG_CHECK_EXEC);
}

static void cancel(struct endpoint_state *s)
{
	endpoint_check_cancel(s->check);
	if (s->probe)
		probe_cancel(s->probe);
	s->exec = 0; /* its result will be nobody's */
}

void endpoints_ran(struct endpoints *e, uint32_t id, int32_t result, const char *said)
{
	for (uint32_t i = 0; e && id && i < e->count; i++)
		for (uint32_t k = 0; k < e->pools[i].count; k++) {
			struct endpoint_state *s = &e->pools[i].list[k];
			char why[PROBE_WHY_MAX];

			if (s->exec != id)
				continue;
			s->exec = 0;
			if (result < 0)
				snprintf(why, sizeof(why), "%.100s", *said ? said : "its program could not be run");
			else if (result)
				snprintf(why, sizeof(why), "exit code %d%s%.90s", result, *said ? ": " : "", said);
			else
				why[0] = '\0';
			take(s, result == ERR_LIMIT ? PROBE_OUTCOME_NONE : result ? PROBE_OUTCOME_FAIL : PROBE_OUTCOME_PASS, why,
			     (uint32_t)MIN((clock_ns() - s->begun_ns) / 1000, (uint64_t)UINT32_MAX));
			return;
		}
}

/* ---- time ---- */

/* The supervisor was so busy that its message was lost, or is another one now. */
static void look_for_lost(struct endpoint_state *s, uint64_t now_ns)
{
	uint64_t most_ms = s->pool->conf->check.timeout_ms + LATE_MS;

	if (!s->exec || now_ns - s->begun_ns < most_ms * MS)
		return;
	s->exec = 0;
	take(s, PROBE_OUTCOME_NONE, "", 0);
}

static void look_at_pool(struct endpoint_pool *p, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; i < p->count; i++) {
		struct endpoint_state *s = &p->list[i];

		look_for_lost(s, now_ns);
		if (now_ns >= s->due_ns && p->owner->under_way < ENDPOINTS_UNDER_WAY)
			begin(s, now_ns);
		if (s->exec)
			next_ns = MIN(next_ns, now_ns + LATE_MS * (uint64_t)MS);
		next_ns = MIN(next_ns, s->due_ns);
	}
	p->next_ns = next_ns;
}

static void on_tick(uv_timer_t *timer)
{
	struct endpoints *e = timer->data;
	uint64_t now_ns = clock_ns();

	/* Not always the same first, where there is not room for all. */
	uint32_t first = e->count ? random_u32() % e->count : 0;

	for (uint32_t i = 0; i < e->count; i++) {
		struct endpoint_pool *p = &e->pools[(first + i) % e->count];

		if (now_ns >= p->next_ns)
			look_at_pool(p, now_ns);
	}
	endpoints_share_tick(e, now_ns);
}

/* ---- the plan ---- */

static bool checks_here(const struct config_pool *p, const struct config_node *node)
{
	for (size_t i = 0; i < p->checked_from_count; i++)
		if (strcmp(p->checked_from[i], node->name) == 0)
			return true;
	return !p->checked_from_count && node->role == CONFIG_POP;
}

/* NULL where that is impossible: its checks say so. */
static struct tls_client *client_for(struct endpoints *e, const struct config_pool *p)
{
	const char *file = p->check.insecure ? NULL : p->check.ca_file ? p->check.ca_file : "";
	struct tls_client_settings settings = {.web = true, .opportunistic = p->check.insecure};
	struct endpoint_authority *a;
	char why[TLS_WHY_MAX] = "the file was not handed over";

	for (uint32_t i = 0; i < e->authority_count; i++)
		if (file ? e->authorities[i].file && strcmp(e->authorities[i].file, file) == 0 : !e->authorities[i].file)
			return e->authorities[i].tls;
	a = &e->authorities[e->authority_count];
	*a = (struct endpoint_authority){.file = file};
	if (file && e->watch->role->bundle)
		settings.authorities = bundle_get(e->watch->role->bundle, *file ? file : ROLE_ITEM_AUTHORITIES, &settings.authorities_len);
	if ((file && !settings.authorities) || tls_client_new(&settings, &a->tls, why) < 0)
		log_err("pools authorities=\"%s\" error=\"%s\"", file && *file ? file : "of the system", why);
	e->authority_count++;
	return a->tls;
}

static void free_plan(struct endpoint_pool *pools, uint32_t count, struct endpoint_authority *authorities, uint32_t authority_count)
{
	for (uint32_t i = 0; pools && i < count; i++) {
		for (uint32_t k = 0; pools[i].list && k < pools[i].count; k++)
			cancel(&pools[i].list[k]);
		free(pools[i].list);
		free(pools[i].views);
	}
	free(pools);
	/* Checks that were begun with them have ended. */
	for (uint32_t i = 0; authorities && i < authority_count; i++)
		tls_client_free(authorities[i].tls);
	free(authorities);
}

static int make_pool(struct endpoints *e, const struct config *c, const struct config_node *node, uint32_t place, struct endpoint_pool *p)
{
	uint64_t now_ns = clock_ns();

	p->owner = e;
	p->conf = &c->pools[place];
	p->place = place;
	p->own = checks_here(p->conf, node);
	p->key = board_pool_key(p->conf->name, config_pool_list(p->conf));
	p->count = (uint32_t)MIN(p->conf->endpoint_count, (size_t)64);
	p->list = calloc(p->count + 1, sizeof(*p->list));
	if (!p->list)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < p->count; i++) {
		struct endpoint_state *s = &p->list[i];
		uint32_t spread_ms = MIN(MAX(p->conf->check.interval_ms, 1U), (uint32_t)FIRST_MS);

		s->pool = p;
		s->place = i;
		s->row = ENDPOINTS_NO_ROW;
		s->due_ns = is_checked(p, i) ? now_ns + (uint64_t)(random_u32() % spread_ms) * MS : UINT64_MAX;
		health_init(&s->health, now_ns / MS);
	}
	if (p->own && p->conf->check.type == CONFIG_CHECK_HTTPS)
		p->tls = client_for(e, p->conf);
	return 0;
}

/* What was known of the same endpoint before. */
static void carry_over(struct endpoint_pool *to, const struct endpoint_pool *from)
{
	for (uint32_t i = 0; i < to->count; i++)
		for (uint32_t k = 0; k < from->count; k++) {
			const struct config_pool_endpoint *a = &to->conf->endpoints[i], *b = &from->conf->endpoints[k];
			struct endpoint_state *s = &to->list[i];
			const struct endpoint_state *was = &from->list[k];

			if (strcmp(a->name, b->name) != 0 || !addr_equal(&a->address, &b->address))
				continue;
			s->counts = was->counts;
			s->counts_ns = was->counts_ns;
			if (!is_checked(to, i) || !is_checked(from, k) || to->conf->check.type != from->conf->check.type)
				break;
			s->health = was->health;
			s->latency_us = was->latency_us;
			s->checked_ns = was->checked_ns;
			memcpy(s->why, was->why, sizeof(s->why));
			break;
		}
}

int endpoints_replan(struct endpoints *e)
{
	const struct config *c = e ? e->watch->role->config : NULL;
	struct endpoint_pool *old = e ? e->pools : NULL;
	struct endpoint_authority *old_authorities = e ? e->authorities : NULL;
	uint32_t old_count = e ? e->count : 0, old_authority_count = e ? e->authority_count : 0, count;
	int err = 0;

	if (!e)
		return 0;
	for (uint32_t i = 0; i < old_count; i++)
		for (uint32_t k = 0; k < old[i].count; k++)
			cancel(&old[i].list[k]);
	e->under_way = 0;
	count = (uint32_t)MIN(c->pool_count, (size_t)BOARD_POOLS_MAX);
	e->count = 0;
	e->authority_count = 0;
	e->pools = calloc(count + 1, sizeof(*e->pools));
	e->authorities = calloc(count + 1, sizeof(*e->authorities));
	if (!e->pools || !e->authorities)
		err = ERR_NO_MEMORY;
	for (uint32_t i = 0; !err && i < count; i++) {
		struct endpoint_pool *p = &e->pools[i];
		uint32_t k = 0;

		err = make_pool(e, c, e->watch->role->node, i, p);
		e->count = i + 1;
		while (k < old_count && strcmp(old[k].conf->name, p->conf->name) != 0)
			k++;
		if (!err && k < old_count) {
			carry_over(p, &old[k]);
			if (old[k].key == p->key) {
				p->views = old[k].views;
				old[k].views = NULL;
			}
		} else if (!err && !e->ticking) {
			endpoints_inherit(p);
		}
	}
	free_plan(old, old_count, old_authorities, old_authority_count);
	if (err < 0) {
		free_plan(e->pools, e->count, e->authorities, e->authority_count);
		e->pools = NULL;
		e->authorities = NULL;
		e->count = e->authority_count = 0;
	}
	endpoints_share_plan(e);
	endpoints_lay_out(e);
	if (e->ticking)
		uv_timer_stop(&e->tick);
	if (e->count)
		uv_timer_start(&e->tick, on_tick, 0, TICK_MS);
	e->ticking = true;
	return err;
}

int endpoints_new(struct watch *w, struct endpoints **out)
{
	struct endpoints *e;
	int err;

	*out = NULL;
	if (!w->role->node)
		return 0;
	e = calloc(1, sizeof(*e));
	if (!e)
		return ERR_NO_MEMORY;
	e->watch = w;
	/* What is drawn here does not end with us: ids of a predecessor's programs must not be ours. */
	e->next_exec = random_u32();
	tls_warm(); /* before the sandbox */
	(void)uv_timer_init(&w->loop, &e->tick); /* cannot fail */
	e->tick.data = e;
	err = endpoints_replan(e);
	*out = e;
	return err;
}
