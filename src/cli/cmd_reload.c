/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <stdio.h>

enum { RELOAD_TIMEOUT_MS = 60000 };

const char help_reload[] =
	"usage: zonecast reload [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Read the fleet file again, and the zone files that have changed. All or nothing: with any mistake the old configuration stays,\n"
	"and the mistakes are listed. The same as SIGHUP to the supervisor.\n";

int cmd_reload(int argc, char **argv)
{
	static const struct cli_verb verb = {"reload", cmd_reload, NULL, help_reload};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	json_t *reply, *problem;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	size_t i;

	if (code >= 0)
		return code;
	if (cli_control_call(&common, json_pack("{s:s}", "command", "reload"), RELOAD_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	if (common.json)
		return cli_json_print(reply);
	json_array_foreach(json_object_get(reply, "problems"), i, problem)
		fprintf(stderr, "%s\n", json_string_value(problem));
	json_decref(reply);
	printf("reloaded\n");
	return CLI_OK;
}
