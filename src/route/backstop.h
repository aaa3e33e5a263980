/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "route/decide.h"

#include <stdbool.h>
#include <stdint.h>

/* The decision for the backstop prefixes of one network on this node (`networks[].backstop`): the covering routes that still lead packets to a
 * server when every PoP has withdrawn the network itself for one shared, mistaken reason. So it depends on as little as can be: not on checks, zones,
 * data age, the other PoPs, RPKI, hold-downs, freeze or force; only on there being somebody who could answer at all. Pure.
 *
 * The ladder, first rule that applies:
 *	1. the node is stopping                        graceful shutdown, and withdrawn when the networks are
 *	2. a drain that names the backstop             graceful shutdown for the network's drain-time, then withdraw
 *	3. no worker has lived for BACKSTOP_DEAD_MS    withdraw: packets would meet nobody
 *	4. it was withdrawn by 3                       wait until a worker has lived for BACKSTOP_ALIVE_MS without a break
 *	5. else                                        announce
 * A worker is restarted in milliseconds, so rule 3 means that the machine cannot run one. */
enum {
	BACKSTOP_DEAD_MS = 2000,
	BACKSTOP_ALIVE_MS = 1000,
};

struct backstop_input {
	uint64_t youngest_ms;   /* since the worker that was heard last beat its heart; UINT64_MAX: none ever did */
	bool drain;             /* an order that names it */
	uint32_t drain_ms;
	bool stopping;
	bool others_gone;       /* with stopping: all networks are withdrawn */
};

struct backstop {
	enum decide_announce now;
	uint64_t since_ms;
	uint64_t drain_since_ms; /* rule 2 applies since; 0: it does not */
	uint64_t alive_since_ms; /* a worker has lived since; 0: none does */
	bool dead;               /* rule 3 applied, and rule 4 has not let go yet */
	char why[DECIDE_WHY_MAX];
};

void backstop_init(struct backstop *b, uint64_t now_ms);
/* True when what is announced changed. */
bool backstop_step(struct backstop *b, const struct backstop_input *in, uint64_t now_ms);
