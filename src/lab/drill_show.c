/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/drill.h"

#include <stdio.h>
#include <string.h>

static void print_region(const struct drill_round *round, unsigned region)
{
	for (int f = 0; f < 2; f++) {
		const struct meter_score *s = &round->score[region][f];

		printf("    %s IPv%d: gap %.0f ms, lost %u of %u, slowest answer %.0f ms, %s", lab_regions[region].name,
		       f ? 6 : 4, s->gap_ms, s->lost, s->asked, s->late_max_ms, s->before);
		if (s->other[0])
			printf(" -> %s", s->other);
		if (strcmp(s->after, s->before) != 0 || s->other[0])
			printf(" -> %s", s->after);
		printf("\n");
	}
}

/* "announced", or by family where they differ. */
static const char *announces(const struct node_said *s, char buf[64])
{
	if (!s->heard)
		snprintf(buf, 64, "silent");
	else if (strcmp(s->announce[0], s->announce[1]) == 0)
		snprintf(buf, 64, "%s", s->announce[0]);
	else
		snprintf(buf, 64, "IPv4 %s, IPv6 %s", s->announce[0], s->announce[1]);
	return buf;
}

void drill_print_round(const struct drill_result *result, unsigned i)
{
	const struct drill_round *round = &result->rounds[i];

	printf("  run %u, what clients saw:\n", i + 1);
	for (unsigned k = 0; k < LAB_REGIONS; k++)
		if (k == result->region || result->drill->fleet || drill_lost(round, k))
			print_region(round, k);
	printf("  what the PoPs said:\n");
	for (unsigned k = 0; k < round->said_count; k++) {
		const struct drill_said *s = &round->said[k];
		char buf[64];

		if (s->at_ms >= 0)
			printf("    %6.1f s pop-%s: %s: %s\n", s->at_ms / 1000, lab_regions[s->node].name,
			       announces(&s->said, buf), s->said.why);
	}
	printf("  all is as before %.1f s after the mend\n", round->recover_ms / 1000);
	fflush(stdout);
}

void drill_print_result(const struct drill_result *result)
{
	printf("drill %s", result->drill->name);
	if (!result->drill->fleet)
		printf(", region %s behind %s", lab_regions[result->region].name, result->bird ? "BIRD" : "FRR");
	printf(": gap median %.0f ms (min %.0f, max %.0f), %u answers lost\n", result->gap_median_ms,
	       result->gap_min_ms, result->gap_max_ms, result->lost + result->lost_elsewhere);
	for (unsigned i = 0; i < result->claim_count; i++)
		printf("  %-4s %s: %s\n", result->claims[i].kept ? "yes" : "NO", result->claims[i].what,
		       result->claims[i].seen);
	printf("%s\n", result->as_specified ? "as specified" : "NOT as specified");
	fflush(stdout);
}

static json_t *score_json(const struct meter_score *s)
{
	return json_pack("{s:f, s:i, s:i, s:i, s:f, s:f, s:s, s:s, s:s}", "gap_ms", s->gap_ms, "lost", (int)s->lost,
	                 "asked", (int)s->asked, "back_lost", (int)s->back_lost, "back_gap_ms", s->back_gap_ms,
	                 "late_max_ms", s->late_max_ms, "before", s->before, "meanwhile", s->other, "after", s->after);
}

static json_t *round_json(const struct drill_result *result, const struct drill_round *round)
{
	json_t *o = json_pack("{s:f}", "recover_ms", round->recover_ms), *regions = json_object(), *said = json_array();

	/* Those of the region stand in the run itself too: what most readers want. */
	for (int f = 0; f < 2; f++)
		json_object_set_new(o, f ? "ipv6" : "ipv4", score_json(&round->score[result->region][f]));
	for (unsigned k = 0; k < LAB_REGIONS; k++)
		json_object_set_new(regions, lab_regions[k].name,
		                    json_pack("{s:o, s:o}", "ipv4", score_json(&round->score[k][0]), "ipv6",
		                              score_json(&round->score[k][1])));
	for (unsigned k = 0; k < round->said_count; k++) {
		const struct node_said *s = &round->said[k].said;

		json_array_append_new(said, json_pack("{s:f, s:s, s:b, s:s, s:s, s:s, s:s, s:s}", "at_ms",
		                                      round->said[k].at_ms, "region",
		                                      lab_regions[round->said[k].node].name, "heard", s->heard, "ipv4",
		                                      s->announce[0], "ipv6", s->announce[1], "verdict_ipv4",
		                                      s->verdict[0], "verdict_ipv6", s->verdict[1], "why", s->why));
	}
	json_object_set_new(o, "regions", regions);
	json_object_set_new(o, "said", said);
	return o;
}

json_t *drill_json(const struct drill_result *result)
{
	json_t *runs = json_array(), *claims = json_array();

	for (unsigned i = 0; i < result->round_count; i++)
		json_array_append_new(runs, round_json(result, &result->rounds[i]));
	for (unsigned i = 0; i < result->claim_count; i++)
		json_array_append_new(claims, json_pack("{s:s, s:s, s:b}", "what", result->claims[i].what, "seen",
		                                        result->claims[i].seen, "kept", result->claims[i].kept));
	return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:i, s:i, s:i, s:i, s:b, s:o, s:o}", "drill",
	                 result->drill->name, "region", lab_regions[result->region].name, "router",
	                 result->bird ? "bird" : "frr", "gap_median_ms", result->gap_median_ms, "gap_min_ms",
	                 result->gap_min_ms, "gap_max_ms", result->gap_max_ms, "aim_ms", (int)result->aim_ms, "lost",
	                 (int)result->lost, "lost_elsewhere", (int)result->lost_elsewhere, "lost_back",
	                 (int)result->lost_back, "as_specified", result->as_specified, "claims", claims, "runs", runs);
}
