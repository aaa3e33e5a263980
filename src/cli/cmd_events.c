/* SPDX-License-Identifier: BSD-2-Clause */
/* `events`: what has happened on the running node, and what happens. The node sends every event that it still has; what is wanted of them is picked here. */
#include "cli/cli.h"

#include "base/clock.h"
#include "board/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIME_WIDTH = 25 };

const char help_events[] =
	"usage: zonecast events [--follow] [--since TIME] [--kind KIND] [--level LEVEL] [--network NAME]\n"
	"                       [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"What has happened on the running node, oldest first: networks announced, de-preferred or withdrawn and why, verdicts, neighbors,\n"
	"zones, processes, orders, reloads. --follow goes on with what happens, until interrupted. --since 10m: not older than that.\n"
	"--level warn: warnings and alerts; alert: these alone. --kind may be given several times.\n";

struct wanted {
	bool kinds[EVENT_KINDS], any_kind;
	const char *network;      /* NULL: all */
	enum board_event_level level; /* at least */
	uint64_t from_ms;         /* since 1970 */
	bool follow, json;
};

static int add_kind(void *ctx, const char *value)
{
	enum board_event_kind k = board_event_kind_parse(value, strlen(value));
	struct wanted *w = ctx;

	if (k == EVENT_KINDS) {
		cli_error("--kind %s: there is no such kind; zonecast-events(1) lists them", value);
		return CLI_USAGE;
	}
	w->kinds[k] = w->any_kind = true;
	return 0;
}

/* "90s", "10m", "2h", "1d"; false: it is none. */
static bool read_span(const char *text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || n > 1000000000)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(end, units[i].unit) == 0) {
			*ms = n * units[i].ms;
			return true;
		}
	return false;
}

static bool read_level(const char *text, enum board_event_level *out)
{
	for (enum board_event_level l = EVENT_INFO; l <= EVENT_ALERT; l++)
		if (strcmp(text, board_event_level_text(l)) == 0) {
			*out = l;
			return true;
		}
	return false;
}

static const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool is_wanted(const struct wanted *w, const json_t *o)
{
	const char *kind = member(o, "kind");
	enum board_event_kind k = board_event_kind_parse(kind, strlen(kind));
	enum board_event_level level = EVENT_INFO;

	if (w->any_kind && (k == EVENT_KINDS || !w->kinds[k]))
		return false;
	if (w->network && strcmp(w->network, member(o, "network")) != 0)
		return false;
	if (w->level != EVENT_INFO && (!read_level(member(o, "level"), &level) || level < w->level))
		return false;
	return (uint64_t)json_integer_value(json_object_get(o, "time_ms")) >= w->from_ms;
}

static void print_event(const json_t *o, bool json)
{
	uint64_t ms = (uint64_t)json_integer_value(json_object_get(o, "time_ms"));
	long long family = json_integer_value(json_object_get(o, "family"));
	const char *network = member(o, "network"), *subject = member(o, "subject"), *old = member(o, "old");
	char time[TIME_WIDTH];

	if (json) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	clock_wall_text((int64_t)(ms / 1000), time);
	printf("%.19s.%03uZ %-5s %s", time, (unsigned)(ms % 1000), member(o, "level"), member(o, "kind"));
	if (*network)
		printf(" %s", network);
	/* An address says its family itself. */
	if (family && !*subject)
		printf(" ipv%lld", family);
	if (*subject)
		printf(" %s", subject);
	if (*old && strcmp(old, member(o, "now")) != 0)
		printf(": %s -> %s", old, member(o, "now"));
	else
		printf(": %s", member(o, "now"));
	printf(": %s\n", member(o, "why"));
}

static bool take(void *ctx, json_t *o)
{
	const struct wanted *w = ctx;

	if (json_object_get(o, "lost")) {
		/* Without --follow: what was overwritten long ago, of which everybody knows that it is not kept. */
		if (w->follow)
			cli_error("%lld events were overwritten before they could be read", (long long)json_integer_value(json_object_get(o, "lost")));
	} else if (is_wanted(w, o)) {
		print_event(o, w->json);
	}
	return true;
}

int cmd_events(int argc, char **argv)
{
	static const struct cli_verb verb = {"events", cmd_events, NULL, help_events};
	const char *since = NULL, *level = NULL;
	struct cli_common common = {0};
	struct wanted w = {.level = EVENT_INFO};
	/* clang-format off */
	const struct cli_option rows[] = {
		CLI_COMMON_OPTIONS(&common), {"follow", .flag = &w.follow}, {"since", .value = &since}, {"level", .value = &level},
		{"network", .value = &w.network}, {"kind", .each = add_kind, .ctx = &w},
	};
	/* clang-format on */
	int fd, operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	uint64_t span = 0, now_ms = clock_wall_us() / 1000;

	if (code >= 0)
		return code;
	if (since && !read_span(since, &span)) {
		cli_error("--since %s: write a time such as 90s, 10m, 2h or 1d", since);
		return CLI_USAGE;
	}
	if (level && !read_level(level, &w.level)) {
		cli_error("--level %s: info, warn or alert", level);
		return CLI_USAGE;
	}
	if (since)
		w.from_ms = now_ms > span ? now_ms - span : 0;
	w.json = common.json;
	if (cli_control_open(&common, json_pack("{s:s, s:b}", "command", "events", "follow", w.follow), &fd) < 0)
		return CLI_FAILED;
	code = cli_control_follow(fd, w.follow, NULL, take, &w);
	close(fd);
	return fflush(stdout) == 0 && !ferror(stdout) ? code : CLI_FAILED;
}
