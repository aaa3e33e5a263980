/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "catalog/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The members of all catalogs of a node: who owns which, over the versions of all. See membership.c. Pure; one owner. */
enum {
	MEMBERSHIP_GUARDED_MIN = 10, /* a catalog of fewer members may lose them all at once */
	MEMBERSHIP_CATALOGS_MAX = 64,
};

struct membership;

struct membership_rules {
	uint8_t shrink_limit; /* percent of its members that a catalog may lose or reset in one version; 100: all */
	bool accept;          /* whatever goes */
	/* Is there a zone of this name that no catalog gave? It wins. */
	bool (*is_configured)(void *ctx, const uint8_t *apex);
	void *ctx;
};

enum membership_kind {
	MEMBER_ADDED,
	MEMBER_REMOVED,
	MEMBER_RESET, /* removed, with all that is known of it, and added at once (RFC 9432 5.4) */
	MEMBER_MOVED, /* to another group, or to another catalog that takes over what is known of it */
};
struct membership_change {
	enum membership_kind kind;
	const uint8_t *apex; /* of the list of changes */
};
struct membership_changes {
	struct arena arena; /* of the names */
	struct membership_change *items;
	size_t count, cap;
	size_t clashes; /* members that somebody else has, now */
};
void membership_changes_init(struct membership_changes *c);
void membership_changes_done(struct membership_changes *c);

struct membership *membership_new(void); /* NULL: out of memory */
void membership_free(struct membership *m);

/* A catalog of this name, in the order of their precedence; the same index for one known already. ERR_LIMIT, ERR_NO_MEMORY. */
int membership_catalog(struct membership *m, const uint8_t *apex, unsigned *index) MUST_CHECK;

/* The catalog has this version now. What that changes is appended to *changes. ERR_LIMIT: it would lose too many members; nothing is changed, and why says so. ERR_NO_MEMORY:
 * part of it may be changed and is in *changes; to be asked for again. */
int membership_take(struct membership *m, unsigned catalog, const struct catalog *c,
                    const struct membership_rules *rules, struct membership_changes *changes,
                    struct text *why) MUST_CHECK;
/* Would that be refused? 0, or ERR_LIMIT with why. Changes nothing. */
int membership_judge(struct membership *m, unsigned catalog, const struct catalog *c, const struct membership_rules *rules, struct text *why) MUST_CHECK;
/* The catalog is none any more: all its members go, unless another has them. */
int membership_drop(struct membership *m, unsigned catalog, const struct membership_rules *rules,
                    struct membership_changes *changes) MUST_CHECK;
/* What is configured is another: judge all anew. */
int membership_review(struct membership *m, const struct membership_rules *rules,
                      struct membership_changes *changes) MUST_CHECK;

/* A zone that a catalog owns. */
struct membership_owner {
	unsigned catalog;
	const uint8_t *catalog_apex, *apex; /* until it goes */
	const uint8_t *id, *group;          /* as in struct catalog_entry; until the catalog's next version */
};
bool membership_owner(const struct membership *m, const uint8_t *apex, struct membership_owner *out);
/* All, in no order. A non-zero result of fn ends it and is returned. */
typedef int membership_fn(void *ctx, const struct membership_owner *o);
int membership_each(const struct membership *m, membership_fn *fn, void *ctx);
/* Members that the catalog owns; those it lists. */
size_t membership_owned(const struct membership *m, unsigned catalog);
size_t membership_listed(const struct membership *m, unsigned catalog);
