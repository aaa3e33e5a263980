/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Queries with their answers, from answer workers to the process that writes dnstap: a ring of octets for each worker, in shared memory. One writer, one reader, no lock. */
enum {
	TAP_MESSAGE_MAX = 65535,
	TAP_RING_MIN = 1 << 18, /* octets of a worker's ring: the longest event fits, with room */
	TAP_RING_MAX = 1 << 30,
	TAP_EVENT_MAX = 2 * 65536 + 128, /* octets of an event in a ring */
};

enum tap_transport { TAP_UDP, TAP_TCP, TAP_TLS };

/* One query and what was answered. Addresses in network order; IPv4 in the first four octets. */
struct tap_event {
	uint64_t query_ns, response_ns;   /* since 1970 */
	uint32_t query_len, response_len; /* response 0: there was none */
	uint16_t client_port, server_port;
	uint8_t transport;     /* enum tap_transport */
	uint8_t family;        /* of the client: 4 or 6 */
	uint8_t server_family; /* 0: not known */
	uint8_t reserved;
	uint8_t client[16], server[16];
	const uint8_t *query, *response; /* borrowed */
};

struct tap_ring;
/* Rings of `workers` workers in shared memory, as one process knows them: what others could write there decides nothing about where it writes. */
struct tap_rings {
	struct tap_ring *ring; /* borrowed */
	uint8_t *octets;
	size_t size; /* octets of a ring, a power of two */
	unsigned workers;
};

/* The octets of each of so many rings in all of `octets`: a power of two. */
size_t tap_ring_octets(size_t octets, unsigned workers);
size_t tap_rings_size(unsigned workers, size_t ring);
/* Empty rings in memory of tap_rings_size() octets, all of them 0 and aligned to 64. */
void tap_rings_init(void *memory, unsigned workers, size_t ring);
/* The rings in mapped memory of len octets. ERR_STALE when there are none that fit. */
int tap_rings_open(void *memory, size_t len, struct tap_rings *out) MUST_CHECK;

/* By the worker alone. False: there is no room, and it is lost. */
bool tap_put(const struct tap_rings *r, unsigned worker, const struct tap_event *e);

/* By the reader alone. The oldest event into *out, whose messages are in buffer (TAP_EVENT_MAX octets); it stays until tap_next(). False: there is none. What cannot be an event
 * empties the ring, and *broken grows. */
bool tap_peek(const struct tap_rings *r, unsigned worker, uint8_t *buffer, struct tap_event *out,
              uint64_t *broken) MUST_CHECK;
void tap_next(const struct tap_rings *r, unsigned worker, const struct tap_event *e);
/* Octets that wait. */
uint64_t tap_waiting(const struct tap_rings *r, unsigned worker);
/* By the reader alone: nobody wants what waits. */
void tap_forget(const struct tap_rings *r, unsigned worker);
