/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The guard: may this pop leave for a soft cause, judged by what it sees of the others? Pure; decide.h is its only caller but for the tests.
 * See guard.c for the protocol and why it is safe. */
enum {
	GUARD_FRESH_MS = 400,       /* a view not older than this counts for leaving; longer where the way is long, see guard_fresh_ms() */
	GUARD_WAIT_MS = 600,        /* how long an intent is public before it is acted on; must be more than GUARD_FRESH_MS */
	GUARD_ROUND_MAX_MS = 1000,  /* longest way that is allowed for */
	GUARD_KNOWN_MS = 5000,      /* a view not older than this counts for everything else: pops ask each other once a second */
	GUARD_SLOW_MS = 30000,      /* the same where questions are further apart and the last one was answered */
	GUARD_SETTLE_MS = 30000,    /* causes that do not press are looked at for so long: clocks, reloads and transfers are not simultaneous */
	GUARD_TURN_MS = 5000,       /* one that does not go when it is its turn is passed over after so long */
	GUARD_SHED_MS = 10000,      /* between one that sheds load and the next: headroom is measured over seconds */
	GUARD_AGE_STEP_MS = 10000,  /* ages of data that differ less are equal when it comes to who goes first */
};

/* Another pop of the network, in one family. */
struct guard_peer {
	const char *name;    /* borrowed */
	uint32_t place;      /* in the fleet file: the same for all who look */
	uint64_t age_ms;     /* of the view; UINT64_MAX: never heard */
	bool answered;       /* the last question, or it was asked just now */
	uint32_t round_ms;
	struct board_peer_family says;
	uint64_t data_age_ms;
	uint32_t load, headroom; /* as in board_watch_network */
};

struct guard_input {
	uint32_t place;      /* of this node in the fleet file */
	uint32_t others;     /* pops of the network beside this one, seen or not */
	const struct guard_peer *peers; /* borrowed; may be fewer than others */
	size_t peer_count;
	uint64_t data_age_ms, stale_in_ms; /* as in board_watch_network */
	uint32_t load, qps;
};

/* What is seen, in numbers of other pops. */
struct guard_view {
	uint32_t known;        /* views that count at all */
	uint32_t announcing;   /* known, and announce in any way */
	uint32_t better;       /* known, announce plainly, pass, and have not what ails us */
	uint32_t better_fresh; /* of these: fresh, and without intent. These may be relied on */
	uint32_t front;        /* fresh, mean to leave for the same cause, and go first */
	uint32_t gone;         /* known, have left, and have the same cause */
	uint32_t stayers;      /* known, announce, answer, and are not as bad as we are: enough for us to stay out */
	uint32_t carriers;     /* known, announce and answer, and are not hard-failed or come before us: a hard-failed pop leaves it to them */
	uint32_t answering;    /* known, hard-failed, do not announce, answer something, and come before us */
	uint32_t overloaded;   /* known */
	uint32_t sound;        /* known, announce and answer, and are not hard-failed */
	bool none_announces;   /* every other pop is known, and none announces */
	bool none_sound;       /* every other pop is known, and none announces but hard-failed ones */
	uint64_t room, room_fresh; /* queries a second that the better ones could take; UINT64_MAX: not known */
	uint32_t round_ms;     /* longest way to one that counts */
};

struct guard_rule {
	uint32_t wants;        /* enum board_cause: what there is to leave for */
	uint32_t keep_at_least;
	bool shed;             /* it is load that is to move: room must be known */
};

enum guard_says {
	GUARD_NOTHING, /* was not asked */
	GUARD_GO,
	GUARD_WAITS,   /* yes, but the intent is not public for long enough */
	GUARD_TURN,    /* others go first */
	GUARD_FEW,     /* not enough others are better, or seen well enough */
	GUARD_NO_ROOM, /* they could not take the load */
	GUARD_EQUAL,   /* nobody that is seen is better */
	GUARD_BLIND,   /* nobody is seen */
	GUARD_ALONE,   /* there is no other pop */
};

struct guard_state {
	uint32_t intent;       /* enum board_cause, public; 0: none */
	uint64_t intent_since_ms;
	uint64_t ok_since_ms;  /* nothing speaks against it since; 0: something does */
	uint64_t turn_since_ms; /* `front` is what it is since */
	uint32_t front, gone;  /* as they were looked at last */
};

/* May the view be used at all? */
bool guard_knows(const struct guard_peer *p);
void guard_look(const struct guard_input *in, uint32_t wants, struct guard_view *out);
uint64_t guard_fresh_ms(const struct guard_view *v);
uint64_t guard_wait_ms(const struct guard_view *v);
/* Ask for leave, again and again until it is given; raises and withdraws the intent. */
enum guard_says guard_ask(struct guard_state *g, const struct guard_rule *rule, const struct guard_input *in, const struct guard_view *v,
                          uint64_t now_ms);
/* The cause is gone, or the node is out. */
void guard_forget(struct guard_state *g);
