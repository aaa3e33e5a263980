/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/hash.h"

#include <string.h>

enum { MARKS = CONFIG_SITE_MARKS };

/* By name, so that a node keeps its mark when others come and go; where two names have the same, the later in the file takes the next that is
 * free. With more pops than marks some share one. */
void config_site_marks(const struct config *c, uint8_t *marks)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < c->node_count; i++) {
		uint64_t hash = hash_checksum(c->nodes[i].name, strlen(c->nodes[i].name), 0);
		unsigned mark = (unsigned)(hash % MARKS);

		marks[i] = 0;
		if (c->nodes[i].role != CONFIG_POP)
			continue;
		for (unsigned k = 0; k < MARKS && (taken >> mark & 1); k++)
			mark = (mark + 1) % MARKS;
		taken |= 1ULL << mark;
		marks[i] = (uint8_t)(mark + 1);
	}
}
