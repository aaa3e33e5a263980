/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "lab/lab.h"

#include <stdbool.h>
#include <stdint.h>

/* A client that asks on a schedule, whatever the answers do, and keeps the score: one question each METER_INTERVAL_MS to the anycast address of
 * one family, from METER_PORTS source ports in turn. Runs on a thread of its own between start and stop. */
enum { METER_INTERVAL_MS = 5, METER_PORTS = 8, METER_LATE_MS = 1000, METER_QUERIES_MAX = 60000 };

struct meter;

struct meter_score {
	unsigned asked, lost;        /* lost: no NOERROR with the record within METER_LATE_MS */
	double gap_ms;               /* from the first failed question to the next good one after the last failed */
	double late_max_ms;          /* slowest good answer */
	unsigned back_lost;          /* after the mark, of which nothing is in `lost` and `gap_ms` */
	double back_gap_ms;
	char before[64], after[64];  /* who answered first, and last */
	char other[64];              /* the first who answered that was not `before`; "": nobody */
	uint64_t moved_ns;           /* when the question left that it answered; 0: none */
};

/* Asks for the SOA of zone. */
int meter_start(const struct lab *l, unsigned client, int family, const char *zone, struct meter **out) MUST_CHECK;
/* Milliseconds since the last question that failed for certain; UINT64_MAX: none has. */
uint64_t meter_quiet_ms(const struct meter *m);
/* From here on what is lost is counted apart: what was broken is about to be mended. */
void meter_mark(struct meter *m);
/* No further questions; of several meters all are told before the first is stopped. */
void meter_halt(struct meter *m);
/* Stop, wait for what is under way, and count. Frees m. */
void meter_stop(struct meter *m, struct meter_score *out);
