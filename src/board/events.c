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
	[EVENT_KEPT] = "kept",
	[EVENT_MAX_PREFIXES] = "max-prefixes",
	[EVENT_BACKEND] = "backend",
	[EVENT_ENDPOINT] = "endpoint",
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

/* Whatever a writer did: what is read of it ends. */
static void end_texts(struct board_event *e)
{
	e->network[sizeof(e->network) - 1] = e->subject[sizeof(e->subject) - 1] = '\0';
	e->old[sizeof(e->old) - 1] = e->now[sizeof(e->now) - 1] = e->why[sizeof(e->why) - 1] = '\0';
}

bool board_event_next(const struct board_events *r, uint64_t *last, uint64_t *lost, struct board_event *out)
{
	for (;;) {
		uint64_t written = atomic_load_explicit(&r->written, memory_order_acquire), next = *last + 1;
		const struct board_event_slot *s;

		if (next > written)
			return false;
		/* The oldest slot may be the one that is being written. */
		if (written - next >= EVENT_RING - 1) {
			*lost += written - (EVENT_RING - 1) + 1 - next;
			next = written - (EVENT_RING - 1) + 1;
		}
		s = &r->slot[next % EVENT_RING];
		*last = next;
		if (board_copy(&s->seq, &s->event, out, sizeof(*out)) && out->number == next) {
			end_texts(out);
			return true;
		}
		*lost += 1;
	}
}

static const struct board_events *ring_of(const struct board *b, int ring)
{
	const struct board_events *const rings[EVENT_RINGS] = {&b->supervisor.events, &b->sync.events, &b->watch.events,
	                                                       &b->route.events};

	return rings[ring];
}

bool board_events_next(const struct board *b, struct board_events_cursor *c, uint64_t *lost, struct board_event *out,
                       int *role)
{
	static const int roles[EVENT_RINGS] = {ROLE_SUPERVISOR, ROLE_SYNC, ROLE_WATCH, ROLE_ROUTE};
	int best = -1;

	for (int i = 0; i < EVENT_RINGS; i++) {
		uint64_t last = c->last[i], missed = 0;
		struct board_event e;
		bool found = board_event_next(ring_of(b, i), &last, &missed, &e);

		/* What is lost is told once: the place in the ring moves up to what is there. */
		*lost += missed;
		c->last[i] = found ? last - 1 : last;
		if (!found || (best >= 0 && e.wall_us >= out->wall_us))
			continue;
		*out = e;
		best = i;
	}
	if (best < 0)
		return false;
	c->last[best]++;
	*role = roles[best];
	return true;
}

void board_events_skip(const struct board *b, struct board_events_cursor *c)
{
	for (int i = 0; i < EVENT_RINGS; i++)
		c->last[i] = atomic_load_explicit(&ring_of(b, i)->written, memory_order_acquire);
}

bool event_burst_pass(struct event_burst *b, uint32_t most, uint64_t now_ms)
{
	if (!b->kept && now_ms - b->since_ms >= EVENT_BURST_MS)
		*b = (struct event_burst){.since_ms = now_ms};
	if (b->told < most && !b->kept) {
		b->told++;
		return true;
	}
	b->kept++;
	return false;
}

uint32_t event_burst_over(struct event_burst *b, uint64_t now_ms)
{
	uint32_t kept = b->kept;

	if (!kept || now_ms - b->since_ms < EVENT_BURST_MS)
		return 0;
	*b = (struct event_burst){.since_ms = now_ms};
	return kept;
}
