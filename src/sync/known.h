/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "zone/prints.h"
#include "zone/store.h"

#include <stdint.h>

/* Fingerprints of the versions of large zones that were read from files last, so that the next reading finds quickly what differs (zone/prints.h). A few zones, and a limited
 * memory: those used longest ago go first. On the loading thread, but for the key. */
enum { KNOWN_RECORDS_MIN = 20000 /* smaller zones are compared as quickly without */ };

struct known;

struct known *known_new(void); /* NULL: out of memory */
void known_free(struct known *k);
/* Of all fingerprints; does not change. */
const uint8_t *known_key(const struct known *k);
/* Those of exactly this version, or NULL. Good until the next call. */
const struct zone_prints *known_find(struct known *k, const uint8_t *apex, const struct store_zone *z);
/* Taken over: prints of the content that z, of the version being built or committed, was made of. */
void known_keep(struct known *k, const uint8_t *apex, const struct store_zone *z, struct zone_prints *prints);
