/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills about what the zones say. */
#include "lab/drill.h"

#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { NOTICE_MS = 30000, BACK_MS = 60000, ASK_MS = 1000, STATE_MS = 2000 };
static const char zone[] = "example.com";

/* What a node says of the zone. */
struct zone_said {
	char state[16], error[200];
};

static void ask_zone(const struct lab *l, unsigned node, struct zone_said *out)
{
	json_t *reply =
		node_ask(l, node, "{\"command\":\"zone-status\",\"zone\":\"example.com\",\"one\":true}\n", STATE_MS);
	const json_t *row = json_array_get(json_object_get(reply, "zones"), 0);
	const char *state = json_string_value(json_object_get(row, "state")),
		   *error = json_string_value(json_object_get(row, "error"));

	snprintf(out->state, sizeof(out->state), "%.15s", state ? state : "");
	snprintf(out->error, sizeof(out->error), "%.199s", error ? error : "");
	json_decref(reply);
}

static int read_zone(const struct lab *l, unsigned node)
{
	return node_order(l, node, "{\"command\":\"zone-reload\",\"zone\":\"example.com\"}\n", NULL);
}

/* Of all six clients the serial they are answered; 0: not the same, or no answer. */
static uint32_t serial_everywhere(const struct lab *l)
{
	uint32_t serial = 0;

	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int family = 4; family <= 6; family += 2) {
			struct lab_answer a;

			lab_ask(l, i, family, zone, ASK_MS, &a);
			if (!a.answered || a.rcode || (serial && a.serial != serial))
				return 0;
			serial = a.serial;
		}
	return serial;
}

static bool fresh_everywhere(struct drill_run *r)
{
	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		struct zone_said said = {0};

		ask_zone(r->lab, i, &said);
		/* So that it does not take the zone's refresh time. */
		if (strcmp(said.state, "fresh") != 0)
			return read_zone(r->lab, i) < 0 && false;
	}
	return true;
}

static bool failing_everywhere(struct drill_run *r)
{
	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		struct zone_said said = {0};

		ask_zone(r->lab, i, &said);
		if (strcmp(said.state, "failing") != 0)
			return read_zone(r->lab, i) < 0 && false;
	}
	return true;
}

static int change_arrives(struct drill_run *r)
{
	json_t *change = NULL;
	int err = lab_drill_zone_once(r->lab, &change);

	drill_claim(r, !err, "a change at the primary is answered in all regions", "%s", err ? err_text(err) : "yes");
	json_decref(change);
	return err;
}

/* ---- bad-zone ---- */

/* A file that is no zone, and one that has lost nearly all it had, both with a serial that says it is newer. */
static int give_bad_file(struct drill_run *r, uint32_t serial, bool shrunken)
{
	char path[LAB_PATH_MAX + 64];
	struct zone_said said = {0};
	struct text t;
	int err;

	text_init(&t);
	text_fmt(&t, "$TTL 300\n@ SOA ns1 hostmaster %u 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.53\n%s", serial,
	         shrunken ? "" : "www A 198.51.100.256\n@ MX mail\n");
	snprintf(path, sizeof(path), "%s/zones/%s.zone", r->lab->dir, zone);
	err = t.failed ? ERR_NO_MEMORY : lab_write_file(path, t.chars, 0644);
	text_done(&t);
	if (!err)
		err = read_zone(r->lab, NODE_HIDDEN);
	if (err)
		return err;
	for (unsigned waited = 0; waited < NOTICE_MS; waited += 100) {
		ask_zone(r->lab, NODE_HIDDEN, &said);
		if (said.error[0] && (strstr(said.error, "shrink") || !shrunken))
			break;
		drill_pass(r, 100);
	}
	drill_claim(r, said.error[0] != '\0',
	            shrunken ? "the primary refuses a zone that lost nearly all its records"
	                     : "the primary refuses a file that is no zone",
	            "%s", said.error[0] ? said.error : "it says nothing");
	return 0;
}

static uint32_t good_serial;

int drill_zone_fail(struct drill_run *r)
{
	int err;

	good_serial = serial_everywhere(r->lab);
	if (!good_serial)
		return ERR_STALE;
	err = give_bad_file(r, good_serial + 1, false);
	if (!err)
		err = give_bad_file(r, good_serial + 2, true);
	return err;
}

int drill_zone_judge(struct drill_run *r)
{
	uint32_t now = serial_everywhere(r->lab);

	drill_claim(r, now == good_serial, "the last good version is answered in all regions", "serial %u, was %u", now,
	            good_serial);
	drill_claim_announced(r);
	return 0;
}

int drill_zone_mend(struct drill_run *r)
{
	int err = lab_write_example(r->lab, good_serial + 3);

	if (!err)
		err = read_zone(r->lab, NODE_HIDDEN);
	for (unsigned waited = 0; !err && serial_everywhere(r->lab) != good_serial + 3; waited += 100) {
		drill_pass(r, 100);
		if (waited > BACK_MS)
			err = -ETIMEDOUT;
	}
	return err;
}

/* ---- primary-lost ---- */

/* Nobody should notice but operators: the PoPs answer on with what they have and announce on, and each says of the zone that its primary is not in
 * reach. Then it comes back, the PoPs find it fresh, and a change made there travels as before. */
int drill_primary_fail(struct drill_run *r)
{
	pid_t pid = node_pid(r->lab, NODE_HIDDEN);
	struct zone_said said = {0};
	int err = pid <= 0                 ? ERR_NOT_FOUND
	          : kill(pid, SIGKILL) < 0 ? -errno
	                                   : drill_wait(r, failing_everywhere, NOTICE_MS);

	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		ask_zone(r->lab, i, &said);
		drill_claim(r, strcmp(said.state, "failing") == 0 && said.error[0],
		            "each PoP says of the zone that its primary is away", "%s: %s", said.state, said.error);
	}
	return err == -ETIMEDOUT ? 0 : err;
}

/* Not while it is away, and not when it is back and some know it before the others do. */
void drill_primary_score(struct drill_run *r)
{
	drill_claim_announced(r);
}

int drill_primary_mend(struct drill_run *r)
{
	int err = node_pid(r->lab, NODE_HIDDEN) ? 0 : lab_start_hidden(r->lab);

	if (!err)
		err = drill_wait(r, fresh_everywhere, BACK_MS);
	return err ? err : change_arrives(r);
}
