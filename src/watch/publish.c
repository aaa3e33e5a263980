/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of a network, from its checks and from what other processes say on the board, as verdicts and facts on
 * the board. A verdict may change with nothing but the time: this is done after each result and a few times a second. */
#include "watch/watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "watch/backends.h"
#include "watch/drift.h"
#include "watch/verdict.h"
#include "zone/signatures.h"

#include <stdio.h>
#include <string.h>

/* What the strings of the facts are in. */
struct texts {
	char signatures_zone[BOARD_ZONE_MAX], expiry_zone[BOARD_ZONE_MAX], broken[BOARD_WHY_MAX];
	char backends_zone[NAME_TEXT_MAX];
	struct verdict_backends backends;
	struct drift_behind behind;
};

/* Sync knows which zone's end first. Of one that it has only a bound for nothing is said: it looks before that matters. */
static void look_at_signatures(const struct watch *w, const struct watch_network *n, struct texts *t, struct verdict_facts *facts)
{
	const struct board_sync_network *b = &w->board->sync.networks[n->index];
	struct board_sync_network copy;
	struct signatures s;

	if (!board_copy(&b->seq, b, &copy, sizeof(copy)) || copy.signatures != 1)
		return;
	s = (struct signatures){.any = true, .exact = true, .end = copy.signatures_end};
	copy.signatures_zone[BOARD_ZONE_MAX - 1] = '\0';
	memcpy(t->signatures_zone, copy.signatures_zone, BOARD_ZONE_MAX);
	facts->has_signatures = true;
	facts->signatures_left_s = signatures_left_s(&s, clock_wall_s());
	facts->signatures_zone = t->signatures_zone;
	facts->signatures_alert_s = n->signatures_alert_s;
	facts->expired_leaves = n->expired_leaves;
}

/* Zones held by transfer. A sync process that is dead or hangs moves no stamp: the data ages as if no primary answered. */
static void look_at_held(const struct watch *w, const struct watch_network *n, uint64_t now_ns, struct texts *t, struct verdict_facts *facts)
{
	const struct board_sync_network *b = &w->board->sync.networks[n->index];
	int64_t now = (int64_t)now_ns, current = atomic_load(&b->current_ns);
	struct board_sync_expiry e;

	facts->has_held = atomic_load(&b->held) > 0;
	if (!facts->has_held)
		return;
	facts->data_age_ms = now > current ? (uint64_t)(now - current) / 1000000U : 0;
	facts->stale_after_ms = n->stale_after_ms;
	if (!board_copy(&b->expiry.seq, &b->expiry, &e, sizeof(e)) || !e.near)
		return;
	e.zone[BOARD_ZONE_MAX - 1] = '\0';
	memcpy(t->expiry_zone, e.zone, BOARD_ZONE_MAX);
	facts->expiry_zone = t->expiry_zone;
	facts->expiry_left_ms = (e.at_ns - now) / 1000000;
}

static void look_at_others(const struct watch *w, const struct watch_network *n, uint64_t now_ns, struct texts *t, struct verdict_facts *facts)
{
	const struct drift_behind *b = &t->behind;

	if (!drift_is_behind(w->drift, n->name, &t->behind))
		return;
	facts->behind_zones = b->zones;
	facts->behind_of = b->of;
	facts->behind_nodes = b->nodes;
	facts->behind_ms = now_ns > b->since_ns ? (now_ns - b->since_ns) / 1000000U : 0;
	facts->behind_zone = b->zone;
	facts->behind_node = b->node;
}

static void look_at_damage(const struct watch *w, struct texts *t, struct verdict_facts *facts)
{
	char zone[NAME_TEXT_MAX];

	if (!w->damaged.len)
		return;
	name_to_text(w->damaged.wire, zone);
	snprintf(t->broken, sizeof(t->broken), "the store is damaged, the content of %.100s is not as it was written: it is being made anew", zone);
	facts->broken = t->broken;
}

/* As route counts them. */
static void look_at_zones(const struct watch *w, struct watch_network *n, uint64_t now_ns, struct verdict_facts *facts)
{
	const struct board_sync_network *b = &w->board->sync.networks[n->index];
	uint32_t zones = atomic_load(&b->zones), accounted = atomic_load(&b->ready) + atomic_load(&b->excused);

	if (!w->loaded || zones <= accounted) {
		n->zones_missing_ns = 0;
		return;
	}
	if (!n->zones_missing_ns)
		n->zones_missing_ns = now_ns;
	facts->zones_missing = zones - accounted;
	facts->zones_missing_ms = now_ns > n->zones_missing_ns ? (now_ns - n->zones_missing_ns) / 1000000U : 0;
}

static enum board_verdict check_verdict(const struct check *c)
{
	return c->health.state == HEALTH_PASS ? VERDICT_PASS : c->health.state == HEALTH_FAIL ? VERDICT_HARD : VERDICT_UNKNOWN;
}

/* ---- the board ---- */

static void put_checks(const struct watch_network *n, struct board_watch_network *b)
{
	for (uint32_t i = 0; i < 2 * BOARD_ADDRESSES_MAX; i++) {
		struct board_watch_check *to = &b->checks[i / 2][i % 2];
		const struct check *c = i < n->check_count ? n->checks[i] : NULL;

		if (!c) {
			memset(to, 0, sizeof(*to));
			continue;
		}
		to->verdict = (uint8_t)check_verdict(c);
		check_mark(c, to->mark);
		to->latency_us = c->latency_us;
		to->passes = c->health.passes;
		to->failures = c->health.failures;
	}
}

static bool take(struct watch_family *f, enum board_verdict verdict, uint64_t now_ns)
{
	if (f->verdict == verdict)
		return false;
	*f = (struct watch_family){verdict, now_ns};
	return true;
}

static void log_verdict(const struct watch_network *n, const char *family, enum board_verdict was, const struct verdict *v)
{
	log_line(v->verdict == VERDICT_HARD ? LOG_WARN : LOG_NOTICE, "watch network=%s%s verdict=%s was=%s why=\"%s\"", n->name, family,
	         board_verdict_text(v->verdict), board_verdict_text(was), v->why);
}

/* One line for the network; and one for a family that is not as the whole. */
static void note_changes(struct watch *w, struct watch_network *n, const struct verdict *all, const struct verdict family[BOARD_FAMILIES],
                         const bool own[BOARD_FAMILIES], uint64_t now_ns)
{
	static const char *const words[BOARD_FAMILIES] = {" family=ipv4", " family=ipv6"};
	enum board_verdict was = n->all.verdict;

	if (take(&n->all, all->verdict, now_ns))
		log_verdict(n, "", was, all);
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		was = n->family[f].verdict;
		if (!take(&n->family[f], family[f].verdict, now_ns))
			continue;
		if (own[f])
			watch_event_verdict(w, n->name, f, was, family[f].verdict, family[f].why);
		if (family[f].checks && family[f].checks < all->checks && family[f].verdict != all->verdict)
			log_verdict(n, words[f], was, &family[f]);
	}
}

void watch_publish(struct watch *w, struct watch_network *n, uint64_t now_ns)
{
	struct board_watch_network *b = &w->board->watch.networks[n->index];
	struct verdict_check checks[2 * BOARD_ADDRESSES_MAX];
	struct verdict_facts facts = {.loaded = w->loaded, .no_zones = true, .rise = n->rule.rise, .overload = w->load.overload,
	                              .overload_why = w->load.why};
	struct verdict all, family[BOARD_FAMILIES];
	bool own[BOARD_FAMILIES];
	uint64_t checked_ns = 0;
	struct texts texts;

	for (uint32_t i = 0; i < n->check_count; i++) {
		const struct check *c = n->checks[i];

		checks[i] = (struct verdict_check){.address = c->address, .tcp = c->tcp, .state = c->health.state,
		                                   .run = c->health.run, .run_passes = c->health.run_passes,
		                                   .passing = c->passing, .fails = c->fails, .idle = c->idle, .why = c->why};
		facts.no_zones = facts.no_zones && c->no_zones;
		checked_ns = MAX(checked_ns, c->latest_ns);
	}
	look_at_signatures(w, n, &texts, &facts);
	look_at_held(w, n, now_ns, &texts, &facts);
	look_at_zones(w, n, now_ns, &facts);
	look_at_others(w, n, now_ns, &texts, &facts);
	look_at_damage(w, &texts, &facts);
	facts.edge_zones = backends_has(w->backends, n->config_index);
	if (backends_judge(w->backends, n->config_index, now_ns, texts.backends_zone, &texts.backends))
		facts.backends = &texts.backends;
	verdict_judge(checks, n->check_count, 0, &facts, &all);
	for (int f = 0; f < BOARD_FAMILIES; f++)
		verdict_judge(checks, n->check_count, f ? 6 : 4, &facts, &family[f]);
	for (int f = 0; f < BOARD_FAMILIES; f++)
		own[f] = family[f].checks > 0;
	for (int f = 0; f < BOARD_FAMILIES; f++)
		if (!own[f] && own[!f])
			family[f] = family[!f];
	note_changes(w, n, &all, family, own, now_ns);
	board_write_begin(&b->seq);
	b->verdict = all.verdict;
	b->since_ns = n->all.since_ns;
	b->checked_ns = checked_ns;
	memcpy(b->why, all.why, sizeof(b->why));
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		struct board_watch_family *to = &b->family[f];

		to->verdict = family[f].verdict;
		to->causes = family[f].causes;
		to->checks = family[f].checks;
		to->passing = family[f].passing;
		to->since_ns = n->family[f].since_ns;
		memcpy(to->why, family[f].why, sizeof(to->why));
	}
	b->data_age_ms = facts.data_age_ms;
	b->stale_in_ms = !facts.has_held ? UINT64_MAX : facts.stale_after_ms - MIN(facts.data_age_ms, facts.stale_after_ms);
	b->load = w->load.permille;
	b->qps = w->load.qps;
	b->headroom = w->load.headroom;
	put_checks(n, b);
	board_write_end(&b->seq);
	n->hurried = facts.has_held && facts.data_age_ms >= n->stale_after_ms / 2;
}
