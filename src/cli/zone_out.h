/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "cli/cli.h"

#include <stdio.h>

/* A zone on its way into a file: it comes to stand under its name whole, or not at all. */
struct zone_out {
	FILE *file;
	char path[1024], temporary[1040]; /* temporary "": standard output */
	bool json;                        /* one JSON value instead of zone file lines */
	const char *zone;
	size_t records;
};

/* path NULL: standard output. Where the file is there, the new one gets its mode and, as far as may be, its owner. Failures are said on stderr. */
int zone_out_open(struct zone_out *o, const char *path, const char *zone, bool json) MUST_CHECK;
/* For cli_control_stream(). ctx: the struct zone_out. */
int zone_out_head(void *ctx, const json_t *head);
int zone_out_line(void *ctx, char *line);
/* good: it was whole. */
int zone_out_close(struct zone_out *o, bool good) MUST_CHECK;
/* "NAME TTL IN TYPE DATA", parted by tabs, as an object; NULL: it is none. */
json_t *zone_out_record(char *line);
