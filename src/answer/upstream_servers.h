/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

struct role;
struct tls_profiles;
struct upstream;

/* Tell connections to backends of the configuration in force: servers by their place among those of all pools, our address towards each family, how they are known over TLS. *profiles: what they were
 * known by so far, NULL at first; replaced. ERR_NO_MEMORY: what was before stays. */
int upstream_configure(struct upstream *u, const struct role *role, struct tls_profiles **profiles) MUST_CHECK;
