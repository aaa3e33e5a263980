/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones and their transfers. */
#include "admin/metrics_text.h"

#include "base/attr.h"
#include "zone/signatures.h"

#include <string.h>
#include <sys/stat.h>

struct row {
	const char *value; /* of the label */
	const _Atomic uint64_t *n;
};

static void put_rows(struct metrics *m, enum metric family, const char *key, const struct row *rows, size_t n)
{
	metric_begin(m, family);
	for (size_t i = 0; i < n; i++)
		metric_put_as(m, key, rows[i].value, board_get(rows[i].n));
}
#define PUT_ROWS(m, family, key, ...)                                                                                  \
	do {                                                                                                           \
		const struct row rows_[] = {__VA_ARGS__};                                                              \
		put_rows(m, family, key, rows_, ARRAY_LEN(rows_));                                                     \
	} while (0)

static void store(struct metrics *m)
{
	const struct board *b = m->view->board;
	uint64_t damaged = board_get(&b->watch.damaged_ino);
	struct stat st;

	metric_one(m, METRIC_STORE_GENERATION, board_get(&b->sync.store_generation));
	metric_begin(m, METRIC_STORE_SIZE_BYTES);
	if (m->view->store_path && stat(m->view->store_path, &st) == 0)
		metric_put(m, (uint64_t)st.st_blocks * 512);
	metric_one(m, METRIC_STORE_VERIFIED_TOTAL, board_get(&b->watch.verified));
	metric_one(m, METRIC_STORE_DAMAGED, damaged && damaged == board_get(&b->sync.store_ino));
}

static void of_networks(struct metrics *m)
{
	const struct admin_view *f = m->view;

	for (enum metric family = METRIC_NETWORK_ZONES; family <= METRIC_ZONE_EXPIRY_TIMESTAMP_SECONDS; family++) {
		metric_begin(m, family);
		for (size_t i = 0; f->node && i < f->node->network_count && i < BOARD_NETWORKS_MAX; i++) {
			const struct board_sync_network *b = &f->board->sync.networks[i];
			struct board_sync_network c;
			struct board_sync_expiry e;

			labels_clear(&m->labels);
			labels_add(&m->labels, "network", f->config->networks[f->node->networks[i]].name);
			if (family == METRIC_NETWORK_ZONES) {
				metric_put_as(m, "state", "configured", atomic_load(&b->zones));
				metric_put_as(m, "state", "serving", atomic_load(&b->ready));
				metric_put_as(m, "state", "excused", atomic_load(&b->excused));
				metric_put_as(m, "state", "awaited", atomic_load(&b->awaited));
				metric_put_as(m, "state", "held", atomic_load(&b->held));
			} else if (family == METRIC_SIGNATURES_EXPIRY_TIMESTAMP_SECONDS &&
			           board_copy(&b->seq, b, &c, sizeof(c)) && c.signatures) {
				struct signatures s = {.any = true, .end = c.signatures_end};
				int64_t now_s = m->now_wall_us / 1000000, at = now_s + signatures_left_s(&s, now_s);

				c.signatures_zone[BOARD_ZONE_MAX - 1] = '\0';
				labels_add(&m->labels, "zone", c.signatures_zone);
				metric_put(m, at > 0 ? (uint64_t)at : 0);
			} else if (family == METRIC_ZONE_EXPIRY_TIMESTAMP_SECONDS &&
			           board_copy(&b->expiry.seq, &b->expiry, &e, sizeof(e)) && e.near) {
				e.zone[BOARD_ZONE_MAX - 1] = '\0';
				labels_add(&m->labels, "zone", e.zone);
				metric_put_micro(m, metric_wall_us(m, (uint64_t)e.at_ns));
			}
		}
	}
}

static void transfers_in(struct metrics *m)
{
	const struct board_transfers_in *t = &m->view->board->sync.in;

	PUT_ROWS(m, METRIC_SECONDARY_ZONES, "state", {"held", &t->zones}, {"serving", &t->serving},
	         {"expired", &t->expired}, {"failing", &t->failing}, {"empty", &t->empty});
	PUT_ROWS(m, METRIC_TRANSFERS_IN_TOTAL, "result", {"current", &t->confirmed}, {"axfr", &t->axfr},
	         {"ixfr", &t->ixfr}, {"failed", &t->failed}, {"refused", &t->refused});
	metric_one(m, METRIC_TRANSFERS_IN_FALLBACKS_TOTAL, board_get(&t->fallbacks));
	PUT_ROWS(m, METRIC_TRANSFERS_IN_PENDING, "state", {"queued", &t->queued}, {"active", &t->active});
	metric_one(m, METRIC_TRANSFERS_IN_RECORDS_TOTAL, board_get(&t->records));
	metric_one(m, METRIC_TRANSFERS_IN_BYTES_TOTAL, board_get(&t->bytes));
	metric_one(m, METRIC_JOURNAL_FAILED_TOTAL, board_get(&t->journal_failed));
}

static void transfers_out(struct metrics *m)
{
	const struct board_transfers_in *in = &m->view->board->sync.in;
	const struct board_transfers_out *t = &m->view->board->sync.out;

	PUT_ROWS(m, METRIC_TRANSFERS_OUT_TOTAL, "result", {"axfr", &t->axfr}, {"ixfr", &t->ixfr},
	         {"current", &t->current}, {"refused", &t->refused}, {"failed", &t->failed});
	PUT_ROWS(m, METRIC_TRANSFERS_OUT_CONNECTIONS, "state", {"active", &t->active}, {"waiting", &t->waiting},
	         {"open", &t->connections});
	metric_one(m, METRIC_TRANSFERS_OUT_RECORDS_TOTAL, board_get(&t->records));
	metric_one(m, METRIC_TRANSFERS_OUT_BYTES_TOTAL, board_get(&t->bytes));
	metric_one(m, METRIC_TSIG_FAILED_TOTAL, board_get(&t->tsig_bad));
	PUT_ROWS(m, METRIC_NOTIFY_RECEIVED_TOTAL, "result", {"all", &t->notify_in}, {"believed", &in->notified},
	         {"refused", &t->notify_refused});
	PUT_ROWS(m, METRIC_NOTIFY_SENT_TOTAL, "result", {"sent", &t->notify_sent}, {"acknowledged", &t->notify_acked},
	         {"failed", &t->notify_failed});
	metric_one(m, METRIC_NOTIFY_PENDING, board_get(&t->notify_pending));
}

void metrics_zones(struct metrics *m)
{
	const struct board_sync *s = &m->view->board->sync;

	PUT_ROWS(m, METRIC_ZONES, "state", {"configured", &s->zones_configured}, {"serving", &s->zones_serving},
	         {"failed", &s->zones_failed}, {"failing", &s->zones_failing}, {"held-back", &s->zones_held_back});
	metric_one(m, METRIC_ZONE_RECORDS, board_get(&s->records));
	metric_one(m, METRIC_ZONES_LOADING, board_get(&s->loading));
	metric_one(m, METRIC_LOADS_TOTAL, board_get(&s->loads_done));
	metric_one(m, METRIC_LOADS_FAILED_TOTAL, board_get(&s->loads_failed));
	metric_one(m, METRIC_LOADS_REFUSED_TOTAL, board_get(&s->loads_refused));
	metric_one(m, METRIC_HISTORY_FAILED_TOTAL, board_get(&s->history_failed));
	PUT_ROWS(m, METRIC_ZONE_FOLDERS, "state", {"watched", &s->watch_folders}, {"failed", &s->watch_failed});
	metric_one(m, METRIC_ZONE_SAVES_TOTAL, board_get(&s->watch_saves));
	store(m);
	of_networks(m);
	transfers_in(m);
	transfers_out(m);
}
