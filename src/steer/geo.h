/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where addresses are: MaxMind databases, turned by sync into one flat file in run-dir that workers map and search without a lock; replaced as a whole by rename. */
struct geo_place {
	uint32_t as;        /* 0: not known */
	uint16_t country;   /* two letters; 0: not known */
	uint16_t continent; /* likewise */
	bool located;
	float latitude, longitude;
};

struct geo_map; /* a mapped file */
/* ERR_MALFORMED, ERR_STALE: not of this version; -errno. Soon done, whatever the size: a search is safe whatever the file says. */
int geo_map_open(int fd, struct geo_map **out) MUST_CHECK;
void geo_map_close(struct geo_map *m);
/* Is every entry as it should be? Looks at all of them: some 10 ns each. ERR_MALFORMED. */
int geo_map_check(const struct geo_map *m) MUST_CHECK;
/* What it was made from (geoip/build.h). */
uint64_t geo_map_sources(const struct geo_map *m);
/* The place of an address; *scope: bits of it that decide (those of the longest common entry). */
void geo_find(const struct geo_map *m, const struct ip_addr *addr, struct geo_place *out, uint8_t *scope);
