/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "health/probe_dns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

/* One attempt to speak to an endpoint: a fresh nonblocking socket over UDP or TCP, perhaps TLS on it, a time limit, and what came of it. What is said over it, and whether what comes
 * back is right, is its owner's to know: probe.c, backends_ask.c, endpoint_check.c. See attempt.c. */
enum { ATTEMPT_GRACE_MS = 50 /* our own loop was late by more: the attempt gets its time once more */ };

enum probe_outcome {
	PROBE_OUTCOME_PASS,
	PROBE_OUTCOME_FAIL,
	PROBE_OUTCOME_NONE, /* no fault of the service: we have no descriptor, no memory, no port left */
};

struct tls_client;
struct ssl_st;

struct attempt_job {
	uv_loop_t *loop;
	struct endpoint to;
	bool stream; /* TCP; else UDP */
	uint32_t timeout_ms;
	const char *no_route; /* what is said of an address that no way leads to; borrowed */
	/* It has connected; from then on: what was waited for has come. */
	void (*ready)(void *owner);
	/* It is over: called once, maybe within a call of the functions below, but by attempt_release(). Has to release it. `why` is "" for a pass. */
	void (*ended)(void *owner, enum probe_outcome outcome, const char *why, uint32_t took_us);
	void *owner; /* memory of malloc() in which the attempt lies; the attempt frees it */
};

struct attempt {
	struct attempt_job job;
	const char *awaited; /* what there was none of when time is over, "answer"; the owner's to set, "connection" at first */
	struct ssl_st *tls;  /* NULL: in clear; the owner's to begin, ended with the attempt */
	int fd;
	bool connecting, graced, over;
	int events;      /* waited for */
	uint8_t handles; /* open in the loop */
	uint64_t begun_ns, due_ns;
	uv_poll_t poll;
	uv_timer_t timer;
};

/* Its time begins; there is no socket yet. */
void attempt_init(struct attempt *a, const struct attempt_job *job);
/* Make the socket. from: the address (family 0: any) and port (0: a fresh one) it is bound to; NULL: the kernel's choice. False: it is over. */
bool attempt_open(struct attempt *a, const struct endpoint *from) MUST_CHECK;
/* After attempt_open(). Unless it is over the socket knows its own address then; where it waits, `ready` is called when it has connected. */
enum attempt_step { ATTEMPT_OVER, ATTEMPT_WAITS, ATTEMPT_CONNECTED };
enum attempt_step attempt_connect(struct attempt *a) MUST_CHECK;

/* All of these: when it is not done it is over, or waits for `ready` to be called. */

/* True: done, and it is the server that `client` wants. */
bool attempt_shake(struct attempt *a, const struct tls_client *client) MUST_CHECK;
/* True: all octets from *pos to len have left; over UDP as one datagram. */
bool attempt_send(struct attempt *a, const void *bytes, size_t len, size_t *pos) MUST_CHECK;
/* Octets, of one datagram over UDP; 0: the end of a stream, or an empty datagram; -1: not done. */
ssize_t attempt_receive(struct attempt *a, void *to, size_t cap) MUST_CHECK;

/* Wait for UV_READABLE or UV_WRITABLE. */
void attempt_wait(struct attempt *a, int events);
/* It is over with this outcome. */
void attempt_end(struct attempt *a, enum probe_outcome outcome, const char *why);
/* Close everything. The owner's memory goes now or when the loop has let go of it. polite: with a close_notify (RFC 8446 6.1). */
void attempt_release(struct attempt *a, bool polite);

/* What the error of a socket says of who was spoken to; pure. heard: it came over the network, by ICMP or RST; else a call of ours gave it at once. */
enum probe_outcome attempt_outcome(int err, bool heard, const char *no_route, char why[PROBE_WHY_MAX]);
