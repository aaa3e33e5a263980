/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "xfr/incoming.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* One zone asked for at its primaries, and transferred where they have something newer: see fetch.c. On the loop's thread. */
enum {
	FETCH_PRIMARIES_MAX = 64,  /* are looked at */
	FETCH_UDP_TRIES = 3,       /* questions to one primary, the next when the one before has waited twice as long */
	FETCH_UDP_FIRST_MS = 700,  /* the first waits; all three 4.9 s */
	FETCH_GRACE_NEWER_MS = 20, /* others are waited for once one primary has something newer, */
	FETCH_GRACE_MS = 500,      /* or once one has answered */
	FETCH_CONNECT_MS = 5000,   /* TLS included */
	FETCH_IDLE_MS = 15000,     /* without a whole message */
	FETCH_LONGEST_MS = 2 * 3600 * 1000, /* a transfer, whatever it sends */
	FETCH_ERROR_MAX = 700,
};
#define FETCH_OCTETS_MAX ((uint64_t)8 << 30) /* of a zone's records as they lie in memory, or half of the machine's memory if that is less */

struct links;
struct tls_profiles;
struct tsig_key;

struct fetch_settings {
	uv_loop_t *loop;
	struct links *links;
	struct ip_addr source[2]; /* IPv4, IPv6: what is asked from; family 0: the kernel chooses */
	uint64_t max_octets;
};

struct fetch_request {
	const uint8_t *apex;
	const struct endpoint *primaries;
	uint16_t primary_count;
	uint16_t preferred;         /* the one that answered last */
	const struct tsig_key *key; /* NULL: unsigned; outlives the fetch */
	struct tls_profiles *tls;   /* what `tls` of primaries is an index of; a reference is kept */
	bool has_serial;
	uint32_t serial;              /* of the version held */
	bool whole;                   /* AXFR */
	bool force;                   /* whatever its serial */
	bool direct;                  /* the preferred one is known to have a newer serial */
	bool look;                    /* only what serial they have, if any answers over UDP or TLS: FETCH_CURRENT, with it */
	uint64_t max_records, max_octets; /* of the transfer; 0: the settings' */
};

enum fetch_outcome { FETCH_CURRENT, FETCH_WHOLE, FETCH_DIFFERENCES, FETCH_FAILED };
struct fetch_result {
	enum fetch_outcome outcome;
	uint16_t primary;             /* that it came from */
	uint32_t serial;              /* but for FETCH_FAILED */
	bool has_expire;
	uint32_t expire_s;
	struct xfr_in *in;            /* FETCH_WHOLE, FETCH_DIFFERENCES: the receiver's now */
	struct xfr_in_facts facts;
	uint64_t took_ms;
	char error[FETCH_ERROR_MAX];  /* FETCH_FAILED: all that went wrong; FETCH_WHOLE: why there are no differences; else "" */
	bool has_seen;                /* FETCH_FAILED: a primary did tell a serial */
	uint32_t seen;
};

struct fetch;
typedef void fetch_done_fn(void *ctx, struct fetch *f, struct fetch_result *result);

/* Everything is copied but settings and the key. on_done is called once, from the loop, never from within fetch_start(). ERR_NO_MEMORY. */
int fetch_start(const struct fetch_settings *settings, const struct fetch_request *request, fetch_done_fn *on_done, void *ctx, struct fetch **out)
        MUST_CHECK;
/* End it: on_done is not called. */
void fetch_cancel(struct fetch *f);
const uint8_t *fetch_apex(const struct fetch *f);
/* Messages and octets that have come so far, and from whom. */
void fetch_progress(const struct fetch *f, struct xfr_in_facts *out, struct endpoint *from);
