/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "lab/lab.h"

#include <jansson.h>
#include <stdbool.h>

/* What `zonecast lab VERB` does. Each prints for people, or one JSON value with json, and returns 0 or a negative code; the reason is on stderr. */
int lab_up(const struct lab *l) MUST_CHECK;
int lab_status(const struct lab *l, bool json) MUST_CHECK;
int lab_down(const struct lab *l) MUST_CHECK;

struct lab_drill_options {
	const char *name;
	unsigned region;
	unsigned runs;
	bool deep;   /* hang: the supervisor as well */
	bool silent; /* cut: the carrier stays */
	bool json;
	/* Settings for this drill only; see struct lab. */
	bool set_bfd, set_backup;
	unsigned bfd_ms;
	bool hidden;
};
/* See drill.c. Also ERR_INVALID when the drill went otherwise than specified. */
int lab_drill(const struct lab *l, const struct lab_drill_options *o) MUST_CHECK;
/* `drill zone`: a change at the hidden primary, and when each client is answered by it; see drill_zone.c. */
int lab_drill_zone(const struct lab *l, const struct lab_drill_options *o) MUST_CHECK;
/* One change, and when each region answered it, as JSON. */
int lab_drill_zone_once(const struct lab *l, json_t **out) MUST_CHECK;
/* Index of the region, or -1. */
int lab_region_of(const char *name);
