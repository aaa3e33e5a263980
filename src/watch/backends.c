/* SPDX-License-Identifier: BSD-2-Clause */
/* Health of backends: the name servers that answer for zones in this node's place.
 *
 * Each server of each pool that has a zone here is a check of its own: a question of the operator's choice every check.interval, over the pool's transport (backends_ask.c), judged by
 * health/probe_backend.c, stepped by health/state.c (rise, fall). The result is a row of the board, by the server's place in the configuration: workers do not send clients' questions to a server
 * that is down, but where all are; they have circuits of their own for what is faster than a check. Nothing here is shared with other nodes: whether a server can be reached from here is this
 * node's to know.
 *
 * A server whose questions come back to this node is found by the mark in its check (edge/mark.h), is down at once, and stays so until a check does not come back.
 *
 * What a network's verdict has to do with it: a pool all of whose servers are down. While answers of the cache may be given (stale-for since the last good check) that is soft, a cause that other
 * pops share, since all of them ask the same servers; when nothing is left it is hard. Of a pool that has never answered: hard for a node that has just begun, which has nothing in its cache while
 * others have; soft where the pool came with a reload, so that a mistyped address does not take a network away everywhere. Whether the cache has an answer for each name is not looked at.
 *
 * A check that cannot be made, for want of something of ours or by a firewall of this machine, does not count; when none has counted for three intervals, what was known is forgotten, and workers find out for
 * themselves. That a server leads back to this node is not forgotten so.
 *
 * Checks are spread over their interval by the server's place. With 256 servers and the defaults that is 256 small questions a second; over TLS sessions are resumed.
 *
 * States survive a reload (by pool, address) and the death of this process (from the board). Single thread, watch's loop. */
#include "watch/backends.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/rr.h"
#include "edge/mark.h"
#include "health/probe_backend.h"
#include "health/state.h"
#include "proc/tls_profiles.h"
#include "tls/client.h"
#include "watch/backends_ask.h"
#include "watch/verdict.h"
#include "watch/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_MS = 1000, /* a long interval does not make a node wait so long for its first result */
	LOGS_PER_SECOND = 20,
	LATENCY_WEIGHT = 8,
	NS_MS = 1000000,
	WATCH_SLOT = 1, /* of board_supervisor.procs */
	STALE_INTERVALS = 3,
	STALE_MS = 2000, /* on top, and a timeout: so long a state holds without a check that counts */
};

struct server {
	struct backends_watch *owner;
	uint32_t pool, place; /* in the configuration; row on the board */
	uint64_t key;
	struct endpoint at;
	bool checked; /* a zone of the pool is served here */
	struct health health;
	bool loops;
	uint64_t since_ns, checked_ns, passed_ns, checks, failures;
	uint32_t latency_us;
	char why[BOARD_WHY_MAX];
	uv_timer_t timer;
	struct backend_ask *ask;
	struct probe_backend probe; /* of the ask under way */
	uint64_t nonce;
	struct ssl_session_st *session;
	uint64_t session_id; /* of the profile that it was made with */
};

/* Pools that zones of a network have, each once. */
struct used {
	uint32_t network, pool, zones;
	const uint8_t *apex; /* of the first; in the configuration */
};

struct backends_watch {
	struct watch *w;
	struct tls_profiles *profiles;
	struct server *servers[BOARD_BACKENDS_MAX];
	size_t server_count;
	struct used *used;
	size_t used_count;
	bool young_node;                         /* and that was the start of the node, not of this process alone */
	uint64_t young_keys[BOARD_BACKENDS_MAX]; /* servers that have been checked since */
	size_t young_count;
};

static const struct config *config_of(const struct backends_watch *b)
{
	return b->w->role->config;
}

static const struct config_backends *pool_of(const struct server *s)
{
	return &config_of(s->owner)->backends[s->pool];
}

static enum board_up up_of(const struct server *s)
{
	return s->loops || s->health.state == HEALTH_FAIL ? UP_NO
	       : s->health.state == HEALTH_PASS           ? UP_YES
	                                                  : UP_UNKNOWN;
}

/* ---- the board ---- */

static void publish(const struct server *s, const struct config_backend_server *conf)
{
	struct board_backend *row = &s->owner->w->board->watch.backends.row[s->place];

	board_write_begin(&row->seq);
	snprintf(row->pool, sizeof(row->pool), "%s", pool_of(s)->name);
	snprintf(row->name, sizeof(row->name), "%s", conf->name);
	row->at = s->at;
	row->since_ns = s->since_ns;
	row->checked_ns = s->checked_ns;
	row->passed_ns = s->passed_ns;
	row->checks = s->checks;
	row->failures = s->failures;
	row->latency_us = s->latency_us;
	row->loops = s->loops;
	memcpy(row->why, s->why, sizeof(row->why));
	board_write_end(&row->seq);
	atomic_store(&row->up, (uint32_t)up_of(s));
	atomic_store(&row->key, s->key);
}

static const struct config_backend_server *conf_of(const struct server *s)
{
	const struct config *c = config_of(s->owner);
	uint32_t first = s->place;

	for (uint32_t i = 0; i < s->pool; i++)
		first -= (uint32_t)c->backends[i].server_count;
	return &c->backends[s->pool].servers[first];
}

static void publish_networks(struct watch *w)
{
	uint64_t now_ns = clock_ns();

	for (uint32_t i = 0; i < w->network_count; i++)
		watch_publish(w, &w->networks[i], now_ns);
}

/* ---- results ---- */

static void tell(const struct server *s, enum board_up was, enum board_up now)
{
	static struct log_limit limit;
	struct board_event e = {.kind = EVENT_BACKEND,
	                        .level = now == UP_YES ? EVENT_INFO : EVENT_WARN,
	                        .family = s->at.addr.family};
	char text[ENDPOINT_TEXT_MAX];

	endpoint_text(&s->at, text);
	snprintf(e.subject, sizeof(e.subject), "%s %s", pool_of(s)->name, conf_of(s)->name);
	snprintf(e.old, sizeof(e.old), "%s", board_up_text(was));
	snprintf(e.now, sizeof(e.now), "%s", board_up_text(now));
	snprintf(e.why, sizeof(e.why), "%.*s", EVENT_SENTENCE_MAX - 1, s->why);
	watch_event_many(s->owner->w, WATCH_BURST_BACKEND, &e);
	if (log_limit_pass(&limit, LOGS_PER_SECOND))
		log_line(now == UP_YES ? LOG_NOTICE : LOG_WARN,
		         "backends pool=%s server=%s address=%s state=%s was=%s why=\"%s\"", pool_of(s)->name,
		         conf_of(s)->name, text, board_up_text(now), board_up_text(was), s->why);
}

/* Has a worker been asked this very question? */
static bool came_back(const struct server *s)
{
	const struct board *b = s->owner->w->board;
	uint32_t workers = MIN(atomic_load(&b->supervisor.workers), (uint32_t)BOARD_WORKERS_MAX);

	for (uint32_t i = 0; s->nonce && i < workers; i++)
		if (board_get(&b->workers[i].edge.marks[edge_mark_slot(s->nonce)]) == s->nonce)
			return true;
	return false;
}

static void say(struct server *s, bool passed, const char *why, uint32_t latency_us)
{
	const struct probe_question *q = &s->probe.question;
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];

	name_to_text(q->qname.wire, name);
	if (s->loops)
		snprintf(s->why, sizeof(s->why),
		         "its questions come back to this node: it forwards to where it is asked from");
	else if (passed)
		snprintf(s->why, sizeof(s->why), "%s to %s of %.80s in %u.%u ms", why, rrtype_text(q->qtype, type),
		         name, latency_us / 1000, latency_us / 100 % 10);
	else
		snprintf(s->why, sizeof(s->why), "%s to %s of %.80s", why, rrtype_text(q->qtype, type), name);
}

/* A check could not be made. */
static void not_made(struct server *s, const char *why, uint64_t now_ns)
{
	static struct log_limit limit;
	const struct config_backend_check *check = &pool_of(s)->check;
	uint64_t holds_ms = (uint64_t)STALE_INTERVALS * check->interval_ms + check->timeout_ms + STALE_MS;
	bool known = s->health.state != HEALTH_UNKNOWN;

	if (log_limit_pass(&limit, 1))
		log_warn("backends error=\"%s\" action=\"this check did not count\"", why);
	if (s->loops || now_ns <= s->checked_ns + holds_ms * NS_MS)
		return;
	snprintf(s->why, sizeof(s->why), "not known: its checks cannot be made: %s", why);
	if (known) {
		enum board_up was = up_of(s);

		s->health.state = HEALTH_UNKNOWN;
		s->health.run = 0;
		s->since_ns = now_ns;
		tell(s, was, UP_UNKNOWN);
	}
	publish(s, conf_of(s));
	if (known)
		publish_networks(s->owner->w);
}

static void on_done(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us)
{
	struct server *s = ctx;
	const struct config_backend_check *check = &pool_of(s)->check;
	const struct health_rule rule = {check->rise, check->fall};
	bool passed = outcome == PROBE_OUTCOME_PASS, looped = came_back(s);
	enum board_up was = up_of(s);
	uint64_t now_ns = clock_ns();

	if (outcome == PROBE_OUTCOME_NONE && !looped) {
		not_made(s, why, now_ns);
		return;
	}
	s->loops = looped;
	passed = passed && !looped;
	s->checks++;
	s->checked_ns = now_ns;
	if (passed) {
		s->passed_ns = now_ns;
		s->latency_us = s->latency_us
		                        ? s->latency_us - s->latency_us / LATENCY_WEIGHT + latency_us / LATENCY_WEIGHT
		                        : latency_us;
	} else {
		s->failures++;
	}
	health_step(&s->health, &rule, passed, now_ns / NS_MS);
	say(s, passed, why, latency_us);
	if (up_of(s) != was) {
		s->since_ns = now_ns;
		tell(s, was, up_of(s));
	}
	publish(s, conf_of(s));
	if (up_of(s) != was)
		publish_networks(s->owner->w);
}

static enum probe_verdict on_judge(void *ctx, const uint8_t *msg, size_t len, char *why)
{
	const struct server *s = ctx;

	return probe_backend_judge(&s->probe, msg, len, why);
}

/* ---- turns ---- */

static struct tls_client *profile_of(struct server *s, const struct config_backends *pool)
{
	const struct tls_profiles *p = s->owner->profiles;

	if (pool->over != CONFIG_BACKEND_TLS || !p || pool->tls >= p->count)
		return NULL;
	if (s->session_id != p->ids[pool->tls]) {
		tls_session_free(s->session);
		s->session = NULL;
		s->session_id = p->ids[pool->tls];
	}
	return p->list[pool->tls];
}

static void on_turn(uv_timer_t *timer)
{
	static const enum backend_ask_over over[] = {BACKEND_ASK_UDP, BACKEND_ASK_TCP, BACKEND_ASK_TLS};
	struct server *s = timer->data;
	struct watch *w = s->owner->w;
	const struct config_backends *pool = pool_of(s);
	uint8_t query[PROBE_QUERY_MAX], mark[EDGE_MARK_LEN];
	struct backend_ask_job job = {.loop = &w->loop,
	                              .to = s->at,
	                              .over = over[pool->over % ARRAY_LEN(over)],
	                              .tls = profile_of(s, pool),
	                              .session = &s->session,
	                              .proxy = pool->proxy_protocol,
	                              .timeout_ms = pool->check.timeout_ms,
	                              .query = query,
	                              .judge = on_judge,
	                              .done = on_done,
	                              .ctx = s};
	int n;

	if (s->ask)
		return; /* its time is longer than the interval */
	s->probe = (struct probe_backend){.rcode = pool->check.rcode, .contains = pool->check.contains};
	name_copy(&s->probe.question.qname, pool->check.name);
	s->probe.question.qtype = pool->check.type;
	s->probe.question.qclass = CLASS_IN;
	s->probe.question.id = (uint16_t)random_u32();
	random_bytes(&s->nonce, sizeof(s->nonce));
	s->nonce |= s->nonce ? 0 : 1;
	edge_mark_make(w->board->supervisor.edge_key, s->nonce, mark);
	n = probe_backend_build(&s->probe, EDGE_MARK_OPTION, mark, sizeof(mark), query, sizeof(query));
	if (n < 0 || (pool->over == CONFIG_BACKEND_TLS && !job.tls)) {
		on_done(s, PROBE_OUTCOME_FAIL,
		        n < 0 ? "the question does not fit" : "its tls-auth cannot be used: see the log", 0);
		return;
	}
	job.len = (size_t)n;
	backend_ask_start(&job, &s->ask);
}

/* ---- the plan ---- */

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void server_free(struct server *s)
{
	if (s->ask)
		backend_ask_cancel(s->ask);
	tls_session_free(s->session);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

/* What a predecessor knew. */
static void inherit(struct server *s)
{
	const struct board_watch_backends *b = &s->owner->w->board->watch.backends;

	for (uint32_t i = 0; i < BOARD_BACKENDS_MAX; i++) {
		const struct board_backend *from = &b->row[i];
		struct board_backend row;

		if (atomic_load(&from->key) != s->key || !board_copy(&from->seq, from, &row, sizeof(row)))
			continue;
		s->health.state = row.up == UP_YES ? HEALTH_PASS : row.up == UP_NO ? HEALTH_FAIL : HEALTH_UNKNOWN;
		s->loops = row.loops != 0;
		s->since_ns = row.since_ns;
		s->checked_ns = row.checked_ns;
		s->passed_ns = row.passed_ns;
		s->checks = row.checks;
		s->failures = row.failures;
		s->latency_us = row.latency_us;
		memcpy(s->why, row.why, sizeof(s->why));
		s->why[sizeof(s->why) - 1] = '\0';
		return;
	}
}

static struct server *server_new(struct backends_watch *b, uint64_t key, const struct endpoint *at, uint64_t now_ns)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->owner = b;
	s->key = key;
	s->at = *at;
	s->since_ns = now_ns;
	health_init(&s->health, now_ns / NS_MS);
	(void)uv_timer_init(&b->w->loop, &s->timer); /* cannot fail */
	s->timer.data = s;
	inherit(s);
	return s;
}

static struct server *take(struct server **old, size_t count, uint64_t key)
{
	for (size_t i = 0; i < count; i++) {
		struct server *s = old[i];

		if (s && s->key == key) {
			old[i] = NULL;
			return s;
		}
	}
	return NULL;
}

/* Which pools have zones here, by network. */
static int plan_used(struct backends_watch *b)
{
	const struct config *c = config_of(b);
	const struct config_node *node = b->w->role->node;
	size_t cap = 0;

	free(b->used);
	b->used = NULL;
	b->used_count = 0;
	for (size_t i = 0; i < c->zone_count; i++) {
		const struct config_zone *z = &c->zones[i];
		size_t n = 0;

		if (!config_zone_is_edge(z) || !config_node_serves(node, z))
			continue;
		while (n < b->used_count && (b->used[n].network != z->network || b->used[n].pool != z->backends))
			n++;
		if (n == cap) {
			size_t more = cap ? 2 * cap : 16;
			struct used *list = realloc(b->used, more * sizeof(*list));

			if (!list)
				return ERR_NO_MEMORY;
			b->used = list;
			cap = more;
		}
		if (n == b->used_count)
			b->used[b->used_count++] =
				(struct used){.network = z->network, .pool = z->backends, .apex = z->apex};
		b->used[n].zones++;
	}
	return 0;
}

static bool is_used(const struct backends_watch *b, uint32_t pool)
{
	for (size_t i = 0; i < b->used_count; i++)
		if (b->used[i].pool == pool)
			return true;
	return false;
}

static void start(struct server *s)
{
	const struct config_backends *pool = pool_of(s);
	uint32_t interval = pool->check.interval_ms, first = MIN(interval, (uint32_t)FIRST_MS);
	bool was = s->checked;

	s->checked = pool->check.name && is_used(s->owner, s->pool);
	if (!s->checked) {
		uv_timer_stop(&s->timer);
		s->since_ns = up_of(s) == UP_UNKNOWN ? s->since_ns : clock_ns();
		s->passed_ns = 0; /* nothing of that time is there to be given when it answers for a zone again */
		s->health.state = HEALTH_UNKNOWN;
		s->loops = false;
		snprintf(s->why, sizeof(s->why), "not checked: its pool answers for no zone of this node");
	} else {
		if (!s->checks || (!was && s->health.state == HEALTH_UNKNOWN))
			snprintf(s->why, sizeof(s->why), "not checked yet");
		uv_timer_start(&s->timer, on_turn, 1 + (uint64_t)first * (s->place % 64) / 64, interval);
	}
}

static void plan(struct backends_watch *b)
{
	struct board_watch_backends *board = &b->w->board->watch.backends;
	const struct config *c = config_of(b);
	struct server *old[BOARD_BACKENDS_MAX];
	size_t old_count = b->server_count;
	struct tls_profiles *profiles = NULL;
	uint64_t now_ns = clock_ns();
	uint32_t place = 0;

	/* What is under way goes by the configuration of before, and by its profiles. */
	for (size_t i = 0; i < b->server_count; i++)
		if (b->servers[i]->ask)
			backend_ask_cancel(b->servers[i]->ask);
	memcpy(old, b->servers, sizeof(old));
	b->server_count = 0;
	if (plan_used(b) < 0 || tls_profiles_new(b->w->role, &profiles) < 0)
		log_err("backends error=\"%s\"", err_text(ERR_NO_MEMORY));
	tls_profiles_unref(b->profiles);
	b->profiles = profiles;
	uv_update_time(&b->w->loop);
	for (uint32_t p = 0; p < c->backend_count; p++) {
		const struct config_backends *pool = &c->backends[p];

		for (size_t i = 0; i < pool->server_count && b->server_count < BOARD_BACKENDS_MAX; i++) {
			uint64_t key = board_backend_key(pool->name, &pool->servers[i].at);
			struct server *s = take(old, old_count, key);

			if (!s)
				s = server_new(b, key, &pool->servers[i].at, now_ns);
			if (!s) {
				log_err("backends error=\"%s\"", err_text(ERR_NO_MEMORY));
				break;
			}
			s->pool = p;
			s->place = place + (uint32_t)i;
			b->servers[b->server_count++] = s;
		}
		place += (uint32_t)pool->server_count;
	}
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			server_free(old[i]);
	/* Nobody is to take a row for that of another server meanwhile. */
	for (uint32_t i = 0; i < BOARD_BACKENDS_MAX; i++)
		atomic_store(&board->row[i].key, 0);
	for (size_t i = 0; i < b->server_count; i++) {
		start(b->servers[i]);
		publish(b->servers[i], conf_of(b->servers[i]));
	}
	atomic_store(&board->rows, MIN(place, (uint32_t)BOARD_BACKENDS_MAX));
}

int backends_start(struct watch *w, struct backends_watch **out)
{
	struct backends_watch *b = calloc(1, sizeof(*b));

	if (!b)
		return ERR_NO_MEMORY;
	b->w = w;
	b->young_node = atomic_load(&w->board->supervisor.procs[WATCH_SLOT].starts) <= 1;
	plan(b);
	for (size_t i = 0; i < b->server_count; i++)
		if (b->servers[i]->checked)
			b->young_keys[b->young_count++] = b->servers[i]->key;
	*out = b;
	return 0;
}

static bool is_checked(const struct backends_watch *b, uint64_t key)
{
	for (size_t i = 0; i < b->server_count; i++)
		if (b->servers[i]->key == key)
			return b->servers[i]->checked;
	return false;
}

void backends_replan(struct backends_watch *b)
{
	size_t kept = 0;

	plan(b);
	/* What comes back, comes with a reload. */
	for (size_t i = 0; i < b->young_count; i++)
		if (is_checked(b, b->young_keys[i]))
			b->young_keys[kept++] = b->young_keys[i];
	b->young_count = kept;
}

/* ---- verdicts ---- */

static bool was_there_at_start(const struct backends_watch *b, uint64_t key)
{
	for (size_t i = 0; b->young_node && i < b->young_count; i++)
		if (b->young_keys[i] == key)
			return true;
	return false;
}

/* False: one of its servers is up, or may be. */
static bool is_dead(const struct backends_watch *b, uint32_t pool, uint64_t now_ns, struct verdict_backends *out)
{
	uint32_t stale_for_ms = config_of(b)->backends[pool].stale_for_ms;
	uint64_t good_ns = 0, since_ns = 0;
	bool young = true;

	*out = (struct verdict_backends){0};
	for (size_t i = 0; i < b->server_count; i++) {
		const struct server *s = b->servers[i];

		if (s->pool != pool)
			continue;
		if (up_of(s) != UP_NO)
			return false;
		out->servers++;
		good_ns = MAX(good_ns, s->passed_ns);
		since_ns = MAX(since_ns, s->since_ns);
		young = young && was_there_at_start(b, s->key);
	}
	if (!out->servers)
		return false;
	out->down_ms = now_ns > since_ns ? (now_ns - since_ns) / NS_MS : 0;
	out->never = good_ns == 0;
	if (out->never)
		out->hard = young;
	else if (now_ns < good_ns + (uint64_t)stale_for_ms * NS_MS)
		out->stale_left_ms = (good_ns + (uint64_t)stale_for_ms * NS_MS - now_ns) / NS_MS;
	else
		out->hard = true;
	return true;
}

bool backends_judge(const struct backends_watch *b, uint32_t network, uint64_t now_ns, char *zone,
                    struct verdict_backends *out)
{
	struct verdict_backends worst = {0}, one;
	const uint8_t *apex = NULL;
	unsigned zones = 0;

	for (size_t i = 0; b && i < b->used_count; i++) {
		const struct used *u = &b->used[i];

		if (u->network != network || !is_dead(b, u->pool, now_ns, &one))
			continue;
		zones += u->zones;
		if (apex &&
		    (worst.hard > one.hard || (worst.hard == one.hard && worst.stale_left_ms <= one.stale_left_ms)))
			continue;
		worst = one;
		apex = u->apex;
	}
	if (!apex)
		return false;
	name_to_text(apex, zone);
	if (strlen(zone) > 1)
		zone[strlen(zone) - 1] = '\0';
	worst.zone = zone;
	worst.more = zones - 1;
	*out = worst;
	return true;
}

bool backends_has(const struct backends_watch *b, uint32_t network)
{
	for (size_t i = 0; b && i < b->used_count; i++)
		if (b->used[i].network == network)
			return true;
	return false;
}
