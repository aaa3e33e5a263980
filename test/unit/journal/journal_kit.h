/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "journal/journal.h"
#include "zone/content.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the tests of the journal share: zones whose content is a function of their serial, so that any version that comes back can be judged
 * without having been kept. */

uint64_t kit_mix(uint64_t v);
struct kit_rng {
	uint64_t s;
};
unsigned kit_below(struct kit_rng *r, unsigned n);

extern const uint8_t kit_apex[]; /* zone.example */
struct name kit_name(const char *text);

/* The zone at a serial: SOA, NS, and `names` names, of which about one in `calm` is another from one serial to the next (comes, goes, has another
 * address, TTL or letter case, or a text that fills several rows). The whole depends on seed. */
struct kit_zone {
	uint64_t seed;
	unsigned names, calm;
	unsigned text; /* octets of TXT that some names have; 0: none */
};
struct content *kit_content(const struct kit_zone *z, uint32_t serial);
/* The difference between two serials, made record by record, shuffled; freed by kit_change_free(). */
struct journal_change *kit_change(const struct kit_zone *z, uint32_t from, uint32_t to);
void kit_change_free(struct journal_change *c);
struct journal_version kit_version(uint32_t serial);
/* A sum over everything in a content: owner to the letter, type, TTL, RDATA. */
uint64_t kit_sum(const struct content *c);

/* A new folder below /tmp; kit_folder_free() removes it with its files. */
char *kit_folder(void);
void kit_folder_free(char *folder);

/* One call in a transaction of its own. */
int kit_put_version(struct journal *j, const struct content *c, const struct journal_keep *keep, enum journal_outcome *out, struct text *why);
int kit_put_whole(struct journal *j, const struct content *c, struct text *why);
int kit_put_change(struct journal *j, const struct journal_change *change, const struct journal_keep *keep, struct text *why);
int kit_get_content(struct journal *j, uint32_t serial, struct content **out, struct text *why);
int kit_get_zone(struct journal *j, struct journal_zone *out);
/* Serials of the versions kept, oldest first, up to max; returns how many, or an error. */
int kit_serials(struct journal *j, uint32_t *serials, int max, struct text *why);
/* Every version kept is what its serial says, and every difference between neighbours is the real one. Returns how many versions, or -1 (why). */
int kit_verify(struct journal *j, const struct kit_zone *z, struct text *why);
