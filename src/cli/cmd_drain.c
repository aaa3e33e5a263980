/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DRAIN_TIMEOUT_MS = 5000, DRAIN_POLL_MS = 100, DRAIN_MAX_MS = 3600000 };

const char help_drain[] =
	"usage: zonecast drain [NETWORK] [--no-wait] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Planned maintenance: announce the graceful-shutdown community (RFC 8326) for the network's drain-time, then withdraw; answers go\n"
	"on all the while. Without NETWORK all networks of this node. Waits until it is done. The order survives a restart of\n"
	"the node; zonecast resume ends it.\n";
const char help_resume[] =
	"usage: zonecast resume [NETWORK] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"End a drain: the network is announced again once its checks pass.\n";

/* Are all networks meant withdrawn? 1 yes, 0 not yet, -1 cannot be asked. */
static int drained(const struct cli_common *common, const char *network, bool *known)
{
	json_t *reply, *o;
	size_t i;
	int all = 1;

	if (cli_control_call(common, json_pack("{s:s}", "command", "status"), DRAIN_TIMEOUT_MS, &reply) < 0)
		return -1;
	*known = false;
	json_array_foreach(json_object_get(json_object_get(reply, "status"), "networks"), i, o) {
		if (network && strcmp(network, json_string_value(json_object_get(o, "name"))) != 0)
			continue;
		*known = true;
		if (!json_is_true(json_object_get(json_object_get(o, "decision"), "drained")))
			all = 0;
	}
	json_decref(reply);
	return all;
}

static int order(const char *command, const char *help, int argc, char **argv, bool wait)
{
	const struct cli_verb verb = {command, wait ? cmd_drain : cmd_resume, NULL, help};
	struct cli_common common = {0};
	bool no_wait = !wait, known = true;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"no-wait", .flag = &no_wait}};
	uint64_t began = clock_ms();
	const char *network;
	json_t *reply, *request;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 1, &operand), done = 0;

	if (code >= 0)
		return code;
	network = operand < argc ? argv[operand] : NULL;
	request = json_pack("{s:s}", "command", command);
	if (network)
		json_object_set_new(request, "network", json_string(network));
	if (cli_control_call(&common, request, DRAIN_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	json_decref(reply);
	while (!no_wait && (done = drained(&common, network, &known)) == 0 && known) {
		if (clock_ms() - began > DRAIN_MAX_MS) {
			cli_error("%s: not withdrawn after an hour; see zonecast status", command);
			return CLI_FAILED;
		}
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rdraining for %llu s ", (unsigned long long)((clock_ms() - began) / 1000));
		poll(NULL, 0, DRAIN_POLL_MS);
	}
	if (!no_wait && isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	if (done < 0)
		return CLI_FAILED;
	if (common.json)
		return cli_json_print(json_pack("{s:s, s:b, s:I}", "command", command, "done", 1, "took_ms", (json_int_t)(clock_ms() - began)));
	printf("%s: %s\n", network ? network : "all networks",
	       !wait ? "resumed" : no_wait ? "drain ordered" : "drained: withdrawn from all neighbors");
	return CLI_OK;
}

int cmd_drain(int argc, char **argv)
{
	return order("drain", help_drain, argc, argv, true);
}

int cmd_resume(int argc, char **argv)
{
	return order("resume", help_resume, argc, argv, false);
}
