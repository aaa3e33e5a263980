/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "route/guard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The decision for one network and address family on this node: what it sees in, what it announces and why out. Pure: no clock, socket or log.
 *
 * The ladder, first rule that applies:
 *	 1. an answer worker is silent too long, or none started   withdraw at once; an order to force overrides it while another worker lives
 *	 2. the operator said announce --force                     announce, once the zones were loaded
 *	 3. the operator said freeze                               what is announced stays as it is
 *	 4. the checks say hard failure                            withdraw at once; the last pop that answers anything stays (conf.last_pop_stays)
 *	 5. the announcement is refused (RPKI says invalid)        withdraw at once
 *	 6. the node is stopping, or the operator said drain       graceful shutdown for a while, then withdraw
 *	 7. the checks are silent or undecided                     hold what is, for a bounded time; then withdraw
 *	 8. never announced, and zones still missing               wait; not for ever, if no other pop is seen to announce
 *	 9. soft failure                                           what the guard says (guard.h): leave, de-prefer, or keep and alert
 *	10. held down after a flap                                 withdraw until the checks passed long enough
 *	11. all is well                                            announce
 * A node that stops follows rules 1 and 4 to 6 only: orders are not for a process that ends.
 *
 * Coming back: the checks must have passed without a break for the hold time, which doubles with each flap up to a limit and is forgotten
 * after the network was announced for DECIDE_STABLE_MS without one. A pop that is out while every other is known not to announce waits
 * DECIDE_EMERGENCY_MS at most: rather a pop that flaps, is stale or half broken than none. What the guard moved stays so for DECIDE_DWELL_MS
 * (load that was shed for DECIDE_SHED_MS), but for that same emergency. */
enum decide_announce { DECIDE_WITHDRAW, DECIDE_ANNOUNCE, DECIDE_GSHUT, DECIDE_DEPREF };
enum decide_verdict { DECIDE_UNKNOWN, DECIDE_PASS, DECIDE_SOFT, DECIDE_HARD };

enum {
	DECIDE_WHY_MAX = BOARD_WHY_MAX,
	DECIDE_HOLD_MS = 10000,     /* without a usable verdict, what is stays for so long */
	DECIDE_SILENT_MS = 1000,    /* checks that have not been heard of for so long are silent */
	DECIDE_STABLE_MS = 600000,  /* announced so long without a flap: flaps are forgotten */
	DECIDE_DWELL_MS = 10000,    /* between moves for soft causes, one way and the other */
	DECIDE_SHED_MS = 60000,     /* load that was shed stays away at least for so long */
	DECIDE_RETURN_MS = 3000,    /* one that left for a soft cause comes back when it does not see enough others for so long */
	DECIDE_EMERGENCY_MS = 10000, /* longest hold-down while no other pop announces */
	DECIDE_BLIND_MS = 30000,    /* zones are missing at the start, and nobody is seen to announce: it waits so long, then it is de-preferred */
	DECIDE_STUCK_MS = 5000,     /* the guard lets it go, but not yet: so long it waits before it is de-preferred */
};

struct decide_conf {
	uint32_t worker_dead_ms;    /* silence of a worker that counts as death */
	uint32_t drain_ms;
	uint32_t rise_hold_ms, rise_hold_max_ms;
	uint32_t keep_at_least;
	uint32_t leave_causes;      /* enum board_cause: which are a reason to leave, if the guard lets it */
	bool shed;                  /* overload is a reason to be de-preferred */
	bool last_pop_stays;
};

struct decide_input {
	uint64_t worker_silent_ms;  /* of the worker that has been silent longest; UINT64_MAX: one never spoke */
	bool worker_lives;          /* at least one does */
	uint32_t zones, zones_ready; /* of the network */
	enum decide_verdict verdict;
	const char *verdict_why;    /* borrowed */
	uint32_t causes;            /* enum board_cause, with DECIDE_SOFT */
	bool answers;               /* something, rightly: the last answer to one of the checks was right */
	uint64_t checks_silent_ms;  /* since the watch process beat its heart; UINT64_MAX: never */
	bool drain, stopping, frozen, forced;
	const char *refused_why;    /* the announcement must not be made; NULL: it may. Borrowed */
	struct guard_input seen;    /* of itself and the other pops */
};

enum decide_reason {
	DECIDE_STARTING,
	DECIDE_WORKER_NONE,
	DECIDE_WORKER_SILENT,
	DECIDE_FORCED,
	DECIDE_FROZEN,
	DECIDE_FAILED,
	DECIDE_LAST,
	DECIDE_REFUSED,
	DECIDE_DRAINING,
	DECIDE_DRAINED,
	DECIDE_NO_VERDICT,     /* kept so far, or never announced */
	DECIDE_NO_VERDICT_OUT, /* for too long */
	DECIDE_ZONES_MISSING,
	DECIDE_ZONES_ANYWAY,   /* some are missing, but nobody else is seen to announce */
	DECIDE_HELD_DOWN,
	DECIDE_WELL,
	DECIDE_RECOVERING,     /* de-preferred, and well for not long enough */
	DECIDE_SETTLING,       /* soft: is it the same elsewhere? */
	DECIDE_KEPT,           /* soft: the guard said no, or not yet; see `says` */
	DECIDE_DEPREFERRED,    /* soft: the guard said no, but others are better */
	DECIDE_LEFT,           /* soft: the guard let it go */
	DECIDE_OUT,            /* soft, not announced, and others carry on */
	DECIDE_CAME_BACK,      /* soft, and announced again: not enough others were seen */
	DECIDE_ABSORBING,      /* overload */
	DECIDE_SHEDDING,
};

struct decide_state {
	enum decide_announce now;
	enum decide_reason reason;
	uint64_t since_ms;          /* of `now` */
	uint32_t flaps;
	bool announced;             /* it has been, since the start */
	uint64_t pass_since_ms;     /* all conditions good without a break since; 0: they are not */
	uint64_t silent_since_ms;   /* rule 7 applies since; 0: it does not */
	uint64_t drain_since_ms;    /* rule 6 applies since; 0: it does not */
	uint64_t hold_until_ms;     /* rule 10: not before; 0: no hold-down */
	bool drained;               /* an order to drain has been carried out */
	bool frozen;                /* rule 3 applies: */
	enum decide_announce frozen_as;
	uint64_t last_since_ms;     /* rule 4: out, and last: since; 0: not so */
	/* Rules 8 and 9. */
	struct guard_state guard;
	enum guard_says says;
	bool left;                  /* out by the guard's leave */
	bool shed;                  /* de-preferred for overload */
	struct decide_timers {      /* 0: not so */
		uint64_t cause_since_ms; /* there is a cause that is to settle */
		uint64_t worse_since_ms; /* others are better */
		uint64_t equal_since_ms; /* none is */
		uint64_t shared_at_ms;   /* last when all that were seen were as stale: when a primary is back not all know it at the same moment */
		uint64_t nobody_since_ms; /* never announced, and nobody is seen to announce */
		uint64_t alone_since_ms; /* out, and not enough others are seen */
	} soft;
	uint64_t soft_hold_ms;      /* no move for a soft cause before */
};

void decide_init(struct decide_state *s, uint64_t now_ms);
/* True when what is announced changed. */
bool decide_step(struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, uint64_t now_ms);
/* The one sentence: what, which check, what the guard said, whom it saw. `in` is that of the last step. It is the same as long as nothing but
 * the time changes. Returns why. */
const char *decide_explain(const struct decide_state *s, const struct decide_conf *conf, const struct decide_input *in, char why[DECIDE_WHY_MAX]);
/* inputs.c: all that the last step rested on, as key=value for the log, into buf; the other pops for whom there is room. Returns buf. */
enum { DECIDE_INPUTS_MAX = 1400 };
char *decide_inputs(const struct decide_state *s, const struct decide_input *in, char *buf, size_t cap);
