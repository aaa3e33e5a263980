/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "dns/rr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zone files (RFC 1035 5, RFC 2308 4, RFC 3597; $ORIGIN, $TTL, $INCLUDE, $GENERATE as BIND takes them). Owns no policy: each
 * record goes to a callback, each problem to a diag with file:line:column, and parsing goes on after an error until the
 * diag is full. Checks of the zone as a whole are in zone/check.h. */
enum {
	ZONEFILE_INCLUDE_DEPTH_MAX = 16,
	ZONEFILE_GENERATE_MAX = 1000000, /* records one $GENERATE may make */
};

struct zonefile_place {
	const char *file; /* valid for the whole parse */
	unsigned line;
	unsigned column;
	bool same_owner; /* as the record before, octet for octet */
};

/* Takes one record (borrowed for the call). Non-zero stops the parse with that code. */
typedef int zonefile_record_fn(void *ctx, const struct rr *rr, const struct zonefile_place *place);

struct zonefile_options {
	const uint8_t *origin;  /* the zone's name: initial $ORIGIN */
	uint16_t rclass;        /* CLASS_IN; records of another class are errors */
	zonefile_record_fn *on_record;
	void *ctx;
	/* Called about every 64 KiB with octets read and octets in all; NULL: not wanted. */
	void (*on_progress)(void *ctx, uint64_t done, uint64_t all);
	/* For tests: octets read at a time (0: as many as are good), and by the general readers only, never the fast ones. */
	size_t window;
	bool slow;
};

/* Parse the file at path. 0 when no error was reported; ERR_INVALID when diag has errors; -errno when it cannot be read (diag
 * says so too). */
int zonefile_parse(const char *path, const struct zonefile_options *o, struct diag *diag) MUST_CHECK;
/* The same over bytes in memory; name stands for the file in messages, $INCLUDE is refused when include is false. */
int zonefile_parse_bytes(const char *name, const char *bytes, size_t len, bool include, const struct zonefile_options *o,
                         struct diag *diag) MUST_CHECK;
