/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <stdio.h>

enum { RELOAD_TIMEOUT_MS = 60000 };

const char help_reload[] =
	"usage: zonecast reload [--withdraw NETWORK ...] [--accept-older] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Read the fleet file again, and the zone files that have changed. All or nothing: with any mistake the old configuration stays,\n"
	"and the mistakes are listed. The same as SIGHUP to the supervisor. Refused as well: a file that would take a network away\n"
	"everywhere, and one of an older generation.\n"
	"\n"
	"  --withdraw NETWORK   this network may go away; may be given again\n"
	"  --accept-older       the file may be of an older generation than this node has had\n";

static int add_network(void *ctx, const char *value)
{
	json_array_append_new(ctx, json_string(value));
	return 0;
}

int cmd_reload(int argc, char **argv)
{
	static const struct cli_verb verb = {"reload", cmd_reload, NULL, help_reload};
	struct cli_common common = {0};
	bool older = false;
	json_t *reply, *problem, *request, *withdraw = json_array();
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"withdraw", .each = add_network, .ctx = withdraw}, {"accept-older", .flag = &older}};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	size_t i;

	if (code >= 0) {
		json_decref(withdraw);
		return code;
	}
	request = json_pack("{s:s}", "command", "reload");
	if (json_array_size(withdraw))
		json_object_set(request, "withdraw", withdraw);
	json_decref(withdraw);
	if (older)
		json_object_set_new(request, "accept-older", json_true());
	if (cli_control_call(&common, request, RELOAD_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	if (common.json)
		return cli_json_print(reply);
	json_array_foreach(json_object_get(reply, "problems"), i, problem)
		fprintf(stderr, "%s\n", json_string_value(problem));
	json_decref(reply);
	printf("reloaded\n");
	return CLI_OK;
}
