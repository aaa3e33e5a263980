/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "catalog/membership.h"
#include "dns/name.h"
#include "sync/zone_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Catalogs that this node takes zones from, and those it makes: see catalogs.c. What is for the loading thread may be called on the loop while no run is under way. */
struct catalogs;
struct content;
struct config;
struct config_node;
struct journal;
struct loader;

/* NULL: out of memory. */
struct catalogs *catalogs_new(void);
void catalogs_free(struct catalogs *k);

/* Does the node take zones from a catalog? */
bool catalogs_needed(const struct config *c, const struct config_node *node);

/* ---- the loading thread ---- */

/* A loader's on_list: the members of catalogs that the store has join a list made of the configuration. */
int catalogs_complete(void *catalogs, struct loader *l, struct zone_list *zones) MUST_CHECK;
/* A loader's on_version: refuses versions of catalogs that must not be processed, or take away too much. */
int catalogs_judge(void *catalogs, struct loader *l, const uint8_t *apex, const struct content *content, bool force, struct text *why) MUST_CHECK;
/* After other things of a run: catalogs with another version than before are read, and store and list changed accordingly. recall: members that come are known from before,
 * perhaps: their rows are marked. The result is the store's. */
int catalogs_run(struct catalogs *k, struct loader *l, struct journal *j, bool recall,
                 uint64_t *journal_failed) MUST_CHECK;
/* Catalogs that this node makes are made anew where they are not what they should be. The result is the store's. */
int catalogs_produce(struct catalogs *k, struct loader *l) MUST_CHECK;

/* ---- the loop, after the run ---- */

/* The last run left list and catalogs apart: a new list is to be made. */
bool catalogs_failed(const struct catalogs *k);

enum catalogs_kind {
	CATALOGS_CAME, /* a zone that is held by transfer from now on */
	CATALOGS_WENT,
	CATALOGS_RESET,   /* went and came at once */
	CATALOGS_CHANGED, /* its template is another */
};
struct catalogs_news {
	enum catalogs_kind kind;
	const uint8_t *apex;
	uint64_t origin; /* the template's id, see config_template_find() */
};
/* What the run changed; until catalogs_settle(). */
size_t catalogs_news(const struct catalogs *k, const struct catalogs_news **out);
/* All members that this node has. */
typedef int catalogs_fn(void *ctx, const uint8_t *apex, uint64_t origin);
int catalogs_each(const struct catalogs *k, const struct loader *l, catalogs_fn *fn, void *ctx);
/* The news were taken; what catalogs_describe() tells is that of the run. */
void catalogs_settle(struct catalogs *k);

/* ---- the loop, at any time ---- */

/* Catalogs that have not been read yet and whose members belong to the network (index in the configuration). */
unsigned catalogs_awaited(const struct catalogs *k, const struct config *c, const struct config_node *node,
                          uint32_t network);
/* The next version of the catalog is taken, whatever it takes away; then a run is wanted. ERR_NOT_FOUND. */
int catalogs_accept(struct catalogs *k, const uint8_t *apex) MUST_CHECK;
/* Lines of JSON about the catalogs after this name (NULL: from the first), at most max octets. */
void catalogs_describe(const struct catalogs *k, const uint8_t *after, size_t max, struct text *out);
