/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* The decision for one network on this node: what it sees in, announce or withdraw and one sentence why out. Pure: no clock, socket or log.
 *
 * The ladder, first rule that applies:
 *	1. an answer worker has been silent too long         withdraw at once
 *	2. the checks say hard failure                       withdraw at once
 *	   a ROA says that nobody may announce it from here     withdraw at once (RPKI; only where that is configured to refuse)
 *	3. the node is stopping, or the operator said drain  graceful shutdown for a while, then withdraw
 *	4. the checks are silent or undecided                hold what is, for a bounded time; then withdraw
 *	5. never announced and zones still missing           withdraw (wait)
 *	6. held down after a flap                            withdraw until the checks passed long enough
 *	7. all is well                                       announce
 * Coming back: the checks must have passed without a break for the hold time, which doubles with each flap up to a limit and is forgotten
 * after the network was announced for DECIDE_STABLE_MS without one. */
enum decide_announce { DECIDE_WITHDRAW, DECIDE_ANNOUNCE, DECIDE_GSHUT };
enum decide_verdict { DECIDE_UNKNOWN, DECIDE_PASS, DECIDE_SOFT, DECIDE_HARD };

enum {
	DECIDE_WHY_MAX = 240,
	DECIDE_HOLD_MS = 10000,     /* without a usable verdict, what is stays for so long */
	DECIDE_SILENT_MS = 1000,    /* checks that have not been heard of for so long are silent */
	DECIDE_STABLE_MS = 600000,  /* announced so long without a flap: flaps are forgotten */
};

struct decide_conf {
	uint32_t worker_dead_ms;    /* silence of a worker that counts as death */
	uint32_t drain_ms;
	uint32_t rise_hold_ms, rise_hold_max_ms;
};

struct decide_input {
	uint64_t worker_silent_ms;  /* of the worker that has been silent longest; UINT64_MAX: one never spoke */
	uint32_t zones, zones_ready; /* of the network */
	enum decide_verdict verdict;
	const char *verdict_why;    /* borrowed */
	uint64_t checks_silent_ms;  /* since the watch process beat its heart; UINT64_MAX: never */
	bool drain, stopping;
	const char *refused_why;    /* RPKI stands against every prefix; NULL: it does not; borrowed */
};

struct decide_state {
	enum decide_announce now;
	uint64_t since_ms;          /* of `now` */
	uint32_t flaps;
	uint64_t pass_since_ms;     /* all conditions good without a break since; 0: they are not */
	uint64_t silent_since_ms;   /* rule 4 applies since; 0: it does not */
	uint64_t drain_since_ms;    /* rule 3 applies since; 0: it does not */
	uint64_t hold_until_ms;     /* rule 6: not before; 0: no hold-down */
	bool drained;               /* an order to drain has been carried out */
	char why[DECIDE_WHY_MAX];
};

void decide_init(struct decide_state *s, uint64_t now_ms);
/* True when what is announced changed. */
bool decide_step(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms);
