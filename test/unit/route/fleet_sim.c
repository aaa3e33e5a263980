/* SPDX-License-Identifier: BSD-2-Clause */
/* What is simulated: 2 to 12 nodes of one network; clients that go to who announces; checks that see a fault after a while and its end after a
 * longer while; a primary; questions and answers between the nodes with delay and loss, over links that may be cut one way; processes that
 * stop for seconds with their announcements standing, and go on; crashes and restarts; orders. What each node does with it is decide.c and
 * guard.c as they are.
 *
 * A schedule: the fleet starts and announces, faults come and go for a while. Then in one kind of schedule all faults end, and all nodes
 * must announce again; in the other they stay, and what must hold for any mixture of faults must hold.
 *
 * Invariants, checked at each step:
 *	zero        nobody announces for long although a node was fit to all the while
 *	soft-zero   a node leaves for a soft cause and too few others announce at that moment, apart from those that failed or were stopped just now
 *	circle      two nodes left within a moment relying on each other
 *	together    two nodes that see each other well left for the same cause within a moment
 *	shared      a node leaves for what all have, or are about to have
 *	thaws       a frozen node changes what it announces
 *	oscillates  announced again before the hold-down was over, or moved for a soft cause before the dwell time was
 *	wrong       a node whose checks fail announces, though it is not the last
 *	not-back    the faults are over, and a node does not announce
 *	missing     the faults stay, and a node that has none does not announce
 *	lingers     the faults stay, a node has old data or a cause that others have not, sees them well, and announces as if nothing were
 *	no-last     the faults stay, all see each other and fail, some in part only, and nobody announces
 *	starved     the faults stay, nobody announces, and a node answers rightly */
#include "fleet_sim.h"

#include "route/decide.h"

#include <stdio.h>
#include <string.h>

enum {
	NODES_MAX = 12,
	TICK_MS = 50,
	SETTLE_MS = 8000,       /* the start, without faults */
	SEEN_HARD_MS = 200,     /* from a fault to the verdict */
	SEEN_PASS_MS = 1000,    /* from its end to the verdict */
	STALE_MS = 12000,
	BACK_MS = 110000,       /* load that was shed stays away for a minute, twice if it must */
	STAY_MS = 48000,
	ZERO_MS = 22000,        /* longest hold-down in an emergency, after the time views count, and once more */
	CAPACITY = 1000,
	WORKER_DEAD = 150,
};

struct public { /* what a node tells */
	struct board_peer_family says;
	uint64_t data_age_ms;
	uint32_t load, headroom;
};

struct view {
	uint64_t asked, heard; /* 0: never */
	uint64_t sample_at, arrive_at, next_at;
	bool waiting, sampled, answered;
	uint32_t round;
	struct public flight, got;
};

struct node {
	struct decide_state d;
	struct public told;
	bool alive, watch_dead, cut, drain, freeze, force, workers_dead, headroom_unknown;
	int wrong;             /* 0 right, 1 in part, 2 nothing is answered */
	uint32_t causes;       /* that last: SIGNATURES, ZONES, ... */
	uint64_t stopped_until, loaded_at, watch_dead_since, wrong_since, right_since, fresh_at, refresh_at, dead_since;
	bool hard_seen;
	uint32_t qps, weight;
	bool overloaded;
	uint64_t over_since, under_since;
	uint64_t fit_since;    /* nothing is wrong with it; 0: something is */
	uint64_t hard_since;   /* the decision saw hard failure */
	uint64_t fell_at, fell_flaps, came_back_at, soft_back_at, lost_at; /* lost: gone for any reason but the guard's leave */
	uint64_t left_at;
	uint32_t left_for, left_behind, relied_on, saw; /* the last two: a bit a node */
	uint32_t coming;       /* causes that all get, each at its time */
	uint64_t coming_at;
	uint64_t frozen_since;
	enum decide_announce frozen_as;
	bool announced_before;
};

struct sim {
	uint64_t rng, now, end_faults;
	struct node n[NODES_MAX];
	struct view view[NODES_MAX][NODES_MAX];
	bool cut[NODES_MAX][NODES_MAX]; /* questions of the first to the second and their answers */
	uint64_t links_good_since;
	uint32_t count, keep, loss, delay, demand;
	bool primary_dead, faults_end, with_load, trace, headroom_known;
	uint32_t shared;        /* causes that came to all */
	uint64_t zero_since, zones_at;
	struct decide_conf conf;
	struct sim_result *out;
};

static uint32_t rnd(struct sim *s, uint32_t below)
{
	uint64_t z = (s->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}

#define TRACE(s, ...)                                                                    \
	do {                                                                             \
		if ((s)->trace) {                                                        \
			fprintf(stderr, "%7u ms  ", (unsigned)(s)->now);                 \
			fprintf(stderr, __VA_ARGS__);                                    \
			fputc('\n', stderr);                                             \
		}                                                                        \
	} while (0)

static void violate(struct sim *s, const char *what, uint32_t node)
{
	if (s->out->violation)
		return;
	TRACE(s, "VIOLATION %s, node %u", what, node);
	s->out->violation = what;
	s->out->at_ms = (uint32_t)s->now;
	s->out->node = node;
}

static bool runs(const struct sim *s, const struct node *n)
{
	return n->alive && s->now >= n->stopped_until;
}

static bool announces(const struct node *n)
{
	return n->alive && n->d.now != DECIDE_WITHDRAW;
}

/* ---- what happens ---- */

static void start(struct sim *s, uint32_t i)
{
	struct node *n = &s->n[i];

	n->alive = true;
	n->loaded_at = s->now + 500 + rnd(s, 2000);
	n->right_since = n->loaded_at;
	n->hard_seen = false;
	n->workers_dead = n->watch_dead = false;
	n->told = (struct public){0};
	n->stopped_until = n->hard_since = n->fell_at = n->soft_back_at = n->frozen_since = 0;
	n->overloaded = false;
	decide_init(&n->d, s->now);
	memset(s->view[i], 0, sizeof(s->view[i]));
}

static void set_wrong(struct sim *s, struct node *n, int wrong)
{
	if (wrong && !n->wrong)
		n->wrong_since = s->now;
	if (!wrong && n->wrong)
		n->right_since = s->now;
	n->wrong = wrong;
}

static void crash(struct sim *s, struct node *n)
{
	if (announces(n))
		n->lost_at = s->now;
	n->alive = false;
	n->left_at = 0;
}

static void cut_link(struct sim *s, uint32_t i, uint32_t j, bool cut)
{
	if (i != j && s->cut[i][j] != cut) {
		s->cut[i][j] = cut;
		s->links_good_since = UINT64_MAX;
	}
}

static void order(struct node *n, uint32_t which)
{
	n->drain = which == 1;
	n->freeze = which == 2;
	n->force = which == 3;
}

/* A cause comes to all within some seconds, or goes; or one node alone has it, or is rid of it. */
static void cause(struct sim *s, uint32_t i)
{
	static const uint32_t whats[] = {CAUSE_SIGNATURES, CAUSE_ZONES, CAUSE_BACKENDS};
	uint32_t what = whats[rnd(s, 3)];
	bool had = false, all = rnd(s, 2), on = all ? !(s->shared & what) : !(s->n[i].causes & what);

	s->shared &= ~what;
	if (!all) {
		s->n[i].causes ^= what;
		s->shared = s->n[i].coming ? 0 : s->shared;
		s->n[i].coming = 0;
		TRACE(s, "node %u %s cause %u", i, on ? "gets" : "loses", what);
		return;
	}
	for (uint32_t k = 0; k < s->count; k++) {
		struct node *n = &s->n[k];

		n->coming = on ? what : 0;
		n->coming_at = s->now + rnd(s, 8000);
		had |= n->causes & what; /* alone, for so long that it may go */
		n->causes &= ~what;
	}
	s->shared = on && !had ? what : 0;
	TRACE(s, "cause %u %s all nodes", what, on ? "comes to" : "leaves");
}

static void heal(struct sim *s)
{
	TRACE(s, "all faults end");
	s->primary_dead = false;
	s->zero_since = 0;
	s->loss = 0;
	s->delay = MIN(s->delay, 60U);
	s->demand = s->count * CAPACITY / 4;
	memset(s->cut, 0, sizeof(s->cut));
	for (uint32_t i = 0; i < s->count; i++) {
		struct node *n = &s->n[i];

		order(n, 0);
		n->cut = n->watch_dead = n->workers_dead = false;
		n->causes = n->coming = 0;
		n->stopped_until = 0;
		set_wrong(s, n, 0);
		if (!n->alive)
			start(s, i);
	}
}

static void event(struct sim *s)
{
	uint32_t i = rnd(s, s->count), j = rnd(s, s->count), what = rnd(s, s->with_load ? 26 : 22);
	struct node *n = &s->n[i];

	switch (what) {
	case 0:
	case 1:
		if (n->alive) {
			TRACE(s, "node %u crashes", i);
			crash(s, n);
		} else {
			TRACE(s, "node %u starts", i);
			start(s, i);
		}
		break;
	case 2:
	case 3:
		set_wrong(s, n, n->wrong ? 0 : 1 + (int)rnd(s, 2));
		TRACE(s, "node %u wrong=%d", i, n->wrong);
		break;
	case 4:
	case 5:
		n->cut = !n->cut;
		TRACE(s, "node %u %s the primary", i, n->cut ? "loses" : "reaches");
		break;
	case 6:
	case 7:
		s->primary_dead = !s->primary_dead;
		TRACE(s, "the primary is %s", s->primary_dead ? "dead" : "back");
		break;
	case 8:
		cut_link(s, i, j, !s->cut[i][j]);
		TRACE(s, "node %u %s %u", i, s->cut[i][j] ? "does not see" : "sees", j);
		break;
	case 9:
		for (uint32_t k = 0; k < s->count; k++)
			for (uint32_t l = 0; l < s->count; l++)
				cut_link(s, k, l, k != l && (k <= i) != (l <= i));
		TRACE(s, "the fleet is cut in two after node %u", i);
		break;
	case 10:
		for (uint32_t k = 0; k < s->count; k++)
			for (uint32_t l = 0; l < s->count; l++)
				cut_link(s, k, l, false);
		TRACE(s, "all links are whole");
		break;
	case 11:
		s->loss = rnd(s, 2) ? 0 : rnd(s, 60);
		TRACE(s, "loss %u%%", s->loss);
		break;
	case 12:
		s->delay = 10 + rnd(s, rnd(s, 4) ? 120 : 900);
		TRACE(s, "delay %u ms", s->delay);
		break;
	case 13:
		n->watch_dead = !n->watch_dead;
		n->watch_dead_since = s->now;
		TRACE(s, "checks of node %u %s", i, n->watch_dead ? "die" : "are back");
		break;
	case 14:
	case 15:
		n->stopped_until = s->now + 100 + rnd(s, 6000);
		TRACE(s, "node %u is stopped for %u ms", i, (unsigned)(n->stopped_until - s->now));
		break;
	case 16:
		order(n, rnd(s, 4));
		TRACE(s, "node %u order drain=%d freeze=%d force=%d", i, n->drain, n->freeze, n->force);
		break;
	case 17:
	case 22:
	case 23:
	case 24:
	case 25:
		s->demand = s->with_load ? s->count * CAPACITY * (10 + rnd(s, 140)) / 100 : s->demand;
		TRACE(s, "demand %u", s->demand);
		break;
	case 18:
	case 19:
		cause(s, i);
		break;
	case 20:
		n->workers_dead = !n->workers_dead;
		n->dead_since = s->now;
		TRACE(s, "a worker of node %u %s", i, n->workers_dead ? "dies" : "lives");
		break;
	case 21:
		set_wrong(s, n, 1);
		for (uint32_t k = 0; k < s->count; k++)
			set_wrong(s, &s->n[k], 1 + (int)(rnd(s, 4) == 0));
		TRACE(s, "all nodes go wrong");
		break;
	}
}

/* ---- the world ---- */

static void clients(struct sim *s)
{
	enum decide_announce best = DECIDE_WITHDRAW;
	uint64_t weight = 0;

	for (uint32_t i = 0; i < s->count; i++)
		if (announces(&s->n[i]))
			best = s->n[i].d.now == DECIDE_ANNOUNCE ? DECIDE_ANNOUNCE : best == DECIDE_WITHDRAW ? DECIDE_DEPREF : best;
	for (uint32_t i = 0; i < s->count; i++)
		if (announces(&s->n[i]) && (s->n[i].d.now == DECIDE_ANNOUNCE) == (best == DECIDE_ANNOUNCE))
			weight += s->n[i].weight;
	for (uint32_t i = 0; i < s->count; i++) {
		struct node *n = &s->n[i];
		bool takes = announces(n) && (n->d.now == DECIDE_ANNOUNCE) == (best == DECIDE_ANNOUNCE);

		n->qps = takes && weight ? (uint32_t)((uint64_t)s->demand * n->weight / weight) : 0;
		if (n->qps > CAPACITY * 95 / 100) {
			n->under_since = 0;
			n->over_since = n->over_since ? n->over_since : s->now;
			n->overloaded |= s->now - n->over_since >= 1500;
		} else {
			n->over_since = 0;
			if (n->qps < CAPACITY * 80 / 100) {
				n->under_since = n->under_since ? n->under_since : s->now;
				n->overloaded &= s->now - n->under_since < 2000;
			}
		}
	}
}

static void data(struct sim *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct node *n = &s->n[i];

		if (n->coming && s->now >= n->coming_at) {
			n->causes |= n->coming;
			n->coming = 0;
		}
		if (s->now < n->refresh_at)
			continue;
		n->refresh_at = s->now + 800 + rnd(s, 400);
		if (runs(s, n) && !n->cut && !s->primary_dead)
			n->fresh_at = s->now;
	}
}

static bool presses(const struct sim *s, uint32_t i)
{
	for (uint32_t j = 0; j < s->count; j++)
		if (j != i && s->view[i][j].got.says.intent && s->now - s->view[i][j].heard <= GUARD_KNOWN_MS)
			return true;
	return s->n[i].told.says.intent != 0;
}

static void talk(struct sim *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t interval = presses(s, i) ? 100 : 1000;

		if (!runs(s, &s->n[i]) || s->n[i].watch_dead)
			continue;
		for (uint32_t j = 0; j < s->count; j++) {
			struct view *v = &s->view[i][j];

			if (i == j)
				continue;
			if (v->waiting && !v->sampled && s->now >= v->sample_at) {
				v->sampled = true;
				v->answered = runs(s, &s->n[j]) && !s->cut[i][j] && rnd(s, 100) >= s->loss;
				v->flight = s->n[j].told;
			}
			if (v->waiting && s->now >= v->arrive_at) {
				v->waiting = false;
				if (v->sampled && v->answered) {
					v->got = v->flight;
					v->heard = v->asked;
					v->round = (uint32_t)(v->arrive_at - v->asked);
				}
			}
			if (!v->waiting && (s->now >= v->next_at || s->now - v->asked >= interval)) {
				uint32_t there = rnd(s, s->delay), back = rnd(s, s->delay);

				v->asked = s->now;
				v->sample_at = s->now + there;
				v->arrive_at = v->sample_at + back;
				v->next_at = s->now + interval;
				v->waiting = true;
				v->sampled = false;
			}
		}
	}
}

/* ---- a node ---- */

static uint64_t data_age(const struct sim *s, const struct node *n)
{
	return s->now - n->fresh_at;
}

static void look(struct sim *s, uint32_t i, struct decide_input *in, struct guard_peer peers[NODES_MAX])
{
	struct node *n = &s->n[i];
	uint64_t age = data_age(s, n);
	size_t count = 0;

	if (n->wrong && s->now - n->wrong_since >= SEEN_HARD_MS)
		n->hard_seen = true;
	if (!n->wrong && s->now >= n->right_since + SEEN_PASS_MS)
		n->hard_seen = false;
	*in = (struct decide_input){.worker_silent_ms = n->workers_dead ? s->now - n->dead_since : 5, .worker_lives = true, .zones = 2,
	                            .zones_ready = s->now < n->loaded_at ? 0 : n->causes & CAUSE_ZONES ? 1 : 2, .verdict = DECIDE_PASS, .verdict_why = "x",
	                            .answers = n->wrong != 2, .checks_silent_ms = n->watch_dead ? s->now - n->watch_dead_since : 10,
	                            .drain = n->drain, .frozen = n->freeze, .forced = n->force};
	if (s->now < n->loaded_at + SEEN_PASS_MS && !n->hard_seen)
		in->verdict = DECIDE_UNKNOWN;
	else if (n->hard_seen)
		in->verdict = DECIDE_HARD;
	if (in->verdict == DECIDE_PASS) {
		in->causes = n->causes | (age >= STALE_MS ? CAUSE_STALE : 0U) | (n->overloaded ? CAUSE_OVERLOAD : 0U);
		in->verdict = in->causes ? DECIDE_SOFT : DECIDE_PASS;
	}
	for (uint32_t j = 0; j < s->count; j++) {
		const struct view *v = &s->view[i][j];

		if (j == i)
			continue;
		peers[count++] = (struct guard_peer){.name = "", .place = j, .age_ms = v->heard ? s->now - v->heard : UINT64_MAX,
		                                     .answered = v->heard && v->asked <= v->heard + 2000, .round_ms = v->round, .says = v->got.says,
		                                     .data_age_ms = v->got.data_age_ms, .load = v->got.load, .headroom = v->got.headroom};
	}
	in->seen = (struct guard_input){.place = i, .others = s->count - 1, .peers = peers, .peer_count = count, .data_age_ms = MAX(age, 1U),
	                                .stale_in_ms = age >= STALE_MS ? 0 : STALE_MS - age, .load = MIN(n->qps * 1000U / CAPACITY, 1000U),
	                                .qps = n->qps};
}

static void tell(struct sim *s, struct node *n, const struct decide_input *in)
{
	static const enum board_announce as[] = {ANNOUNCE_NONE, ANNOUNCE_YES, ANNOUNCE_GSHUT, ANNOUNCE_DEPREF};

	n->told.says = (struct board_peer_family){.announce = (uint8_t)as[n->d.now], .verdict = (uint8_t)in->verdict, .causes = (uint8_t)in->causes,
	                                          .intent = (uint8_t)n->d.guard.intent, .answers = in->answers && in->zones_ready};
	n->told.data_age_ms = in->seen.data_age_ms;
	n->told.load = in->seen.load;
	n->told.headroom = !s->headroom_known ? UINT32_MAX : n->qps >= CAPACITY * 9 / 10 ? 0 : CAPACITY * 9 / 10 - n->qps;
}

/* Whom a leave relies on, as the guard counts; and whom it saw. */
static uint32_t relied_on(const struct decide_input *in, uint32_t *saw)
{
	uint32_t mask = 0;

	*saw = 0;

	for (size_t k = 0; k < in->seen.peer_count; k++) {
		struct guard_input one = in->seen;
		struct guard_view v;

		one.peers = &in->seen.peers[k];
		one.peer_count = 1;
		guard_look(&one, in->causes & ~(uint32_t)CAUSE_OVERLOAD, &v);
		if (in->seen.peers[k].age_ms <= GUARD_FRESH_MS)
			*saw |= 1U << in->seen.peers[k].place;
		if (v.better_fresh)
			mask |= 1U << in->seen.peers[k].place;
	}
	return mask;
}

static void check_leave(struct sim *s, uint32_t i, const struct decide_input *in)
{
	struct node *n = &s->n[i];
	uint32_t there = 0, fresher = 0;

	n->left_at = s->now;
	n->left_for = in->causes;
	n->left_behind = n->d.guard.front;
	n->relied_on = relied_on(in, &n->saw);
	s->out->leaves++;
	for (uint32_t j = 0; j < s->count; j++) {
		const struct node *o = &s->n[j];
		bool recent = o->left_at && s->now - o->left_at < GUARD_WAIT_MS;

		if (j == i)
			continue;
		there += announces(o) || (o->lost_at && s->now - o->lost_at <= GUARD_FRESH_MS + 2U * GUARD_ROUND_MAX_MS) || s->now < o->stopped_until;
		if (recent && (o->relied_on & (1U << i)) && (n->relied_on & (1U << j)))
			violate(s, "circle", i);
		if (recent && s->now - o->left_at < GUARD_WAIT_MS - 150 && (o->left_for & in->causes & CAUSE_STALE) && !o->left_behind &&
		    !n->left_behind && (o->saw & (1U << i)) && (n->saw & (1U << j)))
			violate(s, "together", i);
		/* It was like that when it was looked at, and its primary cannot have gone for long since. */
		fresher += data_age(s, o) < data_age(s, n) / 2 + 3000;
	}
	if (in->causes == CAUSE_STALE && fresher < s->keep)
		violate(s, "shared", i);
	if (!(in->causes & ~(s->shared | CAUSE_OVERLOAD)))
		violate(s, "shared", i);
	if (there < s->keep)
		violate(s, "soft-zero", i);
}

static uint64_t hold_of(const struct decide_conf *c, uint32_t flaps)
{
	uint64_t hold = c->rise_hold_ms;

	for (uint32_t k = 1; k < flaps && hold < c->rise_hold_max_ms; k++)
		hold *= 2;
	return !flaps ? 0 : MIN(hold, (uint64_t)c->rise_hold_max_ms);
}

static bool is_soft_move(enum decide_reason why)
{
	return why == DECIDE_LEFT || why == DECIDE_DEPREFERRED || why == DECIDE_SHEDDING;
}

static void check_move(struct sim *s, uint32_t i, enum decide_announce was, const struct decide_input *in)
{
	static const char *const words[] = {"withdraws", "announces", "drains", "de-prefers"};
	struct node *n = &s->n[i];
	char why[DECIDE_WHY_MAX] = "";
	bool ordered = n->force || n->freeze || n->drain;

	s->out->moves++;
	TRACE(s, "node %u %s (flaps %u): %s", i, words[n->d.now], n->d.flaps, decide_explain(&n->d, &s->conf, in, why));
	if (n->d.reason == DECIDE_LEFT)
		check_leave(s, i, in);
	s->out->deprefs += n->d.reason == DECIDE_DEPREFERRED;
	s->out->sheds += n->d.reason == DECIDE_SHEDDING;
	s->out->returns += n->d.reason == DECIDE_CAME_BACK;
	if (n->d.now == DECIDE_WITHDRAW) {
		n->fell_at = n->d.reason == DECIDE_DRAINED || n->d.reason == DECIDE_NO_VERDICT_OUT ? 0 : s->now;
		if (n->d.reason != DECIDE_LEFT)
			n->lost_at = s->now;
	} else if (was == DECIDE_WITHDRAW && n->fell_at && !ordered &&
	           s->now - n->fell_at + TICK_MS < MIN(hold_of(&s->conf, n->d.flaps), (uint64_t)DECIDE_EMERGENCY_MS)) {
		violate(s, "oscillates", i);
	}
	if (is_soft_move(n->d.reason) && n->soft_back_at && s->now - n->soft_back_at < DECIDE_DWELL_MS)
		violate(s, "oscillates", i);
	if (n->d.reason == DECIDE_CAME_BACK || (was == DECIDE_DEPREF && n->d.now == DECIDE_ANNOUNCE && !ordered))
		n->soft_back_at = s->now;
}

/* Another node that announces, is right, and that this one must have seen for long. */
static bool someone_else_carries(const struct sim *s, uint32_t i)
{
	for (uint32_t j = 0; j < s->count; j++) {
		const struct node *o = &s->n[j];

		if (j != i && announces(o) && o->fit_since && s->now - o->fit_since > 12000 && s->now - o->d.since_ms > 8000 && !s->cut[i][j] &&
		    !s->loss && !s->n[i].watch_dead && s->links_good_since < s->now && s->now - s->links_good_since > 8000)
			return true;
	}
	return false;
}

static void step(struct sim *s, uint32_t i)
{
	struct node *n = &s->n[i];
	enum decide_announce was = n->d.now;
	struct guard_peer peers[NODES_MAX];
	struct decide_input in;
	bool hard;

	look(s, i, &in, peers);
	s->out->steps++;
	if (decide_step(&n->d, &s->conf, &in, s->now))
		check_move(s, i, was, &in);
	tell(s, n, &in);
	if (!n->freeze || !n->frozen_since || n->workers_dead) {
		n->frozen_since = n->freeze && !n->workers_dead ? s->now : 0;
		n->frozen_as = was;
	} else if (n->frozen_as == DECIDE_ANNOUNCE && n->d.now != DECIDE_ANNOUNCE) {
		violate(s, "thaws", i);
	}
	hard = in.verdict == DECIDE_HARD && in.checks_silent_ms <= DECIDE_SILENT_MS && !n->force && !n->freeze;
	n->hard_since = hard ? (n->hard_since ? n->hard_since : s->now) : 0;
	if (hard && s->now - n->hard_since > 1000 && n->d.now != DECIDE_WITHDRAW) {
		s->out->lasts++;
		if (n->d.reason != DECIDE_LAST || (s->now - n->hard_since > 10000 && s->now - n->d.since_ms > 10000 && someone_else_carries(s, i)))
			violate(s, "wrong", i);
	}
}

/* Nothing speaks against its being announced: that it is right, if old. */
static bool is_fit(const struct sim *s, const struct node *n)
{
	return runs(s, n) && !n->wrong && !n->hard_seen && s->now >= n->loaded_at && !n->watch_dead && !n->workers_dead && !n->drain && !n->freeze;
}

static void watch_over(struct sim *s)
{
	uint32_t up = 0;
	uint64_t longest = UINT64_MAX, patience = ZERO_MS;

	for (uint32_t i = 0; i < s->count; i++) {
		struct node *n = &s->n[i];

		up += announces(n);
		if (n->causes & CAUSE_ZONES)
			s->zones_at = s->now;
		if (!is_fit(s, n))
			n->fit_since = 0;
		else if (!n->fit_since)
			n->fit_since = s->now;
		if (n->fit_since)
			longest = MIN(longest, n->fit_since);
	}
	if (s->zones_at && s->now - s->zones_at < ZERO_MS + DECIDE_BLIND_MS) /* one may have started so */
		patience = ZERO_MS + DECIDE_BLIND_MS;
	if (up)
		s->zero_since = 0;
	else if (!s->zero_since)
		s->zero_since = s->now;
	if (!up && longest != UINT64_MAX && s->now - MAX(longest, s->zero_since) > patience)
		violate(s, "zero", 0);
	if (s->links_good_since == UINT64_MAX) {
		bool good = true;

		for (uint32_t i = 0; i < s->count; i++)
			for (uint32_t j = 0; j < s->count; j++)
				good &= !s->cut[i][j];
		if (good)
			s->links_good_since = s->now;
	}
}

static void tick(struct sim *s)
{
	s->now += TICK_MS;
	data(s);
	clients(s);
	talk(s);
	for (uint32_t i = 0; i < s->count; i++)
		if (runs(s, &s->n[i]) && rnd(s, 16))
			step(s, i);
	watch_over(s);
}

static bool all_announce(const struct sim *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!s->n[i].alive || s->n[i].d.now != DECIDE_ANNOUNCE)
			return false;
	return true;
}

/* ---- a schedule ---- */

static void set_up(struct sim *s, uint64_t seed)
{
	s->rng = seed * 0x2545f4914f6cdd1dULL + 1;
	s->now = 1000000;
	s->count = 2 + (rnd(s, 3) ? rnd(s, 4) : rnd(s, NODES_MAX - 1));
	s->keep = 1 + (rnd(s, 4) == 0 && s->count > 2 ? rnd(s, s->count - 1) : 0);
	s->delay = 20 + rnd(s, 60);
	s->with_load = rnd(s, 2);
	s->headroom_known = rnd(s, 3) != 0;
	s->faults_end = rnd(s, 5) < 3;
	s->demand = s->count * CAPACITY / 4;
	s->conf = (struct decide_conf){.worker_dead_ms = WORKER_DEAD, .drain_ms = 2000, .rise_hold_ms = 1000, .rise_hold_max_ms = 8000,
	                               .keep_at_least = s->keep, .leave_causes = CAUSE_STALE | CAUSE_BEHIND | CAUSE_EXPIRY | CAUSE_ZONES | CAUSE_SIGNATURES | CAUSE_BACKENDS,
	                               .shed = rnd(s, 2), .last_pop_stays = rnd(s, 8) != 0};
	s->out->nodes = s->count;
	for (uint32_t i = 0; i < s->count; i++) {
		s->n[i].weight = 1 + rnd(s, 10);
		s->n[i].fresh_at = s->now;
		start(s, i);
	}
}

static void end_with_faults_over(struct sim *s)
{
	uint64_t began = s->now;

	heal(s);
	while (!all_announce(s)) {
		tick(s);
		if (s->now - began <= BACK_MS)
			continue;
		for (uint32_t i = 0; i < s->count; i++)
			if (s->n[i].d.now != DECIDE_ANNOUNCE)
				violate(s, "not-back", i);
		return;
	}
	s->out->back_ms = (uint32_t)(s->now - began);
}

static void end_with_faults(struct sim *s)
{
	uint64_t began = s->now;
	uint32_t up = 0, right = 0, best = 0, partly = 0, failing = 0;
	bool calm = !s->loss && s->delay < 150 && s->links_good_since < began && !s->headroom_known;

	TRACE(s, "the faults stay");
	while (s->now - began < STAY_MS)
		tick(s);
	for (uint32_t i = 0; i < s->count; i++)
		up += announces(&s->n[i]);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct node *n = &s->n[i];
		bool well = is_fit(s, n) && s->now - n->fit_since > (n->causes & CAUSE_ZONES ? 45000U : 20000U);
		bool sound = runs(s, n) && s->now - n->loaded_at > 20000 && s->now >= n->loaded_at && !n->watch_dead && !n->workers_dead && !n->drain && !n->freeze;
		bool soft = n->causes || data_age(s, n) + 2000 > STALE_MS || n->overloaded;

		failing += sound && n->hard_since && s->now - n->hard_since > 20000;
		partly += sound && n->wrong == 1 && s->now - n->wrong_since > 20000;
		right += well;
		best += well && !n->causes && data_age(s, n) < 3000 && n->d.now == DECIDE_ANNOUNCE && n->d.reason == DECIDE_WELL && s->now - n->d.since_ms > 12000;
		if (well && !soft && !announces(n))
			violate(s, "missing", i);
	}
	for (uint32_t i = 0; i < s->count && calm && best >= s->keep; i++) {
		const struct node *n = &s->n[i];

		if (is_fit(s, n) && !n->force && s->now - n->fit_since > 45000 && n->d.now == DECIDE_ANNOUNCE && s->now - n->d.since_ms > 45000 &&
		    (n->causes || data_age(s, n) > 3U * STALE_MS))
			violate(s, "lingers", i);
	}
	if (!up && failing == s->count && partly && calm && s->conf.last_pop_stays)
		violate(s, "no-last", 0);
	if (!up && right)
		violate(s, "starved", 0);
}

void sim_run(uint64_t seed, bool trace, struct sim_result *out)
{
	static _Thread_local struct sim sim;
	struct sim *s = &sim;
	uint64_t faults_ms, next;

	memset(s, 0, sizeof(*s));
	memset(out, 0, sizeof(*out));
	s->out = out;
	s->trace = trace;
	set_up(s, seed);
	TRACE(s, "%u nodes, keep-at-least %u, %s, last pop %s", s->count, s->keep, s->conf.shed ? "shed" : "absorb", s->conf.last_pop_stays ? "stays" : "withdraws");
	while (s->now - 1000000 < SETTLE_MS)
		tick(s);
	if (!all_announce(s))
		violate(s, "not-back", 0);
	faults_ms = 4000 + rnd(s, rnd(s, 4) ? 25000 : 70000);
	s->end_faults = s->now + faults_ms;
	next = s->now;
	while (s->now < s->end_faults && !out->violation) {
		if (s->now >= next) {
			event(s);
			next = s->now + (rnd(s, 3) ? rnd(s, 1500) : rnd(s, 12000));
		}
		tick(s);
	}
	if (out->violation)
		return;
	if (s->faults_end)
		end_with_faults_over(s);
	else
		end_with_faults(s);
}
