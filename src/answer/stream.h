/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/stream_limits.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;
struct stream;
struct ssl_ctx_st;

/* The TCP and TLS connections of one worker. NULL: out of memory. */
struct stream *stream_new(struct worker *w, const struct stream_limits *limits);
void stream_free(struct stream *s);
/* Limits from now on; what is beyond them goes as if it had been idle for long. */
void stream_limit(struct stream *s, const struct stream_limits *limits);
/* The descriptor (an epoll set) that is readable while a connection has something to do: stream_turn() then. */
int stream_fd(const struct stream *s);
/* The context of TLS connections from now on, taken over; those there are keep theirs. NULL: none can begin. */
void stream_tls(struct stream *s, struct ssl_ctx_st *context);
/* Take the connections that wait on a listening socket. manages: it is one over which sync may be asked. network: whose address it is, for measures_network(). */
void stream_accept(struct stream *s, int listener, bool tls, bool manages, unsigned network);
/* Serve connections for a bounded time. True: there is more to do, come back without waiting. */
bool stream_turn(struct stream *s);
/* There is more to do, as after stream_turn(): answers that came later have made room for questions that wait. */
bool stream_busy(const struct stream *s);
/* Close what has been idle too long; every few milliseconds. */
void stream_expire(struct stream *s);
/* The answer (len octets) to a question that was left open: forward_client.stream of forward_ask() is its ticket. False: its connection is gone, or can take no more; nobody waits any more. */
bool stream_answer_later(struct stream *s, uint64_t ticket, const uint8_t *msg, size_t len);
/* What such an answer tells a client of the idle time (RFC 7828). */
uint16_t stream_keepalive_now(const struct stream *s);
/* There will be no answer: its connection no longer waits for it. */
void stream_forget(struct stream *s, uint64_t ticket);
