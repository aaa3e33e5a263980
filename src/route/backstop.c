/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/backstop.h"

#include <stdio.h>

void backstop_init(struct backstop *b, uint64_t now_ms)
{
	*b = (struct backstop){.now = DECIDE_WITHDRAW, .since_ms = now_ms};
	snprintf(b->why, sizeof(b->why), "starting: no answer worker has been heard of yet");
}

static enum decide_announce judge(struct backstop *b, const struct backstop_input *in, uint64_t now_ms)
{
	bool alive = in->youngest_ms <= BACKSTOP_DEAD_MS;

	if (!alive) {
		b->dead = in->youngest_ms != UINT64_MAX;
		b->alive_since_ms = 0;
	} else if (!b->alive_since_ms) {
		b->alive_since_ms = now_ms ? now_ms : 1;
	}
	if (!in->drain)
		b->drain_since_ms = 0;
	else if (!b->drain_since_ms)
		b->drain_since_ms = now_ms ? now_ms : 1;
	if (in->stopping) {
		snprintf(b->why, sizeof(b->why), "the node is stopping");
		return in->others_gone || b->now == DECIDE_WITHDRAW ? DECIDE_WITHDRAW : DECIDE_GSHUT;
	}
	if (in->drain) {
		bool done = now_ms - b->drain_since_ms >= in->drain_ms || b->now == DECIDE_WITHDRAW;

		snprintf(b->why, sizeof(b->why), "drained by order%s", done ? "" : ": graceful shutdown until traffic has moved");
		return done ? DECIDE_WITHDRAW : DECIDE_GSHUT;
	}
	if (!alive) {
		snprintf(b->why, sizeof(b->why), in->youngest_ms == UINT64_MAX ? "no answer worker has started" : "no answer worker lives");
		return DECIDE_WITHDRAW;
	}
	if (b->dead && now_ms - b->alive_since_ms < BACKSTOP_ALIVE_MS) {
		snprintf(b->why, sizeof(b->why), "an answer worker is back, for less than %d ms", BACKSTOP_ALIVE_MS);
		return DECIDE_WITHDRAW;
	}
	b->dead = false;
	snprintf(b->why, sizeof(b->why), "an answer worker lives; nothing else counts for a backstop");
	return DECIDE_ANNOUNCE;
}

bool backstop_step(struct backstop *b, const struct backstop_input *in, uint64_t now_ms)
{
	enum decide_announce next = judge(b, in, now_ms);

	if (next == b->now)
		return false;
	b->now = next;
	b->since_ms = now_ms;
	return true;
}
