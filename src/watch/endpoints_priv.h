/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "health/state.h"
#include "watch/endpoint_check.h"
#include "watch/endpoints.h"
#include "watch/watch.h"

/* What the files of endpoints share. One thread. */
enum {
	ENDPOINTS_UNDER_WAY = 256, /* checks at a time; others wait for their turn */
	ENDPOINTS_VIEWS = 64,      /* nodes whose view of a pool is remembered */
	ENDPOINTS_NO_ROW = UINT32_MAX,
};

struct endpoint_pool;

struct endpoint_state {
	struct endpoint_pool *pool;
	uint32_t place, row;       /* bit in the words; row on the board or ENDPOINTS_NO_ROW */
	struct health health;      /* as this node sees it */
	uint64_t due_ns, begun_ns, checked_ns;
	uint32_t latency_us;       /* smoothed */
	char why[PROBE_WHY_MAX];   /* of the last failure; "" after a pass */
	enum health_state counts;  /* what counts, since counts_ns */
	uint64_t counts_ns;
	uint32_t passing, failing; /* other nodes that say so */
	/* Under way, at most one of them. */
	struct endpoint_check *check;
	struct probe *probe;
	uint32_t exec;             /* id of a program that runs; 0: none */
	struct probe_question question;
};

struct endpoint_view {
	uint64_t node;     /* a hash of its name */
	uint64_t heard_ns; /* when the question left; 0: the place is free */
	uint64_t known, up;
};

struct endpoint_pool {
	struct endpoints *owner;
	const struct config_pool *conf;
	uint64_t key;
	uint32_t place;       /* in the configuration */
	bool own;             /* this node checks it */
	uint64_t next_ns;     /* the first of its endpoints that is due */
	struct tls_client *tls;
	uint64_t known, up;   /* as this node sees it */
	struct endpoint_view *views; /* ENDPOINTS_VIEWS, owned; NULL: nobody has said anything */
	uint32_t count;
	struct endpoint_state *list; /* owned */
};

/* Whom web servers are believed by: one for each file of authorities. */
struct endpoint_authority {
	const char *file; /* "": the system's; NULL: any certificate will do */
	struct tls_client *tls;
};

struct endpoints {
	struct watch *watch;
	uv_timer_t tick;
	bool ticking;
	uint32_t count;
	struct endpoint_pool *pools; /* owned */
	struct endpoint_authority *authorities; /* owned, as many as pools at most */
	uint32_t authority_count;
	uint32_t under_way;
	uint32_t next_exec;
	struct event_burst burst;
	/* Sharing. */
	bool own_any;         /* some pool is checked here */
	uint32_t pull_ms;     /* how often the nodes that check for this one are asked; 0: none does */
	uint64_t looked_ns;   /* at how old views are */
	bool changed;         /* what is seen here has changed, and nobody was told yet */
	uint64_t told_ns;
	struct endpoint_source {
		uint64_t due_ns;  /* to be asked about its pools; 0: never */
		uint64_t asked_ns;
	} source[BOARD_NODES_MAX]; /* by place of watch/peers.h */
};

/* ---- endpoints_show.c: the board ---- */

/* Lay out words and rows; states must be there. */
void endpoints_lay_out(struct endpoints *e);
/* Take over what a predecessor left on the board, before it is laid out. */
void endpoints_inherit(struct endpoint_pool *p);
/* What is known of this endpoint may have changed: judge it, and write its row; the word, event and log where what counts has changed. */
void endpoints_show(struct endpoint_state *s, uint64_t now_ns);

/* ---- endpoints_share.c ---- */

void endpoints_share_plan(struct endpoints *e);
void endpoints_share_tick(struct endpoints *e, uint64_t now_ns);
/* Count what others say of the endpoint. */
void endpoints_count_views(struct endpoint_state *s, uint64_t now_ns);
