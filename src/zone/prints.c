/* SPDX-License-Identifier: BSD-2-Clause */
/* A fingerprint is a chain of 64 by 64 bit products folded to 64 bits, keyed by secrets that nobody outside of the process knows: who can choose records of a zone cannot choose two that
 * look the same. Octets go in 16 at a time; what is left is filled up, with its length beside it. */
#include "zone/prints.h"

#include "base/err.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 8 };

struct piece {
	const struct content *c;
	uint64_t key[2];
	size_t from, to;     /* sets; owners are whole */
	uint64_t *list;      /* room for as many owners as there are sets */
	uint32_t *first;
	size_t count;
	pthread_t thread;
	bool threaded;
};

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t eat(uint64_t h, const uint8_t *p, size_t len, const uint64_t key[2])
{
	uint8_t rest[16] = {0};
	size_t n = len;

	for (; n > 16; p += 16, n -= 16)
		h = fold(load(p) ^ key[0], load(p + 8) ^ h);
	memcpy(rest, p, n);
	return fold(load(rest) ^ key[1] ^ len, load(rest + 8) ^ h ^ key[0]);
}

static uint64_t print_of(const struct content *c, size_t i, size_t end, const uint64_t key[2])
{
	const uint8_t *owner = content_rrset(c, i)->owner;
	uint64_t h = eat(key[0], owner, name_len(owner), key);

	for (; i < end; i++) {
		const struct content_rrset *set = content_rrset(c, i);

		h = fold(((uint64_t)set->type << 48 | (uint64_t)set->covers << 32 | set->ttl) ^ key[1], (uint64_t)set->count ^ h);
		for (uint32_t k = 0; k < set->count; k++)
			h = eat(h, set->records[k].rdata, set->records[k].rdlen, key);
	}
	return h;
}

static void *run(void *arg)
{
	struct piece *p = arg;

	for (size_t i = p->from, end; i < p->to; i = end) {
		const uint8_t *owner = content_rrset(p->c, i)->owner;

		for (end = i + 1; end < p->to && content_rrset(p->c, end)->owner == owner; end++)
			;
		p->first[p->count] = (uint32_t)i;
		p->list[p->count++] = print_of(p->c, i, end, p->key);
	}
	return NULL;
}

/* The first set of an owner from set i on. */
static size_t owner_from(const struct content *c, size_t i)
{
	while (i && i < content_rrset_count(c) && content_rrset(c, i)->owner == content_rrset(c, i - 1)->owner)
		i++;
	return i;
}

/* The last piece is this thread's own. */
static void run_pieces(struct piece *pieces, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		pieces[i].threaded = i + 1 < count && pthread_create(&pieces[i].thread, NULL, run, &pieces[i]) == 0;
		if (!pieces[i].threaded)
			run(&pieces[i]);
	}
	for (unsigned i = 0; i < count; i++)
		if (pieces[i].threaded)
			pthread_join(pieces[i].thread, NULL);
}

int zone_prints_make(const struct content *c, const uint8_t key[ZONE_PRINTS_KEY_LEN], unsigned threads, struct zone_prints **out)
{
	struct zone_prints *p = calloc(1, sizeof(*p));
	struct piece pieces[THREADS_MAX] = {0};
	size_t sets = content_rrset_count(c), at = 0;

	threads = MIN(MAX(threads, 1U), (unsigned)THREADS_MAX);
	if (p) {
		p->list = malloc((sets + 1) * sizeof(*p->list));
		p->first = malloc((sets + 1) * sizeof(*p->first));
	}
	if (!p || !p->list || !p->first || sets >= UINT32_MAX) {
		zone_prints_free(p);
		return ERR_NO_MEMORY;
	}
	for (unsigned i = 0; i < threads; i++) {
		pieces[i] = (struct piece){.c = c, .key = {load(key), load(key + 8)}, .from = at, .list = p->list + at, .first = p->first + at};
		at = MAX(owner_from(c, sets * (i + 1) / threads), at);
		pieces[i].to = at;
	}
	run_pieces(pieces, threads);
	for (unsigned i = 0; i < threads; i++) {
		memmove(p->list + p->count, pieces[i].list, pieces[i].count * sizeof(*p->list));
		memmove(p->first + p->count, pieces[i].first, pieces[i].count * sizeof(*p->first));
		p->count += pieces[i].count;
	}
	p->first[p->count] = (uint32_t)sets;
	*out = p;
	return 0;
}

void zone_prints_free(struct zone_prints *p)
{
	if (!p)
		return;
	free(p->list);
	free(p->first);
	free(p);
}

void zone_prints_detach(struct zone_prints *p)
{
	uint64_t *list = realloc(p->list, (p->count + 1) * sizeof(*list));

	free(p->first);
	p->first = NULL;
	if (list)
		p->list = list;
}
