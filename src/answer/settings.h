/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "answer/filter.h"
#include "limit/rate.h"
#include "answer/stream_limits.h"
#include "base/attr.h"
#include "config/config.h"
#include "dns/cookie.h"
#include "limit/prefix_set.h"
#include "proc/bundle.h"

/* How a worker answers, made from its bundle; replaced as a whole by a reload. Nothing in it is touched by two workers. */
struct settings {
	struct engine_config engine;
	struct cookie_secrets cookies;
	struct stream_limits streams; /* this worker's share */
	struct rate_limits rate;
	bool limited;                 /* some rate has a limit */
	struct prefix_set *own;       /* addresses of this node */
	struct prefix_set *fleet;     /* of all nodes; NULL in the stand-alone form */
	struct prefix_set *exempt;    /* from limits: as configured, loopback, and its own */
	struct filter_set *filters;
	struct steering *steering;    /* NULL: no policies */
	bool xdp_cache;               /* answers are put into the kernel */
	uint32_t cache;               /* octets of answers kept, 0: none */
	struct edge_zones *backend_zones; /* whose answers come from backends */
	struct engine_pool *pools;
	uint32_t tap_every;           /* one query in so many goes to dnstap, 0: none */
	uint32_t sample_every;        /* one query in so many is kept, 0: none */
};

/* workers: among which the node's figures are divided. config and bundle must outlive the settings. ERR_MALFORMED: the bundle lacks
 * something. ERR_NO_MEMORY. */
int settings_make(const struct config *config, const struct bundle *bundle, const char *node, unsigned worker, unsigned workers, struct settings **out)
        MUST_CHECK;
/* Whether a pool's answers are kept: not where servers are told who asks but do not say for whom their answer is. */
bool settings_pool_cached(const struct config_backends *b);
void settings_free(struct settings *s);
