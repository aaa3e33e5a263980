/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "board/board.h"
#include "health/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the states of a network's checks to its verdict and the sentence that explains it. Pure. */
struct verdict_check {
	struct ip_addr address;
	bool tcp;
	enum health_state state;
	uint16_t run;       /* results in a row against the state, or any while unknown */
	bool run_passes;
	uint64_t fails;     /* failures in a row up to the last one that came */
	bool idle;          /* unknown because it could not be asked any more */
	const char *why;    /* of the last failure, "" when there was none */
};

/* What else is known of the network. */
struct verdict_facts {
	bool loaded;        /* the first load of the zones is over; before, nothing is asked */
	bool no_zones;      /* the store holds none for it: the node's own name is asked for */
	uint16_t rise;
	/* DNSSEC signatures of the network's zones: the one that ends first. */
	bool has_signatures;
	int64_t signatures_left_s; /* negative: expired */
	const char *signatures_zone;
	uint32_t signatures_alert_s;
	bool expired_is_hard;
};

/* HARD when any check fails or signatures have expired, PASS when all pass, else UNKNOWN; UNKNOWN for a network without addresses. SOFT instead of PASS when
 * signatures end soon, or have expired where that is not hard. The sentence has at most BOARD_WHY_MAX bytes, NUL included. */
enum board_verdict verdict_judge(const struct verdict_check *checks, size_t n, const struct verdict_facts *facts, char *why);
