/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "fleet/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch;
struct drift;

/* Compares the zones of this node with those of the nodes that peers.c asks, and with servers outside: see drift.c. Writes board.watch.drift. After peers_new(). ERR_NO_MEMORY. */
int drift_new(struct watch *w, struct drift **out) MUST_CHECK;
/* Go by the configuration and the rows of nodes in force. NULL is fine. ERR_NO_MEMORY. */
int drift_replan(struct drift *d) MUST_CHECK;

/* ---- for tell.c ---- */
/* The tree of a network that this node follows, or NULL. */
const struct zone_tree *drift_tree(struct drift *d, const char *network);
/* Add the roots of the trees to what this node says of itself; network: only of that one, "": of all. */
void drift_report(struct drift *d, const char *network, struct fleet_report *out);
/* A node of the fleet, by its address, said so in a question. */
void drift_heard_from(struct drift *d, const struct ip_addr *from, const struct fleet_root *roots, size_t count,
                      uint64_t now_ns);

/* ---- for peers.c; i: the node's row ---- */
/* What to say of our own zones in a question to it. */
size_t drift_roots(struct drift *d, uint32_t i, struct fleet_root out[FLEET_ROOTS_MAX]);
void drift_heard(struct drift *d, uint32_t i, const struct fleet_report *r, uint64_t now_ns);
/* An answer to peers_ask_tree(); NULL: it refused, or said nonsense. */
void drift_answered(struct drift *d, uint32_t tag, const struct tree_answer *a, uint64_t now_ns);

/* ---- for publish.c ---- */
/* Zones of a network for which other PoPs have had newer serials for longer than the limit. */
struct drift_behind {
	uint32_t zones, of; /* of those compared */
	uint32_t nodes;     /* that have them */
	uint64_t since_ns;  /* of the one that is shown */
	char zone[BOARD_ZONE_MAX];
	char node[BOARD_NAME_MAX];
};
/* False: it is not behind. NULL is fine. */
bool drift_is_behind(const struct drift *d, const char *network, struct drift_behind *out);
