/* SPDX-License-Identifier: BSD-2-Clause */
#include "board/events.h"

#include "base/clock.h"
#include "board/board.h"

#include <string.h>

static const char *const kinds[EVENT_KINDS] = {
	[EVENT_ANNOUNCE] = "announce",
	[EVENT_DE_PREFER] = "de-prefer",
	[EVENT_GSHUT] = "graceful-shutdown",
	[EVENT_WITHDRAW] = "withdraw",
	[EVENT_BACKSTOP] = "backstop",
	[EVENT_VERDICT] = "verdict",
	[EVENT_NEIGHBOR_UP] = "neighbor-up",
	[EVENT_NEIGHBOR_DOWN] = "neighbor-down",
	[EVENT_BFD] = "bfd",
	[EVENT_PEER] = "peer",
	[EVENT_DRIFT] = "drift",
	[EVENT_OUTSIDE] = "outside",
	[EVENT_RPKI] = "rpki",
	[EVENT_HIJACK] = "hijack",
	[EVENT_ZONE] = "zone",
	[EVENT_PRIMARY] = "primary",
	[EVENT_PROCESS] = "process",
	[EVENT_CONFIG] = "config",
	[EVENT_ORDER] = "order",
	[EVENT_XDP] = "xdp",
	[EVENT_DISK] = "disk",
};

const char *board_event_kind_text(enum board_event_kind k)
{
	return k < EVENT_KINDS ? kinds[k] : "?";
}

enum board_event_kind board_event_kind_parse(const char *text, size_t len)
{
	for (unsigned k = 0; k < EVENT_KINDS; k++)
		if (strlen(kinds[k]) == len && memcmp(kinds[k], text, len) == 0)
			return (enum board_event_kind)k;
	return EVENT_KINDS;
}

const char *board_event_level_text(enum board_event_level l)
{
	return l == EVENT_ALERT ? "alert" : l == EVENT_WARN ? "warn" : "info";
}

void board_event_add(struct board_events *r, const struct board_event *e)
{
	uint64_t number = atomic_load_explicit(&r->written, memory_order_relaxed) + 1;
	struct board_event_slot *s = &r->slot[number % EVENT_RING];

	/* A writer that died here left it odd; its successor may write it anew. */
	if (atomic_load_explicit(&s->seq, memory_order_relaxed) & 1U)
		board_write_end(&s->seq);
	board_write_begin(&s->seq);
	s->event = *e;
	s->event.number = number;
	s->event.wall_us = clock_wall_us();
	board_write_end(&s->seq);
	if (e->kind < EVENT_KINDS)
		board_add(&r->kinds[e->kind], 1);
	atomic_store_explicit(&r->written, number, memory_order_release);
}

bool board_event_next(struct board_events *r, uint64_t *last, uint64_t *lost, struct board_event *out)
{
	for (;;) {
		uint64_t written = atomic_load_explicit(&r->written, memory_order_acquire), next = *last + 1;
		struct board_event_slot *s;

		if (next > written)
			return false;
		/* The oldest slot may be the one that is being written. */
		if (written - next >= EVENT_RING - 1) {
			*lost += written - (EVENT_RING - 1) + 1 - next;
			next = written - (EVENT_RING - 1) + 1;
		}
		s = &r->slot[next % EVENT_RING];
		*last = next;
		if (board_copy(&s->seq, &s->event, out, sizeof(*out)) && out->number == next)
			return true;
		*lost += 1;
	}
}
