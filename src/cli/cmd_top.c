/* SPDX-License-Identifier: BSD-2-Clause */
/* `top`: the node's status each interval, the sample of its queries as it comes, drawn until somebody has seen enough. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/err.h"
#include "cli/paint.h"
#include "cli/top.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	STATUS_TIMEOUT_MS = 2000,
	QUERIES_TIMEOUT_MS = 5000,
	LINE_MAX_OCTETS = 1 << 16,
	LINES_AT_ONCE = 2000, /* then the page has its turn */
	HALF_LIFE_MS = 10000, /* of what was sampled, about */
	INTERVAL_MS = 1000,
	INTERVAL_MIN_MS = 200,
	INTERVAL_MAX_MS = 3600000,
	WALL_TEXT = 21,
};

const char help_top[] =
	"usage: zonecast top [--fleet] [--interval TIME] [--once] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"What the running node does now, live: queries by transport and family, where answers come from, rcodes, "
	"types, CPU time of the workers, the clients\n"
	"and names that are asked for most among the sampled queries (answer.query-log-sample), and the nodes of the "
	"fleet. q quits, f changes between clients and\n"
	"nodes. --interval: 1s. --once, and where the output is no terminal: one page, of one interval; --json: the "
	"same as one JSON object.\n";

struct top {
	struct cli_common common;
	uint64_t interval_ms;
	bool fleet;
	struct top_look looks[2];
	size_t count; /* of looks; the newest is looks[(count - 1) % 2] */
	struct top_view view;
	struct top_table clients, names, kinds;
	int fd;    /* the sample; -1 */
	bool head; /* its first line has come */
	struct text rest;
	uint64_t faded_ms;
};

/* ---- the sample ---- */

static void close_sample(struct top *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->head = false;
	text_clear(&t->rest);
}

static void open_sample(struct top *t, bool follow)
{
	close_sample(t);
	if (cli_control_open(&t->common, json_pack("{s:s, s:b}", "command", "queries", "follow", follow), &t->fd) < 0)
		t->fd = -1;
}

/* A line of it. False: it has ended. */
static bool take_line(struct top *t, int timeout_ms, bool *any)
{
	struct text line;
	json_t *o = NULL;
	int err;

	text_init(&line);
	err = cli_control_line(t->fd, &t->rest, timeout_ms, LINE_MAX_OCTETS, &line);
	*any = err == 0;
	if (err == 0)
		o = json_loadb(line.chars, line.len, 0, NULL);
	if (o && !t->head) {
		t->head = true;
		t->view.sample = (uint64_t)json_integer_value(json_object_get(o, "sample"));
	} else if (o) {
		top_sampled(&t->view, o);
	}
	json_decref(o);
	text_done(&line);
	return err == 0 || err == -ETIMEDOUT;
}

/* What is there, without waiting. */
static void take_sample(struct top *t)
{
	bool any = true;

	for (int i = 0; any && i < LINES_AT_ONCE; i++)
		if (!take_line(t, 0, &any)) {
			close_sample(t);
			return;
		}
}

/* All that the node has, however old. */
static void take_whole_sample(struct top *t)
{
	bool any = true;

	open_sample(t, false);
	while (t->fd >= 0 && any && take_line(t, QUERIES_TIMEOUT_MS, &any))
		;
	close_sample(t);
}

static void fade(struct top *t)
{
	uint64_t now = clock_ms(), passed = now - t->faded_ms;
	double factor = (double)HALF_LIFE_MS / (double)(HALF_LIFE_MS + passed);

	t->faded_ms = now;
	top_table_fade(&t->clients, factor);
	top_table_fade(&t->names, factor);
	top_table_fade(&t->kinds, factor);
}

/* ---- the status ---- */

static int look(struct top *t)
{
	struct top_look *now = &t->looks[t->count % 2];
	const json_t *status;
	json_t *reply;
	int err = cli_control_call(&t->common, json_pack("{s:s}", "command", "status"), STATUS_TIMEOUT_MS, &reply);

	if (err < 0)
		return err;
	status = json_object_get(reply, "status");
	top_look(status, clock_ms(), now);
	top_rates(status, t->count ? &t->looks[(t->count - 1) % 2] : NULL, now, &t->view);
	t->count++;
	json_decref(reply);
	return 0;
}

static bool parse_interval(const char *text, uint64_t *ms)
{
	char *end;
	unsigned long long v;
	unsigned unit;

	errno = 0;
	v = strtoull(text, &end, 10);
	unit = strcmp(end, "ms") == 0 ? 1 : !*end || strcmp(end, "s") == 0 ? 1000 : strcmp(end, "m") == 0 ? 60000 : 0;
	if (*text < '0' || *text > '9' || errno || !unit || v > INTERVAL_MAX_MS / unit || v * unit < INTERVAL_MIN_MS) {
		cli_error("--interval %s: a time from 200ms to 60m", text);
		return false;
	}
	*ms = v * unit;
	return true;
}

static int once(struct top *t)
{
	struct top_page page = {.width = 80, .fleet = t->fleet};
	struct text out;
	int code;

	if (look(t) < 0)
		return CLI_FAILED;
	poll(NULL, 0, (int)t->interval_ms);
	if (look(t) < 0)
		return CLI_FAILED;
	take_whole_sample(t);
	if (t->common.json)
		return cli_json_print(top_json(&t->view));
	text_init(&out);
	top_draw(&t->view, &page, &out);
	code = fwrite(out.chars, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	text_done(&out);
	return code;
}

static void draw(struct top *t, bool color)
{
	struct top_page page = {.color = color, .fleet = t->fleet, .live = true};
	char wall[WALL_TEXT];
	struct text out;

	clock_wall_text(clock_wall_s(), wall);
	wall[strlen(wall) - 1] = '\0'; /* the Z */
	page.clock = wall + strlen("2026-11-21T");
	top_screen_size(&page.width, &page.height);
	text_init(&out);
	top_draw(&t->view, &page, &out);
	top_screen_put(&out);
	text_done(&out);
}

static int live(struct top *t)
{
	bool color = paint_wanted();
	uint64_t next;
	char key = 0;

	if (look(t) < 0)
		return CLI_FAILED;
	if (!top_screen_open())
		return once(t);
	t->faded_ms = clock_ms();
	next = t->faded_ms + t->interval_ms;
	open_sample(t, true);
	draw(t, color);
	for (;;) {
		switch (top_screen_wait(t->fd, next, &key)) {
		case TOP_ENDED:
			top_screen_close();
			return CLI_OK;
		case TOP_KEY:
			if (key == 'q' || key == 'Q') {
				top_screen_close();
				return CLI_OK;
			}
			if (key == 'f' || key == 'F')
				t->fleet = !t->fleet;
			break;
		case TOP_FD:
			take_sample(t);
			continue;
		case TOP_RESIZED:
			break;
		case TOP_TIME:
			if (clock_ms() < next)
				continue;
			look(t);
			fade(t);
			if (t->fd < 0)
				open_sample(t, true);
			/* What went wrong stands there instead of on standard error. */
			top_screen_message(t->view.message, sizeof(t->view.message));
			next = clock_ms() + t->interval_ms;
			break;
		}
		draw(t, color);
	}
}

int cmd_top(int argc, char **argv)
{
	static const struct cli_verb verb = {"top", cmd_top, NULL, help_top};
	struct top *t = calloc(1, sizeof(*t));
	const char *interval = NULL;
	bool only_once = false;
	int operand, code;

	if (!t)
		return CLI_FAILED;
	t->interval_ms = INTERVAL_MS;
	t->fd = -1;
	{
		const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&t->common),
		                                  {"fleet", .flag = &t->fleet},
		                                  {"once", .flag = &only_once},
		                                  {"interval", .value = &interval}};

		code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	}
	if (code >= 0 || (interval && !parse_interval(interval, &t->interval_ms))) {
		free(t);
		return code >= 0 ? code : CLI_USAGE;
	}
	text_init(&t->rest);
	t->view.clients = &t->clients;
	t->view.names = &t->names;
	t->view.kinds = &t->kinds;
	code = only_once || t->common.json || !isatty(STDOUT_FILENO) ? once(t) : live(t);
	close_sample(t);
	text_done(&t->rest);
	free(t);
	return code;
}
