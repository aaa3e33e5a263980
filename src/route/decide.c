/* SPDX-License-Identifier: BSD-2-Clause */
/* The ladder of decide.h, one function a rule. A unit of decision is a network in one address family: IPv4 may fail alone.
 *
 * Hard failures need nobody's leave: a wrong answer is worse than a longer way. The one exception is the last pop: when every other pop of the
 * network is known not to announce or not to answer, one that answers anything stays, and of several hard-failed ones that all left at
 * the same moment, each seeing the others announce, the first in the order of the fleet file comes back. An unknown pop counts as one that
 * carries on: a pop that is wrong and cut off withdraws. A dead worker has no such exception, since nothing vouches for the rest, and BFD has
 * gone down with it; nor has a network of a single pop once it has withdrawn, which comes back by the checks alone.
 *
 * Soft failures move routes only as the guard says (guard.c). Out by its leave, a pop looks on: when too few others announce, or all have
 * become as bad as it is, it comes back without waiting for the end of the cause, de-preferred where others may be there that it does not see.
 * The same rule lets a node start with old data when nobody else announces, and keeps it out when others do.
 *
 * Frozen and forced. Freeze holds what is announced against checks, guard and RPKI, not against dead workers; a freeze begins with the first
 * announcement after the start of this process, so that a restart under a freeze does not take the network down. Force announces against the
 * same and against all dead workers but the last.
 *
 * Known limit: when the checks of all pops are silent for more than DECIDE_HOLD_MS all withdraw; the checks' process is also the one that sees
 * the others, so there is nothing to judge by. */
#include "route/decide.h"

#include <string.h>

void decide_init(struct decide_state *s, uint64_t now_ms)
{
	*s = (struct decide_state){.now = DECIDE_WITHDRAW, .reason = DECIDE_STARTING, .since_ms = now_ms};
}

static uint64_t hold_of(const struct decide_conf *conf, uint32_t flaps)
{
	uint64_t hold = conf->rise_hold_ms;

	if (!flaps)
		return 0;
	for (uint32_t i = 1; i < flaps && hold < conf->rise_hold_max_ms; i++)
		hold *= 2;
	return hold < conf->rise_hold_max_ms ? hold : conf->rise_hold_max_ms;
}

/* A timer that runs while `on`: how long it has. */
static uint64_t lasting(uint64_t *since_ms, bool on, uint64_t now_ms)
{
	if (!on)
		*since_ms = 0;
	else if (!*since_ms)
		*since_ms = now_ms;
	return *since_ms ? now_ms - *since_ms : 0;
}

static enum decide_announce because(struct decide_state *s, enum decide_reason reason, enum decide_announce what)
{
	s->reason = reason;
	return what;
}

/* What is announced goes on. */
static enum decide_announce kept(const struct decide_state *s)
{
	return s->now == DECIDE_DEPREF ? DECIDE_DEPREF : DECIDE_ANNOUNCE;
}

/* No move for a soft cause until the dwell time is over: it has just come back from one. */
static void hold_soft(struct decide_state *s, const struct decide_conf *conf, uint64_t now_ms)
{
	s->soft_hold_ms = now_ms + MAX(hold_of(conf, s->flaps), (uint64_t)DECIDE_DWELL_MS);
}

static bool is_undecided(const struct decide_input *in)
{
	return in->checks_silent_ms > DECIDE_SILENT_MS || in->verdict == DECIDE_UNKNOWN;
}

static bool has_zones(const struct decide_input *in)
{
	return in->zones_ready || !in->zones;
}

/* Rule 1. */
static bool worker_is_dead(const struct decide_conf *conf, const struct decide_input *in, enum decide_reason *why)
{
	if (in->worker_silent_ms <= conf->worker_dead_ms)
		return false;
	*why = in->worker_silent_ms == UINT64_MAX ? DECIDE_WORKER_NONE : DECIDE_WORKER_SILENT;
	return true;
}

static enum decide_announce fall(struct decide_state *s, const struct decide_input *in, enum decide_reason why)
{
	s->pass_since_ms = 0;
	s->drained = in->drain || in->stopping;
	s->left = s->shed = false;
	return because(s, why, DECIDE_WITHDRAW);
}

/* Rule 3. */
static enum decide_announce freeze(struct decide_state *s, const struct decide_conf *conf, uint64_t now_ms)
{
	if (!s->frozen) {
		s->frozen = true;
		s->frozen_as = s->now == DECIDE_GSHUT ? DECIDE_ANNOUNCE : s->now;
	}
	/* A worker that died took the route down for a while. */
	if (lasting(&s->pass_since_ms, true, now_ms) < hold_of(conf, s->flaps) && s->now == DECIDE_WITHDRAW)
		return because(s, DECIDE_FROZEN, DECIDE_WITHDRAW);
	return because(s, DECIDE_FROZEN, s->frozen_as);
}

/* Rule 4: hard-failed, and yet nobody else is there. */
static bool is_last(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	const struct guard_input *seen = &in->seen;
	bool carried, out = s->now == DECIDE_WITHDRAW;
	struct guard_view v;
	uint64_t wait;

	if (!conf->last_pop_stays || !in->answers || in->drain || in->stopping)
		return false;
	if (!seen->others)
		return !out;
	guard_look(seen, 0, &v);
	carried = v.known < seen->others || v.carriers;
	if (!out)
		return !carried;
	if (lasting(&s->last_since_ms, !carried && v.none_announces && has_zones(in), now_ms) == 0)
		return false;
	wait = MIN(hold_of(conf, s->flaps), (uint64_t)DECIDE_EMERGENCY_MS);
	return now_ms - s->last_since_ms >= guard_wait_ms(&v) + (uint64_t)v.answering * GUARD_TURN_MS && now_ms - s->since_ms >= wait;
}

/* Rule 6. */
static enum decide_announce drain(struct decide_state *s, const struct decide_conf *conf, uint64_t now_ms)
{
	if (!s->drain_since_ms) {
		s->drain_since_ms = now_ms;
		s->drained = s->now == DECIDE_WITHDRAW;
	}
	if (!s->drained && now_ms - s->drain_since_ms >= conf->drain_ms)
		s->drained = true;
	return s->drained ? because(s, DECIDE_DRAINED, DECIDE_WITHDRAW) : because(s, DECIDE_DRAINING, DECIDE_GSHUT);
}

/* Rule 7. */
static enum decide_announce hold(struct decide_state *s, uint64_t now_ms)
{
	s->pass_since_ms = 0;
	if (lasting(&s->silent_since_ms, true, now_ms) < DECIDE_HOLD_MS)
		return because(s, DECIDE_NO_VERDICT, s->now == DECIDE_WITHDRAW ? DECIDE_WITHDRAW : kept(s));
	return because(s, s->now == DECIDE_WITHDRAW && s->reason == DECIDE_NO_VERDICT ? DECIDE_NO_VERDICT : DECIDE_NO_VERDICT_OUT, DECIDE_WITHDRAW);
}

/* Rule 8. A zone that is added later and does not load is a matter of that zone alone. */
static bool waits_for_zones(struct decide_state *s, const struct decide_input *in, uint64_t now_ms)
{
	struct guard_view v;
	uint64_t wait;

	if (s->now != DECIDE_WITHDRAW || in->zones_ready >= in->zones || (s->announced && in->zones_ready))
		return false;
	guard_look(&in->seen, 0, &v);
	wait = v.none_sound ? DECIDE_EMERGENCY_MS : DECIDE_BLIND_MS;
	return lasting(&s->soft.nobody_since_ms, in->seen.others && !v.sound && in->zones_ready, now_ms) < wait;
}

/* With zones missing and others that are not seen, the way to them is to be preferred. */
static enum decide_announce anyway(const struct decide_input *in)
{
	struct guard_view v;

	if (in->zones_ready >= in->zones)
		return DECIDE_ANNOUNCE;
	guard_look(&in->seen, 0, &v);
	return !in->seen.others || v.none_sound ? DECIDE_ANNOUNCE : DECIDE_DEPREF;
}

/* Rule 9, not announced: stay out while others carry on. */
static enum decide_announce stay_out(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint32_t wants,
                                     uint64_t now_ms)
{
	uint64_t alone, wait, held = MIN(hold_of(conf, s->flaps), (uint64_t)DECIDE_EMERGENCY_MS);
	bool left = s->left;
	struct guard_view v;

	guard_look(&in->seen, wants, &v);
	alone = lasting(&s->soft.alone_since_ms, v.stayers < MAX(conf->keep_at_least, 1U) && !(left && !conf->keep_at_least), now_ms);
	wait = !in->seen.others ? hold_of(conf, s->flaps) : v.none_sound ? guard_wait_ms(&v) : DECIDE_RETURN_MS;
	if (!s->soft.alone_since_ms || alone < wait || (s->flaps && in->seen.others && now_ms - s->since_ms < held))
		return because(s, DECIDE_OUT, DECIDE_WITHDRAW);
	s->left = false;
	hold_soft(s, conf, now_ms);
	return because(s, DECIDE_CAME_BACK, v.better || left ? DECIDE_DEPREF : anyway(in));
}

/* Rule 9, announced. `early`: data will be stale before the intent has been public for long enough, so it is raised now. */
static enum decide_announce ask_guard(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint32_t wants,
                                      bool early, uint64_t now_ms)
{
	uint32_t settling = wants & ~(uint32_t)CAUSE_STALE, due = (wants & CAUSE_STALE) | (early ? CAUSE_STALE : 0U);
	enum decide_reason as_it_is = wants ? DECIDE_KEPT : DECIDE_WELL;
	struct guard_view v;
	uint64_t worse;

	if (lasting(&s->soft.cause_since_ms, settling != 0, now_ms) >= GUARD_SETTLE_MS)
		due |= settling;
	if (!due)
		return because(s, DECIDE_SETTLING, kept(s));
	if (now_ms < s->soft_hold_ms)
		return because(s, s->reason == DECIDE_CAME_BACK ? DECIDE_CAME_BACK : as_it_is, kept(s));
	guard_look(&in->seen, due, &v);
	if (due == CAUSE_STALE && v.known && !v.better)
		s->soft.shared_at_ms = now_ms;
	if (s->soft.shared_at_ms && v.better && now_ms - s->soft.shared_at_ms < GUARD_SETTLE_MS) {
		guard_forget(&s->guard);
		return because(s, wants ? DECIDE_SETTLING : as_it_is, kept(s));
	}
	s->says = guard_ask(&s->guard, &(struct guard_rule){.wants = due, .keep_at_least = conf->keep_at_least}, &in->seen, &v, now_ms);
	if (s->says == GUARD_GO && (wants & due)) {
		s->left = true;
		s->shed = false;
		s->soft.alone_since_ms = 0;
		return because(s, DECIDE_LEFT, DECIDE_WITHDRAW);
	}
	worse = lasting(&s->soft.worse_since_ms, wants && v.better && s->says != GUARD_NO_ROOM, now_ms);
	if (worse && worse >= (s->guard.intent ? (uint64_t)DECIDE_STUCK_MS : guard_wait_ms(&v)))
		return because(s, DECIDE_DEPREFERRED, DECIDE_DEPREF);
	/* All that are seen are as bad: nobody is to be preferred. */
	if (lasting(&s->soft.equal_since_ms, s->says == GUARD_EQUAL, now_ms) >= DECIDE_DWELL_MS && s->now == DECIDE_DEPREF &&
	    now_ms - s->since_ms >= DECIDE_DWELL_MS) {
		hold_soft(s, conf, now_ms);
		return because(s, DECIDE_KEPT, DECIDE_ANNOUNCE);
	}
	return because(s, s->now == DECIDE_DEPREF && wants ? DECIDE_DEPREFERRED : as_it_is, kept(s));
}

/* Rule 9, overload that may be shed. */
static enum decide_announce shed(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	static const uint32_t wants = CAUSE_OVERLOAD;
	struct guard_view v;

	guard_look(&in->seen, wants, &v);
	if (s->now == DECIDE_DEPREF) {
		/* It did not help, and the others have it now, too. */
		if (v.known && !v.better && now_ms - s->since_ms >= DECIDE_DWELL_MS) {
			s->shed = false;
			hold_soft(s, conf, now_ms);
			return because(s, DECIDE_ABSORBING, DECIDE_ANNOUNCE);
		}
		return because(s, DECIDE_SHEDDING, DECIDE_DEPREF);
	}
	if (now_ms < s->soft_hold_ms)
		return because(s, DECIDE_ABSORBING, kept(s));
	s->says = guard_ask(&s->guard, &(struct guard_rule){.wants = wants, .keep_at_least = conf->keep_at_least, .shed = true}, &in->seen, &v, now_ms);
	if (s->says != GUARD_GO)
		return because(s, DECIDE_ABSORBING, kept(s));
	s->shed = true;
	return because(s, DECIDE_SHEDDING, DECIDE_DEPREF);
}

/* De-preferred for a cause that is gone. */
static enum decide_announce recover(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	uint64_t wait = hold_of(conf, s->flaps), dwell = DECIDE_DWELL_MS;
	struct guard_view v;

	if (s->shed) {
		guard_look(&in->seen, CAUSE_OVERLOAD, &v);
		dwell = v.overloaded ? DECIDE_DWELL_MS : DECIDE_SHED_MS;
	}
	if (now_ms - s->pass_since_ms < wait || now_ms - s->since_ms < dwell)
		return because(s, DECIDE_RECOVERING, DECIDE_DEPREF);
	s->shed = false;
	hold_soft(s, conf, now_ms);
	return because(s, DECIDE_WELL, DECIDE_ANNOUNCE);
}

/* Rules 10 and 11. */
static enum decide_announce rise(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	uint64_t wait = hold_of(conf, s->flaps), passing = lasting(&s->pass_since_ms, true, now_ms);
	bool overloaded = in->verdict == DECIDE_SOFT && (in->causes & CAUSE_OVERLOAD);
	struct guard_view v;

	if (s->now == DECIDE_DEPREF)
		return recover(s, conf, in, now_ms);
	if (s->now == DECIDE_WITHDRAW && passing < wait && wait > DECIDE_EMERGENCY_MS) {
		guard_look(&in->seen, 0, &v);
		wait = v.none_sound ? DECIDE_EMERGENCY_MS : wait;
	}
	if (s->now == DECIDE_WITHDRAW && passing < wait) {
		s->hold_until_ms = s->pass_since_ms + wait;
		return because(s, DECIDE_HELD_DOWN, DECIDE_WITHDRAW);
	}
	s->hold_until_ms = 0;
	s->left = false;
	if (in->zones_ready < in->zones && (!s->announced || s->reason == DECIDE_ZONES_ANYWAY))
		return because(s, DECIDE_ZONES_ANYWAY, s->now == DECIDE_WITHDRAW ? anyway(in) : DECIDE_ANNOUNCE);
	return because(s, overloaded ? DECIDE_ABSORBING : DECIDE_WELL, DECIDE_ANNOUNCE);
}

/* Rules 8 to 11: there is a verdict, and it is not hard. */
static enum decide_announce weigh(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	const struct guard_input *seen = &in->seen;
	uint32_t wants = in->verdict == DECIDE_SOFT ? in->causes & conf->leave_causes : 0;
	bool early = false;
	struct guard_view v;

	if (waits_for_zones(s, in, now_ms)) {
		s->pass_since_ms = 0;
		return because(s, DECIDE_ZONES_MISSING, DECIDE_WITHDRAW);
	}
	if (s->now == DECIDE_WITHDRAW) {
		if (!wants)
			return rise(s, conf, in, now_ms);
		s->pass_since_ms = 0;
		return stay_out(s, conf, in, wants, now_ms);
	}
	s->soft.alone_since_ms = 0;
	if ((conf->leave_causes & CAUSE_STALE) && seen->data_age_ms && seen->stale_in_ms <= GUARD_WAIT_MS + 2U * GUARD_ROUND_MAX_MS) {
		guard_look(seen, CAUSE_STALE, &v);
		early = seen->stale_in_ms <= guard_wait_ms(&v);
	}
	if (!(wants & ~(uint32_t)CAUSE_STALE))
		s->soft.cause_since_ms = 0;
	if (wants)
		s->pass_since_ms = 0;
	else
		s->soft.worse_since_ms = s->soft.equal_since_ms = 0;
	if (!wants && !early)
		s->soft.shared_at_ms = 0;
	if (wants || (early && s->now != DECIDE_DEPREF))
		return ask_guard(s, conf, in, wants, early, now_ms);
	if (in->verdict == DECIDE_SOFT && (in->causes & CAUSE_OVERLOAD) && conf->shed)
		return shed(s, conf, in, now_ms);
	return rise(s, conf, in, now_ms);
}

static enum decide_announce judge(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	bool undecided = is_undecided(in), ends = in->drain || in->stopping;
	struct decide_timers soft = s->soft; /* they run only while rules 8 and 9 are asked */
	uint64_t last_since_ms = s->last_since_ms;
	bool forced = in->forced && !in->stopping && has_zones(in);
	enum decide_reason why;

	s->soft = (struct decide_timers){0};
	s->last_since_ms = 0;
	if (!ends) {
		s->drain_since_ms = 0;
		s->drained = false;
	}
	if (!undecided)
		s->silent_since_ms = 0;
	if (!in->frozen || in->stopping)
		s->frozen = false;
	if (worker_is_dead(conf, in, &why) && !(forced && in->worker_lives))
		return fall(s, in, why);
	if (forced)
		return because(s, DECIDE_FORCED, DECIDE_ANNOUNCE);
	if (in->frozen && !in->stopping && s->announced)
		return freeze(s, conf, now_ms);
	if (in->verdict == DECIDE_HARD && !undecided) {
		s->last_since_ms = last_since_ms;
		if (!is_last(s, conf, in, now_ms))
			return fall(s, in, DECIDE_FAILED);
		s->pass_since_ms = 0;
		return because(s, DECIDE_LAST, kept(s));
	}
	if (in->refused_why)
		return fall(s, in, DECIDE_REFUSED);
	if (ends)
		return drain(s, conf, now_ms);
	if (undecided)
		return hold(s, now_ms);
	s->soft = soft;
	return weigh(s, conf, in, now_ms);
}

/* A change for the worse that this node's own state brought about: it is to be damped. */
static bool is_flap(enum decide_reason why)
{
	return why == DECIDE_WORKER_NONE || why == DECIDE_WORKER_SILENT || why == DECIDE_FAILED || why == DECIDE_REFUSED || why == DECIDE_LEFT ||
	       why == DECIDE_DEPREFERRED || why == DECIDE_SHEDDING;
}

bool decide_step(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	enum decide_announce before = s->now, next;

	if (s->now == DECIDE_ANNOUNCE && s->flaps && now_ms - s->since_ms >= DECIDE_STABLE_MS)
		s->flaps = 0;
	s->says = GUARD_NOTHING;
	next = judge(s, conf, in, now_ms);
	if (s->says == GUARD_NOTHING)
		guard_forget(&s->guard);
	s->announced |= next != DECIDE_WITHDRAW;
	if (next == before)
		return false;
	if (is_flap(s->reason) && s->flaps < UINT32_MAX)
		s->flaps++;
	s->now = next;
	s->since_ms = now_ms;
	return true;
}
