/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone list`, `zone show` and `zone reload`: the zones of the running node. */
#include "cli/cli.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>

enum { ZONE_TIMEOUT_MS = 30000 };

const char help_zone_list[] =
	"usage: zonecast zone list [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"The zones of the running node: name, serial, records, state, network, age.\n";
const char help_zone_show[] =
	"usage: zonecast zone show ZONE [--config FILE] [--run-dir DIR]\n"
	"\n"
	"Print the zone as the running node serves it, one record a line in zone file form, in canonical order.\n";
const char help_zone_reload[] =
	"usage: zonecast zone reload [ZONE [--force]] [--config FILE] [--run-dir DIR]\n"
	"\n"
	"Read the zone's file again even if it looks unchanged; without ZONE, every file that has changed. A zone that does not load keeps\n"
	"its last good version; zonecast zone status says what is wrong, and zonecast zone check says it too.\n"
	"\n"
	"  --force   take the file although its serial goes back or stands still, or it loses more records than shrink-limit allows\n";

int cmd_zone_list(int argc, char **argv)
{
	static const struct cli_verb verb = {"list", cmd_zone_list, NULL, help_zone_list};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	json_t *reply, *z;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	size_t i;

	if (code >= 0)
		return code;
	if (cli_control_call(&common, json_pack("{s:s}", "command", "zone-list"), ZONE_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	if (common.json) {
		code = cli_json_print(json_incref(json_object_get(reply, "zones")));
		json_decref(reply);
		return code;
	}
	printf("%-32s %10s %9s %-8s %-6s %-12s %s\n", "ZONE", "SERIAL", "RECORDS", "STATE", "SIGNED", "NETWORK", "AGE");
	json_array_foreach(json_object_get(reply, "zones"), i, z) {
		const char *network = json_string_value(json_object_get(z, "network"));
		char span[16];

		printf("%-32s %10lld %9lld %-8s %-6s %-12s %s\n", json_string_value(json_object_get(z, "name")),
		       (long long)json_integer_value(json_object_get(z, "serial")), (long long)json_integer_value(json_object_get(z, "records")),
		       json_string_value(json_object_get(z, "state")), json_is_true(json_object_get(z, "signed")) ? "yes" : "no",
		       network ? network : "-", clock_span_text((uint64_t)json_integer_value(json_object_get(z, "age_s")) * 1000, span));
	}
	json_decref(reply);
	return CLI_OK;
}

static int print_line(void *ctx, char *line)
{
	(void)ctx;
	return puts(line) < 0 ? -EIO : 0;
}

int cmd_zone_show(int argc, char **argv)
{
	static const struct cli_verb verb = {"show", cmd_zone_show, NULL, help_zone_show};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);

	if (code >= 0)
		return code;
	if (cli_control_stream(&common, json_pack("{s:s, s:s}", "command", "zone-show", "zone", argv[operand]), NULL, print_line, NULL) < 0)
		return CLI_FAILED;
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

int cmd_zone_reload(int argc, char **argv)
{
	static const struct cli_verb verb = {"reload", cmd_zone_reload, NULL, help_zone_reload};
	struct cli_common common = {0};
	bool force = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"force", .flag = &force}};
	json_t *reply, *request;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 1, &operand);

	if (code >= 0)
		return code;
	if (force && operand == argc) {
		cli_error("--force is for one zone: name it");
		return CLI_USAGE;
	}
	request = json_pack("{s:s, s:b}", "command", "zone-reload", "force", force);
	if (operand < argc)
		json_object_set_new(request, "zone", json_string(argv[operand]));
	if (cli_control_call(&common, request, ZONE_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	json_decref(reply);
	printf("%s: reload ordered\n", operand < argc ? argv[operand] : "all zones");
	return CLI_OK;
}
