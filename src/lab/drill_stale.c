/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills about data that grows old at one PoP, which cannot reach the primary any more while the others can. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEAVE_MS = 55000, MARGIN_MS = 1000 };

static int cut_from_primary(struct drill_run *r)
{
	char pop[LAB_NETNS_MAX], rules[400];

	lab_netns(r->lab, 'p', r->region, pop);
	snprintf(rules, sizeof(rules),
	         "add chain inet lab out { type filter hook output priority 0; }; add chain inet lab in { type filter hook input priority 0; };"
	         "add rule inet lab out ip daddr 10.1.%d.2 drop; add rule inet lab out ip6 daddr fd00:1:%d::2 drop;"
	         "add rule inet lab in ip saddr 10.1.%d.2 drop; add rule inet lab in ip6 saddr fd00:1:%d::2 drop",
	         LAB_HIDDEN_NET, LAB_HIDDEN_NET, LAB_HIDDEN_NET, LAB_HIDDEN_NET);
	return node_filter(pop, rules);
}

static bool has_left(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	return s->heard && strcmp(s->announce[0], "announced") != 0 && strcmp(s->announce[1], "announced") != 0;
}

static void claim_others_stay(struct drill_run *r)
{
	bool kept = true;
	char seen[200] = "announced all the time";

	for (unsigned i = 0; i < r->round->said_count && kept; i++) {
		const struct drill_said *s = &r->round->said[i];

		if (s->node == r->region)
			continue;
		kept = strcmp(s->said.announce[0], "announced") == 0 && strcmp(s->said.announce[1], "announced") == 0;
		if (!kept)
			snprintf(seen, sizeof(seen), "pop-%s after %.1f s: %.150s", lab_regions[s->node].name, s->at_ms / 1000, s->said.why);
	}
	drill_claim(r, kept, "the other PoPs stay announced", "%s", seen);
}

static void claim_left(struct drill_run *r, const char *cause)
{
	const struct node_said *s = &r->last[r->region];
	char what[100];

	snprintf(what, sizeof(what), "the PoP withdraws with the guard's leave, and says why (\"%s\")", cause);
	drill_claim(r, strcmp(s->announce[0], "withdrawn") == 0 && strcmp(s->announce[1], "withdrawn") == 0 && strstr(s->why, cause), what, "%s: %s",
	            s->announce[0], s->why);
}

/* ---- stale ---- */

int drill_stale_fail(struct drill_run *r)
{
	int err = cut_from_primary(r);

	if (!err)
		drill_await(r, has_left, LEAVE_MS);
	return err;
}

int drill_stale_judge(struct drill_run *r)
{
	r->stale_limit_ns = r->stale_at_ns[r->region];
	claim_left(r, "current");
	claim_others_stay(r);
	return 0;
}

void drill_stale_score(struct drill_run *r)
{
	for (int f = 0; f < 2; f++) {
		uint64_t moved = r->round->score[r->region][f].moved_ns, limit = r->stale_limit_ns;
		double late = ((double)moved - (double)limit) / 1e6;

		drill_claim(r, moved && limit && fabs(late) < MARGIN_MS, "clients are moved within 1 s of the limit (stale-after)", "%s%.0f ms after it",
		            moved && limit ? "" : "not moved, ", moved && limit ? late : 0.0);
	}
}

/* ---- expire ---- */

/* Data as such may be older than in the other drills, so that it is the zone's own time that ends; and its end is near early, since a PoP waits half
 * a minute to see whether the others have the same trouble. */
static const struct drill_edit patient = {"stale-after: " LAB_STALE_AFTER, "stale-after: 10m\n    expiry-alert: 90"};

int drill_expire_fail(struct drill_run *r)
{
	int err = drill_refit(r, &patient, 1, 1U << r->region);

	if (!err)
		err = cut_from_primary(r);
	if (!err)
		drill_await(r, has_left, LEAVE_MS);
	return err;
}

int drill_expire_judge(struct drill_run *r)
{
	claim_left(r, "expires in");
	claim_others_stay(r);
	return 0;
}

int drill_expire_mend(struct drill_run *r)
{
	int err = drill_unfilter_mend(r), back = drill_refit(r, NULL, 0, 1U << r->region);

	return err ? err : back;
}
