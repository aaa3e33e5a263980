/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/leave.h"

bool leave_step(struct leave *l, bool ordered, uint32_t drain_ms, uint64_t now_ms)
{
	if (!ordered) {
		bool was = l->since_ms != 0;

		*l = (struct leave){0};
		return was;
	}
	if (!l->since_ms) {
		l->since_ms = now_ms ? now_ms : 1;
		l->done = drain_ms == 0;
		return true;
	}
	if (l->done || now_ms - l->since_ms < drain_ms)
		return false;
	l->done = true;
	return true;
}

enum decide_announce leave_limit(const struct leave *l, enum decide_announce decided)
{
	if (!l->since_ms || decided == DECIDE_WITHDRAW)
		return decided;
	return l->done ? DECIDE_WITHDRAW : DECIDE_GSHUT;
}
