/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/compose.h"
#include "answer/engine.h"

/* Answer the question in scratch->query from the zones of the version pinned (RFC 1034 4.3.2 and what has been added to it). */
struct resolution {
	uint16_t rcode;
	bool authoritative;
	const struct store_zone *zone; /* that answered first; NULL: none of ours */
	bool not_ready;                /* SERVFAIL for a zone without data */
};
void resolve(struct compose *c, const struct store_snapshot *s, const struct engine_config *conf, struct engine_scratch *scratch, struct resolution *out);
