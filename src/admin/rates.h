/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "board/board.h"

#include <stdint.h>

/* What a node did in each of the last seconds, for charts: one point a second, made of the counters of all workers and of the XDP path. Pure. */
enum { RATES_POINTS = 300 };

enum rates_value {
	RATES_UDP_IPV4, /* questions a second, those that XDP answered included */
	RATES_UDP_IPV6,
	RATES_TCP_IPV4,
	RATES_TCP_IPV6,
	RATES_TLS_IPV4,
	RATES_TLS_IPV6,
	RATES_XDP,      /* of UDP: answered in the kernel */
	RATES_NOERROR,  /* answers a second */
	RATES_NXDOMAIN,
	RATES_OTHER,
	RATES_DROPPED,  /* questions without an answer: malformed, limited, filtered, lost before they were read */
	RATES_CPU,      /* percent of one CPU that the workers used */
	RATES_COUNTED,  /* so far: differences of counters */
	RATES_P50 = RATES_COUNTED, /* microseconds within which half of the answers over UDP were made, 99 of 100; 0: there were none */
	RATES_P99,
	RATES_VALUES,
};

struct rates {
	uint64_t count; /* of points ever; the newest is at (count - 1) % RATES_POINTS */
	uint64_t at_ns; /* of the counters below; 0: there are none yet */
	uint64_t before[RATES_COUNTED], latency_before[BOARD_LATENCIES];
	struct rates_point {
		uint64_t wall_ms;
		double value[RATES_VALUES];
	} point[RATES_POINTS];
};

/* Once a second, or about: rates are by the time that has passed. The first call only notes the counters. */
void rates_sample(struct rates *r, const struct board *b, uint64_t now_ns, uint64_t wall_ms);
/* One point as a JSON object; number: from 0 to r->count - 1, of those that are kept. */
void rates_point_text(const struct rates *r, uint64_t number, struct text *out);
