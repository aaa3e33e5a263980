/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"
#include "fleet/report.h"

#include <stdbool.h>
#include <stdint.h>

struct watch;
struct views;

/* Asks other nodes at port 53, and anycast addresses from outside; writes board.watch.views. NULL in the stand-alone form. ERR_NO_MEMORY. */
int views_new(struct watch *w, struct views **out) MUST_CHECK;
/* Go by the configuration in force; after peers_replan(). What is known of what stays is kept. On ERR_NO_MEMORY nothing is asked any more. NULL is fine. */
int views_replan(struct views *v) MUST_CHECK;
/* What others tell has changed: think anew of this node's own networks, with the next tick. NULL is fine. */
void views_look(struct views *v);

/* ---- views_plan.c: pure but for the board's memory ---- */

enum {
	VIEWS_UDP_MS = 1000,    /* between two questions to the same address, as a rule */
	VIEWS_ALL_AT_ONCE = 16, /* so many addresses are asked at that pace */
	VIEWS_MORE_MS =
		9, /* times the square of how many there are more: 198 are asked every 5 minutes, for 4 kbit/s */
	VIEWS_PACE_MAX_MS = 3600000,
	VIEWS_TCP_TURNS = 5, /* TCP costs ten packets: so many times more seldom */
	VIEWS_ANYCAST_MS = 1000,
	VIEWS_ANYCAST_EACH_MS = 125, /* of all anycast addresses together so often one is asked */
	VIEWS_TIMEOUT_MS = 800,
	VIEWS_QUICK_MS = 400, /* at least: the first question without an answer, of what answered quickly before */
	VIEWS_AGAIN_MS = 200, /* what has not answered is asked again so soon, until it is certain */
	VIEWS_FALL = 2,       /* failures in a row: silent */
};

/* Milliseconds between questions to each of so many addresses of other nodes. */
uint32_t views_pace_ms(uint32_t addresses, bool tcp);
/* To each of so many families of networks from outside. */
uint32_t views_anycast_pace_ms(uint32_t families);

/* Rows of board.network anew for this configuration: one for each of its networks, in its order; what is known of those that stay is kept. */
void views_lay_out(struct board_watch_views *board, const struct config *config, const struct config_node *self);

/* How long an answer is waited for. failures: in a row, so far; latency_us: as a rule; 0: not known. */
uint32_t views_timeout_ms(uint32_t failures, uint32_t latency_us);

/* A question to a management address was answered, or not. True: whether it answers is another thing now than before. */
bool views_path_answered(struct board_view_path *p, uint32_t latency_us, uint64_t now_ns);
bool views_path_failed(struct board_view_path *p);

enum views_change { VIEWS_SAME, VIEWS_SEEN, VIEWS_SILENT, VIEWS_MOVED };
/* A question to a network's anycast address; node: who answered, "": it does not say; why: what is to be said of the answer. */
enum views_change views_family_answered(struct board_view_network *n, int family, const char *node, const char *why,
                                        uint32_t latency_us, uint64_t sent_ns, uint64_t now_ns);
enum views_change views_family_failed(struct board_view_network *n, int family, const char *why, uint64_t now_ns);

/* What `viewer` said, to a question that left at sent_ns. Without a free row the oldest is given up. */
/* True: of some family it is another thing than before. */
bool views_told_take(struct board_watch_views *board, const char *viewer, const struct fleet_sees *s, uint64_t sent_ns);
/* How old what is told may be to count, with so many nodes that are asked. */
uint64_t views_told_fresh_ms(uint32_t others);
