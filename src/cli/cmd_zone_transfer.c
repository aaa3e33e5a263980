/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone status`, of all zones, and `zone retransfer`, of those that the running node holds by transfer. */
#include "cli/cli.h"

#include "base/clock.h"

#include <stdio.h>

enum { ASK_TIMEOUT_MS = 30000 };

const char help_zone_status[] =
	"usage: zonecast zone status [ZONE] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"The zones of the running node: state, serial, and the last error; of those held by transfer the primary's serial, when it was last refreshed,\n"
	"when it will be asked for next, when it expires; of those read from files the file.\n";
const char help_zone_retransfer[] =
	"usage: zonecast zone retransfer ZONE [--force] [--config FILE] [--run-dir DIR]\n"
	"\n"
	"Transfer the whole zone from its primary now. A primary whose serial is older than ours is refused, and a zone that loses more records than\n"
	"shrink-limit allows, but with --force. Returns at once; zonecast zone status tells what came of it.\n";

static const char *text_of(const json_t *z, const char *key)
{
	const char *text = json_string_value(json_object_get(z, key));

	return text ? text : "-";
}

static const char *number_of(const json_t *z, const char *key, char buf[24])
{
	const json_t *v = json_object_get(z, key);

	if (v)
		snprintf(buf, 24, "%lld", (long long)json_integer_value(v));
	return v ? buf : "-";
}

static const char *span_of(const json_t *z, const char *key, char buf[24])
{
	const json_t *v = json_object_get(z, key);
	json_int_t s = json_integer_value(v);

	if (!v)
		return "-";
	if (s < 0)
		return "past";
	return clock_span_text((uint64_t)s * 1000, buf);
}

static void print_row(const json_t *z)
{
	char serial[24], theirs[24], age[24], next[24], expires[24];
	const char *error = json_string_value(json_object_get(z, "error"));
	bool file = json_object_get(z, "file") != NULL;

	printf("%-32s %-8s %-8s %10s %10s %-24s %9s %9s %9s\n", text_of(z, "zone"), text_of(z, "state"), text_of(z, "phase"), number_of(z, "serial", serial),
	       number_of(z, "primary_serial", theirs), text_of(z, file ? "file" : "primary"), span_of(z, "refreshed_s", age), span_of(z, "next_s", next),
	       span_of(z, "expires_s", expires));
	if (error)
		printf("    %s\n", error);
}

/* Piece by piece, the next after the last zone of the one before. */
static int collect(const struct cli_common *common, json_t *all)
{
	const char *last = "";

	for (;;) {
		json_t *reply, *zones;

		if (cli_control_call(common, json_pack("{s:s, s:s}", "command", "zone-status", "zone", last), ASK_TIMEOUT_MS, &reply) < 0)
			return CLI_FAILED;
		zones = json_object_get(reply, "zones");
		if (!json_array_size(zones)) {
			json_decref(reply);
			return CLI_OK;
		}
		json_array_extend(all, zones);
		json_decref(reply);
		last = text_of(json_array_get(all, json_array_size(all) - 1), "zone");
	}
}

int cmd_zone_status(int argc, char **argv)
{
	static const struct cli_verb verb = {"status", cmd_zone_status, NULL, help_zone_status};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	json_t *reply, *all, *z;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 1, &operand);
	size_t i;

	if (code >= 0)
		return code;
	all = json_array();
	if (operand < argc) {
		if (cli_control_call(&common, json_pack("{s:s, s:s, s:b}", "command", "zone-status", "zone", argv[operand], "one", 1), ASK_TIMEOUT_MS,
		                     &reply) < 0) {
			json_decref(all);
			return CLI_FAILED;
		}
		json_array_extend(all, json_object_get(reply, "zones"));
		json_decref(reply);
	} else if (collect(&common, all) != CLI_OK) {
		json_decref(all);
		return CLI_FAILED;
	}
	if (common.json)
		return cli_json_print(all);
	printf("%-32s %-8s %-8s %10s %10s %-24s %9s %9s %9s\n", "ZONE", "STATE", "PHASE", "SERIAL", "PRIMARY'S", "PRIMARY, FILE", "REFRESHED", "NEXT", "EXPIRES");
	json_array_foreach(all, i, z)
		print_row(z);
	json_decref(all);
	return CLI_OK;
}

int cmd_zone_retransfer(int argc, char **argv)
{
	static const struct cli_verb verb = {"retransfer", cmd_zone_retransfer, NULL, help_zone_retransfer};
	struct cli_common common = {0};
	bool force = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"force", .flag = &force}};
	json_t *reply;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);

	if (code >= 0)
		return code;
	if (cli_control_call(&common, json_pack("{s:s, s:s, s:b}", "command", "zone-retransfer", "zone", argv[operand], "force", force), ASK_TIMEOUT_MS,
	                     &reply) < 0)
		return CLI_FAILED;
	json_decref(reply);
	printf("%s: transfer ordered\n", argv[operand]);
	return CLI_OK;
}
