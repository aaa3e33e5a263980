/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders of the operator, the break-glass way included: when the node's admin process does not answer, for whatever reason, the order is
 * written to STATE_DIR/orders and the supervisor is told by SIGUSR1. What the supervisor has read it notes in RUN_DIR/orders.taken, so that
 * this command can say whether the order holds. Without a supervisor the order holds from the node's next start.
 *
 * A signal that a process does not expect ends it: the supervisor gets one only when the pid in RUN_DIR/pids is that of a zonecast which catches
 * SIGUSR1; one of an earlier version does not. */
#include "cli/orders.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "super/orders.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ORDER_TIMEOUT_MS = 3000, TAKEN_TIMEOUT_MS = 5000, TAKEN_POLL_MS = 20, BGP_PORT_DEFAULT = 179 };

static pid_t supervisor_pid(const char *run_dir)
{
	char path[PATH_MAX + 16], line[128];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/pids", run_dir);
	f = fopen(path, "re");
	while (f && !pid && fgets(line, sizeof(line), f))
		if (sscanf(line, "supervisor 0 %d", &pid) != 1)
			pid = 0;
	if (f)
		fclose(f);
	return pid;
}

/* 1: a supervisor that takes orders by signal, 0: no zonecast, -1: one that does not. Of processes called zonecast only supervisors catch it. */
static int takes_orders(pid_t pid)
{
	char path[64], line[256];
	unsigned long long caught = 0;
	bool ours = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		ours |= strcmp(line, "Name:\tzonecast\n") == 0;
		if (strncmp(line, "SigCgt:", 7) == 0)
			caught = strtoull(line + 7, NULL, 16);
	}
	if (f)
		fclose(f);
	return !ours ? 0 : caught >> (SIGUSR1 - 1) & 1 ? 1 : -1;
}

static void find_state_dir(const struct cli_common *common, const char *run_dir, const char *given, char out[PATH_MAX])
{
	char path[PATH_MAX + 16];
	ssize_t n;

	if (given) {
		snprintf(out, PATH_MAX, "%s", given);
		return;
	}
	snprintf(path, sizeof(path), "%s/state-dir", run_dir);
	n = readlink(path, out, PATH_MAX - 1);
	if (n > 0)
		out[n] = '\0';
	else if (config_peek_state_dir(common->config ? common->config : CLI_CONFIG_DEFAULT, out, PATH_MAX) < 0)
		snprintf(out, PATH_MAX, "%s", CONFIG_STATE_DIR_DEFAULT);
}

static bool wait_taken(const char *run_dir, const char *state_dir)
{
	char path[PATH_MAX + 16], mark[64] = "", taken[64];
	uint64_t until = clock_ms() + TAKEN_TIMEOUT_MS;

	if (!orders_mark(state_dir, mark, sizeof(mark)))
		return false;
	snprintf(path, sizeof(path), "%s/orders.taken", run_dir);
	for (;;) {
		FILE *f = fopen(path, "re");
		bool same = f && fgets(taken, sizeof(taken), f) && strcmp(taken, mark) == 0;

		if (f)
			fclose(f);
		if (same || clock_ms() >= until)
			return same;
		poll(NULL, 0, TAKEN_POLL_MS);
	}
}

static int change(const char *state_dir, const struct cli_order *order)
{
	const char *network = order->network ? order->network : ORDERS_ALL;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint at;
	struct orders o;
	int err = orders_read(state_dir, &o);

	if (!err && order->neighbor) {
		err = endpoint_parse(order->neighbor, BGP_PORT_DEFAULT, &at);
		if (!err)
			err = orders_put(&o, WORD_DRAIN_NEIGHBOR, endpoint_text(&at, text), order->word == WORD_DRAIN);
	} else if (!err) {
		err = orders_put_network(&o, order->word, network);
		if (!err)
			err = orders_put(&o, WORD_DRAIN_BACKSTOP, network, order->backstop);
		for (size_t i = o.count; !err && order->word == WORD_NONE && !order->network && i-- > 0;)
			if (o.row[i].word == WORD_DRAIN_NEIGHBOR)
				err = orders_put(&o, WORD_DRAIN_NEIGHBOR, o.row[i].name, false);
	}
	return err ? err : orders_write(state_dir, &o);
}

static int give_by_file(const struct cli_common *common, const char *state_dir, const struct cli_order *order, enum cli_order_way *way)
{
	char run_dir[PATH_MAX], state[PATH_MAX];
	int running, err;
	pid_t pid;

	cli_run_dir(common, run_dir, sizeof(run_dir));
	find_state_dir(common, run_dir, state_dir, state);
	pid = supervisor_pid(run_dir);
	running = pid ? takes_orders(pid) : 0;
	if (running < 0) {
		cli_error("the supervisor %d does not take orders by file: it is of an earlier version", pid);
		return ERR_UNSUPPORTED;
	}
	err = change(state, order);
	if (err < 0) {
		cli_error("%s/orders: %s", state, err_text(err));
		return err;
	}
	*way = CLI_ORDER_WRITTEN;
	if (!running)
		return 0;
	if (kill(pid, SIGUSR1) < 0) {
		err = -errno;
		cli_error("supervisor %d: %s", pid, err_text(err));
		return err;
	}
	if (!wait_taken(run_dir, state)) {
		cli_error("%s/orders is written, but the supervisor %d has not read it within %d s", state, pid, TAKEN_TIMEOUT_MS / 1000);
		return -ETIMEDOUT;
	}
	*way = CLI_ORDER_TAKEN;
	return 0;
}

int cli_order_give(const struct cli_common *common, const char *state_dir, const struct cli_order *order, enum cli_order_way *way)
{
	json_t *reply, *request = json_pack("{s:s}", "command", order->command);
	int err;

	if (order->network)
		json_object_set_new(request, "network", json_string(order->network));
	if (order->neighbor)
		json_object_set_new(request, "neighbor", json_string(order->neighbor));
	if (order->backstop)
		json_object_set_new(request, "backstop", json_true());
	err = cli_control_call(common, request, ORDER_TIMEOUT_MS, &reply);
	if (!err) {
		json_decref(reply);
		*way = CLI_ORDER_TOLD;
		return 0;
	}
	if (err == ERR_INVALID) /* it was heard, and refused */
		return err;
	cli_error("nothing answers on the control socket: the order goes through the orders file");
	return give_by_file(common, state_dir, order, way);
}
