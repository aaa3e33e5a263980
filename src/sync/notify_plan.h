/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "dns/name.h"
#include "xfr/tsig_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When which server is told of which zone's change (RFC 1996): see notify_plan.c. Pure: times are arguments, in milliseconds of any clock. One owner, one thread. */
enum {
	NOTIFY_TRIES = 12,         /* messages for one change to one server: about ten minutes */
	NOTIFY_FIRST_MS = 1000,    /* wait for an answer, doubled with each try */
	NOTIFY_WAIT_MAX_MS = 120000,
	NOTIFY_RATE = 2000,        /* messages a second */
	NOTIFY_BURST = 200,
	NOTIFY_TASKS_MAX = 4000000,
};

struct notify_task {
	struct endpoint to;
	const uint8_t *apex;       /* lower case */
	uint32_t serial;
	uint16_t id;               /* of the message sent last */
	uint8_t tries;
	uint8_t mac[TSIG_MAC_MAX]; /* of the message sent last */
	uint8_t mac_len;
};

struct notify_plan;

/* NULL: out of memory. */
struct notify_plan *notify_plan_new(void);
void notify_plan_free(struct notify_plan *p);
/* The zone has a new serial. A task for the same server and zone that is not done yet becomes this one: what is not sent stays in its place, what
 * waits for an answer is sent anew. ERR_LIMIT, ERR_NO_MEMORY. */
int notify_plan_add(struct notify_plan *p, const uint8_t *apex, uint32_t serial, const struct endpoint *to) MUST_CHECK;
/* Is there a task for this server and zone? */
bool notify_plan_has(const struct notify_plan *p, const uint8_t *apex, const struct endpoint *to);
/* The next to be sent now, or NULL; it counts as sent: the caller fills id and mac. */
struct notify_task *notify_plan_next(struct notify_plan *p, uint64_t now_ms);
/* When to ask again: milliseconds from now; UINT64_MAX: nothing is to be sent. */
uint64_t notify_plan_wait(const struct notify_plan *p, uint64_t now_ms);
/* The task that an answer belongs to, or NULL. */
struct notify_task *notify_plan_find(struct notify_plan *p, const uint8_t *apex, const struct endpoint *from, uint16_t id);
/* Answered. */
void notify_plan_done(struct notify_plan *p, struct notify_task *t);
size_t notify_plan_count(const struct notify_plan *p);
/* Of these, how many have never been sent. */
size_t notify_plan_unsent(const struct notify_plan *p);
/* Tasks that were never answered, since the start. */
uint64_t notify_plan_given_up(const struct notify_plan *p);
