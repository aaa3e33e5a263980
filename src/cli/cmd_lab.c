/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "lab/delayline.h"
#include "lab/forward.h"
#include "lab/lab.h"
#include "lab/verbs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char help_lab[] =
	"usage: zonecast lab up [--zones DIR] [--bfd TIME|off] [--backup known|hidden] [--no-prometheus] [--dir DIR] [--name NAME]\n"
	"       zonecast lab status [--json]\n"
	"       zonecast lab drill NAME|all [--region eu|us|as] [--runs N] [--bfd TIME|off] [--backup known|hidden]\n"
	"                    [--deep] [--silent] [--json]\n"
	"       zonecast lab down\n"
	"\n"
	"A whole anycast internet on this machine, in network namespaces: three regions, each with a transit router (BIRD in eu, FRR in us and\n"
	"as), a client and a PoP that runs this program; a hidden primary in eu feeds the PoPs. Needs root, BIRD and FRR. Prometheus is started where it is\n"
	"installed, and it and the nodes' dashboards are reached at ports of 127.0.0.1, which `up` and `status` tell (--no-prometheus: neither).\n"
	"\n"
	"Drills, with clients in all regions that ask every 5 ms over both families; each says what they saw, what the PoPs said, and whether\n"
	"that is what is specified (exit status 1: it is not):\n"
	"  kill            the answer workers die\n"
	"  crash           the whole node dies\n"
	"  hang            they stop without dying\n"
	"  wrong           the node answers SERVFAIL\n"
	"  flap            it does so again and again\n"
	"  one-family      nothing comes to its IPv6 address\n"
	"  cut             its link goes dark\n"
	"  outside-in      questions from outside are filtered\n"
	"  drain           planned maintenance\n"
	"  rolling-upgrade every PoP is restarted in turn\n"
	"  bad-zone        the primary gets zone files that are none\n"
	"  stale           one PoP cannot reach the primary\n"
	"  expire          the same, and a zone is about to expire\n"
	"  drift           one PoP is held back on a zone\n"
	"  same-serial     a record changes, the serial does not\n"
	"  cut-region      a region loses its links to the others\n"
	"  primary-lost    the hidden primary dies\n"
	"  overload        one PoP is asked more than it can answer\n"
	"  rpki-invalid    RPKI says that the prefixes are another's\n"
	"  withdraw-all    the checks of every PoP fail at once\n"
	"  old-config      an older fleet file is rolled out\n"
	"  dormant-mistake one that would withdraw the network everywhere\n"
	"  all             one after the other, and a table\n"
	"  zone            a record changes at the primary: when does each region answer it?\n"
	"\n"
	"  --bfd TIME    interval of BFD between PoPs and transits, three of which are the detection time (default 300ms), or off\n"
	"  --backup      known: each transit has a second path at any time; hidden: it learns it when the first has gone\n"
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

/* "50ms" or "off" (0). */
static bool read_bfd(const char *text, unsigned *ms)
{
	char *end;
	unsigned long n;

	if (strcmp(text, "off") == 0) {
		*ms = 0;
		return true;
	}
	n = strtoul(text, &end, 10);
	if (end == text || strcmp(end, "ms") != 0 || n < 50 || n > 5000)
		return false;
	*ms = (unsigned)n;
	return true;
}

static bool read_settings(const char *bfd, const char *backup, struct lab_drill_options *o)
{
	o->set_bfd = bfd != NULL;
	o->set_backup = backup != NULL;
	o->hidden = backup && strcmp(backup, "hidden") == 0;
	return (!bfd || read_bfd(bfd, &o->bfd_ms)) && (!backup || o->hidden || strcmp(backup, "known") == 0);
}

int cmd_lab(int argc, char **argv)
{
	static const struct cli_verb verb = {"lab", cmd_lab, NULL, help_lab};
	const char *dir = LAB_DIR_DEFAULT, *name = LAB_NAME_DEFAULT, *zones = NULL, *region = "eu", *runs = "1", *bfd = NULL, *backup = NULL;
	struct lab_drill_options o = {0};
	struct lab l = {0};
	const struct cli_option rows[] = {
		{"dir", .value = &dir},       {"name", .value = &name},     {"zones", .value = &zones},     {"region", .value = &region},
		{"runs", .value = &runs},     {"deep", .flag = &o.deep},    {"silent", .flag = &o.silent},  {"json", .flag = &o.json},
		{"bfd", .value = &bfd},       {"backup", .value = &backup}, {"no-prometheus", .flag = &l.plain},
	};
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
	if (!read_settings(bfd, backup, &o)) {
		cli_error("lab: --bfd is a time from 50ms to 5000ms, or off; --backup is known or hidden");
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
	if (strcmp(argv[operand], "up") == 0) {
		l.bfd_ms = o.set_bfd ? o.bfd_ms : LAB_BFD_DEFAULT_MS;
		l.hidden = o.hidden;
		return up(&l);
	}
	if (strcmp(argv[operand], "status") == 0) {
		if (lab_load_settings(&l) < 0)
			l.hidden = false; /* lab_status() says that there is none */
		return lab_status(&l, o.json) == 0 ? CLI_OK : CLI_FAILED;
	}
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

/* Likewise: ports of this machine that lead into it. */
int cmd_lab_forward(int argc, char **argv)
{
	return lab_forward_main(argc - 1, argv + 1);
}
