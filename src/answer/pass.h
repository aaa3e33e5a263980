/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "answer/forward.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages for backends that are no plain questions: signed ones, NOTIFY, UPDATE. They are passed on as they are, and so are the answers; nothing is kept or joined. One per worker. See pass.c. */
struct config;
struct passes;
struct upstream;
struct worker;

enum {
	PASS_MAX = 256,     /* under way at a time */
	PASS_CLIENT_MAX = 32, /* of them of one address */
	PASS_TRIES_MAX = 16, /* servers that one message goes to */
	PASS_UPDATE_MS = 5000, /* for an UPDATE, which a server may have to bring to a disk first; others: backends[].patience */
	PASS_TRY_MS = 400,  /* after which a signed question goes to another server as well */
};

/* NULL: out of memory. */
struct passes *passes_new(struct worker *w);
void passes_free(struct passes *p);
/* The configuration and connections from now on (borrowed). What is under way gets its answer, but is sent nowhere else. */
void passes_set(struct passes *p, const struct config *config, struct upstream *upstream);
/* With result->pass of engine_answer(). The answer goes to who, if need be a SERVFAIL of ours. False: not now. */
bool passes_take(struct passes *p, const struct forward_client *who, const struct engine_result *result, const uint8_t *msg, size_t len) MUST_CHECK;
/* An epoll set that is readable while something can be done: passes_turn() then. */
int passes_fd(const struct passes *p);
void passes_turn(struct passes *p);
/* Give up what is too old; every few milliseconds. */
void passes_expire(struct passes *p);

/* The next server of a pool that may be asked, in the order of the configuration from `first` on: those that checks find down come last, those that lead back here never. tried: a bit for each place
 * in the pool, set here. Its place among all servers; -1: there is no other. */
struct board_watch_backends;
int pass_next_server(const struct config *c, const struct board_watch_backends *b, uint32_t pool, unsigned first, uint64_t tried[4]);
/* In place of an answer that could not be had: header and question of msg (len octets, at least a header) with this rcode, into out (cap octets, at least a header). Its length. */
size_t pass_error(const uint8_t *msg, size_t len, uint16_t rcode, bool truncated, uint8_t *out, size_t cap);
