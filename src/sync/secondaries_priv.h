/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/clock.h"
#include "board/board.h"
#include "sync/arrive.h"
#include "sync/fetch.h"
#include "sync/secondaries.h"
#include "sync/secondary.h"

/* What the parts of secondaries.h share: secondaries.c asks and takes, _set.c knows what there is to ask for, _timers.c keeps when, _told.c tells. On the loop's thread
 * unless said otherwise. */

/* A question to a primary that is under way, or its result that waits for a run. */
struct flight {
	struct secondaries *all;
	struct flight *next, **before;
	struct fetch *fetch;
	struct keyring *ring;
	struct name apex;
	bool has_expire, whole, force; /* of its result, while its arrival waits */
	uint32_t option_s;
	uint16_t primary;
	struct arrival *arrival;      /* owned; NULL while fetching */
	uint64_t fetch_ms;
	struct xfr_in_facts facts;
};

/* What is known of the data of a network (secondaries_current.c). */
struct current_network {
	char name[CONFIG_NAME_MAX + 1];
	int64_t heard_ms;        /* a primary of it has answered; INT64_MIN: none has */
	int64_t asked_ms;        /* by a look of ours */
	int64_t failing_ms;      /* more zones fail than a few since; INT64_MAX: they do not */
	size_t held;
	unsigned unanswered;     /* looks in a row */
	bool known;              /* an answer has come, or a look has not been answered: it can be told */
	struct name last;        /* asked for; len 0: none */
	struct look *look;       /* under way, or NULL */
};

struct secondaries {
	struct role *role;
	struct board_transfers_in *board;
	struct journal *journal;
	struct catalogs *catalogs; /* borrowed */
	uint32_t excused[BOARD_NETWORKS_MAX]; /* by the network's index of the node: members without data whose first transfer has failed */
	void (*wants_run)(void *ctx);
	void *ctx;
	struct fetch_settings fetch;
	uv_timer_t timer, counter, looker;
	struct current_network current[BOARD_NETWORKS_MAX]; /* by the network's index of the node */
	int64_t ends_ms; /* when the ends of the zones' lives are looked at next */
	struct keyring *ring;
	struct tls_profiles *tls;
	struct secondary_set *set; /* NULL before the first run */
	struct flight *flights;
	struct flight *waiting, **last; /* for a run, linked by next; they left `flights` */
	bool new_config;
	struct name *early;           /* zones that NOTIFY came for before there was a set */
	size_t early_count;
	unsigned ticks;
	struct secondary **noted;     /* their timers are to go to the journal */
	size_t noted_count, noted_cap;
	/* Of the run, its own while it lasts. */
	bool recall;
	struct flight *taken;
	struct timers_row *timers;
	size_t timer_count;
	struct held *held;
	size_t held_count;
	uint64_t journal_failed;
};

static inline int64_t secondaries_now_ms(void)
{
	return (int64_t)clock_ms();
}

/* secondaries.c */
void secondaries_pump(struct secondaries *s);
void secondaries_flight_out(struct flight *f);
void secondaries_flight_free(struct flight *f);
/* A member whose first transfer has failed does not keep its network from being announced: whoever lists zones is not to be able to take the others away. */
void secondaries_excuse(struct secondaries *s, struct secondary *z, bool on);

/* secondaries_timers.c: of zones, to and from the disk. */
void secondaries_recall_zone(struct secondary_set *set, struct secondary *z, const struct held *h, int64_t now);
void secondaries_note(struct secondaries *s, struct secondary *z); /* its timers have changed */
void secondaries_take_timers(struct secondaries *s);
void secondaries_note_timers(struct secondaries *s);               /* on the loader's thread */

/* secondaries_set.c: l's zones and those of its catalogs become the set; on failure it stays as it was. */
int secondaries_make_set(struct secondaries *s, const struct loader *l) MUST_CHECK;
/* What catalogs have brought and taken since. */
int secondaries_hear_news(struct secondaries *s) MUST_CHECK;
void secondaries_publish_awaited(struct secondaries *s);

/* secondaries_current.c */
void secondaries_current_start(struct secondaries *s, uv_loop_t *loop);
void secondaries_current_stop(struct secondaries *s);
/* A primary has said what serial the zone has. */
void secondaries_current_heard(struct secondaries *s, const struct secondary *z);
/* Once a second: how the zones are. */
void secondaries_current_count(struct secondaries *s);
/* After a new configuration: networks may have other places. */
void secondaries_current_reload(struct secondaries *s);
