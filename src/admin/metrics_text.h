/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/metrics_table.h"
#include "admin/view.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Lines of the Prometheus text format, version 0.0.4. Values of one family must follow each other: metric_begin() writes its HELP and TYPE. */
enum { METRIC_LABELS_MAX = 1024 };

/* Labels of one line, with every value made harmless. What does not fit is left out whole. */
struct labels {
	char chars[METRIC_LABELS_MAX];
	size_t len;
};
void labels_clear(struct labels *l);
void labels_add(struct labels *l, const char *key, const char *value);
void labels_number(struct labels *l, const char *key, uint64_t value);




/* What the writers of families share. */
struct metrics {
	const struct admin_view *view;
	struct text *out;
	int64_t now_wall_us;
	enum metric family; /* begun */
	struct labels labels; /* of the next line: each writer clears and adds */
};

void metric_begin(struct metrics *m, enum metric family);
/* With m->labels. */
void metric_put(struct metrics *m, uint64_t value);
/* Likewise with thousandths and more: 6 decimals at most, none where there are none. */
void metric_put_micro(struct metrics *m, uint64_t micro);
/* One more label for this line alone. */
void metric_put_as(struct metrics *m, const char *key, const char *value, uint64_t number);
/* A whole family of one line without labels. */
void metric_one(struct metrics *m, enum metric family, uint64_t value);
void metric_one_micro(struct metrics *m, enum metric family, uint64_t micro);
/* The time of CLOCK_MONOTONIC as seconds since 1970, in microseconds. */
uint64_t metric_wall_us(const struct metrics *m, uint64_t at_ns);
/* A histogram with m->labels. le: upper bounds, as text; counts: of each bucket alone, of one more for what is beyond. */
void metric_histogram(struct metrics *m, const char *const *le, size_t bounds, const uint64_t *counts, uint64_t sum_micro, uint64_t sum_unit);

/* The families of the table's sections, each in its file. */
void metrics_node(struct metrics *m);
void metrics_answer(struct metrics *m);
void metrics_zones(struct metrics *m);
void metrics_networks(struct metrics *m);
void metrics_routing(struct metrics *m);
void metrics_fleet(struct metrics *m);
void metrics_backends(struct metrics *m);
void metrics_backend_cache(struct metrics *m);
void metrics_endpoints(struct metrics *m);
