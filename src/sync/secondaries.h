/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/text.h"
#include "dns/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct catalogs;
struct journal;
struct loader;
struct role;

/* All zones that this node holds by transfer: timers, transfers, store, journal, put together. See secondaries.c. On the loop's thread, but for
 * secondaries_run(). */
struct secondaries;

/* Does the role's configuration have such zones? */
bool secondaries_needed(const struct role *role);

/* journal: NULL where there is none; closed by the caller after secondaries_free(). wants_run: called on the loop when there is something for
 * secondaries_run(). ERR_NO_MEMORY. */
int secondaries_new(struct role *role, uv_loop_t *loop, struct journal *journal, struct catalogs *catalogs,
                    void (*wants_run)(void *ctx), void *ctx, struct secondaries **out) MUST_CHECK;
/* No run may be under way. */
void secondaries_free(struct secondaries *s);

/* The role has a new configuration: taken over with the next run, after the loader has its zones. */
void secondaries_reload(struct secondaries *s);

bool secondaries_has_work(const struct secondaries *s);
/* Before a run, on the loop. */
void secondaries_begin(struct secondaries *s);
/* The run, on the loader's thread, after the loader's own. The result is the store's: an error says that all is to be tried again later. */
int secondaries_run(struct secondaries *s, struct loader *l) MUST_CHECK;
/* After it, on the loop, with the loader of the run. */
void secondaries_end(struct secondaries *s, const struct loader *l, int err);
/* The template by which the zone is held here, a member of a catalog; 0: it is none. */
uint64_t secondaries_origin(const struct secondaries *s, const uint8_t *apex);

/* A NOTIFY has come (RFC 1996): from this address, with this serial if it named one, signed with a key that was verified or NULL. Decides by the zone's
 * primaries and key whether it is believed. False: it is not, or the zones are not known yet: whoever told is to tell again. */
bool secondaries_notified(struct secondaries *s, const uint8_t *apex, const struct ip_addr *from, bool has_serial, uint32_t serial,
                          const char *key_name_or_null);
/* Seconds until the copy of the zone expires here. False: not held by transfer. */
bool secondaries_expires(const struct secondaries *s, const uint8_t *apex, uint32_t *seconds);
/* An operator's order: ask the zone's primaries now. ERR_NOT_FOUND: not held by transfer. */
int secondaries_refresh(struct secondaries *s, const uint8_t *apex) MUST_CHECK;
/* Another: the whole zone anew; force: even if the primary's serial is older. ERR_NOT_FOUND: not held by transfer. */
int secondaries_retransfer(struct secondaries *s, const uint8_t *apex, bool force) MUST_CHECK;

/* One line of JSON about the zone. ERR_NOT_FOUND. */
int secondaries_describe(const struct secondaries *s, const uint8_t *apex, struct text *out) MUST_CHECK;
/* The first zone after this name (NULL: of all) in canonical order; NULL: no more. */
const uint8_t *secondaries_after(const struct secondaries *s, const uint8_t *after);
