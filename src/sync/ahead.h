/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "sync/zone_list.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Zone files read ahead by threads and handed out in the order in which they were asked for. All functions are for one thread, the
 * loader's; on_progress is called on any. */
struct ahead;

struct ahead_zone {
	const struct zone_row *row;
	struct content *content; /* NULL where err is set; the taker may free it and set it to NULL */
	struct zone_prints *prints; /* its fingerprints where they are of use, else NULL; likewise */
	struct diag diag;
	int err;          /* of zone_load_file() */
	unsigned took_ms; /* reading, checking */
	char source[STORE_ZONE_SOURCE_MAX];
	/* For ahead.c. */
	uint64_t size;
	int fd; /* -1: not open */
	struct ahead *ahead;
	bool done;
};

typedef void ahead_progress_fn(void *ctx, const struct zone_row *row, uint64_t done, uint64_t all);

/* NULL: out of memory. Threads, where there is more than one CPU, begin with the second zone that waits. */
struct ahead *ahead_new(ahead_progress_fn *on_progress, void *ctx);
/* Large zones that are served already come with fingerprints made with this key, which outlives the ring. Before the first zone is added. */
void ahead_want_prints(struct ahead *a, const uint8_t *key);
/* The content of a zone that was taken has been changed. */
void ahead_print_again(struct ahead_zone *z);
/* Waits for what is under way, throws away what was not taken. */
void ahead_free(struct ahead *a);
/* wants: it is time to add what there is to add, until there is no room: many at once, so that the kernel has many files to read at once. */
bool ahead_wants(const struct ahead *a);
bool ahead_has_room(const struct ahead *a);
/* There must be room. */
void ahead_add(struct ahead *a, const struct zone_row *row);
/* The row that ahead_take() would return, or NULL. */
const struct zone_row *ahead_first(const struct ahead *a);
/* Wait for the first zone; there must be one. It is valid until ahead_release(). */
struct ahead_zone *ahead_take(struct ahead *a);
void ahead_release(struct ahead *a, struct ahead_zone *z);
