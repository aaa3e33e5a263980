/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void decide_init(struct decide_state *s, uint64_t now_ms)
{
	*s = (struct decide_state){.now = DECIDE_WITHDRAW, .since_ms = now_ms};
	snprintf(s->why, sizeof(s->why), "starting: nothing is known yet");
}

static void PRINTF_LIKE(2, 3) because(struct decide_state *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
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

/* Rules 1 and 2: what makes a node unfit at once. */
static bool is_unfit(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in)
{
	if (in->worker_silent_ms == UINT64_MAX) {
		because(s, "an answer worker has not started");
		return true;
	}
	if (in->worker_silent_ms > conf->worker_dead_ms) {
		because(s, "an answer worker has been silent for more than %u ms", conf->worker_dead_ms);
		return true;
	}
	if (in->verdict == DECIDE_HARD && in->checks_silent_ms <= DECIDE_SILENT_MS) {
		because(s, "checks fail: %s", in->verdict_why);
		return true;
	}
	if (in->refused_why) {
		because(s, "not allowed by RPKI: %s", in->refused_why);
		return true;
	}
	return false;
}

static enum decide_announce drain(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	const char *who = in->stopping ? "the node is stopping" : "drained by order";

	if (!s->drain_since_ms) {
		s->drain_since_ms = now_ms;
		s->drained = s->now == DECIDE_WITHDRAW;
	}
	if (!s->drained && now_ms - s->drain_since_ms >= conf->drain_ms)
		s->drained = true;
	if (s->drained) {
		because(s, "%s", who);
		return DECIDE_WITHDRAW;
	}
	because(s, "%s: graceful shutdown until traffic has moved", who);
	return DECIDE_GSHUT;
}

static enum decide_announce hold(struct decide_state *s, const struct decide_input *in, uint64_t now_ms)
{
	const char *what = in->checks_silent_ms > DECIDE_SILENT_MS ? "the checks are silent" : "the checks have not decided";

	if (!s->silent_since_ms)
		s->silent_since_ms = now_ms;
	if (s->now == DECIDE_WITHDRAW) {
		because(s, "%s yet", what);
		return DECIDE_WITHDRAW;
	}
	if (now_ms - s->silent_since_ms < DECIDE_HOLD_MS) {
		because(s, "%s: the last decision is kept for %d s", what, DECIDE_HOLD_MS / 1000);
		return DECIDE_ANNOUNCE;
	}
	because(s, "%s for more than %d s", what, DECIDE_HOLD_MS / 1000);
	return DECIDE_WITHDRAW;
}

/* Rules 6 and 7. */
static enum decide_announce rise(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	bool soft = in->verdict == DECIDE_SOFT;
	uint64_t wait = hold_of(conf, s->flaps);

	if (!s->pass_since_ms)
		s->pass_since_ms = now_ms;
	if (s->now == DECIDE_WITHDRAW && now_ms - s->pass_since_ms < wait) {
		s->hold_until_ms = s->pass_since_ms + wait;
		because(s, "checks pass; held down for %u ms after %u flap%s", (unsigned)wait, s->flaps, s->flaps > 1 ? "s" : "");
		return DECIDE_WITHDRAW;
	}
	s->hold_until_ms = 0;
	if (soft)
		because(s, "checks pass, but the node is degraded: %s", in->verdict_why);
	else
		because(s, "all checks pass");
	return DECIDE_ANNOUNCE;
}

static enum decide_announce judge(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in,
                                  uint64_t now_ms, bool *flap)
{
	bool undecided = in->checks_silent_ms > DECIDE_SILENT_MS || in->verdict == DECIDE_UNKNOWN;
	bool wants_drain = in->drain || in->stopping;

	*flap = false;
	if (!wants_drain) {
		s->drain_since_ms = 0;
		s->drained = false;
	}
	if (!undecided)
		s->silent_since_ms = 0;
	if (is_unfit(s, conf, in)) {
		*flap = true;
		s->pass_since_ms = 0;
		s->drained = wants_drain;
		return DECIDE_WITHDRAW;
	}
	if (wants_drain)
		return drain(s, conf, in, now_ms);
	if (undecided) {
		s->pass_since_ms = 0;
		return hold(s, in, now_ms);
	}
	/* A zone that is added later and does not load is a matter of that zone alone. */
	if (s->now == DECIDE_WITHDRAW && in->zones_ready < in->zones) {
		s->pass_since_ms = 0;
		because(s, "%u of %u zones are loaded", in->zones_ready, in->zones);
		return DECIDE_WITHDRAW;
	}
	return rise(s, conf, in, now_ms);
}

bool decide_step(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms)
{
	enum decide_announce before = s->now, next;
	bool flap;

	if (s->now == DECIDE_ANNOUNCE && s->flaps && now_ms - s->since_ms >= DECIDE_STABLE_MS)
		s->flaps = 0;
	next = judge(s, conf, in, now_ms, &flap);
	if (next == before)
		return false;
	if (flap && s->flaps < UINT32_MAX)
		s->flaps++;
	s->now = next;
	s->since_ms = now_ms;
	return true;
}
