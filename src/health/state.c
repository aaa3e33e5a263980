/* SPDX-License-Identifier: BSD-2-Clause */
/* Rise and fall of one check, and nothing else: no clock, no sockets, no memory of its own. What a result is worth (a late
 * answer, a wrong serial) is decided before it gets here (probe_dns.c); what a state means for a route is decided after
 * (watch/verdict.c, then route). Damping of repeated changes is not here either: it belongs to the decision to announce,
 * which is made once for a network and not once for each of its checks. */
#include "health/state.h"

void health_init(struct health *h, uint64_t now_ms)
{
	*h = (struct health){.state = HEALTH_UNKNOWN, .since_ms = now_ms};
}

bool health_step(struct health *h, const struct health_rule *rule, bool passed, uint64_t now_ms)
{
	enum health_state towards = passed ? HEALTH_PASS : HEALTH_FAIL;

	if (passed)
		h->passes++;
	else
		h->failures++;
	if (h->state == towards) {
		h->run = 0;
		h->run_passes = passed;
		return false;
	}
	if (h->run_passes != passed)
		h->run = 0;
	h->run_passes = passed;
	if (h->run < UINT16_MAX)
		h->run++;
	if (h->run < (passed ? rule->rise : rule->fall))
		return false;
	h->state = towards;
	h->run = 0;
	h->since_ms = now_ms;
	return true;
}

uint32_t health_pause_ms(const struct health *h, uint32_t interval_ms)
{
	uint32_t quarter = interval_ms / 4;

	if (h->state != HEALTH_UNKNOWN && (!h->run || h->run_passes))
		return interval_ms;
	return MIN(interval_ms, MAX(quarter, (uint32_t)HEALTH_CONFIRM_MIN_MS));
}

enum health_state health_combine(enum health_state own, uint32_t passing, uint32_t failing)
{
	if (own != HEALTH_UNKNOWN)
		return own;
	if (!passing && !failing)
		return HEALTH_UNKNOWN;
	return passing >= failing ? HEALTH_PASS : HEALTH_FAIL;
}
