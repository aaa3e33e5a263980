/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status_dnstap.h"

#include "admin/json.h"

#include <stdio.h>
#include <string.h>

static bool tap_is_gone(const struct status_facts *f)
{
	return !atomic_load(&f->board->supervisor.procs[BOARD_PROCS_MAX - 1].pid);
}

/* What both have. lost: the name of that figure. */
static json_t *way_out(const struct status_facts *f, const struct board_tap_out *b, bool configured, const char *units,
                       const char *lost)
{
	struct board_tap_out out;
	uint64_t age;

	if (!board_copy(&b->seq, b, &out, sizeof(out)))
		memset(&out, 0, sizeof(out));
	out.to[sizeof(out.to) - 1] = out.why[sizeof(out.why) - 1] = '\0';
	if (!configured || tap_is_gone(f)) {
		out.state = configured ? TAP_APART : TAP_OFF;
		snprintf(out.why, sizeof(out.why), "%s", configured ? "the tap process is not running" : "");
	}
	age = f->now_ns > out.since_ns ? f->now_ns - out.since_ns : 0;
	return json_pack("{s:b, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "configured", configured, "state",
	                 board_tap_text((enum board_tap_state)out.state), "to", out.to, "since_ms",
	                 out.since_ns ? num(age / 1000000U) : json_null(), "why", out.why, units,
	                 num(board_get(&b->units)), "octets", num(board_get(&b->octets)), lost,
	                 num(board_get(&b->lost)), "opened", num(board_get(&b->opened)), "files_aside",
	                 num(board_get(&b->aside)));
}

/* What the capture does not see, in one sentence; "": nothing. */
static const char *unseen(const struct status_facts *f)
{
	const struct config *c = f->config;

	if (!c || !c->dnstap.enabled || c->answer.xdp == CONFIG_XDP_OFF || !c->answer.xdp_cache)
		return "";
	return c->dnstap.sample == 1 ? "answers are not kept in the kernel while dnstap wants all of them"
	                             : "what is answered in the kernel is not seen, nor counted by the sample";
}

json_t *status_dnstap(const struct status_facts *f)
{
	const struct board *b = f->board;
	uint64_t events = 0, dropped = 0;
	json_t *o = way_out(f, &b->tap.dnstap, f->config && f->config->dnstap.enabled, "frames", "frames_lost");

	for (unsigned i = 0; i < BOARD_WORKERS_MAX && i < atomic_load(&b->supervisor.workers); i++) {
		events += board_get(&b->workers[i].tapped);
		dropped += board_get(&b->workers[i].tap_dropped);
	}
	if (o)
		json_object_update_new(o, json_pack("{s:o, s:o, s:o, s:o, s:s}", "events", num(events), "dropped",
		                                    num(dropped), "backlog_octets", num(board_get(&b->tap.waiting)),
		                                    "broken", num(board_get(&b->tap.broken)), "note", unseen(f)));
	return o;
}

json_t *status_query_log(const struct status_facts *f)
{
	return way_out(f, &f->board->tap.log, f->config && f->config->query_log.enabled, "lines", "lines_lost");
}
