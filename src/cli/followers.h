/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Do the pops of a fleet answer a version of a zone? Asked at each of their management addresses, over UDP, as any client may. */
enum { FOLLOWERS_MAX = CONFIG_NODES_MAX * CONFIG_MANAGEMENT_MAX, FOLLOWER_WHY_MAX = 100 };

struct follower {
	const char *node; /* borrowed of the configuration */
	struct endpoint at;
	int fd;
	bool has_serial, follows;
	uint32_t serial;            /* answered last */
	uint16_t id;                /* of the question under way */
	unsigned digests;           /* ZONEMD records expected that were answered */
	char why[FOLLOWER_WHY_MAX]; /* not, in words */
};

struct followers {
	const uint8_t *apex;
	uint32_t serial;
	const json_t *zonemd; /* borrowed: strings, the digests expected; NULL or empty: the serial alone counts */
	struct follower *list;
	size_t count;
};

/* The pops that serve the zone by the configuration, which must stay. ERR_NO_MEMORY. */
int followers_init(struct followers *f, const struct config *c, const struct config_zone *z, uint32_t serial,
                   const json_t *zonemd) MUST_CHECK;
void followers_done(struct followers *f);
/* Ask those that do not follow yet, and wait for answers up to wait_ms. How many do not follow. */
size_t followers_ask(struct followers *f, int wait_ms);
