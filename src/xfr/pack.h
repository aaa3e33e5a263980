/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <stdbool.h>
#include <stdint.h>

/* Records into messages of up to 64 KiB, names compressed (RFC 1035 4.1.4): to names that are the same octet by octet only, so that a transfer
 * keeps the case of every name. Unlike dns/compress.c, which serves small answers, finding a name costs the same however many there are. */
enum { PACK_SLOTS = 4096, PACK_FULL = PACK_SLOTS / 4 * 3 };

struct pack {
	struct writer *w;     /* the message from its header on; borrowed */
	uint32_t used;
	uint16_t owner_pos;   /* of the record before, where a pointer can reach it; else 0 */
	struct {
		uint16_t pos;  /* of a label in the message; 0: free */
		uint16_t hash;
	} slots[PACK_SLOTS];
};

/* A new message: forget the names of the one before. */
void pack_start(struct pack *p, struct writer *w);
/* Tell of a name that stands uncompressed at pos. */
void pack_note(struct pack *p, size_t pos);
/* Append a record. False when it does not fit: w is as it was, and nothing more may be packed into this message. */
bool pack_record(struct pack *p, const struct rr *rr) MUST_CHECK;
