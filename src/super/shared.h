/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Memory that roles share and that outlives any of them. *out: a descriptor, the caller's. -errno. */
int shared_make_rate_table(uint32_t entries, int *out) MUST_CHECK;
int shared_make_sample_rings(unsigned workers, int *out) MUST_CHECK;
/* Of answers of backends. */
int shared_make_backend_cache(size_t octets, int *out) MUST_CHECK;
/* octets: of all rings together. */
int shared_make_tap_rings(unsigned workers, size_t octets, int *out) MUST_CHECK;
