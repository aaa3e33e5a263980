/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"
#include "journal/journal.h"
#include "sync/load.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What transfers brought, on its way into the store and the journal. On the loader's thread, after a run of the loader. */
enum { ARRIVAL_ERROR_MAX = 700, ARRIVAL_WHO_MAX = 100 };

struct xfr_in;

enum arrival_kind {
	ARRIVAL_WHOLE,       /* the zone in `in` */
	ARRIVAL_DIFFERENCES, /* those in `in`, to the version served */
	ARRIVAL_EXPIRED,     /* no longer to be answered: its data leave the store; the journal keeps them */
};
enum arrival_outcome {
	ARRIVAL_SERVED,
	ARRIVAL_REFUSED,     /* the version before stays; error says why */
	ARRIVAL_NO_USE,      /* the differences do not apply, or what came of them is not fit: the whole zone may be */
	ARRIVAL_GONE,        /* the node has no such zone any more */
};

struct arrival {
	struct arrival *next;
	struct name apex;
	enum arrival_kind kind;
	struct xfr_in *in;            /* owned */
	bool force;                   /* an operator's yes to what guards would refuse */
	char who[ARRIVAL_WHO_MAX];    /* address of the primary */
	/* Results. */
	enum arrival_outcome outcome;
	uint32_t serial, refresh_s, retry_s, expire_s; /* ARRIVAL_SERVED: of its SOA */
	uint64_t records, octets;     /* of the zone; as it lies in the store */
	uint64_t repeated;            /* differences: records added that were there already, and passed over */
	unsigned took_ms;             /* to check, store and commit */
	char error[ARRIVAL_ERROR_MAX];
	/* For arrive.c. */
	struct zone_row *row;
	struct content *content;
	uint64_t renewed;             /* names that differences hid or showed */
};
void arrival_free(struct arrival *a);

/* All of the list: checked, stored, committed; then in the journal, where there is one. One list holds a zone once. Errors of single zones are told in
 * their outcome; the result is that of the store, which nothing can be put into. journal_failed counts. */
int arrive(struct loader *l, struct journal *j, struct arrival *list, uint64_t *journal_failed) MUST_CHECK;

/* What is known of a zone held by transfer when it is not asked for yet. */
struct held {
	const uint8_t *apex;          /* of the loader's list, until its next run */
	bool has_version, has_timers;
	uint32_t serial, refresh_s, retry_s, expire_s;
	uint64_t octets;
	int64_t loaded_wall_s;
	struct journal_timers timers;
};
/* Of all zones held by transfer, in canonical order; the array is the caller's. Those that the store lacks are taken from the journal into it, those that the
 * journal lacks from the store. j may be NULL. */
int arrive_recall(struct loader *l, struct journal *j, struct held **out, size_t *count, uint64_t *journal_failed) MUST_CHECK;

/* Likewise of those only whose rows say `recall`. */
int arrive_recall_new(struct loader *l, struct journal *j, struct held **out, size_t *count,
                      uint64_t *journal_failed) MUST_CHECK;

/* Timers of several zones, one write. */
struct timers_row {
	struct name apex;
	struct journal_timers timers;
};
int arrive_note_timers(struct journal *j, const struct timers_row *rows, size_t count, struct text *why) MUST_CHECK;
