/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/name.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the tests of the store share: names at random, content without a zone file, a folder of their own. */

struct rng {
	uint64_t s;
};
uint64_t rng_next(struct rng *r);
unsigned rng_below(struct rng *r, unsigned n);

/* A name at or below apex: labels of few letters, of any octets, very long, very deep, wildcards. Returns false when it would be too long. */
bool kit_random_name(struct rng *r, const uint8_t *apex, struct name *out);
struct name kit_name(const char *text);

/* Add a record; rdata as it is. Aborts the test on failure. */
void kit_add(struct content *c, const uint8_t *owner, uint16_t type, const void *rdata, size_t len);
void kit_add_soa(struct content *c, const uint8_t *apex, uint32_t serial);
/* A zone whose every record tells `version`: SOA with it as serial, `names` names with a TXT of `text` octets that repeat it. */
struct content *kit_version(const uint8_t *apex, uint32_t version, unsigned names, unsigned text);
/* Walk a zone made by kit_version(): its version, or UINT32_MAX when anything in it does not tell the same. */
uint32_t kit_version_of(const struct store_snapshot *s, const struct store_zone *z);
/* Sum of everything a reader can see of a snapshot. */
uint64_t kit_sum(const struct store_snapshot *s);
int kit_put(struct store_writer *w, const uint8_t *apex, const struct content *c);

/* A new folder; kit_folder_free() removes it with its files. */
char *kit_folder(void);
void kit_folder_free(char *folder);
/* How long tests that fight against time run: ZONECAST_TEST_SECONDS, or 2. */
unsigned kit_seconds(void);
