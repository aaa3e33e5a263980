/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills about the way to a PoP. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>

enum { OUTSIDE_LEARN_MS = 15000, OUTSIDE_NAMED_MS = 5000, OUTSIDE_WAIT_MS = 20000, HOLD_MS = 9000 };

/* Seen by BFD after three intervals, and by the hold time without it; then it takes some ms at BIRD, and what zebra takes at FRR. */
void drill_cut_aim(const struct lab *l, const struct lab_drill_options *o, unsigned *gap_ms)
{
	bool bird = lab_regions[o->region].router == LAB_BIRD;

	if (!o->silent)
		return;
	*gap_ms = l->bfd_ms == 300 ? (bird ? 950 : 1000)
	          : l->bfd_ms      ? 3 * l->bfd_ms + (bird ? 50 : 100)
	                           : HOLD_MS + 500;
}

/* The router's end of the link goes down: both sides lose the carrier. Silent: packets vanish, the carrier stays. */
int drill_cut_fail(struct drill_run *r)
{
	char transit[LAB_NETNS_MAX], pop[LAB_NETNS_MAX];

	lab_netns(r->lab, 't', r->region, transit);
	lab_netns(r->lab, 'p', r->region, pop);
	if (r->options->silent)
		return node_filter(pop, "add chain inet lab in { type filter hook input priority 0; policy drop; };"
		                        "add chain inet lab out { type filter hook output priority 0; policy drop; };");
	return lab_run(NULL, (const char *const[]){"ip", "-n", transit, "link", "set", "pop", "down", NULL});
}

int drill_cut_mend(struct drill_run *r)
{
	char transit[LAB_NETNS_MAX], pop[LAB_NETNS_MAX], v4[32], v6[32];

	lab_netns(r->lab, 't', r->region, transit);
	lab_netns(r->lab, 'p', r->region, pop);
	if (r->options->silent)
		return node_unfilter(pop);
	if (lab_run(NULL, (const char *const[]){"ip", "-n", transit, "link", "set", "pop", "up", NULL}) < 0)
		return ERR_INVALID;
	/* Routes over the link went with it. */
	snprintf(v4, sizeof(v4), "10.2.%u.1", r->region + 1);
	snprintf(v6, sizeof(v6), "fd00:2:%u::1", r->region + 1);
	if (lab_run(NULL, (const char *const[]){"ip", "-n", pop, "route", "replace", "default", "via", v4, NULL}) < 0 ||
	    lab_run(NULL,
	            (const char *const[]){"ip", "-n", pop, "-6", "route", "replace", "default", "via", v6, NULL}) < 0)
		return ERR_INVALID;
	return 0;
}

int drill_unfilter_mend(struct drill_run *r)
{
	char pop[LAB_NETNS_MAX];

	lab_netns(r->lab, 'p', r->region, pop);
	return node_unfilter(pop);
}

/* ---- outside-in ---- */

/* Somebody's filter drops what comes to port 53 from outside. The node's own questions go over lo and are answered, the BGP session stays. */
int drill_outside_fail(struct drill_run *r)
{
	char pop[LAB_NETNS_MAX];

	/* It must know how many queries come as a rule. */
	drill_pass(r, OUTSIDE_LEARN_MS);
	r->failed_ns = clock_ns();
	lab_netns(r->lab, 'p', r->region, pop);
	return node_filter(pop, "add chain inet lab in { type filter hook input priority 0; };"
	                        "add rule inet lab in iifname \"transit\" ip daddr " LAB_ANYCAST_V4
	                        " meta l4proto {tcp, udp} th dport 53 drop;"
	                        "add rule inet lab in iifname \"transit\" ip6 daddr " LAB_ANYCAST_V6
	                        " meta l4proto {tcp, udp} th dport 53 drop;");
}

/* "filtered" of both families, as the PoP's own status has it; *why: of the last. */
static bool is_named(struct drill_run *r, char why[200])
{
	static const char *const families[] = {"ipv4", "ipv6"};
	json_t *reply = node_ask(r->lab, r->region, "{\"command\":\"status\"}\n", 1000), *n;
	const json_t *list = json_object_get(json_object_get(json_object_get(reply, "status"), "views"), "networks");
	unsigned named = 0;
	size_t i;

	json_array_foreach(list, i, n) {
		for (int f = 0; f < 2; f++) {
			const json_t *v = json_object_get(n, families[f]);
			const char *outside = json_string_value(json_object_get(v, "outside")), *says = json_string_value(json_object_get(v, "why"));

			named += outside && strcmp(outside, "filtered") == 0;
			snprintf(why, 200, "%.20s: %.150s", outside ? outside : "nothing", says ? says : "");
		}
	}
	json_decref(reply);
	return named == 2;
}

static bool both_named(struct drill_run *r)
{
	char why[200];

	return is_named(r, why);
}

/* A node alone cannot know; but its queries stop, and who asks it from outside says so. Nothing is withdrawn for it. */
int drill_outside_judge(struct drill_run *r)
{
	char seen[200], why[200] = "nothing";
	double named_ms;
	bool named;

	drill_await(r, both_named, OUTSIDE_WAIT_MS);
	named_ms = ((double)clock_ns() - (double)r->failed_ns) / 1e6;
	named = is_named(r, why);
	drill_claim(r, named, "the PoP says of both families that they are filtered", "%s", why);
	drill_claim(r, named && named_ms < OUTSIDE_NAMED_MS, "it is named within 5 s", "after %.0f ms", named_ms);
	snprintf(seen, sizeof(seen), "%.19s: %.150s", r->last[r->region].announce[0], r->last[r->region].why);
	drill_claim(r, r->last[r->region].established == r->before[r->region].established, "the BGP sessions stay",
	            "%u of %u", r->last[r->region].established, r->before[r->region].established);
	drill_claim(r, strcmp(r->last[r->region].announce[0], "announced") == 0, "nothing is withdrawn for what others see", "%s", seen);
	return 0;
}

/* ---- one-family ---- */

int drill_family_fail(struct drill_run *r)
{
	char pop[LAB_NETNS_MAX];

	lab_netns(r->lab, 'p', r->region, pop);
	return node_filter(pop, "add chain inet lab in { type filter hook input priority 0; };"
	                        "add rule inet lab in ip6 daddr " LAB_ANYCAST_V6
	                        " meta l4proto {tcp, udp} th dport 53 drop;");
}

int drill_family_judge(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	drill_claim(r, strcmp(s->announce[0], "announced") == 0, "the IPv4 prefix stays announced", "%s",
	            s->announce[0]);
	drill_claim(r, strcmp(s->announce[1], "withdrawn") == 0, "the IPv6 prefix is withdrawn", "%s", s->announce[1]);
	return 0;
}

void drill_family_score(struct drill_run *r)
{
	const struct meter_score *v4 = &r->round->score[r->region][0], *v6 = &r->round->score[r->region][1];
	unsigned limit = r->result->bird ? 450 : 550; /* nothing answers: two checks must time out */
	char what[80];

	snprintf(what, sizeof(what), "the gap over IPv6 behind %s is below %u ms", r->result->bird ? "BIRD" : "FRR",
	         limit);
	drill_claim(r, v6->gap_ms < limit, what, "%.0f ms", v6->gap_ms);
	drill_claim(r, !v4->lost && !v4->moved_ns, "IPv4 stays with its PoP and loses nothing", "%u lost, %s", v4->lost,
	            v4->moved_ns ? v4->other : v4->before);
	drill_claim(r, v6->moved_ns != 0, "another PoP answers over IPv6 meanwhile", "%s",
	            v6->moved_ns ? v6->other : "nobody");
}
