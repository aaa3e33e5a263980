/* SPDX-License-Identifier: BSD-2-Clause */
/* The hidden primary dies. Nobody should notice but operators: the PoPs answer on with what they have and announce on, and each says of the zone that its primary is not
 * in reach. They are told to ask it once, so that this does not take the zone's refresh time. Then it comes back, the PoPs find it fresh, and a change made there
 * travels as before. A meter in each region asks all the time, over IPv4 and IPv6. */
#include "base/clock.h"
#include "base/err.h"
#include "lab/meter.h"
#include "lab/verbs.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { NOTICE_MS = 30000, BACK_MS = 60000, LOST_MS = 3000, ASK_MS = 1000, WAIT_MS = 50, METERS = 2 * LAB_REGIONS };
static const char zone[] = "example.com";

struct loss {
	char state[16], error[200], announce[20];
	double noticed_ms, fresh_ms;
	struct meter_score family[2]; /* IPv4, IPv6 */
};

static void run_dir_of(const struct lab *l, unsigned region, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s/pop-%s/run", l->dir, lab_regions[region].name);
}

/* What a command of the PoP prints as JSON; NULL: nothing that is understood. */
static json_t *told(const struct lab *l, unsigned region, const char *const command[4])
{
	char ns[LAB_NETNS_MAX], dir[LAB_PATH_MAX + 32];
	struct text out;
	json_t *o = NULL;
	int err;

	lab_netns(l, 'p', region, ns);
	run_dir_of(l, region, dir, sizeof(dir));
	text_init(&out);
	if (command[3])
		err = lab_capture(ns, &out,
		                  (const char *const[]){l->self, command[0], command[1], command[2], command[3],
		                                        "--run-dir", dir, NULL});
	else
		err = lab_capture(ns, &out,
		                  (const char *const[]){l->self, command[0], command[1], "--run-dir", dir, NULL});
	if (!err && out.len)
		o = json_loadb(out.chars, out.len, JSON_DISABLE_EOF_CHECK, NULL);
	text_done(&out);
	return o;
}

static void copy(char *to, size_t cap, const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	snprintf(to, cap, "%.*s", (int)cap - 1, text ? text : "");
}

static void look(const struct lab *l, unsigned region, struct loss *out)
{
	json_t *zones = told(l, region, (const char *const[4]){"zone", "status", zone, "--json"});
	json_t *status = told(l, region, (const char *const[4]){"status", "--json", NULL, NULL});
	const json_t *decision = json_object_get(json_array_get(json_object_get(status, "networks"), 0), "decision");

	copy(out->state, sizeof(out->state), json_array_get(zones, 0), "state");
	copy(out->error, sizeof(out->error), json_array_get(zones, 0), "error");
	copy(out->announce, sizeof(out->announce), decision, "announce");
	json_decref(zones);
	json_decref(status);
}

/* Until all PoPs say so of the zone; told to ask again meanwhile. */
static int wait_for_state(const struct lab *l, const char *state, int limit_ms, struct loss list[LAB_REGIONS],
                          bool fresh)
{
	uint64_t began = clock_ns();
	unsigned missing = LAB_REGIONS;
	bool done[LAB_REGIONS] = {false};

	while (missing) {
		if (clock_ns() - began > (uint64_t)limit_ms * 1000000U)
			return -ETIMEDOUT;
		for (unsigned i = 0; i < LAB_REGIONS; i++) {
			char dir[LAB_PATH_MAX + 32];
			struct loss now = {0};
			double ms;

			if (done[i])
				continue;
			run_dir_of(l, i, dir, sizeof(dir));
			look(l, i, &now);
			ms = (double)(clock_ns() - began) / 1e6;
			if (strcmp(now.state, state) == 0) {
				*(fresh ? &list[i].fresh_ms : &list[i].noticed_ms) = ms;
				done[i] = true;
				missing--;
			} else if (lab_run(NULL, (const char *const[]){l->self, "zone", "reload", zone, "--run-dir",
			                                               dir, NULL}) < 0) {
				return ERR_INVALID;
			}
		}
		poll(NULL, 0, WAIT_MS);
	}
	return 0;
}

static int kill_primary(const struct lab *l)
{
	pid_t pid = lab_pid_of(l, "hidden");

	return pid <= 0 ? ERR_NOT_FOUND : kill(pid, SIGKILL) < 0 ? -errno : 0;
}

static int without_primary(const struct lab *l, struct loss list[LAB_REGIONS])
{
	struct meter *meters[METERS] = {NULL};
	int err = 0, back = 0;

	for (unsigned i = 0; i < METERS && !err; i++)
		err = meter_start(l, i / 2, i % 2 ? 6 : 4, &meters[i]);
	if (!err)
		err = kill_primary(l);
	if (!err)
		err = wait_for_state(l, "failing", NOTICE_MS, list, false);
	if (!err)
		poll(NULL, 0, LOST_MS);
	for (unsigned i = 0; i < METERS; i++)
		if (meters[i])
			meter_stop(meters[i], &list[i / 2].family[i % 2]);
	for (unsigned i = 0; i < LAB_REGIONS && !err; i++)
		look(l, i, &list[i]);
	if (!lab_pid_of(l, "hidden"))
		back = lab_start_hidden(l);
	return err ? err : back;
}

static void print(const struct loss list[LAB_REGIONS])
{
	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		const struct loss *p = &list[i];

		printf("  pop-%s: answers (%u asked over IPv4, %u over IPv6, %u and %u lost), route %s, zone %s after "
		       "%.0f ms\n",
		       lab_regions[i].name, p->family[0].asked, p->family[1].asked, p->family[0].lost,
		       p->family[1].lost, p->announce, p->state, p->noticed_ms);
		printf("    says: %s\n", p->error);
	}
	fflush(stdout);
}

static json_t *to_json(const struct loss list[LAB_REGIONS], json_t *change)
{
	json_t *pops = json_object();
	unsigned lost = 0;

	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		const struct loss *p = &list[i];

		lost += p->family[0].lost + p->family[1].lost;
		json_object_set_new(pops, lab_regions[i].name,
		                    json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:i, s:i}", "state", p->state,
		                              "error", p->error, "announce", p->announce, "noticed_ms", p->noticed_ms,
		                              "fresh_ms", p->fresh_ms, "asked_ipv4", (int)p->family[0].asked,
		                              "asked_ipv6", (int)p->family[1].asked, "lost_ipv4",
		                              (int)p->family[0].lost, "lost_ipv6", (int)p->family[1].lost));
	}
	return json_pack("{s:s, s:i, s:o, s:o}", "drill", "primary-lost", "lost", (int)lost, "pops", pops, "change",
	                 change);
}

int lab_drill_primary(const struct lab *l, const struct lab_drill_options *o)
{
	struct loss list[LAB_REGIONS] = {0};
	json_t *change = NULL;
	struct lab_answer a;
	int err;

	if (!o->json)
		printf("drill primary-lost: the hidden primary in %s dies\n", lab_regions[0].name);
	fflush(stdout);
	lab_ask(l, 0, 4, zone, ASK_MS, &a);
	err = !a.answered || a.rcode ? ERR_NOT_FOUND : without_primary(l, list);
	if (!err && !o->json)
		print(list);
	if (!err && !o->json)
		printf("  it is started again\n");
	if (!err)
		err = wait_for_state(l, "fresh", BACK_MS, list, true);
	for (unsigned i = 0; i < LAB_REGIONS && !err && !o->json; i++)
		printf("  pop-%s: zone fresh again after %.0f ms\n", lab_regions[i].name, list[i].fresh_ms);
	if (!err)
		err = lab_drill_zone_once(l, &change);
	if (!err && !o->json)
		printf("  a change made there is answered in all regions\n");
	if (err)
		fprintf(stderr, "zonecast: drill primary-lost: %s\n", err_text(err));
	if (!err && o->json) {
		json_t *out = to_json(list, json_incref(change));

		json_dumpf(out, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(out);
	}
	json_decref(change);
	return err;
}
