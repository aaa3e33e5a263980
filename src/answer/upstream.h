/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections of one worker to backends, over TCP and TLS: questions are written one behind another, answers come in any order. Why and how: upstream.c. */
struct tls_client;
struct upstream;
struct worker;

enum {
	UPSTREAM_SERVERS_MAX = 256, /* as BOARD_BACKENDS_MAX */
	UPSTREAM_PER_SERVER = 4,    /* connections that are kept */
	UPSTREAM_PIPELINE = 256,    /* questions under way on one; a power of 2 */
	UPSTREAM_CONNS_MAX = 512,   /* of a worker, those for one question included */
	UPSTREAM_MESSAGE_MAX = 16384, /* octets of a question */
	UPSTREAM_PROXY_MAX = 64,    /* of a PROXY header */
	UPSTREAM_CONNECT_MS = 2000, /* until a connection must be there, TLS included */
	UPSTREAM_SILENT_MS = 5000,  /* a connection that has not answered its oldest question for so long is closed */
	UPSTREAM_IDLE_MS = 8000,    /* without a question; servers close after 10 s and more */
};

/* A server, by its place among all of the configuration. */
struct upstream_server {
	uint64_t key;            /* tells it from others while configurations change: what is there for the same key, address and tls is kept */
	struct endpoint at;
	struct ip_addr from;     /* our address towards it; family 0: the kernel chooses */
	bool over_tls;
	struct tls_client *tls;  /* NULL with over_tls: its tls-auth cannot be used, and neither can it. Borrowed; connections that were begun with it are closed by upstream_set() when it goes */
};

/* What became of a question. */
enum upstream_end {
	UPSTREAM_ANSWER,
	UPSTREAM_CLOSED,  /* the server closed a connection that had been good, as it may at any time: worth another try there */
	UPSTREAM_UNSENT,  /* no connection, or none in time: the server has not had it */
	UPSTREAM_FAILED,  /* a broken connection, or no answer in time: it may have had it */
};
/* msg: an answer, whole, with the ID of the question; not yet held against it. The octets may be written on, until this returns. It may ask again. Never called from within upstream_ask(). */
typedef void upstream_heard(struct worker *w, uint64_t ticket, enum upstream_end end, uint8_t *msg, size_t len);

/* NULL: out of memory. */
struct upstream *upstream_new(struct worker *w);
void upstream_free(struct upstream *u); /* tells nobody */
/* The servers from now on (copied). Connections to those that are not among them are closed, their questions UPSTREAM_FAILED. */
void upstream_set(struct upstream *u, const struct upstream_server *servers, unsigned count);
/* An epoll set that is readable while something can be done: upstream_turn() then. */
int upstream_fd(const struct upstream *u);
/* Send a question to a server. proxy: what a PROXY header tells it (edge/proxy_header.h); then the connection is for this question alone; NULL: none. What is given here leaves with
 * upstream_flush(). False: not now (no connection can be made for the moment, or all are full); nothing will be heard. */
bool upstream_ask(struct upstream *u, unsigned server, upstream_heard *heard, uint64_t ticket, const uint8_t *msg, size_t len, const uint8_t *proxy, size_t proxy_len) MUST_CHECK;
/* Write what was asked; once in a turn of the worker's loop. */
void upstream_flush(struct upstream *u);
void upstream_turn(struct upstream *u);
/* Close what is silent, or idle; every few milliseconds. */
void upstream_expire(struct upstream *u);
/* Questions under way. */
unsigned upstream_under_way(const struct upstream *u);
/* What upstream_set() said of a server; NULL: there is none. Valid until the next one. */
const struct upstream_server *upstream_server(const struct upstream *u, unsigned server);
/* A socket (SOCK_STREAM or SOCK_DGRAM) on its way to a server; non-blocking. -errno. */
int upstream_connect(const struct upstream_server *s, int type, int *out) MUST_CHECK;
