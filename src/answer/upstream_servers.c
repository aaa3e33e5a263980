/* SPDX-License-Identifier: BSD-2-Clause */
/* From the configuration: which servers there are, and whence and how they are spoken to. Questions never leave from a service address: answers to those come back wherever routing says. */
#include "answer/upstream_servers.h"

#include "answer/upstream.h"
#include "base/err.h"
#include "board/board.h"
#include "config/config.h"
#include "proc/role.h"
#include "proc/tls_profiles.h"

#include <stdlib.h>

_Static_assert((int)UPSTREAM_SERVERS_MAX == (int)BOARD_BACKENDS_MAX, "places of servers are those of the board");

/* An address of the node's own, of that family. Family 0: the kernel chooses, as always in the stand-alone form. */
static struct ip_addr source(const struct role *role, uint8_t family)
{
	for (size_t i = 0; !role->brief.zones_dir[0] && role->node && i < role->node->management_count; i++)
		if (role->node->management[i].family == family)
			return role->node->management[i];
	return (struct ip_addr){.family = 0};
}

int upstream_configure(struct upstream *u, const struct role *role, struct tls_profiles **profiles)
{
	const struct config *c = role->config;
	struct upstream_server *servers = calloc(UPSTREAM_SERVERS_MAX, sizeof(*servers));
	struct tls_profiles *next = NULL;
	unsigned count = 0;
	int err = servers ? tls_profiles_new(role, &next) : ERR_NO_MEMORY;

	if (err < 0) {
		free(servers);
		return err;
	}
	for (size_t i = 0; c && i < c->backend_count; i++) {
		const struct config_backends *b = &c->backends[i];

		for (size_t k = 0; k < b->server_count && count < UPSTREAM_SERVERS_MAX; k++) {
			struct upstream_server *s = &servers[count++];

			s->key = board_backend_key(b->name, &b->servers[k].at);
			s->at = b->servers[k].at;
			s->at.tls = 0;
			s->from = source(role, s->at.addr.family);
			s->over_tls = b->over == CONFIG_BACKEND_TLS;
			if (s->over_tls && b->tls < next->count)
				s->tls = next->list[b->tls];
		}
	}
	upstream_set(u, servers, count);
	free(servers);
	tls_profiles_unref(*profiles);
	*profiles = next;
	return 0;
}
