/* SPDX-License-Identifier: BSD-2-Clause */
#include "bfd/table.h"

#include <string.h>

enum { TTL_MAX = 255 };

static bool same_address(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

bool bfd_path_equal(const struct bfd_path *a, const struct bfd_path *b)
{
	return a->multihop == b->multihop && addr_equal(&a->remote, &b->remote) && addr_equal(&a->local, &b->local);
}

static bool is_from(const struct bfd_entry *e, const struct bfd_origin *o)
{
	return e->used && e->path.multihop == o->multihop && same_address(&e->path.remote, &o->from) &&
	       (!e->path.remote.zone || e->path.remote.zone == o->ifindex) &&
	       (!e->path.local.family || same_address(&e->path.local, &o->to));
}

int bfd_table_by_address(const struct bfd_table *t, const struct bfd_origin *o)
{
	for (int i = 0; i < BFD_SESSIONS_MAX; i++)
		if (is_from(&t->entry[i], o))
			return i;
	return -1;
}

int bfd_table_find(const struct bfd_table *t, const struct bfd_packet *p, const struct bfd_origin *o)
{
	if (!p->your_discriminator)
		return bfd_table_by_address(t, o);
	for (int i = 0; i < BFD_SESSIONS_MAX; i++)
		if (t->entry[i].used && t->entry[i].fsm.my_discriminator == p->your_discriminator)
			return is_from(&t->entry[i], o) ? i : -1;
	return -1;
}

bool bfd_origin_near(const struct bfd_origin *o)
{
	return o->multihop || o->ttl == TTL_MAX;
}
