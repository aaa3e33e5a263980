/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/list.h"
#include "board/board.h"
#include "config/config.h"
#include "health/state.h"
#include "watch/question.h"
#include "watch/zones.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* One check: a service address over one transport, asked every interval. Owned by the watch; lives on the heap because
 * probes under way and the loop point to it. */
enum {
	SERVICE_PORT = 53,
	CHECK_IDLE_MS = 3000,
	CHECK_PROBES_MAX = 16, /* of one check under way at once; beyond it a turn is left out */
	CHECK_WHY_MAX = BOARD_WHY_MAX,
};

struct watch;
struct watch_network;

struct check {
	struct list link; /* in watch->checks */
	struct watch *watch;
	struct watch_network *network; /* current plan's */
	struct ip_addr address;
	bool tcp;
	bool gone;           /* out of the plan, waiting for the loop to let go */
	uint32_t index;      /* of the address in the network */
	struct health health;
	uint64_t fails;      /* in a row, up to the last that came */
	bool passing;        /* the last result that counted was a pass */
	uint32_t latency_us; /* of the last answer */
	uint64_t latest_ns;  /* last result that counted */
	uint64_t idle_from_ns; /* without a result since, but for times in which this process did not run */
	struct zones_cursor cursor;
	bool idle;           /* has had no result for too long: its state says nothing */
	bool again;          /* this question failed and is asked until it passes, */
	struct question again_question;
	uint16_t again_port; /* from this port, if it can be had, */
	uint32_t again_worker; /* which leads to this worker; UINT32_MAX: not known */
	uint16_t ports[BOARD_WORKERS_MAX]; /* that lead to each worker; 0: not known yet */
	uint32_t turn;       /* through the workers */
	bool content, content_round; /* the last zone was asked for content, and the first one of this round */
	bool no_zones;
	struct list asks;    /* under way */
	unsigned ask_count;
	uv_timer_t timer;
	char why[CHECK_WHY_MAX]; /* of the last failure */
};

struct check *check_new(struct watch *w, const struct ip_addr *address, bool tcp) MUST_CHECK;
/* Ask every interval from now on, first after first_ms. Also when running already. */
void check_start(struct check *c, uint32_t first_ms);
/* Look whether results still come. A state that has seen none for CHECK_IDLE_MS (and two turns with their timeouts) is forgotten: true
 * when that happened now. */
bool check_look(struct check *c, uint64_t now_ns);
/* Forget what is under way and go once the loop has let go. The check must be off the list. */
void check_free(struct check *c);
