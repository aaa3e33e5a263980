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
	struct endpoint local;        /* that was asked; family 0: not known */
	/* UDP */
	int fd;                       /* socket that the question came to, and the answer leaves by */
	bool wildcard;                /* the answer's source is told by control data */
	const struct sockaddr_storage *peer;
	/* TCP, TLS: which connection, and which question of it; see stream.h */
	uint64_t stream;
};

struct config;

/* NULL: out of memory. Without pools of backends in the configuration none is needed. */
struct forward *forward_new(struct worker *w, const struct config *config, unsigned workers);
void forward_free(struct forward *fw);
/* Another configuration is in force. What is under way goes on, if its pool is there yet, and is answered SERVFAIL if not. */
int forward_reload(struct worker *w, const struct config *config, unsigned workers) MUST_CHECK;
/* In the worker's epoll set; readable: forward_serve(). */
int forward_fd(const struct forward *fw);
void forward_serve(struct worker *w);

/* With result->for_backends of engine_answer(), whose scratch holds the question yet: take it (len octets). False: it cannot be taken (too much is under way): the caller answers SERVFAIL. */
bool forward_ask(struct worker *w, const struct forward_client *who, const uint8_t *msg, size_t len, const struct engine_result *result) MUST_CHECK;
/* With result->refresh of engine_answer(), likewise: ask for the cache's sake. */
void forward_refresh(struct worker *w, const struct ip_addr *client, const struct engine_result *result);
/* What was asked since leaves: at the end of a batch. */
void forward_flush(struct worker *w);
/* A socket of clients is closed. */
void forward_forget_socket(struct worker *w, int fd);
/* Milliseconds until forward_tick() has something to do; -1: never. */
int forward_wait_ms(const struct worker *w);
void forward_tick(struct worker *w);
