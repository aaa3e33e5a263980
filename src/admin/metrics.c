/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics for Prometheus (text format 0.0.4), all read off the board when they are asked for: nobody is disturbed, nothing is kept, and who does not ask
 * costs nothing. Workers have measured what stands there anyway (answer/measures.c).
 *
 *	metrics_table.c    every family: name, type, labels, help        the manual page zonecast-metrics(7) is held to it by a test
 *	metrics_text.c     lines
 *	metrics_node.c     this node: processes, events, hooks           metrics_answer.c    questions and answers
 *	metrics_zones.c    zones and transfers                           metrics_networks.c  verdicts and decisions
 *	metrics_routing.c  BGP, BFD, RPKI, hijacks                       metrics_fleet.c     other nodes, drift, views
 *	metrics_backends.c servers that answer for zones
 *	metrics_endpoints.c  endpoints that names are steered to
 *
 * Names are Prometheus': base units, _total for what only grows, a state as one line for each state with 0 or 1. Counters begin at 0 when the node starts (the board
 * is made then), those of a session or process when that does.
 *
 * The number of series is bounded by the configuration and never goes with what clients ask: types of questions beyond the best known are "other", zones are named only where
 * they are an alert, METRICS_DRIFT_ROWS of them at most. A node of two networks has some 550, each other node adds 20; zonecast-metrics(7) has the rest.
 *
 * Not here: figures by zone or by client, which would have no bound (`zonecast top`, `zonecast queries`, dnstap); types, networks, sizes and sources of what XDP answered,
 * which the kernel does not tell; exemplars and native histograms, which the text format does not have. */
#include "admin/metrics.h"

#include "admin/metrics_text.h"
#include "base/clock.h"

void metrics_write(const struct admin_view *f, struct text *out)
{
	struct metrics m = {.view = f, .out = out, .now_wall_us = (int64_t)clock_wall_us()};

	metrics_node(&m);
	metrics_answer(&m);
	metrics_zones(&m);
	metrics_networks(&m);
	metrics_routing(&m);
	metrics_fleet(&m);
	metrics_backends(&m);
	metrics_backend_cache(&m);
	metrics_endpoints(&m);
}
