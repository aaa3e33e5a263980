/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "xdp/bpf/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The memory of the answer cache in the kernel, as processes see it: maps of the program, mapped. Nothing here needs a privilege or a system
 * call once it is open, but for xdp_cache_shut(). */
struct xdp_cache;

/* Inherited descriptors; -1: not for this role (no entries then: nothing can be filled). */
struct xdp_maps {
	int32_t control, generations, small, large;
};

/* ERR_STALE when the maps are another version's; -errno. The descriptors may be closed afterwards. */
int xdp_cache_open(const struct xdp_maps *maps, struct xdp_cache **out) MUST_CHECK;
void xdp_cache_close(struct xdp_cache *c);
/* The same for the descriptors that a role inherits, in the order of struct xdp_maps: they are closed. *out NULL, and no error, where there is no cache: the first is -1. */
int xdp_cache_take(const int32_t fds[4], struct xdp_cache **out) MUST_CHECK;
/* An empty control page. sets: powers of two. */
void xdp_control_init(struct xdp_control *control, uint32_t workers, uint32_t small_sets, uint32_t large_sets, const uint64_t key[2]);

/* ---- invalidation ---- */

/* The slot of a zone: of its apex in any case. */
uint32_t xdp_cache_slot(const uint8_t *apex);
/* The one writer of zones brackets each commit that changes zones: shut their slots, and the program answers nothing of them when this returns;
 * publish; open them again. apexes NULL: everything. Answers of the old versions are dead for good. After xdp_cache_shut() has returned no
 * packet is being answered by what was seen before: it waits for programs that were running. */
void xdp_cache_shut(struct xdp_cache *c, const uint8_t *const *apexes, size_t count);
void xdp_cache_reopen(struct xdp_cache *c, const uint8_t *const *apexes, size_t count);
/* At the writer's start: opens what a predecessor that died left shut. */
void xdp_cache_recover(struct xdp_cache *c);
/* Answers are made by other rules from now on: everything so far is dead. May be called by any process. */
void xdp_cache_renew(struct xdp_cache *c);
/* Answers of backends so far are dead, and none of them is given any more when this returns. May be called by any process. */
void xdp_cache_renew_backends(struct xdp_cache *c);

/* ---- filling ---- */

/* Taken before the version of the zones that is looked into is chosen; whatever changes from then on makes the filling dead. */
struct xdp_ticket {
	uint32_t slot, generation, epoch;
};
/* False: the zone is being changed just now. */
bool xdp_cache_ticket(const struct xdp_cache *c, uint32_t slot, struct xdp_ticket *out) MUST_CHECK;

/* An answer as the engine makes it for a question with ID 0 and no flags, in lower case. */
struct xdp_answer {
	const uint8_t *message;
	size_t len;
	bool edns, dnssec_ok; /* of the question */
	bool not_cd;          /* a question with CD may have another answer */
	uint8_t kind;         /* for rate limits */
	uint64_t until_ns;    /* CLOCK_MONOTONIC: when it is over; 0: only its zone's next version ends it. Of backends: never 0 */
};
/* ERR_LIMIT: too large; ERR_MALFORMED: not an answer that can be kept (truncated, other opcode, other counts of questions);
 * ERR_CLOSED: the place is being written by another. worker: this process's number. */
int xdp_cache_fill(struct xdp_cache *c, unsigned worker, const struct xdp_ticket *t, const struct xdp_answer *a) MUST_CHECK;
/* Gives free what a predecessor of this worker was writing when it died. */
void xdp_cache_sweep(struct xdp_cache *c, unsigned worker);

/* ---- lease ---- */

/* The worker vouches for its store until XDP_LEASE_MS later. now_ns: CLOCK_MONOTONIC; 0 gives the lease back at once. */
void xdp_cache_lease(struct xdp_cache *c, unsigned worker, uint64_t now_ns);

/* This process reads the AF_XDP socket at `place`: questions without an answer go there from now on, or to the stack again. */
void xdp_cache_serving(struct xdp_cache *c, uint32_t place, bool serving);

/* The hash of a question, as the program makes it. name: lower case. */
uint64_t xdp_question_hash(const uint64_t key[2], const uint8_t *name, size_t len, uint16_t qtype, uint8_t variant);
