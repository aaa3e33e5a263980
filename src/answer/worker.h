/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "answer/measures.h"
#include "answer/settings.h"
#include "base/addr.h"
#include "base/attr.h"
#include "board/board.h"
#include "dnstap/ring.h"
#include "sample/ring.h"
#include "zone/store.h"

#include <stdbool.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* One answer worker: what UDP and TCP share. Everything is allocated at start; nothing is while queries are answered, but for what
 * a slow TCP client has not taken yet. */
struct behind;
struct role;
struct forward;
struct hot;
struct passes;
struct rings;
struct live_steering;
struct splices;
struct stream;
struct udp;
struct upstream;

struct worker {
	struct board_worker *board;
	const struct board *whole; /* for the fault switch and the store in use */
	struct settings *settings; /* owned */
	struct engine_scratch *scratch; /* with the answer cache */
	uint32_t cache_octets;    /* it was made for */
	struct stream *streams;
	struct hot *hot;          /* what the kernel's cache is filled from; NULL: there is none */
	struct rings *rings;      /* AF_XDP sockets; NULL: none */
	struct rate_table *rates; /* shared by all workers; NULL: no limits */
	uint32_t rate_turn;
	struct sample_rings *samples; /* shared with readers; NULL: nothing is sampled */
	struct sample_pace pace;
	struct tap_rings taps; /* for dnstap; no ring: there are none */
	struct sample_pace tap_pace; /* `every` 0: nothing is tapped */
	struct endpoint local; /* where the query at hand came to, while something is tapped; family 0: not known */
	unsigned index; /* of this worker */
	int handover;   /* to sync; -1: none */
	int status;     /* to watch; -1: none */
	struct store_reader *store; /* NULL until sync has made one */
	int epoll;
	int urgent; /* epoll set, in that one, of sockets that are served between batches of others; -1: none */
	struct udp *udp;
	struct forward *forward;  /* NULL: there are no backends; nor are these four: */
	struct behind *behind;
	struct upstream *upstream;
	struct passes *passes;
	struct splices *splices;
	uint64_t now_ns; /* refreshed once a turn of the loop */
	uint32_t now_s;  /* since 1970, likewise */
	struct measures measures;
	struct live_steering *steering; /* what policies rest on that changes; see live_steering.h */
};

/* One answer with the version of the store that is pinned. Counts. */
void worker_answer(struct worker *w, const struct store_snapshot *s, const struct engine_request *request, uint8_t *out, size_t cap,
                   struct engine_result *result);

/* The answer to a question of which that said for_backends. Counts it. */
void worker_answer_late(struct worker *w, const struct engine_late *late, const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result);

/* At most so many batches of each. Between two batches of a socket that is asked a lot, so that management is not behind a flood of queries: a look costs a call of the kernel. */
void worker_serve_urgent(struct worker *w, int turns);

/* Give a request to sync, or to watch; see proc/handover.h. False: it takes nothing now. */
struct handover;
bool worker_hand_over(struct worker *w, struct handover *head, const uint8_t *octets, int descriptor);

/* Address of a client as the kernel gave it. On the path of every query: nothing is checked. */
static inline void client_of_peer(const struct sockaddr_storage *peer, struct ip_addr *out)
{
	out->zone = 0;
	if (peer->ss_family == AF_INET6) {
		out->family = 6;
		memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
	} else {
		out->family = 4;
		memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	}
}

static inline uint16_t port_of_peer(const struct sockaddr_storage *peer)
{
	return ntohs(((const struct sockaddr_in *)(const void *)peer)->sin_port); /* at the same place in both families */
}
