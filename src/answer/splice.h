/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clients' connections that are tied to a connection to a backend, for transfers through this node: see splice.c. Of one worker. */
enum {
	SPLICES_MAX = 64,
	SPLICE_CLIENT_MAX = 16, /* of one address */
	SPLICE_SILENCE_MS = 30000, /* without an octet either way */
	SPLICE_BUFFER = 36 << 10,  /* octets on their way, in each direction; what was read with the first message fits */
};

struct config;
struct splices;
struct ssl_st;
struct upstream;
struct worker;

/* NULL: out of memory. */
struct splices *splices_new(struct worker *w);
void splices_free(struct splices *s);
/* The configuration and servers from now on (borrowed). What is tied already stays so. */
void splices_set(struct splices *s, const struct config *config, const struct upstream *upstream);
/* Take a connection over, with len octets that were read of it, for a server of this pool; local: our end of it. False: there are too many, and nothing has changed. */
bool splices_take(struct splices *s, int fd, struct ssl_st *tls, const struct endpoint *client, const struct endpoint *local, uint32_t pool, const uint8_t *octets, size_t len) MUST_CHECK;
int splices_fd(const struct splices *s);
void splices_turn(struct splices *s);
/* Close what does not move any more; every few milliseconds. */
void splices_expire(struct splices *s);
