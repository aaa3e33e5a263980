/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "lab/lab.h"

#include <stdint.h>

/* An RPKI cache (RFC 8210) in a node's namespace that knows of the lab's prefixes alone, and says of them what a drill wants. It runs on a thread of
 * its own between start and stop. */
struct rtr_cache;

#define RTR_CACHE_PORT 323

/* Listens on all addresses of the namespace; as: the origin that may announce the lab's prefixes. */
int rtr_cache_start(const char *netns, uint32_t as, struct rtr_cache **out) MUST_CHECK;
/* Another origin may from now on, and nobody else: clients are told. */
void rtr_cache_set(struct rtr_cache *c, uint32_t as);
void rtr_cache_stop(struct rtr_cache *c);
