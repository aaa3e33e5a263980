/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "watch/drift.h"
#include "watch/drift_find.h"
#include "watch/drift_table.h"
#include "watch/peers.h"
#include "watch/watch.h"

/* What the files of drift share: drift.c (who is compared when), drift_show.c (the board, events, the verdict), drift_servers.c (servers outside). */
enum {
	DESCENTS = 8,            /* at a time */
	DESCENT_STACK = 320,     /* places yet to be asked for: TREE_DEPTH_MAX times the fan, and some */
	DESCENT_QUESTIONS = 200, /* of one; what is left is counted as not looked at */
	SERVERS_MAX = 64,
};

/* A node and a network that both have. */
struct drift_pair {
	bool shared, settled, busy;
	bool heard;
	uint64_t there, heard_ns;       /* its root, and when it said so */
	uint64_t differs_ns;            /* since when the roots are not the same; 0: they are */
	uint64_t done_here, done_there; /* settled: all is known about these roots */
	uint64_t redo_ns;               /* not before */
	uint64_t compared_ns;           /* last time when all was known */
	uint32_t compared, unexplored;  /* zones, of the last descent */
};

struct descent {
	bool active, failed;
	uint32_t who, slot;
	uint32_t tag;
	uint64_t here; /* root when it began */
	uint64_t there;
	uint64_t sent_ns;
	unsigned tries, questions;
	uint32_t compared;
	struct tree_place asked;
	size_t left;
	struct tree_place stack[DESCENT_STACK];
};

/* A server outside of the fleet. */
struct drift_server {
	struct endpoint at;
	const struct config_reference *from; /* in the configuration in force */
	uint64_t due_ns, sent_ns, heard_ns;
	bool pending;
	uint16_t id;
	struct name asked; /* zone */
	uint32_t slot;
	size_t turn;        /* in its list of zones */
	struct name cursor; /* in all zones; len 0: at the beginning */
	unsigned failures, asked_count;
};

struct drift {
	struct watch *watch;
	struct drift_table table;
	uv_timer_t tick;
	uint64_t looked_ns, published_ns, stepped_ns;
	uint32_t pair_count, peer_count;
	struct drift_pair *pairs;      /* [peer][slot] */
	char (*names)[BOARD_NAME_MAX]; /* of peers, as the pairs are laid out */
	uint32_t cursor, report_turn, next_tag;
	double tokens; /* questions that may be asked now */
	uint64_t asked;
	unsigned event_second_count;
	uint64_t event_second;
	uint32_t events_left_out;
	struct descent descents[DESCENTS];
	struct drift_behind behind[CONFIG_NETWORKS_MAX]; /* by slot; zones 0: it is not */
	uint32_t server_count;
	struct drift_server servers[SERVERS_MAX];
	int server_fd[BOARD_FAMILIES];
	uv_poll_t *server_poll[BOARD_FAMILIES];
	struct findings findings;
};

static inline struct drift_pair *drift_pair_of(const struct drift *d, uint32_t i, uint32_t slot)
{
	return &d->pairs[(size_t)i * d->table.count + slot];
}

/* ---- drift_show.c ---- */
finding_told_fn drift_told;
/* The board's rows, as far as something changed; and who is behind. */
void drift_show(struct drift *d, uint64_t now_ns);
/* Name of the node or address of the server. */
const char *drift_who(const struct drift *d, uint32_t who, char buf[ADDR_TEXT_MAX]);

/* ---- drift_servers.c ---- */
void drift_servers_replan(struct drift *d);
void drift_servers_step(struct drift *d, uint64_t now_ns);
