/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has happened on a node, for people and for programs: a ring in each process's section of the board, written by that process alone, read by any. It stays when its writer
 * dies. Numbers count up by one in each ring: a reader that was too slow knows how many it has lost. */
enum {
	EVENT_RING = 256, /* a power of two */
	EVENT_NAME_MAX = 64,
	EVENT_SUBJECT_MAX = 128,
	EVENT_STATE_MAX = 24,
	EVENT_SENTENCE_MAX = 240,
};

enum board_event_kind {
	EVENT_ANNOUNCE, /* of a network and family */
	EVENT_DE_PREFER,
	EVENT_GSHUT,
	EVENT_WITHDRAW,
	EVENT_BACKSTOP,
	EVENT_VERDICT,
	EVENT_NEIGHBOR_UP, /* subject: its address */
	EVENT_NEIGHBOR_DOWN,
	EVENT_BFD,
	EVENT_PEER,    /* subject: another node, seen or not seen any more */
	EVENT_DRIFT,   /* subject: a zone; why names the node */
	EVENT_OUTSIDE, /* how others, and clients, see this network */
	EVENT_RPKI,    /* subject: a prefix */
	EVENT_HIJACK,  /* subject: a prefix */
	EVENT_ZONE,    /* subject: a zone that is served, refused, failed, expired, back */
	EVENT_PRIMARY, /* primaries of a network, lost or back */
	EVENT_PROCESS, /* subject: a role, ended or killed */
	EVENT_CONFIG,  /* a reload that was taken or refused */
	EVENT_ORDER,   /* of an operator */
	EVENT_XDP,
	EVENT_DISK,
	EVENT_KEPT,         /* what is announced stays, though something would speak against it */
	EVENT_MAX_PREFIXES, /* subject: a neighbor that sends more than it may, or no longer */
	EVENT_BACKEND,      /* subject: a server of a pool that answers for zones, up or down */
	EVENT_ENDPOINT, /* subject: POOL/ENDPOINT that names are steered to, up or down */
	EVENT_KINDS,
};
/* "announce"; "?" beyond the last. */
const char *board_event_kind_text(enum board_event_kind k);
/* EVENT_KINDS: there is none of that name. */
enum board_event_kind board_event_kind_parse(const char *text, size_t len);

/* EVENT_ALERT: somebody must look; EVENT_WARN: soon, or perhaps. An end of something bad is EVENT_INFO. */
enum board_event_level { EVENT_INFO, EVENT_WARN, EVENT_ALERT };
const char *board_event_level_text(enum board_event_level l);

struct board_event {
	uint64_t number;  /* in its ring, from 1 */
	uint64_t wall_us; /* since 1970 */
	uint8_t kind, level;
	uint8_t family; /* 4 or 6; 0: both, or neither */
	char network[EVENT_NAME_MAX];
	char subject[EVENT_SUBJECT_MAX]; /* cut off beyond */
	char old[EVENT_STATE_MAX], now[EVENT_STATE_MAX];
	char why[EVENT_SENTENCE_MAX]; /* one sentence with its inputs */
};

struct board_events {
	_Atomic uint64_t written; /* events ever; the number of the newest */
	_Atomic uint64_t kinds[EVENT_KINDS]; /* of them of each kind */
	struct board_event_slot {
		_Atomic uint32_t seq;
		struct board_event event;
	} slot[EVENT_RING];
};

/* By the ring's writer: takes a copy, gives it its number and the time. */
void board_event_add(struct board_events *r, const struct board_event *e);
/* The event after *last; *last is then its number. Where it is not there any more: the oldest that is, and *lost grows by those between. False: nothing newer. */
bool board_event_next(const struct board_events *r, uint64_t *last, uint64_t *lost, struct board_event *out) MUST_CHECK;

/* All rings of a board as one sequence, by their times: of two rings' events only what both have by now can be put in order. */
enum { EVENT_RINGS = 4 };
struct board;
struct board_events_cursor {
	uint64_t last[EVENT_RINGS]; /* supervisor, sync, watch, route; 0 each: from the oldest that is there */
};
/* The oldest event after the cursor, and the ring it is from (enum board_role). */
bool board_events_next(const struct board *b, struct board_events_cursor *c, uint64_t *lost, struct board_event *out, int *role) MUST_CHECK;
/* Nothing that is there by now is told. */
void board_events_skip(const struct board *b, struct board_events_cursor *c);

/* For things of which many can change at once: of each EVENT_BURST_MS a writer tells the first so many, then how many more there were. */
enum { EVENT_BURST_MS = 10000 };
struct event_burst {
	uint64_t since_ms;
	uint32_t told, kept;
};
/* May one be told? What may not is counted. */
bool event_burst_pass(struct event_burst *b, uint32_t most, uint64_t now_ms) MUST_CHECK;
/* How many were not told since the last call, once their time is over; 0: none, or not yet. */
uint32_t event_burst_over(struct event_burst *b, uint64_t now_ms);
