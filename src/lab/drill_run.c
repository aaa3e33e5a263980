/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of a drill: everything is well -> the meters start -> the failure -> answers are good again and stay so -> it is mended -> everything is
 * well again -> the meters stop. Six meters ask all the time, in each region over each family, so what a failure costs the others is seen as
 * well as what it costs its own region, and so is what coming back costs. The gap is the client's, not ours. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CALM_MS = 500,   /* of good answers before the failure */
	QUIET_MS = 2500, /* without a failed question: the failure is over (late ones are known after METER_LATE_MS) */
	FAIL_WAIT_MS = 3000, /* a failure that no client has noticed by then is none */
	OVER_MS = 30000,     /* longest failure waited for */
	RECOVER_MS = 90000,
	AFTER_MS = 300, /* of good answers after the end */
	LISTEN_EVERY_MS = 100,
	STEP_MS = 20,
};

/* ---- what the PoPs say ---- */

static bool says_the_same(const struct node_said *a, const struct node_said *b)
{
	if (a->heard != b->heard)
		return false;
	for (int f = 0; f < 2; f++)
		if (strcmp(a->announce[f], b->announce[f]) != 0 || strcmp(a->verdict[f], b->verdict[f]) != 0)
			return false;
	return true;
}

void drill_listen(struct drill_run *r)
{
	uint64_t now = clock_ms();

	if (now - r->listened_ms < LISTEN_EVERY_MS)
		return;
	r->listened_ms = now;
	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		struct node_said said, was = r->last[i];

		node_listen(r->lab, i, &said);
		if (said.has_age && said.stale_in_ms > 0)
			r->stale_at_ns[i] = clock_ns() + (uint64_t)(said.stale_in_ms * 1e6);
		r->last[i] = said;
		if (says_the_same(&said, &was))
			continue;
		if (r->round->said_count < DRILL_SAID_MAX)
			r->round->said[r->round->said_count++] =
				(struct drill_said){.at_ms = ((double)clock_ns() - (double)r->failed_ns) / 1e6,
			                            .node = i,
			                            .said = said};
	}
}

int drill_wait(struct drill_run *r, bool (*holds)(struct drill_run *r), unsigned limit_ms)
{
	uint64_t until = clock_ms() + limit_ms;

	while (!holds(r)) {
		if (clock_ms() > until)
			return -ETIMEDOUT;
		drill_listen(r);
		poll(NULL, 0, STEP_MS);
	}
	return 0;
}

void drill_await(struct drill_run *r, bool (*holds)(struct drill_run *r), unsigned limit_ms)
{
	if (drill_wait(r, holds, limit_ms) < 0)
		return;
}

void drill_pass(struct drill_run *r, unsigned ms)
{
	uint64_t until = clock_ms() + ms;

	while (clock_ms() < until) {
		drill_listen(r);
		poll(NULL, 0, (int)MIN(STEP_MS, until - MIN(until, clock_ms())));
	}
}

void drill_wait_quiet(struct drill_run *r)
{
	uint64_t began = clock_ms();

	for (;;) {
		uint64_t quiet = UINT64_MAX, past = clock_ms() - began;

		for (unsigned i = 0; i < LAB_REGIONS; i++)
			for (int f = 0; f < 2; f++)
				quiet = MIN(quiet, meter_quiet_ms(r->meters[i][f]));
		if (past >= FAIL_WAIT_MS && (quiet == UINT64_MAX || quiet >= QUIET_MS))
			return;
		if (past >= OVER_MS)
			return;
		drill_pass(r, STEP_MS);
	}
}

/* A backstop or a hidden backup may serve clients as well as what they hide: so the PoPs are asked, too. */
bool drill_all_well(struct drill_run *r)
{
	if (lab_catchments(r->lab, false) != 2 * LAB_REGIONS)
		return false;
	drill_listen(r);
	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int f = 0; f < 2; f++)
			if (!r->last[i].heard || r->last[i].unwatched || strcmp(r->last[i].announce[f], "announced") != 0)
				return false;
	return true;
}

/* ---- claims ---- */

void drill_claim(struct drill_run *r, bool kept, const char *what, const char *seen, ...)
{
	struct drill_result *result = r->result;
	struct drill_claim *c = NULL;
	va_list ap;

	for (unsigned i = 0; i < result->claim_count; i++)
		if (strcmp(result->claims[i].what, what) == 0)
			c = &result->claims[i];
	if (!c && result->claim_count < DRILL_CLAIMS_MAX) {
		c = &result->claims[result->claim_count++];
		snprintf(c->what, sizeof(c->what), "%s", what);
		c->kept = true;
	}
	/* What was not kept once stays to be read. */
	if (!c || !c->kept)
		return;
	c->kept = kept;
	va_start(ap, seen);
	vsnprintf(c->seen, sizeof(c->seen), seen, ap);
	va_end(ap);
}

void drill_claim_announced(struct drill_run *r)
{
	char seen[200] = "announced all the time";
	bool kept = true;

	for (unsigned i = 0; i < r->round->said_count && kept; i++) {
		const struct drill_said *s = &r->round->said[i];

		for (int f = 0; f < 2 && kept; f++) {
			kept = s->said.heard && strcmp(s->said.announce[f], "announced") == 0;
			if (!kept)
				snprintf(seen, sizeof(seen), "pop-%s after %.1f s: %.19s: %.120s",
				         lab_regions[s->node].name, s->at_ms / 1000,
				         s->said.heard ? s->said.announce[f] : "silent", s->said.why);
		}
	}
	drill_claim(r, kept, "no route is withdrawn or made worse", "%s", seen);
}

unsigned drill_lost(const struct drill_round *round, unsigned region)
{
	return round->score[region][0].lost + round->score[region][1].lost;
}

/* ---- one run ---- */

static int start_meters(struct drill_run *r)
{
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++)
		for (int f = 0; !err && f < 2; f++)
			err = meter_start(r->lab, i, f ? 6 : 4, r->drill->zone ? r->drill->zone : "example.com", &r->meters[i][f]);
	return err;
}

static void stop_meters(struct drill_run *r)
{
	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int f = 0; f < 2; f++)
			if (r->meters[i][f])
				meter_halt(r->meters[i][f]);
	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int f = 0; f < 2; f++)
			if (r->meters[i][f])
				meter_stop(r->meters[i][f], &r->round->score[i][f]);
}

static int run(struct drill_run *r)
{
	const struct drill *d = r->drill;
	uint64_t mended_ns;
	int err = drill_wait(r, drill_all_well, RECOVER_MS), mended;

	if (!err)
		err = start_meters(r);
	if (!err) {
		/* What they say while all is well is the first thing heard. */
		r->failed_ns = clock_ns() + CALM_MS * 1000000ULL;
		r->round->said_count = 0;
		memset(r->last, 0, sizeof(r->last));
		r->listened_ms = 0;
		drill_pass(r, CALM_MS);
		memcpy(r->before, r->last, sizeof(r->before));
		r->failed_ns = clock_ns();
		err = d->fail(r);
		if (!err && !d->endless)
			drill_wait_quiet(r);
		if (!err && d->judge)
			err = d->judge(r);
	}
	/* Mend also after a failure that failed half-way. */
	for (unsigned i = 0; i < LAB_REGIONS && r->meters[i][0] && r->meters[i][1]; i++) {
		meter_mark(r->meters[i][0]);
		meter_mark(r->meters[i][1]);
	}
	mended_ns = clock_ns();
	mended = d->mend ? d->mend(r) : 0;
	if (!err)
		err = mended;
	if (!err)
		err = drill_wait(r, drill_all_well, RECOVER_MS);
	r->round->recover_ms = (double)(clock_ns() - mended_ns) / 1e6;
	if (!err)
		drill_pass(r, AFTER_MS);
	stop_meters(r);
	if (!err && d->score)
		d->score(r);
	return err;
}

int drill_run_once(const struct lab *l, const struct lab_drill_options *o, struct drill_result *result)
{
	struct drill_run *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return ERR_NO_MEMORY;
	r->lab = l;
	r->options = o;
	r->drill = result->drill;
	r->result = result;
	r->round = &result->rounds[result->round_count];
	r->region = o->region;
	memset(r->round, 0, sizeof(*r->round));
	err = run(r);
	if (!err)
		result->round_count++;
	free(r);
	return err;
}

/* ---- over all runs ---- */

static int order_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void medians(struct drill_result *result)
{
	double gaps[2 * DRILL_RUNS_MAX * LAB_REGIONS];
	size_t n = 0;

	for (unsigned i = 0; i < result->round_count; i++)
		for (unsigned k = 0; k < LAB_REGIONS; k++) {
			bool own = k == result->region || result->drill->fleet;

			*(own ? &result->lost : &result->lost_elsewhere) += drill_lost(&result->rounds[i], k);
			for (int f = 0; f < 2 && own; f++)
				gaps[n++] = result->rounds[i].score[k][f].gap_ms;
		}
	if (!n)
		return;
	qsort(gaps, n, sizeof(gaps[0]), order_double);
	result->gap_min_ms = gaps[0];
	result->gap_max_ms = gaps[n - 1];
	result->gap_median_ms = n % 2 ? gaps[n / 2] : (gaps[n / 2 - 1] + gaps[n / 2]) / 2;
}

void drill_finish(const struct lab *l, struct drill_result *result)
{
	const struct drill *d = result->drill;
	struct drill_run r = {.lab = l, .result = result, .drill = d, .region = result->region};
	unsigned back = 0;
	bool moved = true;
	char what[120];

	medians(result);
	if (!d->own_claims && result->aim_ms) {
		snprintf(what, sizeof(what), "the gap behind %s is below %u ms", result->bird ? "BIRD" : "FRR",
		         result->aim_ms);
		drill_claim(&r, result->gap_median_ms < result->aim_ms, what, "%.0f ms", result->gap_median_ms);
	} else if (!d->own_claims) {
		drill_claim(&r, !result->lost, "no answer is lost", "%u lost", result->lost);
	}
	/* With a hidden backup the clients of all regions are served by one PoP. */
	if (!d->own_claims && !d->fleet && !(l->hidden && result->aim_ms))
		drill_claim(&r, !result->lost_elsewhere, "no answer is lost in other regions", "%u lost",
		            result->lost_elsewhere);
	for (unsigned i = 0; i < result->round_count; i++)
		for (unsigned k = 0; k < LAB_REGIONS; k++)
			back += result->rounds[i].score[k][0].back_lost + result->rounds[i].score[k][1].back_lost;
	result->lost_back = back;
	if (!d->own_claims)
		drill_claim(&r, !back, "no answer is lost when it comes back", "%u lost", back);
	for (unsigned i = 0; i < result->round_count; i++)
		for (int f = 0; f < 2; f++)
			moved &= result->rounds[i].score[result->region][f].moved_ns != 0;
	if (d->move)
		drill_claim(&r, moved, "another PoP answers meanwhile", "%s",
		            moved && result->round_count ? result->rounds[0].score[result->region][0].other : "nobody");
	result->as_specified = true;
	for (unsigned i = 0; i < result->claim_count; i++)
		result->as_specified &= result->claims[i].kept;
}
