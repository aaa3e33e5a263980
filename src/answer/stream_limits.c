/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/stream_limits.h"

#include "base/attr.h"

/* RFC 7766 6.2.3: the idle time shrinks as resources do. In the last step connections go as soon as they have been answered. */
static const struct {
	uint32_t below_percent, divide;
} steps[] = {{50, 1}, {70, 2}, {80, 4}, {90, 10}, {95, 25}, {UINT32_MAX, 100}};

static unsigned step_of(const struct stream_limits *l, uint32_t open, uint64_t memory)
{
	uint64_t slots = l->connections ? (uint64_t)open * 100 / l->connections : 100;
	uint64_t octets = l->memory ? memory * 100 / l->memory : 100;
	unsigned i = 0;

	while (i < ARRAY_LEN(steps) - 1 && MAX(slots, octets) >= steps[i].below_percent)
		i++;
	return i;
}

static uint32_t divided(uint32_t figure, uint32_t workers, uint32_t least)
{
	uint32_t part = figure / workers + (figure % workers != 0);

	return MAX(part, MIN(figure, least));
}

struct stream_limits stream_limits_share(const struct stream_limits *node, uint32_t workers)
{
	struct stream_limits l = *node;

	if (workers < 2)
		return l;
	l.connections = divided(node->connections, workers, 1);
	l.per_client = divided(node->per_client, workers, STREAM_CLIENT_MIN);
	l.memory = MAX(node->memory / workers, (uint64_t)STREAM_MEMORY_MIN);
	return l;
}

uint32_t stream_idle_ms(const struct stream_limits *l, uint32_t open, uint64_t memory)
{
	uint32_t ms = l->idle_ms / steps[step_of(l, open, memory)].divide;

	return MAX(ms, MIN(l->idle_ms, (uint32_t)STREAM_IDLE_MIN_MS));
}

uint16_t stream_keepalive(const struct stream_limits *l, uint32_t open, uint64_t memory)
{
	uint32_t units = stream_idle_ms(l, open, memory) / 100;

	if (step_of(l, open, memory) == ARRAY_LEN(steps) - 1)
		return 0;
	return (uint16_t)MIN(units, (uint32_t)UINT16_MAX);
}

uint32_t stream_shake_ms(uint32_t idle_ms)
{
	return MAX(MIN(idle_ms, (uint32_t)STREAM_SHAKE_MS), (uint32_t)STREAM_SHAKE_MIN_MS);
}
