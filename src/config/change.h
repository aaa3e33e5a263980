/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* What a new fleet file changes, for `zonecast plan`, and what it would take away, for every reload. Pure. */

enum change_effect {
	CHANGE_PLAIN,   /* takes effect at a reload, and nobody outside notices by itself */
	CHANGE_ROUTES,  /* routes are announced, withdrawn, or told with other attributes */
	CHANGE_SESSION, /* a BGP session is closed and opened anew */
	CHANGE_RESTART, /* only a restart of the node takes it up; a reload with it is refused, or does without */
	CHANGE_LOSS,    /* takes a network away everywhere: refused unless the network is named */
	CHANGE_WARNING, /* nothing is changed by it, but somebody should know */
};
const char *change_effect_text(enum change_effect e);

struct change {
	struct change *next;
	char sign;              /* + - ~ and ! for losses and warnings */
	enum change_effect effect;
	bool allowed;           /* a loss that was asked for by name */
	const char *subject;    /* "network global", "node fra neighbor 192.0.2.1" */
	const char *text;
};

enum { CHANGES_MAX = 10000, CHANGE_ZONES_SHOWN = 100 /* of each kind; the others are counted */ };

struct changes {
	struct arena arena;
	struct change *first, **last;
	size_t count, dropped;
	size_t losses; /* that are not allowed */
};

void changes_init(struct changes *list);
void changes_done(struct changes *list);
/* NULL: no room for it; it is counted. */
struct change *changes_add(struct changes *list, char sign, enum change_effect effect, const char *subject, const char *fmt, ...)
	PRINTF_LIKE(5, 6);

/* Everything that differs, but for what the two functions below say. */
void config_changes(const struct config *old, const struct config *next, struct changes *out);
/* Prefixes that are announced or withdrawn, and at which nodes; backstops too. */
void config_changes_of_routes(const struct config *old, const struct config *next, struct changes *out);
/* Networks that `next` would take away everywhere, in one of their families or in both. A network is taken away from its clients when nobody
 * announces and answers any of its service addresses of that family any more - it is gone from the file, has no prefix of the family, no pop, no
 * neighbor that would hear of it, or other addresses altogether (a network that only has another name is not) - or when none of its
 * zones is left. withdraw: names of networks of which the operator wants that. */
void config_losses(const struct config *old, const struct config *next, const char *const *withdraw, size_t withdraw_count, struct changes *out);
/* Does the node announce prefixes of this family (4 or 6) to anybody? */
bool config_node_announces(const struct config_node *node, uint8_t family);
