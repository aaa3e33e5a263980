/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "journal/journal.h"
#include "proc/role.h"
#include "sync/serials.h"
#include "sync/zone_list.h"
#include "zone/store.h"

#include <pthread.h>

struct history;
struct applied;
struct known;
struct watcher;
struct xdp_cache;
struct versions;
struct diag;

enum { LOADER_CAUSE_MAX = 64 };

/* Bring the store in line with a list of zones. Runs on a thread of its own; the only user of the store's writer. */
struct loader {
	const char *store_path;
	struct board *board;
	struct store_writer *writer; /* NULL until the store is open */
	_Atomic uint64_t *pins[BOARD_WORKERS_MAX + 3 + BOARD_DRIFT_PINS + BOARD_TRANSFER_PINS];
	size_t pin_count;
	struct xdp_cache *kernel;    /* answers kept there die with each change; NULL: there are none; borrowed */
	struct known *known;         /* fingerprints of large zones; NULL: none are kept */
	struct history *history;     /* told of each change between two versions; NULL: nobody keeps them; borrowed */
	/* Called on the loading thread after a commit for each zone that serves another serial than before, and in the first run for each that is served; NULL: nobody
	 * cares. */
	void (*on_serial)(void *ctx, const uint8_t *apex, uint32_t serial, bool first);
	void *on_serial_ctx;
	struct versions *versions;   /* told of each version that comes from a file, for the journal; NULL: there is none; borrowed */
	_Atomic uint64_t before_pin; /* theirs: keeps the versions before */
	struct journal_keep keep;    /* how much history the journal keeps; changed between runs only */
	char cause[LOADER_CAUSE_MAX]; /* why files are read in this run, for the history: "start", "reload" */
	/* Called for each zone whose file was read, good or not, with what is wrong with it and, where it was refused for another reason, why (else NULL). NULL: nobody cares. */
	void (*on_read)(void *ctx, const struct zone_row *row, int err, const struct diag *problems, const char *why);
	void *on_read_ctx;
	/* Called on the loading thread with a list that is to be taken, when the store is open: more zones may join it. NULL: it is whole as it is. */
	int (*on_list)(void *ctx, struct loader *l, struct zone_list *zones);
	void *on_list_ctx;
	/* Called on the loading thread with a version that is fit to be served: as content, or (NULL) as a zone of the version being built; force: an operator said yes. Not 0: it
	 * is refused, and why says so. NULL: all is taken. Same ctx. */
	int (*on_version)(void *ctx, struct loader *l, const uint8_t *apex, const struct content *c, bool force, struct text *why);
	struct journal *journal;     /* of serials that files got in place of their own; NULL: none; borrowed */
	struct watcher *watcher;     /* told of the files that zones were read from; NULL: nobody watches; borrowed */
	struct serials serials;      /* given since the last commit */
	pthread_mutex_t lock;        /* of `zones` and of what is told of its rows: see sync/told.h. The loading thread alone writes, and reads without it */
	struct zone_list *zones;     /* in force; NULL before the first run */
	bool aligned;                /* the store has these zones and no others */
	/* Of what is committed. */
	uint64_t serving, records, failing;
	struct loader_first {        /* of each network: the zone whose signatures end first */
		const struct zone_row *row; /* NULL: none is signed */
		bool stale;
	} first[BOARD_NETWORKS_MAX];
	uint32_t net_zones[BOARD_NETWORKS_MAX], net_ready[BOARD_NETWORKS_MAX];
	/* Set by the user: a file that this process has no right to read ends the run, with its path in `unreadable`, instead of counting as a
	 * zone that does not load. */
	bool may_ask;
	char unreadable[ROLE_PATH_MAX];
};

void loader_init(struct loader *l, const char *store_path, struct board *board, unsigned workers);
void loader_done(struct loader *l);
/* Zones that left the list go, new ones answer SERVFAIL until they are read, changed files are read, those of new zones before others;
 * `forced` ones are read though their files have not changed. zones becomes the loader's; NULL: the list in force, which there must be.
 * A zone that does not load keeps its last good version. Problems are logged, counts are on the board. Fails only when the store cannot
 * be written, or with -EACCES as said above. */
int loader_run(struct loader *l, struct zone_list *zones, const struct name *forced, size_t forced_count) MUST_CHECK;
/* What changed, by apply_content(), is kept for those that have the version before; takes the change over. */
void loader_keep_change(struct loader *l, const uint8_t *apex, struct applied *applied);
/* Is the zone in the list in force, with a file that is there? */
bool loader_has(const struct loader *l, const uint8_t *apex);
/* The zone in the list in force, to which the store is in line; NULL: none. */
struct zone_row *loader_row(const struct loader *l, const uint8_t *apex);
/* What on_version says. force: an operator's yes. */
int loader_judge(struct loader *l, const uint8_t *apex, const struct content *c, bool force, struct text *why) MUST_CHECK;
/* Commit what others than the loader have put into the store's next version: rows that are marked `stored`. Counts follow. */
int loader_commit(struct loader *l, struct zone_row *const *rows, size_t count) MUST_CHECK;
/* Read these zones, whether their files have changed or not, and look at no other. Those that loader_has() not are left out. */
int loader_run_some(struct loader *l, const struct name *zones, size_t count) MUST_CHECK;
/* Rows of the list that are marked `dropped` go, these come, whose names are in the store's next version already, and belong to the list then. What held a row must look for
 * it anew. ERR_NO_MEMORY: nothing is changed. */
int loader_change_list(struct loader *l, struct zone_row *rows, size_t count) MUST_CHECK;
/* Around a change of what a row says: its network, what it serves. */
void loader_uncount(struct loader *l, const struct zone_row *row);
void loader_recount(struct loader *l, const struct zone_row *row);
/* An operator's yes: the zone's next reading may do what the gate would refuse. Between two runs only. */
void loader_allow(struct loader *l, const uint8_t *apex);
/* Zones of which it is known only that no signature ends before some moment that is near: look when. After a run, on its thread. */
void loader_look_at_signatures(struct loader *l);
/* Is there one? On the loop, between two runs. */
bool loader_wants_look(const struct loader *l);
