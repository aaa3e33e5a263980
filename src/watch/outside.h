/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

/* What this node's own network looks like from outside, of one family: from what others tell, and from the queries that come. Pure. */
enum {
	OUTSIDE_VIEWERS_MAX = 32,
	OUTSIDE_BINS =
		10, /* seconds of queries from which it is known what is usual; in none of them less than a quarter of their mean */
	OUTSIDE_USUAL_MIN = 100,    /* fewer queries a second than this prove nothing when they stop */
	OUTSIDE_FEW = 50,           /* a second: what other nodes ask may go on coming */
	OUTSIDE_FELL_PART = 20,     /* to a twentieth of what is usual */
	OUTSIDE_FELL_MS = 3000,     /* for so long */
	OUTSIDE_FORGET_MS = 600000, /* then it is the new usual */
	OUTSIDE_SETTLE_MS = 5000,   /* after it was announced, before silence says anything */
};

/* Queries from outside. */
struct outside_traffic {
	uint64_t at_ns, count; /* of the last step */
	bool running;          /* announced since the step before the last, at least */
	bool fell;
	uint64_t low_ns;      /* so few since; 0: not so */
	uint32_t rate, usual; /* a second: last, and as a rule, 0: not known */
	uint32_t filled, next;
	uint32_t bins[OUTSIDE_BINS];
};
/* count: queries from outside so far. About once a second. */
void outside_traffic_step(struct outside_traffic *t, uint64_t count, bool announced, uint64_t now_ns);

struct outside_viewer {
	const char *name;
	enum board_outside state;
	const char *node; /* answers there, or did last */
	uint64_t since_ns;
};
struct outside_input {
	const char *self;
	int family;            /* 4 or 6 */
	bool announced;        /* and its checks find it well */
	uint64_t announced_ns; /* since */
	uint32_t viewers;      /* all that were heard lately and ask this network */
	struct outside_viewer viewer[OUTSIDE_VIEWERS_MAX];
	const struct outside_traffic *traffic;
	uint64_t now_ns;
};
/* *since_ns: when it began, as far as is known. The sentence says what was seen by whom. */
enum board_outside outside_judge(const struct outside_input *in, uint64_t *since_ns, char why[BOARD_WHY_MAX]);
