/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone history`, `zone diff` and `zone export`: the versions of a zone that the node keeps. */
#include "cli/cli.h"

#include "base/err.h"
#include "cli/zone_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char help_zone_history[] = "usage: zonecast zone history ZONE [--config FILE] [--run-dir DIR] [--json]\n"
				 "\n"
				 "The versions of the zone that the running node keeps, oldest first: serial, when, "
                                 "records removed and added, where from and by whom. How many are\n"
				 "kept: `history` in zonecast.yaml(5).\n";
const char help_zone_diff[] =
	"usage: zonecast zone diff ZONE SERIAL [SERIAL] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"What leads from the first version to the second (without one: to the newest): records removed (-) and added "
        "(+). The first may be the newer one.\n";
const char help_zone_export[] =
	"usage: zonecast zone export ZONE [SERIAL] [--output FILE] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"A version of the zone, without SERIAL the one served, in zone file form. FILE is replaced when all of it is "
        "there, and else stays as it is.\n";

bool cli_serial(const char *text, uint32_t *out)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text < '0' || *text > '9' || v > UINT32_MAX) {
		cli_error("\"%s\" is no serial: a number of 32 bits", text);
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

/* ---- history ---- */

struct history_out {
	bool json;
	json_t *versions, *held;
	json_int_t serial;
	bool has_serial;
};

static int history_head(void *ctx, const json_t *head)
{
	struct history_out *h = ctx;
	json_t *serial = json_object_get(head, "serial");

	h->has_serial = serial;
	h->serial = json_integer_value(serial);
	h->held = json_incref(json_object_get(head, "held_back"));
	return 0;
}

static int history_line(void *ctx, char *line)
{
	struct history_out *h = ctx;
	json_t *version = json_loads(line, 0, NULL);

	return version && json_array_append_new(h->versions, version) == 0 ? 0 : ERR_MALFORMED;
}

static void print_version(const struct history_out *h, const json_t *v)
{
	time_t when = (time_t)json_integer_value(json_object_get(v, "when"));
	json_int_t serial = json_integer_value(json_object_get(v, "serial")),
		   merged = json_integer_value(json_object_get(v, "merged"));
	const char *origin = json_string_value(json_object_get(v, "origin")),
		   *who = json_string_value(json_object_get(v, "who"));
	char at[32] = "", change[48] = "whole";
	struct tm tm;

	if (gmtime_r(&when, &tm))
		strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (json_object_get(v, "from"))
		snprintf(change, sizeof(change), "-%lld +%lld",
		         (long long)json_integer_value(json_object_get(v, "removed")),
		         (long long)json_integer_value(json_object_get(v, "added")));
	printf("%c%10lld %-20s %10lld %-15s %-8s %s", h->has_serial && h->serial == serial ? '*' : ' ',
	       (long long)serial, at, (long long)json_integer_value(json_object_get(v, "records")), change,
	       origin ? origin : "-", who ? who : "");
	if (merged)
		printf(" (%lld versions before it are one change with it)", (long long)merged);
	putchar('\n');
}

int cmd_zone_history(int argc, char **argv)
{
	static const struct cli_verb verb = {"history", cmd_zone_history, NULL, help_zone_history};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	struct history_out h = {.versions = NULL};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);
	json_t *v;
	size_t i;

	if (code >= 0)
		return code;
	h.versions = json_array();
	if (cli_control_stream(&common, json_pack("{s:s, s:s}", "command", "zone-history", "zone", argv[operand]),
	                       history_head, history_line, &h) < 0) {
		json_decref(h.versions);
		json_decref(h.held);
		return CLI_FAILED;
	}
	if (common.json) {
		json_t *out = json_pack("{s:s, s:o}", "zone", argv[operand], "versions", h.versions);

		if (h.has_serial)
			json_object_set_new(out, "serial", json_integer(h.serial));
		if (h.held)
			json_object_set_new(out, "held_back", h.held);
		return cli_json_print(out);
	}
	printf(" %10s %-20s %10s %-15s %-8s %s\n", "SERIAL", "WHEN", "RECORDS", "CHANGE", "FROM", "WHO");
	json_array_foreach(h.versions, i, v)
		print_version(&h, v);
	if (h.held)
		printf("The zone's file still says serial %lld, which was gone back from: the version above holds "
		       "until the file changes.\n",
		       (long long)json_integer_value(json_object_get(h.held, "file_serial")));
	json_decref(h.versions);
	json_decref(h.held);
	return CLI_OK;
}

/* ---- diff ---- */

struct diff_out {
	bool json;
	json_t *from, *to, *removed, *added;
};

static int diff_head(void *ctx, const json_t *head)
{
	struct diff_out *d = ctx;

	d->from = json_incref(json_object_get(head, "from"));
	d->to = json_incref(json_object_get(head, "to"));
	return 0;
}

static int diff_line(void *ctx, char *line)
{
	struct diff_out *d = ctx;
	json_t *record;

	if (!d->json)
		return printf("%c %s\n", line[0], line[0] ? line + 1 : "") < 0 ? -EIO : 0;
	record = line[0] ? zone_out_record(line + 1) : NULL;
	return record && json_array_append_new(line[0] == '-' ? d->removed : d->added, record) == 0 ? 0 : ERR_MALFORMED;
}

static json_t *serials_of(char **text, int count)
{
	json_t *list = json_array();
	uint32_t serial;

	for (int i = 0; i < count; i++) {
		if (!cli_serial(text[i], &serial)) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, json_integer(serial));
	}
	return list;
}

int cmd_zone_diff(int argc, char **argv)
{
	static const struct cli_verb verb = {"diff", cmd_zone_diff, NULL, help_zone_diff};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	struct diff_out d = {.json = false};
	int err, operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 2, 3, &operand);
	json_t *serials, *out;

	if (code >= 0)
		return code;
	serials = serials_of(argv + operand + 1, argc - operand - 1);
	if (!serials)
		return CLI_USAGE;
	d.json = common.json;
	d.removed = json_array();
	d.added = json_array();
	err = cli_control_stream(&common,
	                         json_pack("{s:s, s:s, s:o}", "command", "zone-diff", "zone", argv[operand], "serials",
	                                   serials),
	                         diff_head, diff_line, &d);
	out = json_pack("{s:s, s:o*, s:o*, s:o, s:o}", "zone", argv[operand], "from", d.from, "to", d.to, "removed",
	                d.removed, "added", d.added);
	if (err < 0 || !common.json) {
		json_decref(out);
		return err < 0 || fflush(stdout) != 0 ? CLI_FAILED : CLI_OK;
	}
	return cli_json_print(out);
}

/* ---- export ---- */

int cmd_zone_export(int argc, char **argv)
{
	static const struct cli_verb verb = {"export", cmd_zone_export, NULL, help_zone_export};
	struct cli_common common = {0};
	const char *output = NULL;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"output", .value = &output}};
	int err, operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 2, &operand);
	struct zone_out o;
	json_t *serials;

	if (code >= 0)
		return code;
	serials = serials_of(argv + operand + 1, argc - operand - 1);
	if (!serials)
		return CLI_USAGE;
	if (zone_out_open(&o, output, argv[operand], common.json) < 0) {
		json_decref(serials);
		return CLI_FAILED;
	}
	err = cli_control_stream(&common,
	                         json_pack("{s:s, s:s, s:o}", "command", "zone-export", "zone", argv[operand],
	                                   "serials", serials),
	                         zone_out_head, zone_out_line, &o);
	return zone_out_close(&o, err == 0) < 0 ? CLI_FAILED : CLI_OK;
}
