/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* Rise and fall of one check, pure: results in, state out. A check starts unknown, is passing after `rise` passes in a row and
 * failing after `fall` failures in a row; from unknown a single failure run of `fall` is failing as well. */
enum health_state { HEALTH_UNKNOWN, HEALTH_PASS, HEALTH_FAIL };

struct health {
	enum health_state state;
	uint16_t run;       /* results in a row against the present state (or any, while unknown) */
	bool run_passes;    /* what the run consists of */
	uint64_t since_ms;
	uint64_t passes, failures;
};

struct health_rule {
	uint16_t rise, fall; /* at least 1 each */
};

void health_init(struct health *h, uint64_t now_ms);
/* True when the state changed. */
bool health_step(struct health *h, const struct health_rule *rule, bool passed, uint64_t now_ms);

/* Milliseconds from the begin of the last check to the next. A failure that has not been confirmed yet (or a first result) is looked into sooner, after a quarter of the interval, so
 * that `fall` failures are seen in less than two intervals. */
enum { HEALTH_CONFIRM_MIN_MS = 50 };
uint32_t health_pause_ms(const struct health *h, uint32_t interval_ms);

/* What counts of something that several nodes check: a node's own view first; without one what most of the others say (as many of both: it passes); unknown if nobody says anything. */
enum health_state health_combine(enum health_state own, uint32_t passing, uint32_t failing);
