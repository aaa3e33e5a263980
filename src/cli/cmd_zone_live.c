/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone list`, `zone show` and `zone reload`: the zones of the running node. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ZONE_TIMEOUT_MS = 30000, ZONE_LINE_MAX = 1 << 20 };

const char help_zone_list[] =
	"usage: zonecast zone list [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"The zones of the running node: name, serial, records, state, network, age. Those that backends answer for have the name of their pool.\n";
const char help_zone_show[] =
	"usage: zonecast zone show ZONE [--digest] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Print the zone as the running node serves it, one record a line in zone file form, in canonical order.\n"
	"\n"
	"  --digest   its serial, its number of records and a digest of all of them in place of the records: nodes that print the same serve the same\n";
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
		const char *backends = json_string_value(json_object_get(z, "backends"));
		char span[16];

		if (backends) {
			printf("%-32s %10s %9s backends %-6s %-12s\n", json_string_value(json_object_get(z, "name")), "-", "-", backends, network ? network : "-");
			continue;
		}
		printf("%-32s %10lld %9lld %-8s %-6s %-12s %s\n", json_string_value(json_object_get(z, "name")),
		       (long long)json_integer_value(json_object_get(z, "serial")), (long long)json_integer_value(json_object_get(z, "records")),
		       json_string_value(json_object_get(z, "state")), json_is_true(json_object_get(z, "signed")) ? "yes" : "no",
		       network ? network : "-", clock_span_text((uint64_t)json_integer_value(json_object_get(z, "age_s")) * 1000, span));
	}
	json_decref(reply);
	return CLI_OK;
}

/* Lines until the one that says the zone is complete. */
static int copy_zone(int fd, json_t **digest_or_null)
{
	struct text rest, line;
	bool first = true, complete = false;
	int err;

	text_init(&rest);
	text_init(&line);
	while ((err = cli_control_line(fd, &rest, ZONE_TIMEOUT_MS, ZONE_LINE_MAX, &line)) == 0) {
		if (first) {
			json_t *head = json_loadb(line.chars, line.len, 0, NULL);
			bool ok = json_is_true(json_object_get(head, "ok"));
			const char *why = json_string_value(json_object_get(head, "error"));

			if (!ok)
				cli_error("%s", why ? why : "the node's reply is not understood");
			json_decref(head);
			if (!ok) {
				complete = true;
				err = ERR_INVALID;
				break;
			}
			first = false;
			continue;
		}
		if (strcmp(line.chars, "; end") == 0) {
			complete = true;
			break;
		}
		if (digest_or_null && line.chars[0] == '{')
			*digest_or_null = json_loadb(line.chars, line.len, 0, NULL);
		else if (digest_or_null && strcmp(line.chars, "; more") == 0)
			continue;
		else if (line.chars[0] == ';')
			cli_error("%s", line.chars + 2);
		else
			printf("%s\n", line.chars);
	}
	text_done(&rest);
	text_done(&line);
	if (!complete)
		cli_error("the zone was not printed to its end: %s", err_text(err));
	return complete && !err ? CLI_OK : CLI_FAILED;
}

/* Takes over o. */
static int show_digest(json_t *o, bool json)
{
	const char *sha384 = json_string_value(json_object_get(o, "zonemd_sha384")), *sha512 = json_string_value(json_object_get(o, "zonemd_sha512"));

	if (!o) {
		cli_error("the node's reply is not understood");
		return CLI_FAILED;
	}
	if (json)
		return cli_json_print(o);
	printf("%s serial %lld, %lld records\ndigest %s\n", json_string_value(json_object_get(o, "zone")),
	       (long long)json_integer_value(json_object_get(o, "serial")), (long long)json_integer_value(json_object_get(o, "records")),
	       json_string_value(json_object_get(o, "digest")));
	if (sha384)
		printf("ZONEMD SHA-384 %s\n", sha384);
	if (sha512)
		printf("ZONEMD SHA-512 %s\n", sha512);
	json_decref(o);
	return CLI_OK;
}

int cmd_zone_show(int argc, char **argv)
{
	static const struct cli_verb verb = {"show", cmd_zone_show, NULL, help_zone_show};
	struct cli_common common = {0};
	bool digest = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"digest", .flag = &digest}};
	int fd, operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);
	json_t *told = NULL;

	if (code >= 0)
		return code;
	if (cli_control_open(&common, json_pack("{s:s, s:s, s:b}", "command", "zone-show", "zone", argv[operand], "digest", digest), &fd) < 0)
		return CLI_FAILED;
	code = copy_zone(fd, digest ? &told : NULL);
	close(fd);
	if (code == CLI_OK && digest)
		code = show_digest(told, common.json);
	else
		json_decref(told);
	return fflush(stdout) == 0 ? code : CLI_FAILED;
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
