/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

/* How busy the node is, and how much more it could take: from what workers count, looked at a few times a second. Pure. */
enum {
	LOAD_SMOOTH = 4,           /* a look is worth one part in so many: with two a second, the last two seconds or so */
	LOAD_FULL = 950,           /* permille of a worker's time: at its limit */
	LOAD_EASY = 800,           /* below, it is over */
	LOAD_LOST_PART = 100,      /* one query in so many lost before it was read: at its limit, however busy it seems */
	LOAD_LOST_MIN = 20,        /* of one look: fewer are a hiccup */
	LOAD_ENTER_MS = 3000, LOAD_LEAVE_MS = 10000, /* at its limit, or not, for so long without a break */
	LOAD_KNOWN = 200,          /* permille: from so much load on what the node can do is estimated */
	LOAD_LOOK_MAX_MS = 10000,  /* a look after a longer time says nothing */
	LOAD_WHY_MAX = 120,
};

struct load_worker {
	uint64_t cpu_ns, answers, overflows;
};

struct load {
	uint64_t looked_ns;        /* 0: never */
	uint32_t workers;
	struct load_worker last[BOARD_WORKERS_MAX];
	uint64_t kernel_answers;
	double smooth[3];          /* permille, answers and losses per second, over some looks */
	uint32_t permille;         /* of the busiest worker's time */
	uint32_t busiest;
	uint32_t qps;
	uint32_t lost;             /* queries per second */
	uint32_t estimate;         /* answers per second that it can give; 0: not known */
	uint32_t headroom;         /* UINT32_MAX: not known */
	bool full, overload;
	uint64_t turned_ns;        /* `full` is as it is since */
	char why[LOAD_WHY_MAX];    /* overload */
};

/* One look. kernel_answers: those of XDP. capacity: as configured, 0: to be estimated. */
void load_step(struct load *l, const struct load_worker *workers, uint32_t n, uint64_t kernel_answers, uint32_t capacity, uint64_t now_ns);
