/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "base/addr.h"
#include "base/attr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Questions for zones that backends answer: sent on, waited for, and answered later. One per worker; nothing is shared with others but the cache (edge/cache.h) and, on the board, what watch knows of
 * the backends. At most one question for the same thing is under way; clients that ask meanwhile wait for it. Why and how: forward.c. */
struct worker;
struct forward;

enum {
	FORWARD_UNDER_WAY_MAX = 16384, /* questions of a worker */
	FORWARD_WAITING_MAX = 65536,   /* clients */
	FORWARD_TICK_MS = 10,
};

/* Who waits for an answer. Copied. */
struct forward_client {
	enum engine_transport transport;
	struct ip_addr addr;
	uint16_t port;
	/* UDP */
	int fd;                       /* socket that the question came to, and the answer leaves by */
	bool wildcard;                /* its local address is told by control data */
	struct ip_addr local;
	struct sockaddr_storage peer;
	/* TCP, TLS: which connection, and which question of it; see stream.h */
	uint64_t stream;
};

/* With result->for_backends of engine_answer(): take the question (len octets). False: it cannot be taken (too much is under way): the caller answers SERVFAIL. */
bool forward_ask(struct worker *w, const struct forward_client *who, const uint8_t *msg, size_t len, const struct engine_result *result) MUST_CHECK;
/* Milliseconds until forward_tick() has something to do; -1: never. */
int forward_wait_ms(const struct worker *w);
void forward_tick(struct worker *w);
