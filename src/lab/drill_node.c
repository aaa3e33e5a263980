/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills about what a PoP is made of: its processes, its answers, its operator. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
	FLAPS = 5,
	FLAP_BAD_MS = 700,  /* longer than the checks need to see it */
	FLAP_GOOD_MS = 600, /* shorter than a network has to be right before it is announced again */
	DRAIN_MS = 30000,
	STOP_MS = 60000,
	START_MS = 90000,
	LATE_OF_KILL_MS = 400,
};

/* ---- kill ---- */

int drill_kill_fail(struct drill_run *r)
{
	return node_signal(r->lab, r->region, "answer", SIGKILL);
}

void drill_kill_score(struct drill_run *r)
{
	double late = MAX(r->round->score[r->region][0].late_max_ms, r->round->score[r->region][1].late_max_ms);

	drill_claim(r, late < LATE_OF_KILL_MS, "the slowest answer took less than 400 ms", "%.0f ms", late);
	drill_claim(r, !r->round->score[r->region][0].moved_ns && !r->round->score[r->region][1].moved_ns,
	            "the same PoP goes on", "then %s", r->round->score[r->region][0].after);
	drill_claim_announced(r);
}

/* ---- crash ---- */

int drill_crash_fail(struct drill_run *r)
{
	return node_signal(r->lab, r->region, "supervisor", SIGKILL);
}

int drill_crash_mend(struct drill_run *r)
{
	return lab_start_pop(r->lab, r->region);
}

/* ---- hang ---- */

int drill_hang_fail(struct drill_run *r)
{
	int err = r->options->deep ? node_signal(r->lab, r->region, "supervisor", SIGSTOP) : 0;

	return err ? err : node_signal(r->lab, r->region, "answer", SIGSTOP);
}

int drill_hang_mend(struct drill_run *r)
{
	/* The supervisor, once awake, sees the silent workers and replaces them. */
	return r->options->deep ? node_signal(r->lab, r->region, "supervisor", SIGCONT) : 0;
}

/* ---- wrong ---- */

int drill_wrong_fail(struct drill_run *r)
{
	return node_order(r->lab, r->region, "{\"command\":\"fault\",\"kind\":\"servfail\"}\n", NULL);
}

int drill_wrong_mend(struct drill_run *r)
{
	return node_order(r->lab, r->region, "{\"command\":\"fault\",\"kind\":\"none\"}\n", NULL);
}

/* ---- flap ---- */

int drill_flap_fail(struct drill_run *r)
{
	int err = 0;

	for (unsigned i = 0; !err && i < FLAPS; i++) {
		err = drill_wrong_fail(r);
		drill_pass(r, FLAP_BAD_MS);
		if (!err)
			err = drill_wrong_mend(r);
		if (i + 1 < FLAPS)
			drill_pass(r, FLAP_GOOD_MS);
	}
	return err;
}

/* By then the network is announced again: the moves there were are those of the whole row of failures. */
int drill_flap_judge(struct drill_run *r)
{
	unsigned withdrawals = 0, last = 1;
	int err = drill_wait(r, drill_all_well, START_MS);

	for (unsigned i = 0; i < r->round->said_count; i++) {
		const struct drill_said *s = &r->round->said[i];
		unsigned now = s->said.heard && strcmp(s->said.announce[0], "announced") == 0;

		if (s->node != r->region)
			continue;
		withdrawals += last && !now;
		last = now;
	}
	drill_claim(r, withdrawals == 1, "five failures in a row move the route once", "withdrawn %u times",
	            withdrawals);
	return err;
}

/* ---- drain ---- */

static bool is_withdrawn(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	drill_listen(r);
	return strcmp(s->announce[0], "withdrawn") == 0 && strcmp(s->announce[1], "withdrawn") == 0;
}

int drill_drain_fail(struct drill_run *r)
{
	int err = node_order(r->lab, r->region, "{\"command\":\"drain\"}\n", NULL);

	return err ? err : drill_wait(r, is_withdrawn, DRAIN_MS);
}

int drill_drain_mend(struct drill_run *r)
{
	return node_order(r->lab, r->region, "{\"command\":\"resume\"}\n", NULL);
}

/* ---- rolling-upgrade ---- */

static bool is_gone(struct drill_run *r)
{
	return node_pid(r->lab, r->region) == 0;
}

/* As an operator does it: the node is told to stop, which drains it; then the new version is started and has to serve its region before the next
 * one's turn comes. */
int drill_rolling_fail(struct drill_run *r)
{
	unsigned own = r->region;
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++) {
		pid_t pid = node_pid(r->lab, i);

		r->region = i;
		if (pid <= 0)
			err = ERR_NOT_FOUND;
		else if (kill(pid, SIGTERM) < 0)
			err = -errno;
		if (!err)
			err = drill_wait(r, is_gone, STOP_MS);
		if (!err)
			err = lab_start_pop(r->lab, i);
		if (!err)
			err = drill_wait(r, drill_all_well, START_MS);
	}
	r->region = own;
	return err;
}
