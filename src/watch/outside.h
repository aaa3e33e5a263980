/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

/* What this node's own network looks like from outside, of one family: from what others tell, and from the queries that come. Pure. */
enum {
	OUTSIDE_VIEWERS_MAX = 32,
	OUTSIDE_LEARN_MS = 10000,   /* queries are watched for so long before it is known what is usual */
	OUTSIDE_USUAL_MIN = 100,    /* fewer queries a second than this prove nothing when they stop */
	OUTSIDE_FELL_PART = 20,     /* to a twentieth of what is usual */
	OUTSIDE_FELL_MS = 3000,     /* for so long */
	OUTSIDE_FORGET_MS = 600000, /* then it is the new usual */
	OUTSIDE_SETTLE_MS = 5000,   /* after it was announced, before silence says anything */
};

/* Queries from outside. */
struct outside_traffic {
	uint64_t at_ns, count; /* of the last step */
	uint64_t announced_ns; /* since when it has been, without a break; 0: it is not */
	uint64_t steady_ns;    /* learned from since */
	uint64_t low_ns;       /* 0: not so few */
	bool fell;
	double usual;  /* a second; mean of the last half minute */
	uint32_t rate; /* last second */
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
