/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "fleet/report.h"

#include <stdbool.h>
#include <stdint.h>

struct watch;
struct endpoints;

/* Checks the endpoints that names are steered to, hears from other nodes how they see them, and writes board.watch.endpoints. See endpoints.c. ERR_NO_MEMORY. */
int endpoints_new(struct watch *w, struct endpoints **out) MUST_CHECK;
/* Go by the configuration in force: what is known of endpoints that stay is kept, checks of others end. On ERR_NO_MEMORY nothing is checked. NULL is fine, here and below. */
int endpoints_replan(struct endpoints *e) MUST_CHECK;

/* The supervisor has run a check's program: its exit code (or a negative error) and what it printed first. */
void endpoints_ran(struct endpoints *e, uint32_t id, int32_t result, const char *said);

/* ---- sharing: endpoints_share.c ---- */

/* What this node sees of the pools that it checks, from the first-th on, into a report; UINT32_MAX: others each time. */
void endpoints_report(const struct endpoints *e, uint32_t first, struct fleet_report *r);
/* The i-th of the nodes that are asked (watch/peers.h) said so, to a question that left at sent_ns; first: of a question about pools, UINT32_MAX: of one about all. */
void endpoints_heard(struct endpoints *e, uint32_t i, const struct fleet_report *r, uint32_t first, uint64_t sent_ns);
/* A node of the fleet, asking, says that what it sees has changed. */
void endpoints_hint(struct endpoints *e, const struct ip_addr *from);
