/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "base/attr.h"
#include "dns/message.h"

#include <stdint.h>

/* What is asked often: noted on the path of every query, and put into the kernel's answer cache. */
struct hot;
struct worker;

/* fds: of the cache's maps, taken over (xdp_cache_take()). *out NULL, and no error, where there is no cache. */
int hot_new(const int32_t fds[4], unsigned worker, struct hot **out) MUST_CHECK;
/* Gives the lease back. */
void hot_free(struct hot *h);
/* A question got this answer, which is keepable. The version that result->zone is of is pinned. */
void hot_note(struct hot *h, const struct query *q, const struct engine_result *result, bool no_name);
/* Put into the kernel what has become worth it: a few at a time. The store must not be pinned. */
void hot_fill(struct hot *h, struct worker *w);
/* Vouch for the store, or with 0 withdraw it. h may be NULL, here and below. */
void hot_lease(struct hot *h, uint64_t now_ns);
/* The worker reads, or does not read any more, the AF_XDP socket at this place of the program's map. */
void hot_serving(struct hot *h, uint32_t place, bool serving);
/* Settings have changed: what is kept was made by the old ones. */
void hot_renew(struct hot *h);
