/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills about nodes that are not the same any more, or do not see each other: who notices, what is named, how soon; and, where the lab has Prometheus, which alert fires. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"
#include "lab/web.h"

#include <stdio.h>
#include <string.h>

enum {
	STATUS_MS = 1000,
	NAMED_MS = 30000,     /* then nobody will any more */
	NAMED_SOON_MS = 5000, /* what is specified */
	NOT_SEEN_MS = 3000,   /* nodes of so small a fleet are asked each second */
	SEEN_AGAIN_MS = 60000,
};

static const char zone[] = "example.com.";

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double since_ms(const struct drill_run *r)
{
	return ((double)clock_ns() - (double)r->failed_ns) / 1e6;
}

/* Waits, and claims that it came to that, and how soon. */
static void claim_named(struct drill_run *r, bool (*holds)(struct drill_run *r), const char *what, const char *soon)
{
	double ms;
	bool kept;

	drill_await(r, holds, NAMED_MS);
	ms = since_ms(r);
	kept = holds(r);
	drill_claim(r, kept, what, "%s", kept ? "they do" : "not all of them do");
	drill_claim(r, kept && ms < NAMED_SOON_MS, soon, "after %.0f ms", ms);
}

static void claim_alert(struct drill_run *r, bool (*fires)(struct drill_run *r), const char *name)
{
	char what[100];

	if (!lab_has_prometheus(r->lab))
		return;
	drill_await(r, fires, NAMED_MS);
	snprintf(what, sizeof(what), "Prometheus has the alert %s", name);
	drill_claim(r, fires(r), what, "after %.0f ms", since_ms(r));
}

static const char *pop_name(unsigned region, char buf[32])
{
	node_name(region, buf);
	return buf;
}

/* ---- zones ---- */

/* Has the node's status such a zone? at: the name of the node there; NULL: any. */
static bool names_zone(const struct drill_run *r, unsigned node, const char *kind, const char *at)
{
	json_t *reply = node_ask(r->lab, node, "{\"command\":\"status\"}\n", STATUS_MS), *row;
	const json_t *rows = json_object_get(json_object_get(json_object_get(reply, "status"), "drift"), "rows");
	bool found = false;
	size_t i;

	json_array_foreach(rows, i, row)
		found |= strcmp(word(row, "kind"), kind) == 0 && strcmp(word(row, "zone"), zone) == 0 &&
		         json_is_true(json_object_get(row, "alert")) && (!at || strcmp(word(row, "node"), at) == 0);
	json_decref(reply);
	return found;
}

/* The serial that another region's clients are answered. */
static int serial_now(const struct drill_run *r, uint32_t *out)
{
	struct lab_answer a;

	lab_ask(r->lab, (r->region + 1) % LAB_REGIONS, 4, "example.com", STATUS_MS, &a);
	if (!a.answered || a.rcode)
		return ERR_NOT_FOUND;
	*out = a.serial;
	return 0;
}

static bool held_back_is_named(struct drill_run *r)
{
	char pop[32];

	for (unsigned node = 0; node < LAB_NODES; node++)
		if (node != r->region && !names_zone(r, node, "stuck", pop_name(r->region, pop)))
			return false;
	return true;
}

static bool stuck_alert(struct drill_run *r)
{
	char pop[32];

	return lab_alert(r->lab, "ZonecastZoneStuck", "node", pop_name(r->region, pop));
}

/* Its transfers do not come through any more; all else does, so that it knows that there is a newer serial. */
int drill_drift_fail(struct drill_run *r)
{
	char pop[LAB_NETNS_MAX], rules[300];
	uint32_t serial = 0;
	int err = serial_now(r, &serial);

	lab_netns(r->lab, 'p', r->region, pop);
	snprintf(rules, sizeof(rules),
	         "add chain inet lab out { type filter hook output priority 0; };"
	         "add rule inet lab out ip daddr 10.1.%d.2 tcp dport 53 drop; add rule inet lab out ip6 daddr "
	         "fd00:1:%d::2 tcp dport 53 drop",
	         LAB_HIDDEN_NET, LAB_HIDDEN_NET);
	if (!err)
		err = node_filter(pop, rules);
	if (!err)
		err = lab_write_example(r->lab, serial + 1);
	r->failed_ns = clock_ns();
	if (!err)
		err = node_order(r->lab, NODE_HIDDEN, "{\"command\":\"zone-reload\",\"zone\":\"example.com\"}\n", NULL);
	if (err)
		return err;
	claim_named(r, held_back_is_named, "every other node names the zone and the PoP that is stuck",
	            "the time until they do is below 5 s");
	claim_alert(r, stuck_alert, "ZonecastZoneStuck");
	return 0;
}

/* And a change arrives everywhere. */
static int change_arrives(struct drill_run *r)
{
	json_t *runs = NULL;
	int err = lab_drill_zone_once(r->lab, &runs);

	json_decref(runs);
	return err;
}

int drill_drift_mend(struct drill_run *r)
{
	int err = drill_unfilter_mend(r), arrives = change_arrives(r);

	return err ? err : arrives;
}

/* ---- the same serial ---- */

static bool content_is_named(struct drill_run *r)
{
	for (unsigned node = 0; node < LAB_REGIONS; node++)
		if (!names_zone(r, node, "content", "hidden"))
			return false;
	return names_zone(r, NODE_HIDDEN, "content", NULL);
}

static bool content_alert(struct drill_run *r)
{
	return lab_alert(r->lab, "ZonecastZoneContentDiffers", "zone", zone);
}

/* Somebody edits the zone at the primary, forgets the serial, and insists. */
int drill_content_fail(struct drill_run *r)
{
	char path[LAB_PATH_MAX + 64];
	int err;

	snprintf(path, sizeof(path), "%s/zones/example.com.zone", r->lab->dir);
	err = lab_run(NULL, (const char *const[]){"sed", "-i", "s/198\\.51\\.100\\.25$/198.51.100.26/", path, NULL});
	r->failed_ns = clock_ns();
	if (!err)
		err = node_order(r->lab, NODE_HIDDEN,
		                 "{\"command\":\"zone-reload\",\"zone\":\"example.com\",\"force\":true}\n", NULL);
	if (err)
		return err;
	claim_named(r, content_is_named, "every node says that the zone has other content under the same serial",
	            "the time until they do is below 5 s");
	claim_alert(r, content_alert, "ZonecastZoneContentDiffers");
	return 0;
}

int drill_content_mend(struct drill_run *r)
{
	return change_arrives(r);
}

/* ---- a region without the others ---- */

static int set_links(struct drill_run *r, const char *state)
{
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++) {
		char here[LAB_NETNS_MAX], there[LAB_NETNS_MAX], out[16], in[16];

		if (i == r->region)
			continue;
		lab_netns(r->lab, 't', r->region, here);
		lab_netns(r->lab, 't', i, there);
		snprintf(out, sizeof(out), "to-%s", lab_regions[i].name);
		snprintf(in, sizeof(in), "to-%s", lab_regions[r->region].name);
		err = lab_run(NULL, (const char *const[]){"ip", "-n", here, "link", "set", out, state, NULL});
		if (!err)
			err = lab_run(NULL, (const char *const[]){"ip", "-n", there, "link", "set", in, state, NULL});
	}
	return err;
}

/* Since when the node has heard nothing of the other; negative: it never has, or does not answer. */
static double unheard_ms(const struct drill_run *r, unsigned node, const char *other)
{
	json_t *reply = node_ask(r->lab, node, "{\"command\":\"status\"}\n", STATUS_MS), *n;
	const json_t *nodes = json_object_get(json_object_get(json_object_get(reply, "status"), "peers"), "nodes");
	double ms = -1;
	size_t i;

	json_array_foreach(nodes, i, n) {
		if (strcmp(word(n, "name"), other) == 0 && json_is_integer(json_object_get(n, "heard_ms")))
			ms = (double)json_integer_value(json_object_get(n, "heard_ms"));
	}
	json_decref(reply);
	return ms;
}

/* The hidden primary is with eu. */
static bool is_inside(const struct drill_run *r, unsigned node)
{
	return node == r->region || (node == NODE_HIDDEN && r->region == 0);
}

static bool region_is_missed(struct drill_run *r)
{
	char pop[32];

	pop_name(r->region, pop);
	for (unsigned node = 0; node < LAB_NODES; node++)
		if (!is_inside(r, node) && unheard_ms(r, node, pop) < NOT_SEEN_MS)
			return false;
	return true;
}

static bool all_seen_again(struct drill_run *r)
{
	char pop[32], other[32];

	pop_name(r->region, pop);
	for (unsigned node = 0; node < LAB_REGIONS; node++) {
		double there, here;

		if (node == r->region)
			continue;
		there = unheard_ms(r, node, pop);
		here = unheard_ms(r, r->region, pop_name(node, other));
		if (there < 0 || there >= NOT_SEEN_MS || here < 0 || here >= NOT_SEEN_MS)
			return false;
	}
	return true;
}

/* Prometheus is with the hidden primary: cut off with eu it misses the others. */
static bool not_seen_alert(struct drill_run *r)
{
	char pop[32];

	return lab_alert(r->lab, "ZonecastNodeNotSeen", "node", pop_name(r->region ? r->region : 1, pop));
}

int drill_region_fail(struct drill_run *r)
{
	int err = set_links(r, "down");

	r->failed_ns = clock_ns();
	if (err)
		return err;
	claim_named(r, region_is_missed, "the nodes outside do not see the region's PoP",
	            "the time until they do not is below 5 s");
	claim_alert(r, not_seen_alert, "ZonecastNodeNotSeen");
	return 0;
}

/* Alone, it cannot know whether it or all others have gone: nobody may withdraw for that. */
int drill_region_judge(struct drill_run *r)
{
	drill_claim_announced(r);
	return 0;
}

int drill_region_mend(struct drill_run *r)
{
	int err = set_links(r, "up");

	return err ? err : drill_wait(r, all_seen_again, SEEN_AGAIN_MS);
}
