/* SPDX-License-Identifier: BSD-2-Clause */
/* `zonecast lab drill`: failures on purpose, as clients see them, and what is specified for each.
 *
 * The table below is all there is to know about a drill but its steps: what it is, how long a client may go without answers behind either router,
 * and the functions that break, judge and mend. drill_run.c goes through them with meters running in all regions, drill_show.c prints; the steps
 * themselves are in drill_node.c (processes, answers, operators), drill_link.c (ways to a PoP), drill_data.c (zones), drill_stale.c (data that grows old), drill_drift.c (nodes that differ, or do not see each other), drill_config.c (fleet files that must not
 * be taken) and drill_fleet.c (what needs another fleet file, RPKI, overload, all PoPs at once). A drill ends with claims:
 * sentences of the specification, each with what was seen, kept or not, and is "as specified" when all are. `drill all` goes through the table.
 *
 * The gaps specified hold for the median over all runs and both families of the region; what is lost elsewhere, or while things come back, counts
 * apart, and nothing may be. The meters ask each 5 ms from eight ports each, so a gap is known to 5 ms, and one that moves with the hash of a flow is
 * seen. All of this runs on one machine: a gap of some ms more may be that machine's, which is why the specified figures leave room.
 *
 * A filter between clients and PoP (outside-in) withdraws nothing: the drill's claim is that it is named. */
#include "lab/drill.h"

#include "base/err.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct drill drill_table[] = {
	{.name = "kill", .what = "the answer workers are killed; they are back on the same sockets before anybody gives up",
	 .fail = drill_kill_fail, .score = drill_kill_score},
	{.name = "crash", .what = "the whole node dies; its BGP sessions with it", .gap_bird_ms = 50, .gap_frr_ms = 150, .move = true,
	 .fail = drill_crash_fail, .mend = drill_crash_mend},
	{.name = "hang", .what = "the answer workers stop without dying (--deep: and the supervisor)", .gap_bird_ms = 300, .gap_frr_ms = 400,
	 .fail = drill_hang_fail, .mend = drill_hang_mend},
	{.name = "wrong", .what = "the node answers SERVFAIL", .gap_bird_ms = 300, .gap_frr_ms = 400, .move = true,
	 .fail = drill_wrong_fail, .mend = drill_wrong_mend},
	{.name = "flap", .what = "the node answers SERVFAIL five times in a row, for a moment each", .own_claims = true,
	 .fail = drill_flap_fail, .judge = drill_flap_judge, .mend = drill_wrong_mend},
	{.name = "one-family", .what = "nothing comes to the node's IPv6 address any more", .own_claims = true,
	 .fail = drill_family_fail, .judge = drill_family_judge, .mend = drill_unfilter_mend, .score = drill_family_score},
	{.name = "cut", .what = "the node's link goes dark (--silent: with the carrier still up, which BFD notices)", .gap_bird_ms = 50,
	 .gap_frr_ms = 150, .aim = drill_cut_aim, .move = true, .fail = drill_cut_fail, .mend = drill_cut_mend},
	{.name = "outside-in", .what = "a filter drops all questions from outside; BGP and the node's own checks go on", .own_claims = true,
	 .endless = true, .fail = drill_outside_fail, .judge = drill_outside_judge, .mend = drill_unfilter_mend},
	{.name = "drain", .what = "planned maintenance: drain, then resume", .move = true, .fail = drill_drain_fail, .mend = drill_drain_mend},
	{.name = "rolling-upgrade", .fleet = true, .what = "each PoP in turn is stopped and started again", .fail = drill_rolling_fail},
	{.name = "bad-zone", .fleet = true, .what = "the primary is given a zone file that is none, then one that lost nearly everything",
	 .fail = drill_zone_fail, .judge = drill_zone_judge, .mend = drill_zone_mend},
	{.name = "stale", .what = "one PoP cannot reach the primary", .move = true,
	 .fail = drill_stale_fail, .judge = drill_stale_judge, .mend = drill_unfilter_mend, .score = drill_stale_score},
	{.name = "expire", .what = "one PoP cannot reach the primary, and a zone is about to expire there", .zone = "example.net", .move = true,
	 .fail = drill_expire_fail, .judge = drill_expire_judge, .mend = drill_expire_mend},
	{.name = "drift", .what = "one PoP does not get a new version of a zone, the others do",
	 .fail = drill_drift_fail, .mend = drill_drift_mend},
	{.name = "same-serial", .fleet = true, .what = "a record is changed at the primary, and the serial is not",
	 .fail = drill_content_fail, .mend = drill_content_mend},
	{.name = "cut-region", .what = "a region loses its links to the others; clients and PoP in it are together",
	 .fail = drill_region_fail, .judge = drill_region_judge, .mend = drill_region_mend},
	{.name = "primary-lost", .fleet = true, .what = "the hidden primary dies; every PoP has lost the same thing",
	 .fail = drill_primary_fail, .mend = drill_primary_mend, .score = drill_primary_score},
	{.name = "overload", .what = "one PoP is asked more than it can answer, the others have room", .move = true,
	 .fail = drill_overload_fail, .judge = drill_overload_judge, .mend = drill_overload_mend},
	{.name = "rpki-invalid", .what = "the RPKI cache of one PoP says that its prefixes belong to another AS", .move = true,
	 .fail = drill_rpki_fail, .judge = drill_rpki_judge, .mend = drill_rpki_mend},
	{.name = "withdraw-all", .fleet = true, .what = "the checks of every PoP fail at the same moment, though its answers are right",
	 .own_claims = true, .fail = drill_all_fail, .judge = drill_all_judge, .mend = drill_all_mend, .score = drill_all_score},
	{.name = "old-config", .what = "an older fleet file is rolled out, and one PoP starts with it", .move = true,
	 .fail = drill_old_fail, .judge = drill_old_judge, .mend = drill_config_mend},
	{.name = "dormant-mistake", .fleet = true, .what = "fleet files are rolled out that would withdraw the network everywhere",
	 .fail = drill_dormant_fail, .judge = drill_dormant_judge, .mend = drill_config_mend},
};
/* clang-format on */
const size_t drill_count = ARRAY_LEN(drill_table);

static const struct drill *find(const char *name)
{
	for (size_t i = 0; i < drill_count; i++)
		if (strcmp(drill_table[i].name, name) == 0)
			return &drill_table[i];
	return NULL;
}

/* All runs of one drill. *out is the caller's to free, also after a failure, NULL only without memory. */
static int run_drill(const struct lab *l, const struct drill *d, const struct lab_drill_options *o,
                     struct drill_result **out)
{
	struct drill_result *result = calloc(1, sizeof(*result));
	int err = 0;

	*out = result;
	if (!result)
		return ERR_NO_MEMORY;
	result->drill = d;
	result->region = o->region;
	result->bird = lab_regions[o->region].router == LAB_BIRD;
	result->aim_ms = result->bird ? d->gap_bird_ms : d->gap_frr_ms;
	if (d->aim)
		d->aim(l, o, &result->aim_ms);
	if (!o->json) {
		printf("drill %s%s%s: %s\n", d->name, d->fleet ? "" : " in ",
		       d->fleet ? "" : lab_regions[o->region].name, d->what);
		fflush(stdout);
	}
	for (unsigned i = 0; !err && i < o->runs; i++) {
		err = drill_run_once(l, o, result);
		if (!err && !o->json)
			drill_print_round(result, i);
	}
	if (err) {
		fprintf(stderr, "zonecast: drill %s: %s\n", d->name, err_text(err));
		return err;
	}
	drill_finish(l, result);
	return 0;
}

static void print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(o);
}

static int run_one(const struct lab *l, const struct drill *d, const struct lab_drill_options *o)
{
	struct drill_result *result;
	int err = run_drill(l, d, o, &result);

	if (!err && o->json)
		print_json(drill_json(result));
	else if (!err)
		drill_print_result(result);
	if (!err && !result->as_specified)
		err = ERR_INVALID;
	free(result);
	return err;
}

/* ---- the tour ---- */

static void print_row(const struct drill_result *result)
{
	char gap[32];

	snprintf(gap, sizeof(gap), "%.0f ms", result->gap_median_ms);
	printf("%-16s %-6s %-6s %10s %6u  %s\n", result->drill->name,
	       result->drill->fleet ? "all" : lab_regions[result->region].name,
	       result->drill->fleet ? "-"
	       : result->bird       ? "BIRD"
	                            : "FRR",
	       gap, result->lost + result->lost_elsewhere + result->lost_back,
	       result->as_specified ? "as specified" : "NOT as specified");
	for (unsigned i = 0; i < result->claim_count; i++)
		if (!result->claims[i].kept)
			printf("%17sNO %s: %s\n", "", result->claims[i].what, result->claims[i].seen);
}

static int run_all(const struct lab *l, const struct lab_drill_options *options)
{
	struct drill_result *results[ARRAY_LEN(drill_table)] = {NULL};
	json_t *list = json_array();
	bool all = true;
	int err = 0;

	for (size_t i = 0; !err && i < drill_count; i++) {
		err = run_drill(l, &drill_table[i], options, &results[i]);
		if (err)
			break;
		all &= results[i]->as_specified;
		if (options->json)
			json_array_append_new(list, drill_json(results[i]));
		else
			drill_print_result(results[i]);
	}
	if (options->json)
		print_json(json_pack("{s:O, s:b}", "drills", list, "as_specified", all && !err));
	else
		printf("\n%-16s %-6s %-6s %10s %6s  %s\n", "DRILL", "REGION", "ROUTER", "GAP", "LOST", "VERDICT");
	for (size_t i = 0; i < drill_count; i++) {
		if (!options->json && results[i] && results[i]->round_count)
			print_row(results[i]);
		free(results[i]);
	}
	json_decref(list);
	return err ? err : all ? 0 : ERR_INVALID;
}

/* ---- settings for one drill ---- */

static int set_up(struct lab *l, unsigned bfd_ms, bool hidden)
{
	struct text why;
	int err = 0;

	if (l->bfd_ms == bfd_ms && l->hidden == hidden)
		return 0;
	l->bfd_ms = bfd_ms;
	l->hidden = hidden;
	text_init(&why);
	err = lab_apply(l, &why);
	if (err)
		fprintf(stderr, "zonecast: lab: %s\n", why.len ? why.chars : err_text(err));
	text_done(&why);
	return err;
}

static void list_drills(void)
{
	fprintf(stderr, "zonecast: drills are");
	for (size_t i = 0; i < drill_count; i++)
		fprintf(stderr, "%s %s", i ? "," : "", drill_table[i].name);
	fprintf(stderr, ", zone, and all; 1 to %d runs\n", DRILL_RUNS_MAX);
}

int lab_drill(const struct lab *given, const struct lab_drill_options *o)
{
	const struct drill *d = find(o->name);
	bool all = strcmp(o->name, "all") == 0;
	struct lab l = *given, was;
	int err, back;

	if (strcmp(o->name, "zone") == 0)
		return lab_drill_zone(given, o);
	if ((!d && !all) || !o->runs || o->runs > DRILL_RUNS_MAX) {
		list_drills();
		return ERR_INVALID;
	}
	err = lab_load_settings(&l);
	if (err) {
		fprintf(stderr, "zonecast: there is no lab in %s; make one with: zonecast lab up\n", l.dir);
		return err;
	}
	was = l;
	err = set_up(&l, o->set_bfd ? o->bfd_ms : l.bfd_ms, o->set_backup ? o->hidden : l.hidden);
	if (!err && l.hidden && o->region != 0) {
		fprintf(stderr,
		        "zonecast: with a hidden backup all clients are served by %s: a drill elsewhere shows "
		        "nothing\n",
		        lab_regions[0].name);
		err = ERR_INVALID;
	}
	if (!err)
		err = all ? run_all(&l, o) : run_one(&l, d, o);
	back = set_up(&l, was.bfd_ms, was.hidden);
	return err ? err : back;
}
