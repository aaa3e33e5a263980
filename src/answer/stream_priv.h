/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/stream.h"

#include "answer/stream_clients.h"
#include "answer/stream_limits.h"
#include "answer/stream_memory.h"
#include "base/addr.h"
#include "base/list.h"
#include "dns/message.h"

#include <sys/types.h>

/* What the files of a worker's connections share: see stream.c. One thread. */
struct engine_request;
struct engine_result;
struct relays;
struct worker;

enum {
	STREAM_OPEN_MAX = 64,     /* questions of one connection that backends have to answer */
	STREAM_OPEN_CLIENT = 512, /* of one client */
	STREAM_READ = 16384,      /* octets taken from a connection at a time */
	STREAM_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	STREAM_OUT = 2 * STREAM_FRAME_MAX, /* gathered answers: at least one more always fits below the half */
	STREAM_CLOCK_EVERY = 16,      /* answers between two looks at the clock */
};

enum waiting { WAIT_SHAKE, WAIT_FIRST, WAIT_NEXT, WAIT_KINDS };

struct stream_conn {
	struct list link;      /* in waiting[] */
	struct list of_client; /* in the client's conns */
	struct list ready;     /* in stream.ready, or alone */
	struct stream_client *client;
	struct ssl_st *tls;    /* NULL: plain TCP */
	uint8_t *in, *out;     /* kept octets; NULL: none */
	uint64_t active_ns;    /* last whole query, or the start */
	uint32_t in_len, in_cap, out_len, out_pos;
	uint32_t events;       /* asked of epoll */
	int fd;                /* -1: closed */
	uint8_t waits;         /* enum waiting: where link is */
	bool shaking;          /* TLS handshake under way */
	bool broken;           /* TLS has failed: nothing more can be said */
	bool manages;          /* may ask sync */
	uint8_t network;       /* for measures_network() */
	bool more;             /* `in` may hold whole queries: the turn was over */
	bool ended;            /* the client has; it waits for answers */
	bool holds;            /* the next message is not for this worker, and waits until all before it are answered */
	bool doomed;           /* stream_conn_serve() is to close it */
	uint16_t open_count;   /* questions in `opened` */
	struct list opened;    /* rows of `later` */
	struct ip_addr address;
	uint16_t port;
};

/* A question that a backend has to answer. */
struct stream_later {
	struct list link;  /* in conn.opened, or in stream.later_free */
	struct stream_conn *conn; /* NULL: free */
	uint32_t uses;
};

struct stream {
	struct worker *worker;
	struct stream_limits limits;
	struct stream_memory memory;
	struct stream_clients clients;
	struct slab conns;
	struct list waiting[WAIT_KINDS], ready;
	uint32_t waiting_count[WAIT_KINDS];
	uint32_t open, open_tls;
	int epoll;
	struct ssl_ctx_st *context; /* of TLS; NULL: none */
	struct relays *relays;
	uint64_t tls_base; /* OpenSSL's memory that belongs to no connection */
	uint64_t until_ns; /* the turn's end */
	uint64_t shake_until_ns;
	uint64_t peak;     /* of memory, since it was last trimmed */
	uint16_t keepalive; /* told to clients that ask, RFC 7828 */
	struct stream_later *later; /* a row for each, by place; NULL: none were wanted yet */
	struct list later_free;
	struct stream_conn *serving; /* in stream_conn_serve(): not to be closed by others; NULL: none */
	uint8_t in[STREAM_READ], out[STREAM_OUT], frame[STREAM_FRAME_MAX];
};

/* ---- stream_conns.c: which connections there are ---- */

/* Octets that connections take, OpenSSL's among them. */
uint64_t stream_memory_used(const struct stream *s);
/* Is there room for len octets more? If not it is counted, for the connection that wants them goes. */
bool stream_memory_has(struct stream *s, size_t len);
/* It and all it has are gone; its open questions are nobody's. */
void stream_conn_close(struct stream *s, struct stream_conn *c);
/* Have epoll tell of these events only. False: it cannot. */
bool stream_conn_watch(struct stream *s, struct stream_conn *c, uint32_t events);
/* It is idle from now on, as one of this kind. */
void stream_conn_wait(struct stream *s, struct stream_conn *c, enum waiting kind);
/* The one that has been idle for longest. NULL: there is none. */
struct stream_conn *stream_first_waiting(const struct stream *s, enum waiting kind);

/* ---- stream_octets.c: TCP and TLS alike ---- */

/* Octets read, 0 at the end, -errno; -EAGAIN: nothing there. */
ssize_t stream_conn_recv(struct stream *s, struct stream_conn *c, uint8_t *buf, size_t cap);
/* Go on with a handshake. False: close. */
bool stream_conn_shake(struct stream *s, struct stream_conn *c);
/* Send what has been gathered; keep what does not go. False: the connection is of no more use. */
bool stream_conn_put(struct stream *s, struct stream_conn *c, const uint8_t *bytes, size_t len);
/* Go on with what was kept. False: likewise. */
bool stream_conn_flush(struct stream *s, struct stream_conn *c);

/* ---- stream_queries.c: whole queries, and their answers ---- */

/* Serve it until there is nothing to do, it waits for something, or the turn is over. It may be closed then. */
void stream_conn_serve(struct stream *s, struct stream_conn *c);
/* Nothing more is read for the moment. */
bool stream_conn_full(const struct stream_conn *c);

/* ---- stream_later.c: questions that wait for an answer of backends ---- */

/* A question for backends: it is left open. False: it cannot be now. */
bool stream_conn_ask(struct stream *s, struct stream_conn *c, const struct engine_request *request, const struct engine_result *result);
/* There will be no answer. */
void stream_later_release(struct stream *s, struct stream_later *l);

/* ---- stream_leave.c: connections that others carry on ---- */

/* Our own end of it. */
void stream_conn_local(const struct stream_conn *c, struct endpoint *out);
/* Give the connection to sync, or (status) to watch, with len octets of it from a message for them on. False: they do not take it. The caller closes it all the same: this
 * copy of the descriptor, which leaves the epoll set here, since closing does not do it while sync has another. */
bool stream_conn_hand_over(struct stream *s, struct stream_conn *c, const uint8_t *p, size_t len, bool status);
/* A transfer from backends: the connection is theirs from now on, with len octets of it from that message on. False: there are too many. The caller closes what is left of it. */
bool stream_conn_splice(struct stream *s, struct stream_conn *c, uint32_t pool, const uint8_t *p, size_t len);
