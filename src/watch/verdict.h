/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "board/board.h"
#include "health/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the states of a network's checks, and from what else is known of it, to its verdict and the sentence that explains it. Pure. */
struct verdict_check {
	struct ip_addr address;
	bool tcp;
	enum health_state state;
	uint16_t run;       /* results in a row against the state, or any while unknown */
	bool run_passes;
	bool passing;       /* the last answer was right */
	uint64_t fails;     /* failures in a row up to the last one that came */
	bool idle;          /* unknown because it could not be asked any more */
	const char *why;    /* of the last failure, "" when there was none */
};

enum {
	VERDICT_ZONES_MS = 10000, /* zones that are missing for less are on their way: just configured, or transferred for the first time */
};

/* A pool of backends of which no server answers (watch/backends.h). */
struct verdict_backends {
	const char *zone;       /* that they answer for */
	unsigned more, servers; /* more such zones; servers of the pool */
	uint64_t down_ms;       /* since the last one was given up */
	bool never;             /* none has ever answered here */
	bool hard;              /* nothing stale is given any more, or yet */
	uint64_t stale_left_ms; /* else: so long it is */
};

/* What else is known of the network. */
struct verdict_facts {
	bool loaded;        /* the first load of the zones is over; before, nothing is asked */
	bool no_zones;      /* the store holds none for it: the node's own name is asked for */
	bool edge_zones;    /* backends answer for some */
	const struct verdict_backends *backends; /* that are dead; NULL: none */
	uint16_t rise;
	/* DNSSEC signatures of the network's zones: the one that ends first. */
	bool has_signatures;
	int64_t signatures_left_s; /* negative: expired */
	const char *signatures_zone;
	uint32_t signatures_alert_s;
	bool expired_leaves; /* expired signatures are a cause to leave; else only an alert */
	/* Its zones that are held by transfer. */
	bool has_held;
	uint64_t data_age_ms;      /* since they were last known to be current */
	uint64_t stale_after_ms;
	const char *expiry_zone;   /* the one that is nearest to its SOA EXPIRE, or beyond it; NULL: none is near */
	int64_t expiry_left_ms;    /* negative: beyond, and still served */
	uint32_t zones_missing;    /* are configured and not served */
	uint64_t zones_missing_ms; /* since when any was */
	/* Zones of which other PoPs have newer serials for longer than drift.alert-after: a tenth of them or more. 0: they are fewer. */
	uint32_t behind_zones, behind_of, behind_nodes;
	uint64_t behind_ms;       /* of behind_zone, which behind_node has */
	const char *behind_zone, *behind_node;
	bool overload;
	const char *overload_why;
	/* A whole worker or the store is wrong: hard whatever the checks have met, because clients meet it. NULL: none is. */
	const char *broken;
};

struct verdict {
	enum board_verdict verdict;
	uint32_t causes;          /* enum board_cause; SOFT only */
	uint32_t checks, passing;
	char why[BOARD_WHY_MAX];
};

/* Of the checks of one family (4, 6), or all (0). HARD when any of them fails, UNKNOWN until all have passed, and for a family without addresses; SOFT where all pass
 * but there is a reason not to be content. Reasons that other PoPs may share and that are worth a move are causes; the others are alerts only: a SOFT
 * verdict without causes. */
void verdict_judge(const struct verdict_check *checks, size_t n, unsigned family, const struct verdict_facts *facts, struct verdict *out);
