/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "config/config.h"
#include "config/schema.h"
#include "config/tree.h"

/* Private to config: from a tree to structs, through the rows of the schema. */
struct config_read {
	const struct tree_source *src;
	struct arena *arena;
	const struct config *config; /* what has been read so far: names of networks and keys */
	const char *folder;          /* absolute, of the fleet file */
	const struct tree *root;     /* of the file: names of what has not been read yet */
};

/* Fill the struct at base from the mapping t (NULL: defaults only). Problems go to the diag; memory failures stay in the arena. */
void config_read_map(const struct config_read *r, const struct schema_map *map, const struct tree *t, void *base);
/* One value of row's type (no list, no map) to `to`; false after a message. value.c */
bool config_read_value(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to);
/* An address that may be link-local, and the name of its interface, into the struct at base. value.c */
void config_read_link_addr(const struct config_read *r, const struct schema_row *row, const struct tree *t, char *base);
/* Two letters of a country or a continent. countries.c */
bool config_read_country(const struct config_read *r, const struct schema_row *row, const struct tree *t, bool continent,
                         void *to);
/* Octets of one item of a list. */
size_t config_item_size(const struct schema_row *row);
/* What stands in the file for this row of the struct at base (print.c), "" where it is not set; for one item of a list. */
void config_print_row(const struct config *c, const struct schema_row *row, const void *base, struct text *out);
void config_print_item(const struct config *c, const struct schema_row *row, const void *item, struct text *out);
bool config_row_unset(const struct schema_row *row, const void *base);
/* Fill in what refers to another part of the file: catalogs.c. */
void config_link_catalogs(const struct tree_source *src, const struct tree *root, struct config *c);
void config_check_catalogs(const struct tree_source *src, const struct tree *root, const struct config *c);
/* Likewise pools and steering: steering.c. */
void config_link_steering(const struct tree *root, struct config *c);
void config_check_steering(const struct tree_source *src, const struct tree *root, const struct config *c);
/* backends.c: likewise, once zones are read; pools, and zones that they answer for. */
void config_link_backends(const struct tree *root, struct config *c);
void config_check_backends(const struct tree_source *src, const struct tree *root, const struct config *c);
void config_check_edge_zone(const struct tree_source *src, const struct tree *t, const struct config_zone *z);
/* check_http.c */
void config_check_http(const struct tree_source *src, const struct tree *root, const struct config *c);
/* Check, check.c: what rows cannot say. */
void config_check(const struct tree_source *src, const struct tree *root, const struct config *c);
