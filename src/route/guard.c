/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard: soft failures never take a network below its minimum of pops, whatever each pop sees and without anyone who coordinates.
 *
 * The protocol. A pop that has a reason to leave first says so: its intent is part of the status that it tells the others. It leaves when
 * the intent has been public for guard_wait_ms() and nothing spoke against it in all that time. What speaks against it: fewer than
 * keep-at-least others in fresh views that announce plainly, pass their checks, have no intent themselves and have not what ails us; another pop
 * that means to leave for the same cause and is first in line; not enough room for our load where the others say how much they have.
 *
 * Why it is safe. Let P leave at t, its intent raised at i(P) <= t - WAIT, and rely on Q, of which it has a view taken at v >= t - FRESH.
 * Then v >= i(P) + WAIT - FRESH > i(P). In that view Q had no intent; if Q leaves later by the guard, its intent was raised after v, so
 * i(Q) > i(P). Along any chain of pops that left relying on the next one, intents are ever later: there is no circle, and the last one relied
 * on keep-at-least pops that did not leave by the guard. Nothing is asked of clocks but that each runs at the right speed, and nothing of the
 * network: views that are lost or late only keep a pop where it is. A pop's own limits may differ from those of others (longer ways) as long as
 * WAIT > FRESH holds for each. A process that was stopped acts on what it saw before: whoever looked at it meanwhile saw its intent, or nothing.
 * What remains is that a pop that was relied on fails or is drained at the same moment; then those that left see that too few are there, and
 * come back (decide.c).
 *
 * Equal failures. A cause that is shared does not come to all at the same instant: ages of data differ by the interval in which primaries are
 * asked, zones and configurations arrive one after another. Others count as better only if their data is less than half as old as ours, and
 * for causes that do not press only after GUARD_SETTLE_MS. So when a primary is lost for all, nobody is better and nobody moves.
 *
 * Who goes first: the oldest data in steps of GUARD_AGE_STEP_MS, or the highest load in tenths, then the order of the fleet file. The line is
 * for gentleness, not safety: one that does not move is passed over, unless what keeps it keeps everybody. When another is seen to have left, whether it was in line or
 * nothing was heard of it, the time begins anew: two do not go in one moment.
 *
 * An intent costs questions (pops ask ten times a second while there is one), so it is raised only when views of ordinary age say that there
 * may be enough others.
 *
 * Left out: pops whose round trip is more than GUARD_ROUND_MAX_MS are never fresh and cannot be relied on. */
#include "route/guard.h"

#include <string.h>

bool guard_knows(const struct guard_peer *p)
{
	return p->age_ms <= GUARD_KNOWN_MS || (p->answered && p->age_ms <= GUARD_SLOW_MS);
}

static uint64_t data_age_of(const struct guard_peer *p)
{
	return p->data_age_ms ? p->data_age_ms + p->age_ms : 0;
}

/* Its data is not so much fresher than ours that it matters. */
static bool as_stale(const struct guard_input *in, const struct guard_peer *p)
{
	uint64_t age = data_age_of(p);

	return age && age >= in->data_age_ms / 2;
}

static bool announces(const struct guard_peer *p)
{
	return p->says.announce != ANNOUNCE_NONE;
}

/* A soft verdict without a cause is an alert, and no reason for that pop to leave. */
static bool is_well(const struct guard_peer *p)
{
	return p->says.verdict == VERDICT_PASS || (p->says.verdict == VERDICT_SOFT && !p->says.causes);
}

static bool is_better(const struct guard_input *in, const struct guard_peer *p, uint32_t wants)
{
	return p->says.announce == ANNOUNCE_YES && p->says.answers && is_well(p) &&
	       !((wants & CAUSE_STALE) && as_stale(in, p));
}

/* One more or less cannot be a reason to serve old data: a pop that is overloaded carries on as well. */
static bool carries_on(const struct guard_input *in, const struct guard_peer *p, uint32_t wants)
{
	bool fit = p->says.verdict == VERDICT_PASS || p->says.verdict == VERDICT_SOFT;

	if (!fit || !p->says.answers || (p->says.announce != ANNOUNCE_YES && p->says.announce != ANNOUNCE_DEPREF))
		return false;
	if (p->says.causes & wants & ~(uint32_t)CAUSE_STALE)
		return false;
	return !((wants & CAUSE_STALE) && as_stale(in, p));
}

/* Of two that leave for the same cause. */
static bool goes_first(const struct guard_input *in, const struct guard_peer *p, uint32_t wants)
{
	uint64_t mine = 0, theirs = 0;

	if (wants & p->says.intent & CAUSE_STALE) {
		mine = in->data_age_ms / GUARD_AGE_STEP_MS;
		theirs = data_age_of(p) / GUARD_AGE_STEP_MS;
	} else if (wants & CAUSE_OVERLOAD) {
		mine = in->load / 100;
		theirs = p->load / 100;
	}
	return theirs != mine ? theirs > mine : p->place < in->place;
}

static void add_room(uint64_t *room, uint32_t headroom)
{
	if (headroom == UINT32_MAX || *room == UINT64_MAX)
		*room = UINT64_MAX;
	else
		*room += headroom;
}

uint64_t guard_fresh_ms(const struct guard_view *v)
{
	return GUARD_FRESH_MS + 2U * v->round_ms;
}

uint64_t guard_wait_ms(const struct guard_view *v)
{
	return GUARD_WAIT_MS + 2U * v->round_ms;
}

static void look_hard(const struct guard_input *in, const struct guard_peer *p, struct guard_view *v)
{
	bool before = p->place < in->place, hard = p->says.verdict == VERDICT_HARD;

	v->sound += announces(p) && p->says.answers && !hard;
	if (announces(p))
		v->carriers += p->says.answers && (!hard || before);
	else
		v->answering += hard && p->says.answers && before;
}

static void look_fresh(const struct guard_input *in, const struct guard_peer *p, uint32_t wants, struct guard_view *v)
{
	bool shed = wants == CAUSE_OVERLOAD;

	if (announces(p) && (p->says.intent & wants) && goes_first(in, p, wants))
		v->front++;
	if (!is_better(in, p, wants) || p->says.intent)
		return;
	v->better_fresh++;
	add_room(&v->room_fresh, shed && p->headroom == UINT32_MAX ? 0 : p->headroom);
}

void guard_look(const struct guard_input *in, uint32_t wants, struct guard_view *v)
{
	bool shed = wants == CAUSE_OVERLOAD;

	memset(v, 0, sizeof(*v));
	for (size_t i = 0; i < in->peer_count; i++)
		if (guard_knows(&in->peers[i]) && is_better(in, &in->peers[i], wants))
			v->round_ms = MAX(v->round_ms, MIN(in->peers[i].round_ms, (uint32_t)GUARD_ROUND_MAX_MS));
	for (size_t i = 0; i < in->peer_count; i++) {
		const struct guard_peer *p = &in->peers[i];

		if (!guard_knows(p))
			continue;
		v->known++;
		v->announcing += announces(p);
		v->gone += !announces(p) && (p->says.causes & wants);
		v->overloaded += p->says.verdict == VERDICT_SOFT && (p->says.causes & CAUSE_OVERLOAD);
		v->stayers += carries_on(in, p, wants);
		if (is_better(in, p, wants)) {
			v->better++;
			add_room(&v->room, shed && p->headroom == UINT32_MAX ? 0 : p->headroom);
		}
		look_hard(in, p, v);
		if (p->age_ms <= guard_fresh_ms(v))
			look_fresh(in, p, wants, v);
	}
	v->none_announces = in->others && v->known >= in->others && !v->announcing;
	v->none_sound = in->others && v->known >= in->others && !v->sound;
}

void guard_forget(struct guard_state *g)
{
	memset(g, 0, sizeof(*g));
}

/* What they must have room for: a quarter more than we answer now. */
static bool has_room(uint64_t room, const struct guard_input *in)
{
	return room >= in->qps + in->qps / 4;
}

enum guard_says guard_ask(struct guard_state *g, const struct guard_rule *rule, const struct guard_input *in, const struct guard_view *v,
                          uint64_t now_ms)
{
	uint32_t enough = rule->shed ? MAX(rule->keep_at_least, 1U) : rule->keep_at_least;
	enum guard_says no = GUARD_NOTHING;

	if (enough && v->better < enough)
		no = !in->others ? GUARD_ALONE : !v->known ? GUARD_BLIND : v->better ? GUARD_FEW : GUARD_EQUAL;
	else if (enough && !has_room(v->room, in))
		no = GUARD_NO_ROOM;
	if (no != GUARD_NOTHING) {
		guard_forget(g);
		return no;
	}
	if (!g->intent) {
		g->intent_since_ms = now_ms;
		g->gone = v->gone;
	}
	g->intent = rule->wants;
	/* Somebody has left just now, perhaps relying on the same others; of whose intent nothing may have been heard, where messages are lost. */
	if (v->front < g->front || v->gone > g->gone)
		g->ok_since_ms = 0;
	g->gone = v->gone;
	if (v->better_fresh < enough)
		no = GUARD_FEW;
	else if (enough && !has_room(v->room_fresh, in))
		no = GUARD_NO_ROOM;
	/* What keeps us keeps who is in front as well: it does not let its turn pass by that. */
	if (v->front != g->front || !v->front || no != GUARD_NOTHING) {
		g->front = v->front;
		g->turn_since_ms = now_ms;
	}
	if (no == GUARD_NOTHING && v->front && now_ms - g->turn_since_ms < GUARD_TURN_MS)
		no = GUARD_TURN;
	if (no != GUARD_NOTHING) {
		g->ok_since_ms = 0;
		return no;
	}
	if (!g->ok_since_ms)
		g->ok_since_ms = now_ms;
	return now_ms - g->ok_since_ms >= (rule->shed ? (uint64_t)GUARD_SHED_MS : guard_wait_ms(v)) ? GUARD_GO : GUARD_WAITS;
}
