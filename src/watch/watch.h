/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/list.h"
#include "board/board.h"
#include "config/config.h"
#include "proc/role.h"
#include "watch/check.h"
#include "watch/load.h"
#include "watch/path.h"
#include "zone/follow.h"
#include "zone/store_verify.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What the files of the watch process share. One thread, no locks. */
struct watch_network {
	char name[CONFIG_NAME_MAX + 1];
	uint32_t index;        /* on the board: in the node's list */
	uint32_t config_index; /* in the configuration: what store_zone.network says */
	struct config_check rule;
	uint32_t signatures_alert_s;
	bool expired_leaves;
	uint32_t stale_after_ms;
	uint32_t check_count;
	struct check *checks[2 * BOARD_ADDRESSES_MAX]; /* address 0 UDP, TCP, address 1 UDP, ... */
	uint64_t zones_missing_ns; /* since when; 0: none is */
	bool hurried;              /* its data is about to be stale: judged more often */
	struct watch_family {
		enum board_verdict verdict;
		uint64_t since_ns;
	} all, family[BOARD_FAMILIES];
};

/* Of what many may change at once. */
enum watch_burst { WATCH_BURST_PEER, WATCH_BURST_RPKI, WATCH_BURST_ENDPOINT, WATCH_BURST_BACKEND, WATCH_BURSTS };

struct steer_table;
struct watch {
	uv_loop_t loop;
	struct role *role;
	struct board *board;
	const char *node; /* name of this node */
	uint16_t port;    /* SERVICE_PORT, but in tests */
	bool loaded;      /* sync has ended its first load: checks count from then on */
	struct store_follow store;
	struct store_verify verify;
	struct name damaged; /* zone; len 0: none */
	uint64_t damaged_ino; /* of the store file with it */
	struct list checks;
	struct load load;
	struct paths *paths; /* NULL: no device has XDP */
	struct teller *teller; /* tells other nodes how this one is; NULL: nobody can ask */
	struct peers *peers; /* asks them; NULL in the stand-alone form */
	struct drift *drift; /* likewise */
	struct views *views; /* other nodes and networks as clients see them; NULL in the stand-alone form */
	struct steer_table *steered; /* policies of the configuration in force; NULL: none */
	struct endpoints *endpoints; /* that names are steered to; NULL in the stand-alone form */
	struct rpki_watch *rpki;
	struct backends_watch *backends; /* servers that answer for zones; NULL in the stand-alone form */
	uint32_t network_count;
	struct watch_network networks[BOARD_NETWORKS_MAX];
	struct event_burst bursts[WATCH_BURSTS];
	uint64_t looked_ns; /* when `slow` ran last */
	unsigned ticks;     /* of `slow` */
	uv_timer_t slow; /* looks for the store and the end of the first load */
};

/* Make the plan follow the configuration: checks that stay (same network by name, address, transport) keep their state. On
 * ERR_NO_MEMORY the plan is unusable. */
int plan_build(struct watch *w, const struct config *config, const struct config_node *node) MUST_CHECK;
/* Take over the states that a predecessor in this role left on the board not long ago. After plan_build(), before any check ran. */
void plan_inherit(struct watch *w, uint64_t now_ns);
void plan_free(struct watch *w);
/* Judge the network and write its section of the board. */
void watch_publish(struct watch *w, struct watch_network *n, uint64_t now_ns);
/* A mark of address and transport: what a slot on the board was written for. */
void check_mark(const struct check *c, uint8_t mark[3]);

/* ---- events.c: what is found out, as events on the board ---- */

void watch_event(struct watch *w, const struct board_event *e);
void watch_event_verdict(struct watch *w, const char *network, int family, enum board_verdict was, enum board_verdict now, const char *why);
/* One of perhaps many; beyond a few they are counted, and told in one by the tick. */
void watch_event_many(struct watch *w, enum watch_burst burst, const struct board_event *e);
void watch_events_tick(struct watch *w, uint64_t now_ms);
