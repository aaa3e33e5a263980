/* SPDX-License-Identifier: BSD-2-Clause */
/* What a collector says, and a worker's ring of dnstap with anything in it: both sides stay within the memory, and what is taken out can be sent. */
#include "dnstap/encode.h"
#include "dnstap/frames.h"
#include "dnstap/ring.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void hear(const uint8_t *data, size_t size)
{
	enum frames_control kind;
	size_t used;

	while (size && frames_read(data, size, &used, &kind) == 0) {
		if (used > size || used == 0 || (kind != FRAMES_ACCEPT && kind != FRAMES_FINISH))
			abort();
		data += used;
		size -= used;
	}
}

/* Two positions, then octets of the ring. */
static void take(const uint8_t *data, size_t size)
{
	static uint8_t buffer[TAP_EVENT_MAX], out[DNSTAP_MAX];
	static void *memory;
	size_t all = tap_rings_size(1, TAP_RING_MIN);
	const struct dnstap_origin origin = {"a", "b"};
	struct tap_rings r;
	struct tap_event e;
	uint64_t position[2], broken = 0;

	if (size < sizeof(position))
		return;
	if (!memory)
		memory = aligned_alloc(64, (all + 63) / 64 * 64);
	if (!memory)
		abort();
	memset(memory, 0, all);
	tap_rings_init(memory, 1, TAP_RING_MIN);
	if (tap_rings_open(memory, all, &r) < 0)
		abort();
	memcpy(position, data, sizeof(position));
	memcpy(r.ring, &position[0], 8);
	memcpy((uint8_t *)r.ring + 64, &position[1], 8);
	data += sizeof(position);
	size -= sizeof(position);
	for (size_t i = 0; i < size && i < TAP_RING_MIN; i++)
		r.octets[(position[1] + i) & (TAP_RING_MIN - 1)] = data[i];
	for (int n = 0; n < 1000 && tap_peek(&r, 0, buffer, &e, &broken); n++) {
		if (dnstap_encode(&origin, DNSTAP_AUTH_QUERY, &e, out) > sizeof(out) ||
		    dnstap_encode(&origin, DNSTAP_AUTH_RESPONSE, &e, out) > sizeof(out))
			abort();
		tap_next(&r, 0, &e);
	}
	e = (struct tap_event){.query_len = 12, .family = 4, .query = buffer, .response = buffer};
	(void)tap_put(&r, 0, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	hear(data, size);
	take(data, size);
	return 0;
}
