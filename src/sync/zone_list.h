/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "dns/name.h"
#include "zone/signatures.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The zones this node is to serve and where they come from: taken from the configuration, whose names and paths it borrows, or from a folder. The
 * loading thread may have it while the loop takes a new configuration: the old one stays until no list is left that was made from it. */
struct config;
struct config_zone;
struct role;

struct zone_row {
	const uint8_t *apex; /* lower case */
	const char *path;    /* of the zone file; NULL: nothing to load from in this version */
	uint32_t network;    /* index in the configuration; UINT32_MAX: none */
	bool held;           /* by transfer, for which path is NULL */
	bool serve_expired;  /* likewise: answered on after its time */
	uint32_t slot;       /* the same network's index in this node's list; UINT32_MAX: none */
	const struct config_zone *conf; /* its options; NULL: it has none */
	bool watched;        /* the file is to be read as soon as it is saved */
	bool followed;       /* others transfer it from this node */
	/* The loader's, of the zone as committed last. */
	uint32_t records, serial;
	bool serving;
	bool first;          /* new, or to come from elsewhere: before those that may have changed */
	bool forced;         /* to be read whether its file has changed or not */
	bool stored;         /* in the version being built */
	bool allowed;        /* an operator's yes to what the gate would refuse; for one reading */
	struct signatures signatures;
	char *error;         /* why the file as it is now is not served; NULL: it is. Owned */
	int64_t error_s;     /* wall clock */
	/* Of a member of a catalog: catalogs.c. */
	bool member;     /* apex is the row's own then */
	bool recall;     /* what the journal knows of it is not known here yet */
	bool dropped;    /* goes with the next zone_list_merge() */
	uint64_t origin; /* id of its template in the configuration */
};

struct zone_list {
	struct arena arena;
	const struct config *from; /* NULL: a folder */
	const struct config_node *node;
	struct zone_row *rows; /* in canonical order of apex, each apex once */
	size_t count, cap;
	const uint8_t **edge; size_t edge_count; /* zones that backends answer for, in canonical order: none of them is held here, of no catalog either */
};

/* From the role's configuration, or from its folder: NAME.zone is the zone NAME, root.zone the root, %XX an octet by its number. What
 * cannot be a zone is logged and left out. On failure (-errno, ERR_NO_MEMORY) *out is NULL. */
int zone_list_make(const struct role *role, struct zone_list **out) MUST_CHECK;
void zone_list_free(struct zone_list *l);
struct zone_row *zone_list_find(const struct zone_list *l, const uint8_t *apex);
/* Do backends answer for it? */
bool zone_list_is_edge(const struct zone_list *l, const uint8_t *apex);
/* Index of a network in the list of the node's own; UINT32_MAX: none. */
uint32_t zone_list_slot(const struct zone_list *l, uint32_t network);

/* Make the row one of a member; apex is copied. ERR_NO_MEMORY. */
int zone_row_member(struct zone_row *row, const uint8_t *apex) MUST_CHECK;
void zone_row_done(struct zone_row *row);
/* Out of order: zone_list_sort() puts it right. ERR_NO_MEMORY. */
int zone_list_add(struct zone_list *l, const struct zone_row *row) MUST_CHECK;
void zone_list_sort(struct zone_list *l);
/* Rows marked `dropped` go, these come, which are sorted on the way and belong to the list then. Other rows move in memory. ERR_NO_MEMORY: nothing is changed. */
int zone_list_merge(struct zone_list *l, struct zone_row *rows, size_t count) MUST_CHECK;
