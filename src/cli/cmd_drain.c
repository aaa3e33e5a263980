/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's orders: drain, freeze, announce --force, and resume, which ends them. */
#include "cli/cli.h"

#include "base/addr.h"
#include "base/clock.h"
#include "cli/orders.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DRAIN_TIMEOUT_MS = 5000, DRAIN_POLL_MS = 100, DRAIN_MAX_MS = 3600000 };

const char help_drain[] =
	"usage: zonecast drain [NETWORK | NEIGHBOR] [--backstop] [--no-wait] [--config FILE] [--run-dir DIR] [--state-dir DIR] [--json]\n"
	"\n"
	"Planned maintenance: announce the graceful-shutdown community (RFC 8326) for the network's drain-time, then withdraw; answers go\n"
	"on all the while. Without NETWORK all networks of this node. NEIGHBOR is the address of a BGP neighbor (with its port where that is\n"
	"not 179): only what is announced to it is drained, and the session stays. Waits until it is done. The order survives a restart of\n"
	"the node; zonecast resume ends it.\n"
	"\n"
	"  --backstop   the backstop prefixes of the network as well\n"
	"  --no-wait    do not wait until it is done\n";
const char help_resume[] =
	"usage: zonecast resume [NETWORK | NEIGHBOR] [--config FILE] [--run-dir DIR] [--state-dir DIR] [--json]\n"
	"\n"
	"End a drain, a freeze, or a forced announcement: the checks decide again. Without NETWORK or NEIGHBOR all orders of this node.\n";
const char help_freeze[] =
	"usage: zonecast freeze [NETWORK] [--config FILE] [--run-dir DIR] [--state-dir DIR] [--json]\n"
	"\n"
	"Break glass: what is announced stays as it is, whatever the checks say, until zonecast resume. Without NETWORK all networks of\n"
	"this node. Works with nothing else up: where nothing answers on the control socket, the order is written to the orders file in the\n"
	"state directory and the supervisor is told by a signal. The order survives a restart of the node.\n";
const char help_announce[] =
	"usage: zonecast announce --force NETWORK [--config FILE] [--run-dir DIR] [--state-dir DIR] [--json]\n"
	"\n"
	"Break glass: announce the network, whatever the checks say, until zonecast resume. For when the checks are wrong and the answers\n"
	"are right. It works with nothing else up, and survives a restart of the node, as zonecast freeze does.\n";

/* Is it done? 1 yes, 0 not yet, -1 cannot be asked. *known: there is such a network or neighbor. */
static int drained(const struct cli_common *common, const struct cli_order *order, bool *known)
{
	const char *list = order->neighbor ? "neighbors" : "networks";
	struct endpoint want = {0}, at;
	json_t *reply, *o;
	size_t i;
	int all = 1;

	if (order->neighbor && endpoint_parse(order->neighbor, 0, &want) < 0)
		return -1;
	if (cli_control_call(common, json_pack("{s:s}", "command", "status"), DRAIN_TIMEOUT_MS, &reply) < 0)
		return -1;
	*known = false;
	json_array_foreach(json_object_get(json_object_get(reply, "status"), list), i, o) {
		if (order->network && strcmp(order->network, json_string_value(json_object_get(o, "name"))) != 0)
			continue;
		if (order->neighbor && (addr_parse(json_string_value(json_object_get(o, "address")), &at.addr) < 0 ||
		                        !addr_equal(&at.addr, &want.addr)))
			continue;
		*known = true;
		if (!json_is_true(json_object_get(order->neighbor ? o : json_object_get(o, "decision"), "drained")))
			all = 0;
	}
	json_decref(reply);
	return all;
}

static int wait_drained(const struct cli_common *common, const struct cli_order *order)
{
	uint64_t began = clock_ms();
	bool known = true;
	int done;

	while ((done = drained(common, order, &known)) == 0 && known) {
		if (clock_ms() - began > DRAIN_MAX_MS) {
			cli_error("drain: not withdrawn after an hour; see zonecast status");
			return CLI_FAILED;
		}
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rdraining for %llu s ", (unsigned long long)((clock_ms() - began) / 1000));
		poll(NULL, 0, DRAIN_POLL_MS);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	return done < 0 ? CLI_FAILED : CLI_OK;
}

static int give(const struct cli_verb *verb, int argc, char **argv, struct cli_order *order, const char *done)
{
	struct cli_common common = {0};
	const char *state_dir = NULL;
	bool drain = order->word == WORD_DRAIN, no_wait = !drain, force = false, announce = order->word == WORD_FORCE;
	const struct cli_option rows[] = {
		CLI_COMMON_OPTIONS(&common), {"state-dir", .value = &state_dir},
		{drain ? "no-wait" : "force", .flag = drain ? &no_wait : &force}, {"backstop", .flag = &order->backstop},
	};
	size_t count = ARRAY_LEN(rows) - (drain ? 0 : announce ? 1 : 2);
	enum cli_order_way way;
	struct endpoint at;
	uint64_t began = clock_ms();
	int operand, code = cli_parse(verb, rows, count, argc, argv, announce, 1, &operand);
	const char *what;

	if (code >= 0)
		return code;
	if (announce && !force) {
		cli_error("announce: networks are announced when their checks pass; to announce one whatever they say, add --force");
		return CLI_USAGE;
	}
	what = operand < argc ? argv[operand] : NULL;
	if (what && !*what) {
		cli_error("%s: the name is empty; all networks are meant where there is none", verb->name);
		return CLI_USAGE;
	}
	if (what && (drain || order->word == WORD_NONE) && endpoint_parse(what, 0, &at) == 0)
		order->neighbor = what;
	else
		order->network = what;
	if (order->neighbor && order->backstop) {
		cli_error("%s: --backstop goes with a network, not with a neighbor", verb->name);
		return CLI_USAGE;
	}
	if (cli_order_give(&common, state_dir, order, &way) < 0)
		return CLI_FAILED;
	if (!no_wait && way == CLI_ORDER_TOLD && wait_drained(&common, order) != CLI_OK)
		return CLI_FAILED;
	if (common.json)
		return cli_json_print(json_pack("{s:s, s:b, s:s, s:I}", "command", order->command, "done", way == CLI_ORDER_TOLD, "way",
		                                way == CLI_ORDER_TOLD    ? "control socket"
		                                : way == CLI_ORDER_TAKEN ? "orders file"
		                                                         : "next start",
		                                "took_ms", (json_int_t)(clock_ms() - began)));
	printf("%s: %s%s\n", what ? what : "all networks", no_wait && drain ? "drain ordered" : done,
	       way == CLI_ORDER_TOLD    ? ""
	       : way == CLI_ORDER_TAKEN ? " (the supervisor has read the orders file)"
	                                : " (no node runs here: from its next start)");
	return CLI_OK;
}

int cmd_drain(int argc, char **argv)
{
	static const struct cli_verb verb = {"drain", cmd_drain, NULL, help_drain};
	struct cli_order order = {.command = "drain", .word = WORD_DRAIN};

	return give(&verb, argc, argv, &order, "drained: withdrawn");
}

int cmd_resume(int argc, char **argv)
{
	static const struct cli_verb verb = {"resume", cmd_resume, NULL, help_resume};
	struct cli_order order = {.command = "resume", .word = WORD_NONE};

	return give(&verb, argc, argv, &order, "resumed");
}

int cmd_freeze(int argc, char **argv)
{
	static const struct cli_verb verb = {"freeze", cmd_freeze, NULL, help_freeze};
	struct cli_order order = {.command = "freeze", .word = WORD_FREEZE};

	return give(&verb, argc, argv, &order, "frozen: what is announced stays as it is until zonecast resume");
}

int cmd_announce(int argc, char **argv)
{
	static const struct cli_verb verb = {"announce", cmd_announce, NULL, help_announce};
	struct cli_order order = {.command = "force", .word = WORD_FORCE};

	return give(&verb, argc, argv, &order, "announced whatever the checks say, until zonecast resume");
}
