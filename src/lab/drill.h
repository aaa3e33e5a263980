/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "lab/lab.h"
#include "lab/meter.h"
#include "lab/node.h"
#include "lab/verbs.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A drill is a failure on purpose with what is specified for it. The frame (drill_run.c) starts a meter in each region and family, has the drill
 * break something, listens to what the PoPs say until no client fails any more, has it mended, and waits until every client is served as before.
 * What comes out of it are claims: one thing specified each, what was seen of it, and whether that is the same. */
enum { DRILL_RUNS_MAX = 50, DRILL_SAID_MAX = 64, DRILL_CLAIMS_MAX = 24 };

struct drill_run;

struct drill {
	const char *name, *what;
	bool fleet; /* not about one region: --region means nothing */
	/* Gap that clients of the region may see (median of all runs and both families), behind BIRD and behind FRR, milliseconds; 0: nothing may be
	 * lost. Elsewhere nothing may be lost ever. With `own_claims` neither is asked, since the drill claims something else of its own. */
	unsigned gap_bird_ms, gap_frr_ms;
	bool own_claims;
	bool endless; /* clients fail until it is mended: there is no quiet to wait for */
	void (*aim)(const struct lab *l, const struct lab_drill_options *o, unsigned *gap_ms); /* where options change the figure; else NULL */
	const char *zone; /* that clients ask for; NULL: example.com */
	bool move; /* another PoP must have taken over */
	int (*fail)(struct drill_run *r);
	/* After a quiet time; NULL: none. Claims are made here: the meters are still running, the failure is still there. */
	int (*judge)(struct drill_run *r);
	int (*mend)(struct drill_run *r);
	/* The meters have stopped and all is well again: claims of the scores. */
	void (*score)(struct drill_run *r);
};
extern const struct drill drill_table[];
extern const size_t drill_count;

/* A change in what a PoP said. */
struct drill_said {
	double at_ms; /* since the failure */
	unsigned node;
	struct node_said said;
};

struct drill_round {
	struct meter_score score[LAB_REGIONS][2]; /* IPv4, IPv6 */
	double recover_ms; /* from the mend until everybody is served as before */
	struct drill_said said[DRILL_SAID_MAX];
	unsigned said_count;
};

struct drill_claim {
	char what[120], seen[240];
	bool kept;
};

struct drill_result {
	const struct drill *drill;
	unsigned region, round_count, claim_count;
	bool bird;
	double gap_median_ms, gap_min_ms, gap_max_ms;
	unsigned aim_ms, lost, lost_elsewhere, lost_back;
	bool as_specified;
	struct drill_claim claims[DRILL_CLAIMS_MAX];
	struct drill_round rounds[DRILL_RUNS_MAX];
};

struct drill_run {
	const struct lab *lab;
	const struct lab_drill_options *options;
	const struct drill *drill;
	struct drill_result *result;
	struct drill_round *round;
	unsigned region;
	struct meter *meters[LAB_REGIONS][2];
	uint64_t failed_ns; /* clock_ns() when it was about to be broken; a drill may set it anew */
	uint64_t listened_ms;
	struct node_said before[LAB_REGIONS], last[LAB_REGIONS];
	uint64_t stale_at_ns[LAB_REGIONS]; /* when its data becomes stale, as the PoP last said before it was */
	uint64_t stale_limit_ns;           /* of the drill */
};

/* One change of the lab's fleet file: every `from` in it becomes `to`. */
struct drill_edit {
	const char *from, *to;
};

/* ---- drill_run.c: for drills ---- */

/* Note what the PoPs say when it changed; at most ten times a second, so it may be called in any loop. */
void drill_listen(struct drill_run *r);
/* Listen until the condition holds or limit_ms has passed (-ETIMEDOUT). */
int drill_wait(struct drill_run *r, bool (*holds)(struct drill_run *r), unsigned limit_ms) MUST_CHECK;
/* The same, when that it does not happen is a matter of the claims. */
void drill_await(struct drill_run *r, bool (*holds)(struct drill_run *r), unsigned limit_ms);
/* Listen for so long. */
void drill_pass(struct drill_run *r, unsigned ms);
/* Until no question has failed for a while: the failure is over, or longer than the frame waits. */
void drill_wait_quiet(struct drill_run *r);
/* Is every client answered by the PoP that serves it when all is well, and does every PoP say that it announces, and that BFD watches? */
bool drill_all_well(struct drill_run *r);
/* Claims of several runs with the same words become one, kept when all were. */
void drill_claim(struct drill_run *r, bool kept, const char *what, const char *seen, ...) PRINTF_LIKE(4, 5);
/* Did every PoP say, all the time, that both families are announced? The claim, and nothing else. */
void drill_claim_announced(struct drill_run *r);
unsigned drill_lost(const struct drill_round *round, unsigned region);
/* The fleet file with these changes (count 0: as it was) is taken by the PoPs of the set, a bit for each region. */
int drill_refit(struct drill_run *r, const struct drill_edit *edits, size_t count, unsigned set) MUST_CHECK;
/* One run; the claims of drill->score included. */
int drill_run_once(const struct lab *l, const struct lab_drill_options *o, struct drill_result *result) MUST_CHECK;
/* Medians and the frame's own claims, over all runs. */
void drill_finish(const struct lab *l, struct drill_result *result);

/* ---- drill_show.c ---- */

void drill_print_round(const struct drill_result *result, unsigned i);
void drill_print_result(const struct drill_result *result);
json_t *drill_json(const struct drill_result *result);

/* ---- the drills; drill.c has the table ---- */

int drill_kill_fail(struct drill_run *r);
void drill_kill_score(struct drill_run *r);
int drill_crash_fail(struct drill_run *r);
int drill_crash_mend(struct drill_run *r);
int drill_hang_fail(struct drill_run *r);
int drill_hang_mend(struct drill_run *r);
int drill_wrong_fail(struct drill_run *r);
int drill_wrong_mend(struct drill_run *r);
int drill_flap_fail(struct drill_run *r);
int drill_flap_judge(struct drill_run *r);
int drill_drain_fail(struct drill_run *r);
int drill_drain_mend(struct drill_run *r);
int drill_rolling_fail(struct drill_run *r);

void drill_cut_aim(const struct lab *l, const struct lab_drill_options *o, unsigned *gap_ms);
int drill_cut_fail(struct drill_run *r);
int drill_cut_mend(struct drill_run *r);
int drill_outside_fail(struct drill_run *r);
int drill_outside_judge(struct drill_run *r);
int drill_family_fail(struct drill_run *r);
int drill_family_judge(struct drill_run *r);
void drill_family_score(struct drill_run *r);
int drill_unfilter_mend(struct drill_run *r);

int drill_zone_fail(struct drill_run *r);
int drill_zone_judge(struct drill_run *r);
int drill_zone_mend(struct drill_run *r);
int drill_primary_fail(struct drill_run *r);
void drill_primary_score(struct drill_run *r);
int drill_primary_mend(struct drill_run *r);

int drill_stale_fail(struct drill_run *r);
int drill_stale_judge(struct drill_run *r);
void drill_stale_score(struct drill_run *r);
int drill_expire_fail(struct drill_run *r);
int drill_expire_judge(struct drill_run *r);
int drill_expire_mend(struct drill_run *r);

int drill_drift_fail(struct drill_run *r);
int drill_drift_mend(struct drill_run *r);
int drill_content_fail(struct drill_run *r);
int drill_content_mend(struct drill_run *r);
int drill_region_fail(struct drill_run *r);
int drill_region_judge(struct drill_run *r);
int drill_region_mend(struct drill_run *r);

int drill_rpki_fail(struct drill_run *r);
int drill_rpki_judge(struct drill_run *r);
int drill_rpki_mend(struct drill_run *r);
int drill_all_fail(struct drill_run *r);
int drill_all_judge(struct drill_run *r);
int drill_all_mend(struct drill_run *r);
void drill_all_score(struct drill_run *r);
int drill_overload_fail(struct drill_run *r);
int drill_overload_judge(struct drill_run *r);
int drill_overload_mend(struct drill_run *r);

int drill_old_fail(struct drill_run *r);
int drill_old_judge(struct drill_run *r);
int drill_dormant_fail(struct drill_run *r);
int drill_dormant_judge(struct drill_run *r);
int drill_config_mend(struct drill_run *r);
