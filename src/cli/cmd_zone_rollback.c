/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone rollback`. The file is written here, by the operator's right: the node's processes may read zone files only. */
#include "cli/cli.h"

#include "cli/zone_out.h"

#include <stdio.h>

enum { ROLLBACK_TIMEOUT_MS = 300000 };

const char help_zone_rollback[] =
	"usage: zonecast zone rollback ZONE SERIAL [--write] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Serve the records of that version again, under a new serial above the present one, so that it travels to the "
        "pops and to other secondaries as any\n"
	"change does. It holds until the zone's file says something else than now; the file's serial must then be "
        "above the one served. --write\n"
	"writes the version into the zone's file (in plain form: comments and $INCLUDE are lost), so that file and "
        "node agree.\n";

static int write_file(const struct cli_common *common, const char *zone, const char *path, json_int_t serial)
{
	struct zone_out o;
	int err;

	if (zone_out_open(&o, path, zone, false) < 0)
		return CLI_FAILED;
	err = cli_control_stream(common,
	                         json_pack("{s:s, s:s, s:[I]}", "command", "zone-export", "zone", zone, "serials",
	                                   serial),
	                         NULL, zone_out_line, &o);
	return zone_out_close(&o, err == 0) < 0 ? CLI_FAILED : CLI_OK;
}

int cmd_zone_rollback(int argc, char **argv)
{
	static const struct cli_verb verb = {"rollback", cmd_zone_rollback, NULL, help_zone_rollback};
	struct cli_common common = {0};
	bool write = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"write", .flag = &write}};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 2, 2, &operand);
	const char *path;
	json_int_t now;
	json_t *reply;
	uint32_t serial;

	if (code >= 0)
		return code;
	if (!cli_serial(argv[operand + 1], &serial))
		return CLI_USAGE;
	if (cli_control_call(&common,
	                     json_pack("{s:s, s:s, s:[I]}", "command", "zone-rollback", "zone", argv[operand],
	                               "serials", (json_int_t)serial),
	                     ROLLBACK_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	now = json_integer_value(json_object_get(reply, "serial"));
	path = json_string_value(json_object_get(reply, "file"));
	code = write ? write_file(&common, argv[operand], path, now) : CLI_OK;
	json_object_set_new(reply, "written", json_boolean(write && code == CLI_OK));
	json_object_del(reply, "ok");
	if (common.json) {
		cli_json_print(reply);
		return code;
	}
	printf("%s: serial %lld has the records of serial %u, in place of serial %lld\n", argv[operand], (long long)now,
	       serial, (long long)json_integer_value(json_object_get(reply, "from")));
	if (write && code == CLI_OK)
		printf("%s: written\n", path);
	else
		printf("%s: holds until that file changes; its serial must then be above %lld\n", path, (long long)now);
	json_decref(reply);
	return code;
}
