/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays and numbers in place of pointers. Rows are handed out last in, first out, so that the memory in use is as small as the most that ever was under way.
 *
 * Timers stand in a wheel of lists, a list for each tick; passing a tick empties its list into one of those that are due, and what belongs to a later round of the wheel is put back. */
#include "edge/flight.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ID_CHAINS = 65536, ID_DRAWS = 16, LISTS = FLIGHT_WHEEL + 1, LIST_DUE = FLIGHT_WHEEL };

struct link { uint32_t prev, next; };

struct flights {
	uint32_t most, clients_most;
	uint32_t count, clients;
	uint32_t fresh, clients_fresh;     /* rows that were never used begin here */
	uint32_t free, clients_free;       /* chains of those that were */
	uint32_t chain_mask;
	uint64_t key;
	uint32_t tick;                     /* passed */
	bool ticking;
	struct flight *rows;
	uint32_t *chains;                  /* by key */
	uint32_t *client_next;
	struct link *links;                /* of timers: rows, then the heads of lists; alone: it points to itself */
	uint32_t ids[ID_CHAINS];           /* of tries: row x FLIGHT_TRIES_MAX + place */
};

static void *take(size_t octets)
{
	void *p = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void give_back(void *p, size_t octets)
{
	if (p)
		munmap(p, octets);
}

static uint32_t chain_count(uint32_t most)
{
	uint32_t n = 16;

	while (n < most)
		n *= 2;
	return n;
}

struct flights *flights_new(uint32_t under_way, uint32_t clients, uint64_t key)
{
	struct flights *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->most = under_way;
	t->clients_most = clients;
	t->chain_mask = chain_count(under_way) - 1;
	t->key = key;
	t->free = t->clients_free = FLIGHT_NONE;
	t->rows = take(sizeof(*t->rows) * under_way);
	t->chains = take(sizeof(*t->chains) * (t->chain_mask + 1));
	t->client_next = take(sizeof(*t->client_next) * clients);
	t->links = take(sizeof(*t->links) * (under_way + LISTS));
	if (!t->rows || !t->chains || !t->client_next || !t->links) {
		flights_free(t);
		return NULL;
	}
	memset(t->chains, 0xff, sizeof(*t->chains) * (t->chain_mask + 1));
	memset(t->ids, 0xff, sizeof(t->ids));
	for (uint32_t i = under_way; i < under_way + LISTS; i++)
		t->links[i] = (struct link){i, i};
	return t;
}

void flights_free(struct flights *t)
{
	if (!t)
		return;
	give_back(t->rows, sizeof(*t->rows) * t->most);
	give_back(t->chains, sizeof(*t->chains) * (t->chain_mask + 1));
	give_back(t->client_next, sizeof(*t->client_next) * t->clients_most);
	give_back(t->links, sizeof(*t->links) * (t->most + LISTS));
	free(t);
}

uint32_t flights_count(const struct flights *t)
{
	return t->count;
}

uint32_t flights_clients(const struct flights *t)
{
	return t->clients;
}

/* ---- by key ---- */

static uint32_t *chain_of(struct flights *t, const struct flight_key *k)
{
	uint64_t h = k->edge.hash ^ t->key ^ (uint64_t)k->stream << 1 ^ (uint64_t)k->recursion_desired << 2;

	if (k->subnet.addr.family)
		h ^= hash_checksum(k->subnet.addr.bytes, sizeof(k->subnet.addr.bytes), t->key + k->subnet.prefix);
	h *= 0x9e3779b97f4a7c15U;
	return &t->chains[(uint32_t)(h >> 32) & t->chain_mask];
}

static bool same(const struct flight_key *a, const struct flight_key *b)
{
	return a->edge.hash == b->edge.hash && a->edge.pool == b->edge.pool && a->edge.qtype == b->edge.qtype && a->edge.dnssec_ok == b->edge.dnssec_ok &&
	       a->edge.checking_disabled == b->edge.checking_disabled && a->recursion_desired == b->recursion_desired && a->stream == b->stream &&
	       a->edge.name_len == b->edge.name_len && memcmp(a->edge.name, b->edge.name, a->edge.name_len) == 0 &&
	       a->subnet.addr.family == b->subnet.addr.family &&
	       (!a->subnet.addr.family || (a->subnet.prefix == b->subnet.prefix && memcmp(a->subnet.addr.bytes, b->subnet.addr.bytes, sizeof(a->subnet.addr.bytes)) == 0));
}

struct flight *flights_find(struct flights *t, const struct flight_key *key)
{
	for (uint32_t i = *chain_of(t, key); i != FLIGHT_NONE; i = t->rows[i].next)
		if (same(&t->rows[i].key, key))
			return &t->rows[i];
	return NULL;
}

static uint32_t row_of(const struct flights *t, const struct flight *f)
{
	return (uint32_t)(f - t->rows);
}

struct flight *flights_begin(struct flights *t, const struct flight_key *key, bool alone)
{
	uint32_t row = t->free;
	struct flight *f;

	if (row != FLIGHT_NONE)
		t->free = t->rows[row].next;
	else if (t->fresh < t->most)
		row = t->fresh++;
	else
		return NULL;
	f = &t->rows[row];
	memset(f, 0, sizeof(*f) - sizeof(f->asked));
	f->key = *key;
	f->alone = alone;
	f->first_client = f->last_client = FLIGHT_NONE;
	f->next = FLIGHT_NONE;
	t->links[row] = (struct link){row, row};
	if (!alone) {
		uint32_t *chain = chain_of(t, key);

		f->next = *chain;
		*chain = row;
	}
	t->count++;
	return f;
}

static void unlink_timer(struct flights *t, uint32_t i)
{
	struct link *l = &t->links[i];

	t->links[l->prev].next = l->next;
	t->links[l->next].prev = l->prev;
	*l = (struct link){i, i};
}

static void forget_ids(struct flights *t, struct flight *f)
{
	for (unsigned k = 0; k < f->tries; k++) {
		uint32_t number = row_of(t, f) * FLIGHT_TRIES_MAX + k, *at = &t->ids[f->try[k].id];

		while (*at != number)
			at = &t->rows[*at / FLIGHT_TRIES_MAX].try[*at % FLIGHT_TRIES_MAX].next;
		*at = f->try[k].next;
	}
}

void flights_end(struct flights *t, struct flight *f)
{
	uint32_t row = row_of(t, f);

	if (!f->alone) {
		uint32_t *at = chain_of(t, &f->key);

		while (*at != row)
			at = &t->rows[*at].next;
		*at = f->next;
	}
	forget_ids(t, f);
	unlink_timer(t, row);
	if (f->first_client != FLIGHT_NONE) {
		t->client_next[f->last_client] = t->clients_free;
		t->clients_free = f->first_client;
		t->clients -= f->clients;
	}
	f->tries = UINT8_MAX; /* for flights_each(): not in use */
	f->next = t->free;
	t->free = row;
	t->count--;
}

void flights_each(struct flights *t, flights_fn *fn, void *ctx)
{
	for (uint32_t i = 0; i < t->fresh; i++)
		if (t->rows[i].tries != UINT8_MAX)
			fn(ctx, &t->rows[i]);
}

/* ---- clients ---- */

uint32_t flights_add_client(struct flights *t, struct flight *f)
{
	uint32_t c = t->clients_free;

	if (c != FLIGHT_NONE)
		t->clients_free = t->client_next[c];
	else if (t->clients_fresh < t->clients_most)
		c = t->clients_fresh++;
	else
		return FLIGHT_NONE;
	t->client_next[c] = FLIGHT_NONE;
	if (f->first_client == FLIGHT_NONE)
		f->first_client = c;
	else
		t->client_next[f->last_client] = c;
	f->last_client = c;
	f->clients++;
	t->clients++;
	return c;
}

uint32_t flights_next_client(const struct flights *t, uint32_t client)
{
	return t->client_next[client];
}

/* ---- tries ---- */

bool flights_of_id(struct flights *t, uint16_t row, uint8_t line, uint16_t id, struct flight **f, struct flight_try **try)
{
	for (uint32_t i = t->ids[id]; i != FLIGHT_NONE;) {
		struct flight *of = &t->rows[i / FLIGHT_TRIES_MAX];
		struct flight_try *at = &of->try[i % FLIGHT_TRIES_MAX];

		if (at->row == row && at->line == line) {
			*f = of;
			*try = at;
			return true;
		}
		i = at->next;
	}
	return false;
}

struct flight_try *flights_try(struct flights *t, struct flight *f, uint16_t row, uint8_t line, uint32_t random)
{
	for (unsigned draw = 0; f->tries < FLIGHT_TRIES_MAX && draw < ID_DRAWS; draw++) {
		uint16_t id = (uint16_t)random;
		struct flight_try *try;
		struct flight *other;

		/* All of an id's bits are drawn anew by what is left of `random`: ids that are taken are rare, one try in thousands at the most that may be under way. */
		random = random * 0x9e3779b1U + 0x7f4a7c15U;
		random ^= random >> 15;
		if (flights_of_id(t, row, line, id, &other, &try))
			continue;
		try = &f->try[f->tries];
		*try = (struct flight_try){.next = t->ids[id], .id = id, .row = row, .line = line, .state = TRY_WAITING};
		t->ids[id] = row_of(t, f) * FLIGHT_TRIES_MAX + f->tries++;
		return try;
	}
	return NULL;
}

/* ---- timers ---- */

static void link_timer(struct flights *t, uint32_t i, uint32_t head)
{
	struct link *h = &t->links[head];

	t->links[i] = (struct link){h->prev, head};
	t->links[h->prev].next = i;
	h->prev = i;
}

void flights_timer(struct flights *t, struct flight *f, uint64_t at_ns)
{
	uint32_t row = row_of(t, f), tick = (uint32_t)((at_ns + FLIGHT_TICK_NS - 1) / FLIGHT_TICK_NS);

	unlink_timer(t, row);
	f->timer_tick = tick;
	/* What is due already comes with the next tick that is passed. */
	if (t->ticking && (int32_t)(tick - t->tick) <= 0)
		tick = t->tick + 1;
	link_timer(t, row, t->most + tick % FLIGHT_WHEEL);
}

/* Move a tick's list to the end of those that are due. */
static void pass(struct flights *t, uint32_t tick)
{
	uint32_t from = t->most + tick % FLIGHT_WHEEL, to = t->most + LIST_DUE;
	struct link *f = &t->links[from], *d = &t->links[to];

	if (f->next == from)
		return;
	t->links[d->prev].next = f->next;
	t->links[f->next].prev = d->prev;
	t->links[f->prev].next = to;
	d->prev = f->prev;
	*f = (struct link){from, from};
}

struct flight *flights_due(struct flights *t, uint64_t now_ns)
{
	uint32_t now = (uint32_t)(now_ns / FLIGHT_TICK_NS), due = t->most + LIST_DUE;

	if (!t->ticking || now - t->tick > FLIGHT_WHEEL) {
		t->tick = now - FLIGHT_WHEEL; /* once round: whatever there is */
		t->ticking = true;
	}
	for (;;) {
		while (t->links[due].next != due) {
			uint32_t row = t->links[due].next;
			struct flight *f = &t->rows[row];

			unlink_timer(t, row);
			if ((int32_t)(f->timer_tick - now) <= 0)
				return f;
			link_timer(t, row, t->most + f->timer_tick % FLIGHT_WHEEL);
		}
		if (t->tick == now)
			return NULL;
		pass(t, ++t->tick);
	}
}
