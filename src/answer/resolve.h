/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/compose.h"
#include "answer/engine.h"
#include "answer/steering.h"

/* Answer the question in scratch->query from the zones of the version pinned (RFC 1034 4.3.2 and what has been added to it). */
struct resolution {
	uint16_t rcode;
	bool authoritative;
	const struct store_zone *zone; /* that answered first; NULL: none of ours */
	bool not_ready;                /* SERVFAIL for a zone without data */
	bool one_zone;                 /* another zone's change cannot change the answer, nor the case of the question */
	unsigned steered;              /* sets that a policy decided on */
	bool closed;                   /* SERVFAIL: the policy gives nothing */
	bool unsigned_choice;          /* the zone's own set was put in place of a choice that has no signature */
	uint8_t scope;                 /* of the client subnet that the choices rested on */
	uint8_t steered_family;
	struct steering_choice choice; /* the last, where `steered` */
};
void resolve(struct compose *c, const struct store_snapshot *s, const struct engine_config *conf, struct engine_scratch *scratch, const struct engine_request *request,
             struct resolution *out);
