/* SPDX-License-Identifier: BSD-2-Clause */
/* `catalog status` and `catalog accept`: catalogs that the running node takes zones from. */
#include "cli/cli.h"

#include <stdio.h>

enum { ASK_TIMEOUT_MS = 30000 };

const char help_catalog[] = "usage: zonecast catalog VERB ...\n"
                            "\n"
                            "Commands about catalogs of zones (RFC 9432); `zonecast help catalog VERB` explains each. See zonecast-catalog(1).\n";
const char help_catalog_status[] =
	"usage: zonecast catalog status [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Catalogs that the running node takes zones from: whether the last version was taken, how many members it owns and lists, and what is wrong with it.\n";
const char help_catalog_accept[] =
	"usage: zonecast catalog accept CATALOG [--config FILE] [--run-dir DIR]\n"
	"\n"
	"Take the version that is held because it takes away more members than shrink-limit allows, or the next one that would be.\n";

static json_int_t number_of(const json_t *z, const char *key)
{
	return json_integer_value(json_object_get(z, key));
}

static void print_row(const json_t *z)
{
	const char *error = json_string_value(json_object_get(z, "error"));

	printf("%-32s %-8s %10lld %10lld %10lld\n", json_string_value(json_object_get(z, "catalog")), json_string_value(json_object_get(z, "state")),
	       (long long)number_of(z, "serial"), (long long)number_of(z, "members"), (long long)number_of(z, "listed"));
	if (error)
		printf("    serial %lld: %s\n", (long long)number_of(z, "refused_serial"), error);
}

int cmd_catalog_status(int argc, char **argv)
{
	static const struct cli_verb verb = {"status", cmd_catalog_status, NULL, help_catalog_status};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	const char *last = "";
	json_t *all, *z;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	size_t i;

	if (code >= 0)
		return code;
	all = json_array();
	for (;;) {
		json_t *reply, *more;
		size_t count;

		if (cli_control_call(&common, json_pack("{s:s, s:s}", "command", "catalog-status", "zone", last), ASK_TIMEOUT_MS, &reply) < 0) {
			json_decref(all);
			return CLI_FAILED;
		}
		more = json_object_get(reply, "zones");
		count = json_array_size(more);
		json_array_extend(all, more);
		json_decref(reply);
		if (!count)
			break;
		last = json_string_value(json_object_get(json_array_get(all, json_array_size(all) - 1), "catalog"));
	}
	if (common.json)
		return cli_json_print(all);
	printf("%-32s %-8s %10s %10s %10s\n", "CATALOG", "STATE", "SERIAL", "MEMBERS", "LISTED");
	json_array_foreach(all, i, z)
		print_row(z);
	json_decref(all);
	return CLI_OK;
}

int cmd_catalog_accept(int argc, char **argv)
{
	static const struct cli_verb verb = {"accept", cmd_catalog_accept, NULL, help_catalog_accept};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	json_t *reply;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);

	if (code >= 0)
		return code;
	if (cli_control_call(&common, json_pack("{s:s, s:s}", "command", "catalog-accept", "zone", argv[operand]), ASK_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	json_decref(reply);
	printf("%s: accepted\n", argv[operand]);
	return CLI_OK;
}

int cmd_catalog(int argc, char **argv)
{
	return cli_dispatch("zonecast catalog", cli_catalog_verbs, cli_catalog_verb_count, argc, argv);
}
