/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/addr.h"
#include "base/log.h"
#include "proc/role.h"
#include "super/supervisor.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LISTEN_MAX = 64, DNS_PORT = 53, FILES_WANTED = 65536 };

const char help_run[] =
	"usage: zonecast run [--config FILE] [--node NAME]\n"
	"       zonecast run --zones DIR --listen ADDR[:PORT] [--listen ...]\n"
	"\n"
	"Run this node in the foreground.\n"
	"\n"
	"The first form runs the node NAME (default: the host name) of the fleet file (default " CLI_CONFIG_DEFAULT ").\n"
	"The second form is a stand-alone authoritative server without BGP: every NAME.zone in DIR is served (the root zone\n"
	"is root.zone). IPv6: --listen [2001:db8::1]:53. \"ready\" is printed on stderr once every loadable zone answers.\n"
	"\n"
	"  --allow-transfer PREFIX   stand-alone: clients that may transfer the zones; may be given again (default: nobody)\n"
	"  --workers N       answer workers (default: as configured, else one per CPU)\n"
	"  --state-dir DIR   what must survive a reboot (orders, transferred zones)\n"
	"  --run-dir DIR     the store, the control socket, pids\n"
	"  --log-level L     error, warning, notice, info (default) or debug\n"
	"  --log-format F    text (default: as configured), or json: one object a line\n"
	"  --accept-older    take a fleet file of an older generation than this node has had\n"
	"  --allow-faults    accept fault drills on the control socket\n"
	"\n"
	"SIGTERM drains and stops, a second one stops at once. SIGHUP reloads.\n";

struct prefixes {
	struct ip_prefix at[ROLE_PREFIXES_MAX];
	size_t count;
};

struct listens {
	struct endpoint at[LISTEN_MAX];
	size_t count;
};

static int add_listen(void *ctx, const char *value)
{
	struct listens *l = ctx;

	if (l->count == LISTEN_MAX) {
		cli_error("--listen: at most %d", LISTEN_MAX);
		return CLI_USAGE;
	}
	if (endpoint_parse(value, DNS_PORT, &l->at[l->count]) < 0) {
		cli_error("--listen %s: write ADDR:PORT, for IPv6 [ADDR]:PORT", value);
		return CLI_USAGE;
	}
	l->count++;
	return 0;
}

static int add_prefix(void *ctx, const char *value)
{
	struct prefixes *p = ctx;

	if (p->count == ROLE_PREFIXES_MAX) {
		cli_error("--allow-transfer: at most %d", ROLE_PREFIXES_MAX);
		return CLI_USAGE;
	}
	if (prefix_parse(value, &p->at[p->count]) < 0) {
		cli_error("--allow-transfer %s: write a prefix such as 192.0.2.0/24 or 2001:db8::1/128", value);
		return CLI_USAGE;
	}
	p->count++;
	return 0;
}

static int level_from(const char *text, enum log_level *out)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], text) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	cli_error("--log-level %s: error, warning, notice, info or debug", text);
	return CLI_USAGE;
}

static int format_from(const char *text, enum log_format *out)
{
	if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0) {
		cli_error("--log-format %s: text or json", text);
		return CLI_USAGE;
	}
	*out = strcmp(text, "json") == 0 ? LOG_JSON : LOG_TEXT;
	return 0;
}

int cmd_run(int argc, char **argv)
{
	static const struct cli_verb verb = {"run", cmd_run, NULL, help_run};
	const char *config = NULL, *node = NULL, *zones = NULL, *workers = NULL, *state_dir = NULL, *run_dir = NULL, *level = NULL, *format = NULL;
	static enum log_format log_format;
	bool faults = false, older = false;
	struct listens listens = {.count = 0};
	struct prefixes transfer = {.count = 0};
	const struct cli_option rows[] = {
		{"config", .value = &config},       {"node", .value = &node},       {"zones", .value = &zones},
		{"listen", .each = add_listen, .ctx = &listens}, {"workers", .value = &workers}, {"state-dir", .value = &state_dir},
		{"allow-transfer", .each = add_prefix, .ctx = &transfer},
		{"run-dir", .value = &run_dir},     {"log-level", .value = &level}, {"log-format", .value = &format}, {"allow-faults", .flag = &faults},
		{"accept-older", .flag = &older},
	};
	struct supervisor_options o = {.log_level = LOG_INFO};
	static char zones_path[PATH_MAX], run_path[PATH_MAX], state_path[PATH_MAX];
	struct rlimit files;
	int operand, status = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);

	if (status >= 0)
		return status;
	if (level && level_from(level, &o.log_level))
		return CLI_USAGE;
	if (format && format_from(format, &log_format))
		return CLI_USAGE;
	o.log_format = format ? &log_format : NULL;
	if (zones ? (config || !listens.count) : listens.count != 0) {
		cli_error("run takes either --config, or --zones together with --listen");
		return CLI_USAGE;
	}
	if (transfer.count && !zones) {
		cli_error("--allow-transfer goes with --zones; the fleet file has allow-transfer: in zones:");
		return CLI_USAGE;
	}
	if (workers) {
		char *end;
		long n = strtol(workers, &end, 10);

		if (*end || n < 1 || n > 256) {
			cli_error("--workers %s: a number from 1 to 256", workers);
			return CLI_USAGE;
		}
		o.workers = (unsigned)n;
	}
	/* Roles work elsewhere: paths must not depend on where we were started. */
	if (zones && !realpath(zones, zones_path)) {
		cli_error("--zones %s: there is no such folder", zones);
		return CLI_FAILED;
	}
	if (run_dir && !cli_absolute(run_dir, run_path, sizeof(run_path)))
		return CLI_FAILED;
	if (state_dir && !cli_absolute(state_dir, state_path, sizeof(state_path)))
		return CLI_FAILED;
	o.config_path = zones ? NULL : config ? config : CLI_CONFIG_DEFAULT;
	o.node = node;
	o.zones_dir = zones ? zones_path : NULL;
	o.listen = listens.at;
	o.listen_count = listens.count;
	o.allow_transfer = transfer.at;
	o.allow_transfer_count = transfer.count;
	o.run_dir = run_dir ? run_path : NULL;
	o.state_dir = state_dir ? state_path : NULL;
	o.allow_faults = faults;
	o.accept_older = older;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_WANTED) {
		files.rlim_cur = MIN((rlim_t)FILES_WANTED, files.rlim_max);
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return supervisor_run(&o) == 0 ? CLI_OK : CLI_FAILED;
}
