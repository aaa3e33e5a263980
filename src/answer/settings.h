/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/engine.h"
#include "answer/stream_limits.h"
#include "base/attr.h"
#include "config/config.h"
#include "dns/cookie.h"
#include "proc/bundle.h"

/* How a worker answers, made from its bundle; replaced as a whole by a reload. Immutable, one allocation a part, nothing in it is touched
 * by two workers. */
struct settings {
	struct engine_config engine;
	struct cookie_secrets cookies;
	struct stream_limits streams; /* this worker's share */
};

/* workers: among which the node's figures are divided. config and bundle must outlive the settings. ERR_MALFORMED: the bundle lacks
 * something. */
int settings_make(const struct config *config, const struct bundle *bundle, const char *node, unsigned workers, struct settings *out)
        MUST_CHECK;
