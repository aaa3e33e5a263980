/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "lab/delayline.h"
#include "lab/lab.h"
#include "lab/verbs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char help_lab[] =
	"usage: zonecast lab up [--zones DIR] [--dir DIR] [--name NAME]\n"
	"       zonecast lab status [--json]\n"
	"       zonecast lab drill NAME [--region eu|us|as] [--runs N] [--deep] [--silent] [--json]\n"
	"       zonecast lab down\n"
	"\n"
	"A whole anycast internet on this machine, in network namespaces: three regions, each with a transit router (BIRD in eu, FRR in us and\n"
	"as), a client and a PoP that runs this program; a hidden primary in eu feeds the PoPs. Needs root, BIRD and FRR.\n"
	"\n"
	"Drills, each with a client in the region that asks every 5 ms and prints what it saw:\n"
	"  kill    the answer workers die           crash   the whole node dies\n"
	"  hang    they stop without dying          wrong   the node answers SERVFAIL\n"
	"  cut     its link goes dark               drain   planned maintenance\n"
	"  zone    a record changes at the hidden primary: when does each region answer it?\n"
	"  primary-lost   the hidden primary dies: what do the PoPs say, and do they go on?\n"
	"\n"
	"  --zones DIR   further NAME.zone and NAME.zone.gz files to serve (default: real zones beside the source tree, if there)\n"
	"  --dir DIR     where configuration, logs and state go (default " LAB_DIR_DEFAULT ")\n"
	"  --name NAME   prefix of the namespaces, to run several labs (default " LAB_NAME_DEFAULT ")\n";

/* Real zones that may lie beside the source tree. */
static void find_zones(struct lab *l)
{
	const char *shared = getenv("ZONECAST_SHARED");
	char path[PATH_MAX + 64];

	if (shared)
		snprintf(path, sizeof(path), "%s/data/zones/tld", shared);
	else
		snprintf(path, sizeof(path), "%.*s/../../shared/data/zones/tld", (int)(strrchr(l->self, '/') - l->self), l->self);
	if (access(path, R_OK | X_OK) == 0 && strlen(path) < sizeof(l->zones_dir))
		snprintf(l->zones_dir, sizeof(l->zones_dir), "%.399s", path);
}

static int up(const struct lab *l)
{
	return lab_up(l) == 0 ? CLI_OK : CLI_FAILED;
}

int cmd_lab(int argc, char **argv)
{
	static const struct cli_verb verb = {"lab", cmd_lab, NULL, help_lab};
	const char *dir = LAB_DIR_DEFAULT, *name = LAB_NAME_DEFAULT, *zones = NULL, *region = "eu", *runs = "1";
	struct lab_drill_options o = {0};
	const struct cli_option rows[] = {
		{"dir", .value = &dir},       {"name", .value = &name},     {"zones", .value = &zones},     {"region", .value = &region},
		{"runs", .value = &runs},     {"deep", .flag = &o.deep},    {"silent", .flag = &o.silent},  {"json", .flag = &o.json},
	};
	struct lab l = {0};
	char self[PATH_MAX], absolute[PATH_MAX];
	ssize_t n;
	int operand, index, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 2, &operand);
	char *end;

	if (code >= 0)
		return code;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	index = lab_region_of(region);
	o.runs = (unsigned)strtoul(runs, &end, 10);
	if (index < 0 || *end || strlen(name) > LAB_NAME_MAX) {
		cli_error("lab: --region is eu, us or as; --runs a number; --name at most %d letters", LAB_NAME_MAX);
		return CLI_USAGE;
	}
	if (n <= 0 || n >= LAB_PATH_MAX || !cli_absolute(dir, absolute, sizeof(absolute)) || strlen(absolute) >= sizeof(l.dir)) {
		cli_error("lab: the path of --dir or of this program is too long");
		return CLI_FAILED;
	}
	self[n] = '\0';
	snprintf(l.self, sizeof(l.self), "%.399s", self);
	snprintf(l.dir, sizeof(l.dir), "%.399s", absolute);
	snprintf(l.name, sizeof(l.name), "%.8s", name);
	if (zones)
		snprintf(l.zones_dir, sizeof(l.zones_dir), "%.399s", zones);
	else
		find_zones(&l);
	o.region = (unsigned)index;
	if (strcmp(argv[operand], "drill") == 0 && operand + 1 < argc) {
		o.name = argv[operand + 1];
		return lab_drill(&l, &o) == 0 ? CLI_OK : CLI_FAILED;
	}
	if (operand + 1 < argc) {
		cli_error("lab: \"%s\" takes no further word", argv[operand]);
		return CLI_USAGE;
	}
	if (strcmp(argv[operand], "up") == 0)
		return up(&l);
	if (strcmp(argv[operand], "status") == 0)
		return lab_status(&l, o.json) == 0 ? CLI_OK : CLI_FAILED;
	if (strcmp(argv[operand], "down") == 0)
		return lab_down(&l) == 0 ? CLI_OK : CLI_FAILED;
	cli_error("lab: up, status, drill NAME or down, not \"%s\"", argv[operand]);
	return CLI_USAGE;
}

/* For the lab's own use: a link with latency. */
int cmd_lab_delayline(int argc, char **argv)
{
	if (argc != 6)
		return CLI_USAGE;
	return lab_delayline(argv[1], argv[2], argv[3], argv[4], (unsigned)strtoul(argv[5], NULL, 10));
}
