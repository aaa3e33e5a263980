/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/hash.h"

#include <string.h>

static size_t wire_len(const uint8_t *name)
{
	size_t at = 0;

	while (name[at])
		at += 1U + name[at];
	return at + 1;
}

uint64_t config_pool_list(const struct config_pool *p)
{
	uint64_t list = p->endpoint_count;

	for (size_t i = 0; i < p->endpoint_count; i++) {
		const struct config_pool_endpoint *e = &p->endpoints[i];

		list = hash_checksum(e->name, strlen(e->name) + 1, list);
		if (e->address.family)
			list = hash_checksum(e->address.bytes, e->address.family == 4 ? 4 : 16,
			                     list + e->address.family);
		else if (e->target)
			list = hash_checksum(e->target, wire_len(e->target), list);
	}
	return list;
}
