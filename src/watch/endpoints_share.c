/* SPDX-License-Identifier: BSD-2-Clause */
/* What nodes tell each other about endpoints.
 *
 * Each node tells what it sees of the pools that it checks in the answers about its status (fleet/report.c), as far as there is room, so whoever asks it anyway hears of it. Nodes whose names are
 * steered by what others see (`checked-from`) ask those for their pools alone, a third of the shortest interval apart (PULL_MIN_MS at least): so a change comes to them within
 * that time even if a datagram is lost. And who sees a change asks all others at once, with the word that there is news; these ask it back. That is all there is of pushing: no
 * state, no acknowledgement, and every word that counts is an answer to a question of one's own, signed over that question (watch/peers.c).
 *
 * Pools are told by a key of name and endpoints (config_pool_list()): nodes whose fleet files differ in a pool do not mistake one for another, they know nothing of each other's. A view counts as
 * long as it is fresh: three intervals of the check, or four turns of asking in large fleets. Each node counts for itself; nobody passes on what others said. */
#include "base/clock.h"
#include "base/hash.h"
#include "fleet/message.h"
#include "fleet/pace.h"
#include "watch/endpoints_priv.h"
#include "watch/peers.h"

#include <stdlib.h>
#include <string.h>

enum {
	PULL_MIN_MS = 100,
	PULL_MAX_MS = 5000,
	NEWS_MS = 50,           /* changes of so long are told at once */
	LOOK_MS = 500,          /* how often it is seen that views have become old */
	FRESH_INTERVALS = 3,
	FRESH_TURNS = 4,
	FRESH_MS = 1000,        /* on top: rounds and timeouts */
	MS = 1000000,
};

/* ---- telling ---- */

static bool is_told(const struct endpoint_pool *p)
{
	return p->own && p->conf->check.type != CONFIG_CHECK_NONE;
}

void endpoints_report(const struct endpoints *e, uint32_t first, struct fleet_report *r)
{
	uint32_t total = 0, at = 0;

	r->pools = r->pools_total = 0;
	if (!e || !e->own_any)
		return;
	for (uint32_t i = 0; i < e->count; i++)
		total += is_told(&e->pools[i]);
	if (first == UINT32_MAX)
		first = (uint32_t)(clock_ms() / 1000 * 4 % MAX(total, 1U));
	r->pools_total = total;
	for (uint32_t i = 0; i < e->count && r->pools < FLEET_POOLS_MAX; i++) {
		const struct endpoint_pool *p = &e->pools[i];

		if (is_told(p) && at++ >= first)
			r->pool[r->pools++] = (struct fleet_pool){.key = p->key, .known = p->known, .up = p->up};
	}
}

/* ---- hearing ---- */

static uint64_t name_of(const struct endpoints *e, uint32_t i)
{
	const char *name = e->watch->role->config->nodes[peers_node(e->watch->peers, i)].name;

	return hash_checksum(name, strlen(name), 1);
}

/* Its place; the oldest's where there is none free. NULL: out of memory. */
static struct endpoint_view *view_of(struct endpoint_pool *p, uint64_t node)
{
	struct endpoint_view *oldest;

	if (!p->views)
		p->views = calloc(ENDPOINTS_VIEWS, sizeof(*p->views));
	oldest = p->views;
	for (uint32_t i = 0; p->views && i < ENDPOINTS_VIEWS; i++) {
		if (p->views[i].heard_ns && p->views[i].node == node)
			return &p->views[i];
		if (p->views[i].heard_ns < oldest->heard_ns)
			oldest = &p->views[i];
	}
	if (oldest)
		*oldest = (struct endpoint_view){.node = node};
	return oldest;
}

static struct endpoint_pool *pool_of(struct endpoints *e, uint64_t key)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (e->pools[i].key == key)
			return &e->pools[i];
	return NULL;
}

/* Only those who check a pool have a say: names of `checked-from`, or pops. */
static bool may_say(const struct endpoints *e, const struct endpoint_pool *p, uint32_t i)
{
	const struct config_node *node = &e->watch->role->config->nodes[peers_node(e->watch->peers, i)];

	for (size_t k = 0; k < p->conf->checked_from_count; k++)
		if (strcmp(p->conf->checked_from[k], node->name) == 0)
			return true;
	return !p->conf->checked_from_count && node->role == CONFIG_POP;
}

static void take(struct endpoints *e, uint32_t i, const struct fleet_pool *said, uint64_t sent_ns, uint64_t now_ns)
{
	struct endpoint_pool *p = pool_of(e, said->key);
	struct endpoint_view *v;

	if (!p || p->conf->check.type == CONFIG_CHECK_NONE || !may_say(e, p, i))
		return;
	v = view_of(p, name_of(e, i));
	if (!v || sent_ns < v->heard_ns)
		return;
	v->heard_ns = sent_ns;
	if (v->known == said->known && v->up == said->up)
		return;
	v->known = said->known;
	v->up = said->up;
	for (uint32_t k = 0; k < p->count; k++)
		endpoints_show(&p->list[k], now_ns);
}

void endpoints_heard(struct endpoints *e, uint32_t i, const struct fleet_report *r, uint32_t first, uint64_t sent_ns)
{
	uint64_t now_ns = clock_ns();

	if (!e || !e->count)
		return;
	for (uint32_t k = 0; k < r->pools; k++)
		take(e, i, &r->pool[k], sent_ns, now_ns);
	if (first != UINT32_MAX && r->pools && first + r->pools < MIN(r->pools_total, (uint32_t)FLEET_POOL_PLACES))
		peers_ask_pools(e->watch->peers, i, first + r->pools, false, now_ns);
}

void endpoints_hint(struct endpoints *e, const struct ip_addr *from)
{
	uint32_t i = e ? peers_at(e->watch->peers, from) : UINT32_MAX;

	/* Not more often than it may have news. */
	if (i != UINT32_MAX && e->source[i].due_ns)
		e->source[i].due_ns = MIN(e->source[i].due_ns, e->source[i].asked_ns + NEWS_MS * (uint64_t)MS / 2);
}

/* ---- counting ---- */

void endpoints_count_views(struct endpoint_state *s, uint64_t now_ns)
{
	const struct endpoint_pool *p = s->pool;
	uint32_t turn_ms = fleet_pace_ms(p->owner->watch->peers ? peers_count(p->owner->watch->peers) : 0, 1, false);
	uint64_t most_ms = MAX((uint64_t)FRESH_INTERVALS * p->conf->check.interval_ms, (uint64_t)FRESH_TURNS * turn_ms) + FRESH_MS;

	s->passing = s->failing = 0;
	for (uint32_t i = 0; p->views && i < ENDPOINTS_VIEWS; i++) {
		const struct endpoint_view *v = &p->views[i];

		if (!v->heard_ns || now_ns - MIN(v->heard_ns, now_ns) > most_ms * MS || !(v->known >> s->place & 1))
			continue;
		if (v->up >> s->place & 1)
			s->passing++;
		else
			s->failing++;
	}
}

/* ---- time ---- */

static bool is_source(const struct endpoints *e, uint32_t i)
{
	const char *name = e->watch->role->config->nodes[peers_node(e->watch->peers, i)].name;

	for (uint32_t k = 0; k < e->count; k++) {
		const struct config_pool *p = e->pools[k].conf;

		for (size_t n = 0; !e->pools[k].own && p->check.type != CONFIG_CHECK_NONE && n < p->checked_from_count; n++)
			if (strcmp(p->checked_from[n], name) == 0)
				return true;
	}
	return false;
}

void endpoints_share_plan(struct endpoints *e)
{
	uint32_t nodes = e->watch->peers ? peers_count(e->watch->peers) : 0;
	uint64_t now_ns = clock_ns();

	e->own_any = false;
	e->pull_ms = 0;
	for (uint32_t i = 0; i < e->count; i++) {
		const struct endpoint_pool *p = &e->pools[i];
		uint32_t third_ms = MIN(MAX(p->conf->check.interval_ms / 3, (uint32_t)PULL_MIN_MS), (uint32_t)PULL_MAX_MS);

		e->own_any = e->own_any || is_told(p);
		if (!p->own && p->conf->check.type != CONFIG_CHECK_NONE && p->conf->checked_from_count)
			e->pull_ms = e->pull_ms ? MIN(e->pull_ms, third_ms) : third_ms;
	}
	memset(e->source, 0, sizeof(e->source));
	for (uint32_t i = 0; i < nodes && e->pull_ms; i++)
		if (is_source(e, i))
			e->source[i].due_ns = now_ns + (uint64_t)(random_u32() % e->pull_ms) * MS;
}

void endpoints_share_tick(struct endpoints *e, uint64_t now_ns)
{
	uint32_t nodes = e->watch->peers ? peers_count(e->watch->peers) : 0;
	bool news = e->changed && now_ns - e->told_ns >= NEWS_MS * (uint64_t)MS;

	for (uint32_t i = 0; i < nodes && e->pull_ms; i++) {
		struct endpoint_source *s = &e->source[i];

		if (!s->due_ns || now_ns < s->due_ns)
			continue;
		s->asked_ns = now_ns;
		s->due_ns = now_ns + (uint64_t)e->pull_ms * MS;
		peers_ask_pools(e->watch->peers, i, 0, false, now_ns);
	}
	for (uint32_t i = 0; news && i < nodes; i++)
		peers_ask_pools(e->watch->peers, i, 0, true, now_ns);
	if (news) {
		e->changed = false;
		e->told_ns = now_ns;
	}
	if (now_ns - e->looked_ns < LOOK_MS * (uint64_t)MS)
		return;
	e->looked_ns = now_ns;
	for (uint32_t i = 0; i < e->count; i++)
		for (uint32_t k = 0; k < e->pools[i].count; k++)
			endpoints_show(&e->pools[i].list[k], now_ns);
}
