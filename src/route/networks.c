/* SPDX-License-Identifier: BSD-2-Clause */
/* The inputs of the decisions: what the board says, put together for each network and family, and what comes of it.
 *
 * What other pops say comes from the rows that watch writes; a row counts only if the configuration has that node as a pop of the network, so
 * that rows of before a reload do no harm. Pops without a row are others that are not seen. */
#include "route/route.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum {
	ANSWER_MS = 2000,        /* a question to another pop that was asked so short a time ago may yet be answered */
	ALERT_EVERY_MS = 10000,
};

const struct config_network *route_network_conf(const struct route *r, size_t i)
{
	return &r->role->config->networks[r->role->node->networks[i]];
}

static bool has_prefixes(const struct config_network *c, int family)
{
	for (size_t i = 0; i < c->prefix_count; i++)
		if ((c->prefixes[i].addr.family == 4) == (family == 0))
			return true;
	return false;
}

static uint32_t leave_causes(const struct config_network *c)
{
	uint32_t causes = CAUSE_STALE | CAUSE_BEHIND | CAUSE_EXPIRY | CAUSE_ZONES | CAUSE_BACKENDS;

	return c->expired_signatures == CONFIG_EXPIRED_WITHDRAW ? causes | CAUSE_SIGNATURES : causes;
}

/* Prefixes of the configuration. Which of them are left out stays with them, for a network that is frozen. */
static void set_prefixes(struct network *n, const struct config_network *c, const struct network *old)
{
	n->prefix_count = MIN(c->prefix_count, (size_t)CONFIG_PREFIXES_MAX);
	memcpy(n->prefixes, c->prefixes, n->prefix_count * sizeof(*n->prefixes));
	for (size_t i = 0; old && i < n->prefix_count; i++)
		for (size_t k = 0; k < old->prefix_count; k++)
			if (old->refused & 1U << k && old->prefixes[k].len == n->prefixes[i].len &&
			    addr_equal(&old->prefixes[k].addr, &n->prefixes[i].addr))
				n->refused |= 1U << i;
}

static bool is_pop_of(const struct config_node *node, uint32_t network)
{
	for (size_t i = 0; node->role == CONFIG_POP && i < node->network_count; i++)
		if (node->networks[i] == network)
			return true;
	return false;
}

static void find_pops(const struct route *r, struct network *n, uint32_t network)
{
	const struct config *c = r->role->config;

	for (size_t k = 0; k < c->node_count && k < CONFIG_NODES_MAX; k++)
		if (&c->nodes[k] != r->role->node && is_pop_of(&c->nodes[k], network)) {
			n->pops[k / 64] |= 1ULL << (k % 64);
			n->others++;
		}
}

/* What the node announced of a network that it does not have any more, or not in that family. */
static void tell_gone(struct route *r, const struct network *old)
{
	static const char why[] = "a reload has taken the network, or this family of it, from this node";
	const struct network *now = NULL;

	for (size_t i = 0; i < r->network_count; i++)
		if (strcmp(r->networks[i].name, old->name) == 0)
			now = &r->networks[i];
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		const struct unit *u = &old->family[f];

		if (!u->exists || u->decide.now == DECIDE_WITHDRAW || (now && now->family[f].exists))
			continue;
		event_announce(r, old->name, f, show_announce_of(u->decide.now), ANNOUNCE_NONE, DECIDE_DRAINED, why);
		log_notice("network=%s family=ipv%d decision=withdraw why=\"%s\"", old->name, f ? 6 : 4, why);
	}
}

void networks_set(struct route *r)
{
	static struct network old[CONFIG_NETWORKS_MAX];
	size_t old_count = r->network_count;

	memcpy(old, r->networks, sizeof(old));
	r->network_count = MIN(r->role->node->network_count, (size_t)CONFIG_NETWORKS_MAX);
	for (size_t i = 0; i < r->network_count; i++) {
		const struct config_network *c = route_network_conf(r, i);
		struct network *n = &r->networks[i];

		memset(n, 0, sizeof(*n));
		snprintf(n->name, sizeof(n->name), "%s", c->name);
		n->conf = (struct decide_conf){.worker_dead_ms = WORKER_DEAD_MS, .drain_ms = c->drain_ms, .rise_hold_ms = c->rise_hold_ms,
		                               .rise_hold_max_ms = c->rise_hold_max_ms, .keep_at_least = c->keep_at_least,
		                               .leave_causes = leave_causes(c), .shed = c->overload == CONFIG_OVERLOAD_SHED,
		                               .last_pop_stays = c->last_pop == CONFIG_LAST_POP_STAY};
		for (int f = 0; f < BOARD_FAMILIES; f++) {
			n->family[f].exists = has_prefixes(c, f);
			decide_init(&n->family[f].decide, clock_ms());
			snprintf(n->family[f].why, DECIDE_WHY_MAX, "%s",
			         n->family[f].exists ? "starting: nothing is known yet" : "the network has no prefixes of this family");
		}
		find_pops(r, n, r->role->node->networks[i]);
		set_prefixes(n, c, NULL);
		for (size_t k = 0; k < old_count; k++) {
			if (strcmp(old[k].name, n->name) == 0)
				set_prefixes(n, c, &old[k]);
			for (int f = 0; f < BOARD_FAMILIES && strcmp(old[k].name, n->name) == 0; f++)
				if (old[k].family[f].exists && n->family[f].exists)
					n->family[f] = old[k].family[f];
		}
	}
	for (size_t k = 0; k < old_count; k++)
		tell_gone(r, &old[k]);
}

enum decide_announce networks_wanted(const struct route *r, size_t network, int family)
{
	const struct unit *u = &r->networks[network].family[family];

	return u->exists ? u->decide.now : DECIDE_WITHDRAW;
}

bool networks_are_out(const struct route *r)
{
	for (size_t i = 0; i < r->network_count; i++)
		for (int f = 0; f < BOARD_FAMILIES; f++)
			if (networks_wanted(r, i, f) != DECIDE_WITHDRAW)
				return false;
	return true;
}

/* Of the worker that has been silent longest; *lives: at least one is not dead. */
static uint64_t worker_silent_ms(const struct route *r, uint64_t now_ns, bool *lives)
{
	uint32_t workers = atomic_load(&r->role->board->supervisor.workers);
	uint64_t worst = 0;

	*lives = false;
	for (uint32_t i = 0; i < workers && i < BOARD_WORKERS_MAX; i++) {
		uint64_t age = board_age_ns(&r->role->board->workers[i].stamp, now_ns);

		*lives |= age / 1000000U <= WORKER_DEAD_MS;
		worst = MAX(worst, age == UINT64_MAX ? age : age / 1000000U);
	}
	return worst;
}

static uint64_t ms_since(uint64_t then_ns, uint64_t now_ns)
{
	return !then_ns ? UINT64_MAX : now_ns > then_ns ? (now_ns - then_ns) / 1000000U : 0;
}

/* What is seen of the other pops, of both families. */
struct sight {
	size_t count;
	struct guard_peer peers[BOARD_FAMILIES][BOARD_PEERS_MAX];
};

static void look_around(const struct route *r, size_t i, uint64_t now_ns, struct sight *s)
{
	const struct board_watch_peers *rows = &r->role->board->watch.peers[i];
	const struct config *c = r->role->config;
	uint32_t count = MIN(atomic_load(&rows->count), (uint32_t)BOARD_PEERS_MAX);

	s->count = 0;
	for (uint32_t k = 0; k < count; k++) {
		struct board_peer p;

		if (!board_copy(&rows->peer[k].seq, &rows->peer[k], &p, sizeof(p)) || p.node >= c->node_count ||
		    p.node >= CONFIG_NODES_MAX || !(r->networks[i].pops[p.node / 64] >> (p.node % 64) & 1U))
			continue;
		for (int f = 0; f < BOARD_FAMILIES; f++)
			s->peers[f][s->count] = (struct guard_peer){
				.name = c->nodes[p.node].name, .place = p.node, .age_ms = ms_since(p.heard_ns, now_ns),
				.answered = p.heard_ns && p.asked_ns <= p.heard_ns + ANSWER_MS * 1000000ULL, .round_ms = p.round_us / 1000U,
				.says = p.family[f], .data_age_ms = p.data_age_ms, .load = p.load, .headroom = p.headroom};
		s->count++;
	}
}

/* While watch tells a network's verdict and not that of each family. */
static uint32_t answers_by_checks(const struct config_network *c, const struct board_watch_network *b, int family)
{
	uint32_t passing = 0;

	for (size_t i = 0; i < c->address_count && i < BOARD_ADDRESSES_MAX; i++)
		for (int t = 0; t < 2; t++)
			passing += (c->addresses[i].family == 4) == (family == 0) && b->checks[i][t].verdict == VERDICT_PASS;
	return passing;
}

/* What is the same for both families. */
static void look(struct route *r, size_t i, uint64_t now_ns, struct decide_input *in)
{
	struct board *b = r->role->board;
	uint64_t age = board_age_ns(&b->watch.stamp, now_ns);

	*in = (struct decide_input){.verdict = DECIDE_UNKNOWN, .verdict_why = ""};
	in->worker_silent_ms = worker_silent_ms(r, now_ns, &in->worker_lives);
	in->zones_ready = atomic_load(&b->sync.networks[i].ready);
	in->zones = atomic_load(&b->sync.networks[i].zones);
	in->zones -= MIN(atomic_load(&b->sync.networks[i].excused), in->zones);
	in->zones = MAX(in->zones, in->zones_ready) + atomic_load(&b->sync.networks[i].awaited);
	if (!board_get(&b->sync.loads_done)) { /* the first load is not over: nothing counts as ready */
		in->zones = MAX(in->zones, 1U);
		in->zones_ready = 0;
	}
	in->checks_silent_ms = age == UINT64_MAX ? UINT64_MAX : age / 1000000U;
	in->drain = atomic_load(&b->supervisor.orders[i].order) == ORDER_DRAIN;
	in->frozen = atomic_load(&b->supervisor.orders[i].order) == ORDER_FREEZE;
	in->forced = atomic_load(&b->supervisor.orders[i].order) == ORDER_FORCE;
	in->stopping = r->stopping;
}

/* What differs. `copy` is watch's, whole. */
static void look_at_family(const struct route *r, size_t i, int f, const struct board_watch_network *copy, const struct sight *s,
                           struct decide_input *in)
{
	static const enum decide_verdict verdicts[] = {DECIDE_UNKNOWN, DECIDE_PASS, DECIDE_SOFT, DECIDE_HARD};
	const struct board_watch_family *own = &copy->family[f];
	bool told = own->verdict || own->checks || own->why[0];
	uint32_t verdict = told ? own->verdict : copy->verdict;

	in->verdict = verdict < ARRAY_LEN(verdicts) ? verdicts[verdict] : DECIDE_UNKNOWN;
	in->verdict_why = told ? own->why : copy->why;
	in->causes = told ? own->causes : 0;
	in->answers = (told ? own->passing : answers_by_checks(route_network_conf(r, i), copy, f)) > 0;
	in->refused_why = origins_all_refused(r, route_network_conf(r, i), f ? 6 : 4);
	in->seen = (struct guard_input){.place = (uint32_t)(r->role->node - r->role->config->nodes), .others = r->networks[i].others, .peers = s->peers[f],
	                                .peer_count = s->count, .data_age_ms = copy->data_age_ms, .stale_in_ms = copy->stale_in_ms,
	                                .load = copy->load, .qps = copy->qps};
}

static bool is_alert(enum decide_reason reason)
{
	return reason == DECIDE_LAST || reason == DECIDE_KEPT || reason == DECIDE_NO_VERDICT || reason == DECIDE_FORCED || reason == DECIDE_FROZEN ||
	       reason == DECIDE_ZONES_ANYWAY || reason == DECIDE_ABSORBING;
}

/* One unit. True when what is announced changes. */
static bool judge(struct route *r, size_t i, int f, const struct decide_input *in, uint64_t now)
{
	static const char *const words[] = {"withdraw", "announce", "graceful-shutdown", "de-prefer"};
	struct network *n = &r->networks[i];
	struct unit *u = &n->family[f];
	enum decide_reason reason = u->decide.reason;
	enum decide_announce was = u->decide.now;
	uint32_t intent = u->decide.guard.intent;
	bool changed = decide_step(&u->decide, &n->conf, in, now);
	char why[DECIDE_WHY_MAX] = "", inputs[DECIDE_INPUTS_MAX];

	decide_explain(&u->decide, &n->conf, in, why);
	if (changed || strcmp(why, u->why) != 0 || intent != u->decide.guard.intent) {
		snprintf(u->why, sizeof(u->why), "%s", why);
		show_network(r, i);
	}
	if (changed) {
		event_announce(r, n->name, f, show_announce_of(was), show_announce_of(u->decide.now), u->decide.reason, u->why);
		log_notice("network=%s family=ipv%d decision=%s was=%s flaps=%u why=\"%s\" %s", n->name, f ? 6 : 4, words[u->decide.now], words[was],
		           u->decide.flaps, u->why, decide_inputs(&u->decide, in, inputs, sizeof(inputs)));
	} else if (u->decide.reason != reason && is_alert(u->decide.reason) && (!u->alerted_ms || now - u->alerted_ms >= ALERT_EVERY_MS)) {
		u->alerted_ms = now;
		event_kept(r, n->name, f, show_announce_of(u->decide.now), u->why);
		log_warn("network=%s family=ipv%d kept=%s why=\"%s\" %s", n->name, f ? 6 : 4, words[u->decide.now], u->why,
		         decide_inputs(&u->decide, in, inputs, sizeof(inputs)));
	}
	return changed;
}

bool networks_judge(struct route *r, uint64_t now_ns)
{
	static struct board_watch_network copy; /* large; one thread */
	static struct sight sight;
	bool changed = false;

	origins_look(r, now_ns);
	for (size_t i = 0; i < r->network_count; i++) {
		struct decide_input in;

		look(r, i, now_ns, &in);
		look_around(r, i, now_ns, &sight);
		if (!board_copy(&r->role->board->watch.networks[i].seq, &r->role->board->watch.networks[i], &copy, sizeof(copy)))
			memset(&copy, 0, sizeof(copy)); /* its writer died inside: there is no verdict */
		for (int f = 0; f < BOARD_FAMILIES; f++) {
			if (!r->networks[i].family[f].exists)
				continue;
			look_at_family(r, i, f, &copy, &sight, &in);
			changed |= judge(r, i, f, &in, now_ns / 1000000U);
			changed |= origins_apply(r, i, f);
		}
	}
	return changed;
}
