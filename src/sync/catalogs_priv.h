/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sync/catalogs.h"

/* What the files of catalogs.h share: catalogs.c. */
struct config_catalog;
struct config_template;

enum { CATALOGS_WHY_MAX = 400 };

/* Of one catalog that is taken, by its index in the membership. */
struct catalogs_taken {
	struct name apex;
	bool configured;
	bool read;           /* a version of it was */
	uint64_t generation; /* of the version looked at last */
	uint32_t serial;     /* of the version in force */
	uint32_t refused;    /* serial of the version that is not, where why says so */
	bool is_held;        /* for it would take away too much */
	char why[CATALOGS_WHY_MAX];   /* "": all is well */
	size_t members, listed;
	size_t clashes;
	uint8_t shrink_limit;
	uint32_t members_limit;
};

struct catalogs {
	struct membership *members;
	struct catalogs_taken taken[MEMBERSHIP_CATALOGS_MAX];
	unsigned count;
	_Atomic bool accept[MEMBERSHIP_CATALOGS_MAX];
	/* Of the run. */
	struct membership_changes changes;
	struct catalogs_news *news;
	size_t news_count, news_cap;
	struct zone_row *added;
	size_t added_count, added_cap;
	bool dirty;
	_Atomic bool failed; /* rows and membership are not in line */
	/* What the loop tells, as of the last run. */
	struct catalogs_taken told[MEMBERSHIP_CATALOGS_MAX];
	unsigned told_count;
};

/* ---- catalogs.c ---- */

/* Does the node take zones from this one? */
bool catalogs_takes(const struct config_catalog *c, const struct config_node *node);
/* The template that the node has this member by; NULL: the node does not have it. */
const struct config_template *catalogs_template(const struct catalogs *k, const struct zone_list *l, const uint8_t *apex);
/* What a template says of a row. */
void catalogs_fill_row(struct zone_row *row, const struct zone_list *l, const struct config_template *t);
/* For membership_rules: the name is in the list (ctx) by the configuration. */
bool catalogs_is_configured(void *ctx, const uint8_t *apex);

/* ---- catalogs_apply.c ---- */

/* k->changes, in the journal first, then in store and list, committed. The result is the store's; what it did is in k->news. */
int catalogs_apply(struct catalogs *k, struct loader *l, struct journal *j, bool recall, uint64_t *journal_failed) MUST_CHECK;
