/* SPDX-License-Identifier: BSD-2-Clause */
/* The sentence that explains a decision. Ages and counters that grow are left out: the sentence is written to the board and the log when it
 * changes. */
#include "route/decide.h"

#include <stdarg.h>
#include <stdio.h>

enum { SEEN_MAX = 120, VERDICT_LEN = 110 };

static void PRINTF_LIKE(4, 5) add(char *buf, size_t cap, size_t *at, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (*at + 1 >= cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(buf + *at, cap - *at, fmt, ap);
	va_end(ap);
	*at = MIN(*at + (n > 0 ? (size_t)n : 0U), cap - 1);
}

/* Whom it saw: as many as there is room for. */
static const char *seen_text(const struct guard_input *in, char buf[SEEN_MAX])
{
	size_t at = 0, left = in->peer_count;

	if (!in->others)
		return "there is no other pop";
	snprintf(buf, SEEN_MAX, "no other pop is seen");
	for (size_t i = 0; i < in->peer_count; i++, left--) {
		const struct guard_peer *p = &in->peers[i];

		if (at > SEEN_MAX - 56) {
			add(buf, SEEN_MAX, &at, ", %zu more", left);
			break;
		}
		add(buf, SEEN_MAX, &at, "%s%.20s ", at ? ", " : "sees ", p->name ? p->name : "?");
		if (!guard_knows(p))
			add(buf, SEEN_MAX, &at, "not at all");
		else if (p->says.intent)
			add(buf, SEEN_MAX, &at, "about to leave");
		else
			add(buf, SEEN_MAX, &at, "%s/%s", board_announce_text(p->says.announce), board_verdict_text(p->says.verdict));
	}
	return buf;
}

static const char *guard_text(enum guard_says says)
{
	switch (says) {
	case GUARD_NOTHING:
		return "was not asked";
	case GUARD_GO:
	case GUARD_WAITS:
		return "yes, once the others know";
	case GUARD_TURN:
		return "yes, but others go first";
	case GUARD_FEW:
		return "no, too few others are seen well";
	case GUARD_NO_ROOM:
		return "no, the others have no room for its load";
	case GUARD_EQUAL:
		return "no, no other pop is better";
	case GUARD_BLIND:
		return "no, no other pop can be seen";
	case GUARD_ALONE:
		return "no, it is the only pop";
	}
	return "?";
}

static const char *soft_text(const struct decide_state *s)
{
	switch (s->reason) {
	case DECIDE_DEPREFERRED:
		return "de-preferred";
	case DECIDE_CAME_BACK:
		return "announced again, too few others carry on";
	case DECIDE_LEFT:
		return "withdrawn with the guard's leave";
	case DECIDE_OUT:
		return "not announced while others carry on";
	case DECIDE_SETTLING:
		return "announced until it is clear that others have it not";
	default:
		return "announced";
	}
}

static const char *held_text(const struct decide_input *in)
{
	return in->checks_silent_ms > DECIDE_SILENT_MS ? "the checks are silent" : "the checks have not decided";
}

static void explain_soft(const struct decide_state *s, const struct decide_input *in, char *why)
{
	char seen[SEEN_MAX];
	size_t at = 0;

	add(why, DECIDE_WHY_MAX, &at, "%s: %.*s", soft_text(s), VERDICT_LEN, in->verdict_why);
	if (s->says != GUARD_NOTHING && s->reason != DECIDE_LEFT)
		add(why, DECIDE_WHY_MAX, &at, "; guard: %s", guard_text(s->says));
	add(why, DECIDE_WHY_MAX, &at, "; %s", seen_text(&in->seen, seen));
}

static void explain_load(const struct decide_state *s, const struct decide_input *in, char *why)
{
	char seen[SEEN_MAX];
	size_t at = 0;

	add(why, DECIDE_WHY_MAX, &at, "%s: %.*s", s->reason == DECIDE_SHEDDING ? "overloaded, load is shed" : "overloaded, absorbed", VERDICT_LEN,
	    in->verdict_why);
	if (s->says != GUARD_NOTHING)
		add(why, DECIDE_WHY_MAX, &at, "; guard: %s", guard_text(s->says));
	if (s->says != GUARD_NOTHING || s->reason == DECIDE_SHEDDING)
		add(why, DECIDE_WHY_MAX, &at, "; %s", seen_text(&in->seen, seen));
}

const char *decide_explain(const struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, char why[DECIDE_WHY_MAX])
{
	const char *who = in->stopping ? "the node is stopping" : "drained by order";
	char seen[SEEN_MAX];
	size_t at = 0;

#define SAY(...) add(why, DECIDE_WHY_MAX, &at, __VA_ARGS__)
	switch (s->reason) {
	case DECIDE_STARTING:
		SAY("starting: nothing is known yet");
		break;
	case DECIDE_WORKER_NONE:
		SAY("an answer worker has not started");
		break;
	case DECIDE_WORKER_SILENT:
		SAY("an answer worker has been silent for more than %u ms", conf->worker_dead_ms);
		break;
	case DECIDE_FORCED:
		SAY("forced by order, whatever the checks say");
		break;
	case DECIDE_FROZEN:
		SAY("frozen by order: %s", s->now == DECIDE_WITHDRAW && s->frozen_as != DECIDE_WITHDRAW ? "held down after a worker's death" : "kept as it was");
		break;
	case DECIDE_FAILED:
		SAY("checks fail: %s", in->verdict_why);
		break;
	case DECIDE_LAST:
		SAY("checks fail, but no other pop answers: %.*s; %s", VERDICT_LEN, in->verdict_why, seen_text(&in->seen, seen));
		break;
	case DECIDE_REFUSED:
		SAY("not allowed by RPKI: %s", in->refused_why ? in->refused_why : "");
		break;
	case DECIDE_DRAINING:
		SAY("%s: graceful shutdown until traffic has moved", who);
		break;
	case DECIDE_DRAINED:
		SAY("%s", who);
		break;
	case DECIDE_NO_VERDICT:
		if (s->now == DECIDE_WITHDRAW)
			SAY("%s yet", held_text(in));
		else
			SAY("%s: the last decision is kept for %d s", held_text(in), DECIDE_HOLD_MS / 1000);
		break;
	case DECIDE_NO_VERDICT_OUT:
		SAY("%s for more than %d s", held_text(in), DECIDE_HOLD_MS / 1000);
		break;
	case DECIDE_ZONES_MISSING:
		SAY("%u of %u zones are loaded", in->zones_ready, in->zones);
		break;
	case DECIDE_ZONES_ANYWAY:
		SAY("only %u of %u zones are loaded, but no other pop is seen to announce", in->zones_ready, in->zones);
		break;
	case DECIDE_HELD_DOWN:
		SAY("checks pass; held down for %u ms after %u flap%s", (unsigned)(s->hold_until_ms - s->pass_since_ms), s->flaps, s->flaps > 1 ? "s" : "");
		break;
	case DECIDE_WELL:
		if (in->verdict == DECIDE_SOFT)
			SAY("checks pass, but the node is degraded: %s", in->verdict_why);
		else
			SAY("all checks pass");
		break;
	case DECIDE_RECOVERING:
		SAY("checks pass; de-preferred a while longer%s", s->shed ? ", since load was shed" : "");
		break;
	case DECIDE_SETTLING:
	case DECIDE_KEPT:
	case DECIDE_DEPREFERRED:
	case DECIDE_LEFT:
	case DECIDE_OUT:
	case DECIDE_CAME_BACK:
		explain_soft(s, in, why);
		break;
	case DECIDE_ABSORBING:
	case DECIDE_SHEDDING:
		explain_load(s, in, why);
		break;
	}
#undef SAY
	return why;
}
