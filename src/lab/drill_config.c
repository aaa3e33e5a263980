/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills about fleet files that must not be taken: nothing may change, and whoever tried must be told why. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ALL_REGIONS = (1 << LAB_REGIONS) - 1, RESTART_MS = 90000, SEEN_MAX = 180 };

/* What the node says of a reload that it refuses: the last error of the file, else what it says at all. "" when it took it. */
static void refusal(const struct lab *l, unsigned node, char *out, size_t cap)
{
	json_t *o = NULL, *problem;
	struct text reply;
	const char *why = "";
	size_t i;

	text_init(&reply);
	if (node_order(l, node, "{\"command\":\"reload\"}\n", &reply) < 0) {
		o = json_loadb(reply.chars, reply.len, JSON_DISABLE_EOF_CHECK, NULL);
		why = json_string_value(json_object_get(o, "error"));
		json_array_foreach(json_object_get(o, "problems"), i, problem)
			if (strstr(json_string_value(problem), ": error: "))
				why = strstr(json_string_value(problem), "error: ");
		if (!why)
			why = "refused";
	}
	snprintf(out, cap, "%s", why);
	json_decref(o);
	text_done(&reply);
}

static void claim_refused(struct drill_run *r, const char *what)
{
	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		char why[SEEN_MAX];

		refusal(r->lab, i, why, sizeof(why));
		drill_claim(r, why[0] != '\0', what, "%s", why[0] ? why : "taken");
	}
}

/* ---- old-config ---- */

static const struct drill_edit older = {"generation: 2", "generation: 1"};

static bool is_gone(struct drill_run *r)
{
	return node_pid(r->lab, r->region) == 0;
}

/* Somebody's copy of last month is rolled out again, and one node even starts with it. */
int drill_old_fail(struct drill_run *r)
{
	int err = drill_refit(r, &older, 1, 0);
	pid_t pid = node_pid(r->lab, r->region);

	if (err)
		return err;
	claim_refused(r, "an older generation is refused at every PoP");
	if (pid <= 0)
		return ERR_NOT_FOUND;
	if (kill(pid, SIGTERM) < 0)
		return -errno;
	err = drill_wait(r, is_gone, RESTART_MS);
	if (!err)
		err = lab_start_pop(r->lab, r->region);
	if (!err)
		err = drill_wait(r, drill_all_well, RESTART_MS);
	return err;
}

int drill_old_judge(struct drill_run *r)
{
	json_t *reply = node_ask(r->lab, r->region, "{\"command\":\"status\"}\n", 1000);
	json_int_t in_force = json_integer_value(
		json_object_get(json_object_get(json_object_get(reply, "status"), "config"), "fleet_generation"));

	drill_claim(r, in_force == 2, "a node that starts with it goes on with the newest that it had accepted", "generation %lld is in force",
	            (long long)in_force);
	json_decref(reply);
	return 0;
}

int drill_config_mend(struct drill_run *r)
{
	return drill_refit(r, NULL, 0, ALL_REGIONS);
}

/* ---- dormant-mistake ---- */

/* Each good by itself, and the end of the network: no PoP is in it; it has no IPv6 any more. */
static const struct drill_edit nowhere[] = {{"    networks: [global]\n", ""}};
static const struct drill_edit one_family[] = {
	{", \"" LAB_PREFIX_V6 "\"]", "]"},
	{", \"" LAB_ANYCAST_V6 "\"]", "]"},
	{", \"" LAB_BACKSTOP_V6 "\"]", "]"},
};

static void plan(struct drill_run *r, const char *name)
{
	char now[LAB_PATH_MAX + 32], next[LAB_PATH_MAX + 32], seen[SEEN_MAX];
	struct text why;
	const char *line;
	int err;

	snprintf(now, sizeof(now), "%s/fleet-now.yaml", r->lab->dir);
	snprintf(next, sizeof(next), "%s/fleet.yaml", r->lab->dir);
	text_init(&why);
	lab_fleet_text(r->lab, &why);
	err = why.failed ? ERR_NO_MEMORY : lab_write_file(now, why.chars, 0644);
	text_clear(&why);
	if (!err)
		err = lab_run(&why, (const char *const[]){r->lab->self, "plan", next, "--config", now, NULL});
	/* The line that says why begins so; before the output stands the command. */
	line = strstr(why.chars, "! ");
	snprintf(seen, sizeof(seen), "%.*s", line ? (int)strcspn(line, "\n") : 0, line ? line : "");
	drill_claim(r, err == ERR_INVALID && line, name, "%s", seen[0] ? seen : "no objection");
	text_done(&why);
}

int drill_dormant_fail(struct drill_run *r)
{
	int err = drill_refit(r, nowhere, ARRAY_LEN(nowhere), 0);

	if (err)
		return err;
	plan(r, "plan says that a network without PoPs is withdrawn everywhere");
	claim_refused(r, "no PoP takes it");
	err = drill_refit(r, one_family, ARRAY_LEN(one_family), 0);
	if (err)
		return err;
	plan(r, "plan says that a family without prefixes is withdrawn everywhere");
	claim_refused(r, "no PoP takes that either");
	return 0;
}

int drill_dormant_judge(struct drill_run *r)
{
	drill_claim_announced(r);
	return 0;
}
