/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/stream_clients.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { V4_OCTETS = 4, V6_OCTETS = 8 };

int clients_init(struct stream_clients *c, struct stream_memory *m)
{
	slab_init(&c->slab, m, sizeof(struct stream_client));
	random_bytes(c->secret, sizeof(c->secret));
	c->buckets = calloc(CLIENT_BUCKETS, sizeof(*c->buckets)); /* pages are touched as buckets are used */
	return c->buckets ? 0 : ERR_NO_MEMORY;
}

void clients_done(struct stream_clients *c)
{
	slab_done(&c->slab);
	free(c->buckets);
	c->buckets = NULL;
}

static struct stream_client **bucket_of(struct stream_clients *c, uint64_t key, bool v6)
{
	uint64_t bytes[2] = {key, v6};

	return &c->buckets[hash_keyed(c->secret, bytes, sizeof(bytes)) % CLIENT_BUCKETS];
}

struct stream_client *clients_enter(struct stream_clients *c, const uint8_t *address, bool v6)
{
	struct stream_client **bucket, *client;
	uint64_t key = 0;

	memcpy(&key, address, v6 ? V6_OCTETS : V4_OCTETS);
	bucket = bucket_of(c, key, v6);
	for (client = *bucket; client; client = client->next)
		if (client->key == key && client->v6 == v6) {
			client->count++;
			return client;
		}
	client = slab_take(&c->slab);
	if (!client)
		return NULL;
	client->key = key;
	client->v6 = v6;
	client->count = 1;
	list_init(&client->conns);
	client->next = *bucket;
	*bucket = client;
	return client;
}

void clients_leave(struct stream_clients *c, struct stream_client *client)
{
	struct stream_client **at;

	if (--client->count)
		return;
	for (at = bucket_of(c, client->key, client->v6); *at != client; at = &(*at)->next)
		;
	*at = client->next;
	slab_give(&c->slab, client);
}
