/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Connections to primaries, TCP or TLS, each for one request after another: see link.c. On the loop's thread. */
enum {
	LINK_IDLE_MS = 5000, /* that a connection is kept without a request; other servers end it after 10 s and more */
	LINK_IDLE_MAX = 512, /* connections kept so, of all primaries */
	LINK_IDLE_PER_PRIMARY = 32, /* as many as are asked at a time (SECONDARY_ACTIVE_PER_SOURCE) */
	LINK_SESSIONS_MAX = 4096, /* TLS sessions remembered, of as many primaries */
};

struct links;
struct link;
struct tls_client;
struct tls_profiles;

struct link_target {
	struct endpoint at;
	struct ip_addr source;         /* to come from; family 0: the kernel chooses */
	struct tls_profiles *profiles; /* that tls is of; kept by connections */
	struct tls_client *tls;        /* NULL: TCP */
	uint64_t tls_id;               /* tells what is demanded of the server apart; 0: TCP */
};

struct link_counts {
	uint64_t opened, shaken, resumed,
		reused; /* connections; of them by TLS, by a session of before; requests on a connection that was there */
};

/* A request under way, the caller's storage; it stays where it is until link_end() or `broken`. */
struct link_request {
	const uint8_t *wire; /* with its length in front; the caller's, until the end */
	size_t len;
	/* A message of the answer. What follows it comes only where it returns true, and the request was not ended. */
	bool (*message)(void *ctx, const uint8_t *msg, size_t len);
	/* The connection is gone, and the request with it; or it did not come about (reached: it did). why: one line. */
	void (*broken)(void *ctx, bool reached, const char *why);
	void *ctx;
	/* Private. */
	struct link *link;            /* NULL: not under way, or it waits */
	struct link_target *waits;    /* for a session to this place; NULL: it does not */
	struct list at;               /* among those that wait */
};

/* NULL: out of memory. */
struct links *links_new(uv_loop_t *loop);
/* Everything is closed; who waits is not told. NULL is fine. */
void links_free(struct links *s);
const struct link_counts *links_counts(const struct links *s);

/* Send a request and hear the answers, on an idle connection or a new one. No function of r is called from within. ERR_LIMIT, ERR_NO_MEMORY, -errno. */
int link_ask(struct links *s, const struct link_target *target, struct link_request *r) MUST_CHECK;
/* No more is wanted of the request. kept: all of its answer has come, so that the connection is good for another one. Fine when it is not under way. */
void link_end(struct link_request *r, bool kept);
/* Connected, and known to be who was meant. */
bool link_ready(const struct link_request *r);
