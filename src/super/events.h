/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* What changes on the board that hooks are run for: a look at it now and then, compared with the last one. A state that comes and goes between two looks is not
 * seen, its successor is. Pure but for the board it reads. */
enum { EVENT_WORD_MAX = 24 };

struct event {
	enum config_event what;
	char network[BOARD_NAME_MAX];     /* "": about a neighbor */
	const char *family;               /* "ipv4", "ipv6", "both" */
	char neighbor[ADDR_TEXT_MAX];     /* "": about a network */
	uint32_t neighbor_as;
	char old[EVENT_WORD_MAX], now[EVENT_WORD_MAX];
	char why[BOARD_WHY_MAX];
};

struct events {
	struct events_network {
		char name[BOARD_NAME_MAX];
		uint32_t announce[BOARD_FAMILIES], verdict[BOARD_FAMILIES];
	} network[BOARD_NETWORKS_MAX];
	struct events_neighbor {
		struct ip_addr address;
		uint32_t as;
		bool up;
	} neighbor[BOARD_NEIGHBORS_MAX];
};

typedef void event_fn(void *ctx, const struct event *e);

/* The configuration has changed: what it still has keeps what was seen of it. */
void events_set(struct events *ev, const struct config *config, const struct config_node *node);
/* Compare with the last look. route_gone: the route process does not run, so nothing is announced, whatever stands on the board. fn NULL: what
 * there is is taken for known. */
void events_look(struct events *ev, const struct board *board, const struct config *config, const struct config_node *node, bool route_gone,
                 event_fn *fn, void *ctx);
