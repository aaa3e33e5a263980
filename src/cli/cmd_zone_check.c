/* SPDX-License-Identifier: BSD-2-Clause */
/* One zone file, judged exactly as sync judges it before it is served. */
#include "cli/cli.h"

#include "base/err.h"
#include "config/config.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "zone/content.h"
#include "zone/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char help_zone_check[] = "usage: zonecast zone check FILE|ZONE [ORIGIN] [--config FILE] [--print] [--json]\n"
                               "\n"
                               "Check a zone file: syntax, every record, and the zone as a whole. The name of the zone is\n"
                               "ORIGIN; without it the file's name without \".zone\" (root.zone is the root). A ZONE of the\n"
                               "fleet file stands for the file named there. Warnings alone do not fail the check.\n"
                               "\n"
                               "  --config FILE  where to look ZONE up (default " CLI_CONFIG_DEFAULT ")\n"
                               "  --print        print the zone in normal form: canonical order, absolute names, one\n"
                               "                 record a line\n"
                               "  --json         one JSON object instead of text\n";

static const uint8_t root_name[1] = {0};

/* "zones/example.com.zone" -> example.com */
static int origin_of_file(const char *path, struct name *out)
{
	const char *base = strrchr(path, '/');
	size_t len;

	base = base ? base + 1 : path;
	len = strlen(base);
	if (len > 5 && strcmp(base + len - 5, ".zone") == 0)
		len -= 5;
	if (len == 4 && memcmp(base, "root", 4) == 0) {
		name_copy(out, root_name);
		return 0;
	}
	return name_from_text(base, len, root_name, out);
}

/* Copies the path of the zone's file out of the fleet file. */
static int file_of_zone(const char *config_path, const struct name *zone, char *buf, size_t cap)
{
	struct config *c = NULL;
	struct diag diag;
	int rc;

	diag_init(&diag);
	rc = config_load(config_path, &diag, &c);
	if (rc < 0) {
		cli_diag_print(stderr, &diag);
	} else {
		rc = ERR_NOT_FOUND;
		for (size_t i = 0; i < c->zone_count; i++) {
			if (!name_equal(c->zones[i].apex, zone->wire))
				continue;
			if (!c->zones[i].file) {
				cli_error(config_zone_is_edge(&c->zones[i]) ? "backends answer for this zone: it has no file"
				                                            : "this zone comes from a primary and has no file");
				break;
			}
			snprintf(buf, cap, "%s", c->zones[i].file);
			rc = 0;
			break;
		}
	}
	config_free(c);
	diag_done(&diag);
	return rc;
}

static uint32_t serial_of(const struct content *content)
{
	const struct content_rrset *soa = content_soa(content);
	const struct content_record *r = soa ? &soa->records[0] : NULL;

	return r && r->rdlen >= 22 ? get_u32(r->rdata + r->rdlen - 20) : 0;
}

int cmd_zone_check(int argc, char **argv)
{
	const char *config_path = CLI_CONFIG_DEFAULT, *file;
	bool print = false, json = false;
	const struct cli_option rows[] = {
	        {"config", .value = &config_path}, {"print", .flag = &print}, {"json", .flag = &json}};
	struct content *content = NULL;
	char name_text[NAME_TEXT_MAX], from_config[4096];
	struct name origin;
	struct diag diag;
	int at, rc = cli_parse(cli_verb_find(cli_zone_verbs, cli_zone_verb_count, "check"), rows, ARRAY_LEN(rows), argc,
	                       argv, 1, 2, &at);

	if (rc >= 0)
		return rc;
	if (print && json) {
		cli_error("zone check: --print and --json exclude each other");
		return CLI_USAGE;
	}
	file = argv[at];
	if (at + 1 < argc) {
		if (name_from_text(argv[at + 1], strlen(argv[at + 1]), root_name, &origin) < 0) {
			cli_error("zone check: \"%s\" is no domain name", argv[at + 1]);
			return CLI_USAGE;
		}
	} else if (origin_of_file(file, &origin) < 0) {
		cli_error("zone check: which zone is this? Give its name after the file");
		return CLI_USAGE;
	}
	if (access(file, F_OK) < 0) {
		struct name zone;

		if (strchr(file, '/') || name_from_text(file, strlen(file), root_name, &zone) < 0 ||
		    file_of_zone(config_path, &zone, from_config, sizeof(from_config)) < 0) {
			cli_error("zone check: there is no file \"%s\", and no zone with a file of that name in %s", file,
			          config_path);
			return CLI_FAILED;
		}
		file = from_config;
		if (at + 1 == argc)
			origin = zone;
	}
	diag_init(&diag);
	rc = zone_load_file(file, origin.wire, NULL, &diag, &content);
	name_to_text(origin.wire, name_text);
	if (rc < 0 && diag.errors == 0)
		diag_add(&diag, DIAG_ERROR, file, 0, 0, "%s", err_text(rc));
	if (json) {
		json_t *o = cli_diag_json(&diag);

		json_object_set_new(o, "zone", json_string(name_text));
		if (content)
			json_object_update_new(o, json_pack("{sI sI}", "serial", (json_int_t)serial_of(content), "records",
			                                    (json_int_t)content_record_count(content)));
		rc = cli_json_print(o) == CLI_OK && rc == 0 ? CLI_OK : CLI_FAILED;
	} else {
		/* With --print stdout is the zone alone. */
		cli_diag_print(rc < 0 || print ? stderr : stdout, &diag);
		if (rc == 0 && print)
			rc = zone_print(content, stdout) == 0 && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
		else if (rc == 0)
			printf("%s: good: %s serial %u, %zu records in %zu sets\n", file, name_text, serial_of(content),
			       content_record_count(content), content_rrset_count(content));
		else
			cli_error("%s: not fit to serve: %u errors, %u warnings", file, diag.errors, diag.warnings);
		rc = rc == 0 ? CLI_OK : CLI_FAILED;
	}
	content_free(content);
	diag_done(&diag);
	return rc;
}
