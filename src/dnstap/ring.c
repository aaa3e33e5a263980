/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries and answers on their way out of a worker, for dnstap.
 *
 * A worker neither waits nor allocates nor takes a lock: it copies the query and its answer into its ring, or counts that there was no room. The ring belongs to the supervisor's
 * memory, so what is in it outlives both the worker and the reader; it is the whole backlog, since the reader takes no more out than its collector takes.
 *
 *	tail ................ head
 *	 | event | event | event |       positions count octets for ever; the place is position modulo size
 *
 * An event is a struct event_head and the octets of both messages, up to a multiple of 8; it may go round the end. The writer fills it in and then moves `head` (release), so half an
 * event is never seen, also when the worker dies within it. The reader moves `tail`. Each believes of the other's position only what does it no harm: the writer masks every
 * place and writes nothing where the positions cannot be right, the reader checks every length, since a worker reads from the network and may have been taken over.
 *
 * Memory is touched as it is needed: a node without dnstap pays for none of it. */
#include "dnstap/ring.h"

#include "base/err.h"

#include <stdatomic.h>
#include <string.h>

enum { RINGS_MAGIC = 0x7a637470 /* "zctp" */ };

struct event_head {
	uint32_t total; /* octets in the ring, this head included */
	uint32_t query_len, response_len;
	uint16_t client_port, server_port;
	uint64_t query_ns, response_ns;
	uint8_t transport, family, server_family, reserved[5];
	uint8_t client[16], server[16];
};
_Static_assert(sizeof(struct event_head) % 8 == 0, "events are aligned");
_Static_assert(sizeof(struct event_head) + 2 * TAP_MESSAGE_MAX + 8 <= TAP_EVENT_MAX, "the longest event");

struct tap_ring {
	_Alignas(64) _Atomic uint64_t head; /* written by the worker */
	_Alignas(64) _Atomic uint64_t tail; /* written by the reader */
};
/* Of the memory. Behind the rings are their octets. */
struct memory {
	_Alignas(64) uint32_t magic;
	uint32_t workers;
	uint64_t size;
	struct tap_ring ring[];
};

size_t tap_ring_octets(size_t octets, unsigned workers)
{
	size_t share = octets / (workers ? workers : 1), size = TAP_RING_MIN;

	while (size * 2 <= share && size < TAP_RING_MAX)
		size *= 2;
	return size;
}

size_t tap_rings_size(unsigned workers, size_t ring)
{
	return sizeof(struct memory) + workers * (sizeof(struct tap_ring) + ring);
}

void tap_rings_init(void *memory, unsigned workers, size_t ring)
{
	struct memory *m = memory;

	m->magic = RINGS_MAGIC;
	m->workers = workers;
	m->size = ring;
}

int tap_rings_open(void *memory, size_t len, struct tap_rings *out)
{
	struct memory *m = memory;
	struct tap_rings r;

	if (len < sizeof(*m) || m->magic != RINGS_MAGIC)
		return ERR_STALE;
	r = (struct tap_rings){.ring = m->ring, .size = m->size, .workers = m->workers};
	if (r.size < TAP_RING_MIN || r.size > TAP_RING_MAX || (r.size & (r.size - 1)) ||
	    tap_rings_size(r.workers, r.size) != len)
		return ERR_STALE;
	r.octets = (uint8_t *)&m->ring[r.workers];
	*out = r;
	return 0;
}

/* Into the ring, round its end; the position behind. */
static uint64_t put(uint8_t *octets, uint64_t size, uint64_t at, const void *from, size_t len)
{
	size_t place = at & (size - 1), first = MIN(len, (size_t)(size - place));

	memcpy(octets + place, from, first);
	memcpy(octets, (const uint8_t *)from + first, len - first);
	return at + len;
}

static uint64_t take(const uint8_t *octets, uint64_t size, uint64_t at, void *to, size_t len)
{
	size_t place = at & (size - 1), first = MIN(len, (size_t)(size - place));

	memcpy(to, octets + place, first);
	memcpy((uint8_t *)to + first, octets, len - first);
	return at + len;
}

static uint32_t total_of(uint32_t query_len, uint32_t response_len)
{
	return (uint32_t)((sizeof(struct event_head) + query_len + response_len + 7) & ~(size_t)7);
}

bool tap_put(const struct tap_rings *r, unsigned worker, const struct tap_event *e)
{
	struct tap_ring *ring = &r->ring[worker];
	uint8_t *octets = r->octets + worker * r->size;
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed),
		 tail = atomic_load_explicit(&ring->tail, memory_order_acquire), at;
	struct event_head h = {.query_len = e->query_len,
	                       .response_len = e->response_len,
	                       .client_port = e->client_port,
	                       .server_port = e->server_port,
	                       .query_ns = e->query_ns,
	                       .response_ns = e->response_ns,
	                       .transport = e->transport,
	                       .family = e->family,
	                       .server_family = e->server_family};

	if (e->query_len > TAP_MESSAGE_MAX || e->response_len > TAP_MESSAGE_MAX)
		return false;
	h.total = total_of(e->query_len, e->response_len);
	if (head - tail > r->size || r->size - (head - tail) < h.total)
		return false;
	memcpy(h.client, e->client, sizeof(h.client));
	memcpy(h.server, e->server, sizeof(h.server));
	at = put(octets, r->size, head, &h, sizeof(h));
	at = put(octets, r->size, at, e->query, e->query_len);
	if (e->response_len)
		put(octets, r->size, at, e->response, e->response_len);
	atomic_store_explicit(&ring->head, head + h.total, memory_order_release);
	return true;
}

bool tap_peek(const struct tap_rings *r, unsigned worker, uint8_t *buffer, struct tap_event *out, uint64_t *broken)
{
	struct tap_ring *ring = &r->ring[worker];
	const uint8_t *octets = r->octets + worker * r->size;
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed),
		 head = atomic_load_explicit(&ring->head, memory_order_acquire), at;
	struct event_head h;

	if (head == tail)
		return false;
	if (head - tail < sizeof(h) || head - tail > r->size)
		goto broken;
	at = take(octets, r->size, tail, &h, sizeof(h));
	if (h.query_len > TAP_MESSAGE_MAX || h.response_len > TAP_MESSAGE_MAX ||
	    h.total != total_of(h.query_len, h.response_len) || h.total > head - tail ||
	    (h.family != 4 && h.family != 6))
		goto broken;
	take(octets, r->size, at, buffer, h.query_len + h.response_len);
	*out = (struct tap_event){.query_ns = h.query_ns,
	                          .response_ns = h.response_ns,
	                          .query_len = h.query_len,
	                          .response_len = h.response_len,
	                          .client_port = h.client_port,
	                          .server_port = h.server_port,
	                          .transport = h.transport,
	                          .family = h.family,
	                          .server_family = h.server_family,
	                          .query = buffer,
	                          .response = buffer + h.query_len};
	memcpy(out->client, h.client, sizeof(out->client));
	memcpy(out->server, h.server, sizeof(out->server));
	return true;
broken:
	++*broken;
	atomic_store_explicit(&ring->tail, head, memory_order_release);
	return false;
}

void tap_next(const struct tap_rings *r, unsigned worker, const struct tap_event *e)
{
	struct tap_ring *ring = &r->ring[worker];

	atomic_store_explicit(&ring->tail,
	                      atomic_load_explicit(&ring->tail, memory_order_relaxed) +
	                              total_of(e->query_len, e->response_len),
	                      memory_order_release);
}

uint64_t tap_waiting(const struct tap_rings *r, unsigned worker)
{
	const struct tap_ring *ring = &r->ring[worker];
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	return atomic_load_explicit(&ring->head, memory_order_relaxed) - tail;
}

void tap_forget(const struct tap_rings *r, unsigned worker)
{
	struct tap_ring *ring = &r->ring[worker];

	atomic_store_explicit(&ring->tail, atomic_load_explicit(&ring->head, memory_order_acquire),
	                      memory_order_release);
}
